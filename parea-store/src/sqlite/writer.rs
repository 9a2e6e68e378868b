//! The one thread that writes: it takes all that waits, writes it in one transaction and answers when that is on
//! disk, so that many callers share one sync.

use std::{
    collections::VecDeque,
    path::Path,
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};
use tokio::sync::mpsc;

use super::{
    copy,
    directory::{Directory, Published},
    erase,
    ingest::{Ingest, Memory},
    job::{Done, Work},
    open::Folder,
};
use crate::{StoreError, Token};

/// Where a group ends although more waits, so that the first of it is not kept waiting.
const GROUP_PATCHES: usize = 4096;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// How long the writer waits for callers who are likely to come, and how often it looks: a transaction costs as much for
/// one log as for several.
const MOMENT: Duration = Duration::from_micros(60);
const MOMENTS: usize = 3;

/// Pages that are copied in one step of a copy: an eighth of a megabyte.
const PAGES: std::ffi::c_int = 16;

/// A transaction that was committed.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Logs and changes of logs in it, other orders counted as one each; 0 where it held work of the background alone.
    pub patches: usize,
    /// From its begin until it was on disk, by which the writer was held.
    pub took: Duration,
    /// How much of that was work of the background, which callers wait for without having asked for it: packing, the
    /// indexes of words and of ids.
    pub background: Duration,
}

/// Someone who is told of each transaction, on the writer's thread.
pub(super) type Watcher = OnceLock<Watch>;
type Watch = Box<dyn Fn(&Written) + Send + Sync>;

pub(super) struct Writer {
    /// Shared with a copy under way, which is told of each page that is written meanwhile.
    conn: Rc<Connection>,
    memory: Memory,
    /// For those who read.
    directory: Arc<Published>,
    /// How many were committed.
    transactions: Arc<AtomicU64>,
    /// Who is told of each.
    watcher: Arc<Watcher>,
    /// Work that cannot be done beside what was under way.
    put_off: VecDeque<Work>,
    /// Callers that are likely to have something soon: those who were answered last, and those who waited meanwhile.
    expected: usize,
}

impl Writer {
    /// One that knows the directory already.
    pub(super) fn new(
        conn: Connection,
        known: Directory,
        directory: Arc<Published>,
        transactions: Arc<AtomicU64>,
        watcher: Arc<Watcher>,
    ) -> Self {
        let memory = Memory { directory: known, ..Memory::default() };
        Self { conn: Rc::new(conn), memory, directory, transactions, watcher, put_off: VecDeque::new(), expected: 0 }
    }

    /// Serves the queue until all its senders are gone, then leaves the file in order. The folder is ours until then.
    pub(super) fn run(mut self, folder: Folder, mut queue: mpsc::Receiver<Work>) {
        while queue.is_empty() && self.pack() {}
        while let Some(first) = self.put_off.pop_front().or_else(|| queue.blocking_recv()) {
            match first {
                Work::Alone(alone) => alone.run(&self.conn),
                Work::Copy { to, reply } => {
                    let copied = self.copy(&to, &mut queue);
                    let _ = reply.send(copied);
                }
                first => self.group(first, &mut queue),
            }
            while queue.is_empty() && self.pack() {}
        }
        // What fails here is made good when the file is opened again: the write-ahead log holds everything.
        let _ = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        drop(self);
        drop(folder);
    }

    /// Writes all that waits, as far as it goes into one transaction.
    fn group(&mut self, first: Work, queue: &mut mpsc::Receiver<Work>) {
        let (mut patches, mut bytes) = first.size();
        let mut group = vec![first];
        // Those who send much are on their way for longer than it pays to wait.
        if patches == 1 {
            for _ in 0..MOMENTS {
                if queue.len() + 1 >= self.expected {
                    break;
                }
                thread::sleep(MOMENT);
            }
        }
        while patches < GROUP_PATCHES
            && bytes < GROUP_BYTES
            && let Ok(work) = queue.try_recv()
        {
            if matches!(work, Work::Alone(_) | Work::Copy { .. }) {
                self.put_off.push_back(work);
                break;
            }
            let size = work.size();
            patches += size.0;
            bytes += size.1;
            group.push(work);
        }
        let answered = group.len();
        self.commit(group);
        self.expected = if patches <= answered { answered + queue.len() } else { 0 };
    }

