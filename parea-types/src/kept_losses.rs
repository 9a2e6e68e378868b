//! Losses that no server has heard of yet.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use serde::{Deserialize, Serialize};

use crate::null;

/// How many logs of each project clients had to give up without a server to tell it to. A client leaves them as JSON in the
/// file `losses.json` beside those of its spool; whoever next reaches a server, or the server that takes the folder in, adds
/// them to the project's figures and deletes the file.
///
/// A program that finds the file held by another one leaves one of its own instead, named `losses-….json`.
///
/// Before an entry is told for the first time it gets an id, and from then on it is told as it is: a server counts no id twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptLosses {
    /// One entry a project that may still grow, and those that have an id.
    #[serde(default, deserialize_with = "null::as_default")]
    pub losses: Vec<ProjectLosses>,
}

/// Losses of one project, as one report to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProjectLosses {
    /// The project, by name; empty for the server's default.
    #[serde(default, deserialize_with = "null::as_default")]
    pub project_name: String,
    /// Its uuid, if the client knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_uuid: Option<String>,
    /// Numbers of logs by reason, such as `queue_full`.
    #[serde(default, deserialize_with = "null::as_default")]
    pub counts: BTreeMap<String, u64>,
    /// What tells the report from others, so that it is counted once however often it is sent; with it nothing is added.
    /// At most [`LONGEST_ID`](Self::LONGEST_ID) letters, digits and dashes; whatever else is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl ProjectLosses {
    /// Bytes of the longest id.
    pub const LONGEST_ID: usize = 64;

    /// Whether this may be the id of a report.
    pub fn is_id(text: &str) -> bool {
        (1..=Self::LONGEST_ID).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }

    /// Whether this may be a reason: a word that a header can carry.
    pub fn is_reason(text: &str) -> bool {
        (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }
}

impl KeptLosses {
    /// The file that all share.
    pub const FILE: &str = "losses.json";

    /// Most projects that are told apart; what comes beyond is counted to none by name.
    pub const MOST_PROJECTS: usize = 100;

    /// Most reports with ids that are kept apart; what comes beyond may be counted twice.
    pub const MOST_REPORTS: usize = 1000;

    /// Most reasons of one project that are told apart, as many as a server reads.
    pub const MOST_REASONS: usize = 32;

    /// Bytes of the longest file that is read.
    pub const LONGEST: u64 = 1 << 20;

    /// Whether a file of that name holds losses.
    pub fn is_file(path: &Path) -> bool {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.extension() == Some(OsStr::new("json")) && (stem == "losses" || stem.starts_with("losses-"))
    }

