//! Ids as the file has them: a UUID in its usual spelling is 16 bytes instead of 36, in every index that it stands in.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef},
};

/// An id read from a column of ids, or bound to be compared with one. A plain text would compare with texts only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) String);

/// An id to be bound.
pub(super) fn key(id: &str) -> ToSqlOutput<'_> {
    match packed(id) {
        Some(bytes) => ToSqlOutput::Owned(Value::Blob(bytes.to_vec())),
        None => ToSqlOutput::Borrowed(ValueRef::Text(id.as_bytes())),
    }
}

/// The same as a value of its own.
pub(super) fn key_value(id: &str) -> Value {
    packed(id).map_or_else(|| Value::Text(id.to_owned()), |bytes| Value::Blob(bytes.to_vec()))
}

/// The id that a column of ids holds.
pub(super) fn text(value: ValueRef<'_>) -> FromSqlResult<String> {
    match value {
        ValueRef::Text(text) => {
            std::str::from_utf8(text).map(ToOwned::to_owned).map_err(|error| FromSqlError::Other(Box::new(error)))
        }
        ValueRef::Blob(bytes) => uuid::Uuid::from_slice(bytes)
            .map(|uuid| uuid.hyphenated().to_string())
            .map_err(|error| FromSqlError::Other(Box::new(error))),
        _ => Err(FromSqlError::InvalidType),
    }
}

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        text(value).map(Self)
    }
}

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(key(&self.0))
    }
}

/// The bytes of a UUID that is spelled exactly as it will be read: in lower case, with hyphens.
fn packed(id: &str) -> Option<[u8; 16]> {
    let text = id.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0; 16];
    let mut at = 0;
    for byte in &mut bytes {
        if matches!(at, 8 | 13 | 18 | 23) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(id: &str) -> String {
        text(ValueRef::from(&key_value(id))).unwrap()
    }

    proptest! {
        #[test]
        fn every_id_is_read_as_it_was_written(
            id in prop_oneof!["\\PC{1,40}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[0-9a-fA-F-]{36}"],
        ) {
            prop_assert_eq!(read(&id), id);
        }
    }

    #[test]
    fn uuids_are_packed_in_one_spelling_only() {
        let id = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0";
        assert!(matches!(key_value(id), Value::Blob(bytes) if bytes.len() == 16 && bytes[..2] == [0x0b, 0x1c]));
        for other in [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), id.replace('-', "_")] {
            assert!(matches!(key_value(&other), Value::Text(_)), "{other}");
        }
    }
}