    /// Copies the file page by page. What is written meanwhile, by this very connection, goes to both, so that the copy
    /// is that of one moment, the last; and between the steps nothing is held, so that the write-ahead log stays small.
    /// Callers come first, but not for ever: there is a step after each rest, however many wait.
    fn copy(&mut self, to: &Path, queue: &mut mpsc::Receiver<Work>) -> Result<(), StoreError> {
        let conn = Rc::clone(&self.conn);
        let page: u64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let mut synced = copy::Synced::new(to)?;
        let mut copy = Connection::open(to)?;
        // It counts when it is whole, and is synced then.
        copy.pragma_update(None, "synchronous", "OFF")?;
        copy.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
        let backup = Backup::new(&conn, &mut copy)?;
        let mut served = None;
        loop {
            let begun = Instant::now();
            while begun.elapsed() < copy::SLICE && synced.is_ready()? {
                match backup.step(PAGES)? {
                    StepResult::Done => return Ok(()),
                    StepResult::More => synced.note(page * PAGES as u64),
                    // Someone else holds the file for a moment.
                    _ => thread::sleep(Duration::from_millis(1)),
                }
            }
            let (slice, begun) = (begun.elapsed(), Instant::now());
            loop {
                if let Ok(work) = queue.try_recv() {
                    served = Some(Instant::now());
                    if matches!(work, Work::Alone(_) | Work::Copy { .. }) {
                        self.put_off.push_back(work);
                    } else {
                        self.group(work, queue);
                    }
                }
                let is_rested = begun.elapsed() >= copy::rest(slice, served.map(|served: Instant| served.elapsed()));
                if is_rested && synced.is_ready()? {
                    break;
                }
                if queue.is_empty() {
                    thread::sleep(Duration::from_micros(500));
                }
            }
        }
    }

    fn commit(&mut self, group: Vec<Work>) {
        match self.transact(&group) {
            Ok((done, token)) => {
                for (work, done) in group.into_iter().zip(done) {
                    work.answer(Ok(done), token);
                }
            }
            Err(error) if group.len() == 1 => {
                if let Some(work) = group.into_iter().next() {
                    work.answer(Err(error.into()), Token::default());
                }
            }
            // One of them spoils it for all. Find out which; this is rare enough to be slow.
            Err(_) => {
                for work in group {
                    self.commit(vec![work]);
                }
            }
        }
    }

    fn transact(&mut self, group: &[Work]) -> rusqlite::Result<(Vec<Done>, Token)> {
        let result = self.attempt(group);
        if result.is_err() {
            // Some errors have ended it already.
            if !self.conn.is_autocommit() {
                let _ = self.conn.execute_batch("ROLLBACK");
            }
            // What we believe to be in the file may not be.
            self.memory = Memory::default();
        }
        result
    }

    fn attempt(&mut self, group: &[Work]) -> rusqlite::Result<(Vec<Done>, Token)> {
        let begun = Instant::now();
        let conn = Rc::clone(&self.conn);
        // By statements that are kept: a small transaction would feel it if they were read anew each time.
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut ingest = Ingest::new(&conn, &mut self.memory)?;
        // It may have been read anew, and is still that of the last commit.
        self.directory.publish(&ingest.memory.directory);
        let done = group.iter().map(|work| work.apply(&mut ingest)).collect::<Result<_, _>>()?;
        // Without a sync of its own, and also where jobs never stop coming.
        let packing = Instant::now();
        ingest.pack()?;
        let mut background = packing.elapsed();
        let token = ingest.finish()?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        self.directory.publish(&self.memory.directory);
        erase::note_written(&conn);
        let took = begun.elapsed();
        if group.is_empty() {
            background = took;
        } else {
            self.transactions.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(watch) = self.watcher.get() {
            watch(&Written { patches: group.iter().map(|work| work.size().0).sum(), took, background });
        }
        Ok((done, token))
    }

    /// Packs some of what waits for it; whether there was anything. An error is left to the next job, which meets it
    /// as well if it matters.
    fn pack(&mut self) -> bool {
        let is_due = Ingest::new(&self.conn, &mut self.memory).is_ok_and(|ingest| ingest.is_due());
        is_due && self.transact(&[]).is_ok()
    }
}
