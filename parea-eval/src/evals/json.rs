//! Outputs that are JSON.

use serde_json::Value;

/// 1 if output and target are the same JSON value, whatever the order of keys, white space and the spelling of numbers
/// (`1` and `1.0` are equal); else 0. A target that is no JSON is an error.
pub fn json_equal(output: &str, target: &str) -> Result<bool, String> {
    let target: Value = serde_json::from_str(target).map_err(|error| format!("the target is no JSON: {error}"))?;
    Ok(serde_json::from_str(output).is_ok_and(|output: Value| same(&output, &target)))
}

/// Equal as JSON has it: numbers by value.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => one == other,
    }
}

/// 1 if the output is JSON that the schema allows (drafts 4 to 2020-12, as `$schema` says; 2020-12 without), else 0 with the
/// first fault as the reason. A schema that makes no sense fails each run.
#[cfg(feature = "json-schema")]
pub fn json_schema(schema: &Value) -> impl Fn(&crate::Log) -> Result<crate::Score, String> + Send + Sync + 'static {
    use crate::Score;
    let validator = jsonschema::validator_for(schema).map_err(|error| format!("the schema cannot be used: {error}"));
    move |log| {
        let validator = validator.as_ref().map_err(Clone::clone)?;
        let output: Value = match serde_json::from_str(log.judged()) {
            Ok(output) => output,
            Err(error) => return Ok(Score::new(0.0).because(format!("no JSON: {error}"))),
        };
        Ok(match validator.iter_errors(&output).next() {
            None => Score::new(1.0),
            Some(fault) => Score::new(0.0).because(format!("{} at `{}`", fault, fault.instance_path())),
        })
    }
}
