struct Opaque;

#[parea::trace(session_id = session, tags = [5])]
fn f(session: Opaque) {
    let _ = session;
}

fn main() {}
