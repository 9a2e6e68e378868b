//! Logs to which a server answers 500 whenever they come, while it takes others. Such a log would hold up all that lies
//! behind it.
//!
//! Once a batch has failed like that often enough it is searched: a part that fails is sent in halves, in order, down to
//! single logs. One that fails alone, and then the server takes another, gets a strike; with the third it is given up. So a
//! server that fails whatever comes never costs a log.

use super::{Line, http::Answer};
use crate::{api::ApiError, report::DropReason};

/// Attempts that failed before a batch is searched, and after one has been found.
const PATIENCE: u32 = 8;
const LITTLE_PATIENCE: u32 = 1;

/// What a log may cost.
const STRIKES: u32 = 3;

/// Most suspects of one attempt, so that it has an end.
const MOST: usize = 32;

/// What is known of a server's logs from one attempt to the next.
#[derive(Debug)]
pub(super) struct Suspects {
    /// Attempts in a row that ended with a 500.
    failures: u32,
    patience: u32,
    strikes: Vec<(Line, u32)>,
    /// A log that the server took. It is stored once, however often it is sent.
    taken: Option<Line>,
}

impl Default for Suspects {
    fn default() -> Self {
        Self { failures: 0, patience: PATIENCE, strikes: Vec::new(), taken: None }
    }
}

/// One attempt to send some logs.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) answer: Answer,
    /// What is still to be sent, the first part last.
    pub(super) parts: Vec<Vec<Line>>,
    /// A log that fails is searched for.
    searches: bool,
    /// Logs that failed alone.
    suspects: Vec<Line>,
    /// How many of them did before the server took another.
    confirmed: usize,
    /// What the last of them failed with.
    error: Option<ApiError>,
}

impl Round {
    /// Whether this makes a log of the batch suspect, rather than the server.
    pub(super) fn is_telling(&self, error: &ApiError) -> bool {
        self.searches && error.status() == Some(500)
    }

    /// What is next is sent in halves.
    pub(super) fn halve(&mut self, mut lines: Vec<Line>) {
        let second = lines.split_off(lines.len() / 2);
        self.parts.push(second);
        self.parts.push(lines);
    }

    /// This one failed alone. It is sent again, like all that failed.
    pub(super) fn suspect(&mut self, line: Line, error: ApiError) {
        self.suspects.push(line);
        self.error = Some(error);
    }

    /// The server has taken a log since.
    pub(super) fn took(&mut self) {
        self.confirmed = self.suspects.len();
    }

    /// Whether it is time to ask whether the server takes anything at all.
    pub(super) fn is_in_doubt(&self) -> bool {
        let open = self.suspects.len() - self.confirmed;
        self.answer.failure.is_none() && (open > 1 || (open > 0 && self.parts.is_empty()))
    }

    /// Whether nothing more is to be sent before that is known, or at all.
    pub(super) fn pauses(&self) -> bool {
        self.answer.failure.is_some() || self.suspects.len() - self.confirmed > 1 || self.suspects.len() >= MOST
    }

    /// Nothing more is sent.
    pub(super) fn give_in(&mut self, error: Option<ApiError>) {
        self.answer.failure = error.or_else(|| self.error.clone());
    }
}

impl Suspects {
    pub(super) fn begin(&self, lines: Vec<Line>) -> Round {
        Round {
            answer: Answer::default(),
            parts: vec![lines],
            searches: self.failures >= self.patience,
            suspects: Vec::new(),
            confirmed: 0,
            error: None,
        }
    }

    /// The server has taken this one.
    pub(super) fn took(&mut self, line: &Line) {
        self.taken = Some(Line::clone(line));
    }

    /// A log to ask the server with: one that it took before, else one of those that wait. The first of them keeps their
    /// order; where it was of no use any other may do.
    pub(super) fn probe(&self, round: &Round, behind: impl Fn() -> Vec<Line>) -> Option<Line> {
        let waits = || {
            let rest: Vec<Line> = round.parts.iter().rev().flatten().cloned().collect();
            let waiting = if rest.is_empty() { behind() } else { rest };
            let place = if self.failures > self.patience { fastrand::usize(..waiting.len().max(1)) } else { 0 };
            waiting.into_iter().nth(place)
        };
        self.taken.clone().or_else(waits)
    }

    /// Whether the attempt has found as much as one may.
    pub(super) fn is_enough(round: &Round) -> bool {
        round.suspects.len() >= MOST && round.answer.failure.is_none()
    }

    /// What the attempt comes to.
    pub(super) fn judge(&mut self, round: Round) -> Answer {
        let Round { mut answer, suspects, confirmed, error, .. } = round;
        for line in &suspects[..confirmed] {
            match self.strikes.iter_mut().find(|(known, _)| Line::ptr_eq(known, line)) {
                Some((_, strikes)) => *strikes += 1,
                None => self.strikes.push((Line::clone(line), 1)),
            }
        }
        let complaint = error.as_ref().map(ToString::to_string).unwrap_or_default();
        let guilty =
            |line: &Line| self.strikes.iter().any(|(known, strikes)| *strikes >= STRIKES && Line::ptr_eq(known, line));
        let given_up: Vec<Line> = answer.again.extract_if(.., |line| guilty(line)).collect();
        if !given_up.is_empty() {
            self.patience = LITTLE_PATIENCE;
        }
        for line in given_up {
            answer.drop_log(DropReason::ServerFailed, Some(line), &*complaint);
        }
        if answer.failure.is_none() && !answer.again.is_empty() {
            answer.failure = error;
        }
        // What is gone is forgotten.
        self.strikes.retain(|(known, _)| answer.again.iter().any(|line| Line::ptr_eq(known, line)));
        answer.progress = answer.delivered > 0 || !answer.dropped.is_empty() || confirmed > 0;
        match &answer.failure {
            None => self.failures = 0,
            Some(error) => self.failures += u32::from(error.status() == Some(500)),
        }
        answer
    }
}
