//! One pass over the inside of a JSON string.

use super::{
    Edit, Wanted, assigned, card, commands,
    escapes::slashes,
    markup,
    names::{ends_with_noun, may_name_secret},
    nearby, shapes, urls,
};

/// What a byte means for the search. Most are part of a word, which is passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    /// A letter, a digit, `_` or `-`: what keys are made of.
    Word,
    Quote,
    Backslash,
    /// `:` or `=`, which give a name its value.
    Separator,
    Space,
    Open,
    /// `{`, behind which the fields of a type stand.
    Brace,
    /// `>`, which ends the name of an element.
    Close,
    Percent,
    Dot,
    At,
    Dollar,
    Tilde,
    Apostrophe,
    /// The first byte of `：`.
    Wide,
    Other,
}

// By reference: without optimisation a constant is copied wherever it is used.
const CLASSES: &[Class; 256] = &{
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => Class::Word,
            b'"' => Class::Quote,
            b'\\' => Class::Backslash,
            b':' | b'=' => Class::Separator,
            b' ' => Class::Space,
            b'(' => Class::Open,
            b'{' => Class::Brace,
            b'>' => Class::Close,
            b'%' => Class::Percent,
            b'.' => Class::Dot,
            b'@' => Class::At,
            b'$' => Class::Dollar,
            b'~' => Class::Tilde,
            b'\'' => Class::Apostrophe,
            0xef => Class::Wide,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// Searches the string whose inside begins at `from`, adds what is to be replaced, and returns where its quote closes.
pub(super) fn search(line: &[u8], from: usize, wanted: &Wanted, edits: &mut Vec<Edit>) -> usize {
    // Behind the last edit, or behind the opening quote.
    let mut from = from;
    let (mut at, mut word) = (from, from);
    // To here the fields are those of a type that is secret as a whole.
    let mut typed = from;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        at += rest.iter().position(|byte| CLASSES[usize::from(*byte)] != Class::Word).unwrap_or(rest.len());
        if at - word >= shapes::SHORTEST
            && let Some((start, end)) = shapes::secret(line, word, at)
        {
            edits.push(Edit::text(start, end));
            (at, word, from) = (end, end, end);
            continue;
        }
        let Some(byte) = line.get(at) else { return at };
        let found = match CLASSES[usize::from(*byte)] {
            Class::Quote => return at,
            Class::Backslash => {
                let found = if at > word { behind_word(line, from, word, at, wanted) } else { None };
                if found.is_none() {
                    at = behind_escape(line, at);
                    word = at;
                    continue;
                }
                found
            }
            Class::Separator => separated(line, from, word, at, at < typed, wanted),
            Class::Space => {
                let found = if at > word { behind_word(line, from, word, at, wanted) } else { None };
                if found.is_none() && line.get(at + 1) == Some(&b'-') { commands::glued(line, at + 1) } else { found }
            }
            Class::Open if at > word => assigned::wrapped(line, word, at, wanted),
            Class::Brace if at >= typed => {
                typed = assigned::fields_end(line, from, at, wanted).unwrap_or(at);
                None
            }
            Class::Close => markup::content(line, from, at, wanted),
            Class::Percent => {
                let found = urls::encoded(line, from, at, wanted).or_else(|| shapes::credentials(line, word, at));
                if found.is_none() && line[at + 1..].iter().take(2).all(u8::is_ascii_hexdigit) {
                    at += 2;
                }
                found
            }
            Class::Dot if at > word => shapes::dotted(line, word, at).or_else(|| urls::webhook(line, word)),
            Class::At if wanted.emails => shapes::email(line, from, at),
            Class::Dollar => shapes::password_hash(line, at),
            Class::Tilde if at > word => shapes::tilde(line, word, at),
            Class::Apostrophe if at > word => nearby::paired(line, from, word, at, wanted),
            Class::Wide => assigned::wide(line, from, at, wanted),
            _ => None,
        };
        if let Some((start, end)) = found {
            edits.push(Edit::text(start, end));
            (at, from) = (end, end);
        } else {
            at += 1;
        }
        word = at;
    }
}

/// What the word `word..at`, behind which a blank or an escape stands, says of what follows.
#[inline]
fn behind_word(line: &[u8], from: usize, word: usize, at: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let is_noun = may_name_secret(&line[word..at]);
    let is_other = matches!(line[word], b'2'..=b'6' | b'-' | b'b' | b'B');
    if is_noun || is_other { told(line, from, word, at, is_noun, wanted) } else { None }
}

#[inline(never)]
fn told(line: &[u8], from: usize, word: usize, at: usize, is_noun: bool, wanted: &Wanted) -> Option<(usize, usize)> {
    let is_space = line[at] == b' ';
    let found = match line[word] {
        b'2'..=b'6' if is_space => card::in_groups(line, word, at).map(|end| (word, end)),
        b'b' | b'B' => shapes::credentials(line, word, at),
        b'-' => return described(line, from, word, at, is_space, wanted),
        _ => None,
    };
    let name = &line[word..at];
    if found.is_none() && (is_noun && ends_with_noun(name) || name == b"BY") {
        nearby::secret(line, from, word, at, wanted)
    } else {
        found
    }
}

fn described(
    line: &[u8],
    from: usize,
    word: usize,
    at: usize,
    is_space: bool,
    wanted: &Wanted,
) -> Option<(usize, usize)> {
    match &line[word..at] {
        b"----" if is_space => shapes::private_key(line, word).map(|end| (word, end)),
        b"-----END" => shapes::private_key_tail(line, from, word),
        _ if is_space => commands::option(line, word, at, wanted),
        _ => nearby::paired(line, from, word, at, wanted),
    }
}

fn separated(line: &[u8], from: usize, word: usize, at: usize, typed: bool, wanted: &Wanted) -> Option<(usize, usize)> {
    if line[at] == b':' {
        if matches!(line.get(at + 1), Some(b'/' | b'\\'))
            && let Some(start) = urls::behind_slashes(line, at + 1)
        {
            return urls::password(line, start);
        }
        if let Some(found) = shapes::bot_token(line, word, at) {
            return Some(found);
        }
    }
    assigned::value(line, from, at, typed, wanted)
}

/// Behind the escape at `at`. Of several backslashes in a row, which are escaped themselves, the letter behind belongs to
/// the escape of an inner text; the quote behind an even number of them closes the string.
fn behind_escape(line: &[u8], at: usize) -> usize {
    let slashes = slashes(line, at);
    let next = at + slashes;
    match line.get(next) {
        Some(b'u') => next + 1 + line[next + 1..].iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count(),
        Some(b'n' | b'r' | b't' | b'b' | b'f' | b'/') => next + 1,
        Some(b'"') if slashes % 2 == 1 => next + 1,
        Some(_) => next,
        None => line.len(),
    }
}
