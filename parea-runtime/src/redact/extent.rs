//! How far a value reaches behind the separator after its name: to its quote, its bracket, or where a word ends.

use super::{
    escapes::{blank_lines, blanks, closed, closing_quote, entity, find, is_name, opened, slashes},
    plain::{is_harmless, is_mixed},
};

/// Where the value is, without its quotes.
pub(super) fn value_after(text: &[u8], at: usize, name: &[u8]) -> Option<(usize, usize)> {
    let separator = text[at];
    let mut start = at + 1;
    match text.get(start)? {
        // `Token::new`, `token == other`, but `password == "hunter2"`.
        b'=' => {
            let (start, quote) = opened(text, blanks(text, start + 1))?;
            let near = &text[..text.len().min(start + NEAR)];
            let end = closed(near, start, quote);
            return is_mixed(&text[start..end]).then_some((start, end));
        }
        b':' => return None,
        b'>' => start += 1,
        _ => {}
    }
    // `**API key:** …`
    start += text[start..].iter().take(2).take_while(|byte| **byte == b'*').count();
    let blank = |start: usize| blanks(text, start);
    let after_blank = blank(start);
    let spaced = after_blank > start;
    start = after_blank;
    let below = blank_lines(text, start);
    if below > start {
        let quote = opened(text, below).filter(|(behind, quote)| tripled(text, below, quote) == *behind);
        if quote.is_none() {
            return lines(text, below);
        }
        start = below;
    }
    if separator == b':'
        && !has_parts(&text[start..])
        && let Some(equals) = initial(text, start)
    {
        let quote = blank_lines(text, equals + 1);
        return if opened(text, quote).is_some() { value_after(text, equals, name) } else { None };
    }
    let mut wrapped = false;
    // `Some(`, `Secret(`, `Cow::Borrowed(`, one in the other.
    for _ in 0..4 {
        let word =
            text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_:<>&".contains(byte)).count();
        match text.get(start + word) {
            Some(b'(') if word > 0 => {
                let inside = blank_lines(text, start + word + 1);
                // A function is called with a text, or it is source text.
                if !is_type(&text[start..start + word]) && opened(text, inside).is_none() {
                    break;
                }
                (start, wrapped) = (inside, true);
            }
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
    // `b"…"`, `r"…"`, but not the end of a text.
    let raw = matches!(text.get(start), Some(b'b' | b'r'))
        && opened(text, start + 1)
            .is_some_and(|(inside, _)| !matches!(text.get(inside), Some(b'\\' | b' ' | b')' | b',')));
    if let Some((_, quote)) = opened(text, if raw { start + 1 } else { start }) {
        let start = tripled(text, if raw { start + 1 } else { start }, quote);
        return Some((start, closed(text, start, quote)));
    }
    let slashes = slashes(text, start);
    match text.get(start + slashes)? {
        b'|' | b'>' if slashes == 0 && separator == b':' => block(text, start + 1),
        b'&' if let Some(quote) = entity(text, start) => {
            let start = start + quote.len();
            let end = text[start..]
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\'))
                .map_or(text.len(), |end| start + end);
            Some((start, start + find(&text[start..end], quote).unwrap_or(end - start)))
        }
        b'{' | b'[' if slashes == 0 => Some((start, balanced(text, start)?.behind)),
        // What else stands in brackets is source text.
        b'(' if slashes == 0 => opened(text, start + 1).and_then(|_| Some((start, balanced(text, start)?.behind))),
        _ if slashes == 0 => {
            let end = bare(text, start, name);
            // In prose a colon is followed by any word.
            let digits = text[start..end].iter().all(u8::is_ascii_digit);
            let prose = separator == b':' && spaced && end - start < if digits { 3 } else { 4 };
            // A `Debug` text has quotes there, source text names of variables; parsers have tokens that are words.
            let is_word = !text[start..end].iter().any(u8::is_ascii_digit);
            let source = is_word && wrapped && text.get(end) == Some(&b')')
                || is_word && spaced && is_token(name) && end - start < 16;
            (end > start && !prose && !source).then_some((start, end))
        }
        _ => None,
    }
}

/// How far the end of a text is looked for that may be no secret.
const NEAR: usize = 256;

/// A word in the line below its name, or the items of a list, of which the first begins at `start`: not of prose.
fn lines(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let item = |at: usize| text[at..].starts_with(b"- ");
    let word = |at: usize| text[at..].iter().take_while(|byte| !b" \\\"".contains(byte)).count();
    let first = if item(start) { blanks(text, start + 1) } else { start };
    let mut end = first + word(first);
    if !is_mixed(&text[first..end]) || find(&text[first..end], b"://").is_some() || !item(start) && is_prose(text, end)
    {
        return None;
    }
    while item(start) && item(blank_lines(text, end)) {
        let next = blanks(text, blank_lines(text, end) + 1);
        end = next + word(next);
    }
    Some((first, end))
}

/// Whether the line goes on behind a word.
fn is_prose(text: &[u8], end: usize) -> bool {
    matches!(text.get(end), Some(b' '))
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
            Some(b'"') if slashes < depth || slashes.is_multiple_of(2) => break,
            Some(b'n') if slashes == depth && text.get(end + depth + 1) != Some(&b' ') => break,
            _ => end += slashes + 1,
        }
    }
    let end = end.min(text.len());
    (end > begin && text.get(begin - 1) == Some(&b' ')).then_some((begin, end))
}

