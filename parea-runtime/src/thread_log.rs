//! Where finished spans wait for the exporter: a log of bytes per thread, which only that thread writes and anyone may
//! drain at any time, also when the thread is about to end or the process exits.
//!
//! The bytes lie in segments of atomic words. A writer fills its segment from the front and then publishes how far it
//! got; a reader takes what is published. So a span is handed over by plain stores and one release, without a lock,
//! a wake-up or an allocation; the lock is for what comes once per segment.

#[cfg(all(test, parea_loom))]
mod model;

#[cfg(not(all(test, parea_loom)))]
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, fence},
};
use std::{
    collections::VecDeque,
    fmt,
    ops::Deref,
    sync::{PoisonError, atomic::Ordering},
};

#[cfg(all(test, parea_loom))]
use loom::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, fence},
};
use tokio::sync::Notify;

use crate::json::{STEP, Step};

/// Words of a thread's first segment; each further one is four times as large, up to [`LARGEST`].
#[cfg(not(all(test, parea_loom)))]
const FIRST: usize = 512;
/// Two records of the model.
#[cfg(all(test, parea_loom))]
const FIRST: usize = 4;
const LARGEST: usize = 8 * 1024;
/// The exporter is woken whenever this much more waits.
const HURRY: usize = 1024 * 1024;
/// Drained segments that are kept for the next use.
const SPARE: usize = 64;

/// The logs of all threads, and how much memory they may take.
#[derive(Debug)]
pub(crate) struct Registry {
    logs: Mutex<Logs>,
    spare: Mutex<Vec<Arc<Segment>>>,
    /// Bytes in segments, and in copies that are not released yet.
    held: AtomicUsize,
    cap: AtomicUsize,
    /// Whether the exporter sleeps and wants to hear of the next record.
    idle: AtomicBool,
    /// Wakes the exporter.
    wake: Notify,
}

#[derive(Debug)]
struct Logs {
    threads: Vec<Arc<ThreadLog>>,
    /// Of threads that are gone.
    past: Tally,
}

/// What was counted since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Spans that started.
    pub(crate) started: u64,
    /// Spans that ended, whether there was room for their records or not.
    pub(crate) ended: u64,
    /// Of these, the ones that found no room.
    pub(crate) queue_full: u64,
    /// Of these, the ones that are larger than all the room there is.
    pub(crate) too_large: u64,
    /// Values that were left out because their name says that they are secret.
    pub(crate) redacted: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.started += other.started;
        self.ended += other.ended;
        self.queue_full += other.queue_full;
        self.too_large += other.too_large;
        self.redacted += other.redacted;
    }
}

/// One thread's part. The counters have one writer each, so that they need no locked instruction.
#[derive(Debug)]
pub(crate) struct ThreadLog {
    unread: Mutex<Unread>,
    counters: [AtomicU64; 5],
    /// Whether the thread still writes.
    alive: AtomicBool,
}

#[derive(Debug, Default)]
struct Unread {
    /// Oldest first; all but the last are complete.
    segments: VecDeque<Arc<Segment>>,
    /// Words of the first one that were read already, and records.
    read: usize,
    counted: u64,
}

struct Segment {
    words: Box<[AtomicU64]>,
    /// What is [`Written`] for good.
    published: AtomicU64,
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("published", &self.published).finish_non_exhaustive()
    }
}

impl Segment {
    fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// What is counted per thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Started,
    Ended,
    QueueFull,
    TooLarge,
    Redacted,
}

impl ThreadLog {
    #[inline]
    pub(crate) fn count(&self, what: Count, by: u64) {
        let counter = &self.counters[what as usize];
        counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
    }

    fn tally(&self) -> Tally {
        let of = |what: Count| self.counters[what as usize].load(Ordering::Relaxed);
        Tally {
            started: of(Count::Started),
            ended: of(Count::Ended),
            queue_full: of(Count::QueueFull),
            too_large: of(Count::TooLarge),
            redacted: of(Count::Redacted),
        }
    }

    fn unread(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Words that are to be written.
pub(crate) struct Words<'a, const N: usize>(&'a [AtomicU64; N]);

impl<const N: usize> Words<'_, N> {
    #[expect(clippy::inline_always, reason = "one instruction where the place is known")]
    #[inline(always)]
    pub(crate) fn set(&self, at: usize, value: u64) {
        self.0[at].store(value, Ordering::Relaxed);
    }
}

