//! The books of every span that ended: each is counted once, under what became of it.

#[cfg(all(test, parea_loom))]
mod model;

#[cfg(not(all(test, parea_loom)))]
use std::sync::{Condvar, Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::PoisonError,
    time::{Duration, Instant},
};

#[cfg(all(test, parea_loom))]
use loom::sync::{Condvar, Mutex, MutexGuard};

use crate::{
    evaluation,
    report::{DropReason, EarlierLogs, FlushReport},
    thread_log::Tally,
};

/// What became of records that have left the queue, and who waits to hear it.
///
/// Records are known by their number: the first that was taken from the queue is 1. They leave in that order, so
/// waiting for all that have ended by now is waiting for one number.
#[derive(Debug)]
pub(crate) struct Books {
    ledger: Mutex<Ledger>,
    /// Told whenever a number rises.
    changed: Condvar,
}

impl Default for Books {
    fn default() -> Self {
        Self { ledger: Mutex::new(Ledger::default()), changed: Condvar::new() }
    }
}

#[derive(Debug, Default)]
struct Ledger {
    /// Records that have left memory, in whatever way.
    settled: u64,
    /// Records for which there was no room, by the threads' count.
    queue_full: u64,
    /// Records that are larger than all the room, likewise.
    too_large: u64,
    delivered: u64,
    spooled: u64,
    dropped: BTreeMap<DropReason, u64>,
    /// Drops that no server was told of yet.
    unreported: BTreeMap<DropReason, u64>,
    reports: Reports,
    /// Every record up to this number is at rest: delivered, given up, or in a spool that is the destination.
    released: u64,
    /// Every record up to this number has left memory.
    safe: u64,
    /// Since when no attempt to deliver has succeeded.
    trouble: Option<Instant>,
    /// When a server last answered as it should.
    answered: Option<Instant>,
    /// Somebody waits until the server knows of the unreported drops.
    asked: bool,
    /// The server takes no account of drops without logs.
    deaf: bool,
    /// The server refuses whatever is sent: only the user can mend it.
    refused: bool,
    /// Secrets that were taken out of finished logs.
    redacted: u64,
    last_error: Option<String>,
    earlier: EarlierLogs,
}

/// Drops that a server was told of and has not answered.
#[derive(Debug, Default)]
struct Reports {
    /// Oldest first.
    all: VecDeque<LossReport>,
    /// The first of them is under way.
    telling: bool,
    /// Others lie in the spool, whence a server is told of them.
    kept: bool,
}

impl Reports {
    /// Whether there are any, and none is under way.
    fn is_idle(&self) -> bool {
        self.kept || (!self.telling && !self.all.is_empty())
    }
}

/// Drops to tell a server of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LossReport {
    /// By which the server knows it again; with it nothing is added. None before it is told for the first time.
    pub(crate) id: Option<String>,
    pub(crate) counts: BTreeMap<DropReason, u64>,
}

/// What became of one or more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Spooled,
    Dropped(DropReason),
    /// The same, and a server is told of it from elsewhere.
    #[cfg(feature = "http")]
    Reported(DropReason),
}

/// What a flush waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The server has it.
    Delivered,
    /// The same, but once everything is in the spool a server that fails is not waited for any longer than
    /// [`PATIENCE`], and one that says nothing for half of the time.
    Patience,
}

/// How long the end of a program waits for a server that fails, once nothing can be lost any more.
const PATIENCE: Duration = Duration::from_secs(1);

impl Until {
    /// For how long a server may say nothing.
    fn silence(self, begun: Instant, deadline: Option<Instant>) -> Option<Duration> {
        let whole = deadline?.saturating_duration_since(begun);
        (self == Self::Patience).then(|| (whole / 2).max(PATIENCE))
    }
}

impl Books {
    /// So many records that were taken from the queue have left memory.
    pub(crate) fn settle(&self, count: u64, fate: Fate) {
        let mut ledger = self.lock();
        ledger.settled += count;
        ledger.meet(fate, count);
    }

    /// So many records of this process have left the spool.
    pub(crate) fn unspool(&self, count: u64, fate: Fate) {
        let mut ledger = self.lock();
        ledger.spooled -= count;
        ledger.meet(fate, count);
    }

    /// So many logs that an earlier process left have met their fate.
    #[cfg(feature = "http")]
    pub(crate) fn earlier(&self, count: u64, fate: Fate) {
        let mut ledger = self.lock();
        match fate {
            Fate::Delivered => ledger.earlier.delivered += count,
            Fate::Spooled => {}
            Fate::Dropped(reason) => {
                *ledger.earlier.dropped.entry(reason).or_default() += count;
                *ledger.unreported.entry(reason).or_default() += count;
            }
            Fate::Reported(reason) => *ledger.earlier.dropped.entry(reason).or_default() += count,
        }
    }

