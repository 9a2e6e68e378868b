//! Traces as cassettes, and as rows.

use parea_eval::{
    Cassette, CassetteRequest, Log, Row,
    evals::{Judge as _, judge::Question},
};
use parea_runtime::types::{Message, MessageContent, Role, TraceLog};

fn call(order: i64, messages: &[(Role, &str)], output: &str) -> TraceLog {
    let message =
        |(role, text): &(Role, &str)| Message { role: role.clone(), content: MessageContent::Text((*text).to_owned()) };
    let mut log = TraceLog { execution_order: order, output: Some(output.to_owned()), ..TraceLog::default() };
    log.configuration.model = Some("m".to_owned());
    log.configuration.messages = Some(messages.iter().map(message).collect());
    log
}

fn cassette() -> Cassette {
    let question = [(Role::System, "be brief"), (Role::User, "capital of France?")];
    let failed = TraceLog { error: Some("busy".to_owned()), ..call(1, &[(Role::User, "fails")], "") };
    // Not in their order, with what is no model call among them.
    Cassette::from_logs(&[call(3, &question, "Paris!"), TraceLog::default(), failed, call(2, &question, "Paris")])
}

#[test]
fn the_same_question_gets_its_answers_in_their_order() {
    let cassette = cassette();
    assert_eq!(cassette.len(), 1);
    let request = CassetteRequest::new("m").system("be brief").user("capital of France?");
    let answers: Vec<String> = (0..3).map(|_| cassette.answer(&request).unwrap()).collect();
    assert_eq!(answers, ["Paris", "Paris!", "Paris!"]);
}

#[test]
fn a_miss_says_which_message_changed_and_where() {
    let says = |request: CassetteRequest| cassette().answer(&request).unwrap_err().to_string();
    let asked = || CassetteRequest::new("m").system("be brief");
    assert_eq!(
        says(asked().user("capital of Spain?")),
        "not recorded: message 2 (user) changed at letter 12: `capital of France?` was recorded, `capital of Spain?` was asked"
    );
    assert_eq!(says(asked()), "not recorded: message 2 (user) is missing");
    assert_eq!(says(asked().user("capital of France?").user("now!")), "not recorded: message 3 is new");
    assert_eq!(says(asked().message("tool", "x")), "not recorded: message 2 is tool's, and was recorded as user's");
    let other = CassetteRequest::new("n").system("be brief").user("capital of France?");
    assert_eq!(says(other), "not recorded: model `m` was recorded, `n` was asked");
    assert_eq!(
        Cassette::default().answer(&CassetteRequest::new("m")).unwrap_err().to_string(),
        "not recorded: the cassette is empty"
    );
}

#[tokio::test]
async fn a_cassette_judges() {
    let ask = async |user: &str| {
        let question = Question { system: "be brief".to_owned(), user: user.to_owned(), temperature: 0.0 };
        cassette().ask(&question).await
    };
    assert_eq!(ask("capital of France?").await.unwrap(), "Paris");
    assert!(ask("capital of Italy?").await.unwrap_err().to_string().contains("message 2 (user) changed at letter 12"));
}

#[test]
fn a_trace_is_a_row() {
    let log = Log::of("Paris", None).with_input("question", "capital?").with_input("k", 3);
    let row = Row::of_log(&log);
    assert_eq!((row.get::<u32>("k"), row.target().as_deref()), (Ok(3), Some("Paris")));
    let case = row.to_test_case();
    assert_eq!((&*case.inputs["k"], case.target.as_deref()), ("3", Some("Paris")));
    let log = Log::of("Paris", Some("Lyon"));
    assert_eq!(Row::of_log(&log).target().as_deref(), Some("Lyon"), "what should have come out, not what did");
}

#[test]
fn any_client_of_a_chat_model_is_answered_as_its_server_would() {
    use parea_eval::{HttpRequest, Replay as _};
    use serde_json::{Value, json};
    let cassette = cassette();
    let ask = |path: &str, body: &Value| {
        let body = body.to_string();
        cassette.replay(&HttpRequest { method: "post", path, body: body.as_bytes() })
    };
    let messages =
        json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": "capital of France?" }]);
    let whole = ask("/v1/chat/completions", &json!({ "model": "m", "messages": messages })).unwrap();
    let said: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!((whole.status, &said["choices"][0]["message"]["content"]), (200, &json!("Paris")));

    let body = json!({ "model": "m", "messages": messages, "stream": true });
    let streamed = ask("/openai/v1/chat/completions?api-version=1", &body).unwrap();
    let text = String::from_utf8(streamed.body).unwrap();
    let events: Vec<&str> = text.split("\n\n").collect();
    let first: Value = serde_json::from_str(events[0].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(first["choices"][0]["delta"]["content"], "Paris!");
    assert_eq!((streamed.content_type, events[2]), ("text/event-stream", "data: [DONE]"));

    let says = |path: &str, body: &Value| ask(path, body).unwrap_err().to_string();
    let changed = json!([{ "role": "system", "content": "be kind" }, messages[1]]);
    assert_eq!(
        says("/v1/chat/completions", &json!({ "model": "m", "messages": changed })),
        "not recorded: message 1 (system) changed at letter 4: `be brief` was recorded, `be kind` was asked"
    );
    assert!(says("/v1/embeddings", &json!({})).contains("`post /v1/embeddings` is no call of a chat model"));
    assert_eq!(says("/v1/chat/completions", &json!({ "model": "m" })), "not recorded: the body has no `messages`");
}
