//! What is on its way: taken from the queue, being sent, or waiting in the spool.
//!
//! As long as the server takes a batch within [`GRACE`], nothing touches the disk. From the first one that it does not
//! take, everything goes through the spool, in order, until that is empty again. So no log is in memory alone for longer
//! than a batch needs to fill, plus that grace. Any thread may write everything that waits to the spool.

#[cfg(feature = "http")]
mod shipping;
mod state;

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use self::state::{Batch, Held, State};
use crate::{
    books::{Books, Fate, Until},
    clock::Keeper,
    exit,
    queue::Queue,
    report::FlushReport,
    settings::{Discard, Settings},
};

/// How long a batch may be under way before it is written to the spool as well.
#[cfg(feature = "http")]
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// Batches that the exporter's thread writes before it looks at anything else.
const AT_ONCE: usize = 4;

/// How often a lock is tried that cannot be waited for.
const PAUSE: Duration = Duration::from_millis(1);

/// What became of a batch that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Done,
    More,
    Senders,
}

thread_local! {
    /// Whether this thread holds an outbox. Without a destructor, so that it can be asked when the thread's locals are
    /// gone, as they are in an exit hook.
    static HOLDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread holds an outbox, so that it must not wait for the exporter.
pub(crate) fn is_held_here() -> bool {
    HOLDING.get()
}

/// Between the queue and the server.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Queue,
    state: Mutex<State>,
    /// Threads that wait for the state for a limited time, because the program ends: all others let them go first.
    hurried: AtomicUsize,
    /// Wakes the sender: there is work.
    work: Notify,
    /// Wakes the sender from a pause: somebody waits.
    again: Notify,
    /// Wakes the intake: the sender is ready for what comes next, or has given up waiting.
    turn: Notify,
    /// A server was named; the spool is only the way there.
    named: bool,
    /// Nothing is sent: for measurements.
    discard: Option<Discard>,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only a sender asks"))]
    durable: bool,
}

impl Outbox {
    pub(crate) fn new(queue: Queue, settings: &Settings) -> Self {
        let state = State::new(settings);
        let (named, durable) = (settings.base_url.is_some(), settings.durable);
        Self {
            queue,
            state: Mutex::new(state),
            hurried: AtomicUsize::new(0),
            work: Notify::new(),
            again: Notify::new(),
            turn: Notify::new(),
            named,
            discard: settings.discard,
            durable,
        }
    }

    pub(crate) fn books(&self) -> &Books {
        self.queue.books()
    }

    /// How it stands.
    pub(crate) fn report(&self) -> FlushReport {
        self.queue.report()
    }

    /// Takes batches in as they fall due, for ever.
    pub(crate) async fn take_in(&self, interval: Duration) {
        let mut keeper = Keeper::default();
        loop {
            self.queue.batch_due(interval, &mut keeper).await;
            if let Some(discard) = self.discard {
                self.drop_all(discard);
                continue;
            }
            loop {
                match self.due() {
                    Due::Done => break,
                    // The sender, whose thread this is, has its turn as well.
                    Due::More => tokio::task::yield_now().await,
                    Due::Senders => {
                        self.turn.notified().await;
                        break;
                    }
                }
            }
        }
    }

    /// Drops what waits, counted as delivered: for measurements.
    fn drop_all(&self, discard: Discard) {
        if discard == Discard::Records {
            return self.queue.discard();
        }
        let Some(mut held) = self.hold() else { return };
        while let Some(Batch { lines, bytes, through }) = held.take_batch() {
            self.books().settle(lines.len() as u64, Fate::Delivered);
            held.leave(bytes, through, true);
        }
    }

    /// Takes care of what is due, or leaves it to the sender.
    fn due(&self) -> Due {
        let Some(mut held) = self.hold() else { return Due::Done };
        let due = if !held.state.behind {
            held.state.due = true;
            Due::Senders
        } else if held.write_some(AT_ONCE, None) {
            Due::Done
        } else {
            Due::More
        };
        drop(held);
        self.work.notify_one();
        due
    }

    /// Puts all that has ended so far on disk, as the durable mode promises before a call returns.
    pub(crate) fn write_through(&self) {
        // This thread is writing already; what it ends meanwhile is written with the next.
        let Some(mut held) = self.hold() else { return };
        held.write_all(None);
        drop(held);
        self.work.notify_one();
    }

