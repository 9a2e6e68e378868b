//! What callers hand to the writer, prepared as far as that goes without the file.

use std::{
    fmt::{self, Debug},
    path::PathBuf,
};

use parea_types::TraceLog;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    block::{FULL, Packed, SIZE, Words, encode},
    ingest::Ingest,
    order::Order,
    pack,
    terms::Terms,
};
use crate::{
    Committed, Outcome, Patch, Project, StoreError, Token, merge,
    row::{self, Head, Row},
    text::Pieces,
};

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is asked of the writer, and whom to answer once it is durable.
#[derive(Debug)]
pub(super) enum Work {
    Commit {
        batch: Batch,
        reply: Reply<Committed>,
    },
    Project {
        name: String,
        reply: Reply<(Project, bool)>,
    },
    Losses {
        project: String,
        losses: Vec<(String, u64)>,
        id: Option<String>,
        reply: Reply<bool>,
    },
    Order(Box<dyn Order>),
    Alone(Alone),
    /// A copy of the file, while the others go on.
    Copy {
        to: PathBuf,
        reply: Reply<()>,
    },
}

/// Work outside of any transaction, with nothing else beside it.
pub(super) struct Alone(Box<dyn FnOnce(&Connection) + Send>);

impl Alone {
    pub(super) fn run(self, conn: &Connection) {
        (self.0)(conn);
    }
}

impl Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alone").finish_non_exhaustive()
    }
}

/// What came of it, to be told after the commit.
#[derive(Debug)]
pub(super) enum Done {
    Commit(Vec<Outcome>),
    Project(Project, bool),
    Losses(bool),
    Order,
}

/// Patches in our spelling, with what can be said of them without the file.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) patches: Vec<Prepared>,
    /// For each [`SIZE`] of them the block that they make if all are new, where they are worth one.
    pub(super) packed: Vec<Option<Packed>>,
}

/// A patch in our spelling.
#[derive(Debug)]
pub(super) enum Prepared {
    Post(Box<Post>),
    /// With the uuid of the project whose log alone is meant.
    Put(merge::Update, Option<String>),
}

/// A log that was sent.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) project_uuid: Option<String>,
    pub(super) project_name: Option<String>,
    /// The log as JSON.
    pub(super) json: String,
    pub(super) updated: Option<i64>,
    pub(super) facts: Facts,
}

/// What stands beside a log's value.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) trace_id: String,
    pub(super) row: Row,
    pub(super) terms: Terms,
    /// Where it names itself as the root.
    pub(super) head: Option<Head>,
}

impl Facts {
    pub(super) fn of(log: &TraceLog) -> Self {
        let row = Row::of(log);
        let is_root = row.root.as_ref() == Some(&log.trace_id);
        Self { trace_id: log.trace_id.clone(), row, terms: Terms::of(log), head: is_root.then(|| Head::of(log)) }
    }
}

/// Bytes of JSON that take some tens of microseconds to prepare.
const SHORT: usize = 32 << 10;

/// Whether patches are prepared in no time.
pub(super) fn is_short(patches: &[Patch]) -> bool {
    match patches {
        [Patch::Post(log)] => row::is_within(log, SHORT),
        [Patch::Put(update) | Patch::PutIn(_, update)] => row::is_within(update, SHORT),
        _ => patches.is_empty(),
    }
}

impl Batch {
    /// An error names the field whose value is none of its.
    pub(super) fn of(patches: Vec<Patch>) -> Result<Self, String> {
        let mut batch = Self { patches: Vec::with_capacity(patches.len()), packed: Vec::new() };
        let mut patches = patches.into_iter().peekable();
        while patches.peek().is_some() {
            let is_enough = pack::is_enough(patches.len());
            let begun = batch.patches.len();
            let mut pieces = Vec::new();
            for patch in patches.by_ref().take(SIZE) {
                match patch {
                    Patch::Post(log) => batch.patches.push(Prepared::post(*log, is_enough.then_some(&mut pieces))),
                    Patch::Put(update) => batch.patches.push(Prepared::Put(merge::Update::check(update)?, None)),
                    Patch::PutIn(project, update) => {
                        batch.patches.push(Prepared::Put(merge::Update::check(update)?, Some(project)));
                    }
                }
            }
            batch.packed.push(if is_enough { pack(&batch.patches[begun..], &pieces) } else { None });
        }
        Ok(batch)
    }
}

