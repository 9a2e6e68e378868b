//! `POST /feedback`

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use chrono::Utc;
use parea_types::{FeedbackRequest, Id, Location, Timestamp, TraceLogComment, UpdateLog, ValidationError};
use serde_json::{Map, json};

use super::trace_log::{Stored, commit};
use crate::{
    auth::Access,
    body::{self, Checked, at},
    error::ApiError,
    ingest,
    state::AppState,
};

/// Who said it: the API carries no name of the person.
const AUTHOR: &str = "feedback";

/// Puts a user's verdict to a log, which need not be stored yet. Answers when it is on disk.
pub(super) async fn create(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Stored>, ApiError> {
    let feedback: FeedbackRequest = body::read(&state, &headers, body).await?;
    let trace_id = feedback.log_id().unwrap_or_default().to_owned();
    let update = update(feedback, trace_id.clone(), Utc::now().into());
    commit(&state, trace_id, vec![access.put(update)]).await
}

/// The verdict as a merging update, so that it ranks above what a client says of its own log, in whatever order they
/// come, and so that comments add up.
fn update(feedback: FeedbackRequest, trace_id: String, now: Timestamp) -> UpdateLog {
    let mut fields = Map::new();
    fields.insert("feedback_score".to_owned(), feedback.score.into());
    if let Some(target) = feedback.target {
        fields.insert("target".to_owned(), target.into());
    }
    if let Some(comment) = feedback.comment.filter(|comment| !comment.is_empty()) {
        let comment = TraceLogComment {
            trace_id: trace_id.clone(),
            // The same words again are a request that is repeated because its answer was lost.
            id: Id::Text(format!("{AUTHOR}:{comment}")),
            comment,
            user_id: AUTHOR.to_owned(),
            user_email_address: None,
            created_at: now.to_string(),
        };
        fields.insert("comments".to_owned(), json!([comment]));
    }
    UpdateLog { trace_id, field_name_to_value_map: fields, root_trace_id: None, merge: true }
}

impl Checked for FeedbackRequest {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let mut faults = self.validate();
        faults.extend(self.log_id().and_then(|id| ingest::id_faults(id, at(above, "trace_id"))));
        faults
    }
}
