//! Null is the same as absent, and values come in more spellings than the schema says.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// 2^53: beyond it a float no longer tells one integer from the next.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// `true` for what the wire leaves out because absent means the same.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

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
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = f64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }
        fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
            Ok(number)
        }
        fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
            Ok(number as f64)
        }
        fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
            Ok(number as f64)
        }
        fn visit_bool<E>(self, truth: bool) -> Result<f64, E> {
            Ok(f64::from(u8::from(truth)))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// Reads an integer, also when it is spelled as a whole float (`3.0`). Null is 0.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(optional_integer(deserializer)?.unwrap_or_default())
}

/// [`integer`], where null is nothing.
pub(crate) fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an integer")
        }
        fn visit_i64<E>(self, number: i64) -> Result<Option<i64>, E> {
            Ok(Some(number))
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<i64>, E> {
            i64::try_from(number).map(Some).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<i64>, E> {
            if number.fract() == 0.0 && number.abs() <= LARGEST_EXACT {
                Ok(Some(number as i64))
            } else {
                Err(E::invalid_value(de::Unexpected::Float(number), &self))
            }
        }
        fn visit_unit<E>(self) -> Result<Option<i64>, E> {
            Ok(None)
        }
        fn visit_none<E>(self) -> Result<Option<i64>, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// Reads a text; what is none becomes its JSON text, and null is nothing.
pub(crate) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Value>::deserialize(deserializer)?.map(|value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    }))
}

/// Reads a map of texts. A value that is no text becomes its JSON text, as both SDKs do before they send; one that
/// is null is left out.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(texts_in_order(deserializer)?.into_iter().collect())
}

/// [`texts`] in the order in which they stand.
pub(crate) fn texts_in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, Value>()? {
                match value {
                    Value::Null => {}
                    Value::String(text) => texts.push((name, text)),
                    other => texts.push((name, other.to_string())),
                }
            }
            Ok(texts)
        }
    }
    deserializer.deserialize_map(Visitor)
}

/// [`texts`], where null is nothing.
pub(crate) fn optional_texts<'de, D>(deserializer: D) -> Result<Option<BTreeMap<String, String>>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Texts(#[serde(deserialize_with = "texts")] BTreeMap<String, String>);
    Ok(Option::<Texts>::deserialize(deserializer)?.map(|texts| texts.0))
}