    /// Takes note of records for which the threads found no room, as they have counted them.
    pub(crate) fn refused(&self, tally: &Tally) {
        self.lock().refuse(tally);
    }

    /// Every record up to that number has left memory.
    pub(crate) fn safe(&self, through: u64) {
        let mut ledger = self.lock();
        ledger.safe = ledger.safe.max(through);
        drop(ledger);
        self.changed.notify_all();
    }

    /// Every record up to that number is where it was to go, or given up.
    pub(crate) fn release(&self, through: u64) {
        let mut ledger = self.lock();
        ledger.released = ledger.released.max(through);
        ledger.safe = ledger.safe.max(through);
        drop(ledger);
        self.changed.notify_all();
    }

    /// An attempt to deliver has failed.
    pub(crate) fn failed(&self, error: String) {
        let mut ledger = self.lock();
        ledger.trouble.get_or_insert_with(Instant::now);
        ledger.last_error = Some(error);
        ledger.asked = false;
        drop(ledger);
        // Whoever has little patience looks again.
        self.changed.notify_all();
    }

    /// The server refuses whatever is sent: nobody need wait for it.
    #[cfg(feature = "http")]
    pub(crate) fn refuses_all(&self) {
        self.lock().refused = true;
        self.changed.notify_all();
    }

    /// An attempt to deliver has succeeded.
    #[cfg(feature = "http")]
    pub(crate) fn recovered(&self) {
        let mut ledger = self.lock();
        ledger.trouble = None;
        ledger.refused = false;
        ledger.last_error = None;
        ledger.answered = Some(Instant::now());
    }

    /// A server has answered, if only a question before the first delivery.
    #[cfg(feature = "http")]
    pub(crate) fn heard(&self) {
        self.lock().answered = Some(Instant::now());
    }

    /// Drops to tell a server of, the same as before until it has answered; [`told_losses`](Self::told_losses) is to hear
    /// what came of it.
    #[cfg(feature = "http")]
    pub(crate) fn take_losses(&self) -> Option<LossReport> {
        let mut ledger = self.lock();
        if ledger.reports.all.is_empty() && !ledger.unreported.is_empty() {
            let counts = std::mem::take(&mut ledger.unreported);
            ledger.reports.all.push_back(LossReport { id: Some(crate::id::unique()), counts });
        }
        ledger.reports.telling = !ledger.reports.all.is_empty();
        ledger.reports.all.front().cloned()
    }

    /// Whether that report has arrived.
    #[cfg(feature = "http")]
    pub(crate) fn told_losses(&self, report: Option<&LossReport>, is_taken: bool) {
        let mut ledger = self.lock();
        ledger.reports.telling = false;
        if is_taken {
            ledger.reports.all.retain(|known| Some(known) != report);
        }
    }

    /// Drops that no server has heard of for sure, to be kept elsewhere; when the process ends those too of which one is
    /// being told.
    pub(crate) fn take_unheard(&self, last: bool) -> Vec<LossReport> {
        let mut ledger = self.lock();
        let mut unheard = Vec::new();
        if last || !ledger.reports.telling {
            unheard.extend(ledger.reports.all.drain(..));
        }
        if !ledger.unreported.is_empty() {
            unheard.push(LossReport { id: None, counts: std::mem::take(&mut ledger.unreported) });
        }
        unheard
    }

    /// Whether some are kept there, whence a server is to be told of them.
    pub(crate) fn keeps_losses(&self, kept: bool) {
        self.lock().reports.kept = kept;
    }

    /// It could not be kept there.
    pub(crate) fn unreport(&self, report: LossReport) {
        let mut ledger = self.lock();
        match report.id {
            Some(_) => ledger.reports.all.push_back(report),
            None => add(&mut ledger.unreported, report.counts),
        }
    }

    /// Asks for the server to be told of the drops that it does not know of; whether it can be.
    pub(crate) fn ask(&self) -> bool {
        let mut ledger = self.lock();
        let is_well = cfg!(feature = "http") && ledger.trouble.is_none() && !ledger.refused && !ledger.deaf;
        let is_untold = !ledger.unreported.is_empty() || ledger.reports.is_idle();
        ledger.asked = is_well && is_untold;
        ledger.asked
    }

