//! How far a value reaches behind the separator after its name: to its quote, its bracket, or where a word ends.

use super::assigned::{blank_lines, blanks, is_harmless, is_name, slashes};

/// Where the value is, without its quotes.
pub(super) fn value_after(text: &[u8], at: usize, name: &[u8]) -> Option<(usize, usize)> {
    let separator = text[at];
    let mut start = at + 1;
    match text.get(start)? {
        // `Token::new`, `token == other`.
        b':' | b'=' => return None,
        b'>' => start += 1,
        _ => {}
    }
    // `**API key:** …`
    start += text[start..].iter().take(2).take_while(|byte| **byte == b'*').count();
    let blank = |start: usize| blanks(text, start);
    let after_blank = blank(start);
    let spaced = after_blank > start;
    start = after_blank;
    if separator == b':'
        && !has_parts(&text[start..])
        && let Some(equals) = initial(text, start)
    {
        return value_after(text, equals, name);
    }
    // `Some(`, `Secret(`, `Cow::Borrowed(`, one in the other.
    for _ in 0..4 {
        let word =
            text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_:<>&".contains(byte)).count();
        match text.get(start + word) {
            Some(b'(') if word > 0 => start = blank_lines(text, start + word + 1),
            Some(b' ' | b'{') if word > 0 && text.get(blank(start + word)) == Some(&b'{') => {
                return Some((start, balanced(text, blank(start + word))?.behind));
            }
            // `Array [`, as `serde_json` shows its values.
            Some(b' ') if text[start].is_ascii_uppercase() && text.get(blank(start + word)) == Some(&b'[') => {
                return Some((start, balanced(text, blank(start + word))?.behind));
            }
            _ => break,
        }
    }
    let slashes = text[start..].iter().take_while(|byte| **byte == b'\\').count();
    match text.get(start + slashes)? {
        b'"' if slashes % 2 == 1 => {
            let quote = text.get(start..=start + slashes)?;
            let opened = tripled(text, start, quote);
            Some((opened, closing_quote(text, opened, slashes)))
        }
        b'|' | b'>' if slashes == 0 && separator == b':' => block(text, start + 1),
        quote @ (b'\'' | b'`') if slashes == 0 => {
            let start = tripled(text, start, &[*quote]);
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

/// Behind the quote that opens at `start`, or behind all three of `"""`.
fn tripled(text: &[u8], start: usize, quote: &[u8]) -> usize {
    let is_tripled = text[start..].chunks_exact(quote.len()).take(3).filter(|part| *part == quote).count() == 3;
    start + quote.len() * if is_tripled { 3 } else { 1 }
}

/// The lines behind `password: |` of YAML, whose indicator ends at `start`: those that are indented.
fn block(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let start = start + text[start..].iter().take_while(|byte| matches!(byte, b'-' | b'+' | b' ')).count();
    let depth = slashes(text, start);
    let is_line_end = |at: usize| depth > 0 && slashes(text, at) == depth && text.get(at + depth) == Some(&b'n');
    if !is_line_end(start) {
        return None;
    }
    let begin = blank_lines(text, start);
    let mut end = begin;
    while end < text.len() {
        let slashes = slashes(text, end);
        match text.get(end + slashes) {
            // The end of the string around it.
            Some(b'"') if slashes < depth => break,
            Some(b'n') if slashes == depth && text.get(end + depth + 1) != Some(&b' ') => break,
            _ => end += slashes + 1,
        }
    }
    let end = end.min(text.len());
    (end > begin && text.get(begin - 1) == Some(&b' ')).then_some((begin, end))
}

/// The `=` behind a type, `API_KEY: &'static str = "…"`, if a text follows it.
fn initial(text: &[u8], start: usize) -> Option<usize> {
    /// Longest type that is looked at.
    const LONGEST: usize = 40;
    let in_type = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_:<>&'?|[] ".contains(byte);
    let length = text[start..].iter().take(LONGEST).take_while(in_type).count();
    let equals = start + length;
    // A key in base64 may end with `=`.
    let is_type = length > 0 && (text[equals - 1] == b' ' || is_harmless(&text[start..equals], b""));
    if !is_type || text.get(equals) != Some(&b'=') {
        return None;
    }
    let value = blank_lines(text, equals + 1);
    let quote = text.get(value + slashes(text, value));
    matches!(quote, Some(b'"' | b'\'' | b'`')).then_some(equals)
}

/// Where a text ends that was opened by a quote with so many backslashes.
pub(super) fn closing_quote(text: &[u8], start: usize, slashes: usize) -> usize {
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
        let first = word(start);
        if is_harmless(&text[start..first], name) {
            return first;
        }
        // A list of pairs to the end of the line.
        return start + text[start..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
    }
    let end = word(start);
    let schemes = ["bearer", "basic", "digest", "token", "negotiate", "apikey"];
    if has_parts(&text[start..]) {
        return behind_parts(text, end);
    }
    let is_scheme = schemes.iter().any(|scheme| text[start..end].eq_ignore_ascii_case(scheme.as_bytes()));
    if is_scheme && text.get(end) == Some(&b' ') { word(end + 1).max(end) } else { end }
}

/// Whether this is a header `Authorization` of a scheme whose parts have names and quotes of their own.
fn has_parts(value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 5] = [b"digest ", b"oauth ", b"hawk ", b"signature ", b"aws4-hmac-sha256 "];
    SCHEMES.iter().any(|scheme| value.get(..scheme.len()).is_some_and(|value| value.eq_ignore_ascii_case(scheme)))
}

/// Behind the last of `name="value", name=value`, which begin at `at`.
fn behind_parts(text: &[u8], mut at: usize) -> usize {
    loop {
        let name = blanks(text, at);
        let equals = name + text[name..].iter().take_while(|byte| is_name(**byte)).count();
        if equals == name || text.get(equals) != Some(&b'=') {
            return at;
        }
        let slashes = slashes(text, equals + 1);
        let value = equals + 1 + slashes;
        at = if text.get(value) == Some(&b'"') && slashes % 2 == 1 {
            let close = closing_quote(text, value + 1, slashes);
            if self::slashes(text, close) != slashes {
                // The string around it all ends first.
                return close;
            }
            close + slashes + 1
        } else {
            equals + 1 + text[equals + 1..].iter().take_while(|byte| !b" ,\\\"".contains(byte)).count()
        };
        at = at.min(text.len());
        if text.get(at) != Some(&b',') {
            return at;
        }
        at += 1;
    }
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
pub(super) struct Brackets {
    pub(super) inside: usize,
    pub(super) behind: usize,
}

/// Where the bracket ends that opens at `open`. Brackets in quotes do not count.
pub(super) fn balanced(text: &[u8], open: usize) -> Option<Brackets> {
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
