//! Trees to JSON and back, in one pass and without recursion.

use serde::de::Error as _;
use serde_json::{Error, Map, Result, Value};

use crate::{TraceLog, TraceLogTree};

const CHILDREN: &str = "children_logs";

/// Appends the tree to `out`: the log's own members, then its children. `pass` is called after each log, and may take
/// what is there.
pub(crate) fn write<E: From<Error>>(
    tree: &TraceLogTree,
    out: &mut Vec<u8>,
    mut pass: impl FnMut(&mut Vec<u8>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    begin(tree, out)?;
    pass(out)?;
    let mut open = vec![tree.children_logs.iter()];
    // Whether the next log is the first among its siblings.
    let mut is_first = true;
    while let Some(siblings) = open.last_mut() {
        if let Some(tree) = siblings.next() {
            if !is_first {
                out.push(b',');
            }
            begin(tree, out)?;
            pass(out)?;
            open.push(tree.children_logs.iter());
            is_first = true;
        } else {
            out.extend_from_slice(b"]}");
            open.pop();
            is_first = false;
        }
    }
    Ok(())
}

/// The log's object, left open behind the bracket of its children.
fn begin(tree: &TraceLogTree, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *out, &tree.log)?;
    // The closing brace; before it there is always `trace_id` at least.
    out.pop();
    out.extend_from_slice(b",\"children_logs\":[");
    Ok(())
}

/// The tree that `json` spells. The text has been through serde_json's syntax check: here it is only cut into logs,
/// each of which serde_json then reads by itself.
pub(crate) fn read(json: &str) -> Result<TraceLogTree> {
    let mut text = Text { json, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    let mut current = begin_log(&mut text)?;
    loop {
        if current.in_children {
            match text.next_token() {
                Some(b'{') => open.push(std::mem::replace(&mut current, begin_log(&mut text)?)),
                Some(b']') => {
                    text.at += 1;
                    current.in_children = false;
                }
                _ => return Err(Error::custom("children_logs: expected an object")),
            }
            continue;
        }
        if text.next_token() == Some(b'}') {
            text.at += 1;
            let tree = current.end()?;
            let Some(mut parent) = open.pop() else { return Ok(tree) };
            parent.children.push(tree);
            current = parent;
            continue;
        }
        let start = text.at;
        let is_children = is_children(text.string());
        // The colon.
        text.next_token();
        text.at += 1;
        if is_children {
            current.begin_children(&mut text)?;
        } else {
            text.skip_value();
            current.members.push(if current.members.is_empty() { '{' } else { ',' });
            current.members.push_str(text.since(start)?);
        }
    }
}

fn is_children(name: &str) -> bool {
    let plain = name.trim_matches('"');
    plain == CHILDREN
        || (name.contains('\\') && serde_json::from_str::<String>(name).is_ok_and(|name| name == CHILDREN))
}

fn begin_log(text: &mut Text<'_>) -> Result<Open> {
    if text.next_token() != Some(b'{') {
        return Err(Error::custom("a log with children: expected an object"));
    }
    text.at += 1;
    Ok(Open::default())
}

/// A log that has begun and not yet ended.
#[derive(Default)]
struct Open {
    /// Its members so far, without the children.
    members: String,
    children: Vec<TraceLogTree>,
    /// Whether what comes next is a child.
    in_children: bool,
    had_children: bool,
}

impl Open {
    fn begin_children(&mut self, text: &mut Text<'_>) -> Result<()> {
        if std::mem::replace(&mut self.had_children, true) {
            return Err(Error::duplicate_field(CHILDREN));
        }
        match text.next_token() {
            Some(b'[') => {
                text.at += 1;
                self.in_children = true;
                Ok(())
            }
            Some(b'n') => {
                text.skip_value();
                Ok(())
            }
            _ => Err(Error::custom("children_logs: expected a sequence")),
        }
    }

    fn end(mut self) -> Result<TraceLogTree> {
        self.members.push_str(if self.members.is_empty() { "{}" } else { "}" });
        let log = match serde_json::from_str(&self.members) {
            Ok(log) => log,
            Err(error) => without_odd_status(&self.members).ok_or(error)?,
        };
        Ok(TraceLogTree { log, children_logs: self.children })
    }
}

/// A log whose status is a word of another server: as none, for one such log would make all of an answer unreadable.
#[cold]
fn without_odd_status(members: &str) -> Option<TraceLog> {
    let mut members: Map<String, Value> = serde_json::from_str(members).ok()?;
    let is_word = members.remove("status")?.is_string();
    if is_word { serde_json::from_value(Value::Object(members)).ok() } else { None }
}

/// JSON whose syntax is known to be right, and how far it has been read.
struct Text<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    /// Passes over blanks and commas and shows the byte behind them.
    fn next_token(&mut self) -> Option<u8> {
        let rest = self.json.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',')).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// The text from `start` to here.
    fn since(&self, start: usize) -> Result<&'a str> {
        self.json.get(start..self.at).ok_or_else(|| Error::custom("broken JSON"))
    }

    /// Passes over a string and gives it, quotes included.
    fn string(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.json.as_bytes();
        self.at += 1;
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        self.json.get(start..self.at).unwrap_or_default()
    }

    /// Passes over any value.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.next_token() {
            match byte {
                b'"' => {
                    self.string();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b':' => {
                    self.at += 1;
                    continue;
                }
                // A number or a word.
                _ => self.skip_word(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_word(&mut self) {
        let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().position(ends).unwrap_or(rest.len()).max(1);
    }
}
