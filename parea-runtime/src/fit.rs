//! A log that is too long is made to fit: the limit of a single value does not bound what has thousands of them.
//!
//! It happens on the exporter's thread, behind the search for secrets, so that no half of one is left that nobody knows.

use serde_json::{Map, Value};

use crate::json::{ceil, floor, left_out};

/// Most bytes of a log as JSON.
const MOST: usize = 4 * 1024 * 1024;

/// To how many bytes a text is cut, and to how many members a list, as long as the log is too long.
const STEPS: [usize; 6] = [64 * 1024, 16 * 1024, 4 * 1024, 1024, 256, 64];

/// Members that say what a log is, and are left alone.
const STRUCTURE: &[&str] =
    &["trace_id", "root_trace_id", "parent_trace_id", "trace_name", "project_name", "project_uuid", "experiment_uuid"];

/// Shortens a log as a line of JSON, if that is needed: long texts keep their heads and tails, long lists their heads,
/// and metadata say how long it was.
pub(crate) fn fit(line: &mut Vec<u8>) {
    if line.len() > MOST {
        shorten(line);
    }
}

#[cold]
fn shorten(line: &mut Vec<u8>) {
    // What is no object is left to whoever reads it.
    let Ok(Value::Object(mut log)) = serde_json::from_slice(line) else { return };
    let whole = line.len();
    for most in STEPS {
        for (_, value) in log.iter_mut().filter(|(name, _)| !STRUCTURE.contains(&name.as_str())) {
            cut(value, most);
        }
        if let Some(metadata) = log.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("log_truncated".to_owned(), format!("it had {whole} bytes").into());
        }
        let Ok(shorter) = serde_json::to_vec(&log) else { return };
        *line = shorter;
        if line.len() <= MOST {
            return;
        }
    }
}

/// Values are at most as deep as capture lets them be, and no reader goes deeper.
fn cut(value: &mut Value, most: usize) {
    match value {
        Value::String(text) if text.len() > most + 64 => {
            let (head, tail) = (floor(text, most / 2), ceil(text, text.len() - most / 2));
            *text = [&text[..head], &left_out(tail - head, text.len()), &text[tail..]].concat();
        }
        Value::Array(items) => {
            items.truncate(most);
            for item in items {
                cut(item, most);
            }
        }
        Value::Object(members) => {
            if members.len() > most {
                *members = std::mem::take(members).into_iter().take(most).collect::<Map<_, _>>();
            }
            for member in members.values_mut() {
                cut(member, most);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fitted(log: &Value) -> Value {
        let mut line = serde_json::to_vec(log).unwrap_or_default();
        fit(&mut line);
        assert!(line.len() <= MOST, "{}", line.len());
        serde_json::from_slice(&line).unwrap_or_default()
    }

    #[test]
    fn a_log_with_too_much_in_it_fits_and_says_how_much_there_was() {
        let long = "ä".repeat(100_000);
        let fits = json!({"trace_id": "a", "inputs": {"text": long}, "metadata": {}});
        assert_eq!(fitted(&fits), fits);

        let texts: Vec<_> = (0..40).map(|n| format!("{n}{long}{n}")).collect();
        let log =
            fitted(&json!({"trace_id": "a", "inputs": {"texts": texts}, "output": "short", "metadata": {"a": "b"}}));
        let first = log["inputs"]["texts"][7].as_str().unwrap_or_default();
        assert!(first.starts_with("7ää") && first.ends_with("ää7") && first.contains("of 200002 bytes left out"));
        assert_eq!(
            (&log["trace_id"], &log["output"], &log["metadata"]["a"]),
            (&json!("a"), &json!("short"), &json!("b"))
        );
        assert!(
            log["metadata"]["log_truncated"].as_str().is_some_and(|text| text.contains("bytes")),
            "{}",
            log["metadata"]
        );

        let tags: Vec<_> = (0..1_000_000).map(|n| format!("tag-{n}")).collect();
        let metadata: Map<_, _> = (0..200_000).map(|n| (format!("key-{n}"), json!("x".repeat(40)))).collect();
        let log = fitted(&json!({"trace_id": "a", "tags": tags, "metadata": metadata}));
        assert_eq!((&log["trace_id"], &log["tags"][0]), (&json!("a"), &json!("tag-0")));
    }
}