    /// Waits until all that has ended before the call is at rest, at most until the deadline.
    pub(crate) fn flush(&self, timeout: Duration, until: Until) -> FlushReport {
        let deadline = Instant::now().checked_add(timeout);
        // To ask how it stands is not to wait for the server.
        if !timeout.is_zero() {
            self.again.notify_one();
        }
        let mut report = self.queue.flush(timeout, until);
        if !self.named && report.spooled > 0 {
            // So that `parea serve` finds it, whenever it is started. A hook of the user's may keep us from it.
            if let Some(mut held) = self.hold_until(deadline)
                && held.state.at_rest
            {
                held.hand_over();
            }
        }
        if !timeout.is_zero() && self.discard.is_none() && self.books().ask() {
            self.work.notify_one();
            self.books().wait_told(deadline);
            report = self.queue.report();
        }
        report
    }

    /// The end of the program, or of its `main`: waits for delivery, and what is left at the deadline goes to the
    /// spool. `last` when nothing comes after it.
    pub(crate) fn finish(self: &Arc<Self>, timeout: Duration, last: bool) -> FlushReport {
        /// Part of the time that writing may take, and what it may write in a second beyond that.
        const MARGIN: Duration = Duration::from_millis(100);
        const PACE: f64 = 32.0 * 1024.0 * 1024.0;
        let begun = Instant::now();
        let waiting = Duration::from_secs_f64(self.queue.waiting_bytes() as f64 / PACE);
        let margin = (MARGIN.min(timeout / 10) + waiting).min(timeout / 2);
        let report = self.flush(timeout.saturating_sub(margin), Until::Patience);
        let through = if report.pending > 0 { self.rescue_within(begun.checked_add(timeout), last) } else { Some(0) };
        if let Some(mut held) = self.hold_until(begun.checked_add(timeout)) {
            held.keep_losses(last);
            if last {
                // Complete, so that the next process takes them over even where there are no locks.
                held.hand_over();
            }
        }
        // What other threads have ended since, nobody waits for.
        through.map_or_else(|| self.queue.report(), |through| self.queue.report_through(through))
    }

    /// [`rescue`](Self::rescue) on a thread of its own, which nobody waits for if the disk never answers: that of a
    /// machine that is gone, for one.
    pub(crate) fn rescue_within(self: &Arc<Self>, deadline: Option<Instant>, last: bool) -> Option<u64> {
        /// What is being written at the deadline is written to its end, and the rest counted.
        const BEYOND: Duration = Duration::from_secs(1);
        if is_held_here() {
            return None;
        }
        let (sender, through) = mpsc::channel();
        let outbox = Arc::clone(self);
        let thread = thread::Builder::new().name("parea-rescue".to_owned());
        let started = exit::spawn(thread, move || {
            // Nobody may be waiting any more.
            let _ = sender.send(outbox.rescue(deadline, last));
        });
        if started.is_err() {
            return self.rescue(deadline, last);
        }
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(left) => through.recv_timeout(left.saturating_add(BEYOND)).ok().flatten(),
            None => through.recv().ok().flatten(),
        }
    }

    /// Writes everything that is in memory alone to the spool, now. Returns the number of the last record that it was
    /// about.
    fn rescue(&self, deadline: Option<Instant>, last: bool) -> Option<u64> {
        let mut held = self.hold_until(deadline)?;
        held.state.behind = true;
        held.state.spool_again = None;
        // From here on nothing else can take what the spool does not.
        held.state.at_rest |= last;
        let through = self.queue.collected();
        held.write_all(deadline.map(at_least_a_moment));
        if last {
            held.give_up(through);
        }
        if !self.named && held.state.at_rest {
            held.hand_over();
        }
        Some(through)
    }

    /// The state, unless this thread has it already: code of the user's that runs while it is held may come back
    /// here.
    fn hold(&self) -> Option<Held<'_>> {
        /// They need not long.
        const AT_MOST: usize = 50;
        if HOLDING.get() {
            return None;
        }
        for _ in 0..AT_MOST {
            if !self.is_hurried() {
                break;
            }
            thread::sleep(PAUSE);
        }
        Some(self.held(self.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The same, but waits no longer than that, so that the end of a program never hangs.
    fn hold_until(&self, deadline: Option<Instant>) -> Option<Held<'_>> {
        if HOLDING.get() {
            return None;
        }
        let deadline = deadline.map(at_least_a_moment);
        self.hurried.fetch_add(1, Ordering::Relaxed);
        let state = loop {
            match self.state.try_lock() {
                Ok(state) => break Some(state),
                Err(TryLockError::Poisoned(state)) => break Some(state.into_inner()),
                Err(TryLockError::WouldBlock) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    break None;
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
        };
        self.hurried.fetch_sub(1, Ordering::Relaxed);
        state.map(|state| self.held(state))
    }

    /// Whether a thread waits for the state that the others are to let go first.
    fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Relaxed) > 0
    }

    fn held<'a>(&'a self, state: MutexGuard<'a, State>) -> Held<'a> {
        HOLDING.set(true);
        Held { outbox: self, state }
    }
}

