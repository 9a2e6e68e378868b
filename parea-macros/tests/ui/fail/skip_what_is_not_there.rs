#[parea::trace(skip(usr))]
fn misspelt(user: &str, order: u8) {
    let _ = (user, order);
}

#[parea::trace(skip(self))]
fn no_self(user: &str) {
    let _ = user;
}

#[parea::trace(skip(anything))]
fn no_arguments() {}

#[parea::trace(skip(point, x))]
fn parts((x, y): (u8, u8)) {
    let _ = (x, y);
}

#[parea::trace(skip(user.name))]
fn field(user: &str) {
    let _ = user;
}

#[parea::trace(skip)]
fn alone(user: &str) {
    let _ = user;
}

fn main() {}
