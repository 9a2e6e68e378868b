//! Between the program and the exporter: bounded by bytes, never blocking, counting everything.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    record::Record,
    report::{DropReason, FlushReport},
};

/// Records that wait, and the books of all that ever ended.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Told whenever a batch was settled.
    flushed: Condvar,
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
    /// How many of those have met their fate.
    settled: u64,
    /// How many of the oldest are settled without a gap: whole batches, so that waiting for a record is waiting for
    /// its number.
    released: u64,
    delivered: u64,
    spooled: u64,
    dropped: BTreeMap<DropReason, u64>,
    /// Drops that no server was told of yet.
    unreported: BTreeMap<DropReason, u64>,
    last_error: Option<String>,
}

/// Records as the exporter took them. To be settled in the same order.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) records: Vec<Record>,
    bytes: usize,
}

/// What became of one or more taken records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    #[cfg(feature = "http")]
    Delivered,
    Spooled,
    Dropped(DropReason),
}

impl Queue {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            state: Mutex::default(),
            flushed: Condvar::new(),
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
        if size > self.cap {
            return state.drop_records(DropReason::TooLarge, 1);
        }
        if state.queued + state.in_flight + size > self.cap {
            return state.drop_records(DropReason::QueueFull, 1);
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
        let mut taken = Taken { records: Vec::new(), bytes: 0 };
        while taken.bytes < BATCH_BYTES
            && let Some(record) = state.records.pop_front()
        {
            taken.bytes += record.size();
            taken.records.push(record);
        }
        state.queued -= taken.bytes;
        state.in_flight += taken.bytes;
        taken
    }

    /// So many records of the batch that was taken have met their fate.
    pub(crate) fn settle(&self, count: u64, fate: Fate) {
        let mut state = self.lock();
        state.settled += count;
        match fate {
            #[cfg(feature = "http")]
            Fate::Delivered => {
                state.delivered += count;
                state.last_error = None;
            }
            Fate::Spooled => state.spooled += count,
            Fate::Dropped(reason) => state.drop_records(reason, count),
        }
    }

    /// All of a batch is settled: gives back its room, and wakes those who wait for it.
    pub(crate) fn release(&self, bytes: usize, count: u64) {
        let mut state = self.lock();
        state.in_flight -= bytes;
        state.released += count;
        drop(state);
        self.flushed.notify_all();
    }

    pub(crate) fn failed(&self, error: String) {
        self.lock().last_error = Some(error);
    }

    /// Drops that no server was told of; to be given back by [`unreport`](Self::unreport) if the account does not
    /// arrive.
    #[cfg(feature = "http")]
    pub(crate) fn take_losses(&self) -> BTreeMap<DropReason, u64> {
        std::mem::take(&mut self.lock().unreported)
    }

    #[cfg(feature = "http")]
    pub(crate) fn unreport(&self, losses: BTreeMap<DropReason, u64>) {
        let mut state = self.lock();
        for (reason, count) in losses {
            *state.unreported.entry(reason).or_default() += count;
        }
    }

    /// Waits until all that has ended before the call is settled, at most until the deadline.
    pub(crate) fn flush(&self, timeout: Duration) -> FlushReport {
        // A deadline beyond the clock's end is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        let wanted = state.accepted;
        if state.released < wanted {
            self.hurry.notify_one();
        }
        while state.released < wanted {
            let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state = self.flushed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.report(&state)
    }

    fn report(&self, state: &State) -> FlushReport {
        FlushReport {
            delivered: state.delivered,
            spooled: state.spooled,
            dropped: state.dropped.clone(),
            pending: state.accepted - state.settled,
            open: self.open.load(Ordering::Relaxed),
            last_error: state.last_error.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_records(&mut self, reason: DropReason, count: u64) {
        *self.dropped.entry(reason).or_default() += count;
        *self.unreported.entry(reason).or_default() += count;
    }
}

impl Taken {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A batch is sent at the latest when it holds this much.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;
