//! Which path leads where.

use std::time::Instant;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};

use crate::{
    api::{self, Operation},
    auth::{self, Access},
    limits, openapi, operator, pages, site,
    state::AppState,
};

/// Everything that the server answers.
pub(crate) fn router(state: AppState) -> Router {
    let api = api::router().layer(middleware::from_fn_with_state(state.clone(), auth::api));
    let pages = pages::router().layer(middleware::from_fn_with_state(state.clone(), auth::page));
    api.merge(pages)
        .merge(openapi::router())
        .merge(pages::open())
        .fallback(api::unknown)
        .method_not_allowed_fallback(api::method)
        .layer(middleware::from_fn_with_state(state.clone(), limits::bounded))
        .layer(middleware::from_fn_with_state(state.clone(), site::own))
        .layer(middleware::from_fn_with_state(state.clone(), note))
        .with_state(state)
}

/// Notes the request on stderr if the server was asked to.
async fn note(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.config.verbose {
        return next.run(request).await;
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let begun = Instant::now();
    let response = next.run(request).await;
    let operation = response.extensions().get::<&'static Operation>().map_or("-", |operation| operation.name);
    let key = response.extensions().get::<Access>().and_then(|access| access.key.as_deref()).unwrap_or("-");
    operator::tell(format_args!(
        "{method} {path} {} {:.1} ms {operation} key {key}",
        response.status().as_u16(),
        begun.elapsed().as_secs_f64() * 1e3
    ));
    response
}
