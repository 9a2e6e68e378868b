//! What narrows the traces that are listed and the spans that are searched, and the form for it.

use form_urlencoded::Serializer;
use parea_store::{LogFilter, Project};
use parea_types::{Status, Timestamp};

/// How far back one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// In the URL.
    pub(super) key: &'static str,
    /// In the form.
    pub(super) label: &'static str,
    seconds: i64,
}

/// All ranges on offer.
const RANGES: [Range; 5] = [
    Range { key: "15m", label: "Last 15 minutes", seconds: 15 * 60 },
    Range { key: "1h", label: "Last hour", seconds: 3_600 },
    Range { key: "24h", label: "Last 24 hours", seconds: 86_400 },
    Range { key: "7d", label: "Last 7 days", seconds: 7 * 86_400 },
    Range { key: "30d", label: "Last 30 days", seconds: 30 * 86_400 },
];

impl Range {
    /// The earliest start that still belongs to it.
    fn from(self, now: Timestamp) -> Option<Timestamp> {
        Timestamp::from_micros(now.micros() - self.seconds * 1_000_000)
    }
}

/// Project, status and age. What a URL misspells is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// A project's name; `None` for all.
    pub(super) project: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) range: Option<Range>,
}

impl Choice {
    /// Takes one pair of a URL's query, if it is about this.
    pub(super) fn take(&mut self, key: &str, value: &str) {
        match key {
            "project" if !value.is_empty() => self.project = Some(value.to_owned()),
            "status" => {
                self.status = [Status::Success, Status::Error].into_iter().find(|status| status.as_str() == value);
            }
            "range" => self.range = RANGES.into_iter().find(|range| range.key == value),
            _ => {}
        }
    }

    /// The pairs that say it.
    pub(super) fn write(&self, query: &mut Serializer<'_, String>) {
        query.extend_pairs(self.pairs());
    }

    /// The same, for hidden fields of a form.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let project = self.project.iter().map(|name| ("project", name.as_str()));
        let status = self.status.iter().map(|status| ("status", status.as_str()));
        project.chain(status).chain(self.range.map(|range| ("range", range.key)))
    }

    /// Whether anything but the project narrows it.
    pub(super) fn narrows(&self) -> bool {
        self.status.is_some() || self.range.is_some()
    }

    /// The same project, whatever the status and age.
    pub(super) fn widened(&self) -> Self {
        Self { project: self.project.clone(), ..Self::default() }
    }

    /// What the store is asked for.
    pub(super) fn filter(&self, now: Timestamp) -> LogFilter {
        let started_from = self.range.and_then(|range| range.from(now));
        LogFilter { status: self.status, started_from, ..LogFilter::default() }
    }
}

/// The form of a choice.
pub(super) struct Filters<'a> {
    /// Names, and whether they are chosen.
    pub(super) projects: Vec<(&'a str, bool)>,
    pub(super) ranges: Vec<(Range, bool)>,
    pub(super) choice: &'a Choice,
}

impl<'a> Filters<'a> {
    pub(super) fn new(choice: &'a Choice, projects: &'a [Project]) -> Self {
        let is_chosen = |name: &String| choice.project.as_ref() == Some(name);
        Self {
            projects: projects.iter().map(|project| (&*project.name, is_chosen(&project.name))).collect(),
            ranges: RANGES.into_iter().map(|range| (range, choice.range == Some(range))).collect(),
            choice,
        }
    }

    pub(super) fn is_status(&self, text: &str) -> bool {
        self.choice.status.is_some_and(|status| status.as_str() == text)
    }
}
