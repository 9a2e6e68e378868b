#[parea::trace(output = 5, inputs, evaluation_metric_names = "one")]
fn wrong_forms() {}

#[parea::trace(boxed, log_omit_inputs, inputs(n = n), log_omit_outputs, output = |m| m)]
fn contradictions(n: u32) -> u32 {
    n
}

#[parea::trace(output = |m| m.no_such_method())]
fn unknown_method(n: u32) -> u32 {
    n
}

fn main() {}
