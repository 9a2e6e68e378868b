//! The sender's side: what is next, and what became of it.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, time::Duration};

use super::{
    AT_ONCE, Outbox,
    state::{Batch, Flight, Held, Source, State},
};
use parea_types::ProjectLosses;

use crate::{
    books::{Fate, LossReport},
    id,
    record::ProjectRef,
    report::DropReason,
    transport::{
        Line,
        http::Answer,
        losses::Losses,
        spool::{Advanced, Next},
    },
};

/// About as much of the spool goes into one request.
const REQUEST_BYTES: usize = 1024 * 1024;

impl Outbox {
    /// Returns when there may be something to send.
    pub(crate) async fn work(&self, at_most: Duration) {
        // Running out is as good as being woken.
        let _ = tokio::time::timeout(at_most, self.work.notified()).await;
    }

    /// Sleeps, unless somebody waits; then at least `at_least`.
    pub(crate) async fn pause(&self, at_least: Duration, at_most: Duration) {
        tokio::time::sleep(at_least.min(at_most)).await;
        let _ = tokio::time::timeout(at_most.saturating_sub(at_least), self.again.notified()).await;
    }

    /// In the durable mode, where each log is work: waits until a request is full or `interval` has passed, or somebody
    /// waits.
    pub(crate) async fn gather(&self, interval: Duration) {
        let full = |held: Held<'_>| held.state.spool.backlog() >= REQUEST_BYTES as u64;
        if self.durable && !self.hold().is_some_and(full) {
            self.pause(Duration::ZERO, interval).await;
        }
    }

    pub(crate) fn project(&self) -> ProjectRef {
        self.hold().map(|held| held.state.project.clone()).unwrap_or_default()
    }

    pub(crate) fn spool_folder(&self) -> PathBuf {
        self.hold().map(|held| held.state.spool.folder().to_owned()).unwrap_or_default()
    }

    pub(crate) fn set_project_uuid(&self, uuid: String) {
        if let Some(mut held) = self.hold() {
            held.state.project.uuid = Some(uuid);
        }
    }

    /// Whether the sender has anything to do; `look` for what other processes have left, too.
    pub(crate) fn has_work(&self, look: bool) -> bool {
        let Some(held) = self.hold() else { return false };
        let State { spool, flight, held: batch, due, .. } = &*held.state;
        *due || flight.is_some()
            || batch.is_some()
            || spool.keeps_losses()
            || !spool.is_empty()
            || spool.has_handed_over()
            || (look && spool.has_others())
    }

    /// The server answers: what earlier processes could not deliver goes first.
    pub(crate) fn reached(&self, look: bool) {
        let Some(mut held) = self.hold() else { return };
        held.state.at_rest = false;
        if look || held.state.spool.has_handed_over() {
            for report in held.state.spool.adopt() {
                held.keep_found(report);
            }
            held.state.behind |= !held.state.spool.is_empty();
        }
    }

    /// Losses that lie in the spool, if there may be any; `look` for those of other processes, too.
    pub(crate) fn kept_losses(&self, look: bool) -> Vec<Losses> {
        let Some(mut held) = self.hold() else { return Vec::new() };
        held.books().keeps_losses(false);
        held.state.spool.take_losses(look)
    }

    /// What to send next.
    pub(crate) fn next(&self) -> Option<Vec<Line>> {
        let mut held = self.hold()?;
        let lines = held.next_lines();
        drop(held);
        self.turn.notify_one();
        lines
    }

    /// Some of the logs that wait behind those that are under way.
    pub(crate) fn behind(&self) -> Vec<Line> {
        self.hold().map(|mut held| held.behind()).unwrap_or_default()
    }

    /// The server takes its time: what is under way is written to the spool, and so is what comes after it.
    pub(crate) fn grace_is_over(&self) {
        let Some(mut held) = self.hold() else { return };
        held.state.behind = true;
        held.write_some(AT_ONCE, None);
        drop(held);
        self.turn.notify_one();
    }

    /// No server is there, or it is in trouble.
    pub(crate) fn trouble(&self, error: String) {
        if let Some(mut held) = self.hold() {
            held.state.at_rest = !self.named;
            self.books().failed(error);
            held.keep_losses(false);
            if !self.named {
                self.books().release(held.state.spooled_through);
            }
        }
        self.grace_is_over();
    }

    /// Books what the server said of the logs that were sent. Those to be sent again are next.
    pub(crate) fn answered(&self, answer: Answer) {
        let Some(mut held) = self.hold() else { return };
        if answer.delivered > 0 {
            held.settle(answer.delivered, Fate::Delivered);
        }
        held.drop_logs(answer.dropped, answer.complaint.unwrap_or_default());
        match &answer.failure {
            None => self.books().recovered(),
            Some(failure) => self.books().failed(failure.to_string()),
        }
        if let Some(flight) = &mut held.state.flight {
            flight.lines = answer.again;
            if flight.lines.is_empty() {
                held.landed();
            }
        }
    }
}

