//! The web interface: the list of traces and one trace, rendered here and readable without script.
//!
//! Whatever a log holds is foreign text. Templates escape it; [`markup`] is the only place that writes HTML by hand,
//! and the policy of [`headers`] leaves a browser nothing to run but our one script.

mod assets;
mod failure;
mod figures;
mod glance;
mod headers;
mod json;
mod list;
mod list_query;
mod markup;
mod moment;
mod span;
mod trace;
mod tree;
mod waterfall;

use axum::{Router, middleware, routing::get};

use crate::state::AppState;

/// The pages and what they load.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(list::show))
        .route("/traces/{root_trace_id}", get(trace::show))
        .route("/assets/{name}", get(assets::serve))
        .layer(middleware::map_response(headers::harden))
}
