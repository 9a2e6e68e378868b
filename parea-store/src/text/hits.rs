//! Where in a log the words of a query stand.

use std::{borrow::Cow, ops::Range};

use parea_types::TraceLog;

use super::{
    pieces::{Field, Said, within},
    query::TextQuery,
    tokens::each_token,
};

/// A text of a log with words of a query in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// What of the log it is.
    pub field: Field,
    /// The key of inputs or metadata below which it stands, or the role of the message.
    pub key: Option<&'a str>,
    /// All of it that is searched.
    pub text: Cow<'a, str>,
    /// The words, in order. Those of different terms may overlap.
    pub words: Vec<Word>,
}

/// One word, or the words of a phrase with what is between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Which of the query's terms it is.
    pub term: usize,
    /// Its bytes.
    pub range: Range<usize>,
}

impl TextQuery {
    /// Texts of a log that have all terms between them, each with a term that none before it has: inputs first, then
    /// messages, output, error, metadata and the name. Fewer where the log does not [match](Self::matches).
    pub fn hits<'a>(&self, log: &'a TraceLog) -> Vec<Hit<'a>> {
        let (mut size, mut searched) = (0, Vec::new());
        Said::by(log).each_text(|field, key, text| {
            let end = within(&text, size).len();
            size += end;
            let text = match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
                Cow::Owned(text) => Cow::Owned(text[..end].to_owned()),
            };
            searched.push((field, key, text));
        });
        searched.sort_by_key(|(field, ..)| match field {
            Field::Inputs => 0,
            Field::Messages => 1,
            Field::Output => 2,
            Field::Error => 3,
            Field::Metadata => 4,
            Field::Name => 5,
        });
        let mut missing: Vec<usize> = (0..self.terms.len()).collect();
        let mut hits = Vec::new();
        for (field, key, text) in searched {
            if missing.is_empty() {
                break;
            }
            let words = self.words(&text);
            let before = missing.len();
            missing.retain(|term| words.iter().all(|word| word.term != *term));
            if missing.len() < before {
                hits.push(Hit { field, key, text, words });
            }
        }
        hits
    }

    /// Where words of the query stand in a text, in order.
    pub fn words(&self, text: &str) -> Vec<Word> {
        let lower = Lower::of(text);
        let mut ranges = Vec::new();
        each_token(&lower.text, |range| ranges.push(range));
        let tokens: Vec<&str> = ranges.iter().map(|range| &lower.text[range.clone()]).collect();
        let mut words = Vec::new();
        for (number, term) in self.terms.iter().enumerate() {
            for place in term.places(&tokens) {
                let range = ranges[place].start..ranges[place + term.tokens.len() - 1].end;
                words.push(Word { term: number, range: lower.original(&range) });
            }
        }
        words.sort_by_key(|word| (word.range.start, word.range.end));
        words
    }
}

/// A text in [lower case](super::lowercase), with the way back.
struct Lower {
    text: String,
    /// Where each character begins, here and in the original; empty where these are the same.
    begins: Vec<(usize, usize)>,
}

impl Lower {
    fn of(original: &str) -> Self {
        if original.is_ascii() {
            return Self { text: original.to_ascii_lowercase(), begins: Vec::new() };
        }
        let mut lower = Self { text: String::with_capacity(original.len()), begins: Vec::new() };
        for (at, char) in original.char_indices() {
            lower.begins.push((lower.text.len(), at));
            lower.text.extend(char.to_lowercase());
        }
        lower.begins.push((lower.text.len(), original.len()));
        lower
    }

