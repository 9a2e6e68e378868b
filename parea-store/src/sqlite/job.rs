//! What callers hand to the writer, prepared as far as that goes without the file.

use parea_types::TraceLog;
use tokio::sync::oneshot;

use super::{ingest::Ingest, order::Order};
use crate::{Committed, Outcome, Patch, Project, StoreError, Token, merge, row};

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is asked of the writer, and whom to answer once it is durable.
#[derive(Debug)]
pub(super) enum Work {
    Commit { patches: Vec<Prepared>, reply: Reply<Committed> },
    Project { name: String, reply: Reply<(Project, bool)> },
    Losses { project: String, losses: Vec<(String, u64)>, reply: Reply<()> },
    Order(Box<dyn Order>),
}

/// What came of it, to be told after the commit.
#[derive(Debug)]
pub(super) enum Done {
    Commit(Vec<Outcome>),
    Project(Project, bool),
    Losses,
    Order,
}

/// A patch in our spelling.
#[derive(Debug)]
pub(super) enum Prepared {
    Post(Box<Post>),
    Put(merge::Update),
}

/// A log that was sent.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) project_uuid: Option<String>,
    pub(super) project_name: Option<String>,
    pub(super) log: TraceLog,
    /// The log as JSON.
    pub(super) json: String,
}

impl Prepared {
    /// An error names the field whose value is none of its.
    pub(super) fn of(patch: Patch) -> Result<Self, String> {
        match patch {
            Patch::Post(mut log) => {
                let said = |text: &mut Option<String>| text.take().filter(|text| !text.is_empty());
                let (project_uuid, project_name) = (said(&mut log.project_uuid), said(&mut log.project_name));
                merge::normalise(&mut log);
                let json = row::json(&*log);
                Ok(Self::Post(Box::new(Post { project_uuid, project_name, log: *log, json })))
            }
            Patch::Put(update) => merge::Update::check(update).map(Self::Put),
        }
    }
}

impl Work {
    /// Patches and bytes, roughly.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Commit { patches, .. } => {
                let bytes = patches.iter().map(|patch| match patch {
                    Prepared::Post(post) => post.json.len(),
                    Prepared::Put(_) => 1024,
                });
                (patches.len(), bytes.sum())
            }
            Self::Project { .. } | Self::Losses { .. } | Self::Order(_) => (1, 0),
        }
    }

    pub(super) fn apply(&self, ingest: &mut Ingest<'_>) -> rusqlite::Result<Done> {
        match self {
            Self::Commit { patches, .. } => {
                patches.iter().map(|patch| ingest.patch(patch)).collect::<Result<_, _>>().map(Done::Commit)
            }
            Self::Project { name, .. } => {
                ingest.project_named(name).map(|(project, is_new)| Done::Project(project, is_new))
            }
            Self::Losses { project, losses, .. } => ingest.losses(project, losses).map(|()| Done::Losses),
            Self::Order(order) => order.apply(ingest).map(|()| Done::Order),
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
            (Self::Losses { reply, .. }, Ok(Done::Losses)) => {
                let _ = reply.send(Ok(()));
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
        }
    }
}

fn failure(done: Result<Done, StoreError>) -> StoreError {
    done.err().unwrap_or_else(|| StoreError::Engine("the answer to another question came".to_owned()))
}
