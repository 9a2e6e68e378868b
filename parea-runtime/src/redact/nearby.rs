//! Secrets that stand beside their name without a separator: in sentences, tables, commands, and pairs.

use super::{
    Wanted,
    assigned::with_word_before,
    escapes::{before_quote, blank_before, blank_lines, closed, find, opened},
    extent::{Brackets, balanced},
    names::is_one_time,
    plain::{is_code, is_harmless, is_mixed, is_phrase, is_random},
};

/// What may stand between a name and its value.
const BETWEEN: [&str; 16] = [
    "is", "was", "|", "!=", "->", "=>", "-", "\u{2013}", "\u{2014}", "\u{2192}", "set", "changed", "reset", "to",
    "provided", "given",
];

/// What is said of the name `word..end`, behind which a blank or an escape stands: `the password is hunter2`,
/// `password hunter2`, `| API key | … |`, `IDENTIFIED BY '…'`; or the second of a pair, if its quote closes there.
pub(super) fn secret(text: &[u8], from: usize, word: usize, end: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    /// Most words that may.
    const MOST: usize = 4;
    let name = &text[word..end];
    if name == b"BY" {
        let start = identified(text, from, word, end)?;
        let (start, quote) = opened(text, start)?;
        let end = closed(text, start, quote);
        return (!is_harmless(&text[start..end], b"password")).then_some((start, end));
    }
    if is_prose(text, end) || !wanted.names_secret(with_word_before(text, from, word, end)) {
        return None;
    }
    if let Some(found) = paired(text, from, word, end, wanted) {
        return Some(found);
    }
    let mut at = end;
    let mut is_told = false;
    for _ in 0..MOST {
        let blank = blank_lines(text, at);
        if blank == at {
            return None;
        }
        let blank = blank + usize::from(text.get(blank) == Some(&b'('));
        let (start, stop, quoted) = match opened(text, blank) {
            Some((start, quote)) => (start, closed(text, start, quote), true),
            None => {
                (blank, blank + text[blank..].iter().take_while(|byte| !b" \\\"'`<>".contains(byte)).count(), false)
            }
        };
        let value = &text[start..stop];
        let trailing = if quoted { 0 } else { value.iter().rev().take_while(|byte| b".,;:!?)".contains(byte)).count() };
        let value = &value[..value.len() - trailing];
        let is_between = |known: &&str| value.eq_ignore_ascii_case(known.as_bytes());
        if !quoted && BETWEEN.iter().any(is_between) {
            is_told |= !matches!(value, b"set" | b"changed" | b"reset" | b"to" | b"provided" | b"given");
            at = start + value.len() + usize::from(trailing > 0 && text[stop - trailing] == b':');
            continue;
        }
        if is_told && let Some(end) = phrase(text, start, name) {
            return Some((start, end));
        }
        let is_meant = is_like_a_secret(value, name, is_told) || is_told && quoted && is_password(name);
        let is_source = !quoted && (value.contains(&b'(') || is_code(text, start, start + value.len(), name));
        return (is_meant && !is_source && !is_harmless(value, name)).then_some((start, start + value.len()));
    }
    None
}

/// Whether the next word is a short one of small letters that says nothing of a value: most often it is. Told first, for
/// prose is full of tokens and keys.
fn is_prose(text: &[u8], end: usize) -> bool {
    /// Of the longest that is in [`BETWEEN`].
    const LONGEST: usize = 8;
    let Some((b' ', next)) = text[end..].split_first() else { return false };
    let length = next.iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_lowercase()).count();
    let word = &next[..length];
    (1..=LONGEST).contains(&length)
        && next.get(length) == Some(&b' ')
        && !BETWEEN.iter().any(|known| known.as_bytes() == word)
}

fn is_password(name: &[u8]) -> bool {
    [&b"pass"[..], b"pwd", b"pw"]
        .iter()
        .any(|word| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Where the words of a recovery phrase end.
fn phrase(text: &[u8], start: usize, name: &[u8]) -> Option<usize> {
    /// Two dozen words and more.
    const LONGEST: usize = 512;
    let in_words = |byte: &&u8| byte.is_ascii_lowercase() || **byte == b' ';
    let length = text[start..].iter().take(LONGEST).take_while(in_words).count();
    is_phrase(&text[start..start + length], name).then_some(start + length)
}

/// Whether a word behind the name of a secret is one. Passwords may be short, and what a sentence says of another; else the
/// next word is more often the number of a version.
fn is_like_a_secret(value: &[u8], name: &[u8], is_told: bool) -> bool {
    let may_be_short = is_told || name.contains(&b'_') || is_password(name);
    let is_number = || {
        is_one_time(name)
            && (3..=11).contains(&value.len())
            && value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
    };
    let is_path = value.starts_with(b"/")
        || value.starts_with(b".")
        || value.contains(&b'/') && value.iter().any(|byte| matches!(byte, b'.' | b':'));
    !is_path && (is_random(value) || is_mixed(value) && may_be_short || is_number())
}

/// Where the password begins in `IDENTIFIED BY '…'`, `IDENTIFIED WITH … BY '…'`.
fn identified(text: &[u8], from: usize, word: usize, end: usize) -> Option<usize> {
    /// How far before.
    const FAR: usize = 64;
    let before = &text[from.max(word.saturating_sub(FAR))..word];
    find(before, b"IDENTIFIED ").map(|_| blank_lines(text, end))
}

/// The second of two texts that are alone in brackets, if the first, `word..end`, is the name of a secret:
/// `("x-api-key", "…")`, also as bytes; or the text behind an option of a command line: `["--token", "…"]`.
#[inline(never)]
pub(super) fn paired(text: &[u8], from: usize, word: usize, end: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    /// How far the end of a list of bytes is looked for, which every `[` asks for.
    const LONGEST_BYTES: usize = 512;
    let (after, quote) = opened(text, end)?;
    if text.get(after) != Some(&b',') || word == from || text[word - 1] != quote[quote.len() - 1] {
        return None;
    }
    let name = &text[word..end];
    if !wanted.names_secret(name) {
        return None;
    }
    let is_option = name.starts_with(b"--");
    let opening = if quote.len() > 1 { before_quote(text, from, word) } else { word - 1 };
    let before = blank_before(text, from, opening);
    if before == from || !is_option && !matches!(text[before - 1], b'(' | b'[') {
        return None;
    }
    let is_alone = |behind: usize| {
        let behind = blank_lines(text, behind);
        let behind = if text.get(behind) == Some(&b',') { blank_lines(text, behind + 1) } else { behind };
        matches!(text.get(behind), Some(b')' | b']'))
    };
    let value = blank_lines(text, after + 1);
    if text.get(value) == Some(&b'[') && !is_option && quote.len() > 1 {
        let Brackets { behind, .. } = balanced(&text[..text.len().min(value + LONGEST_BYTES)], value)?;
        return (is_alone(behind) && !is_harmless(&text[value..behind], name)).then_some((value, behind));
    }
    // `b"…"`
    let value = if text.get(value) == Some(&b'b') { value + 1 } else { value };
    let (start, opening) = opened(text, value)?;
    if opening != quote {
        return None;
    }
    let end = closed(text, start, quote);
    let is_meant = if is_option { !text[start..end].starts_with(b"-") } else { is_alone(end + quote.len()) };
    // In source text words stand in pairs.
    let is_meant = is_meant && (quote.len() > 1 || is_password(name) || is_mixed(&text[start..end]));
    (is_meant && !is_harmless(&text[start..end], name)).then_some((start, end))
}
