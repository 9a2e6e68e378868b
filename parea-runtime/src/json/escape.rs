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
    let start = out.len();
    out.reserve(bytes.len() + 16);
    // Most texts need no escape. Short ones are copied by their first and their last bytes, which may overlap: that is
    // a few instructions where a loop over what is left would be many.
    let plain = if bytes.len() >= 64 {
        let plain = plain_prefix(bytes) == bytes.len();
        if plain {
            out.extend_from_slice(bytes);
        }
        plain
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        let (chunks, _) = bytes.as_chunks::<16>();
        let plain = !chunks.iter().any(has_special) && !has_special(last);
        if plain {
            out.extend_from_slice(first);
            chunks[1..].iter().for_each(|chunk| out.extend_from_slice(chunk));
            out.truncate(start + bytes.len() - 16);
            out.extend_from_slice(last);
        }
        plain
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let plain = !has_special(first) && !has_special(last);
        if plain {
            out.extend_from_slice(first);
            out.truncate(start + bytes.len() - 8);
            out.extend_from_slice(last);
        }
        plain
    } else {
        let plain = !bytes.iter().any(|byte| is_special(*byte));
        if plain {
            out.extend(bytes);
        }
        plain
    };
    if !plain {
        push_escaped(out, bytes);
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
    let (chunks, rest) = bytes.as_chunks::<16>();
    let whole = chunks.iter().take_while(|chunk| !has_special(chunk)).count();
    let rest = chunks.get(whole).map_or(rest, |chunk| chunk);
    whole * 16 + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// The compiler makes vector instructions of it.
#[inline]
fn has_special<const WIDTH: usize>(chunk: &[u8; WIDTH]) -> bool {
    chunk.iter().fold(false, |found, byte| found | is_special(*byte))
}

#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "without branches it becomes a vector instruction")]
const fn is_special(byte: u8) -> bool {
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
