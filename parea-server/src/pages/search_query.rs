//! The whole state of a search, as its URL holds it.

use std::fmt;

use form_urlencoded::Serializer;
use parea_store::TextCursor;

use super::choice::Choice;

/// How many earlier pages a URL remembers. Beyond them "newer" leads to the newest.
const TRAIL: usize = 12;

/// What is looked for, and from where. What a URL holds beyond this, or misspells, is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SearchQuery {
    /// As it was typed.
    pub(super) text: String,
    pub(super) choice: Choice,
    /// The page begins behind this log; `None` at the newest.
    pub(super) after: Option<TextCursor>,
    /// Where the pages before it began, oldest step first.
    trail: Vec<TextCursor>,
}

impl SearchQuery {
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => parsed.text = value.into_owned(),
                "after" => parsed.after = value.parse().ok().map(TextCursor),
                "before" => parsed.trail.extend(value.parse().ok().map(TextCursor)),
                _ => parsed.choice.take(&key, &value),
            }
        }
        parsed
    }

    /// Where the search goes on.
    pub(super) fn older(&self, next: TextCursor) -> Self {
        let mut older = Self { after: Some(next), ..self.clone() };
        older.trail.extend(self.after);
        let forgotten = older.trail.len().saturating_sub(TRAIL);
        older.trail.drain(..forgotten);
        older
    }

    /// The page from which this one was reached; `None` on the newest.
    pub(super) fn newer(&self) -> Option<Self> {
        self.after?;
        let mut newer = self.clone();
        newer.after = newer.trail.pop();
        Some(newer)
    }

    /// The same search from its newest hit on.
    pub(super) fn newest(&self) -> Self {
        self.among(self.choice.clone())
    }

    /// The same words among other spans.
    pub(super) fn among(&self, choice: Choice) -> Self {
        Self { text: self.text.clone(), choice, ..Self::default() }
    }
}

/// The address of the search.
impl fmt::Display for SearchQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = Serializer::new(String::new());
        query.append_pair("q", &self.text);
        self.choice.write(&mut query);
        query.extend_pairs(self.trail.iter().map(|cursor| ("before", cursor.0.to_string())));
        query.extend_pairs(self.after.map(|cursor| ("after", cursor.0.to_string())));
        write!(f, "/search?{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_holds_the_whole_state() {
        let url = "/search?q=%22a+%26+b%22+%C3%BC*&project=p+%2F+q&status=error&range=1h";
        let first = SearchQuery::parse(url.strip_prefix("/search?").unwrap());
        assert_eq!(first.text, "\"a & b\" ü*");
        assert_eq!(first.to_string(), url);
        let third = first.older(TextCursor(70)).older(TextCursor(7));
        assert_eq!(SearchQuery::parse(third.to_string().strip_prefix("/search?").unwrap()), third);
        assert_eq!(third.newer().unwrap().newer().unwrap(), first);
        assert_eq!((first.newer(), third.newest()), (None, first));
        assert_eq!(SearchQuery::parse("status=odd&after=x&before=-1&page=7"), SearchQuery::default());
    }
}
