struct User {
    id: u64,
}

/// A name that is not there.
#[parea::trace(tags = [usr])]
fn misspelt(user: &str) {
    let _ = user;
}

/// Options see the arguments by reference.
#[parea::trace(target = user, tags = [tag])]
fn moves(user: String, tag: String) -> String {
    user + &tag
}

/// A field that is not there.
#[parea::trace(session_id = user.uuid)]
fn field(user: &User) -> u64 {
    user.id
}

/// Locals of the body are not there yet.
#[parea::trace(metadata(size = total))]
fn local(n: u8) -> u8 {
    let total = n;
    total
}

/// There is no `self`.
#[parea::trace(tags = [self.name])]
fn free() {}

/// An output that is not what it is taken for.
#[parea::trace(output = |text| text.len())]
fn output(n: u64) -> u64 {
    n
}

/// Too many arguments.
#[parea::trace(output = |one, other| one)]
fn two(n: u64) -> u64 {
    n
}

fn main() {}
