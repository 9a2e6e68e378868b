//! Losses that no server has heard of yet.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use serde::{Deserialize, Serialize};

use crate::null;

/// How many logs of each project clients had to give up without a server to tell it to. A client leaves them as JSON in the
/// file `losses.json` beside those of its spool; whoever next reaches a server, or the server that takes the folder in, adds
/// them to the project's figures and deletes the file.
///
/// A program that finds the file held by another one leaves one of its own instead, named `losses-….json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptLosses {
    /// One entry a project.
    #[serde(default, deserialize_with = "null::as_default")]
    pub losses: Vec<ProjectLosses>,
}

/// Losses of one project.
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
}

impl KeptLosses {
    /// The file that all share.
    pub const FILE: &str = "losses.json";

    /// Most projects that are told apart; what comes beyond is counted to none by name.
    pub const MOST_PROJECTS: usize = 100;

    /// Most reasons of one project that are told apart, as many as a server reads.
    pub const MOST_REASONS: usize = 32;

    /// Bytes of the longest file that is read.
    pub const LONGEST: u64 = 1 << 20;

    /// Whether a file of that name holds losses.
    pub fn is_file(path: &Path) -> bool {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.extension() == Some(OsStr::new("json")) && (stem == "losses" || stem.starts_with("losses-"))
    }

    /// Counts further ones. The sum stays small: too many projects, or reasons of one, are lumped together.
    pub fn add(&mut self, further: ProjectLosses) {
        const LONGEST_NAME: usize = 256;
        let ProjectLosses { project_name, project_uuid, counts } = further;
        let is_known = self.losses.iter().any(|known| known.project_name == project_name);
        let is_told_apart = is_known || (self.losses.len() < Self::MOST_PROJECTS && project_name.len() <= LONGEST_NAME);
        let name = if is_told_apart { project_name } else { String::new() };
        let at = self.losses.iter().position(|known| known.project_name == name).unwrap_or_else(|| {
            self.losses.push(ProjectLosses { project_name: name, ..ProjectLosses::default() });
            self.losses.len() - 1
        });
        let entry = &mut self.losses[at];
        if is_told_apart && project_uuid.as_ref().is_some_and(|uuid| uuid.len() <= LONGEST_NAME) {
            entry.project_uuid = project_uuid;
        }
        for (reason, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let is_told_apart = entry.counts.contains_key(&reason)
                || (entry.counts.len() < Self::MOST_REASONS - 1 && is_reason(&reason));
            let total = entry.counts.entry(if is_told_apart { reason } else { "other".to_owned() }).or_default();
            *total = total.saturating_add(count);
        }
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

/// Whether this may be a reason: a word that a header can carry.
fn is_reason(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(project: &str, reason: &str, count: u64) -> ProjectLosses {
        let counts = [(reason.to_owned(), count)].into();
        ProjectLosses { project_name: project.to_owned(), project_uuid: None, counts }
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
