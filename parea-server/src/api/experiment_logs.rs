//! `POST /experiment/{uuid}/trace_logs`

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::Response,
};
use parea_store::query::Filter;
use parea_types::{FilterBase, Location, ValidationError};
use tokio::runtime::Handle;

use super::{experiment, stream};
use crate::{
    auth::Access,
    body::{self, Checked},
    error::ApiError,
    state::AppState,
};

/// How many roots are asked of the store at once, each with its whole tree.
const STEP: u32 = 100;

/// The root logs of a run with their trees, oldest first; none of a run that nobody has heard of. The filter is about
/// the roots, each with the scores of all its trace.
pub(super) async fn list(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let uuid = experiment::uuid(path)?;
    let form: FilterBase = body::read(&state, &headers, body).await?;
    let filter = Filter::from_parea(&form)?;
    let (runtime, scope) = (Handle::current(), access.to_see());
    // Fetched before the answer begins, so that a store that fails is told by the status.
    let mut step = state.logs.experiment_page(&scope, &uuid, None, STEP).await?;
    Ok(stream::json(move |out| {
        out.text.push(b'[');
        let mut comma: &[u8] = b"";
        loop {
            for tree in step.rows.iter().filter(|tree| filter.matches(&tree.log)) {
                out.text.extend_from_slice(comma);
                out.tree(tree)?;
                comma = b",";
            }
            let Some(cursor) = step.next else { break };
            step = runtime.block_on(state.logs.experiment_page(&scope, &uuid, Some(cursor), STEP))?;
        }
        out.text.push(b']');
        Ok(())
    }))
}

impl Checked for FilterBase {
    fn faults(&self, _: &[Location]) -> Vec<ValidationError> {
        Vec::new()
    }
}
