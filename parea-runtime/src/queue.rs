//! Between the program and the exporter: bounded by bytes, never blocking, counting everything.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    books::{Books, Fate, Until},
    clock::Keeper,
    record::{Record, Records},
    report::FlushReport,
    thread_log::{Piece, Registry},
};

/// Records that wait, and the books of all that ever ended.
#[derive(Debug)]
pub(crate) struct Queue {
    logs: &'static Registry,
    state: Mutex<State>,
    books: Books,
}

#[derive(Debug, Default)]
struct State {
    /// What was collected from the threads and not taken yet.
    pieces: VecDeque<Piece>,
    /// Records ever collected.
    accepted: u64,
    /// Records ever taken.
    taken: u64,
}

/// Records as the exporter took them. To be settled in the same order.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Whole records, one behind the other.
    pieces: Vec<Vec<u8>>,
    bytes: usize,
    /// Number of the last of them, as the [`Books`] count.
    pub(crate) through: u64,
}

impl Queue {
    /// For the logs of all threads, which may take so many bytes.
    pub(crate) fn new(logs: &'static Registry, cap: usize) -> Self {
        logs.set_cap(cap);
        Self { logs, state: Mutex::default(), books: Books::default() }
    }

    /// Returns once there is something to send, and either it fills a batch, or `interval` has passed, or somebody
    /// waits for it. Meanwhile the clock is seen to.
    pub(crate) async fn batch_due(&self, interval: Duration, keeper: &mut Keeper) {
        loop {
            keeper.tend();
            self.logs.idle(true);
            if self.collect() {
                self.logs.idle(false);
                self.pause(interval).await;
                return;
            }
            // A thread tells its first record. One that falls between the look and the sleep is found by the next.
            let _ = tokio::time::timeout(LONGEST_SLEEP, self.logs.wake().notified()).await;
        }
    }

    /// Sleeps, unless there is reason to hurry.
    pub(crate) async fn pause(&self, at_most: Duration) {
        // Running out is as good as being woken.
        let _ = tokio::time::timeout(at_most, self.logs.wake().notified()).await;
    }

    /// Takes over what the threads have left; whether anything waits.
    fn collect(&self) -> bool {
        let mut state = self.lock();
        let State { pieces, accepted, .. } = &mut *state;
        self.logs.drain(|piece| {
            *accepted += piece.records;
            pieces.push_back(piece);
        });
        self.books.refused(&self.logs.tally());
        !pieces.is_empty()
    }

    /// The same; returns the number of the last record that has come by now.
    pub(crate) fn collected(&self) -> u64 {
        self.collect();
        self.lock().accepted
    }

    /// Drops what was collected and not taken, up to the record of that number. Returns how many that are.
    pub(crate) fn give_up(&self, through: u64) -> u64 {
        let mut state = self.lock();
        let mut count = 0;
        while state.taken < through
            && let Some(piece) = state.pieces.pop_front()
        {
            count += piece.records;
            state.taken += piece.records;
            self.logs.drop(piece);
        }
        count
    }

    /// The oldest records, about one batch of them.
    pub(crate) fn take_batch(&self) -> Taken {
        self.collect();
        let mut state = self.lock();
        let mut taken = Taken { pieces: Vec::new(), bytes: 0, through: 0 };
        while taken.bytes < BATCH_BYTES
            && let Some(piece) = state.pieces.pop_front()
        {
            taken.bytes += piece.len();
            state.taken += piece.records;
            taken.pieces.push(self.logs.copy(piece));
        }
        taken.through = state.taken;
        taken
    }

    /// Drops what waits, counted as delivered: for measurements.
    pub(crate) fn discard(&self) {
        while self.collect() {
            let mut state = self.lock();
            while let Some(piece) = state.pieces.pop_front() {
                state.taken += piece.records;
                self.books.settle(piece.records, Fate::Delivered);
                self.logs.drop(piece);
            }
            let through = state.taken;
            drop(state);
            self.books.release(through);
        }
    }

    /// Gives back the room of records that were taken and have left memory.
    pub(crate) fn leave(&self, bytes: usize) {
        self.logs.release(bytes);
    }

    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// Waits until all that has ended before the call is at rest, at most until the deadline.
    pub(crate) fn flush(&self, timeout: Duration, until: Until) -> FlushReport {
        // A deadline beyond the clock's end is none.
        let deadline = Instant::now().checked_add(timeout);
        let wanted = self.collected();
        if !self.books.is_released(wanted) {
            self.logs.wake().notify_one();
        }
        self.books.wait(wanted, deadline, until);
        self.report()
    }

    /// How it stands.
    pub(crate) fn report(&self) -> FlushReport {
        self.books.report(|| self.logs.tally(), None)
    }

    /// How it stands with the records up to that number, whatever has ended since.
    pub(crate) fn report_through(&self, number: u64) -> FlushReport {
        self.books.report(|| self.logs.tally(), Some(number))
    }

    /// Bytes of what waits, or little more.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.logs.held()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.pieces.iter().flat_map(|piece| Records::new(piece))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A batch is sent at the latest when it holds this much. On the wire it is about three times as large.
pub(crate) const BATCH_BYTES: usize = 384 * 1024;

/// How long the exporter sleeps when there is nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
