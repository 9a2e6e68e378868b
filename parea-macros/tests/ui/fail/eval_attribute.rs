use parea::{Log, Score};

#[parea::eval(nam = "x", colour = "red", description = 3)]
fn options(_: &Log) -> bool {
    true
}

#[parea::eval]
struct NoFunction;

#[parea::eval]
fn nothing() -> bool {
    true
}

#[parea::eval]
fn three(_: &str, _: &str, _: &str) -> bool {
    true
}

#[parea::eval]
fn owned(_: Log) -> bool {
    true
}

#[parea::eval]
const fn constant(_: &Log) -> bool {
    true
}

struct Judge;

impl Judge {
    #[parea::eval]
    fn method(&self, _: &Log) -> bool {
        true
    }
}

#[parea::eval]
fn text(_: &Log) -> String {
    String::new()
}

#[parea::eval]
fn wrong_body(_: &Log) -> Score {
    1.0
}

fn main() {}
