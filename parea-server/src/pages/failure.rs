//! Pages for what cannot be shown.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use parea_store::StoreError;

use super::assets::{URLS, Urls};

/// Why there is no page.
pub(super) enum Failure {
    /// No page has this address.
    NoPage(String),
    /// Nothing is stored under this id.
    NoTrace(String),
    /// No run of an experiment has this id.
    NoRun(String),
    /// The store could not answer.
    Store(StoreError),
    /// A template could not be rendered.
    Template(askama::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    assets: &'a Urls,
    title: &'a str,
    explanation: &'a str,
    detail: &'a str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, explanation, detail) = match self {
            Self::NoPage(path) => (
                StatusCode::NOT_FOUND,
                "No such page",
                "Nothing is at this address. The API begins at /api/parea/v1, and /api/docs describes it.",
                path,
            ),
            Self::NoTrace(id) => (
                StatusCode::NOT_FOUND,
                "No such trace",
                "Nothing is stored under this id. Its logs may still be on their way, or were sent to another server.",
                id,
            ),
            Self::NoRun(uuid) => (
                StatusCode::NOT_FOUND,
                "No such run",
                "No run of an experiment has this id. It may still be on its way, or is on another server.",
                uuid,
            ),
            Self::Store(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The store does not answer",
                "Nothing is wrong with the address. Try again in a moment.",
                error.to_string(),
            ),
            Self::Template(error) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "This page could not be made",
                "A fault of the server, not of the trace.",
                error.to_string(),
            ),
        };
        let page = FailurePage { assets: &URLS, title, explanation, detail: &detail };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, title).into_response(),
        }
    }
}