/// Whether a path ends with the name of a type or a variant: `Some`, `Cow::Borrowed`.
fn is_type(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    name.first().is_some_and(u8::is_ascii_uppercase) && !name.contains(&b'_')
}

fn is_token(name: &[u8]) -> bool {
    name.len().checked_sub(5).is_some_and(|start| name[start..].eq_ignore_ascii_case(b"token"))
}

/// The `=` behind a type, `API_KEY: &'static str = …`.
fn initial(text: &[u8], start: usize) -> Option<usize> {
    /// Longest type that is looked at.
    const LONGEST: usize = 40;
    let in_type = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_:<>&'?|[] ".contains(byte);
    let length = text[start..].iter().take(LONGEST).take_while(in_type).count();
    let equals = start + length;
    // A key in base64 may end with `=`.
    let is_type = length > 0 && (text[equals - 1] == b' ' || is_harmless(&text[start..equals], b""));
    (is_type && text.get(equals) == Some(&b'=')).then_some(equals)
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
    let of_words = [&b"phrase"[..], b"phrases", b"mnemonic"].iter().any(|last| lower.ends_with(last));
    if of_words || lower.windows(6).any(|part| part == b"cookie") {
        let first = word(start);
        if is_harmless(&text[start..first], name) {
            return first;
        }
        // Several words, or a list of pairs, to the end of the line.
        return start + text[start..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
    }
    let end = word(start);
    let schemes = ["bearer", "basic", "digest", "token", "negotiate", "ntlm", "apikey"];
    if has_parts(&text[start..]) {
        return behind_parts(text, end);
    }
    let is_scheme = |word: &[u8]| schemes.iter().any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()));
    let is_header = lower.ends_with(b"authorization");
    if text.get(end) != Some(&b' ') || !is_scheme(&text[start..end]) && !is_header {
        return end;
    }
    // Of a scheme that is not known, what follows must not be the next word of a sentence.
    let next = word(end + 1);
    let is_meant =
        is_scheme(&text[start..end]) || is_mixed(&text[end + 1..next]) || text[end + 1..next].contains(&b'.');
    if is_meant { next.max(end) } else { end }
}

/// Whether this is a header `Authorization` of a scheme whose parts have names and quotes of their own.
fn has_parts(value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 6] = [b"digest ", b"oauth ", b"hawk ", b"mac ", b"signature ", b"aws4-hmac-sha256 "];
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
