extern crate parea as observability;

mod parea {}

#[observability::trace]
fn needs_the_option() {}

#[observability::trace(crate = crate::observability)]
fn fine() {}

#[observability::trace(crate = nowhere)]
fn not_there() {}

fn main() {}
