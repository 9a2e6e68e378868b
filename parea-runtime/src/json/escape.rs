//! Text between the quotes of a JSON string.

use std::fmt;

use super::MOST_BYTES;

/// Appends a text as a JSON string. One that is longer than a value may be keeps its head and its tail.
#[inline]
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.len() <= MOST_BYTES {
        push_text_body(out, text);
    } else {
        push_cut(out, text);
    }
    out.push(b'"');
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
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The mark in a text that was cut.
fn left_out(left_out: usize, of: usize) -> String {
    format!(" …[{left_out} of {of} bytes left out]… ")
}

/// Appends a text as it stands between the quotes.
#[inline]
pub(crate) fn push_text_body(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut rest = bytes;
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
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    /// Marks the zero bytes of a word; right for the lowest one, which is all that is asked.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & HIGH
    }

    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // Eight bytes at a time: those below 0x20 borrow from their high bit, the other two become zero.
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let special = control | zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c));
        if special != 0 {
            return at * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let plain = rest.iter().take_while(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\')).count();
    words.len() * 8 + plain
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
    pub(crate) fn close(self, formatted: fmt::Result) -> fmt::Result {
        if self.cut {
            push_text_body(self.out, &format!(" …[cut at {MOST_BYTES} bytes]"));
        } else {
            formatted?;
        }
        self.out.push(b'"');
        Ok(())
    }
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
            for before in 0..17 {
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
