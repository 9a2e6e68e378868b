//! The plain reading of the rules, over a log's JSON.

use std::cmp::Ordering;

use parea_types::{Timestamp, TraceLog};
use serde_json::{Map, Value};

use super::{AnnotationType, Comparison, Condition, Field, Filter, Operand, Test};
use crate::row::json;

impl Filter {
    /// Whether a log, as it is read back, is wanted. All its scores count, copies of its descendants' too.
    pub fn matches(&self, log: &TraceLog) -> bool {
        // Our types can always be written.
        let Ok(Value::Object(fields)) = serde_json::to_value(log) else { return false };
        self.holds(&fields)
    }

    fn holds(&self, fields: &Map<String, Value>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.holds(fields)),
            Self::Or(any) => any.iter().any(|filter| filter.holds(fields)),
            Self::Not(filter) => !filter.holds(fields),
            Self::Condition(condition) => condition.holds(fields.get(condition.field.holder())),
        }
    }
}

impl Condition {
    /// Whether it holds for a log in which [`Field::holder`] has this value.
    pub(crate) fn holds(&self, holder: Option<&Value>) -> bool {
        let found = self.field.found(holder);
        match (&self.test, &self.field) {
            (Test::IsNull, _) => found.into_iter().all(is_empty),
            (Test::Exists, Field::Key(..)) => !found.is_empty(),
            (Test::Exists, _) => !found.into_iter().all(is_empty),
            (test, field) => {
                let record = if let Field::Log(field) = field { field.known_by() } else { None };
                let mut values = found.into_iter().flat_map(|value| flat(value, record));
                match test {
                    Test::Equals(operand) => values.any(|value| equals(value, operand)),
                    Test::NotEquals(operand) => !values.any(|value| equals(value, operand)),
                    Test::In(operands) => values.any(|value| operands.iter().any(|operand| equals(value, operand))),
                    Test::Like(part) => {
                        let part = part.to_lowercase();
                        values.any(|value| contains(value, &part))
                    }
                    Test::Compare(side, bound) => {
                        values.any(|value| order(value, bound).is_some_and(|order| side.admits(order)))
                    }
                    Test::Between(low, high) => values.any(|value| {
                        order(value, low).is_some_and(Ordering::is_ge)
                            && order(value, high).is_some_and(Ordering::is_le)
                    }),
                    Test::IsNull | Test::Exists => false,
                }
            }
        }
    }
}

impl Field {
    fn found<'a>(&self, holder: Option<&'a Value>) -> Vec<&'a Value> {
        let Some(holder) = holder else { return Vec::new() };
        match self {
            Self::Log(_) => vec![holder],
            Self::Key(_, key) => holder.get(key).into_iter().collect(),
            Self::Score(name) => {
                let scores = holder.as_array().into_iter().flatten();
                scores.filter(|score| score["name"] == name.as_str()).filter_map(|score| score.get("score")).collect()
            }
            Self::Annotation(kind, id) => {
                let verdict = match kind {
                    AnnotationType::Continuous => "score",
                    AnnotationType::Categorical => "value",
                };
                let users = holder.get(id).and_then(Value::as_object).into_iter().flatten();
                users.filter_map(|(_, annotation)| annotation.get(verdict)).collect()
            }
        }
    }
}

impl Comparison {
    fn admits(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// The finite number that a text spells.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A value itself, or the elements of a list, of records the member by which they are known.
pub(crate) fn flat<'a>(value: &'a Value, record: Option<&str>) -> Vec<&'a Value> {
    let mut found = Vec::new();
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match (value, record) {
            (Value::Array(elements), _) => waiting.extend(elements),
            (Value::Object(members), Some(record)) => found.extend(members.get(record)),
            _ => found.push(value),
        }
    }
    found
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn equals(value: &Value, operand: &Operand) -> bool {
    match (value, operand) {
        (Value::String(value), Operand::Text(text)) => value == text,
        (Value::Bool(value), Operand::Text(text)) => text == if *value { "true" } else { "false" },
        (Value::Object(_), Operand::Text(text)) => json(value) == *text,
        (Value::Number(_), Operand::Text(text)) => {
            number(text).is_some_and(|number| order(value, &Operand::Number(number)) == Some(Ordering::Equal))
        }
        (Value::Bool(value), Operand::Bool(truth)) => value == truth,
        (Value::Number(_), Operand::Number(_)) | (Value::String(_), Operand::Time(_)) => {
            order(value, operand) == Some(Ordering::Equal)
        }
        _ => false,
    }
}

/// How a value stands to a bound; a text by the number or time that it spells.
fn order(value: &Value, bound: &Operand) -> Option<Ordering> {
    match (value, bound) {
        (Value::Number(value), Operand::Number(bound)) => value.as_f64()?.partial_cmp(bound),
        (Value::String(text), Operand::Number(bound)) => number(text)?.partial_cmp(bound),
        (Value::String(text), Operand::Time(bound)) => Some(text.parse::<Timestamp>().ok()?.cmp(bound)),
        _ => None,
    }
}

fn contains(value: &Value, lowercase: &str) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => text.to_lowercase().contains(lowercase),
        other => other.to_string().to_lowercase().contains(lowercase),
    }
}
