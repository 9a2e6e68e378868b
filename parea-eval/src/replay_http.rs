//! A cassette in the place of a model's server: whatever client the program has, its request is answered as HTTP.

use serde_json::{Value, json};

use crate::{Cassette, CassetteRequest, Miss};

/// A request as a client would send it.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// `POST` and the like.
    pub method: &'a str,
    /// The path, such as `/v1/chat/completions`.
    pub path: &'a str,
    /// The body, not compressed.
    pub body: &'a [u8],
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// `application/json`, or `text/event-stream` where a stream was asked for.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers requests to a model's server without one. Put it where a test's client sends its requests: behind a small local
/// server, or in a middleware of the client's.
///
/// ```
/// use parea_eval::{Cassette, HttpRequest, Replay as _};
/// # use parea_runtime::types::{Configuration, Message, MessageContent, Role, TraceLog};
/// # let messages = vec![Message { role: Role::User, content: MessageContent::Text("2+2?".into()) }];
/// # let configuration = Configuration { model: Some("m".into()), messages: Some(messages), ..Configuration::default() };
/// # let logs = [TraceLog { output: Some("4".into()), configuration, ..TraceLog::default() }];
/// let cassette = Cassette::from_logs(&logs);
/// let body = br#"{"model": "m", "messages": [{"role": "user", "content": "2+2?"}]}"#;
/// let answer = cassette.replay(&HttpRequest { method: "POST", path: "/v1/chat/completions", body })?;
/// assert_eq!(answer.status, 200);
/// # Ok::<(), parea_eval::Miss>(())
/// ```
pub trait Replay: Send + Sync {
    /// The recorded answer, or what is different from the nearest one that was recorded.
    fn replay(&self, request: &HttpRequest<'_>) -> Result<HttpAnswer, Miss>;
}

/// Chat completions as OpenAI and many others have them: `POST …/chat/completions`, streamed or not. Strict: model and
/// messages must be those that were recorded; parameters are not looked at, for traces hold only those that were set.
impl Replay for Cassette {
    fn replay(&self, request: &HttpRequest<'_>) -> Result<HttpAnswer, Miss> {
        let HttpRequest { method, path, body } = request;
        let path = path.split('?').next().unwrap_or_default();
        if !method.eq_ignore_ascii_case("POST") || !path.ends_with("/chat/completions") {
            return Err(Miss::new(format!("`{method} {path}` is no call of a chat model: `POST …/chat/completions`")));
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Miss::new(format!("the body of `{method} {path}` is no JSON: {error}")))?;
        let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
        let messages = body.get("messages").and_then(Value::as_array);
        let messages = messages.ok_or_else(|| Miss::new("the body has no `messages`"))?;
        let asked = messages.iter().fold(CassetteRequest::new(model), |asked, message| {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
            let text = match message.get("content") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(parts) => parts.to_string(),
            };
            asked.message(role, text)
        });
        let answer = self.answer(&asked)?;
        let streamed = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
        Ok(if streamed { stream(model, &answer) } else { whole(model, &answer) })
    }
}

fn whole(model: &str, answer: &str) -> HttpAnswer {
    let body = json!({
        "id": "replayed", "object": "chat.completion", "created": 0, "model": model,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": answer }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 },
    });
    HttpAnswer { status: 200, content_type: "application/json", body: body.to_string().into_bytes() }
}

/// One piece with the whole answer, and the end.
fn stream(model: &str, answer: &str) -> HttpAnswer {
    let piece = |delta: Value, reason: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        let chunk = json!({
            "id": "replayed", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice],
        });
        format!("data: {chunk}\n\n")
    };
    let first = piece(json!({ "role": "assistant", "content": answer }), Value::Null);
    let last = piece(json!({}), "stop".into());
    let body = format!("{first}{last}data: [DONE]\n\n").into_bytes();
    HttpAnswer { status: 200, content_type: "text/event-stream", body }
}
