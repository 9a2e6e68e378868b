//! What the outbox holds, and its way to the spool.
#![cfg_attr(not(feature = "http"), allow(dead_code, reason = "what is read back is read for a server"))]

use std::{
    collections::BTreeSet,
    sync::MutexGuard,
    time::{Duration, Instant},
};

use super::{HOLDING, Outbox};
use crate::{
    books::{Books, Fate, LossReport},
    exporter::warn,
    fit::fit,
    record::ProjectRef,
    redact::redact,
    report::DropReason,
    settings::Settings,
    transport::{
        Line,
        spool::{Spool, Unwritten},
    },
};

/// How long a spool that could not be written is left alone.
const SPOOL_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct State {
    pub(super) project: ProjectRef,
    pub(super) spool: Spool,
    pub(super) flight: Option<Flight>,
    /// A batch that neither server nor spool would take yet.
    pub(super) held: Option<Batch>,
    /// The queue has a batch for the sender.
    pub(super) due: bool,
    /// Logs go to the spool first.
    pub(super) behind: bool,
    /// No server is there that was not named either: the spool is where logs belong.
    pub(super) at_rest: bool,
    /// The spool is left alone until then.
    pub(super) spool_again: Option<Instant>,
    /// Number of the last record that was written to the spool.
    pub(super) spooled_through: u64,
    /// Reasons for which the user was told already.
    pub(super) warned: BTreeSet<DropReason>,
}

impl State {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            project: ProjectRef { name: settings.project.clone(), uuid: None },
            spool: Spool::new(&settings.folder, settings.base_url.as_deref(), settings.spool_bytes),
            flight: None,
            held: None,
            due: false,
            behind: settings.durable,
            at_rest: cfg!(not(feature = "http")),
            spool_again: None,
            spooled_through: 0,
            warned: BTreeSet::new(),
        }
    }
}

/// Logs that the queue has given out.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) lines: Vec<Line>,
    /// What they count in the queue.
    pub(super) bytes: usize,
    pub(super) through: u64,
}

/// Logs that are being sent, or were and are to be sent again.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) lines: Vec<Line>,
    pub(super) source: Source,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Memory { bytes: usize, through: u64 },
    Spool { earlier: bool, end: u64 },
}

/// The state, held by this thread.
pub(super) struct Held<'a> {
    pub(super) outbox: &'a Outbox,
    pub(super) state: MutexGuard<'a, State>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        HOLDING.set(false);
    }
}

