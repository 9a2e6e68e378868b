//! Where logs are kept.
//!
//! A store is two traits. [`Catalog`] is small and linearizable: what must be unique or agreed on. [`Logs`] is
//! everything else. No transaction spans both, so that each may live on another engine.

mod catalog;
mod logs;
mod merge;
pub mod private;
pub mod query;
mod row;
mod sampling;
mod sqlite;
pub mod text;
mod tree;

pub use catalog::{Catalog, DatasetKey, Project};
pub use logs::{
    After, Committed, Count, Cursor, LogFilter, Logs, Outcome, Page, Patch, Scope, TextCursor, TextPage, Token,
    TraceSummary,
};

pub use sqlite::{
    Erasure, Exported, OpenError, Recast, Retained, Retention, Salvaged, SqliteStore, StoreFile, Unread, Written,
};

use std::{future::Future, pin::Pin};

/// What every operation of a store answers with; boxed, so that stores can be chosen at run time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why an operation failed. After [`Closed`](Self::Closed), [`Engine`](Self::Engine),
/// [`Full`](Self::Full) and [`Disk`](Self::Disk) the same may be asked again; the others refuse what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store is shutting down and takes no more writes.
    #[error("the store is closed")]
    Closed,
    /// The engine below failed: a damaged file, no memory.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The disk is full. Nothing of the write is stored; it succeeds once there is room.
    #[error("the disk is full, so nothing can be stored until there is room: {0}")]
    Full(String),
    /// The disk or the file cannot be written or read: read-only, failing, not permitted.
    #[error("the disk cannot be used: {0}")]
    Disk(String),
    /// A name that must be unique is taken. Nothing is stored.
    #[error("{0}")]
    Taken(String),
    /// What a write refers to is not there. Nothing is stored.
    #[error("{0}")]
    Unknown(String),
    /// A row of a dataset does not have its columns. Nothing is stored.
    #[error("{reason}")]
    Columns {
        /// Which row of those that were sent, when they were several.
        case: Option<usize>,
        /// What is wrong with it.
        reason: String,
    },
    /// A value in a [`Patch::Put`] is none of its field's. Nothing of the commit is stored.
    #[error("{0}")]
    Invalid(String),
}