impl Held<'_> {
    fn next_lines(&mut self) -> Option<Vec<Line>> {
        if let Some(flight) = &self.state.flight {
            return Some(flight.lines.clone());
        }
        while let Some(flight) = self.next_of_spool() {
            let lines = flight.lines.clone();
            self.state.flight = Some(flight);
            if !lines.is_empty() {
                return Some(lines);
            }
            self.landed();
        }
        self.state.behind = self.outbox.durable;
        loop {
            let batch = match self.state.held.take() {
                Some(batch) => batch,
                None if self.state.due || self.is_spool_left_alone() => {
                    let batch = self.take_batch();
                    self.state.due &= batch.is_some();
                    batch?
                }
                None => return None,
            };
            let Batch { lines, bytes, through } = batch;
            self.state.flight = Some(Flight { lines: lines.clone(), source: Source::Memory { bytes, through } });
            if !lines.is_empty() {
                return Some(lines);
            }
            self.landed();
        }
    }

    fn next_of_spool(&mut self) -> Option<Flight> {
        loop {
            match self.state.spool.next(REQUEST_BYTES) {
                Ok(Some(Next { lines, earlier, end, damaged })) => {
                    self.state.flight = None;
                    let source = Source::Spool { earlier, end };
                    if !damaged.is_empty() {
                        let count = damaged.len() as u64;
                        self.account(source, count, Fate::Reported(DropReason::Damaged));
                        self.report(
                            source,
                            damaged.into_iter().map(|line| (DropReason::Damaged, Some(line))).collect(),
                        );
                        let folder = self.state.spool.folder().join("rejected");
                        let complaint = format!("lines of the spool that are no log went to {}", folder.display());
                        self.complain(DropReason::Damaged, count, &complaint);
                    }
                    return Some(Flight { lines, source });
                }
                Ok(None) => return None,
                Err(error) => {
                    let folder = self.state.spool.folder().display().to_string();
                    let Advanced { through, missing } = self.state.spool.pass_over();
                    if missing > 0 {
                        self.books().unspool(missing, Fate::Dropped(DropReason::SpoolFailed));
                        let complaint = format!("cannot read from {folder}: {error}");
                        self.complain(DropReason::SpoolFailed, missing, &complaint);
                    }
                    if let Some(through) = through {
                        self.books().release(through);
                    }
                }
            }
        }
    }

    fn behind(&mut self) -> Vec<Line> {
        let state = &mut *self.state;
        let of_spool = match state.flight {
            Some(Flight { source: Source::Spool { earlier, end }, .. }) => {
                state.spool.behind(earlier, end, REQUEST_BYTES)
            }
            _ => Vec::new(),
        };
        if of_spool.is_empty() { state.held.iter().flat_map(|batch| batch.lines.clone()).collect() } else { of_spool }
    }

    /// Books logs of those under way that will not be sent again.
    fn drop_logs(&mut self, dropped: Vec<(DropReason, Option<Line>)>, mut complaint: String) {
        let Some(Flight { source, .. }) = self.state.flight else { return };
        let is_spooled = matches!(source, Source::Spool { .. });
        if is_spooled {
            self.report(source, dropped.clone());
        }
        let mut by_reason = BTreeMap::<_, Vec<_>>::new();
        for (reason, line) in dropped {
            by_reason.entry(reason).or_default().push(line);
        }
        for (reason, lines) in by_reason {
            let count = lines.len() as u64;
            self.settle(count, if is_spooled { Fate::Reported(reason) } else { Fate::Dropped(reason) });
            if reason == DropReason::ServerFailed {
                let lines: Vec<Line> = lines.into_iter().flatten().collect();
                let earlier = matches!(source, Source::Spool { earlier: true, .. });
                match self.state.spool.set_aside(earlier, &lines) {
                    Ok(folder) => {
                        let _ = write!(complaint, ", to these alone; they went to {}", folder.display());
                    }
                    Err(error) => {
                        let _ = write!(complaint, ", to these alone; they cannot be kept: {error}");
                    }
                }
            }
            self.complain(reason, count, &complaint);
        }
    }

    /// Reports lines of the spool that will not be sent again, whose file goes on lying there: it says so of each before
    /// anybody is told, so that whoever reads it after us tells of them under the same id.
    fn report(&mut self, source: Source, dropped: Vec<(DropReason, Option<Line>)>) {
        let Source::Spool { earlier, end } = source else { return };
        if dropped.is_empty() {
            return;
        }
        let mut report = LossReport { id: Some(id::unique()), counts: BTreeMap::new() };
        for (reason, _) in &dropped {
            *report.counts.entry(*reason).or_default() += 1;
        }
        // A line that cannot be marked is sent again if the process dies before its file is done with.
        let lines = dropped.into_iter().filter_map(|(reason, line)| Some((reason, line?))).collect();
        let _ = self.state.spool.mark(earlier, end, report.id.as_deref().unwrap_or_default(), lines);
        self.keep_report(report);
    }

    /// Leaves a report there that a file was marked with by a process that is gone. It may have been told.
    fn keep_found(&mut self, report: ProjectLosses) {
        let ProjectRef { name, uuid } = self.state.project.clone();
        let report = ProjectLosses { project_name: name, project_uuid: uuid, ..report };
        // If this fails the file says it to the next process, as long as it lies there.
        if self.state.spool.keep_losses(report).is_ok() {
            self.books().keeps_losses(true);
        }
    }

    /// Books what became of logs that were sent.
    fn settle(&mut self, count: u64, fate: Fate) {
        if let Some(Flight { source, .. }) = self.state.flight {
            self.account(source, count, fate);
        }
    }

    fn account(&mut self, source: Source, count: u64, fate: Fate) {
        match source {
            Source::Memory { .. } => self.books().settle(count, fate),
            Source::Spool { earlier, .. } => match self.state.spool.take_own(earlier, count) {
                Some(own) => self.books().unspool(own, fate),
                None => self.books().earlier(count, fate),
            },
        }
    }

    /// Nothing of what was under way is to be sent again.
    fn landed(&mut self) {
        match self.state.flight.take().map(|flight| flight.source) {
            Some(Source::Memory { bytes, through }) => self.leave(bytes, through, true),
            Some(Source::Spool { earlier, end }) => {
                let Advanced { through, missing } = self.state.spool.advance(earlier, end);
                if missing > 0 {
                    self.books().unspool(missing, Fate::Dropped(DropReason::Damaged));
                }
                if let Some(through) = through {
                    self.books().release(through);
                }
            }
            None => {}
        }
    }
}
