//! What the typed client does when a call fails, against a server that answers as it is told.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{
    collections::VecDeque,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use parea::{
    ApiClient, ApiError,
    types::{
        Completions, CreateExperimentRequest, CreateTestCases, DeploymentPromptId, FeedbackRequest, FilterBase,
        QueryParamsPagination, TraceLog, UpdateLog,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
};

/// What the server does with the next request: sends this, then closes.
type Reply = Vec<u8>;

fn reply(status: u16, headers: &str, body: &str) -> Reply {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len()).into()
}

/// A server that reads one request a connection, notes its head, and sends the next reply. When none is left, the
/// last is sent again.
struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, mut replies) = (Arc::clone(&seen), VecDeque::from_iter(replies));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let head = request(&mut stream).await;
                noted.lock().unwrap().push(head);
                let reply = if replies.len() > 1 { replies.pop_front().unwrap() } else { replies[0].clone() };
                stream.write_all(&reply).await.unwrap();
            }
        });
        Self { url, seen }
    }

    fn client(&self, retries: u32) -> ApiClient {
        ApiClient::builder(&self.url).retries(retries).build().unwrap()
    }

    /// The requests' first lines.
    fn seen(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }

    fn heads(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Reads a whole request and returns its head.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return head.to_owned();
        }
    }
}

/// Calls each operation of one kind; the answers do not matter.
async fn call(api: &ApiClient, operation: &str) -> Option<ApiError> {
    let comment = FeedbackRequest::new("t", 1.0).comment("x");
    let query = QueryParamsPagination::new("p");
    match operation {
        "log" => api.log(&TraceLog::default()).await.err(),
        "update_log" => api.update_log(&UpdateLog::new("t")).await.err(),
        "trace_log" => api.trace_log("t").await.err(),
        "trace_logs" => api.trace_logs(&query).await.err(),
        "project" => api.project("p").await.err(),
        "experiment_trace_logs" => api.experiment_trace_logs("e", &FilterBase::default()).await.err(),
        "deployed_prompt" => api.deployed_prompt(&DeploymentPromptId::default()).await.err(),
        "feedback" => api.feedback(&comment).await.err(),
        "create_experiment" => api.create_experiment(&CreateExperimentRequest::new("e", "p")).await.err(),
        "add_test_cases" => api.add_test_cases(&CreateTestCases::to_id(1, [])).await.err(),
        "completion" => api.completion(&Completions::default()).await.err(),
        "completion_stream" => api.completion_stream(&Completions::default()).await.err(),
        other => panic!("{other}"),
    }
}

const HARMLESS: [&str; 7] =
    ["log", "update_log", "trace_log", "trace_logs", "project", "experiment_trace_logs", "deployed_prompt"];
const DOUBLES: [&str; 5] = ["feedback", "create_experiment", "add_test_cases", "completion", "completion_stream"];

