//! Null is the same as absent, and numbers come in more spellings than the schema says.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// Reads `null` as the type's default. For fields that the schema does not allow to be null.
pub(crate) fn as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a number, and a boolean as 1 or 0: the Python SDK sends the result of a boolean evaluation as `true`.
pub(crate) fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number")]
    enum Score {
        Number(f64),
        Bool(bool),
    }
    Ok(match Score::deserialize(deserializer)? {
        Score::Number(number) => number,
        Score::Bool(truth) => f64::from(u8::from(truth)),
    })
}

/// Reads an integer, also when it is spelled as a whole float (`3.0`).
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(optional_integer(deserializer)?.unwrap_or_default())
}

/// [`integer`], or nothing.
pub(crate) fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => {
            if let Some(whole) = number.as_i64() {
                return Ok(Some(whole));
            }
            // 2^53: beyond it a float no longer tells one integer from the next.
            match number.as_f64() {
                Some(float) if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 => Ok(Some(float as i64)),
                _ => Err(D::Error::custom(format_args!("invalid value: number `{number}`, expected an integer"))),
            }
        }
        other => Err(D::Error::custom(format_args!("invalid type: {}, expected an integer", kind(&other)))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "sequence",
        Value::Object(_) => "map",
    }
}
