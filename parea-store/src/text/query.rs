//! What is looked for.

use parea_types::TraceLog;

use super::{
    pieces::Pieces,
    tokens::{each_token, lowercase},
};

/// Terms of a query.
const MOST_TERMS: usize = 32;

/// Words of a term.
const MOST_TOKENS: usize = 256;

/// A query as it was typed: all of its terms must occur in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextQuery {
    pub(crate) terms: Vec<Term>,
}

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextQueryError {
    /// There is no letter and no digit in it.
    #[error("the query has no word to look for")]
    Empty,
    /// It has too many words.
    #[error("the query is too long: at most {MOST_TERMS} terms of {MOST_TOKENS} words can be looked for")]
    TooLong,
}

/// Words that follow one another in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) tokens: Vec<Token>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Whether the word may begin with more.
    pub(crate) open_start: bool,
    /// Whether it may end with more.
    pub(crate) open_end: bool,
}

impl TextQuery {
    /// Reads `word "a phrase" begin* *end *part*`. A quote that is not closed reaches to the end.
    pub fn parse(text: &str) -> Result<Self, TextQueryError> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let term = if let Some(quoted) = rest.strip_prefix('"') {
                let (phrase, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
                rest = behind;
                Term::of(phrase, false, false)
            } else {
                let end = rest.find(|char: char| char.is_whitespace() || char == '"').unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                rest = behind;
                Term::of(word, word.starts_with('*'), word.ends_with('*'))
            };
            rest = rest.trim_start();
            if term.tokens.len() > MOST_TOKENS || terms.len() > MOST_TERMS {
                return Err(TextQueryError::TooLong);
            }
            if !term.tokens.is_empty() && !terms.contains(&term) {
                terms.push(term);
            }
        }
        if terms.is_empty() { Err(TextQueryError::Empty) } else { Ok(Self { terms }) }
    }

    /// Whether a log has all of it.
    pub fn matches(&self, log: &TraceLog) -> bool {
        self.matches_pieces(&Pieces::of(log))
    }

    pub(crate) fn matches_pieces(&self, pieces: &Pieces) -> bool {
        let mut missing: Vec<&Term> = self.terms.iter().collect();
        let mut words: Vec<&str> = Vec::new();
        for text in pieces.texts() {
            words.clear();
            each_token(text, |range| words.push(&text[range]));
            missing.retain(|term| !term.is_in(&words));
            if missing.is_empty() {
                return true;
            }
        }
        false
    }
}

impl Term {
    fn of(text: &str, open_start: bool, open_end: bool) -> Self {
        let text = lowercase(text);
        let mut tokens = Vec::new();
        each_token(&text, |range| {
            tokens.push(Token { text: text[range].to_owned(), open_start: false, open_end: false });
        });
        if let Some(first) = tokens.first_mut() {
            first.open_start = open_start;
        }
        if let Some(last) = tokens.last_mut() {
            last.open_end = open_end;
        }
        Self { tokens }
    }

    fn is_in(&self, words: &[&str]) -> bool {
        self.places(words).next().is_some()
    }

    /// Where it begins among the words.
    pub(crate) fn places(&self, words: &[&str]) -> impl Iterator<Item = usize> {
        let is = |words: &[&str]| self.tokens.iter().zip(words).all(|(token, word)| token.is(word));
        words.windows(self.tokens.len()).enumerate().filter(move |(_, words)| is(words)).map(|(place, _)| place)
    }
}

impl Token {
    pub(crate) fn is(&self, word: &str) -> bool {
        match (self.open_start, self.open_end) {
            (false, false) => word == self.text,
            (false, true) => word.starts_with(&self.text),
            (true, false) => word.ends_with(&self.text),
            (true, true) => word.contains(&self.text),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open_start || self.open_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str, output: &str) -> bool {
        let log = TraceLog { output: Some(output.to_owned()), ..TraceLog::default() };
        TextQuery::parse(query).unwrap().matches(&log)
    }

    #[test]
    fn all_terms_in_one_log_whatever_the_case() {
        let text = "Refund of order 42 was refused: search_orders found nothing. 退款申請";
        for query in
            ["refund", "NOTHING order", "\"of order\"", "search_orders", "refu*", "*fun*", "*thing", "退款", "款申"]
        {
            assert!(found(query, text), "{query}");
        }
        for query in
            ["refun", "order missing", "\"order of\"", "orders_search", "*efundx*", "fused*", "款退", "\"refund 42\""]
        {
            assert!(!found(query, text), "{query}");
        }
    }

    #[test]
    fn what_is_no_query_says_so() {
        for text in ["", "  ", "* \"\" --"] {
            assert_eq!(TextQuery::parse(text), Err(TextQueryError::Empty), "{text}");
        }
        let long: Vec<String> = (0..40).map(|n| format!("w{n}")).collect();
        assert_eq!(TextQuery::parse(&long.join(" ")), Err(TextQueryError::TooLong));
    }
}
