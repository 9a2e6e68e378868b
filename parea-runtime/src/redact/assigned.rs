//! Secrets that are known by the name before them, in texts: `api_key=…`, `"api_key": "…"`, `Config { api_key: Some("…") }`,
//! `x-api-key: …`.
//!
//! The texts lie inside JSON strings, and may hold JSON themselves, at any depth: a quote comes with as many backslashes
//! as it is deep.

use std::{borrow::Cow, ops::Range};

use super::{
    Wanted,
    extent::{Brackets, balanced, closing_quote, value_after},
};

/// The value behind a separator (`:` or `=`) at `at` of the text that begins at `from`, if the name before it says that
/// it is secret.
pub(super) fn value(text: &[u8], from: usize, at: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let Name { name: written, start: name_start } = name_before(text, from, at)?;
    // `{"name": "api_key", "value": "…"}`
    let is_value = matches!(&*written, b"value" | b"val" | b"Value");
    let name = if is_value { text_before(text, from, name_start).unwrap_or(&written) } else { &*written };
    let is_secret = wanted.names_secret(name) || text[at] == b'=' && is_signature(name, text, from, at);
    if !is_secret {
        return hinted(text, from, at, &written, name_start, wanted);
    }
    let (start, end) = value_after(text, at, name)?;
    let plain = is_harmless(&text[start..end], name) || is_of_a_model(text, from, name_start, name, start..end);
    (!plain).then_some((start, end))
}

/// The value of a name that alone says nothing, if it is a secret for the words before: `API key: …`, or for the type
/// around: `ApiKey { value: "…" }`.
fn hinted(text: &[u8], from: usize, at: usize, name: &[u8], start: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    const NEAR: usize = 1024;
    let before = blank_before(text, from, start);
    let of_a_type = before > from && text[before - 1] == b'{' && {
        let end = blank_before(text, from, before - 1);
        let of = end - text[from..end].iter().rev().take_while(|byte| is_name(**byte)).count();
        let of = &text[of..end];
        of.first().is_some_and(u8::is_ascii_uppercase) && of != b"Token" && wanted.names_secret(of)
    };
    let spaced = with_word_before(text, from, start, start + name.len());
    if !of_a_type && (spaced.len() == name.len() || !wanted.names_secret(spaced)) {
        return None;
    }
    // Of what is no secret in the end not all is to be looked at each time.
    let near = &text[..text.len().min(at + NEAR)];
    let (start, end) = value_after(near, at, name)?;
    let value = &text[start..end];
    let quoted = matches!(text[start - 1], b'"' | b'\'' | b'`');
    let told = quoted || !of_a_type && is_mixed(value);
    if !told || is_harmless(value, name) {
        return None;
    }
    if end < near.len() { Some((start, end)) } else { value_after(text, at, name) }
}

/// What is said in a sentence, `the password is …`, whose `is` stands at `is..space`.
pub(super) fn told(text: &[u8], from: usize, is: usize, space: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let before = is.checked_sub(1).filter(|before| *before > from && text[*before] == b' ')?;
    let start = before - text[from..before].iter().rev().take_while(|byte| is_name(**byte)).count();
    if !wanted.names_secret(with_word_before(text, from, start, before)) {
        return None;
    }
    let blank = blanks(text, space);
    let slashes = slashes(text, blank);
    let start = match text.get(blank + slashes) {
        Some(b'"') if slashes % 2 == 1 => blank + slashes + 1,
        Some(b'\'' | b'`') if slashes == 0 => blank + 1,
        _ => blank,
    };
    let length = text[start..].iter().take_while(|byte| !b" \\\"'`<>".contains(byte)).count();
    let value = &text[start..start + length];
    let value = &value[..value.len() - value.iter().rev().take_while(|byte| b".,;:!?)".contains(byte)).count()];
    (is_mixed(value) && !is_harmless(value, b"password")).then_some((start, start + value.len()))
}

/// A name with the word before it, if a blank alone parts them.
fn with_word_before(text: &[u8], from: usize, start: usize, end: usize) -> &[u8] {
    let word = start.checked_sub(1).filter(|blank| *blank > from && text[*blank] == b' ');
    let word = word.map(|blank| blank - text[from..blank].iter().rev().take_while(|byte| is_name(**byte)).count());
    &text[word.unwrap_or(start)..end]
}

/// Whether this is hardly a word: it has letters and digits, and is no shorter than passwords are.
fn is_mixed(text: &[u8]) -> bool {
    text.len() >= 6 && text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic)
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

