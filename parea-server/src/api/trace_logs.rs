//! `POST /get_trace_logs`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::HeaderMap, response::Response};
use chrono::Utc;
use parea_store::{After, Count, LogFilter, Logs, Page, Scope, query::Filter};
use parea_types::{PaginatedTraceLogs, QueryParamsPagination, Timestamp, TraceLogTree};
use tokio::runtime::Handle;

use super::stream;
use crate::{auth::Access, body, error::ApiError, state::AppState};

/// How many logs are asked of the store at once: pages may have 100,000. It answers with fewer where they are large.
const STEP: u32 = 2000;

/// Logs of a project, newest start first.
pub(super) async fn list(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let query: QueryParamsPagination = body::read(&state, &headers, body).await?;
    let filter = Filter::from_parea(&query.filter())?;
    access.check_name(&query.project_name)?;
    let Some(project) = state.catalog.find_project(&query.project_name).await? else {
        return Ok(page(&query, 0, None));
    };
    let scope = Scope { project: Some(project.uuid) };
    let filter = LogFilter { status: query.status, started_from: started_from(&query), filter: Some(filter) };
    let total = match state.logs.count(&scope, &filter, u64::MAX).await? {
        Count::Exact(total) | Count::AtLeast(total) => total,
    };
    let size = query.page_size.unsigned_abs();
    let skipped = (query.page.unsigned_abs() - 1).saturating_mul(size);
    let wanted = total.saturating_sub(skipped).min(size);
    let mut rows =
        Rows { logs: Arc::clone(&state.logs), scope, filter, wanted: u32::try_from(wanted).unwrap_or(u32::MAX) };
    // The first rows are fetched before the answer begins, so that a store that fails is told by the status.
    let first = if wanted == 0 { None } else { Some(rows.next(After::Skip(skipped)).await?) };
    Ok(page(&query, total, first.map(|first| (first, rows))))
}

fn started_from(query: &QueryParamsPagination) -> Option<Timestamp> {
    let back = chrono::TimeDelta::from_std(query.time_range.duration()?).ok()?;
    Some((Utc::now() - back).into())
}

/// The rows of a page that are still to come.
struct Rows {
    logs: Arc<dyn Logs>,
    scope: Scope,
    filter: LogFilter,
    wanted: u32,
}

impl Rows {
    async fn next(&mut self, after: After) -> Result<Page<TraceLogTree>, parea_store::StoreError> {
        let page = self.logs.page(&self.scope, &self.filter, after, self.wanted.min(STEP)).await?;
        self.wanted = self.wanted.saturating_sub(u32::try_from(page.rows.len()).unwrap_or(u32::MAX));
        Ok(page)
    }
}

/// Writes the page step by step, so that memory holds one step and not all results.
fn page(query: &QueryParamsPagination, total: u64, rows: Option<(Page<TraceLogTree>, Rows)>) -> Response {
    let PaginatedTraceLogs { total, page, total_pages, page_size, .. } =
        PaginatedTraceLogs::new(query, total, Vec::new());
    let runtime = Handle::current();
    let head =
        format!(r#"{{"total":{total},"page":{page},"total_pages":{total_pages},"page_size":{page_size},"results":["#);
    stream::json(move |out| {
        out.text.extend_from_slice(head.as_bytes());
        let mut comma: &[u8] = b"";
        let mut coming = rows;
        while let Some((step, mut rows)) = coming.take() {
            for tree in step.rows {
                out.text.extend_from_slice(comma);
                out.tree(&tree)?;
                comma = b",";
            }
            if let (Some(cursor), 1..) = (step.next, rows.wanted) {
                coming = Some((runtime.block_on(rows.next(After::Cursor(cursor)))?, rows));
            }
        }
        out.text.extend_from_slice(b"]}");
        Ok(())
    })
}
