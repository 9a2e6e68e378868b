fn half(_: &str, _: &str) -> f64 {
    0.5
}

#[parea::trace(evals = [half])]
fn scored() {}

fn main() {}
