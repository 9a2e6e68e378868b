//! Between the program and the exporter: bounded by bytes, never blocking, counting everything.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    books::{Books, Until},
    record::Record,
    report::{DropReason, FlushReport},
};

/// Records that wait, and the books of all that ever ended.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    books: Books,
    /// Wakes the exporter: there is a first record.
    arrived: Notify,
    /// Wakes the exporter from any pause: a batch is full, or somebody waits.
    hurry: Notify,
    open: AtomicU64,
    cap: usize,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    /// Bytes in `records`.
    queued: usize,
    /// Bytes that the exporter has taken and not settled.
    in_flight: usize,
    /// Records ever let into the queue.
    accepted: u64,
    /// Records ever taken out of it.
    taken: u64,
}

/// Records as the exporter took them. To be settled in the same order.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) records: Vec<Record>,
    bytes: usize,
    /// Number of the last of them, as the [`Books`] count.
    pub(crate) through: u64,
}

impl Queue {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            state: Mutex::default(),
            books: Books::default(),
            arrived: Notify::new(),
            hurry: Notify::new(),
            open: AtomicU64::new(0),
            cap,
        }
    }

    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a record in, or counts why not.
    pub(crate) fn push(&self, record: Record) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let size = record.size();
        let mut state = self.lock();
        if size > self.cap || state.queued + state.in_flight + size > self.cap {
            drop(state);
            let reason = if size > self.cap { DropReason::TooLarge } else { DropReason::QueueFull };
            return self.books.refuse(1, reason);
        }
        let first = state.records.is_empty();
        let was = state.queued;
        state.records.push_back(record);
        state.queued += size;
        state.accepted += 1;
        let full = was < BATCH_BYTES && state.queued >= BATCH_BYTES;
        drop(state);
        if first {
            self.arrived.notify_one();
        }
        if full {
            self.hurry.notify_one();
        }
    }

    /// Returns once there is something to send, and either it fills a batch, or `interval` has passed, or somebody
    /// waits for it.
    pub(crate) async fn batch_due(&self, interval: Duration) {
        loop {
            if !self.lock().records.is_empty() {
                self.pause(interval).await;
                return;
            }
            self.arrived.notified().await;
        }
    }

    /// Sleeps, unless there is reason to hurry.
    pub(crate) async fn pause(&self, at_most: Duration) {
        // Running out is as good as being woken.
        let _ = tokio::time::timeout(at_most, self.hurry.notified()).await;
    }

    /// The oldest records, about one batch of them.
    pub(crate) fn take_batch(&self) -> Taken {
        let mut state = self.lock();
        let mut taken = Taken { records: Vec::new(), bytes: 0, through: 0 };
        while taken.bytes < BATCH_BYTES
            && let Some(record) = state.records.pop_front()
        {
            taken.bytes += record.size();
            taken.records.push(record);
        }
        state.queued -= taken.bytes;
        state.in_flight += taken.bytes;
        state.taken += taken.records.len() as u64;
        taken.through = state.taken;
        taken
    }

    /// Gives back the room of records that were taken and have left memory.
    pub(crate) fn leave(&self, bytes: usize) {
        self.lock().in_flight -= bytes;
    }

    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// Waits until all that has ended before the call is at rest, at most until the deadline.
    pub(crate) fn flush(&self, timeout: Duration, until: Until) -> FlushReport {
        // A deadline beyond the clock's end is none.
        let deadline = Instant::now().checked_add(timeout);
        let wanted = self.accepted();
        if !self.books.is_released(wanted) {
            self.hurry.notify_one();
        }
        self.books.wait(wanted, deadline, until);
        self.report()
    }

    /// How it stands.
    pub(crate) fn report(&self) -> FlushReport {
        self.books.report(|| self.accepted(), self.open.load(Ordering::Relaxed))
    }

    fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A batch is sent at the latest when it holds this much.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;
