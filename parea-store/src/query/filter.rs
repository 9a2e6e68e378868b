//! The tree of conditions.

use parea_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::Field;

/// Which logs are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold; true when there are none.
    And(Vec<Self>),
    /// One of these holds; false when there are none.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A single condition.
    Condition(Condition),
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Where to look.
    pub field: Field,
    /// What to find there.
    pub test: Test,
}

/// What a field's value must be. But for [`NotEquals`](Self::NotEquals) and [`IsNull`](Self::IsNull), a log without
/// the field passes no test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// The same; a list contains it.
    Equals(Operand),
    /// Exactly the opposite of `Equals`.
    NotEquals(Operand),
    /// Equal to one of these.
    In(Vec<Operand>),
    /// Contains this text, whatever the case.
    Like(String),
    /// Beyond a bound.
    Compare(Comparison, Operand),
    /// Between two bounds, both included.
    Between(Operand, Operand),
    /// Absent, null or empty.
    IsNull,
    /// Not `IsNull`; of a key in a map, that it is there, whatever it holds.
    Exists,
}

/// On which side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// What a value is compared with, of the type that fits its field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operand {
    /// A text. Equals also the number, truth value or object of which it is the JSON text.
    Text(String),
    /// A finite number.
    Number(f64),
    /// An instant.
    Time(Timestamp),
    /// A truth value.
    Bool(bool),
}
