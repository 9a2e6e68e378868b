const MUCH: f64 = 1.5;

#[parea::trace(log_sample_rate = MUCH)]
fn too_much() {}

#[parea::trace(log_sample_rate = f64::NAN)]
fn no_number() {}

const WHOLE: u32 = 1;

#[parea::trace(log_sample_rate = WHOLE)]
fn whole_number() {}

#[parea::trace(log_sample_rate = rate)]
fn of_an_argument(rate: f64) {
    let _ = rate;
}

fn rate() -> f64 {
    0.5
}

#[parea::trace(log_sample_rate = rate())]
fn computed() {}

fn main() {}
