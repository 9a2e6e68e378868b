//! Secrets in elements of XML and HTML.

use super::{
    Wanted,
    escapes::{blank_before, is_name},
    plain::is_harmless,
};

/// The content of an element that is secret by its name or by an attribute, `<password>…</password>`,
/// `<property name="password">…</property>`, or by the element before, `<key>password</key><string>…</string>`; its tag
/// closes at `close`.
#[inline(never)]
pub(super) fn content(text: &[u8], from: usize, close: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    /// Longest tag that is looked at, and longest content.
    const LONGEST_TAG: usize = 128;
    const LONGEST: usize = 4096;
    // What else has a `>` is an arrow or a comparison.
    if close == from || matches!(text[close - 1], b'-' | b'=' | b' ' | b'/' | b'>') {
        return None;
    }
    let least = close.saturating_sub(LONGEST_TAG).max(from);
    let open = least
        + text[least..close]
            .iter()
            .rposition(|byte| matches!(byte, b'<' | b'>'))
            .filter(|at| text[least + at] == b'<')?;
    let tag = &text[open + 1..close];
    let name_length = tag.iter().take_while(|byte| is_name(**byte) || **byte == b':').count();
    let name = &tag[..name_length];
    let local = name.iter().rposition(|byte| *byte == b':').map_or(name, |colon| &name[colon + 1..]);
    let is_secret = wanted.names_secret(local)
        || name_length < tag.len() && is_said_by_attribute(&tag[name_length..], wanted)
        || matches!(name, b"string" | b"td" | b"dd" | b"value") && is_said_before(text, from, open, wanted);
    if !is_secret {
        return None;
    }
    let start = close + 1;
    let length = text[start..].iter().take(LONGEST).take_while(|byte| !matches!(byte, b'<' | b'"')).count();
    let end = start + length;
    (text[end..].starts_with(b"</") && !is_harmless(&text[start..end], local)).then_some((start, end))
}

/// ` name="password"`, also ` key=` and ` id=`.
fn is_said_by_attribute(attributes: &[u8], wanted: &Wanted) -> bool {
    let mut rest = attributes;
    while let Some(equals) = rest.iter().position(|byte| *byte == b'=') {
        let (name, value) = (&rest[..equals], &rest[equals + 1..]);
        if [&b" name"[..], b" key", b" id"].iter().any(|known| name.ends_with(known)) {
            let quote = value.iter().take_while(|byte| matches!(byte, b'\\' | b'"' | b'\'')).count();
            let value = &value[quote..];
            if wanted.names_secret(&value[..value.iter().take_while(|byte| is_name(**byte)).count()]) {
                return true;
            }
        }
        rest = value;
    }
    false
}

/// Whether the element before has the name of a secret for its content.
fn is_said_before(text: &[u8], from: usize, open: usize, wanted: &Wanted) -> bool {
    /// Longest name, with its tags.
    const LONGEST: usize = 96;
    let end = blank_before(text, from, open);
    let before = &text[from.max(end.saturating_sub(LONGEST))..end];
    let Some(closing) = before.windows(2).rposition(|two| two == b"</") else { return false };
    let content = &before[..closing];
    let begin = content.iter().rposition(|byte| *byte == b'>').map_or(content.len(), |at| at + 1);
    before.ends_with(b">") && wanted.names_secret(content[begin..].trim_ascii())
}
