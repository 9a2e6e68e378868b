//! Secrets that are known by the name before them, in texts: `api_key=…`, `"api_key": "…"`, `Config { api_key: Some("…") }`,
//! `x-api-key: …`.
//!
//! The texts lie inside JSON strings, and may hold JSON themselves, at any depth: a quote comes with as many backslashes
//! as it is deep.

use super::Wanted;

/// The value behind a separator (`:` or `=`) at `at` of the text that begins at `from`, if the name before it says that
/// it is secret.
pub(super) fn value(text: &[u8], from: usize, at: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = name_before(text, from, at)?;
    let is_secret = wanted.names_secret(name) || text[at] == b'=' && is_signature(name, text, from, at);
    if !is_secret {
        return None;
    }
    let (start, end) = value_after(text, at, name)?;
    (!is_harmless(&text[start..end], name)).then_some((start, end))
}

/// The content of `Name(…)` whose bracket opens at `open`, if the name of the type, which begins at `start`, says that it
/// is secret.
pub(super) fn wrapped(text: &[u8], start: usize, open: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..open];
    let is_type = text[start].is_ascii_uppercase();
    // Parsers and tokenizers have a `Token(…)` too.
    let is_secret = name == b"Zeroizing" || wanted.names_secret(name) && name != b"Token";
    if !is_type || !is_secret {
        return None;
    }
    let Brackets { inside: end, .. } = balanced(text, open)?;
    (!is_harmless(&text[open + 1..end], name)).then_some((open + 1, end))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

fn is_blank(byte: u8) -> bool {
    byte == b' '
}

