//! `POST /trace_logs`, `PUT /trace_logs`: the project's own operations, many logs or updates at once.

use std::{collections::VecDeque, sync::Arc};

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use bytes::Bytes;
use parea_store::Patch;
use parea_types::{BatchResponse, RejectedLog, TraceLog, ValidationError};

use super::losses;
use crate::{
    auth::Access,
    body::{self, Element, fault, missing},
    error::ApiError,
    ingest::{self, Rules},
    state::AppState,
};

/// The project that figures belong to when neither the client nor a log of the batch names one.
const DEFAULT_PROJECT: &str = "default";

/// Refused logs of one batch that are kept.
const KEPT: usize = 1000;

/// Logs that are read and handed to the store together: as values they take many times the memory of a short log's
/// JSON.
const SLICE: usize = 2048;

/// What a batch is made of.
#[derive(Clone, Copy)]
enum Of {
    Logs,
    Updates,
}

/// Stores the good logs, names the bad ones, and answers when the good ones are on disk.
pub(super) async fn create(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchResponse>, ApiError> {
    commit(state, access, &headers, body, Of::Logs).await
}

/// The same with changes of logs.
pub(super) async fn update(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchResponse>, ApiError> {
    commit(state, access, &headers, body, Of::Updates).await
}

async fn commit(
    state: AppState,
    access: Access,
    headers: &HeaderMap,
    body: Body,
    of: Of,
) -> Result<Json<BatchResponse>, ApiError> {
    let bytes = body::receive(&state, headers, body).await?;
    let losses = losses::of(headers);
    // A client that lost all it had still says so.
    if bytes.trim_ascii().is_empty() && losses.is_empty() {
        return Err(vec![missing(vec!["body".into()])].into());
    }
    let (size, rules) = (bytes.len(), Rules::of(&state.config));
    let access = Arc::new(access);
    let mut batch = body::apart(size, move || Batch::of(&bytes)).await?;
    let mut accepted = 0;
    while !batch.elements.is_empty() {
        let access = Arc::clone(&access);
        let (rest, patches) = body::apart(size, move || Ok(batch.read(of, rules, &access))).await?;
        batch = rest;
        accepted += patches.len() as u64;
        if !patches.is_empty() {
            let committed = state.logs.commit(patches).await?;
            state.metrics.stored(&committed.outcomes);
        }
    }
    let rejected = batch.rejected;
    state.metrics.batch(accepted, rejected.len() as u64);
    state.refused.keep(&access, batch.refused);
    if accepted == 0 && !rejected.is_empty() && rejected.iter().all(unreadable) {
        let hint = "Nothing here can be read: send a JSON array of logs, or one JSON object a line";
        let mut detail = vec![fault(vec!["body".into()], "json_invalid", hint)];
        detail.extend(rejected.into_iter().flat_map(|log| log.detail).take(10));
        return Err(detail.into());
    }
    if !losses.is_empty() {
        // A key of one project speaks for that alone.
        let own = access.project.as_ref().map(|own| own.uuid.as_str());
        let said = own.or_else(|| losses::project_of(headers));
        let project = said.or(batch.project.as_deref()).unwrap_or(DEFAULT_PROJECT);
        // The same report may come again, if our answer to it was lost.
        if state.logs.add_losses(project, &losses, losses::id_of(headers)).await? {
            state.metrics.losses(&losses);
        }
    }
    Ok(Json(BatchResponse { accepted, rejected }))
}

/// A body that is read slice by slice.
struct Batch {
    /// What is still to be read, or why it cannot be.
    elements: VecDeque<Result<Bytes, Element<'static>>>,
    read: usize,
    rejected: Vec<RejectedLog>,
    /// The first of these as they were sent.
    refused: Vec<(Bytes, Vec<ValidationError>)>,
    /// Uuid or name of the first good log's.
    project: Option<String>,
}

impl Batch {
    fn of(bytes: &Bytes) -> Result<Self, ApiError> {
        let elements = body::elements(bytes).ok_or(ApiError::TooMany(body::MOST))?;
        let owned = elements.into_iter().map(|element| match element {
            Element::Whole(json) => Ok(bytes.slice_ref(json)),
            Element::CutOff => Err(Element::CutOff),
            Element::Behind => Err(Element::Behind),
        });
        Ok(Self { elements: owned.collect(), read: 0, rejected: Vec::new(), refused: Vec::new(), project: None })
    }

    /// Reads the next slice.
    fn read(mut self, of: Of, rules: Rules, access: &Access) -> (Self, Vec<Patch>) {
        let slice = self.elements.len().min(SLICE);
        let mut patches = Vec::with_capacity(slice);
        for sent in self.elements.drain(..slice) {
            let element = sent.as_ref().map_or_else(|broken| *broken, |json| Element::Whole(json));
            let patch = match of {
                Of::Logs => ingest::element(element, self.read, rules, access).map(|log| {
                    self.project = self.project.take().or_else(|| project_of(&log));
                    Patch::Post(Box::new(log))
                }),
                Of::Updates => ingest::element_update(element, self.read, rules).map(|update| access.put(update)),
            };
            match patch {
                Ok(patch) => patches.push(patch),
                Err(refused) => {
                    if let (Ok(json), true) = (sent, self.refused.len() < KEPT) {
                        self.refused.push((json, refused.detail.clone()));
                    }
                    self.rejected.push(*refused);
                }
            }
            self.read += 1;
        }
        (self, patches)
    }
}

fn project_of(log: &TraceLog) -> Option<String> {
    let uuid = log.project_uuid.clone().filter(|uuid| !uuid.is_empty());
    uuid.or_else(|| log.project_name.clone())
}

/// Whether this is no JSON object at all, rather than a log with faults.
fn unreadable(log: &RejectedLog) -> bool {
    log.detail
        .iter()
        .all(|fault| matches!(fault.kind.as_str(), "json_invalid" | "model_attributes_type") && fault.loc.len() <= 3)
}