    /// The characters of the original from which those of a range were made, each as a whole.
    fn original(&self, range: &Range<usize>) -> Range<usize> {
        if self.begins.is_empty() {
            return range.clone();
        }
        let first = self.begins.partition_point(|(here, _)| *here <= range.start).saturating_sub(1);
        let end = self.begins.partition_point(|(here, _)| *here < range.end);
        let at = |place: usize| self.begins.get(place).or(self.begins.last()).map_or(0, |(_, original)| *original);
        at(first)..at(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(query: &str, text: &str) -> Vec<String> {
        let words = TextQuery::parse(query).unwrap().words(text);
        words.into_iter().map(|word| text[word.range].to_owned()).collect()
    }

    #[test]
    fn words_are_marked_as_they_are_written() {
        let text = "ÄPFEL İzmir: Search_Orders of the Straße, 退款申請, orders";
        assert_eq!(marked("äpfel", text), ["ÄPFEL"]);
        assert_eq!(marked("search_orders", text), ["Search_Orders"]);
        assert_eq!(marked("order* stra*", text), ["Orders", "Straße", "orders"]);
        assert_eq!(marked("\"orders OF the\" the", text), ["Orders of the", "the"]);
        assert_eq!(marked("款申", text), ["款申"]);
        assert_eq!(marked("*mir", text), ["zmir"]);
        assert!(marked("rder", text).is_empty());
    }

    #[test]
    fn a_hit_names_its_place_and_none_says_what_another_has_said() {
        let log: TraceLog = serde_json::from_value(serde_json::json!({
            "trace_id": "a", "start_timestamp": "2026-11-20 10:00:00", "trace_name": "refund", "output": "the order 42", "error": "no order", "metadata": { "plan": ["x", { "a": 7 }] },
            "inputs": { "first": "nothing", "second": { "deep": "a Refund" } },
            "configuration": { "messages": [
                { "role": "system", "content": "Be kind." },
                { "role": "user", "content": [
                    { "type": "text", "text": "What is this?" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,kind+this+nothing" } },
                ] },
                { "role": "developer", "content": [{ "type": "tool_result", "content": [{ "type": "text", "text": "sold" }] }] },
            ] },
        }))
        .unwrap();
        let hits = |query: &str| {
            let query = TextQuery::parse(query).unwrap();
            let hits = query.hits(&log).into_iter();
            hits.map(|hit| (hit.field, hit.key, hit.text.into_owned(), hit.words.len())).collect::<Vec<_>>()
        };
        let inputs = (Field::Inputs, Some("second"), "a Refund".to_owned(), 1);
        assert_eq!(hits("the order refund"), [inputs, (Field::Output, None, "the order 42".to_owned(), 2)]);
        assert_eq!(hits("7"), [(Field::Metadata, Some("plan"), "7".to_owned(), 1)]);
        assert_eq!(hits("kind"), [(Field::Messages, Some("system"), "Be kind.".to_owned(), 1)]);
        assert_eq!(hits("this"), [(Field::Messages, Some("user"), "What is this?".to_owned(), 1)]);
        assert_eq!(hits("sold"), [(Field::Messages, Some("developer"), "sold".to_owned(), 1)]);
        assert_eq!(hits("png"), []);
        assert_eq!(hits("missing"), []);
    }

    proptest! {
        #[test]
        fn a_log_that_matches_has_a_word_of_each_term(
            texts in prop::array::uniform3("[abAİß退款 _.]{0,12}"),
            query in "[*]?[abİ退 _\"]{1,6}[*]?( [ab款]{1,2}[*]?)?",
        ) {
            let Ok(query) = TextQuery::parse(&query) else { return Ok(()) };
            let [name, output, input] = texts;
            let log = TraceLog {
                trace_name: Some(name),
                output: Some(output),
                inputs: Some([("key".to_owned(), input.into())].into_iter().collect()),
                ..TraceLog::default()
            };
            let hits = query.hits(&log);
            let mut terms: Vec<usize> = hits.iter().flat_map(|hit| hit.words.iter().map(|word| word.term)).collect();
            terms.sort_unstable();
            terms.dedup();
            prop_assert_eq!(query.matches(&log), terms.len() == query.terms.len());
            for hit in &hits {
                for word in &hit.words {
                    prop_assert!(hit.text.get(word.range.clone()).is_some_and(|word| !word.is_empty()));
                }
            }
        }
    }
}
