#[parea::trace(name = 5, tags = "one", tags = ["two"], skip(secert), log_omit_outputs = "no", metadata)]
const fn f(secret: &str) {
    let _ = secret;
}

#[parea::trace(name = "named" skip(secret), "loose")]
fn g(secret: &str) {
    let _ = secret;
}

fn main() {
    // Both functions are still there.
    f("");
    g("");
}
