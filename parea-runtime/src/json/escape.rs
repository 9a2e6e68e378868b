//! Text between the quotes of a JSON string.

use std::fmt;

use super::MOST_BYTES;

/// Appends a text as a JSON string. One that is longer than a value may be keeps its head and its tail.
#[inline]
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_between(out, text, true);
}

#[cold]
fn push_cut(out: &mut Vec<u8>, text: &str) {
    let head = floor(text, MOST_BYTES / 2);
    let tail = ceil(text, text.len() - MOST_BYTES / 2);
    push_text_body(out, &text[..head]);
    push_text_body(out, &left_out(tail - head, text.len()));
    push_text_body(out, &text[tail..]);
}

/// The last character boundary that is not beyond `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// The first character boundary that is not before `at`.
pub(crate) fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The mark in a text that was cut.
pub(crate) fn left_out(left_out: usize, of: usize) -> String {
    format!(" …[{left_out} of {of} bytes left out]… ")
}

/// Longest text that is looked at as a whole before it is copied.
const SHORT: usize = 512;

/// Appends a text as it stands between the quotes.
#[inline]
pub(crate) fn push_text_body(out: &mut Vec<u8>, text: &str) {
    push_between(out, text, false);
}

/// Appends a text, with quotes around it or without.
#[inline(never)]
fn push_between(out: &mut Vec<u8>, text: &str, quoted: bool) {
    let bytes = text.as_bytes();
    // Most texts need no escape. Short ones are looked at and copied by their first and their last bytes, which may
    // overlap: that is a few instructions where a loop over what is left would be many.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        if bytes.len() > 32 {
            return push_long(out, text, quoted);
        }
        if u128::from_ne_bytes(marks(first, last)) != 0 {
            return push_other(out, text, quoted);
        }
        push_ends(out, bytes.len(), first, last, quoted);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        if has_special(u64::from_ne_bytes(*first)) | has_special(u64::from_ne_bytes(*last)) {
            return push_other(out, text, quoted);
        }
        push_ends(out, bytes.len(), first, last, quoted);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (high, low) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
        if has_special(u64::from(high) << 32 | u64::from(low)) {
            return push_other(out, text, quoted);
        }
        push_ends(out, bytes.len(), first, last, quoted);
    } else {
        push_tiny(out, text, quoted);
    }
}

/// Appends so many bytes, of which these are the first and the last, none of them special.
#[expect(clippy::inline_always, reason = "a few stores")]
#[inline(always)]
fn push_ends<const N: usize>(out: &mut Vec<u8>, length: usize, first: &[u8; N], last: &[u8; N], quoted: bool) {
    if quoted {
        out.push(b'"');
    }
    let end = out.len() + length;
    out.extend_from_slice(first);
    out.truncate(end - N);
    out.extend_from_slice(last);
    if quoted {
        out.push(b'"');
    }
}

/// A text of up to three bytes.
#[inline]
fn push_tiny(out: &mut Vec<u8>, text: &str, quoted: bool) {
    let bytes = text.as_bytes();
    let (Some(first), Some(middle), Some(last)) = (bytes.first(), bytes.get(bytes.len() / 2), bytes.last()) else {
        return push_other(out, text, quoted);
    };
    if is_special(*first) || is_special(*middle) || is_special(*last) {
        return push_other(out, text, quoted);
    }
    if quoted {
        out.push(b'"');
    }
    let end = out.len() + bytes.len();
    // Of less than three bytes some are the same.
    out.extend_from_slice(&[*first, *middle, *last]);
    out.truncate(end);
    if quoted {
        out.push(b'"');
    }
}

/// A text of more than 32 bytes.
#[inline(never)]
fn push_long(out: &mut Vec<u8>, text: &str, quoted: bool) {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first_chunk::<32>(), bytes.last_chunk::<32>()) else { return };
    if bytes.len() > SHORT {
        return push_other(out, text, quoted);
    }
    let (chunks, _) = bytes.as_chunks::<32>();
    let marked = chunks.iter().fold(marks_of(last), |all, chunk| all | marks_of(chunk));
    if marked != 0 {
        return push_other(out, text, quoted);
    }
    if bytes.len() <= 64 {
        return push_ends(out, bytes.len(), first, last, quoted);
    }
    if quoted {
        out.push(b'"');
    }
    out.extend_from_slice(bytes);
    if quoted {
        out.push(b'"');
    }
}

