//! Secrets that are known by the name before them, in texts: `api_key=…`, `"api_key": "…"`, `Config { api_key: Some("…") }`,
//! `x-api-key: …`.
//!
//! The texts lie inside JSON strings, and may hold JSON themselves, at any depth: a quote comes with as many backslashes
//! as it is deep.

use std::{borrow::Cow, ops::Range};

use super::{
    Wanted,
    escapes::{before_quote, blank_before, blank_lines, closed, entity_before, is_blank, is_name, opened, slashes},
    extent::{Brackets, balanced, value_after},
    line::is_value,
    plain::{is_code, is_harmless, is_mixed, is_phrase, is_random},
    urls,
};

/// How far the end of something is looked for that is often no secret.
const NEAR: usize = 256;

/// The value behind a separator (`:` or `=`) at `at` of the text that begins at `from`, if the name before it says that
/// it is secret, or if it is one of the fields of a type that is secret as a whole.
pub(super) fn value(text: &[u8], from: usize, at: usize, typed: bool, wanted: &Wanted) -> Option<(usize, usize)> {
    let Name { name: written, start: name_start } = name_before(text, from, at)?;
    // `{"name": "api_key", "value": "…"}`
    let is_value = is_value(&written);
    let name = if is_value { text_before(text, from, name_start).unwrap_or(&written) } else { &*written };
    if !wanted.names_secret(name) {
        return parameter(text, from, at, &written, name_start)
            .or_else(|| hinted(text, from, at, &written, name_start, typed, wanted));
    }
    // Of what is no secret in the end not all is to be looked at each time.
    let near = &text[..text.len().min(at + NEAR)];
    let (start, end) = value_after(near, at, name)?;
    if text[at..].starts_with(b"=>") && name_start > from && text[name_start - 1] == b':' {
        // A variant that is matched.
        return None;
    }
    let plain = is_harmless(&text[start..end], name) || is_of_a_model(text, from, name_start, name, start..end);
    if plain || is_unquoted_code(text, start, end, name) {
        return None;
    }
    if end < near.len() { Some((start, end)) } else { value_after(text, at, name) }
}

/// The same behind `：`, which begins at `at`.
#[inline(never)]
pub(super) fn wide(text: &[u8], from: usize, at: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    const COLON: &[u8] = "：".as_bytes();
    if !text[at..].starts_with(COLON) {
        return None;
    }
    let Name { name, .. } = name_before(text, from, at)?;
    if !wanted.names_secret(&name) {
        return None;
    }
    let (start, end) = value_after(text, at + COLON.len() - 1, &name)?;
    (!is_harmless(&text[start..end], &name)).then_some((start, end))
}

fn is_unquoted_code(text: &[u8], start: usize, end: usize, name: &[u8]) -> bool {
    !matches!(text[start - 1], b'"' | b'\'' | b'`' | b';') && is_code(text, start, end, name)
}

/// A parameter of a query whose name is a secret's there.
fn parameter(text: &[u8], from: usize, at: usize, name: &[u8], start: usize) -> Option<(usize, usize)> {
    if text[at] != b'=' || start == from || !matches!(text[start - 1], b'?' | b'&') {
        return None;
    }
    let rest = &text[at + 1..];
    let length = |most| rest.iter().take(most).take_while(|byte| !b"&?#\" \\'<>)]}".contains(byte)).count();
    let value = &rest[..length(NEAR)];
    let is_secret = urls::is_secret_parameter(name, value) && !is_harmless(value, name);
    is_secret.then(|| (at + 1, at + 1 + length(usize::MAX)))
}

/// The value of a name that alone says nothing, if it is a secret for the words before: `API key: …`, or for the type
/// around: `ApiKey { value: "…" }`.
fn hinted(
    text: &[u8],
    from: usize,
    at: usize,
    name: &[u8],
    start: usize,
    typed: bool,
    wanted: &Wanted,
) -> Option<(usize, usize)> {
    let typed = typed && text[at] == b':';
    let weak = is_weak(name);
    let spaced = with_word_before(text, from, start, start + name.len());
    if !typed && !weak && (spaced.len() == name.len() || !wanted.names_secret(spaced)) {
        return None;
    }
    let near = &text[..text.len().min(at + NEAR)];
    let (start, end) = value_after(near, at, name)?;
    let value = &text[start..end];
    let quoted = matches!(text[start - 1], b'"' | b'\'' | b'`');
    let bytes = typed && value.starts_with(b"[");
    let told = if weak {
        is_meant(name, value) && (name.len() <= 4 || text[at] == b'=' && value[0] != b'_')
    } else {
        quoted || bytes || !typed && (is_mixed(value) || is_phrase(value, name))
    };
    if !told || is_harmless(value, name) || is_unquoted_code(text, start, end, name) {
        return None;
    }
    if end < near.len() { Some((start, end)) } else { value_after(text, at, name) }
}

