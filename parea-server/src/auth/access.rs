//! What the caller of a request may do.

use axum::{extract::FromRequestParts, http::request::Parts};
use parea_store::{Patch, Scope};
use parea_types::{Location, TraceLog, UpdateLog, ValidationError};

use super::keys::KeyScope;
use crate::{
    body::{at, fault},
    error::ApiError,
};

/// What the caller of a request may do. Handlers take it as an argument.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The key's id, for the record; nothing without a key, or with the configuration's.
    pub(crate) key: Option<String>,
    pub(crate) scope: KeyScope,
    /// The one project that is meant.
    pub(crate) project: Option<Own>,
}

/// The project of a key.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) uuid: String,
    pub(crate) name: String,
}

impl Access {
    /// Of a server that demands no key.
    pub(crate) fn all() -> Self {
        Self { key: None, scope: KeyScope::Admin, project: None }
    }

    /// What may be seen of the store.
    pub(crate) fn to_see(&self) -> Scope {
        Scope { project: self.project.as_ref().map(|own| own.uuid.clone()) }
    }

    /// Whether this uuid is that of a project in reach.
    pub(crate) fn has_uuid(&self, uuid: &str) -> bool {
        self.project.as_ref().is_none_or(|own| own.uuid == uuid)
    }

    /// Whether this name is that of a project in reach.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.project.as_ref().is_none_or(|own| own.name == name)
    }

    /// Refuses a project by its name.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), ApiError> {
        if self.has_name(name) { Ok(()) } else { Err(self.foreign(name)) }
    }

    /// Refuses a project by its uuid.
    pub(crate) fn check_uuid(&self, uuid: &str) -> Result<(), ApiError> {
        if self.has_uuid(uuid) { Ok(()) } else { Err(self.foreign(uuid)) }
    }

    fn foreign(&self, other: &str) -> ApiError {
        ApiError::Forbidden(self.refusal(other))
    }

    fn refusal(&self, other: &str) -> String {
        let own = self.project.as_ref().map_or("every project", |own| own.name.as_str());
        let other: String = other.chars().take(100).collect();
        format!("this key is for the project `{own}`, not for `{other}`")
    }

    /// What keeps a log out: it names another project than the key's. A uuid counts before a name.
    pub(crate) fn refuses(&self, log: &TraceLog) -> Option<String> {
        let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
        match (given(&log.project_uuid), given(&log.project_name)) {
            (Some(uuid), _) if !self.has_uuid(&uuid) => Some(self.refusal(&uuid)),
            (None, Some(name)) if !self.has_name(&name) => Some(self.refusal(&name)),
            _ => None,
        }
    }

    /// The same for one of many.
    pub(crate) fn fault(&self, log: &TraceLog, above: &[Location]) -> Option<ValidationError> {
        let field = if log.project_uuid.as_deref().is_some_and(|uuid| !uuid.is_empty()) {
            "project_uuid"
        } else {
            "project_name"
        };
        self.refuses(log).map(|msg| fault(at(above, field), "project_forbidden", msg))
    }

    /// A log as a patch, unless it is another project's.
    pub(crate) fn post(&self, log: TraceLog) -> Result<Patch, ApiError> {
        match self.refuses(&log) {
            None => Ok(Patch::Post(Box::new(log))),
            Some(refusal) => Err(ApiError::Forbidden(refusal)),
        }
    }

    /// An update as a patch of what is in reach.
    pub(crate) fn put(&self, update: UpdateLog) -> Patch {
        match &self.project {
            None => Patch::Put(update),
            Some(own) => Patch::PutIn(own.uuid.clone(), update),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Every route lies behind a layer that puts it there.
        let access = parts.extensions.get::<Self>().cloned();
        access.ok_or(ApiError::Unauthorized("this server demands a key: send it in the header `x-api-key`"))
    }
}
