//! The whole state of the list, as its URL holds it.

use std::fmt;

use form_urlencoded::Serializer;
use parea_store::Cursor;
use parea_types::Timestamp;

use super::choice::Choice;

/// How many earlier pages a URL remembers. Beyond them "newer" leads to the newest.
const TRAIL: usize = 12;

/// Which traces are listed, and from where. What a URL holds beyond this, or misspells, is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) choice: Choice,
    /// The page begins behind this row; `None` at the newest.
    pub(super) after: Option<Cursor>,
    /// Where the pages before it began, oldest step first: the store walks one way only.
    trail: Vec<Cursor>,
}

impl ListQuery {
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "after" => parsed.after = read_cursor(&value),
                "before" => parsed.trail.extend(read_cursor(&value)),
                _ => parsed.choice.take(&key, &value),
            }
        }
        parsed
    }

    /// The next page of older traces.
    pub(super) fn older(&self, next: Cursor) -> Self {
        let mut older = Self { after: Some(next), ..self.clone() };
        older.trail.extend(self.after.clone());
        let forgotten = older.trail.len().saturating_sub(TRAIL);
        older.trail.drain(..forgotten);
        older
    }

    /// The page from which this one was reached; `None` on the newest.
    pub(super) fn newer(&self) -> Option<Self> {
        self.after.as_ref()?;
        let mut newer = self.clone();
        newer.after = newer.trail.pop();
        Some(newer)
    }

    /// The same choice from its newest trace on.
    pub(super) fn newest(&self) -> Self {
        Self { after: None, trail: Vec::new(), ..self.clone() }
    }

    /// The list of what is chosen.
    pub(super) fn of(choice: Choice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// The list of one project, or of all.
    pub(super) fn of_project(project: Option<String>) -> Self {
        Self::of(Choice { project, ..Choice::default() })
    }
}

/// The list's address.
impl fmt::Display for ListQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = Serializer::new(String::new());
        self.choice.write(&mut query);
        query.extend_pairs(self.trail.iter().map(|cursor| ("before", write_cursor(cursor))));
        query.extend_pairs(self.after.iter().map(|cursor| ("after", write_cursor(cursor))));
        let query = query.finish();
        f.write_str("/")?;
        if query.is_empty() { Ok(()) } else { write!(f, "?{query}") }
    }
}

fn write_cursor(cursor: &Cursor) -> String {
    format!("{}.{}", cursor.started.micros(), cursor.id)
}

fn read_cursor(text: &str) -> Option<Cursor> {
    let (micros, id) = text.split_once('.')?;
    Some(Cursor { started: Timestamp::from_micros(micros.parse().ok()?)?, id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use parea_types::Status;

    use super::*;

    fn cursor(micros: i64, id: &str) -> Cursor {
        Cursor { started: Timestamp::from_micros(micros).unwrap(), id: id.to_owned() }
    }

    #[test]
    fn a_url_holds_the_whole_state() {
        let mut first = ListQuery::parse("range=1h");
        first.choice.project = Some("a & b / ü\"<".to_owned());
        first.choice.status = Some(Status::Error);
        let third = first.older(cursor(7, "x.y &=")).older(cursor(-3, "z"));
        let url = third.to_string();
        assert_eq!(ListQuery::parse(url.strip_prefix("/?").unwrap()), third);
        assert_eq!(third.newer().unwrap().newer().unwrap(), first);
        assert_eq!(first.newer(), None);
        assert_eq!(third.newest(), first);
    }

    #[test]
    fn a_long_walk_keeps_the_url_short() {
        let mut query = ListQuery::default();
        for step in 0..1_000 {
            query = query.older(cursor(step, "018f7a52-0000-7000-8000-000000000000"));
        }
        assert!(query.to_string().len() < 1_000);
        let mut back = query.newer();
        for _ in 0..TRAIL {
            back = back.unwrap().newer();
        }
        assert_eq!(back.unwrap(), ListQuery::default());
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        assert_eq!(
            ListQuery::parse("project=&status=odd&range=1y&after=x&before=1&page=7&after=99999999999999999999.a"),
            { ListQuery::default() }
        );
    }
}
