//! JSON for people: indented, coloured, and on one line where it fits.

use serde_json::Value as Json;

use super::markup::{Ink, Limits, Value};

/// Widest array or object that stays on one line.
const LINE: usize = 72;

/// Lays out a JSON value. It stops somewhere beyond `limits.total` characters, for nothing behind them is shown.
pub(super) fn layout(json: &Json, limits: Limits) -> Value {
    let mut value = Value::default();
    write(&mut value, json, 0, limits.total);
    value
}

/// The text as JSON, if it is an object or an array; other JSON is better read as the text it is.
pub(super) fn structured(text: &str) -> Option<Json> {
    text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

// Recursion is bounded: serde_json refuses to read what is nested deeper than 128.
fn write(value: &mut Value, json: &Json, depth: usize, total: usize) {
    match json {
        Json::Null => value.push(Ink::Word, "null"),
        Json::Bool(truth) => value.push(Ink::Word, if *truth { "true" } else { "false" }),
        Json::Number(number) => value.push(Ink::Number, &number.to_string()),
        Json::String(text) => value.push(Ink::Text, &quoted(text)),
        Json::Array(items) if items.is_empty() => value.push(Ink::Plain, "[]"),
        Json::Object(members) if members.is_empty() => value.push(Ink::Plain, "{}"),
        Json::Array(items) if items.iter().all(Json::is_number) => numbers(value, items, depth, total),
        Json::Array(items) => {
            let one_line = fits(json, LINE.saturating_sub(2 * depth));
            value.push(Ink::Plain, "[");
            for (index, item) in items.iter().enumerate() {
                if value.characters() > total {
                    return;
                }
                separate(value, index, depth + 1, one_line, false);
                write(value, item, depth + 1, total);
            }
            close(value, depth, one_line, false);
            value.push(Ink::Plain, "]");
        }
        Json::Object(members) => {
            let one_line = fits(json, LINE.saturating_sub(2 * depth));
            value.push(Ink::Plain, "{");
            for (index, (key, member)) in members.iter().enumerate() {
                if value.characters() > total {
                    return;
                }
                separate(value, index, depth + 1, one_line, true);
                value.push(Ink::Key, &quoted(key));
                value.push(Ink::Plain, ": ");
                write(value, member, depth + 1, total);
            }
            close(value, depth, one_line, true);
            value.push(Ink::Plain, "}");
        }
    }
}

/// Numbers fill their lines: an embedding is a block, not a column.
fn numbers(value: &mut Value, items: &[Json], depth: usize, total: usize) {
    value.push(Ink::Plain, "[");
    let room = LINE.saturating_sub(2 * depth).max(20);
    let mut used = 0;
    for (index, item) in items.iter().enumerate() {
        if value.characters() > total {
            return;
        }
        let number = item.to_string();
        if index > 0 {
            value.push(Ink::Plain, ",");
            if used + number.len() > room {
                new_line(value, depth);
                used = 0;
            }
            value.push(Ink::Plain, " ");
        }
        used += number.len() + 2;
        value.push(Ink::Number, &number);
    }
    value.push(Ink::Plain, "]");
}

fn separate(value: &mut Value, index: usize, depth: usize, one_line: bool, spaced: bool) {
    match (one_line, index) {
        (true, 0) if spaced => value.push(Ink::Plain, " "),
        (true, 0) => {}
        (true, _) => value.push(Ink::Plain, ", "),
        (false, 0) => new_line(value, depth),
        (false, _) => {
            value.push(Ink::Plain, ",");
            new_line(value, depth);
        }
    }
}

fn close(value: &mut Value, depth: usize, one_line: bool, spaced: bool) {
    match one_line {
        true if spaced => value.push(Ink::Plain, " "),
        true => {}
        false => new_line(value, depth),
    }
}

fn new_line(value: &mut Value, depth: usize) {
    value.push(Ink::Plain, &format!("\n{:indent$}", "", indent = 2 * depth));
}

fn quoted(text: &str) -> String {
    // Json's own Display escapes as the wire does.
    Json::from(text).to_string()
}

/// Whether the value takes at most `room` characters on one line. Looks no further than it must.
fn fits(json: &Json, room: usize) -> bool {
    fn rest(json: &Json, room: usize) -> Option<usize> {
        match json {
            Json::Null | Json::Bool(_) => room.checked_sub(5),
            Json::Number(number) => room.checked_sub(number.to_string().len()),
            Json::String(text) if text.len() > room => None,
            Json::String(text) => room.checked_sub(quoted(text).chars().count()),
            Json::Array(items) => {
                items.iter().try_fold(room.checked_sub(2)?, |room, item| rest(item, room)?.checked_sub(2))
            }
            Json::Object(members) => members.iter().try_fold(room.checked_sub(4)?, |room, (key, member)| {
                rest(member, room.checked_sub(key.chars().count() + 4)?)?.checked_sub(2)
            }),
        }
    }
    rest(json, room).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn small_values_stay_on_a_line_and_large_ones_unfold() {
        let json = json!({ "ids": [1, 2, 3], "empty": {}, "text": "a\n<b>".repeat(16), "flag": null });
        let html = layout(&json, Limits::WHOLE).markup(Limits::WHOLE).to_string();
        assert!(html.starts_with("{\n  <span class=\"key\">"), "{html}");
        let ids = "[<span class=\"number\">1</span>, <span class=\"number\">2</span>, <span class=\"number\">3</span>]";
        assert!(html.contains(ids), "{html}");
        assert!(html.contains(r"a\n&lt;b&gt;a"), "{html}");
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn a_vast_value_is_not_laid_out_to_its_end() {
        let vast = Json::from(vec!["0123456789"; 1_000_000]);
        assert!(layout(&vast, Limits::VALUE).characters() < 2 * Limits::VALUE.total);
    }

    #[test]
    fn only_objects_and_arrays_count_as_structure() {
        assert_eq!(structured(" [1]"), Some(json!([1])));
        assert_eq!(structured("{\"a\":1}"), Some(json!({ "a": 1 })));
        for text in ["12", "true", "\"quoted\"", "{not json", "[1] and more", ""] {
            assert_eq!(structured(text), None, "{text}");
        }
    }
}
