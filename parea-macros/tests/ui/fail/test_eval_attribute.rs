use parea::{Row, evals::levenshtein, mean, row};

#[parea::test_eval]
fn no_options(_: Row) -> u8 {
    1
}

#[parea::test_eval(trials = 3, trails = 2)]
fn no_rows(_: Row) -> u8 {
    1
}

#[parea::test_eval(rows = [row! { n: 1 }], evals = levenshtein)]
fn no_array(_: Row) -> u8 {
    1
}

#[parea::test_eval(rows = [row! { n: 1 }], evals = [|_: &parea::Log| 1.0])]
fn closure(_: Row) -> u8 {
    1
}

#[parea::test_eval(rows = [row! { n: 1 }], require("levenshtein"))]
fn half_a_requirement(_: Row) -> u8 {
    1
}

#[parea::test_eval(rows = [row! { n: 1 }])]
fn no_row() -> u8 {
    1
}

#[parea::test_eval(rows = [row! { n: 1 }])]
fn two_rows(_: Row, _: Row) -> u8 {
    1
}

#[parea::test_eval(rows = [row! { n: 1 }])]
enum NoFunction {}

fn main() {
    let _ = mean();
}