/// What is written as so many words.
pub(crate) trait Put<const N: usize> {
    /// Writes all of them.
    fn put(&self, words: &Words<'_, N>);
}

impl<const N: usize> Put<N> for [u64; N] {
    fn put(&self, words: &Words<'_, N>) {
        (0..N).for_each(|at| words.set(at, self[at]));
    }
}

/// Writes the pairs and the body into words that have room for them.
#[inline(never)]
fn fill(words: &[AtomicU64], pairs: &[[u64; 2]], body: &[Step]) {
    let Some((paired, rest)) = words.split_at_checked(pairs.len() * 2) else { return };
    for (word, value) in paired.iter().zip(pairs.as_flattened()) {
        word.store(*value, Ordering::Relaxed);
    }
    if let Some(steps) = rest.as_chunks().0.get(..body.len()) {
        fill_steps(steps, body);
    }
}

/// Words of a [`Step`].
const IN_A_STEP: usize = STEP / 8;

#[expect(clippy::inline_always, reason = "as long as it is seen that there is as much room as bytes")]
#[inline(always)]
fn fill_steps(steps: &[[AtomicU64; IN_A_STEP]], body: &[Step]) {
    for (words, bytes) in steps.iter().zip(body) {
        for (word, bytes) in words.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
    }
}

/// A thread's end of its log. `R` leads to the registry; in the model each run has one of its own.
#[derive(Debug)]
pub(crate) struct Writer<R: Deref<Target = Registry> = &'static Registry> {
    registry: R,
    log: Arc<ThreadLog>,
    segment: Option<Arc<Segment>>,
    written: Written,
}

/// How much is written into a segment: words in the lower half, and in the upper one of how many records they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written(u64);

impl Written {
    #[inline]
    fn words(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }

    fn records(self) -> u64 {
        self.0 >> 32
    }

    #[inline]
    fn and_a_record_of(self, words: usize) -> Self {
        Self(self.0 + (1 << 32) + words as u64)
    }
}

/// Whole records, one behind the other, as a thread left them. They stay where they are until they are copied.
#[derive(Debug)]
pub(crate) struct Piece {
    segment: Arc<Segment>,
    from: usize,
    to: usize,
    pub(crate) records: u64,
    /// Nothing comes behind it.
    last: bool,
}

impl Piece {
    pub(crate) fn len(&self) -> usize {
        (self.to - self.from) * 8
    }

    fn copy(&self) -> Vec<u8> {
        let mut copy = vec![0; self.len()];
        for (bytes, word) in copy.as_chunks_mut::<8>().0.iter_mut().zip(&self.segment.words[self.from..self.to]) {
            *bytes = word.load(Ordering::Relaxed).to_le_bytes();
        }
        copy
    }
}

impl<R: Deref<Target = Registry>> Writer<R> {
    /// That of a new log, for this thread.
    pub(crate) fn new(registry: R) -> Self {
        let log = Arc::new(ThreadLog {
            unread: Mutex::new(Unread::default()),
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
            alive: AtomicBool::new(true),
        });
        registry.logs().threads.push(Arc::clone(&log));
        Self { registry, log, segment: None, written: Written::default() }
    }

    #[inline]
    pub(crate) fn count(&self, what: Count, by: u64) {
        self.log.count(what, by);
    }

    /// Hands one record over. `false` if there was no room, which is counted.
    #[expect(clippy::inline_always, reason = "words that are made for it go from registers to the log")]
    #[inline(always)]
    pub(crate) fn append<const N: usize>(&mut self, head: &impl Put<N>, pairs: &[[u64; 2]], body: &[Step]) -> bool {
        let needed = N + pairs.len() * 2 + body.len() * IN_A_STEP;
        self.count(Count::Ended, 1);
        let room = self.segment.as_ref().map_or(0, |segment| segment.words.len() - self.written.words());
        if room < needed && !self.next_segment(needed) {
            return false;
        }
        let Some(segment) = &self.segment else { return false };
        let free = segment.words.get(self.written.words()..).and_then(<[_]>::split_first_chunk::<N>);
        let Some((first, rest)) = free else { return false };
        head.put(&Words(first));
        if needed > N {
            fill(rest, pairs, body);
        }
        self.publish(needed);
        true
    }