/// Whether a name may be that of a secret, for values that look like one.
fn is_weak(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"pass") || name.eq_ignore_ascii_case(b"pin") || name.ends_with(b"_KEY")
}

/// Whether the value of such a name looks like a secret.
pub(super) fn is_meant(name: &[u8], value: &[u8]) -> bool {
    if name.ends_with(b"_KEY") {
        return is_random(value) && !name.windows(6).any(|part| part == b"PUBLIC");
    }
    let is_number = (4..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    if name.len() == 3 { is_number } else { is_mixed(value) }
}

/// Where the fields end that stand in the brace at `brace`, if the name of their type says that it is secret:
/// `ApiKey { … }`.
#[inline(never)]
pub(super) fn fields_end(text: &[u8], from: usize, brace: usize, wanted: &Wanted) -> Option<usize> {
    /// Longest type that is looked at.
    const LONGEST: usize = 4096;
    let end = blank_before(text, from, brace);
    let name = &text[end - text[from..end].iter().rev().take_while(|byte| is_name(**byte)).count()..end];
    let is_type = name.first().is_some_and(u8::is_ascii_uppercase) && name != b"Token";
    if !is_type || !wanted.names_secret(name) {
        return None;
    }
    Some(balanced(&text[..text.len().min(brace + LONGEST)], brace)?.behind)
}

/// A name with the word before it, if a blank alone parts them.
pub(super) fn with_word_before(text: &[u8], from: usize, start: usize, end: usize) -> &[u8] {
    let word = start.checked_sub(1).filter(|blank| *blank > from && text[*blank] == b' ');
    let word = word.map(|blank| blank - text[from..blank].iter().rev().take_while(|byte| is_name(**byte)).count());
    &text[word.unwrap_or(start)..end]
}

/// The content of `Name(…)` whose bracket opens at `open`, if the name, which begins at `start`, says that it is secret: the
/// name of a type, or of a function that is called with a text.
#[inline(never)]
pub(super) fn wrapped(text: &[u8], start: usize, open: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..open];
    let is_type = text[start].is_ascii_uppercase() && !name.contains(&b'_');
    // A function is called with a text, or it is none that is meant.
    let may_be = is_type || matches!(text.get(open + 1), Some(b'\\' | b'\'' | b'`'));
    if !may_be || name != b"Zeroizing" && !wanted.names_secret(name) {
        return None;
    }
    let inside = blank_lines(text, open + 1);
    if let Some((start, quote)) = opened(text, inside).filter(|_| !is_type) {
        // `.password("hunter2")`
        let near = &text[..text.len().min(start + NEAR)];
        let end = closed(near, start, quote);
        let value = &text[start..end];
        return (is_mixed(value) && text.get(end + quote.len()) == Some(&b')')).then_some((start, end));
    }
    // Parsers and tokenizers have a `Token(…)` too.
    if !is_type || name == b"Token" && !is_like_a_key(&text[open + 1..]) || is_argument(&text[inside..]) {
        return None;
    }
    let Brackets { inside: end, .. } = balanced(text, open)?;
    (!is_harmless(&text[open + 1..end], name)).then_some((open + 1, end))
}

/// Whether what stands behind a bracket is the argument of a function in source text: `handle: …`, `self.x`, `a, b`.
fn is_argument(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
    let behind = name + text[name..].iter().take_while(|byte| is_blank(**byte)).count();
    name > 0 && matches!(text.get(behind), Some(b':' | b'.' | b',' | b'?' | b'!' | b'&' | b'*'))
}

/// Whether a text begins that may be a key and is hardly a word or a piece of code.
fn is_like_a_key(text: &[u8]) -> bool {
    const SHORTEST: usize = 16;
    let text = &text[blank_lines(text, 0)..];
    let text = text[slashes(text, 0)..].strip_prefix(b"\"").unwrap_or_default();
    let key = &text
        [..text.iter().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || b"-._+/=".contains(byte)).count()];
    key.len() >= SHORTEST && key.iter().any(u8::is_ascii_digit)
}

