#[parea::trace("answer")]
fn only_a_name() {}

#[parea::trace(name)]
fn name_of_nothing() {}

#[parea::trace(name = concat!("a", "b"))]
fn name_of_a_macro() {}

#[parea::trace(name = format_name())]
fn name_of_a_call() {}

#[parea::trace(tags("one"))]
fn tags_as_a_list() {}

#[parea::trace(metadata = {"a": 1})]
fn metadata_of_python() {}

#[parea::trace(metadata(a: 1))]
fn metadata_with_colons() {}

#[parea::trace(metadata(1 = a))]
fn metadata_with_numbers() {}

#[parea::trace(boxed = yes, log_omit_inputs = 1)]
async fn flags() {}

#[parea::trace(crate = "parea")]
fn crate_as_text() {}

#[parea::trace(target)]
fn target_of_nothing() {}

#[parea::trace(output = "text")]
fn output_of_text() {}

#[parea::trace(tags = ["a"],, name = "b")]
fn two_commas() {}

#[parea::trace(session_id = )]
fn expression_missing() {}

fn main() {}
