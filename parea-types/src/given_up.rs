//! Lines of spool files that are not to be sent any more.

use std::collections::BTreeMap;

use crate::ProjectLosses;

/// What stands in a file of the spool in the place of a log that was given up: over the first bytes of its line
/// `#REPORT REASON `, so that the file tells by itself which report of losses counts the line, however often it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Id of the report that counts it.
    pub report: String,
    /// Why, such as `rejected`.
    pub reason: String,
}

impl GivenUp {
    /// What is written over the begin of the line.
    pub fn mark(&self) -> String {
        format!("#{} {} ", self.report, self.reason)
    }

    /// Reads such a line; `None` is any other.
    pub fn read(line: &[u8]) -> Option<Self> {
        const LONGEST: usize = 256;
        let rest = line.strip_prefix(b"#")?;
        // What the log was may have been cut within a letter.
        let text = rest.get(..LONGEST).unwrap_or(rest).utf8_chunks().next()?.valid();
        let mut words = text.split(' ');
        let (report, reason) = (words.next()?, words.next()?);
        words.next()?;
        (ProjectLosses::is_id(report) && ProjectLosses::is_reason(reason))
            .then(|| Self { report: report.to_owned(), reason: reason.to_owned() })
    }

    /// Counts lines by report: reports without a project.
    pub fn reports(lines: impl IntoIterator<Item = Self>) -> Vec<ProjectLosses> {
        let mut reports = BTreeMap::<String, BTreeMap<String, u64>>::new();
        for Self { report, reason } in lines {
            *reports.entry(report).or_default().entry(reason).or_default() += 1;
        }
        let reports = reports.into_iter();
        reports.map(|(id, counts)| ProjectLosses { id: Some(id), counts, ..ProjectLosses::default() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_given_up_says_so_whatever_it_was() {
        let given = GivenUp { report: "0192-a".to_owned(), reason: "rejected".to_owned() };
        let mark = given.mark();
        for rest in ["", "ce_id\":\"1\"}", "\u{fffd} #x y"] {
            assert_eq!(GivenUp::read(format!("{mark}{rest}").as_bytes()), Some(given.clone()));
        }
        assert_eq!(GivenUp::read(&[mark.as_bytes(), &[0x80, b'{']].concat()), Some(given));
        for other in ["{\"trace_id\":\"#a b \"}", "#", "#0192-a rejected", "# rejected x", "#a rejected, x", ""] {
            assert_eq!(GivenUp::read(other.as_bytes()), None, "{other}");
        }
    }
}
