//! What the program, the network and the server do, every log is delivered or counted.
//!
//! A process has one client, so each story runs a program of its own: this test binary again, told what to do.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "this is a test")]

use std::{
    collections::HashSet,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use parea::{ApiClient, DropReason, FlushReport, InitError, types::QueryParamsPagination};
use parea_server::{Config, Server};
use serde_json::{Value, json};

// ---- the programs ----

#[parea::trace]
fn root(n: usize, text: &str) -> usize {
    child(n) + text.len()
}

#[parea::trace]
fn child(n: usize) -> usize {
    parea::current().score("n", 0.5);
    n
}

/// Settings of a program, as text in its environment.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "a program that the other tests start"]
fn program() {
    let builder = parea::builder()
        .project("delivery")
        .deadline(Duration::from_millis(setting("DEADLINE_MS", 10_000) as u64))
        .queue_bytes(setting("QUEUE_BYTES", 64 << 20));
    let guard = match builder.init() {
        Ok(guard) => guard,
        Err(error) => {
            println!("\nINIT {error}");
            return;
        }
    };
    let again = parea::init().unwrap_err();
    assert!(matches!(again, InitError::AlreadyInitialised));
    assert_eq!(format!("{again:?}"), again.to_string(), "what a `main` prints that returns it");
    let calls = setting("CALLS", 100);
    let text = "x".repeat(setting("TEXT", 10));
    let started = Instant::now();
    for n in 0..calls {
        root(n, &text);
    }
    println!("\nCALLS {}", started.elapsed().as_millis());
    let report = guard.flush(Duration::from_millis(setting("FLUSH_MS", 10_000) as u64));
    println!("FLUSHED {}", started.elapsed().as_millis());
    assert_eq!(report.finished(), 2 * calls as u64, "the report sums to what ended");
    print_report(&report);
}

fn print_report(report: &FlushReport) {
    let dropped: Value =
        report.dropped.iter().map(|(reason, count)| (reason.as_str().to_owned(), Value::from(*count))).collect();
    println!(
        "REPORT {}",
        json!({"delivered": report.delivered, "spooled": report.spooled, "pending": report.pending,
               "open": report.open, "dropped": dropped, "error": report.last_error})
    );
}

struct Ran {
    stdout: String,
    stderr: String,
}

impl Ran {
    fn line(&self, label: &str) -> &str {
        let found = self.stdout.lines().find_map(|line| line.strip_prefix(label));
        found.unwrap_or_else(|| panic!("no {label} in:\n{}\n{}", self.stdout, self.stderr)).trim()
    }

    fn report(&self) -> Value {
        serde_json::from_str(self.line("REPORT")).unwrap()
    }
}

/// Runs [`program`] in a process of its own, in an environment that has nothing of Parea but this.
async fn run(folder: &Path, environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["program", "--exact", "--ignored", "--nocapture", "--test-threads=1"]).current_dir(folder);
    for name in ["PAREA_API_KEY", "PAREA_BASE_URL", "TURN_OFF_PAREA_LOGGING"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let ran = Ran {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    };
    assert!(status.success(), "{}\n{}", ran.stdout, ran.stderr);
    ran
}

// ---- servers that are not ours ----

/// What a stand-in server saw.
#[derive(Default)]
struct Seen {
    batches: AtomicUsize,
    ids: Mutex<HashSet<String>>,
    losses: Mutex<Vec<String>>,
}

impl Seen {
    fn take(&self, body: &str) -> usize {
        let mut ids = self.ids.lock().unwrap();
        body.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|log| ids.insert(log["trace_id"].as_str().unwrap().to_owned()))
            .count()
    }

    fn count(&self) -> usize {
        self.ids.lock().unwrap().len()
    }
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn api(router: Router) -> Router {
    let project = || async {
        axum::Json(json!({"name": "delivery", "uuid": "p", "created_at": "2024-05-30 13:48:34", "was_created": true}))
    };
    Router::new().nest("/api/parea/v1", router.route("/project", post(project))).layer(DefaultBodyLimit::disable())
}

fn accepted(count: usize) -> (StatusCode, String) {
    (StatusCode::OK, json!({"accepted": count, "rejected": []}).to_string())
}

// ---- the stories ----

#[tokio::test(flavor = "multi_thread")]
async fn to_our_server_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().join("data"), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let ran = run(folder.path(), &[("PAREA_BASE_URL", server.url()), ("CALLS", "1000")]).await;
    assert_eq!(
        ran.report(),
        json!({"delivered": 2000, "spooled": 0, "pending": 0, "open": 0, "dropped": {}, "error": null})
    );
    let query = QueryParamsPagination { page_size: 2000, ..QueryParamsPagination::new("delivery") };
    let page = ApiClient::new(server.url(), None).unwrap().trace_logs(&query).await.unwrap();
    assert_eq!(page.total, 2000);
    let roots: Vec<_> = page.results.iter().filter(|tree| tree.log.depth == 0).collect();
    assert_eq!(roots.len(), 1000);
    for root in roots {
        let [child] = &root.children_logs[..] else { panic!("{root:?}") };
        assert_eq!((child.log.trace_name.as_deref(), child.log.execution_order), (Some("child"), 1));
        assert_eq!(child.log.inputs.as_ref().unwrap()["n"], root.log.inputs.as_ref().unwrap()["n"]);
    }
    assert_eq!(ran.stderr, "", "nothing is said when all is well");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_by_one_where_batches_are_not_offered() {
    for answer in [(StatusCode::NOT_FOUND, ""), (StatusCode::METHOD_NOT_ALLOWED, ""), (StatusCode::OK, "<html>")] {
        let seen = Arc::new(Seen::default());
        let (batch, single) = (Arc::clone(&seen), Arc::clone(&seen));
        let router = Router::new()
            .route(
                "/trace_logs",
                post(move || async move {
                    batch.batches.fetch_add(1, Ordering::Relaxed);
                    answer
                }),
            )
            .route(
                "/trace_log",
                post(move |body: String| async move {
                    single.take(&body);
                    "null"
                }),
            );
        let folder = tempfile::tempdir().unwrap();
        let ran = run(folder.path(), &[("PAREA_BASE_URL", &serve(api(router)).await), ("CALLS", "200")]).await;
        assert_eq!((ran.report()["delivered"].as_u64(), seen.count()), (Some(400), 400), "{answer:?}");
        assert_eq!(seen.batches.load(Ordering::Relaxed), 1, "asked once, remembered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_tried_again() {
    let seen = Arc::new(Seen::default());
    let batch = Arc::clone(&seen);
    // 503, 429 with a wish, a broken connection's like (500), then fine.
    let router = Router::new().route(
        "/trace_logs",
        post(move |body: String| async move {
            let (status, retry) = match batch.batches.fetch_add(1, Ordering::Relaxed) {
                0 => (StatusCode::SERVICE_UNAVAILABLE, ""),
                1 => (StatusCode::TOO_MANY_REQUESTS, "0"),
                2 => (StatusCode::INTERNAL_SERVER_ERROR, ""),
                _ => return (StatusCode::OK, HeaderMap::new(), accepted(batch.take(&body)).1),
            };
            let mut headers = HeaderMap::new();
            if !retry.is_empty() {
                headers.insert("retry-after", retry.parse().unwrap());
            }
            (status, headers, "busy".to_owned())
        }),
    );
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &serve(api(router)).await)]).await;
    assert_eq!((ran.report()["delivered"].as_u64(), seen.count()), (Some(200), 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_up_late_gets_everything() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let late = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let config = Config { listen: address, data: folder.path().join("data"), ..Config::default() };
        Server::bind(config).await.unwrap().spawn()
    };
    let url = format!("http://{address}");
    let environment = [("PAREA_BASE_URL", url.as_str()), ("FLUSH_MS", "20000")];
    let (ran, server) = tokio::join!(run(folder.path(), &environment), late);
    assert_eq!(ran.report()["delivered"], 200);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_or_silent_never_disturbs_the_program() {
    // Bound, so that nobody else gets the port, and refusing, for nobody listens.
    let refusing = tokio::net::TcpSocket::new_v4().unwrap();
    refusing.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let down = format!("http://{}", refusing.local_addr().unwrap());
    // Accepts connections and never says a word.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    for url in [down, silent] {
        let folder = tempfile::tempdir().unwrap();
        let environment = [("PAREA_BASE_URL", url.as_str()), ("FLUSH_MS", "300"), ("DEADLINE_MS", "100")];
        let ran = run(folder.path(), &environment).await;
        let report = ran.report();
        assert_eq!((&report["delivered"], &report["spooled"]), (&json!(0), &json!(200)), "{report}");
        // The guard's last word.
        assert!(ran.stderr.contains("200 logs wait in "), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_in_memory_is_counted_and_told_to_the_server() {
    let seen = Arc::new(Seen::default());
    let batch = Arc::clone(&seen);
    let router = Router::new().route(
        "/trace_logs",
        post(move |headers: HeaderMap, body: String| async move {
            // Slow enough for the queue to fill up.
            tokio::time::sleep(Duration::from_millis(30)).await;
            if let Some(losses) = headers.get("x-parea-losses") {
                batch.losses.lock().unwrap().push(losses.to_str().unwrap().to_owned());
            }
            accepted(batch.take(&body))
        }),
    );
    let folder = tempfile::tempdir().unwrap();
    let url = serve(api(router)).await;
    let environment = [("PAREA_BASE_URL", url.as_str()), ("CALLS", "20000"), ("QUEUE_BYTES", "200000")];
    let report = run(folder.path(), &environment).await.report();
    let (delivered, dropped) =
        (report["delivered"].as_u64().unwrap(), report["dropped"]["queue_full"].as_u64().unwrap());
    assert_eq!((delivered, delivered + dropped), (seen.count() as u64, 40_000), "to the last one");
    let told: u64 = seen
        .losses
        .lock()
        .unwrap()
        .iter()
        .map(|losses| losses.strip_prefix("queue_full=").unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(told > 0 && told == dropped, "{told} of {dropped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_large_is_split_and_only_what_cannot_be_taken_is_dropped() {
    let seen = Arc::new(Seen::default());
    let batch = Arc::clone(&seen);
    let router = Router::new().route(
        "/trace_logs",
        post(move |body: String| async move {
            if body.len() > 20_000 {
                return (StatusCode::PAYLOAD_TOO_LARGE, json!({"detail": "too large"}).to_string());
            }
            accepted(batch.take(&body))
        }),
    );
    let url = serve(api(router)).await;
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), &[("PAREA_BASE_URL", &url)]).await.report();
    assert_eq!((&report["delivered"], seen.count()), (&json!(200), 200));
    // Each root is larger than the server takes; the children are delivered.
    let report = run(folder.path(), &[("PAREA_BASE_URL", &url), ("CALLS", "10"), ("TEXT", "30000")]).await.report();
    assert_eq!((&report["delivered"], &report["dropped"]), (&json!(10), &json!({DropReason::TooLarge.as_str(): 10})));
}

/// Whatever status a server has for it, one log that it does not take costs no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_for_one_log_is_sent_one_by_one() {
    for status in [400, 409, 415, 422] {
        let judged = move |body: String| async move {
            let poisoned =
                body.lines().any(|line| line.contains(r#""trace_name":"root""#) && line.contains(r#""n":7,"#));
            let status = if poisoned { StatusCode::from_u16(status).unwrap() } else { StatusCode::OK };
            (status, if poisoned { "{}".to_owned() } else { accepted(body.lines().count()).1 })
        };
        let router = Router::new().route("/trace_logs", post(judged)).route("/trace_log", post(judged));
        let folder = tempfile::tempdir().unwrap();
        let report = run(folder.path(), &[("PAREA_BASE_URL", &serve(api(router)).await)]).await.report();
        assert_eq!((&report["delivered"], &report["dropped"]), (&json!(199), &json!({"rejected": 1})), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_and_said_once() {
    let rejecting = Router::new().route("/trace_logs", post(|body: String| async move {
        let rejected: Vec<_> = (0..body.lines().count())
            .step_by(2)
            .map(|index| json!({"index": index, "trace_id": "t", "detail": [{"loc": ["body", "x"], "msg": "no", "type": "t"}]}))
            .collect();
        json!({"accepted": body.lines().count() - rejected.len(), "rejected": rejected}).to_string()
    }));
    let closed =
        Router::new().route("/trace_logs", post(|| async { (StatusCode::UNAUTHORIZED, r#"{"detail":"wrong key"}"#) }));
    // A key that does not fit says nothing of the logs: they wait for one that does.
    for (router, delivered, spooled, dropped, said) in
        [(rejecting, 100, 0, json!({"rejected": 100}), r#""msg":"no""#), (closed, 0, 200, json!({}), "401: wrong key")]
    {
        let folder = tempfile::tempdir().unwrap();
        let ran = run(folder.path(), &[("PAREA_BASE_URL", &serve(api(router)).await)]).await;
        let report = ran.report();
        assert_eq!(
            (&report["delivered"], &report["spooled"], &report["dropped"]),
            (&json!(delivered), &json!(spooled), &dropped)
        );
        assert!(ran.stderr.lines().next().unwrap().contains(said), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_logs_wait_in_the_folder_that_serve_takes_in() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &[]).await;
    assert_eq!(
        ran.report()["spooled"],
        200,
        "this story needs that nothing listens on the default address 127.0.0.1:7273: {}",
        ran.report()
    );
    assert!(ran.stderr.contains("/.parea` takes them in"), "{}", ran.stderr);
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().join(".parea"), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let client = ApiClient::new(server.url(), None).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let page = client.trace_logs(&QueryParamsPagination::new("delivery")).await.unwrap();
        if page.total == 200 {
            break;
        }
        assert!(Instant::now() < deadline, "{} of 200 were taken in", page.total);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_logs_go_is_never_a_surprise() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &[("PAREA_API_KEY", "k")]).await;
    assert!(refused.line("INIT").contains("PAREA_BASE_URL is not"), "{}", refused.stdout);
    for (environment, said) in [
        (("PAREA_BASE_URL", "http://127.0.0.1:1/?tenant=1"), "has a query"),
        (("PAREA_BASE_URL", "localhost:7273"), "does not begin with http://"),
        (("PAREA_BASE_URL", "127.0.0.1:7273"), "does not begin with http://"),
        (("PAREA_API_KEY", "k\u{1}k"), "no HTTP header carries"),
    ] {
        let ran = run(folder.path(), &[("PAREA_BASE_URL", "http://127.0.0.1:1"), environment]).await;
        assert!(ran.line("INIT").contains(said), "{}", ran.stdout);
    }
    let shown = format!("{:?}", parea::builder().api_key("topsecret"));
    assert!(!shown.contains("topsecret"), "{shown}");
    // Nobody but the server that was named gets the logs or the key.
    let seen = Arc::new(AtomicUsize::new(0));
    let stranger = Arc::clone(&seen);
    let elsewhere =
        serve(Router::new().fallback(move || async move { _ = stranger.fetch_add(1, Ordering::Relaxed) })).await;
    let moved = serve(Router::new().fallback(move || async move { axum::response::Redirect::to(&elsewhere) })).await;
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &moved), ("PAREA_API_KEY", "k")]).await;
    assert_eq!((&ran.report()["dropped"], seen.load(Ordering::Relaxed)), (&json!({}), 0));
    assert_eq!(ran.report()["spooled"], 200);
    assert!(ran.stderr.contains("give that address as the base URL"), "{}", ran.stderr);
    let refused = run(folder.path(), &[("PAREA_BASE_URL", "ftp://example.org")]).await;
    assert!(refused.line("INIT").contains("neither http nor https"), "{}", refused.stdout);
}
