#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async};

trait Visit<'a> {
    fn visit(&self, text: &'a str) -> &'a str;
}

struct Trim;

impl<'a> Visit<'a> for Trim {
    #[parea::trace(skip(self))]
    fn visit(&self, text: &'a str) -> &'a str {
        text.trim()
    }
}

#[parea::trace]
fn visits(visitor: &dyn for<'a> Visit<'a>, text: &str) -> usize {
    visitor.visit(text).len()
}

#[parea::trace]
fn calls<F>(call: F, text: String) -> String
where
    F: for<'a> Fn(&'a str) -> &'a str,
    F: Clone,
{
    call(&text).to_owned()
}

#[parea::trace]
async fn calls_later<F>(call: F) -> usize
where
    F: for<'a> AsyncFn(&'a str) -> &'a str,
{
    call("four").await.len()
}

#[parea::trace]
fn pointer(call: for<'a, 'b> fn(&'a str, &'b str) -> &'a str) -> String {
    call("a", "b").to_owned()
}

fn main() {
    off_and_on(|| visits(&Trim, " a "), 1, "visits (ok)\n└─ visit (ok)\n");
    off_and_on(|| calls(str::trim, " b ".to_owned()), "b".to_owned(), "calls (ok)\n");
    off_and_on(|| pointer(|one, _| one), "a".to_owned(), "pointer (ok)\n");
    off_and_on_async(async || calls_later(async |text: &str| text).await, 4, "calls_later (ok)\n");
}
