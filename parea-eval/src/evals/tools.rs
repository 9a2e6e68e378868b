//! Calls of tools.

use serde_json::Value;

use super::json::same;
use crate::Score;

/// One call: the tool's name and its arguments.
struct Call {
    name: String,
    arguments: Value,
}

/// The harmonic mean of precision and recall of the calls, whatever their order: a call is right if its name and all of its
/// arguments are (as JSON values). 0 to 1; 1 if none was to be made and none was. Adds `tool_names`, the same with
/// arguments left aside.
///
/// Output and target are JSON: an array of calls, one call, or an object with `tool_calls`. A call is `{"name", "arguments"}`
/// or OpenAI's `{"function": {"name", "arguments"}}`, with arguments as an object or as its JSON text. An output that is no
/// such JSON made no calls.
pub fn tool_calls(output: &str, target: &str) -> Result<[Score; 2], String> {
    let target = serde_json::from_str(target).map_err(|error| format!("the target is no JSON: {error}"))?;
    let wanted = calls(&target).ok_or("the target holds no calls: each needs a `name`")?;
    let made = serde_json::from_str(output).ok().and_then(|output: Value| calls(&output)).unwrap_or_default();
    let right = matched(&made, &wanted, |a, b| a.name == b.name && same(&a.arguments, &b.arguments));
    let named = matched(&made, &wanted, |a, b| a.name == b.name);
    let f1 = |hits: usize| match made.len() + wanted.len() {
        0 => 1.0,
        both => 2.0 * hits as f64 / both as f64,
    };
    let reason = format!("{right} of {} calls right, {} made", wanted.len(), made.len());
    Ok([Score::new(f1(right)).because(reason), Score::named("tool_names", f1(named))])
}

/// How many wanted calls find one of their own among those made.
fn matched(made: &[Call], wanted: &[Call], alike: impl Fn(&Call, &Call) -> bool) -> usize {
    let mut left: Vec<&Call> = made.iter().collect();
    let find = |want: &&Call| match left.iter().position(|call| alike(call, want)) {
        Some(place) => {
            left.swap_remove(place);
            true
        }
        None => false,
    };
    wanted.iter().filter(find).count()
}

fn calls(value: &Value) -> Option<Vec<Call>> {
    match value {
        Value::Array(calls) => calls.iter().map(call).collect(),
        Value::Object(members) => match members.get("tool_calls") {
            Some(Value::Array(calls)) => calls.iter().map(call).collect(),
            Some(Value::Null) => Some(Vec::new()),
            _ => call(value).map(|call| vec![call]),
        },
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

fn call(value: &Value) -> Option<Call> {
    let call = value.get("function").unwrap_or(value);
    let arguments = match call.get("arguments") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Some(Value::Null) | None => Value::Object(serde_json::Map::new()),
        Some(other) => other.clone(),
    };
    Some(Call { name: call.get("name")?.as_str()?.to_owned(), arguments })
}
