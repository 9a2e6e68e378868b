//! One pass over a log as a line of JSON.

use std::borrow::Cow;

use super::{Edit, Wanted, assigned::is_of_a_model, card, plain::is_harmless, text};

/// At this depth a log has its own members, whose names and numbers are no user's.
const MEMBERS: usize = 1;

/// Where the line is to be changed, in order, from the member on that begins at `from`.
pub(super) fn search(line: &[u8], from: usize, wanted: &Wanted) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut at, mut depth) = (from, MEMBERS);
    // The last string that was a value, how deep, and whether it is the name of a secret.
    let mut last = (0, 0, 0, false);
    // Whether the next string is called a name.
    let mut is_name = false;
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => {
                let open = at + 1;
                let close = text::search(line, open, wanted, &mut edits);
                at = blank(line, close + 1);
                if line.get(at) == Some(&b':') {
                    at = blank(line, at + 1);
                    if depth == MEMBERS {
                        continue;
                    }
                    let key = &*decoded(content(line, open, close));
                    let told = is_value(key) && last.2 == depth;
                    let name = if told { content(line, last.0, last.1) } else { key };
                    if wanted.names_secret(name) && !is_of_a_model(line, from, open, key, at..value_end(line, at)) {
                        at = replace(line, at, name, &mut edits);
                    }
                    is_name = matches!(key, b"name" | b"key" | b"header" | b"Name" | b"Key" | b"label" | b"field");
                    continue;
                }
                let said = content(line, open, close);
                let is_secret = depth > MEMBERS && line.get(at) == Some(&b',') && wanted.names_secret(said);
                // `["x-api-key", "…"]`, `["--token", "…"]`
                let is_option = said.starts_with(b"--") && said.len() < 64;
                if is_secret && !is_name && (is_option || is_first(line, open - 1)) {
                    let value = blank(line, at + 1);
                    let behind = line.get(blank(line, value_end(line, value)));
                    let is_meant = match line.get(value) {
                        Some(b'"') if is_option => line.get(value + 1) != Some(&b'-') && behind != Some(&b':'),
                        Some(b'"' | b'[') => !is_option && behind == Some(&b']'),
                        _ => false,
                    };
                    if is_meant {
                        at = replace(line, value, said, &mut edits);
                        continue;
                    }
                }
                // What is called a name is one for all that follows in its object.
                if last.2 != depth || !last.3 || is_secret && is_name {
                    last = (open, close, depth, is_secret && is_name);
                }
                is_name = false;
            }
            b'0'..=b'9' => {
                let end = value_end(line, at);
                if depth > MEMBERS && end - at >= 13 && card::is_number(&line[at..end]) {
                    edits.push(Edit::value(at, end));
                }
                at = end;
            }
            b'{' | b'[' => {
                (depth, is_name) = (depth + 1, false);
                at += 1;
            }
            b'}' | b']' => {
                if last.2 == depth {
                    last.3 = false;
                }
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    edits
}

/// Replaces the value that begins at `at`, unless it tells nothing; returns where to go on.
fn replace(line: &[u8], at: usize, name: &[u8], edits: &mut Vec<Edit>) -> usize {
    let end = value_end(line, at);
    let value = &line[at..end];
    let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    if !is_harmless(inside, name) && inside != b"[]" && inside != b"{}" {
        edits.push(Edit::value(at, end));
    }
    end
}

/// Whether this is what the value is called of something that is named beside it.
pub(super) fn is_value(key: &[u8]) -> bool {
    matches!(key, b"value" | b"val" | b"v" | b"Value" | b"stringValue" | b"string_value")
}

fn content(line: &[u8], open: usize, close: usize) -> &[u8] {
    line.get(open..close).unwrap_or_default()
}

/// A key as it reads; few have escapes.
fn decoded(key: &[u8]) -> Cow<'_, [u8]> {
    if !key.contains(&b'\\') {
        return Cow::Borrowed(key);
    }
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or(Cow::Borrowed(key), |key| Cow::Owned(key.into_bytes()))
}

fn blank(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Whether what begins at `at` is the first element of an array.
fn is_first(line: &[u8], at: usize) -> bool {
    line[..at].iter().rev().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Behind the value that begins at `at`.
fn value_end(line: &[u8], at: usize) -> usize {
    let (mut end, mut depth) = (at, 0usize);
    while let Some(byte) = line.get(end) {
        match byte {
            b'"' => {
                end += 1;
                while let Some(byte) = line.get(end)
                    && *byte != b'"'
                {
                    end += if *byte == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return end,
            b'}' | b']' => depth -= 1,
            byte if byte.is_ascii_whitespace() && depth == 0 => return end,
            _ => {}
        }
        end += 1;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            break;
        }
    }
    end.min(line.len())
}
