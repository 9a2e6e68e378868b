//! `POST /trace_logs`: the project's own operation, many logs at once.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use parea_store::Patch;
use parea_types::{BatchResponse, RejectedLog};

use super::losses;
use crate::{
    body::{self, fault, missing},
    error::ApiError,
    ingest,
    state::AppState,
};

/// The project that figures belong to when no log of the batch names one.
const DEFAULT_PROJECT: &str = "default";

/// Stores the good logs, names the bad ones, and answers when the good ones are on disk.
pub(super) async fn create(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchResponse>, ApiError> {
    let bytes = body::receive(&state, &headers, body).await?;
    let losses = losses::of(&headers);
    // A client that lost all it had still says so.
    if bytes.trim_ascii().is_empty() && losses.is_empty() {
        return Err(vec![missing(vec!["body".into()])].into());
    }
    let Batch { patches, rejected, project } = body::apart(bytes.len(), move || Batch::read(&bytes)).await?;
    let accepted = patches.len() as u64;
    if accepted > 0 {
        state.logs.commit(patches).await?;
    }
    if !losses.is_empty() {
        state.logs.add_losses(project.as_deref().unwrap_or(DEFAULT_PROJECT), &losses).await?;
    }
    Ok(Json(BatchResponse { accepted, rejected }))
}

struct Batch {
    patches: Vec<Patch>,
    rejected: Vec<RejectedLog>,
    /// Uuid or name of the first good log's.
    project: Option<String>,
}

impl Batch {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let elements = body::elements(bytes).ok_or(ApiError::TooMany(body::MOST))?;
        let mut batch = Self { patches: Vec::with_capacity(elements.len()), rejected: Vec::new(), project: None };
        for (index, element) in elements.into_iter().enumerate() {
            match ingest::element(element, index) {
                Ok(log) => {
                    if batch.project.is_none() {
                        let uuid = log.project_uuid.clone().filter(|uuid| !uuid.is_empty());
                        batch.project = uuid.or_else(|| log.project_name.clone());
                    }
                    batch.patches.push(Patch::Post(Box::new(log)));
                }
                Err(refused) => batch.rejected.push(*refused),
            }
        }
        if batch.patches.is_empty() && !batch.rejected.is_empty() && batch.rejected.iter().all(unreadable) {
            let hint = "Nothing here can be read: send a JSON array of logs, or one JSON object a line";
            let mut detail = vec![fault(vec!["body".into()], "json_invalid", hint)];
            detail.extend(batch.rejected.into_iter().flat_map(|log| log.detail).take(10));
            return Err(detail.into());
        }
        Ok(batch)
    }
}

/// Whether this is no JSON object at all, rather than a log with faults.
fn unreadable(log: &RejectedLog) -> bool {
    log.detail
        .iter()
        .all(|fault| matches!(fault.kind.as_str(), "json_invalid" | "model_attributes_type") && fault.loc.len() <= 3)
}
