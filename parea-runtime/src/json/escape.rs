//! Text between the quotes of a JSON string.

use std::fmt::{self, Write as _};

use super::{Bytes, MOST_BYTES, Out, Surface};
use crate::processor;

/// Appends a text as a JSON string. One that is longer than a value may be keeps its head and its tail.
#[inline]
pub(crate) fn push_text<O: Out>(out: &mut O, text: &str) {
    push_between::<O, true>(out, text);
}

#[cold]
fn push_cut(out: &mut impl Out, text: &str) {
    let head = before_word(text, floor(text, MOST_BYTES / 2));
    let tail = behind_word(text, ceil(text, text.len() - MOST_BYTES / 2));
    push_text_body(out, &text[..head]);
    push_text_body(out, &left_out(tail - head, text.len()));
    push_text_body(out, &text[tail..]);
}

/// Longest word that is left out as a whole where a text is cut: nobody would know half of a key for one.
const LONGEST_WORD: usize = 1024;

/// What parts words, in prose and in JSON.
const fn parts_words(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\n'
            | b'\r'
            | b'\t'
            | b'"'
            | b'\''
            | b','
            | b';'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b'<'
            | b'>'
    )
}

/// Before the word that ends at `at`, or goes on behind it.
fn before_word(text: &str, at: usize) -> usize {
    let mut word = text.as_bytes()[..at].iter().rev().take(LONGEST_WORD);
    word.position(|byte| parts_words(*byte)).map_or(at, |length| at - length)
}

