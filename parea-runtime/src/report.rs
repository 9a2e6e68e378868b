//! What became of the logs.

use std::{collections::BTreeMap, fmt};

/// Why a log was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue was at its cap of bytes when the span ended.
    QueueFull,
    /// The log alone is larger than the queue's cap, or than the server takes in one request.
    TooLarge,
    /// The server refused this log as invalid (422), or it could not be encoded.
    Rejected,
    /// The spool folder could not be written or read, or not before the end of the program's deadline.
    SpoolFailed,
    /// The spool holds as much as it may, or the disk is full.
    SpoolFull,
    /// A line of the spool was no log any more.
    Damaged,
    /// The server answered 500 to this log again and again, and took others meanwhile. It lies in `rejected/` in the spool.
    ServerFailed,
}

impl DropReason {
    /// The reason's name in reports and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::SpoolFailed => "spool_failed",
            Self::SpoolFull => "spool_full",
            Self::Damaged => "damaged",
            Self::ServerFailed => "server_failed",
        }
    }
}

/// Where all finished spans of this process are now.
///
/// `delivered + spooled + dropped + pending` is the number of spans that ended; `open` stands apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Acknowledged by the server.
    pub delivered: u64,
    /// In the spool: sent when the server is back, by this process or the next. Without a server that was named,
    /// `parea serve` takes them in.
    pub spooled: u64,
    /// Given up, by reason. Reasons without a log are left out.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Ended, and in memory alone.
    pub pending: u64,
    /// Started and not ended yet.
    pub open: u64,
    /// Of those that ended, the ones that went without the scores of evaluations that still ran when the program ended.
    pub unevaluated: u64,
    /// Secrets that were taken out of logs: values by the names or types that they have, parts of texts by their looks.
    pub redacted: u64,
    /// What became of logs that earlier processes had left in the spool; no part of the sum.
    pub earlier: EarlierLogs,
    /// What the last attempt to deliver failed with, if it failed.
    pub last_error: Option<String>,
}

/// Logs that an earlier process could not deliver and this one found in the spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EarlierLogs {
    /// Acknowledged by the server.
    pub delivered: u64,
    /// Given up, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
}

impl FlushReport {
    /// Number of logs that were given up for any reason.
    pub fn total_dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Number of spans that ended.
    pub fn finished(&self) -> u64 {
        self.delivered + self.spooled + self.total_dropped() + self.pending
    }

    /// Whether every span that ended is at the server or in the spool.
    pub fn is_complete(&self) -> bool {
        self.pending == 0 && self.dropped.is_empty()
    }
}

impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} delivered", self.delivered)?;
        if self.spooled > 0 {
            write!(f, ", {} spooled", self.spooled)?;
        }
        if self.pending > 0 {
            write!(f, ", {} pending", self.pending)?;
        }
        if !self.dropped.is_empty() {
            write!(f, ", {} dropped (", self.total_dropped())?;
            for (index, (reason, count)) in self.dropped.iter().enumerate() {
                write!(f, "{}{}={count}", if index == 0 { "" } else { ", " }, reason.as_str())?;
            }
            f.write_str(")")?;
        }
        if self.open > 0 {
            write!(f, ", {} still open", self.open)?;
        }
        if self.redacted > 0 {
            write!(f, ", {} secrets redacted", self.redacted)?;
        }
        if let Some(error) = &self.last_error {
            write!(f, "; {error}")?;
        }
        Ok(())
    }
}
