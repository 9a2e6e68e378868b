//! The operations of the API: take apart, ask the store, answer.

mod batch;
mod dataset;
mod experiment;
mod experiment_logs;
mod feedback;
mod losses;
mod operation;
mod project;
mod refused;
mod search;
mod stream;
mod trace_log;
mod trace_logs;

use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::{Value, json};

pub(crate) use operation::{OPERATIONS, Operation, Request as Sent};

use crate::{auth::Access, error::ApiError, state::AppState};

/// Where the API begins. Clients are given this with the server's address.
pub(crate) const BASE: &str = "/api/parea/v1";

/// All operations, below [`BASE`].
pub(crate) fn router() -> Router<AppState> {
    let mut router = Router::new();
    for operation in OPERATIONS {
        if operation.name == "get_trace_log" {
            // An id that is spelled like an operation's path.
            let fixed = get(trace_log::read_langchain).layer(middleware::from_fn_with_state(operation, serve));
            router = router.route(&format!("{BASE}/trace_log/{}", trace_log::LANGCHAIN), fixed);
        }
        let path = format!("{BASE}{}", operation.path);
        let route = || (operation.route)().layer(middleware::from_fn_with_state(operation, serve));
        router = router.route(&path, route());
        if operation.path == "/" {
            router = router.route(BASE, route());
        }
    }
    router.route(&format!("{BASE}/{{*unknown}}"), any(unknown))
}

/// Serves an operation to those who may call it.
async fn serve(State(operation): State<&'static Operation>, access: Access, request: Request, next: Next) -> Response {
    let mut response = if access.scope >= operation.scope {
        next.run(request).await
    } else {
        ApiError::Forbidden(format!(
            "`{} {}` needs a key of scope `{}`, and this one's is `{}`",
            operation.method, operation.path, operation.scope, access.scope
        ))
        .into_response()
    };
    response.extensions_mut().insert(operation);
    response
}

/// `GET /`: whether the server is up, and which it is.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "server": "parea", "version": env!("CARGO_PKG_VERSION") }))
}

/// What is part of the API and not of this server yet.
async fn not_offered(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    let operation = path.strip_prefix(BASE).unwrap_or(path);
    ApiError::NotOffered(format!("`{method} {operation}` is not offered by parea {} yet", env!("CARGO_PKG_VERSION")))
}

/// Answers where nothing is.
pub(crate) async fn unknown(request: Request) -> ApiError {
    ApiError::UnknownPath(request.uri().path().to_owned())
}

/// Answers a method that a known path does not have.
pub(crate) async fn method(request: Request) -> ApiError {
    ApiError::Method(request.method().to_string())
}
