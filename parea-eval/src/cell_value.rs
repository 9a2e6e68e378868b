//! Values of sources that know only texts, read as what is wanted.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor, value::BorrowedStrDeserializer};
use serde_json::{Map, Value};

/// A value whose text may stand for a number, a bool, or JSON.
pub(crate) struct Loose<'a>(pub(crate) &'a Value);

/// A row's values by column; what does not fit is told with its column.
pub(crate) struct Columns<'a> {
    pub(crate) values: &'a Map<String, Value>,
    /// Its source knows only texts.
    pub(crate) loose: bool,
}

macro_rules! parsed {
    ($($method:ident => $visit:ident: $type:ty),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0 {
                Value::String(text) => match text.trim().parse::<$type>() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(de::Error::invalid_value(de::Unexpected::Str(text), &visitor)),
                },
                other => other.$method(visitor),
            }
        }
    )+};
}

macro_rules! as_json {
    ($($method:ident($($argument:ident: $type:ty),*)),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            match self.0 {
                Value::String(text) => {
                    let value: Value = serde_json::from_str(text)
                        .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(text), &visitor))?;
                    value.$method($($argument,)* visitor)
                }
                other => other.$method($($argument,)* visitor),
            }
        }
    )+};
}

macro_rules! as_they_are {
    ($($method:ident($($argument:ident: $type:ty),*)),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.0.$method($($argument,)* visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for Loose<'de> {
    type Error = serde_json::Error;

    parsed! {
        deserialize_i8 => visit_i8: i8, deserialize_i16 => visit_i16: i16, deserialize_i32 => visit_i32: i32,
        deserialize_i64 => visit_i64: i64, deserialize_i128 => visit_i128: i128, deserialize_u8 => visit_u8: u8,
        deserialize_u16 => visit_u16: u16, deserialize_u32 => visit_u32: u32, deserialize_u64 => visit_u64: u64,
        deserialize_u128 => visit_u128: u128, deserialize_f32 => visit_f32: f32, deserialize_f64 => visit_f64: f64,
    }

    as_json! {
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
    }

    as_they_are! {
        deserialize_any(), deserialize_char(), deserialize_str(), deserialize_string(), deserialize_bytes(),
        deserialize_byte_buf(), deserialize_identifier(), deserialize_ignored_any(),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => visitor.visit_bool(true),
                "false" | "no" | "0" => visitor.visit_bool(false),
                _ => Err(de::Error::invalid_value(de::Unexpected::Str(text), &visitor)),
            },
            other => other.deserialize_bool(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            Value::String(text) if text.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }
}

impl<'de> Deserializer<'de> for Columns<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_map(Cells { rest: self.values.iter(), next: None, loose: self.loose })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.values.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The columns one after the other.
struct Cells<'a> {
    rest: serde_json::map::Iter<'a>,
    /// The column whose name was read last.
    next: Option<(&'a String, &'a Value)>,
    loose: bool,
}

impl<'de> MapAccess<'de> for Cells<'de> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        self.next = self.rest.next();
        let Some((column, _)) = self.next else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(column)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error> {
        let Some((column, value)) = self.next.take() else {
            return Err(de::Error::custom("a value was asked for before its column"));
        };
        let read = if self.loose { seed.deserialize(Loose(value)) } else { seed.deserialize(value) };
        read.map_err(|error| de::Error::custom(format!("column `{column}`: {error}")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
