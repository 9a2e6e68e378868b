//! JSON to a type, or all that is wrong with it.

use parea_types::{Location, ValidationError};
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category, json};
use serde_path_to_error::{Path, Segment};

use super::{depth, integer, surrogate};

/// The way to a value that lies below another.
pub(crate) fn at(above: &[Location], below: impl Into<Location>) -> Vec<Location> {
    above.iter().cloned().chain([below.into()]).collect()
}

/// One fault.
pub(crate) fn fault(loc: Vec<Location>, kind: &str, msg: impl Into<String>) -> ValidationError {
    ValidationError { loc, msg: msg.into(), kind: kind.to_owned() }
}

/// A required value that is not there.
pub(crate) fn missing(loc: Vec<Location>) -> ValidationError {
    fault(loc, "missing", "Field required")
}

/// A body, with the rules that its type does not express.
pub(crate) trait Checked: DeserializeOwned {
    /// What breaks those rules; `above` is the way to this value.
    fn faults(&self, above: &[Location]) -> Vec<ValidationError>;
}

/// The value that `json` spells, or all that is wrong with it; `above` is the way to it.
///
/// A good body is read once, at most [`DEEPEST`] levels deep. Only a bad one pays for being explained.
pub(crate) fn parse<T: Checked>(json: &[u8], above: &[Location], depth: usize) -> Result<T, Vec<ValidationError>> {
    let text = text(json, above)?;
    if depth < DEEPEST
        && let Some(offset) = depth::beyond(text, depth)
    {
        return Err(vec![too_deep(at(above, offset), depth)]);
    }
    let mended = integer::quoted(text);
    let text = mended.as_deref().unwrap_or(text);
    match text.trim_start().as_bytes().first() {
        None => return Err(vec![missing(above.to_vec())]),
        // serde also reads structs from arrays, member by member. The API does not.
        Some(b'{') => {
            if let Ok(value) = serde_json::from_str::<T>(text) {
                let faults = value.faults(above);
                return if faults.is_empty() { Ok(value) } else { Err(faults) };
            }
        }
        Some(_) => {}
    }
    explain(text, above)
}

/// The text of a body: UTF-8, perhaps with a byte order mark.
fn text<'a>(json: &'a [u8], above: &[Location]) -> Result<&'a str, Vec<ValidationError>> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    std::str::from_utf8(json).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = json.get(offset).copied().unwrap_or_default();
        let msg = format!("JSON must be UTF-8, and byte {offset} (0x{byte:02x}) does not belong to any character");
        vec![fault(at(above, offset), "json_invalid", msg)]
    })
}

/// Most faults that are listed for one value.
const MOST: usize = 100;

/// How many bytes may be read again to find them, all together.
const BUDGET: usize = 64 << 20;

/// Reads the value a second time, slowly, and says all that is wrong with it.
fn explain<T: Checked>(text: &str, above: &[Location]) -> Result<T, Vec<ValidationError>> {
    let value: Value = serde_json::from_str(text)
        .or_else(|error| surrogate::replaced(text).map_or(Err(error), |text| serde_json::from_str(&text)))
        .map_err(|error| vec![not_json(text, &error, above)])?;
    if !value.is_object() {
        let msg = format!("Input should be a valid dictionary or object, not {}", called(&value));
        return Err(vec![fault(above.to_vec(), "model_attributes_type", msg)]);
    }
    let (read, mut faults) = mend::<T>(value, text.len(), above);
    if let Some(read) = &read {
        let broken: Vec<_> =
            read.faults(above).into_iter().filter(|new| faults.iter().all(|old| old.loc != new.loc)).collect();
        faults.extend(broken);
    }
    match read {
        // Without a fault after all: the text held half a character, or repeats a member, of which the last one counts.
        Some(read) if faults.is_empty() => Ok(read),
        _ => Err(faults),
    }
}

/// Reads a value of about `size` bytes and finds all its faults: each is replaced by a stand-in that is none, until
/// the value can be read.
fn mend<T: DeserializeOwned>(mut value: Value, size: usize, above: &[Location]) -> (Option<T>, Vec<ValidationError>) {
    let stand_ins = [Value::Null, json!("1970-01-01 00:00:00"), json!(0), json!({}), json!([]), json!(false)];
    let most = (BUDGET / size.max(1)).clamp(4, MOST);
    let mut faults = Vec::new();
    // How many stand-ins were tried, by the way to them.
    let mut replaced: Vec<(Vec<Location>, usize)> = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(read) => return (Some(read), faults),
            Err(error) => error,
        };
        let mut below = steps(error.path());
        let message = error.inner().to_string();
        let absent = message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
        if let Some((field, _)) = absent {
            below.push(field.into());
        }
        let tried = if let Some((_, tried)) = replaced.iter_mut().find(|(path, _)| *path == below) {
            *tried += 1;
            *tried
        } else {
            // What is wrong with a stand-in is none of the client's.
            if !replaced.iter().any(|(path, _)| below.starts_with(path)) {
                let loc = above.iter().cloned().chain(below.iter().cloned()).collect();
                faults.push(if absent.is_some() { missing(loc) } else { ValidationError::from_serde(loc, &message) });
            }
            replaced.push((below.clone(), 0));
            0
        };
        let Some(stand_in) = stand_ins.get(tried) else { return (None, faults) };
        if faults.len() >= most || !replace(&mut value, &below, stand_in) {
            return (None, faults);
        }
    }
}

fn steps(path: &Path) -> Vec<Location> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some((*index).into()),
            Segment::Map { key } => Some(key.as_str().into()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// Puts `new` where `path` leads; `false` when it leads nowhere, or to the value as a whole.
fn replace(value: &mut Value, path: &[Location], new: &Value) -> bool {
    let Some((last, way)) = path.split_last() else { return false };
    let mut place = value;
    for step in way {
        let next = match step {
            Location::Name(name) => place.get_mut(name),
            Location::Index(index) => place.get_mut(*index as usize),
        };
        let Some(next) = next else { return false };
        place = next;
    }
    match (last, place) {
        (Location::Name(name), Value::Object(members)) => {
            members.insert(name.clone(), new.clone());
            true
        }
        (Location::Index(index), Value::Array(elements)) => {
            elements.get_mut(*index as usize).map(|element| *element = new.clone()).is_some()
        }
        _ => false,
    }
}

/// How deep serde_json reads.
const DEEPEST: usize = 127;

fn too_deep(loc: Vec<Location>, levels: usize) -> ValidationError {
    fault(loc, "json_invalid", format!("The JSON is nested deeper than {levels} levels; flatten it"))
}

fn not_json(text: &str, error: &serde_json::Error, above: &[Location]) -> ValidationError {
    let ended = error.classify() == Category::Eof;
    let offset = if ended { text.len() } else { offset(text, error.line(), error.column()) };
    let message = error.to_string();
    if message.starts_with("recursion limit exceeded") {
        return too_deep(at(above, offset), DEEPEST);
    }
    let hint = match text.get(offset..) {
        _ if ended => "; the text ends too early",
        Some(rest) if ["NaN", "Infinity", "-Infinity"].iter().any(|name| rest.starts_with(name)) => {
            "; NaN and Infinity are not JSON, send null or a string"
        }
        _ => "",
    };
    fault(at(above, offset), "json_invalid", format!("JSON decode error: {message}{hint}"))
}

/// The byte at which serde_json stopped, from its line (from 1) and column (in bytes, from 1).
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

fn called(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