    /// Hands a record of words and a body over, if there is room in the segment; else nothing has happened.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(crate) fn append_usual<const N: usize>(&mut self, head: &impl Put<N>, body: &[Step]) -> bool {
        let Some(segment) = &self.segment else { return false };
        let free = segment.words.get(self.written.words()..).and_then(<[_]>::split_first_chunk::<N>);
        let Some((first, rest)) = free else { return false };
        let Some(steps) = rest.as_chunks().0.get(..body.len()) else { return false };
        head.put(&Words(first));
        fill_steps(steps, body);
        self.count(Count::Ended, 1);
        self.publish(N + body.len() * IN_A_STEP);
        true
    }

    /// Hands a record of nothing but words over, if there is room in the segment; else nothing has happened.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(crate) fn append_words<const N: usize>(&mut self, record: &impl Put<N>) -> bool {
        let Some(segment) = &self.segment else { return false };
        let at = self.written.words();
        let Some(Ok(free)) = segment.words.get(at..at + N).map(<&[_; N]>::try_from) else { return false };
        record.put(&Words(free));
        self.count(Count::Ended, 1);
        self.publish(N);
        true
    }

    /// So many words more are a whole record.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn publish(&mut self, words: usize) {
        let Some(segment) = &self.segment else { return };
        self.written = self.written.and_a_record_of(words);
        segment.published.store(self.written.0, Ordering::Release);
        if self.registry.idle.load(Ordering::Relaxed) {
            self.registry.hear();
        }
    }

    #[cold]
    #[inline(never)]
    fn next_segment(&mut self, needed: usize) -> bool {
        let usual = self.segment.as_ref().map_or(FIRST, |segment| (segment.words.len() * 4).min(LARGEST));
        match self.registry.segment(usual.max(needed), needed) {
            Ok(segment) => {
                // What came before is published by now: a reader that sees the new one sees all of it.
                self.log.unread().segments.push_back(Arc::clone(&segment));
                self.segment = Some(segment);
                self.written = Written::default();
                true
            }
            Err(Count::QueueFull) if self.start_over(needed) => true,
            Err(why) => {
                self.count(why, 1);
                false
            }
        }
    }

    /// Writes the segment once more from its front, if all of it was read: a thread that has one is not refused because
    /// of others that hold theirs and rest.
    fn start_over(&mut self, needed: usize) -> bool {
        let Some(segment) = &self.segment else { return false };
        // While this is held, nobody begins to read.
        let mut unread = self.log.unread();
        // The writer's and the log's: no piece of it waits to be copied.
        let is_read =
            unread.read == self.written.words() && unread.segments.len() == 1 && Arc::strong_count(segment) == 2;
        if segment.words.len() < needed || !is_read {
            return false;
        }
        // With the release by which the last piece was dropped.
        fence(Ordering::Acquire);
        segment.published.store(0, Ordering::Relaxed);
        (unread.read, unread.counted) = (0, 0);
        self.written = Written::default();
        true
    }
}

impl<R: Deref<Target = Registry>> Drop for Writer<R> {
    fn drop(&mut self) {
        self.log.alive.store(false, Ordering::Release);
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            logs: Mutex::new(Logs { threads: Vec::new(), past: Tally::default() }),
            spare: Mutex::new(Vec::new()),
            held: AtomicUsize::new(0),
            cap: AtomicUsize::new(usize::MAX),
            idle: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }
}

impl Registry {
    /// Most bytes that may wait and be under way.
    pub(crate) fn set_cap(&self, cap: usize) {
        self.cap.store(cap, Ordering::Relaxed);
    }