/// The second of two texts that are alone in brackets, if the first, `word..end`, is the name of a secret:
/// `("x-api-key", "…")`, also as bytes; or the text behind an option of a command line: `["--token", "…"]`.
pub(super) fn paired(text: &[u8], from: usize, word: usize, end: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    /// How far the end of a list of bytes is looked for, which every `[` asks for.
    const LONGEST_BYTES: usize = 1024;
    let slashes = slashes(text, end);
    let quote = end + slashes;
    if slashes.is_multiple_of(2) || text.get(quote) != Some(&b'"') || text.get(quote + 1) != Some(&b',') {
        return None;
    }
    let name = &text[word..end];
    if word == from || text[word - 1] != b'"' || !wanted.names_secret(name) {
        return None;
    }
    let is_option = name.starts_with(b"--");
    let before = blank_before(text, from, before_quote(text, from, word));
    if before == from || !is_option && !matches!(text[before - 1], b'(' | b'[') {
        return None;
    }
    let is_alone = |behind: usize| {
        let behind = blank_lines(text, behind);
        let behind = if text.get(behind) == Some(&b',') { blank_lines(text, behind + 1) } else { behind };
        matches!(text.get(behind), Some(b')' | b']'))
    };
    let value = blank_lines(text, quote + 2);
    if text.get(value) == Some(&b'[') && !is_option {
        let Brackets { behind, .. } = balanced(&text[..text.len().min(value + LONGEST_BYTES)], value)?;
        return is_alone(behind).then_some((value, behind));
    }
    // `b"…"`
    let value = if text.get(value) == Some(&b'b') { value + 1 } else { value };
    if self::slashes(text, value) != slashes || text.get(value + slashes) != Some(&b'"') {
        return None;
    }
    let start = value + slashes + 1;
    let end = closing_quote(text, start, slashes);
    let is_meant = if is_option { !text[start..end].starts_with(b"-") } else { is_alone(end + slashes + 1) };
    (is_meant && !is_harmless(&text[start..end], name)).then_some((start, end))
}

/// The argument of `--password …` on a command line, whose name is `start..space`.
pub(super) fn flag(text: &[u8], start: usize, space: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..space];
    if !wanted.names_secret(name) {
        return None;
    }
    let value = space + text[space..].iter().take_while(|byte| is_blank(**byte)).count();
    let quote = text.get(value).copied().filter(|byte| *byte == b'\'');
    let value = if quote.is_some() { value + 1 } else { value };
    let ends =
        |byte: u8| matches!(byte, b'"' | b'\\' | b'\'') || quote.is_none() && matches!(byte, b' ' | b';' | b'|' | b'&');
    let length = text[value..].iter().take_while(|byte| !ends(**byte)).count();
    let end = value + length;
    (length > 0 && text[value] != b'-' && !is_harmless(&text[value..end], name)).then_some((value, end))
}

/// The password in `curl -u name:password …`, or behind `--user`; the option is `start..space`.
pub(super) fn login(text: &[u8], from: usize, start: usize, space: usize) -> Option<(usize, usize)> {
    /// How far before the option its command is looked for.
    const FAR: usize = 256;
    if !matches!(&text[start..space], b"-u" | b"--user" | b"--proxy-user") {
        return None;
    }
    let before = &text[from.max(start.saturating_sub(FAR))..start];
    // Dates and times have a `-u` as well.
    let is_asked_for = [&b"curl"[..], b"http", b"wget"].iter().any(|name| before.windows(4).any(|word| word == *name));
    let blank = space + text[space..].iter().take_while(|byte| is_blank(**byte)).count();
    let opened = blank + slashes(text, blank);
    let value = if matches!(text.get(opened), Some(b'\'' | b'"')) { opened + 1 } else { blank };
    let length = text[value..].iter().take_while(|byte| !b" \\\"'".contains(byte)).count();
    let colon = text[value..value + length].iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
    let (start, end) = (value + colon + 1, value + length);
    (is_asked_for && !is_harmless(&text[start..end], b"password")).then_some((start, end))
}

/// The content of an element `<password>…</password>`, whose name is `start..close`.
pub(super) fn element(text: &[u8], start: usize, close: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..close];
    if start == 0 || text[start - 1] != b'<' || !wanted.names_secret(name) {
        return None;
    }
    let length = text[close + 1..].iter().take_while(|byte| !matches!(byte, b'<' | b'"')).count();
    let (start, end) = (close + 1, close + 1 + length);
    (text[end..].starts_with(b"</") && !is_harmless(&text[start..end], name)).then_some((start, end))
}

/// The value in a query inside a query, `…%26token%3D…`, whose name ends at `percent`.
pub(super) fn encoded(text: &[u8], start: usize, percent: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..percent];
    if !text[percent + 1..].starts_with(b"3D") && !text[percent + 1..].starts_with(b"3d") || !wanted.names_secret(name)
    {
        return None;
    }
    let value = percent + 3;
    let rest = &text[value..];
    let plain = |at: usize| match rest[at] {
        b'%' => !rest[at..].starts_with(b"%26"),
        byte => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
    };
    let length = (0..rest.len()).take_while(|at| plain(*at)).count();
    (!is_harmless(&rest[..length], name)).then_some((value, value + length))
}

/// Backslashes from `at` on.
pub(super) fn slashes(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b'\\').count()
}

