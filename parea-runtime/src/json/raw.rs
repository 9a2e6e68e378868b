//! Values that are JSON text already.

use serde::{Serialize, ser::Error as _};

use super::{
    MOST_BYTES, Out as _,
    failure::{DEEPEST, Failure},
    push_text,
    writer::{Items, Json},
};

impl Json<'_> {
    /// Whether others can read this JSON in its place. Text that is JSON by its grammar alone may hold numbers beyond
    /// all bounds or half a surrogate.
    fn is_readable(&self, text: &str) -> bool {
        // Its reader stops at 128 levels.
        let around = self.depth + 127 - DEEPEST;
        let nested = ["[".repeat(around).as_str(), text, "]".repeat(around).as_str()].concat();
        serde_json::from_str::<serde_json::Value>(&nested).is_ok()
    }
}

impl Items<'_, '_> {
    #[cold]
    pub(super) fn raw<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        // The one field is a text that holds the JSON.
        let quoted = serde_json::to_string(value).map_err(Failure::custom)?;
        let text: String = serde_json::from_str(&quoted).map_err(Failure::custom)?;
        if text.len() <= MOST_BYTES && !self.json.is_readable(&text) {
            push_text(&mut self.json.buffer.bytes, &text);
        } else {
            // A log is one line. In strings there is no control character.
            let text: Vec<u8> = text.bytes().map(|byte| if byte < b' ' { b' ' } else { byte }).collect();
            self.json.buffer.bytes.extend(&text);
        }
        self.json.within_limit()
    }
}