    /// A segment of about that many words, with room for what is needed.
    fn segment(&self, words: usize, needed: usize) -> Result<Arc<Segment>, Count> {
        let cap = self.cap.load(Ordering::Relaxed);
        if needed * 8 > cap {
            return Err(Count::TooLarge);
        }
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let words = words.min((cap / 64 / 8).max(needed));
        let spare = spare.iter().position(|segment| segment.words.len() == words).map(|at| spare.swap_remove(at));
        let bytes = words * 8;
        let reserved = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| Some(held + bytes).filter(|held| *held <= cap));
        if reserved.is_err() {
            return Err(Count::QueueFull);
        }
        if reserved.is_ok_and(|held| held / HURRY < (held + bytes) / HURRY) {
            self.wake.notify_one();
        }
        Ok(spare.unwrap_or_else(|| {
            Arc::new(Segment { words: (0..words).map(|_| AtomicU64::new(0)).collect(), published: AtomicU64::new(0) })
        }))
    }

    /// The exporter goes to sleep, or is awake.
    pub(crate) fn idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Relaxed);
    }

    /// The first record after a pause: once only, since waking a thread costs as much as a hundred spans.
    #[cold]
    fn hear(&self) {
        if self.idle.swap(false, Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    pub(crate) fn wake(&self) -> &Notify {
        &self.wake
    }

    /// Takes what all threads have published. Each piece is to be given back, [copied](Self::copy) or
    /// [dropped](Self::drop).
    pub(crate) fn drain(&self, mut take: impl FnMut(Piece)) {
        // Pieces of one thread come in its order because one reader holds the lock at a time.
        let mut logs = self.logs();
        let Logs { threads, past } = &mut *logs;
        threads.retain(|log| {
            // Asked first: what is published after that is published by a living thread.
            let ended = !log.alive.load(Ordering::Acquire);
            self.drain_one(log, ended, &mut take);
            if ended {
                past.add(log.tally());
            }
            !ended
        });
    }

    fn drain_one(&self, log: &ThreadLog, ended: bool, take: &mut impl FnMut(Piece)) {
        let mut unread = log.unread();
        while let Some(segment) = unread.segments.front().map(Arc::clone) {
            let last = ended || unread.segments.len() > 1;
            let published = Written(segment.published.load(Ordering::Acquire));
            let (to, records) = (published.words(), published.records());
            let (from, before) = (unread.read, unread.counted);
            (unread.read, unread.counted) = if last { (0, 0) } else { (to, records) };
            if last {
                unread.segments.pop_front();
            }
            if to > from {
                take(Piece { segment, from, to, records: records - before, last });
            } else if last {
                self.recycle(segment);
            }
            if !last {
                break;
            }
        }
    }

    /// The records as bytes, which count as held until they are [released](Self::release).
    pub(crate) fn copy(&self, piece: Piece) -> Vec<u8> {
        let copy = piece.copy();
        self.held.fetch_add(copy.len(), Ordering::Relaxed);
        self.drop(piece);
        copy
    }

    /// Gives the piece's room back.
    pub(crate) fn drop(&self, piece: Piece) {
        if piece.last {
            self.recycle(piece.segment);
        }
    }

    /// A segment of which nothing more is read or written.
    fn recycle(&self, mut segment: Arc<Segment>) {
        self.held.fetch_sub(segment.bytes(), Ordering::Relaxed);
        let large = segment.words.len() > LARGEST;
        // Its writer, or an earlier piece of it, may hold it a moment longer: then it is used no more.
        let Some(free) = Arc::get_mut(&mut segment) else { return };
        free.published.store(0, Ordering::Relaxed);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE && !large {
            spare.push(segment);
        }
    }

    /// Bytes in segments, and in copies that are not released yet.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Copies of so many bytes are done with.
    pub(crate) fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Sums over all threads, those that are gone included.
    pub(crate) fn tally(&self) -> Tally {
        let logs = self.logs();
        let mut sum = logs.past;
        for log in &logs.threads {
            sum.add(log.tally());
        }
        sum
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(parea_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_was_read_is_written_again_where_there_is_no_room_for_another() {
        let logs: &'static Registry = Box::leak(Box::default());
        // 64 segments of 64 words, all but one with threads that rest.
        logs.set_cap(64 * 64 * 8);
        let mut resting: Vec<Writer> = (0..63).map(|_| Writer::new(logs)).collect();
        assert!(resting.iter_mut().all(|writer| writer.append(&[0], &[], &[])));
        logs.drain(|piece| logs.drop(piece));
        let mut writer = Writer::new(logs);
        let mut seen = 0;
        for round in 0..10_u64 {
            for n in 0..16 {
                assert!(writer.append(&[round, n], &[[1; 2]], &[]), "round {round}, record {n}");
            }
            assert!(!writer.append(&[round, 16], &[[1; 2]], &[]), "there is no room before it is read");
            let mut pieces = Vec::new();
            logs.drain(|piece| pieces.push(piece));
            assert!(!writer.append(&[round, 16], &[[1; 2]], &[]), "nor before it is copied");
            for piece in pieces {
                seen += piece.records;
                let copy = piece.copy();
                assert_eq!(copy.first_chunk(), Some(&round.to_le_bytes()));
                logs.drop(piece);
            }
        }
        let tally = logs.tally();
        assert_eq!((seen, tally.ended, tally.queue_full), (160, 243, 20));
    }
}