/// The block of some posts. Their ids will follow one another.
fn pack(patches: &[Prepared], pieces: &[Pieces]) -> Option<Packed> {
    let mut texts = Vec::with_capacity(patches.len());
    for patch in patches {
        let Prepared::Post(post) = patch else { return None };
        texts.push(post.json.as_str());
    }
    if texts.iter().map(|text| text.len()).sum::<usize>() > FULL {
        return None;
    }
    let data = encode(0, (0..).zip(texts).map(|(id, json)| (id, None, json))).ok()?;
    Some(Packed { data, words: Words::of(pieces.iter()) })
}

impl Prepared {
    fn post(mut log: TraceLog, pieces: Option<&mut Vec<Pieces>>) -> Self {
        let said = |text: &mut Option<String>| text.take().filter(|text| !text.is_empty());
        let (project_uuid, project_name) = (said(&mut log.project_uuid), said(&mut log.project_name));
        merge::normalise(&mut log);
        if let Some(pieces) = pieces {
            pieces.push(Pieces::of(&log));
        }
        Self::Post(Box::new(Post {
            project_uuid,
            project_name,
            json: row::json(&log),
            updated: log.last_updated_at.map(parea_types::Timestamp::micros),
            facts: Facts::of(&log),
        }))
    }
}

impl Work {
    /// What `act` answers goes to `reply`.
    pub(super) fn alone<T: Send + 'static>(
        reply: Reply<T>,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Self {
        Self::Alone(Alone(Box::new(move |conn| {
            let _ = reply.send(act(conn).map_err(StoreError::from));
        })))
    }

    /// Patches and bytes, roughly.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Commit { batch: Batch { patches, .. }, .. } => {
                let bytes = patches.iter().map(|patch| match patch {
                    Prepared::Post(post) => post.json.len(),
                    Prepared::Put(..) => 1024,
                });
                (patches.len(), bytes.sum())
            }
            Self::Project { .. } | Self::Losses { .. } | Self::Order(_) | Self::Alone(_) | Self::Copy { .. } => (1, 0),
        }
    }

    pub(super) fn apply<'a>(&'a self, ingest: &mut Ingest<'a>) -> rusqlite::Result<Done> {
        match self {
            Self::Commit { batch, .. } => ingest.batch(batch).map(Done::Commit),
            Self::Project { name, .. } => {
                ingest.project_named(name).map(|(project, is_new)| Done::Project(project, is_new))
            }
            Self::Losses { project, losses, id, .. } => ingest.losses(project, losses, id.as_deref()).map(Done::Losses),
            Self::Order(order) => order.apply(ingest).map(|()| Done::Order),
            // The writer takes these out before.
            Self::Alone(_) | Self::Copy { .. } => Ok(Done::Order),
        }
    }

    /// Tells the caller, who may have gone.
    pub(super) fn answer(self, done: Result<Done, StoreError>, token: Token) {
        match (self, done) {
            (Self::Commit { reply, .. }, Ok(Done::Commit(outcomes))) => {
                let _ = reply.send(Ok(Committed { outcomes, token }));
            }
            (Self::Project { reply, .. }, Ok(Done::Project(project, is_new))) => {
                let _ = reply.send(Ok((project, is_new)));
            }
            (Self::Losses { reply, .. }, Ok(Done::Losses(is_new))) => {
                let _ = reply.send(Ok(is_new));
            }
            (Self::Order(order), done) => order.answer(done.err()),
            (Self::Commit { reply, .. }, done) => {
                let _ = reply.send(Err(failure(done)));
            }
            (Self::Project { reply, .. }, done) => {
                let _ = reply.send(Err(failure(done)));
            }
            (Self::Losses { reply, .. }, done) => {
                let _ = reply.send(Err(failure(done)));
            }
            (Self::Alone(_) | Self::Copy { .. }, _) => {}
        }
    }
}

fn failure(done: Result<Done, StoreError>) -> StoreError {
    done.err().unwrap_or_else(|| StoreError::Engine("the answer to another question came".to_owned()))
}
