const MUCH: f64 = 1.5;

#[parea::trace(log_sample_rate = 1.5)]
fn too_much() {}

#[parea::trace(log_sample_rate = -0.1)]
fn negative() {}

#[parea::trace(log_sample_rate = 2)]
fn whole_number() {}

#[parea::trace(log_sample_rate = "0.5")]
fn text() {}

#[parea::trace(log_sample_rate)]
fn nothing() {}

fn main() {
    let _ = MUCH;
}