/// Not 0 if one of them needs an escape.
#[inline]
fn marks_of(chunk: &[u8; 32]) -> u128 {
    let (halves, _) = chunk.as_chunks::<16>();
    let [first, last] = halves else { return 0 };
    u128::from_ne_bytes(marks(first, last))
}

/// A text that has something to escape, is long, or is empty.
#[inline(never)]
fn push_other(out: &mut Vec<u8>, text: &str, quoted: bool) {
    if quoted {
        out.push(b'"');
    }
    if quoted && text.len() > MOST_BYTES {
        push_cut(out, text);
    } else {
        push_escaped(out, text.as_bytes());
    }
    if quoted {
        out.push(b'"');
    }
}

#[inline(never)]
fn push_escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let plain = plain_prefix(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&special) = rest.get(plain) else { return };
        push_escape(out, special);
        rest = &rest[plain + 1..];
    }
}

/// How many bytes from the front need no escape: all but quotes, backslashes and control characters.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let whole = chunks.iter().take_while(|chunk| marks_of(chunk) == 0).count();
    let rest = chunks.get(whole).map_or(rest, |chunk| chunk);
    whole * 32 + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// Which bytes of one or the other need an escape. The compiler makes vector instructions of it, as long as it does not see
/// that the caller only asks for whether there are any: then it would look at one after the other.
#[inline(never)]
fn marks(one: &[u8; 16], other: &[u8; 16]) -> [u8; 16] {
    let mut marks = [0; 16];
    for ((mark, one), other) in marks.iter_mut().zip(one).zip(other) {
        *mark = if is_special(*one) | is_special(*other) { 0xff } else { 0 };
    }
    marks
}

/// Whether one of eight bytes needs an escape.
#[inline]
const fn has_special(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    // A byte without its highest bit goes below zero, and so has it afterwards, where less is taken from it than it has: 0x20
    // from a control character, 1 from what the exclusive or has made 0. What borrows from the next has been found already.
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGHEST != 0
}

#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "without branches it becomes a vector instruction")]
pub(super) const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cold]
fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend([b'\\', short]);
}

/// Takes formatted text and appends it as a JSON string, at most so much of it as a value may be.
#[derive(Debug)]
pub(crate) struct Escaping<'a> {
    out: &'a mut Vec<u8>,
    /// Bytes that may still come.
    left: usize,
    cut: bool,
}

impl<'a> Escaping<'a> {
    /// Opens the string.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'"');
        Self { out, left: MOST_BYTES, cut: false }
    }

    /// Closes it. `formatted` is what the formatting said: an error is the limit's, or that of the user's code.
    #[inline]
    pub(crate) fn close(self, formatted: fmt::Result) -> fmt::Result {
        if self.cut {
            push_cut_mark(self.out);
        } else {
            formatted?;
        }
        self.out.push(b'"');
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn push_cut_mark(out: &mut Vec<u8>) {
    push_text_body(out, &format!(" …[cut at {MOST_BYTES} bytes]"));
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = if text.len() <= self.left { text.len() } else { floor(text, self.left) };
        push_text_body(self.out, &text[..end]);
        self.left -= end;
        if end < text.len() {
            self.cut = true;
            // There is no more to be had: the formatting may stop.
            return Err(fmt::Error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_at_every_place_is_as_serde_json_writes_it() {
        let letters = (0..0x80).filter_map(char::from_u32).chain(['é', '語', '🦀', '\u{2028}']);
        for letter in letters {
            for before in (0..40).chain([500, 600]) {
                for after in [0, 1, 9] {
                    let text = format!("{}{letter}{}\"", "a".repeat(before), "ß".repeat(after));
                    let mut out = Vec::new();
                    push_text(&mut out, &text);
                    assert_eq!(String::from_utf8(out).ok(), serde_json::to_string(&text).ok());
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_keeps_both_ends_and_says_what_is_missing() {
        let text = format!("{}{}{}", "ä".repeat(200_000), "middle", "ö".repeat(200_000));
        let mut out = Vec::new();
        push_text(&mut out, &text);
        let shown: String = serde_json::from_slice(&out).unwrap_or_default();
        assert!(shown.starts_with("ää") && shown.ends_with("öö"), "{} bytes", shown.len());
        assert!(shown.contains("of 800006 bytes left out"), "{}", &shown[MOST_BYTES / 2..MOST_BYTES / 2 + 80]);
        assert!(shown.len() < MOST_BYTES + 100);
    }
}
