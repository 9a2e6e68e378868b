//! One pass over the inside of a JSON string.

use super::{Edit, Wanted, assigned, card, shapes};

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
    /// `>`, which ends the name of an element.
    Close,
    Percent,
    Dot,
    At,
    Other,
}

const CLASSES: [Class; 256] = {
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
            b'>' => Class::Close,
            b'%' => Class::Percent,
            b'.' => Class::Dot,
            b'@' => Class::At,
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
    loop {
        let rest = line.get(at..).unwrap_or_default();
        at += rest.iter().position(|byte| CLASSES[usize::from(*byte)] != Class::Word).unwrap_or(rest.len());
        if at - word >= shapes::SHORTEST
            && let Some(end) = shapes::secret(line, word, at)
        {
            edits.push(Edit::text(word, end));
            (at, word, from) = (end, end, end);
            continue;
        }
        let Some(byte) = line.get(at) else { return at };
        let found = match CLASSES[usize::from(*byte)] {
            Class::Quote => return at,
            Class::Backslash => {
                if at > word
                    && let Some((start, end)) = assigned::paired(line, from, word, at, wanted)
                {
                    edits.push(Edit::text(start, end));
                    (at, word, from) = (end, end, end);
                    continue;
                }
                at = behind_escape(line, at);
                word = at;
                continue;
            }
            Class::Separator => separated(line, from, word, at, wanted),
            Class::Space => match at - word {
                4 if line[word].is_ascii_digit() => card::in_groups(line, word, at).map(|end| (word, end)),
                5 | 6 if line[word] != b'-' => shapes::credentials(line, word, at),
                2 if line[word..at] == *b"-u" => assigned::login(line, from, word, at),
                2 if line[word..at] == *b"is" => assigned::told(line, from, word, at, wanted),
                _ if line[word..at].starts_with(b"--") => {
                    assigned::flag(line, word + 2, at, wanted).or_else(|| assigned::login(line, from, word, at))
                }
                _ => None,
            },
            Class::Open if at > word => assigned::wrapped(line, word, at, wanted),
            Class::Close if at > word => assigned::element(line, word, at, wanted),
            Class::Percent if at > word => assigned::encoded(line, word, at, wanted),
            Class::Dot if at == word => None,
            Class::Dot if at - word <= 5 => {
                shapes::dotted(line, word, at).map(|end| (word, end)).or_else(|| shapes::webhook(line, word))
            }
            Class::Dot => {
                shapes::discord_token(line, word, at).map(|end| (word, end)).or_else(|| shapes::webhook(line, word))
            }
            Class::At if wanted.emails => shapes::email(line, from, at),
            Class::Word | Class::Open | Class::Close | Class::Percent | Class::At | Class::Other => None,
        };
        match found {
            Some((start, end)) => {
                edits.push(Edit::text(start, end));
                at = end;
                from = end;
            }
            None => at += 1,
        }
        word = at;
    }
}

fn separated(line: &[u8], from: usize, word: usize, at: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let colon = line[at] == b':';
    if colon && line[at + 1..].starts_with(b"//") {
        return shapes::password_in_url(line, at + 1);
    }
    if colon && let Some(found) = shapes::bot_token(line, word, at) {
        return Some(found);
    }
    assigned::value(line, from, at, wanted)
}

/// Behind the escape at `at`. Of several backslashes in a row, which are escaped themselves, the letter behind belongs to
/// the escape of an inner text; the quote behind an even number of them closes the string.
fn behind_escape(line: &[u8], at: usize) -> usize {
    let slashes = line[at..].iter().take_while(|byte| **byte == b'\\').count();
    let next = at + slashes;
    match line.get(next) {
        Some(b'u') => next + 1 + line[next + 1..].iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count(),
        Some(b'n' | b'r' | b't' | b'b' | b'f' | b'/') => next + 1,
        Some(b'"') if slashes % 2 == 1 => next + 1,
        Some(_) => next,
        None => line.len(),
    }
}
