//! The whole state of the list, as its URL holds it.

use std::fmt;

use form_urlencoded::Serializer;
use parea_store::Cursor;
use parea_types::{Status, Timestamp};

/// How many earlier pages a URL remembers. Beyond them "newer" leads to the newest.
const TRAIL: usize = 12;

/// How far back the list reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// In the URL.
    pub(super) key: &'static str,
    /// In the form.
    pub(super) label: &'static str,
    seconds: i64,
}

/// All ranges on offer.
pub(super) const RANGES: [Range; 5] = [
    Range { key: "15m", label: "Last 15 minutes", seconds: 15 * 60 },
    Range { key: "1h", label: "Last hour", seconds: 3_600 },
    Range { key: "24h", label: "Last 24 hours", seconds: 86_400 },
    Range { key: "7d", label: "Last 7 days", seconds: 7 * 86_400 },
    Range { key: "30d", label: "Last 30 days", seconds: 30 * 86_400 },
];

impl Range {
    /// The earliest start that still belongs to it.
    pub(super) fn from(self, now: Timestamp) -> Option<Timestamp> {
        Timestamp::from_micros(now.micros() - self.seconds * 1_000_000)
    }
}

/// Which traces are listed, and from where. What a URL holds beyond this, or misspells, is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// A project's name; `None` for all.
    pub(super) project: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) range: Option<Range>,
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
                "project" if !value.is_empty() => parsed.project = Some(value.into_owned()),
                "status" => {
                    parsed.status =
                        [Status::Success, Status::Error].into_iter().find(|status| status.as_str() == value);
                }
                "range" => parsed.range = RANGES.into_iter().find(|range| range.key == value),
                "after" => parsed.after = read_cursor(&value),
                "before" => parsed.trail.extend(read_cursor(&value)),
                _ => {}
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

    /// The list of one project, or of all.
    pub(super) fn of_project(project: Option<String>) -> Self {
        Self { project, ..Self::default() }
    }

    /// Whether anything but the project narrows the list.
    pub(super) fn narrows(&self) -> bool {
        self.status.is_some() || self.range.is_some()
    }
}

/// The list's address.
impl fmt::Display for ListQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.project.iter().map(|name| ("project", name)));
        query.extend_pairs(self.status.map(|status| ("status", status.as_str())));
        query.extend_pairs(self.range.map(|range| ("range", range.key)));
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
    use super::*;

    fn cursor(micros: i64, id: &str) -> Cursor {
        Cursor { started: Timestamp::from_micros(micros).unwrap(), id: id.to_owned() }
    }

    #[test]
    fn a_url_holds_the_whole_state() {
        let first = ListQuery {
            project: Some("a & b / ü\"<".to_owned()),
            status: Some(Status::Error),
            range: Some(RANGES[1]),
            ..ListQuery::default()
        };
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