#[tokio::test]
async fn each_answer_is_tried_again_or_final() {
    // Once more for both kinds; once more only where twice is as good as once; never.
    let turned_away = [408, 429, 503];
    let ambiguous = [500, 502, 504];
    let is_final = [400, 401, 403, 404, 405, 409, 413, 415, 422, 501, 505];
    let mut calls = Vec::new();
    for operation in HARMLESS.iter().chain(&DOUBLES) {
        for status in turned_away.iter().chain(&ambiguous).chain(&is_final) {
            let again = turned_away.contains(status) || ambiguous.contains(status) && HARMLESS.contains(operation);
            calls.push(async move {
                let server = Scripted::start([reply(*status, "", r#"{"detail":"why"}"#)]).await;
                let error = call(&server.client(1), operation).await.unwrap();
                let expected = if again { 2 } else { 1 };
                assert_eq!(server.seen().len(), expected, "{operation} answered {status}");
                let ApiError::Status { status: told, detail, body, .. } = error else { panic!("{error:?}") };
                assert_eq!((told, &*detail, &*body), (*status, "why", r#"{"detail":"why"}"#));
            });
        }
    }
    futures::future::join_all(calls).await;
}

#[tokio::test]
async fn a_broken_answer_is_repeated_only_where_twice_is_once() {
    let whole = String::from_utf8(reply(200, "", "null")).unwrap();
    let half = whole.replace("content-length: 4", "content-length: 400");
    for broken in [Vec::new(), half.into_bytes()] {
        for (operation, expected) in [("trace_log", 2), ("completion", 1)] {
            let server = Scripted::start([broken.clone()]).await;
            let error = call(&server.client(1), operation).await.unwrap();
            assert!(matches!(error, ApiError::Broken(_)) && error.is_transient(), "{error:?}");
            assert_eq!(server.seen().len(), expected, "{operation}");
        }
    }
    // What is no success is told all the same: the status says whether it is final.
    for (status, operation, expected) in [(422, "trace_log", 1), (503, "completion", 2)] {
        let half =
            String::from_utf8(reply(status, "", "half")).unwrap().replace("content-length: 4", "content-length: 9");
        let server = Scripted::start([half.into_bytes()]).await;
        let error = call(&server.client(1), operation).await.unwrap();
        let ApiError::Status { status: told, detail, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*told, &**detail, server.seen().len()), (status, "half", expected));
    }
    // Too slow is broken too.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let api = ApiClient::builder(&url).retries(0).timeout(Duration::from_millis(50)).build().unwrap();
    assert!(matches!(api.health().await, Err(ApiError::Broken(_))));
}

#[tokio::test]
async fn a_server_that_comes_up_meanwhile_is_reached_by_every_operation() {
    for operation in ["trace_log", "completion"] {
        // Bound, so that nobody else gets the port, and refusing as long as nobody listens.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let api = ApiClient::builder(&format!("http://{address}")).retries(0).build().unwrap();
        assert!(matches!(call(&api, operation).await, Some(ApiError::Unreachable(_))));
        let api = ApiClient::builder(&format!("http://{address}")).retries(10).build().unwrap();
        let up_later = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let (mut stream, _) = socket.listen(8).unwrap().accept().await.unwrap();
            request(&mut stream).await;
            stream.write_all(&reply(400, "", "")).await.unwrap();
        };
        let (error, ()) = tokio::join!(call(&api, operation), up_later);
        assert_eq!(error.unwrap().status(), Some(400), "reached");
    }
}

#[tokio::test]
async fn the_server_says_when_to_come_back() {
    // As often as was asked for, then the answer.
    let server =
        Scripted::start([reply(503, "retry-after: 0\r\n", ""), reply(429, "", ""), reply(200, "", "null")]).await;
    assert_eq!(server.client(2).trace_log("t").await.unwrap(), None);
    assert_eq!(server.seen(), ["GET /api/parea/v1/trace_log/t HTTP/1.1"; 3]);
    // Longer than a minute: the caller may have something better to do.
    let server = Scripted::start([reply(429, "retry-after: 3600\r\n", "")]).await;
    let error = server.client(2).trace_log("t").await.unwrap_err();
    let ApiError::Status { retry_after, detail, .. } = &error else { panic!("{error:?}") };
    assert_eq!(
        (*retry_after, &**detail, server.seen().len()),
        (Some(Duration::from_secs(3600)), "Too Many Requests", 1)
    );
}

#[tokio::test]
async fn answers_that_no_parea_server_gives_are_errors() {
    let moved = Scripted::start([reply(308, "location: http://127.0.0.1:1/x\r\n", "")]).await;
    assert!(moved.client(2).health().await.unwrap_err().to_string().contains("moved to http://127.0.0.1:1/x"));
    let page = Scripted::start([reply(200, "", "<html>")]).await;
    for operation in ["trace_log", "log", "update_log", "feedback"] {
        let error = call(&page.client(2), operation).await;
        assert!(
            matches!(&error, Some(ApiError::Answer(why)) if why.ends_with("in `<html>`")),
            "{operation}: {error:?}"
        );
    }
    assert_eq!(page.seen().len(), 4);
    for body in ["", "null", "7"] {
        assert!(call(&Scripted::start([reply(200, "", body)]).await.client(0), "log").await.is_none(), "{body}");
    }
    let long = Scripted::start([reply(500, "", &"x".repeat(1 << 20))]).await;
    let ApiError::Status { detail, body, .. } = long.client(0).health().await.unwrap_err() else { panic!() };
    assert_eq!((detail.len(), body.len()), (300, 64 * 1024));
    let long = Scripted::start([reply(200, "", &format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20)))]).await;
    for (most, is_read) in [(1 << 20, false), (2 << 20, true)] {
        let api = ApiClient::builder(&long.url).retries(0).longest_answer(most).build().unwrap();
        match api.health().await {
            Ok(()) => assert!(is_read),
            Err(error) => assert!(!is_read && error.to_string().contains("it is longer than 1048576 bytes"), "{error}"),
        }
    }
}

#[tokio::test]
async fn errors_are_one_line_and_tell_no_secret() {
    let key = "sk-0123456789";
    let server = Scripted::start([reply(401, "", &format!(r#"{{"detail":"no\n\u001b[31m key {key}"}}"#))]).await;
    let api = ApiClient::new(&server.url, Some(key)).unwrap();
    let error = api.health().await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 401: no [31m key [redacted]");
    let ApiError::Status { body, .. } = &error else { panic!("{error:?}") };
    assert!(!body.contains(key), "{body}");

    // The password works, and is not shown.
    let login = server.url.replace("//", "//ann:p4ssw0rd@");
    let api = ApiClient::new(&login, None).unwrap();
    assert_eq!(api.health().await.unwrap_err().status(), Some(401));
    let [_, head] = &server.heads()[..] else { panic!() };
    assert!(head.contains("authorization: Basic YW5uOnA0c3N3MHJk"), "{head}");
    let wrong =
        ["ftp://", "", "http://x/?k=", "http://x:1:2/?"].map(|begin| format!("{begin}ann:p4ssw0rd@host?p4ssw0rd"));
    let mut shown = format!(
        "{api:?} {} {:?} {:?} {:?}",
        api.base_url(),
        api.blocking().unwrap(),
        ApiClient::builder(&login),
        parea::builder().base_url(&login).api_key("p4ssw0rd")
    );
    for url in wrong {
        shown += &ApiClient::new(&url, None).unwrap_err().to_string();
        shown += &parea::builder().base_url(url).init().unwrap_err().to_string();
    }
    assert!(shown.contains("//…@") && !shown.contains("p4ss"), "{shown}");
}

#[test]
fn outside_of_tokio_a_call_is_an_error() {
    let api = ApiClient::new("http://127.0.0.1:1", None).unwrap();
    for error in [
        futures::executor::block_on(api.health()).unwrap_err(),
        futures::executor::block_on(api.completion_stream(&Completions::default())).unwrap_err(),
    ] {
        assert!(error.to_string().contains("it needs a Tokio runtime; elsewhere use `.blocking()`"), "{error}");
    }
}

#[tokio::test]
async fn many_logs_go_one_by_one_where_batches_are_not_offered() {
    let log = |id: &str| TraceLog { trace_id: id.to_owned(), ..TraceLog::default() };
    let logs = [log("a"), log("b"), log("c")];
    let refused = r#"{"detail":[{"loc":["body","cost"],"msg":"no number","type":"float_type"}]}"#;
    let server =
        Scripted::start([reply(404, "", ""), reply(200, "", ""), reply(422, "", refused), reply(200, "", "")]).await;
    let answer = server.client(0).log_all(&logs).await.unwrap();
    assert_eq!((answer.accepted, answer.rejected[0].index, &*answer.rejected[0].detail[0].msg), (2, 1, "no number"));
    let paths: Vec<_> = server.seen().iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(
        paths,
        ["/api/parea/v1/trace_logs", "/api/parea/v1/trace_log", "/api/parea/v1/trace_log", "/api/parea/v1/trace_log"]
    );
    // Too large: halves, in order, with places that still count from the first log.
    let one = r#"{"accepted":0,"rejected":[{"index":0,"detail":[]}]}"#;
    let two = r#"{"accepted":1,"rejected":[{"index":1,"detail":[]}]}"#;
    let server = Scripted::start([reply(413, "", ""), reply(200, "", one), reply(200, "", two)]).await;
    let answer = server.client(0).log_all(&logs).await.unwrap();
    assert_eq!((answer.accepted, answer.rejected.iter().map(|log| log.index).collect()), (1, vec![0, 2]));
}

#[tokio::test]
async fn a_model_s_answer_comes_in_pieces() {
    let id = "0190f3a0-0000-7000-8000-000000000001";
    let events = format!(
        "data: ID_START{id}\r\n\r\n: ping\r\n\r\ndata: {{\"chunk\":\"Gr\u{fc}\"}}\r\n\r\ndata: {{\"chunk\":\"\u{df}e\"}}\r\n\r\n"
    );
    let stream = |end: &str| reply(200, "content-type: text/event-stream\r\n", &format!("{events}{end}"));
    let server = Scripted::start([stream("data: [DONE]\r\n\r\ndata: {\"chunk\":\"late\"}\r\n\r\n")]).await;
    let mut answer = server.client(0).completion_stream(&Completions::default()).await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), "Gr\u{fc}");
    assert_eq!(answer.trace_id(), Some(id));
    assert_eq!(answer.text().await.unwrap(), "\u{df}e");

    let server = Scripted::start([stream("data: {\"error\":\"quota\"}\r\n\r\n")]).await;
    let blocking = server.client(0).blocking().unwrap();
    let pieces: Vec<_> = tokio::task::spawn_blocking(move || {
        blocking
            .completion_stream(&Completions::default())
            .unwrap()
            .map(|piece| piece.map_err(|error| error.to_string()))
            .collect()
    })
    .await
    .unwrap();
    assert_eq!(pieces[..2], [Ok("Gr\u{fc}".to_owned()), Ok("\u{df}e".to_owned())]);
    assert_eq!(pieces[2..], [Err("the model's answer broke off: quota".to_owned())], "the error ends it");

    let server = Scripted::start([reply(501, "", r#"{"detail":"not offered"}"#)]).await;
    let error = server.client(2).completion_stream(&Completions::default()).await.unwrap_err();
    assert_eq!((error.status(), server.seen().len()), (Some(501), 1));
}

/// The environment belongs to the whole process, so this one runs in a process of its own.
#[test]
fn the_environment_says_where_and_whether() {
    let run = |environment: &[(&str, &str)]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["from_env", "--exact", "--ignored", "--nocapture"]);
        for name in ["PAREA_API_KEY", "PAREA_BASE_URL", "TURN_OFF_PAREA_LOGGING"] {
            command.env_remove(name);
        }
        let output = command.envs(environment.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        stdout.lines().find_map(|line| line.split_once("FROM ENV ")).unwrap().1.to_owned()
    };
    assert_eq!(run(&[]), "http://127.0.0.1:7273/api/parea/v1");
    // Nobody is there: only what is not sent succeeds.
    let url = ("PAREA_BASE_URL", "http://127.0.0.1:1/x");
    assert_eq!(run(&[url, ("PAREA_API_KEY", "k")]), "http://127.0.0.1:1/x, logs are sent");
    assert_eq!(run(&[url, ("TURN_OFF_PAREA_LOGGING", "True")]), "http://127.0.0.1:1/x, logs are not sent");
    assert!(run(&[("PAREA_API_KEY", "k")]).starts_with("PAREA_API_KEY is set but PAREA_BASE_URL is not"));
    assert!(run(&[("PAREA_BASE_URL", "ftp://x")]).contains("neither http nor https"));
}

#[tokio::test]
#[ignore = "a program that the other test starts"]
#[allow(clippy::print_stdout, reason = "it tells the other test")]
async fn from_env() {
    match ApiClient::from_env() {
        Err(error) => println!("FROM ENV {error}"),
        Ok(api) if std::env::var("PAREA_BASE_URL").is_err() => println!("FROM ENV {}", api.base_url()),
        Ok(api) => {
            let sent = match api.log(&TraceLog::default()).await {
                Ok(()) => "not ",
                Err(ApiError::Unreachable(_)) => "",
                Err(other) => panic!("{other}"),
            };
            println!("FROM ENV {}, logs are {sent}sent", api.base_url());
        }
    }
}
