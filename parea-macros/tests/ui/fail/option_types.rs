struct Opaque;

#[parea::trace(session_id = session, tags = [5, session], apply_eval_frac = "half")]
fn f(session: Opaque) {
    let _ = session;
}

fn main() {}
