//! From text to words.

use std::{borrow::Cow, ops::Range};

/// Longer runs of letters and digits, such as Base64, are several words.
pub(crate) const LONGEST: usize = 64;

/// The text in lower case, character by character: unlike `str::to_lowercase` it does not look at neighbours, so that
/// a part of a text is the same in the whole.
pub(crate) fn lowercase(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_ascii_lowercase().into()
        } else {
            text.into()
        };
    }
    text.chars().flat_map(char::to_lowercase).collect::<String>().into()
}

/// Tells each word of a text in [lower case](lowercase), in order: runs of letters and digits. Where a script has no
/// spaces between words, each character is one.
pub(crate) fn each_token(text: &str, mut tell: impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let (mut at, mut start) = (0, None);
    while let Some(&byte) = bytes.get(at) {
        // Nearly all of nearly all texts.
        let (is_part, is_alone, length) = if byte.is_ascii() {
            (byte.is_ascii_alphanumeric(), false, 1)
        } else {
            let char = text[at..].chars().next().unwrap_or(' ');
            (char.is_alphanumeric(), is_alone(char), char.len_utf8())
        };
        let end = at + length;
        if is_part && !is_alone {
            let begun = *start.get_or_insert(at);
            if end - begun >= LONGEST {
                tell(begun..end);
                start = None;
            }
        } else {
            if let Some(start) = start.take() {
                tell(start..at);
            }
            if is_alone {
                tell(at..end);
            }
        }
        at = end;
    }
    if let Some(start) = start {
        tell(start..text.len());
    }
}

/// Whether it belongs to a script without spaces between words.
fn is_alone(char: char) -> bool {
    !char.is_ascii()
        && char.is_alphanumeric()
        && matches!(char,
            '\u{0e00}'..='\u{0eff}'   // Thai, Lao
            | '\u{1000}'..='\u{109f}' // Burmese
            | '\u{1100}'..='\u{11ff}' // Hangul
            | '\u{1780}'..='\u{17ff}' // Khmer
            | '\u{3040}'..='\u{31ff}' // Kana, Bopomofo, Hangul
            | '\u{3400}'..='\u{4dbf}' // Han
            | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7ff}' // Hangul
            | '\u{f900}'..='\u{faff}' // Han
            | '\u{20000}'..='\u{3ffff}')
}

/// Two neighbours of such a script as one word: a single character stands in most texts.
pub(crate) fn pair(first: &str, second: &str) -> Option<String> {
    let alone = |token: &str| token.chars().next().is_some_and(is_alone);
    (alone(first) && alone(second)).then(|| [first, second].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let text = lowercase(text);
        let mut found = Vec::new();
        each_token(&text, |range| found.push(text[range].to_owned()));
        found
    }

    #[test]
    fn words_as_people_see_them() {
        assert_eq!(tokens("Search_orders: 3.5 ÄPFEL, don't"), ["search", "orders", "3", "5", "äpfel", "don", "t"]);
        assert_eq!(tokens("ab退款cd です"), ["ab", "退", "款", "cd", "で", "す"]);
        assert_eq!(tokens("  "), [""; 0]);
        assert_eq!(tokens(&"x".repeat(130)).iter().map(String::len).collect::<Vec<_>>(), [64, 64, 2]);
        assert_eq!(pair("退", "款").as_deref(), Some("退款"));
        assert_eq!(pair("a", "款"), None);
    }
}