/// When a deadline is over, there is still time for a file that somebody is writing.
fn at_least_a_moment(deadline: Instant) -> Instant {
    const MOMENT: Duration = Duration::from_millis(50);
    deadline.max(Instant::now() + MOMENT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "this is a test")]

    use std::{collections::BTreeMap, sync::atomic::AtomicBool};

    use super::*;
    use crate::{
        record::Outcome,
        redact::{self, Hook, Redactor},
        report::DropReason,
        scope::{Scope, Sink},
        site::site_of,
        span::Span,
        stack,
    };

    #[test]
    fn what_the_last_deadline_leaves_no_time_to_write_is_a_loss_and_told_as_one() {
        const LOGS: u64 = 20;
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            base_url: Some("http://127.0.0.1:1".to_owned()),
            folder: folder.path().to_owned(),
            ..Settings::from_env()
        };
        // A single log takes longer than the end of a program waits.
        let slow = |text: &str| {
            if text.ends_with("slow") {
                thread::sleep(Duration::from_millis(60));
            }
            None
        };
        redact::enforce(Redactor { hook: Some(Hook::new(slow)), ..Redactor::default() });
        let outbox = Outbox::new(Queue::new(stack::logs(), settings.queue_bytes), &settings);
        for _ in 0..LOGS {
            let span = Span::root_of(site_of("long"), Arc::new(Scope::of(Sink::Exporter)));
            let output = serde_json::to_vec(&format!("{}slow", "long ".repeat(20_000))).unwrap();
            span.finish(Outcome { output, ..Outcome::default() });
        }
        assert_eq!(outbox.rescue(Some(Instant::now()), true), Some(LOGS));
        let report = outbox.report();
        let lost = LOGS - report.spooled;
        assert!(report.spooled > 0 && lost > 0, "one batch is written: {report}");
        assert_eq!((report.pending, &report.dropped), (0, &BTreeMap::from([(DropReason::SpoolFailed, lost)])));
        let unheard: Vec<_> = outbox.books().take_unheard(true).into_iter().map(|report| report.counts).collect();
        assert_eq!(unheard, std::slice::from_ref(&report.dropped));
        assert!(report.last_error.is_some_and(|error| error.contains("the deadline was over")));

        // What ends after that was looked at is nobody's loss.
        let end = || Span::root_of(site_of("later"), Arc::new(Scope::of(Sink::Exporter))).finish(Outcome::default());
        end();
        let mut held = outbox.hold().unwrap();
        let through = outbox.queue.collected();
        held.write_all(None);
        end();
        held.give_up(through);
        drop(held);
        let later = outbox.report();
        assert_eq!((later.dropped, later.spooled, later.pending), (report.dropped, report.spooled + 1, 1));
    }

    #[test]
    fn the_end_of_a_program_is_let_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { folder: folder.path().to_owned(), ..Settings::from_env() };
        let outbox = Outbox::new(Queue::new(stack::logs(), settings.queue_bytes), &settings);
        let (enough, held) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            // As an exporter does that never comes to an end.
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let state = outbox.hold();
                    held.store(true, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(5));
                    drop(state);
                }
            });
            while !held.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            let is_mine = outbox.hold_until(Instant::now().checked_add(Duration::from_secs(1))).is_some();
            enough.store(true, Ordering::Relaxed);
            assert!(is_mine);
        });
    }
}
