#[parea::trace(evals = [|log: &parea::Log| 1.0])]
fn closure() {}

#[parea::trace(evals = 3)]
fn number() {}

fn main() {}
