//! What an option of the annotation may be given.

use std::fmt::Display;

use crate::json::displayed;

/// The value of an option that is a text: a tag, a name, an id.
#[diagnostic::on_unimplemented(
    message = "an option of `#[trace]` takes a text here, and `{Self}` has none",
    label = "has no `Display`",
    note = "a tag, a name or an id is what `Display` makes of a value: of a `&str`, a `String`, a number or a type of yours"
)]
pub trait Label {
    /// The text.
    fn label(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Label for T {
    fn label(&self) -> String {
        displayed(self)
    }
}

/// The value of an option that is a chance.
#[diagnostic::on_unimplemented(
    message = "an option of `#[trace]` takes a chance here, and `{Self}` is none",
    label = "is no number that fits into an `f64`",
    note = "a chance is from 0.0 to 1.0"
)]
pub trait Chance {
    /// The number.
    fn chance(&self) -> f64;
}

#[diagnostic::do_not_recommend]
impl<T: Copy + Into<f64>> Chance for T {
    fn chance(&self) -> f64 {
        (*self).into()
    }
}
