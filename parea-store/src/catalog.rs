//! What must be unique or agreed on.

use parea_types::Timestamp;

use crate::Answer;

/// A project: the name that people see and the id that logs carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Unique id, given by the store.
    pub uuid: String,
    /// Unique name.
    pub name: String,
    /// When it was first named.
    pub created_at: Timestamp,
}

/// Names and what they stand for. Linearizable: once an answer is out, every later call agrees with it.
pub trait Catalog: Send + Sync {
    /// Finds the project of that name or creates it; `true` beside it when this call did so.
    fn project(&self, name: &str) -> Answer<'_, (Project, bool)>;

    /// The project of that name, without creating one.
    fn find_project(&self, name: &str) -> Answer<'_, Option<Project>>;

    /// All projects, by name.
    fn projects(&self) -> Answer<'_, Vec<Project>>;
}