/// Behind the word that begins at `at`, or did before.
fn behind_word(text: &str, at: usize) -> usize {
    let mut word = text.as_bytes()[at..].iter().take(LONGEST_WORD);
    word.position(|byte| parts_words(*byte)).map_or(at, |length| at + length)
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
pub(crate) fn push_text_body<O: Out>(out: &mut O, text: &str) {
    push_between::<O, false>(out, text);
}

/// Appends a text, with quotes around it or without.
#[inline(never)]
fn push_between<O: Out, const QUOTED: bool>(out: &mut O, text: &str) {
    let bytes = text.as_bytes();
    let length = bytes.len();
    // Most texts need no escape. Short ones are looked at and copied by their first and their last bytes, which may
    // overlap: that is a few instructions where a loop over what is left would be many.
    if length < 4 {
        if let [first, .., last] | [first @ last] = bytes {
            // Of less than three some are the same.
            let tiny = [*first, bytes[length / 2], *last];
            if is_plain(u64::from(u32::from_le_bytes([tiny[0], tiny[1], tiny[2], b' '])) | SPACES << 32)
                && let Some(room) = out.room::<5>()
            {
                if QUOTED {
                    *room = [b'"', tiny[0], tiny[1], tiny[2], b'"'];
                    room[length + 1] = b'"';
                } else {
                    room[..3].copy_from_slice(&tiny);
                }
                return out.used::<5>(length + 2 * usize::from(QUOTED));
            }
        }
    } else if length < 8 {
        let (first, last) = ends::<4>(bytes);
        if is_plain(u64::from(u32::from_ne_bytes(first)) << 32 | u64::from(u32::from_ne_bytes(last)))
            && let Some(room) = out.room::<10>()
        {
            let written = put_ends::<4, 10, QUOTED>(room, length, &first, &last);
            return out.used::<10>(written);
        }
    } else if length <= 16 {
        let (first, last) = ends::<8>(bytes);
        if !any_special(&[both(u64::from_ne_bytes(first), u64::from_ne_bytes(last))])
            && let Some(room) = out.room::<18>()
        {
            let written = put_ends::<8, 18, QUOTED>(room, length, &first, &last);
            return out.used::<18>(written);
        }
    } else if length <= 32 {
        let (first, last) = ends::<16>(bytes);
        if !any_special(&[first, last])
            && let Some(room) = out.room::<34>()
        {
            let written = put_ends::<16, 34, QUOTED>(room, length, &first, &last);
            return out.used::<34>(written);
        }
    } else if length <= 64 {
        let (first, last) = ends::<32>(bytes);
        let [[a, b], [c, d]] = [halves(&first), halves(&last)];
        if !any_special(&[a, b, c, d])
            && let Some(room) = out.room::<66>()
        {
            let written = put_ends::<32, 66, QUOTED>(room, length, &first, &last);
            return out.used::<66>(written);
        }
    } else if length <= SHORT {
        return push_long::<O, QUOTED>(out, text);
    }
    push_other::<O, QUOTED>(out, text);
}

/// The first and the last bytes of at least so many.
#[expect(clippy::inline_always, reason = "a few loads")]
#[inline(always)]
fn ends<const N: usize>(bytes: &[u8]) -> ([u8; N], [u8; N]) {
    (bytes.first_chunk().copied().unwrap_or([0; N]), bytes.last_chunk().copied().unwrap_or([0; N]))
}

#[inline]
const fn both(first: u64, last: u64) -> [u8; 16] {
    ((first as u128) << 64 | last as u128).to_ne_bytes()
}

#[inline]
fn halves(chunk: &[u8; 32]) -> [[u8; 16]; 2] {
    let (halves, _) = chunk.as_chunks::<16>();
    halves.try_into().unwrap_or([[0; 16]; 2])
}

/// Writes so many bytes, of which these are the first and the last.
#[expect(clippy::inline_always, reason = "a few stores")]
#[inline(always)]
fn put_ends<const N: usize, const ROOM: usize, const QUOTED: bool>(
    room: &mut [u8; ROOM],
    length: usize,
    first: &[u8; N],
    last: &[u8; N],
) -> usize {
    let quote = usize::from(QUOTED);
    let end = length + quote;
    if QUOTED {
        room[0] = b'"';
        room[end] = b'"';
    }
    room[quote..quote + N].copy_from_slice(first);
    room[end - N..end].copy_from_slice(last);
    end + quote
}

/// A text of more than 64 bytes, and not of many.
#[inline(never)]
fn push_long<O: Out, const QUOTED: bool>(out: &mut O, text: &str) {
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk::<32>() else { return };
    let (chunks, _) = bytes.as_chunks::<32>();
    if chunks.iter().chain([last]).any(|chunk| any_special(&halves(chunk))) {
        return push_other::<O, QUOTED>(out, text);
    }
    if QUOTED {
        out.put_byte(b'"');
    }
    out.extend(bytes);
    if QUOTED {
        out.put_byte(b'"');
    }
}

/// A text that has something to escape, is long, or is empty.
#[inline(never)]
fn push_other<O: Out, const QUOTED: bool>(out: &mut O, text: &str) {
    if QUOTED {
        out.put_byte(b'"');
    }
    if QUOTED && text.len() > MOST_BYTES {
        push_cut(out, text);
    } else {
        push_escaped(out, text.as_bytes());
    }
    if QUOTED {
        out.put_byte(b'"');
    }
}

#[inline(never)]
fn push_escaped(out: &mut impl Out, mut rest: &[u8]) {
    loop {
        let plain = plain_prefix(rest);
        out.extend(&rest[..plain]);
        let Some(&special) = rest.get(plain) else { return };
        push_escape(out, special);
        rest = &rest[plain + 1..];
    }
}

/// How many bytes from the front need no escape: all but quotes, backslashes and control characters.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let whole = chunks.iter().take_while(|chunk| !any_special(&halves(chunk))).count();
    let rest = chunks.get(whole).map_or(rest, |chunk| chunk);
    whole * 32 + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// Whether one of these bytes needs an escape.
#[expect(clippy::inline_always, reason = "a few instructions, which keep the bytes in registers")]
#[inline(always)]
fn any_special<const N: usize>(chunks: &[[u8; 16]; N]) -> bool {
    processor::has_special(chunks).unwrap_or_else(|| {
        let words = chunks.as_flattened().as_chunks().0.iter();
        words.fold(0, |found, word| found | specials(u64::from_ne_bytes(*word))) & HIGHEST != 0
    })
}

/// Makes a space of a quote, and the other way round.
const CHANGE: u8 = b'"' ^ b' ';
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHEST: u64 = ONES << 7;
const SPACES: u64 = ONES * b' ' as u64;

/// Whether none of eight bytes needs an escape.
#[inline]
fn is_plain(word: u64) -> bool {
    !any_special(&[both(word, word)])
}

/// The first of eight bytes that needs an escape has its highest bit set.
#[inline]
const fn specials(word: u64) -> u64 {
    // A byte without its highest bit goes below zero, and so has it afterwards, where less is taken from it than it has: 0x21
    // from a control character or what was a quote, 1 from what the exclusive or has made 0. What borrows from the next has
    // been found already.
    let low = (word ^ (ONES * CHANGE as u64)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (low | backslash) & !word
}

#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "without branches it becomes a vector instruction")]
pub(super) const fn is_special(byte: u8) -> bool {
    // What is not beyond the space then is a control character, or was a quote.
    (byte ^ CHANGE <= b' ') | (byte == b'\\')
}

#[cold]
fn push_escape(out: &mut impl Out, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend(&[b'\\', b'u', b'0', b'0', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend(&[b'\\', short]);
}

/// Takes formatted text and appends it as a JSON string, at most so much of it as a value may be.
#[derive(Debug)]
pub(crate) struct Escaping<'a> {
    out: &'a mut Bytes,
    /// Bytes that may still come.
    left: usize,
    surface: Surface,
    cut: Option<Cut>,
}

/// Why there is no more of a text.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Length,
    Stack,
}

impl<'a> Escaping<'a> {
    /// Opens the string.
    pub(crate) fn open(out: &'a mut Bytes) -> Self {
        out.put_byte(b'"');
        Self { out, left: MOST_BYTES, surface: Surface::here(), cut: None }
    }

    /// Closes it. `formatted` is what the formatting said: an error is the limit's, or that of the user's code.
    #[inline]
    pub(crate) fn close(self, formatted: fmt::Result) -> fmt::Result {
        match self.cut {
            Some(cut) => push_cut_mark(self.out, cut),
            None => formatted?,
        }
        self.out.put_byte(b'"');
        Ok(())
    }
}

/// The text that `Display` makes, at most so much of it as a value may be.
pub(crate) fn displayed(value: &(impl fmt::Display + ?Sized)) -> String {
    let mut bytes = Bytes::default();
    let mut text = Escaping::open(&mut bytes);
    let formatted = write!(text, "{value}");
    match text.close(formatted) {
        Ok(()) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(error) => format!("<{error}>"),
    }
}

#[cold]
#[inline(never)]
fn push_cut_mark(out: &mut Bytes, cut: Cut) {
    match cut {
        Cut::Length => push_text_body(out, &format!(" …[cut at {MOST_BYTES} bytes]")),
        Cut::Stack => push_text_body(out, &format!(" …[cut at {} bytes of stack]", Surface::MOST)),
    }
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.surface.is_far() {
            self.cut = Some(Cut::Stack);
            return Err(fmt::Error);
        }
        let end = if text.len() <= self.left { text.len() } else { floor(text, self.left) };
        push_text_body(self.out, &text[..end]);
        self.left -= end;
        if end < text.len() {
            self.cut = Some(Cut::Length);
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
    fn bytes_that_need_an_escape_are_found_with_and_without_instructions_for_it() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                // Those beside it are what is nearest to being special.
                for beside in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut chunk = [beside; 16];
                    chunk[at] = byte;
                    let word = u64::from_le_bytes(*chunk[at / 8 * 8..].first_chunk().unwrap_or(&[0; 8]));
                    assert_eq!(any_special(&[chunk, [beside; 16]]), is_special(byte), "{chunk:?}");
                    assert_eq!(specials(word) & HIGHEST != 0, is_special(byte), "{chunk:?}");
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