impl Held<'_> {
    pub(super) fn books(&self) -> &Books {
        self.outbox.books()
    }

    /// The oldest records of the queue in their wire form, about one batch. From here on the lines are all there is.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        let taken = self.outbox.queue.take_batch();
        if taken.is_empty() {
            return None;
        }
        let (bytes, through) = (taken.bytes(), taken.through);
        let mut lines = Vec::new();
        for record in taken.records() {
            let mut line = Vec::with_capacity(record.size());
            let written = record.write_json(&self.state.project, &mut line);
            match written.and_then(|said| redact(&mut line, said)) {
                Ok(secrets) => {
                    self.books().redacted(secrets);
                    fit(&mut line);
                    lines.push(Line::new(line));
                }
                Err(error) => {
                    self.books().settle(1, Fate::Dropped(DropReason::Rejected));
                    self.complain(DropReason::Rejected, 1, &format!("a log cannot be encoded: {error}"));
                }
            }
        }
        Some(Batch { lines, bytes, through })
    }

    /// Moves everything that is in memory alone to the spool, in order, as far as that can be written until the deadline.
    /// What is under way stays under way, and what ends meanwhile is left for the next time: other threads may be quicker
    /// than a disk.
    pub(super) fn write_all(&mut self, deadline: Option<Instant>) {
        self.write_some(usize::MAX, deadline);
    }

    /// The same, but no more than so many batches; whether it is done. The exporter's thread has more to do.
    pub(super) fn write_some(&mut self, most: usize, deadline: Option<Instant>) -> bool {
        let wanted = self.outbox.queue.collected();
        if let Some(Flight { lines, source: Source::Memory { bytes, through } }) = &self.state.flight {
            let batch = Batch { lines: lines.clone(), bytes: *bytes, through: *through };
            self.state.flight = match self.write(batch) {
                Written::Yes(lines) => {
                    let source = Source::Spool { earlier: false, end: self.state.spool.end() };
                    Some(Flight { lines, source })
                }
                Written::GivenUp => None,
                // Nothing may overtake it.
                Written::No(_) => return true,
            };
        }
        if let Some(batch) = self.state.held.take()
            && let Written::No(batch) = self.write(batch)
        {
            self.state.held = Some(batch);
        }
        let mut through = 0;
        let mut left = most;
        while through < wanted && self.state.held.is_none() && !self.is_spool_left_alone() {
            if left == 0 {
                return false;
            }
            left -= 1;
            let Some(batch) = self.take_batch() else { return true };
            through = batch.through;
            if let Written::No(batch) = self.write(batch) {
                self.state.held = Some(batch);
            }
            // Only the exporter's thread writes so much and no more: it is in no hurry.
            let makes_way = most != usize::MAX && self.outbox.is_hurried();
            if makes_way || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
        }
        true
    }

    /// Gives up what is in the queue up to the record of that number, for the program ends: counted, so that a server is
    /// told.
    pub(super) fn give_up(&mut self, through: u64) {
        let count = self.outbox.queue.give_up(through);
        if count > 0 {
            self.books().settle(count, Fate::Dropped(DropReason::SpoolFailed));
            self.books().release(through);
            let folder = self.state.spool.folder().display();
            let complaint = format!("the deadline was over before they were written to {folder}");
            self.complain(DropReason::SpoolFailed, count, &complaint);
        }
    }

    fn write(&mut self, batch: Batch) -> Written {
        let Batch { lines, bytes, through } = batch;
        if self.is_spool_left_alone() {
            return Written::No(Batch { lines, bytes, through });
        }
        let state = &mut *self.state;
        if lines.is_empty() && state.spool.is_empty() {
            self.leave(bytes, through, true);
            return Written::Yes(lines);
        }
        // Of what is under way no part may be in the spool and the rest in memory.
        let under_way = state.flight.as_ref().is_some_and(|flight| matches!(flight.source, Source::Memory { .. }));
        let Unwritten { written, error } = match state.spool.append(&lines, through, under_way && !state.at_rest) {
            Ok(()) => {
                state.spooled_through = through;
                let at_rest = state.at_rest;
                self.books().settle(lines.len() as u64, Fate::Spooled);
                self.leave(bytes, through, at_rest);
                return Written::Yes(lines);
            }
            Err(unwritten) => unwritten,
        };
        let complaint = format!("cannot write to {}: {error}", state.spool.folder().display());
        let at_rest = state.at_rest;
        let left = lines.split_at(written).1.to_vec();
        self.books().settle(written as u64, Fate::Spooled);
        if at_rest {
            self.books().settle(left.len() as u64, Fate::Dropped(error.reason()));
            self.complain(error.reason(), left.len() as u64, &complaint);
            self.leave(bytes, through, true);
            return Written::GivenUp;
        }
        self.state.spool_again = Instant::now().checked_add(SPOOL_AGAIN);
        self.books().failed(complaint);
        Written::No(Batch { lines: left, bytes, through })
    }

    /// Gives the files up to whoever takes them in.
    pub(super) fn hand_over(&mut self) {
        self.state.flight = None;
        let missing = self.state.spool.hand_over();
        if missing > 0 {
            self.books().unspool(missing, Fate::Dropped(DropReason::SpoolFailed));
            let complaint = format!("{} was deleted and cannot be made again", self.state.spool.folder().display());
            self.complain(DropReason::SpoolFailed, missing, &complaint);
        }
    }

    /// Leaves the drops that no server was told of in the spool. `last` when the process ends, and with it the attempt to
    /// tell one.
    pub(super) fn keep_losses(&mut self, last: bool) {
        for report in self.books().take_unheard(last) {
            self.keep_report(report);
        }
    }

    /// Leaves a report of drops there, or else with the books.
    pub(super) fn keep_report(&mut self, report: LossReport) {
        let further = self.state.project.losses(&report);
        match self.state.spool.keep_losses(further) {
            Ok(()) => self.books().keeps_losses(true),
            // It is tried again, or a server told with the next batch.
            Err(_) => self.books().unreport(report),
        }
    }

    /// So much has left memory.
    pub(super) fn leave(&self, bytes: usize, through: u64, at_rest: bool) {
        self.outbox.queue.leave(bytes);
        if at_rest {
            self.books().release(through);
        } else {
            self.books().safe(through);
        }
    }

    /// Whether the spool failed just now, and memory is to hold what it would not.
    pub(super) fn is_spool_left_alone(&self) -> bool {
        !self.state.at_rest && self.state.spool_again.is_some_and(|again| Instant::now() < again)
    }

    /// Tells the user the first time that logs are lost for this reason.
    pub(super) fn complain(&mut self, reason: DropReason, count: u64, complaint: &str) {
        self.books().failed(complaint.to_owned());
        if self.state.warned.insert(reason) {
            warn(&format!("{count} logs dropped ({}): {complaint}; further ones are only counted", reason.as_str()));
        }
    }
}

/// Whether a batch went to the spool.
enum Written {
    Yes(Vec<Line>),
    No(Batch),
    GivenUp,
}
