#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{input, off_and_on, off_and_on_async};

#[allow(non_camel_case_types)]
struct r#struct {
    r#type: u8,
}

#[parea::trace(skip(r#match), tags = [r#in])]
fn r#fn(r#type: u8, r#in: &str, r#match: u8, r#struct { r#type: r#mod }: r#struct) -> u8 {
    r#type + r#in.len() as u8 + r#match + r#mod
}

#[parea::trace]
impl r#struct {
    async fn r#await(&self, r#loop: u8) -> u8 {
        self.r#type + r#loop
    }
}

fn main() {
    let traces = off_and_on(|| r#fn(1, "a", 2, r#struct { r#type: 3 }), 7, "fn (ok)\n");
    assert_eq!((input(&traces, "fn", "type"), input(&traces, "fn", "match")), ("1".to_owned(), "(none)".to_owned()));
    assert_eq!(input(&traces, "fn", "mod"), "3");
    assert_eq!(traces.log("fn").tags.as_ref().unwrap(), &["a"]);
    let traces = off_and_on_async(async || r#struct { r#type: 1 }.r#await(2).await, 3, "struct::await (ok)\n");
    assert_eq!(input(&traces, "struct::await", "loop"), "2");
}
