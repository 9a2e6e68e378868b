//! Calls of models through the server's gateway, and deployed prompts.

use std::{fmt, time::Duration};

use parea_types::{Completions, CompletionsResponse, DeploymentPromptId, GetDeployedPromptResponse};
use reqwest::{Method, Response};
use serde_json::Value;

use super::{ApiClient, ApiError, client::within_tokio, events::Events, retry::Again};

impl ApiClient {
    /// Calls a model. A failure of the provider may come as a success whose `status` is `error`: look at it.
    ///
    /// The gateway retries the provider by itself, so that this call is repeated only where the gateway cannot have
    /// called it: an answer is paid for once.
    pub async fn completion(&self, request: &Completions) -> Result<CompletionsResponse, ApiError> {
        self.post("/completion", request, Again::Doubles).await
    }

    /// Calls a model and reads its answer piece by piece, as it is made. Repeated like [`completion`](Self::completion), until
    /// the answer begins.
    pub async fn completion_stream(&self, request: &Completions) -> Result<CompletionStream, ApiError> {
        let body = serde_json::to_vec(request).map_err(|error| ApiError::Request(error.to_string()))?;
        let request = self.request(Method::POST, "/completion/stream", "application/json", &[], body)?;
        let patience = self.connection.timeout;
        // No limit on the whole: a long answer is no fault, a long silence is.
        let begin = async |attempt| {
            tokio::time::timeout(patience, self.answer(attempt)).await.map_err(|_| silence(patience))?
        };
        let answer = self.repeat_with(request, Again::Doubles, begin).await?;
        Ok(CompletionStream { answer, events: Events::default(), patience, trace_id: None, ended: false })
    }

    /// A deployed prompt; with inputs, its messages are filled in. An unknown id is answered with 404.
    pub async fn deployed_prompt(&self, request: &DeploymentPromptId) -> Result<GetDeployedPromptResponse, ApiError> {
        self.post("/deployed-prompt", request, Again::Harmless).await
    }
}

fn silence(patience: Duration) -> ApiError {
    ApiError::Broken(format!("nothing came for {} s", patience.as_secs_f64()))
}

/// A model's answer while it is made.
pub struct CompletionStream {
    answer: Response,
    events: Events,
    patience: Duration,
    trace_id: Option<String>,
    ended: bool,
}

impl fmt::Debug for CompletionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionStream").field("trace_id", &self.trace_id).finish_non_exhaustive()
    }
}

impl CompletionStream {
    /// Id of the call's log, once the server has told it, which it does before the first piece.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// Ends it before its end.
    pub(super) fn stop(&mut self) {
        self.ended = true;
    }

    /// The next piece of the answer; `None` at its end, and after an error.
    pub async fn next(&mut self) -> Option<Result<String, ApiError>> {
        while !self.ended {
            let piece = match self.events.next() {
                Ok(Some(data)) => self.piece(&data),
                Ok(None) => self.read_on().await.err().map(Err),
                Err(error) => Some(Err(error)),
            };
            if let Some(piece) = piece {
                self.ended |= piece.is_err();
                return Some(piece);
            }
        }
        None
    }

    /// All that is still to come, in one text.
    pub async fn text(mut self) -> Result<String, ApiError> {
        let mut text = String::new();
        while let Some(piece) = self.next().await {
            text.push_str(&piece?);
        }
        Ok(text)
    }

    async fn read_on(&mut self) -> Result<(), ApiError> {
        within_tokio()?;
        let chunk = tokio::time::timeout(self.patience, self.answer.chunk()).await;
        match chunk.map_err(|_| silence(self.patience))? {
            Ok(Some(chunk)) => self.events.push(&chunk),
            Ok(None) => self.ended = true,
            Err(error) => return Err(ApiError::connection(&error)),
        }
        Ok(())
    }

    /// What an event says, if it says something to the reader of the answer.
    fn piece(&mut self, data: &str) -> Option<Result<String, ApiError>> {
        if let Some(id) = data.strip_prefix("ID_START") {
            self.trace_id = uuid_in(id);
            return None;
        }
        if data == "[DONE]" {
            self.ended = true;
            return None;
        }
        // Anything that is no object of ours says nothing.
        let Ok(Value::Object(mut event)) = serde_json::from_str(data) else { return None };
        for member in ["error", "detail"] {
            match event.remove(member) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => return Some(Err(ApiError::Stream(text))),
                Some(other) => return Some(Err(ApiError::Stream(other.to_string()))),
            }
        }
        match event.remove("chunk") {
            Some(Value::String(text)) => Some(Ok(text)),
            _ => None,
        }
    }
}

/// The first UUID in a text.
fn uuid_in(text: &str) -> Option<String> {
    const LENGTH: usize = 36;
    let candidates = (0..text.len()).filter_map(|at| text.get(at..at + LENGTH));
    candidates.filter(|candidate| uuid::Uuid::try_parse(candidate).is_ok()).map(str::to_owned).next()
}
