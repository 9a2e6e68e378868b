//! The web interface: the list of traces and one trace, a search for spans, runs of experiments and two of them compared, rendered here and readable without script.
//!
//! Whatever a log holds is foreign text. Templates escape it; [`markup`] is the only place that writes HTML by hand,
//! and the policy of [`headers`] leaves a browser nothing to run but our one script.

mod assets;
mod choice;
mod experiments;
mod failure;
mod figures;
mod glance;
mod headers;
mod json;
mod list;
mod list_query;
mod losses;
mod markup;
mod moment;
mod reference;
mod search;
mod search_query;
mod snippet;
mod span;
mod trace;
mod tree;
mod waterfall;

use axum::{
    Router,
    extract::Request,
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{api, state::AppState};

/// The pages that tell nothing of anybody's, and so need no key.
pub(crate) fn open() -> Router<AppState> {
    Router::new()
        .route("/api/docs", get(reference::show))
        .route("/assets/{name}", get(assets::serve))
        .layer(middleware::map_response(headers::harden))
}

/// The pages.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(list::show))
        .route("/search", get(search::show))
        .route("/traces/{root_trace_id}", get(trace::show))
        .route("/experiments", get(experiments::list::show))
        .route("/experiments/{uuid}", get(experiments::run::show))
        .route("/compare", get(experiments::compare::show))
        .layer(middleware::map_response(headers::harden))
}

/// Answers where nothing is: a browser with a page, programs as the API does.
pub(crate) async fn unknown(request: Request) -> Response {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|kinds| kinds.contains("text/html")) {
        return headers::harden(failure::Failure::NoPage(request.uri().path().to_owned()).into_response()).await;
    }
    api::unknown(request).await.into_response()
}
