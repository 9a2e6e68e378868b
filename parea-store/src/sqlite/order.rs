//! Writes to the catalog: each says what to do, and is told what came of it once that is durable.

use std::{
    cell::RefCell,
    fmt::{self, Debug},
};

use tokio::sync::oneshot;

use super::ingest::Ingest;
use crate::StoreError;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// One such write, whatever it answers with.
pub(super) trait Order: Debug + Send {
    /// Does it. May be called again when a transaction is rolled back.
    fn apply(&self, ingest: &mut Ingest<'_>) -> rusqlite::Result<()>;

    /// Tells the caller, who may have gone, what came of it or why its transaction failed.
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

/// What `act` answers goes to `reply`. What it refuses it leaves undone: an answer of `Err` writes nothing, whereas
/// the engine's own errors undo the transaction.
pub(super) fn order<T, F>(reply: Reply<T>, act: F) -> Box<dyn Order>
where
    T: Send + 'static,
    F: Fn(&mut Ingest<'_>) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
{
    Box::new(Pending { act, done: RefCell::new(None), reply })
}

struct Pending<T, F> {
    act: F,
    done: RefCell<Option<Result<T, StoreError>>>,
    reply: Reply<T>,
}

impl<T, F> Order for Pending<T, F>
where
    T: Send,
    F: Fn(&mut Ingest<'_>) -> rusqlite::Result<Result<T, StoreError>> + Send,
{
    fn apply(&self, ingest: &mut Ingest<'_>) -> rusqlite::Result<()> {
        let done = (self.act)(ingest)?;
        self.done.replace(Some(done));
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let Self { done, reply, .. } = *self;
        let undone = || Err(StoreError::Engine("the writer passed this over".to_owned()));
        let answer = failed.map_or_else(|| done.into_inner().unwrap_or_else(undone), Err);
        let _ = reply.send(answer);
    }
}

impl<T, F> Debug for Pending<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").finish_non_exhaustive()
    }
}
