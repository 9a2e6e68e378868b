//! How several words about one log become one log.
//!
//! The state of a log is a set of cells: one for each field, and one for each part of a field that is a group (keys
//! of maps, elements of lists, scores). Every cell holds the value with the greatest [`Stamp`], so patches commute,
//! associate and repeat without harm. Nothing here knows how logs are kept.

mod cells;
mod field;
mod form;
mod patch;
mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use cells::Cells;

pub(crate) use form::Form;
pub(crate) use patch::{Update, normalise};
