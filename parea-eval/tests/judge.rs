//! Judges behind a server that answers as servers of models do, and as they should not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};

use parea_eval::{
    Log,
    evals::{
        Judge as _, OpenAiJudge, answer_context_faithfulness_statement_level, answer_matches_target_llm_grader,
        judge::Question, llm_grader,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Answers requests one after the other, each with a status and a body, and keeps what it was asked.
struct Model {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Model {
    async fn start(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                kept.lock().unwrap().push(request);
                let head =
                    format!("HTTP/1.1 {status} It\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        Self { url, asked }
    }

    fn judge(&self) -> OpenAiJudge {
        OpenAiJudge::new(&self.url, Some("sk-test"), "small").unwrap()
    }
}

/// A request, head and body.
async fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        text.extend_from_slice(&part[..count]);
        let whole = String::from_utf8_lossy(&text).to_string();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || body.len() >= length.unwrap_or(0) {
            return whole;
        }
    }
}

fn says(content: &Value) -> (u16, String) {
    (200, json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] }).to_string())
}

fn log() -> Log {
    Log::of("Paris", Some("Paris")).with_input("question", "Capital?").with_input("context", "Paris is the capital.")
}

#[tokio::test]
async fn a_busy_model_is_asked_again_and_its_key_is_a_bearers() {
    let answers = vec![
        (500, "oops".to_owned()),
        (429, String::new()),
        says(&json!("```json\n{\"reason\": \"same\", \"verdict\": \"yes\"}\n```")),
    ];
    let model = Model::start(answers).await;
    let score = answer_matches_target_llm_grader(model.judge(), "question")(&log()).await.unwrap().unwrap();
    assert_eq!((score.score, score.reason.as_deref()), (1.0, Some("same")));
    let asked = model.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3);
    let (head, body) = asked[2].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{head}");
    assert!(head.lines().any(|line| line.eq_ignore_ascii_case("authorization: bearer sk-test")), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["model"], &body["temperature"]), (&json!("small"), &json!(0.0)));
}

#[tokio::test]
async fn an_answer_that_is_no_verdict_fails_the_evaluation_and_says_what_came() {
    let question = Question { system: "s".to_owned(), user: "u".to_owned(), temperature: 0.0 };
    for (answer, why) in [
        (says(&json!("I cannot help with that.")), "answered something else than it was asked for: I cannot help"),
        (says(&json!("")), "answered something else than it was asked for: "),
        (says(&json!("{\"reason\": \"cut off\", \"rat")), "asked for: {\"reason\": \"cut off\", \"rat"),
        (says(&json!("[7]")), "asked for: [7]"),
        (says(&json!("{\"rating\": NaN}")), "asked for: {\"rating\": NaN}"),
        (says(&json!("{\"rating\": 1e999}")), "asked for: {\"rating\": 1e999}"),
        // A refusal has no content at all.
        (says(&Value::Null), "asked for: {\"choices\":"),
        ((200, "{\"choices\": []}".to_owned()), "asked for: {\"choices\":[]}"),
        ((200, "<html>busy</html>".to_owned()), "the judge cannot be asked: "),
        ((401, "{\"error\": {\"message\": \"bad key\"}}".to_owned()), "the judge cannot be asked: "),
        ((404, String::new()), "the judge cannot be asked: "),
    ] {
        let model = Model::start(vec![answer.clone()]).await;
        let error = llm_grader(model.judge(), "question", "")(&log()).await.unwrap_err().to_string();
        assert!(error.contains(why), "{answer:?}: {error}");
    }
    // A list of something else than texts is not taken for an answer without statements.
    let model = Model::start(vec![says(&json!("{\"statements\": [{\"text\": \"Paris\"}]}"))]).await;
    let scored = answer_context_faithfulness_statement_level(model.judge(), "question", "context")(&log()).await;
    assert!(scored.unwrap_err().to_string().contains("asked for: {\"statements\""));
    // Nobody is there.
    let nobody = OpenAiJudge::new("http://127.0.0.1:9/v1", None, "small").unwrap();
    let error = nobody.ask(&question).await.unwrap_err().to_string();
    assert!(error.starts_with("the judge cannot be asked: ") && error.contains("127.0.0.1:9"), "{error}");
}
