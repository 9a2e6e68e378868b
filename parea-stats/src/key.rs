//! What rows are paired by: their contents.

use serde_json::{Map, Value};

/// The key of a root log's metadata that holds [`row_key`].
pub const ROW_KEY: &str = "parea.row";

/// The key of a root log's metadata that holds the trial, from 0.
pub const TRIAL: &str = "parea.trial";

/// The key of a row's contents: 32 hexadecimal digits, the same on every machine and in every version.
///
/// FNV-1a of 128 bits over inputs and target as JSON with sorted keys. Tags are no part of it.
pub fn row_key(inputs: &Map<String, Value>, target: Option<&str>) -> String {
    let mut text = String::new();
    write_sorted(&Value::Object(inputs.clone()), &mut text);
    text.push('\n');
    text.push_str(&target.map(|target| Value::from(target).to_string()).unwrap_or_default());
    let hash = text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}")
}

/// JSON whose keys are in order, whatever order the map keeps.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (key, value) in sorted {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_have_equal_keys() {
        let map = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let key = row_key(&map(r#"{"a": [1, {"x": null, "y": "é"}], "b": 2}"#), Some("t"));
        assert_eq!(key, row_key(&map(r#"{"b":2,"a":[1,{"y":"é","x":null}]}"#), Some("t")));
        assert_ne!(key, row_key(&map(r#"{"a": [1, {"x": null, "y": "é"}], "b": 2}"#), None));
        // FNV-1a of `{}` and a line end, by the published parameters: stored keys must not change.
        assert_eq!(row_key(&Map::new(), None), "a68d90c7f78b5822836dbc798b0b8205");
    }
}