/// Whether a `token` is a piece of a model's text: its probability stands beside it, and it is as short as such pieces are.
///
/// `text` is JSON, or has it or a `Debug` text in it; the name begins at `start`, and its value is at `value`.
pub(crate) fn is_of_a_model(text: &[u8], from: usize, start: usize, name: &[u8], value: Range<usize>) -> bool {
    /// Longest piece of a vocabulary, with its escapes.
    const LONGEST: usize = 64;
    /// How far away the name of the probability may begin.
    const FAR: usize = 64;
    if value.len() > LONGEST || !name.eq_ignore_ascii_case(b"token") {
        return false;
    }
    let quotes = |byte: &&u8| matches!(byte, b'"' | b'\\' | b')');
    let next = |mut at: usize| {
        at += text[at..].iter().take_while(quotes).count();
        let comma = text.get(at) == Some(&b',');
        at = blank_lines(text, at + 1);
        at += text.get(at..).unwrap_or_default().iter().take_while(quotes).count();
        comma && text.get(at..).unwrap_or_default().starts_with(b"logprob")
    };
    let quoted = start > from && text[start - 1] == b'"';
    let previous = || {
        let before = blank_before(text, from, if quoted { before_quote(text, from, start) } else { start });
        let Some(comma) = before.checked_sub(1).filter(|comma| *comma >= from && text[*comma] == b',') else {
            return false;
        };
        let in_number = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.()".contains(byte);
        let part = &text[from.max(comma.saturating_sub(FAR))..comma];
        let part = &part[..part.len() - part.iter().rev().take_while(in_number).count()];
        let Some(part) = part.trim_ascii_end().strip_suffix(b":") else { return false };
        part[..part.len() - part.iter().rev().take_while(quotes).count()].ends_with(b"logprob")
    };
    next(value.end) || previous()
}

/// A text of letters that stands, in quotes, before the comma to the left of the name at `start`: `"name": "API_KEY",`, the
/// same as a `Debug` text, `"name": String("API_KEY"),`, or as an attribute, `key="ApiKey"`.
fn text_before(text: &[u8], from: usize, start: usize) -> Option<&[u8]> {
    let quoted = start > from && text[start - 1] == b'"';
    let end = blank_before(text, from, if quoted { before_quote(text, from, start) } else { start });
    let before = |end: usize, byte: u8| end.checked_sub(1).filter(|at| *at >= from && text[*at] == byte);
    let quote = match before(end, b',') {
        Some(comma) => before(before(comma, b')').unwrap_or(comma), b'"')?,
        None => before(end, b'"').filter(|_| end < start && !quoted)?,
    };
    let end = before_quote(text, from, quote + 1);
    let length = text[from..end].iter().rev().take(64).take_while(|byte| is_name(**byte) || is_blank(**byte)).count();
    Some(&text[end - length..end])
}

/// A name and where it begins.
struct Name<'a> {
    name: Cow<'a, [u8]>,
    start: usize,
}

/// The name that ends before the separator, quoted or not.
fn name_before(text: &[u8], from: usize, at: usize) -> Option<Name<'_>> {
    /// Longest name that is looked at.
    const LONGEST: usize = 64;
    let back = |mut end: usize, skip: fn(u8) -> bool| {
        while end > from && skip(text[end - 1]) {
            end -= 1;
        }
        end
    };
    let mut end = back(at, is_blank);
    if end > from && text[at] == b'=' && text[end - 1] == b':' {
        end = back(end - 1, is_blank);
    }
    if let Some(quote) = end.checked_sub(1).filter(|at| *at > from && text[*at] == b';') {
        end = entity_before(text, from, quote + 1)?;
    }
    if end > from && matches!(text[end - 1], b'"' | b'\'' | b'`' | b']' | b'*') {
        end = back(end - 1, |byte| matches!(byte, b'\\' | b'"' | b'\'' | b'*'));
    }
    let least = end.saturating_sub(LONGEST).max(from);
    let start = end - text[least..end].iter().rev().take_while(|byte| is_name(**byte)).count();
    let name = &text[start..end];
    if start > from && text[start - 1] == b'\\' && !name.is_empty() {
        if let Some(name) = unescaped(text, from, start, end) {
            return Some(name);
        }
        // Its first letter belongs to an escape such as `\n`.
        let name = Cow::Borrowed(name.get(1..).filter(|name| !name.is_empty())?);
        return Some(Name { name, start: start + 1 });
    }
    (!name.is_empty()).then_some(Name { name: Cow::Borrowed(name), start })
}

/// A name some of whose letters are spelled as `\u0070`: the part `start..end` begins with the rest of such an escape.
fn unescaped(text: &[u8], from: usize, mut start: usize, mut end: usize) -> Option<Name<'_>> {
    /// Parts that are looked at.
    const MOST: usize = 32;
    let mut name = Vec::new();
    for parts in 0..MOST {
        let part = &text[start..end];
        let code = part.strip_prefix(b"u").and_then(|rest| rest.get(..4));
        let escaped = start > from && text[start - 1] == b'\\';
        let letter = code.filter(|_| escaped).and_then(|code| u32::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        let Some(letter) = letter.and_then(char::from_u32) else {
            if parts == 0 {
                return None;
            }
            name.splice(..0, part.iter().copied());
            break;
        };
        let mut encoded = [0; 4];
        let letter = letter.encode_utf8(&mut encoded).bytes();
        name.splice(..0, letter.chain(part[5..].iter().copied()));
        end = start - text[from..start].iter().rev().take_while(|byte| **byte == b'\\').count();
        start = end - text[from..end].iter().rev().take_while(|byte| is_name(**byte)).count();
    }
    Some(Name { name: Cow::Owned(name), start })
}
