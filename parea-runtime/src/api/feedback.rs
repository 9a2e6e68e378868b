//! Verdicts of users.

use parea_types::FeedbackRequest;
use reqwest::Method;

use super::{ApiClient, ApiError, client::done, retry::Again};

impl ApiClient {
    /// Puts a user's verdict to a log, which need not be stored yet.
    pub async fn feedback(&self, feedback: &FeedbackRequest) -> Result<(), ApiError> {
        // A comment is appended; on a server that does not know it again it would stand there twice.
        let again = if feedback.comment.is_some() { Again::Doubles } else { Again::Harmless };
        done(&self.write(Method::POST, "/feedback", feedback, again).await?)
    }
}
