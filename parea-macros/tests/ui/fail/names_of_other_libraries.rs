//! What people write who come from elsewhere.

#[parea::trace(skip_all)]
fn of_tracing(_n: u8) {}

#[parea::trace(err, ret, level = "debug", fields(a = 1))]
fn of_tracing_too() {}

#[parea::trace(short_name = true, properties = { "a": "b" })]
fn of_fastrace() {}

#[parea::trace(session = "s", user = "u", end_user = "e", eval_funcs = [f], sample_rate = 0.1)]
fn of_the_methods() {}

#[parea::trace(logOmitInputs, evaluation_metric_name = ["a"], omit_outputs)]
fn of_other_sdks() {}

fn main() {}
