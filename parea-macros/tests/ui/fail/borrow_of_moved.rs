#[parea::trace]
fn f(text: String) -> &'static str {
    drop(text);
    let again = text;
    "x"
}

fn main() {
    f(String::new());
}