/// The name that ends before the separator, quoted or not.
fn name_before(text: &[u8], from: usize, at: usize) -> Option<&[u8]> {
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
    if end > from && matches!(text[end - 1], b'"' | b'\'' | b'`' | b']') {
        end = back(end - 1, |byte| matches!(byte, b'\\' | b'"' | b'\''));
    }
    let least = end.saturating_sub(LONGEST).max(from);
    let start = end - text[least..end].iter().rev().take_while(|byte| is_name(**byte)).count();
    let mut name = &text[start..end];
    if start > from && text[start - 1] == b'\\' && name.len() > 1 {
        // Its first letter belongs to an escape such as `\n`.
        name = name.get(1..)?;
    }
    (!name.is_empty()).then_some(name)
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

/// Where the value is, without its quotes.
fn value_after(text: &[u8], at: usize, name: &[u8]) -> Option<(usize, usize)> {
    let separator = text[at];
    let mut start = at + 1;
    match text.get(start)? {
        // `Token::new`, `token == other`.
        b':' | b'=' => return None,
        b'>' => start += 1,
        _ => {}
    }
    let blank = |start: usize| start + text[start..].iter().take_while(|byte| is_blank(**byte)).count();
    let after_blank = blank(start);
    let spaced = after_blank > start;
    start = after_blank;
    // `Some(`, `Secret(`, `Cow::Borrowed(`, one in the other.
    for _ in 0..4 {
        let word =
            text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_:<>&".contains(byte)).count();
        match text.get(start + word) {
            Some(b'(') if word > 0 => start = blank(start + word + 1),
            Some(b' ' | b'{') if word > 0 && text.get(blank(start + word)) == Some(&b'{') => {
                return Some((start, balanced(text, blank(start + word))?.behind));
            }
            _ => break,
        }
    }
    let slashes = text[start..].iter().take_while(|byte| **byte == b'\\').count();
    match text.get(start + slashes)? {
        b'"' if slashes % 2 == 1 => {
            let start = start + slashes + 1;
            Some((start, closing_quote(text, start, slashes)))
        }
        quote @ (b'\'' | b'`') if slashes == 0 => {
            let start = start + 1;
            let length =
                text[start..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\') && *byte != quote).count();
            Some((start, start + length))
        }
        b'{' | b'[' if slashes == 0 => Some((start, balanced(text, start)?.behind)),
        _ if slashes == 0 => {
            let end = bare(text, start, name);
            // In prose a colon is followed by any word.
            let prose = separator == b':' && spaced && end - start < 4;
            (end > start && !prose).then_some((start, end))
        }
        _ => None,
    }
}

/// Where a text ends that was opened by a quote with so many backslashes.
fn closing_quote(text: &[u8], start: usize, slashes: usize) -> usize {
    let mut run = 0;
    for (at, byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'\\' => run += 1,
            // An even number are escaped themselves, and the quote ends the string around it all.
            b'"' if run <= slashes || run % 2 == 0 => return at - run,
            _ => run = 0,
        }
    }
    text.len()
}

/// Where a value without quotes ends.
fn bare(text: &[u8], start: usize, name: &[u8]) -> usize {
    let ends = |byte: u8| b" ;&)}]\"\\'<>|".contains(&byte);
    let word = |start: usize| {
        let mut end = start;
        while let Some(&byte) = text.get(end)
            && !ends(byte)
            && !(byte == b',' && parts(&text[end + 1..]))
        {
            end += 1;
        }
        end
    };
    let lower = name.to_ascii_lowercase();
    if lower.windows(6).any(|part| part == b"cookie") {
        // A list of pairs to the end of the line.
        return start + text[start..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
    }
    let end = word(start);
    let schemes = ["bearer", "basic", "digest", "token", "negotiate", "apikey"];
    let is_scheme = schemes.iter().any(|scheme| text[start..end].eq_ignore_ascii_case(scheme.as_bytes()));
    if is_scheme && text.get(end) == Some(&b' ') { word(end + 1).max(end) } else { end }
}

/// Whether a comma before this parts values: a blank follows, the end, or another name with its value.
fn parts(rest: &[u8]) -> bool {
    let name = rest.iter().take_while(|byte| is_name(**byte)).count();
    match rest.get(name) {
        None | Some(b'"' | b'\\' | b' ' | b'\'') => name == 0,
        Some(byte) => name > 0 && matches!(byte, b'=' | b':'),
    }
}

/// Where brackets end: the place of the last one and the one behind it, or twice the end of the string.
struct Brackets {
    inside: usize,
    behind: usize,
}

/// Where the bracket ends that opens at `open`. Brackets in quotes do not count.
fn balanced(text: &[u8], open: usize) -> Option<Brackets> {
    let (mut depth, mut slashes) = (0usize, 0);
    let mut quoted = None;
    for (at, byte) in text.iter().enumerate().skip(open) {
        match byte {
            b'\\' => {
                slashes += 1;
                continue;
            }
            // The end of the string around it all.
            b'"' if slashes % 2 == 0 => return Some(Brackets { inside: at - slashes, behind: at - slashes }),
            b'"' => match quoted {
                None => quoted = Some(slashes),
                Some(opened) if slashes <= opened => quoted = None,
                Some(_) => {}
            },
            b'(' | b'[' | b'{' if quoted.is_none() => depth += 1,
            b')' | b']' | b'}' if quoted.is_none() => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(Brackets { inside: at, behind: at + 1 });
                }
            }
            _ => {}
        }
        slashes = 0;
    }
    Some(Brackets { inside: text.len(), behind: text.len() })
}

/// Whether a value tells nothing: it is empty, says that it is missing or masked, stands for another, or is a token by
/// its number in a vocabulary.
pub(super) fn is_harmless(value: &[u8], name: &[u8]) -> bool {
    let value = value.trim_ascii();
    let words: [&[u8]; 9] =
        [b"none", b"null", b"nil", b"true", b"false", b"undefined", b"default", b"\\\"\\\"", b"..."];
    let placeholders: [(&[u8], &[u8]); 4] = [(b"${", b"}"), (b"{{", b"}}"), (b"<", b">"), (b"$(", b")")];
    let contains = |wanted: &[u8]| value.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted));
    let short_number = value.len() < 10 && value.iter().all(u8::is_ascii_digit);
    let tail = name.len().checked_sub(b"token".len()).map(|start| &name[start..]);
    value.is_empty()
        || words.iter().any(|word| value.eq_ignore_ascii_case(word))
        || placeholders.iter().any(|(open, close)| value.starts_with(open) && value.ends_with(close))
        || value.len() < 48 && contains(b"redacted")
        || str::from_utf8(value)
            .is_ok_and(|text| text.chars().all(|letter| "*.\u{2022}\u{25cf}\u{2026}\\\"".contains(letter)))
        || short_number && tail.is_some_and(|tail| tail.eq_ignore_ascii_case(b"token"))
}