    /// Whether somebody waits for that.
    #[cfg(feature = "http")]
    pub(crate) fn is_asked(&self) -> bool {
        self.lock().asked
    }

    /// An attempt was made to tell it.
    #[cfg(feature = "http")]
    pub(crate) fn told(&self, is_deaf: bool) {
        let mut ledger = self.lock();
        ledger.asked = false;
        ledger.deaf |= is_deaf;
        drop(ledger);
        self.changed.notify_all();
    }

    /// Waits until that was tried, at most until the deadline and no longer than [`PATIENCE`].
    pub(crate) fn wait_told(&self, deadline: Option<Instant>) {
        let end = Instant::now() + PATIENCE;
        let end = deadline.map_or(end, |deadline| deadline.min(end));
        let mut ledger = self.lock();
        while ledger.asked {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            ledger = self.changed.wait_timeout(ledger, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether every record up to that number is at rest.
    pub(crate) fn is_released(&self, wanted: u64) -> bool {
        self.lock().released >= wanted
    }

    /// Waits until every record up to that number is at rest, at most until the deadline; `None` is no deadline.
    pub(crate) fn wait(&self, wanted: u64, deadline: Option<Instant>, until: Until) {
        let begun = Instant::now();
        let silence = until.silence(begun, deadline);
        let mut ledger = self.lock();
        while ledger.released < wanted {
            let now = Instant::now();
            let is_safe = ledger.safe >= wanted;
            if ledger.refused && is_safe {
                return;
            }
            let patience = ledger.trouble.filter(|_| until == Until::Patience && is_safe);
            let patience = patience.and_then(|since| since.checked_add(PATIENCE));
            let last_heard = ledger.answered.map_or(begun, |answered| answered.max(begun));
            let silence = silence.filter(|_| is_safe).and_then(|silence| last_heard.checked_add(silence));
            let end = [deadline, patience, silence].into_iter().flatten().min();
            ledger = match end.map(|end| end.saturating_duration_since(now)) {
                Some(Duration::ZERO) => return,
                Some(left) => self.changed.wait_timeout(ledger, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(ledger).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// So many secrets were taken out of logs on the exporter's side.
    pub(crate) fn redacted(&self, count: u64) {
        if count > 0 {
            self.lock().redacted += count;
        }
    }

    /// The report. The threads are asked for their counts after the books are read, so that no record is settled that has
    /// not ended. With `through` it is of the records up to that
    /// number and of those that were refused, whatever has ended since.
    pub(crate) fn report(&self, tally: impl FnOnce() -> Tally, through: Option<u64>) -> FlushReport {
        let mut ledger = self.lock();
        let tally = tally();
        ledger.refuse(&tally);
        let came = through.unwrap_or_else(|| tally.ended.saturating_sub(ledger.queue_full + ledger.too_large));
        FlushReport {
            delivered: ledger.delivered,
            spooled: ledger.spooled,
            dropped: ledger.dropped.clone(),
            pending: came.saturating_sub(ledger.settled),
            open: tally.started.saturating_sub(tally.ended),
            unevaluated: evaluation::released(),
            redacted: ledger.redacted + tally.redacted,
            earlier: ledger.earlier.clone(),
            last_error: ledger.last_error.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(sum: &mut BTreeMap<DropReason, u64>, further: BTreeMap<DropReason, u64>) {
    for (reason, count) in further {
        *sum.entry(reason).or_default() += count;
    }
}

impl Ledger {
    fn refuse(&mut self, tally: &Tally) {
        // Two readers may come in the wrong order.
        let full = tally.queue_full.saturating_sub(self.queue_full);
        let large = tally.too_large.saturating_sub(self.too_large);
        for (reason, count) in [(DropReason::QueueFull, full), (DropReason::TooLarge, large)] {
            if count > 0 {
                self.drop_records(reason, count);
            }
        }
        self.queue_full += full;
        self.too_large += large;
    }

    /// Books what became of so many records of this process.
    fn meet(&mut self, fate: Fate, count: u64) {
        match fate {
            Fate::Delivered => self.delivered += count,
            Fate::Spooled => self.spooled += count,
            Fate::Dropped(reason) => self.drop_records(reason, count),
            #[cfg(feature = "http")]
            Fate::Reported(reason) => *self.dropped.entry(reason).or_default() += count,
        }
    }

    fn drop_records(&mut self, reason: DropReason, count: u64) {
        *self.dropped.entry(reason).or_default() += count;
        *self.unreported.entry(reason).or_default() += count;
    }
}