/// Behind blanks and the escapes of tabs.
pub(super) fn blanks(text: &[u8], mut at: usize) -> usize {
    loop {
        at += text.get(at..).unwrap_or_default().iter().take_while(|byte| is_blank(**byte)).count();
        let slashes = slashes(text, at);
        if slashes == 0 || text.get(at + slashes) != Some(&b't') {
            return at;
        }
        at += slashes + 1;
    }
}

/// Behind blanks and the escapes of line ends and tabs, as `{:#?}` leaves them between a bracket and what it holds.
pub(super) fn blank_lines(text: &[u8], mut at: usize) -> usize {
    loop {
        at += text.get(at..).unwrap_or_default().iter().take_while(|byte| is_blank(**byte)).count();
        let slashes = slashes(text, at);
        if slashes == 0 || !matches!(text.get(at + slashes), Some(b'n' | b'r' | b't')) {
            return at;
        }
        at += slashes + 1;
    }
}

/// The same to the left of `end`, not beyond `from`.
fn blank_before(text: &[u8], from: usize, mut end: usize) -> usize {
    loop {
        while end > from && is_blank(text[end - 1]) {
            end -= 1;
        }
        if end < from + 2 || !matches!(text[end - 1], b'n' | b'r' | b't') || text[end - 2] != b'\\' {
            return end;
        }
        end -= 1;
        while end > from && text[end - 1] == b'\\' {
            end -= 1;
        }
    }
}

/// Before the quote that stands to the left of `start`, and its backslashes.
fn before_quote(text: &[u8], from: usize, start: usize) -> usize {
    let quote = start.saturating_sub(1).max(from);
    quote - text[from..quote].iter().rev().take_while(|byte| **byte == b'\\').count()
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
    let length = text[from..end].iter().rev().take_while(|byte| is_name(**byte)).count();
    Some(&text[end - length..end])
}

/// The content of `Name(…)` whose bracket opens at `open`, if the name of the type, which begins at `start`, says that it
/// is secret.
pub(super) fn wrapped(text: &[u8], start: usize, open: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..open];
    let is_type = text[start].is_ascii_uppercase();
    let is_secret = name == b"Zeroizing" || wanted.names_secret(name);
    if !is_type || !is_secret {
        return None;
    }
    // Parsers and tokenizers have a `Token(…)` too.
    if name == b"Token" && !is_like_a_key(&text[open + 1..]) {
        return None;
    }
    let Brackets { inside: end, .. } = balanced(text, open)?;
    (!is_harmless(&text[open + 1..end], name)).then_some((open + 1, end))
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

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

fn is_blank(byte: u8) -> bool {
    byte == b' '
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

/// Whether this is the signature of a link, which lets everybody in who has it.
fn is_signature(name: &[u8], text: &[u8], from: usize, at: usize) -> bool {
    let before = at.checked_sub(name.len() + 1).filter(|before| *before >= from).map(|before| text[before]);
    let in_query = matches!(before, Some(b'?' | b'&'));
    in_query
        && ["sig", "signature", "x-amz-signature", "x-goog-signature"]
            .iter()
            .any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
}

/// Whether a value tells nothing: it is empty, says that it is missing or masked, stands for another, or is a token by
/// its number in a vocabulary.
pub(super) fn is_harmless(value: &[u8], name: &[u8]) -> bool {
    let value = value.trim_ascii();
    let words: [&[u8]; 42] = [
        b"none",
        b"null",
        b"nil",
        b"true",
        b"false",
        b"undefined",
        b"default",
        b"\\\"\\\"",
        b"...",
        // Types, in source text.
        b"string",
        b"str",
        b"number",
        b"int",
        b"integer",
        b"bool",
        b"boolean",
        b"any",
        b"bytes",
        b"secretstring",
        b"option",
        b"optional[str",
        b"vec",
        b"box",
        b"arc",
        b"cow",
        b"&",
        b"&str",
        b"&mut",
        // What is said of one.
        b"required",
        b"optional",
        b"missing",
        b"invalid",
        b"expired",
        b"incorrect",
        b"wrong",
        b"unknown",
        b"unset",
        b"empty",
        b"yes",
        b"no",
        // Parameters of queries and formats.
        b"?",
        b"%s",
    ];
    let placeholders: [(&[u8], &[u8]); 4] = [(b"${", b"}"), (b"{{", b"}}"), (b"<", b">"), (b"$(", b")")];
    let contains = |wanted: &[u8]| value.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted));
    let short_number = value.len() < 10 && value.iter().all(u8::is_ascii_digit);
    let tail = name.len().checked_sub(b"token".len()).map(|start| &name[start..]);
    value.is_empty()
        || words.iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.strip_prefix(b"$").is_some_and(|number| number.iter().all(u8::is_ascii_digit))
        || placeholders.iter().any(|(open, close)| value.starts_with(open) && value.ends_with(close))
        || value.len() < 48 && contains(b"redacted")
        || str::from_utf8(value)
            .is_ok_and(|text| text.chars().all(|letter| "*.\u{2022}\u{25cf}\u{2026}\\\"".contains(letter)))
        || short_number && tail.is_some_and(|tail| tail.eq_ignore_ascii_case(b"token"))
}