    /// Counts further ones. The sum stays small: too many projects, or reasons of one, are lumped together. A report whose id
    /// is there is there already.
    pub fn add(&mut self, further: ProjectLosses) {
        const LONGEST_NAME: usize = 256;
        let reports = self.losses.iter().filter(|known| known.id.is_some()).count();
        let id = further.id.filter(|id| ProjectLosses::is_id(id));
        if id.is_some() && self.losses.iter().any(|known| known.id == id) {
            return;
        }
        let id = id.filter(|_| reports < Self::MOST_REPORTS);
        let ProjectLosses { project_name, project_uuid, counts, .. } = further;
        let open = |known: &ProjectLosses| known.id.is_none();
        let is_known = self.losses.iter().any(|known| open(known) && known.project_name == project_name);
        let has_room = is_known || id.is_some() || self.losses.len() - reports < Self::MOST_PROJECTS;
        let is_told_apart = has_room && project_name.len() <= LONGEST_NAME;
        let name = if is_told_apart { project_name } else { String::new() };
        let same = |known: &ProjectLosses| id.is_none() && open(known) && known.project_name == name;
        let at = self.losses.iter().position(same).unwrap_or_else(|| {
            self.losses.push(ProjectLosses { project_name: name, id, ..ProjectLosses::default() });
            self.losses.len() - 1
        });
        let entry = &mut self.losses[at];
        if is_told_apart && project_uuid.as_ref().is_some_and(|uuid| uuid.len() <= LONGEST_NAME) {
            entry.project_uuid = project_uuid;
        }
        for (reason, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let is_told_apart = entry.counts.contains_key(&reason)
                || (entry.counts.len() < Self::MOST_REASONS - 1 && ProjectLosses::is_reason(&reason));
            let total = entry.counts.entry(if is_told_apart { reason } else { "other".to_owned() }).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// Gives the first entry an id if it has none; whether it was given one now.
    pub fn freeze(&mut self, fresh: impl FnOnce() -> String) -> bool {
        let Some(first) = self.losses.first_mut().filter(|first| first.id.is_none()) else { return false };
        first.id = Some(fresh());
        true
    }

    /// Reads a file. Entries that make no sense are passed over, a file that does not is `None`.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        let mut kept = Self::default();
        read.losses.into_iter().for_each(|losses| kept.add(losses));
        kept.losses.retain(|losses| !losses.counts.is_empty());
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(project: &str, reason: &str, count: u64) -> ProjectLosses {
        let counts = [(reason.to_owned(), count)].into();
        ProjectLosses { project_name: project.to_owned(), counts, ..ProjectLosses::default() }
    }

    #[test]
    fn what_has_an_id_is_there_once_and_never_grows() {
        let mut kept = KeptLosses::default();
        let report = ProjectLosses { id: Some("a-1".to_owned()), ..of("one", "rejected", 2) };
        kept.add(of("one", "rejected", 1));
        kept.add(report.clone());
        kept.add(of("one", "rejected", 4));
        kept.add(ProjectLosses { id: Some("a-1".to_owned()), ..of("one", "rejected", 100) });
        kept.add(ProjectLosses { id: Some("no id".to_owned()), ..of("one", "rejected", 8) });
        assert_eq!(kept.losses, [of("one", "rejected", 13), report]);
        assert!(kept.freeze(|| "a-2".to_owned()) && !kept.freeze(|| "a-3".to_owned()));
        kept.add(of("one", "rejected", 16));
        let counts: Vec<_> = kept.losses.iter().map(|losses| losses.counts["rejected"]).collect();
        assert_eq!(counts, [13, 2, 16]);
        assert_eq!(KeptLosses::read(&serde_json::to_vec(&kept).unwrap()), Some(kept));
    }

    #[test]
    fn whatever_is_added_the_sum_is_right_and_the_file_small() {
        let mut kept = KeptLosses::default();
        for n in 0..1_000 {
            kept.add(of(&format!("{n}"), "queue_full", 1));
            kept.add(of("one", &format!("reason_{n}"), 1));
            kept.add(of("one", "a, header=7", 1));
            kept.add(of(&"x".repeat(10_000), "too_large", u64::from(n == 0)));
        }
        let sum: u64 = kept.losses.iter().flat_map(|losses| losses.counts.values()).sum();
        let bytes = serde_json::to_vec(&kept).unwrap();
        assert_eq!((sum, KeptLosses::read(&bytes)), (3_001, Some(kept)));
        assert!(bytes.len() < 20_000, "{}", bytes.len());
    }

    #[test]
    fn a_file_of_another_version_or_of_nobody_is_read_as_far_as_it_makes_sense() {
        let some =
            br#"{"losses": [{"project_name": null, "counts": {"new_reason": 2, "none": 0}}, {"further": 1}], "v": 2}"#;
        assert_eq!(KeptLosses::read(some).unwrap().losses, [of("", "new_reason", 2)]);
        assert_eq!(KeptLosses::read(b"{\"losses\": [{"), None);
        assert!(["losses.json", "losses-7-1.json"].iter().all(|name| KeptLosses::is_file(Path::new(name))));
        assert!(!["losses.json.tmp", "1.ndjson", "x.json"].iter().any(|name| KeptLosses::is_file(Path::new(name))));
    }
}
