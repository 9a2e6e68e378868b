//! What clients had to drop: the header `x-parea-losses`.

use axum::http::HeaderMap;
use parea_types::ProjectLosses;

/// Most reasons that are read.
const MOST: usize = 32;

/// The losses that a client reports, by reason: `queue_full=12, too_large=1`. What is not of that form is passed over,
/// for a log is never refused for its statistics.
pub(super) fn of(headers: &HeaderMap) -> Vec<(String, u64)> {
    headers
        .get_all("x-parea-losses")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|entry| {
            let (reason, count) = entry.split_once('=')?;
            let reason = reason.trim();
            let named = (1..=64).contains(&reason.len());
            let count = count.trim().parse().ok().filter(|&count| count > 0)?;
            named.then(|| (reason.to_owned(), count))
        })
        .take(MOST)
        .collect()
}

/// What tells this report from others, if the client says it.
pub(super) fn id_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-parea-losses-id")?.to_str().ok().filter(|id| ProjectLosses::is_id(id))
}

/// The project that they belong to, by uuid or name, if the client says it.
pub(super) fn project_of(headers: &HeaderMap) -> Option<&str> {
    let project = headers.get("x-parea-project")?.to_str().ok()?.trim();
    (1..=256).contains(&project.len()).then_some(project)
}
