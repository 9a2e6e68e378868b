//! The cases, by their column: for the program that measures, and for `cargo xtask bench`, which reads this file too.

/// In the order of the table.
pub(crate) const CASES: &[&str] = &[
    "bare",
    "bare root",
    "args",
    "args root",
    "error",
    "nested 10",
    "nested 100",
    "async ready",
    "async yield",
    "async yields",
];
