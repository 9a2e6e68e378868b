#[parea::trace(skp(secret), nmae = "x", colour = "red", tags = ["fine"])]
fn f(secret: &str) {
    let _ = secret;
}

fn main() {}
