//! What came out of a stream or an iterator, kept as its output: as much as the limit lets in.

use std::borrow::Cow;

use crate::record::text_of;

/// Most bytes of items that are kept; what comes later is only counted.
const MOST_BYTES: usize = 256 * 1024;

/// How items become one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Texts are joined; if there is any other item, all are an array.
    #[default]
    Fitting,
    /// Joined as texts, whatever they are.
    Join,
    /// An array, of texts as well.
    Collect,
    /// The last one alone.
    Last,
}

/// The items so far.
#[derive(Debug, Default)]
pub(crate) struct Items {
    keep: Keep,
    /// As JSON, separated by commas; of joined ones their text, of the last one itself.
    kept: Vec<u8>,
    /// Whether there is an item that is no text.
    mixed: bool,
    /// Whether something was left out.
    pub(crate) truncated: bool,
}

impl Items {
    pub(crate) fn keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    /// Takes an item in: one JSON value, or nothing. A text that only describes an item is not one to be joined.
    pub(crate) fn add(&mut self, item: &[u8], is_described: bool) {
        self.mixed |= is_described;
        match self.keep {
            Keep::Last => {
                self.kept.clear();
                self.truncated = false;
                self.append(item);
            }
            Keep::Join if self.truncated => {}
            Keep::Join => {
                let text = text_of(item).unwrap_or_default();
                let fitting = prefix(&text, MOST_BYTES - self.kept.len(), char::len_utf8);
                self.truncated = fitting.len() < text.len();
                self.kept.extend_from_slice(fitting.as_bytes());
            }
            Keep::Fitting | Keep::Collect if self.truncated || item.is_empty() => {}
            Keep::Fitting | Keep::Collect => {
                let comma = !self.kept.is_empty();
                self.kept.extend_from_slice(if comma { b"," } else { b"" });
                if !self.append(item) && comma {
                    self.kept.pop();
                }
            }
        }
    }

    /// Appends as much of an item as there is room for: of a text its beginning, of anything else all or nothing.
    fn append(&mut self, item: &[u8]) -> bool {
        let room = MOST_BYTES.saturating_sub(self.kept.len());
        let whole = item.len() <= room;
        self.truncated |= !whole;
        let part = if whole { Some(Cow::Borrowed(item)) } else { cut(item, room).map(Cow::Owned) };
        let Some(part) = part else { return false };
        self.mixed |= !part.starts_with(b"\"");
        self.kept.extend_from_slice(&part);
        true
    }

    /// One JSON value, or nothing when nothing came.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        let kept = std::mem::take(&mut self.kept);
        match self.keep {
            _ if kept.is_empty() => kept,
            Keep::Last => kept,
            Keep::Join => {
                let text = String::from_utf8_lossy(&kept);
                serde_json::to_vec(&*text).unwrap_or_default()
            }
            Keep::Fitting | Keep::Collect => {
                let array = [b"[".as_slice(), &kept, b"]"].concat();
                if self.keep == Keep::Fitting
                    && !self.mixed
                    && let Ok(texts) = serde_json::from_slice::<Vec<String>>(&array)
                    && let Ok(joined) = serde_json::to_vec(&texts.concat())
                {
                    return joined;
                }
                array
            }
        }
    }
}

/// The beginning of a JSON text, in at most `room` bytes; `None` for another value or where there is no room.
fn cut(item: &[u8], room: usize) -> Option<Vec<u8>> {
    let text: String = item.starts_with(b"\"").then(|| serde_json::from_slice(item).ok()).flatten()?;
    let fitting = prefix(&text, room.checked_sub(2)?, escaped);
    (!fitting.is_empty()).then(|| serde_json::to_vec(fitting).ok()).flatten()
}

/// Bytes of a character in a JSON text, or a few more.
fn escaped(letter: char) -> usize {
    match letter {
        '"' | '\\' => 2,
        letter if letter < ' ' => 6,
        letter => letter.len_utf8(),
    }
}

/// As many characters as there is room for.
fn prefix(text: &str, room: usize, size: fn(char) -> usize) -> &str {
    let mut left = room;
    for (at, letter) in text.char_indices() {
        match left.checked_sub(size(letter)) {
            Some(less) => left = less,
            None => return &text[..at],
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Items, Keep, MOST_BYTES};

    fn kept(keep: Keep, items: &[&str]) -> (String, bool) {
        let mut all = Items::default();
        all.keep(keep);
        for item in items {
            all.add(item.as_bytes(), false);
        }
        (String::from_utf8_lossy(&all.output()).into_owned(), all.truncated)
    }

    #[test]
    fn items_are_kept_as_it_was_asked() {
        let (texts, mixed) = (&[r#""a""#, r#""\"b""#][..], &[r#""a""#, "1", "", "null", r#"{"b":2}"#][..]);
        for (keep, of_texts, of_mixed) in [
            (Keep::Fitting, r#""a\"b""#, r#"["a",1,null,{"b":2}]"#),
            (Keep::Join, r#""a\"b""#, r#""a1{\"b\":2}""#),
            (Keep::Collect, r#"["a","\"b"]"#, r#"["a",1,null,{"b":2}]"#),
            (Keep::Last, r#""\"b""#, r#"{"b":2}"#),
        ] {
            assert_eq!(kept(keep, texts), (of_texts.to_owned(), false), "{keep:?}");
            assert_eq!(kept(keep, mixed), (of_mixed.to_owned(), false), "{keep:?}");
            assert_eq!(kept(keep, &[]), (String::new(), false), "{keep:?}");
        }
    }

    #[test]
    fn descriptions_are_not_joined() {
        let mut all = Items::default();
        all.add(br#""Token(1)""#, true);
        all.add(br#""Token(2)""#, true);
        assert_eq!(all.output(), br#"["Token(1)","Token(2)"]"#);
    }

    #[test]
    fn what_is_kept_is_bounded_and_texts_keep_their_beginning() {
        // Each letter takes six bytes of JSON.
        let escapes = serde_json::to_string(&"\u{1}".repeat(MOST_BYTES)).unwrap_or_default();
        let long = serde_json::to_string(&"ä".repeat(MOST_BYTES)).unwrap_or_default();
        let array = format!("[{}0]", "1,".repeat(MOST_BYTES));
        for keep in [Keep::Fitting, Keep::Collect, Keep::Last] {
            for item in [&long, &escapes] {
                let (output, truncated) = kept(keep, &[item]);
                let fits = output.len() <= MOST_BYTES + 2 && output.len() > MOST_BYTES - 8;
                assert!(truncated && fits, "{keep:?}: {}", output.len());
                assert!(serde_json::from_str::<serde_json::Value>(&output).is_ok(), "{keep:?}");
            }
            assert_eq!(kept(keep, &[&array]), (String::new(), true), "{keep:?}");
        }
        let (output, truncated) = kept(Keep::Join, &[&long, "1"]);
        assert!(truncated && output.len() == MOST_BYTES + 2, "{}", output.len());
        // The last one counts, whatever was before.
        assert_eq!(kept(Keep::Last, &[&array, "1"]), ("1".to_owned(), false));
        let many = vec![r#""four""#; MOST_BYTES];
        let (output, truncated) = kept(Keep::Collect, &many);
        assert!(truncated && output.len() <= MOST_BYTES + 2);
    }
}
