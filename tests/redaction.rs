//! Secrets do not leave the process: more than fifty of them are planted wherever a log takes something in, and the
//! wire, the spool and the store are searched for them.
//!
//! A process has one client, so the program is this test binary again.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "this is a test")]
#![allow(unused_variables, reason = "arguments are there to be captured")]

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    error::Error,
    fmt, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::DefaultBodyLimit, routing::post};
use parea::{ApiClient, types::QueryParamsPagination};
use parea_server::Server;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What every planted secret has in it, and nothing else.
const MARK: &str = "PLANTED";
/// What stands beside them and must arrive.
const KEPT: &str = "KEPT";

const CARD: &str = "4111111111111111";

thread_local! {
    static PLANTED: Cell<usize> = const { Cell::new(0) };
}

/// A secret that only its place gives away.
fn plain() -> String {
    PLANTED.set(PLANTED.get() + 1);
    format!("{MARK}{:02}", PLANTED.get())
}

/// A secret of this shape, where `$` is.
fn shaped(shape: &str) -> String {
    shape.replace('$', &plain())
}

fn openai() -> String {
    shaped("sk-proj-$abcdefghij0123456789")
}

// ---- what a program may capture ----

#[derive(Debug)]
#[expect(dead_code, reason = "shown by Debug alone")]
struct Config {
    url: String,
    api_key: String,
    password: Option<String>,
    token: Zeroizing<String>,
}

#[derive(Serialize)]
struct Request {
    question: &'static str,
    #[serde(rename = "accessToken")]
    access_token: String,
    credentials: BTreeMap<&'static str, String>,
    vault: Zeroizing<String>,
    nested: Vec<Option<Zeroizing<String>>>,
    note: String,
}

#[derive(Debug)]
struct Failure {
    text: String,
    source: Option<Box<Self>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[parea::trace]
fn by_name(api_key: &str, password: &str, client_secret: u64, headers: Vec<(&str, String)>, kept: &str) {}

#[parea::trace]
fn by_type(secret: SecretString, wiped: &Zeroizing<String>, maybe: Option<Zeroizing<String>>, kept: &str) {}

#[derive(Serialize)]
struct Password(String);

#[parea::trace]
fn by_type_within(cell: RefCell<Zeroizing<String>>, cow: Cow<'_, Zeroizing<String>>, kept: &str) -> Password {
    Password(plain())
}

/// Both of what is kept of them end in the middle of a key.
#[parea::trace]
fn cut(head: String, tail: String, kept: &str) {}

#[parea::trace]
fn by_debug(config: &Config, pretty: String, kept: &str) {}

#[parea::trace]
fn by_serialize(request: &Request, kept: &str) -> String {
    shaped("the answer has Bearer $abc123def456ghi789 and KEPT in it")
}

#[parea::trace]
fn by_looks(texts: &[String], json: &Value) -> Value {
    json!({"api_key": plain(), "text": format!("{KEPT} {}", openai()), "password": {"deep": [plain()]}})
}

#[parea::trace]
fn fails(kept: &str) -> Result<(), Failure> {
    let inner = Failure { text: shaped("login failed: token=$ (KEPT)"), source: None };
    Err(Failure { text: shaped("cannot ask, key sk-ant-api03-$abcdefghij0123456789"), source: Some(Box::new(inner)) })
}

#[parea::trace]
fn panics(kept: &str) {
    panic!("{KEPT} {}", shaped("connect postgres://app:$@db/x failed"));
}

#[parea::trace]
fn says(kept: &str) {
    parea::current()
        .metadata("stripe_secret_key", plain())
        .metadata("note", format!("{KEPT} {}", openai()))
        .metadata("request", json!({"authorization": plain(), "x": [shaped("pwd=$")]}))
        .tag(shaped("token=$"))
        .tag(KEPT)
        .session(shaped("ghp_$abcdefghijklmnopqrstuvwxyz0123"))
        .end_user(shaped("eyJhbGciOiJIUzI1NiJ9.$eyJzdWIiOiIxIn0.c2lnbmF0dXJl"))
        .target(shaped("xoxb-123456789012-$abcdefghij"))
        .score_with_reason("quality", 0.5, shaped("KEPT, but saw password: $"))
        .error(shaped("X-Api-Key: $"));
}

#[parea::trace]
fn streams(kept: &str) -> impl Iterator<Item = String> {
    vec![format!("{KEPT} "), openai()].into_iter()
}

#[parea::trace]
fn secret_items() -> impl Iterator<Item = BTreeMap<&'static str, String>> {
    std::iter::repeat_with(|| BTreeMap::from([("api_key", plain())]))
}

#[parea::trace(inputs(body = body.to_owned()), metadata(auth_token = plain()))]
fn by_options(body: &str) {}

fn plant() {
    let headers = vec![("authorization", shaped("Bearer $")), ("x-request", KEPT.to_owned())];
    by_name(&plain(), &plain(), 7, headers, KEPT);
    by_type(plain().into(), &plain().into(), Some(plain().into()), KEPT);
    by_type_within(RefCell::new(plain().into()), Cow::Owned(plain().into()), KEPT);
    let (half, key) = ("a ".repeat(64 * 1024 - 8), shaped("sk-$-abcdefghij0123456789"));
    cut(
        format!("{half}{key} {half}{half}"),
        format!("{half}{half}{} {}", shaped("sk-abcdefghij0123456789-$"), &half[..half.len() - 2]),
        KEPT,
    );
    let config =
        Config { url: shaped("https://u:$@x/KEPT"), api_key: plain(), password: Some(plain()), token: plain().into() };
    by_debug(&config, format!("{config:#?}"), KEPT);
    by_serialize(
        &Request {
            question: KEPT,
            access_token: plain(),
            credentials: BTreeMap::from([("user", plain()), ("pass", plain())]),
            vault: plain().into(),
            nested: vec![None, Some(plain().into())],
            note: json!({"inner": json!({"client_secret": plain(), "kept": KEPT}).to_string()}).to_string(),
        },
        KEPT,
    );
    let looks = [
        "sk-proj-$abcdefghij0123456789",
        "sk-ant-api03-$abcdefghij0123",
        "AIzaSy$abcdefghij0123456789abcdefghij",
        "github_pat_$abcdefghij0123456789",
        "ghp_$abcdefghijklmnopqrstuvwxyz0123",
        "glpat-$abcdefghij",
        "xoxp-123456789012-$abcdefghij",
        "sk_live_$abcdefghij",
        "whsec_$abcdefghij0123",
        "hf_$abcdefghijklmnopqrstuvwxyz",
        "npm_$abcdefghijklmnopqrstuvwxyz",
        "gsk_$abcdefghijklmnopqrstuvwxyzabcdefghij0123456789",
        "SG.$abcdefghijklm.abcdefghijklmnopqrstuvwxyz0123456789",
        "eyJhbGciOiJIUzI1NiJ9.$eyJzdWIi.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\n$\n-----END RSA PRIVATE KEY-----",
        "Authorization: Bearer $abc",
        "curl -u x -H 'Bearer $abcdefgh0123'",
        "GET /?access_token=$&q=KEPT",
        "mysql://root:$@localhost/db",
        "https://hooks.slack.com/services/T0/B0/$",
        "Config { secret: Some(\"$\") }",
        "Cookie: sid=$; theme=dark",
        "{'password': '$'}",
        "password: $",
        "{\"a\":\"{\\\"api_key\\\":\\\"$\\\"}\"}",
        "AccountKey=$==;EndpointSuffix=x",
        "[(\"x-api-key\", \"$\")]",
        "[{\"name\": \"API_KEY\", \"value\": \"$\"}]",
        "{\"\\u0070assword\": \"$\"}",
        "mysql --password $ -u root",
        "<password>$</password>",
        "https://$0123456789abcdef@host",
    ];
    let mut texts: Vec<_> = looks.iter().map(|shape| format!("{KEPT} {} {KEPT}", shaped(shape))).collect();
    texts.push(format!("card {CARD} or 4111 1111 1111 1111"));
    by_looks(&texts, &json!({"env": [{"name": "DB_PASSWORD", "value": plain()}], "card": 4_111_111_111_111_111_u64}));
    fails(KEPT).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| panics(KEPT))).unwrap_err();
    says(KEPT);
    streams(KEPT).for_each(drop);
    by_options(&shaped("KEPT api_key=$"));
}

#[test]
#[ignore = "a program that the other test starts"]
fn program() {
    let guard = parea::builder().project("secrets").deadline(Duration::from_secs(30)).init().unwrap();
    // Items of a stream count as they come.
    secret_items().take(3).for_each(drop);
    assert_eq!(parea::flush(Duration::ZERO).redacted, 3);
    plant();
    // Patient with a slow server, not with one that is not there.
    drop(guard);
    let report = parea::flush(Duration::ZERO);
    assert!(report.is_complete(), "{report}");
    println!("\nPLANTED {} REDACTED {}", PLANTED.get(), report.redacted);
}

// ---- the searches ----

fn run(folder: &Path, url: Option<&str>) -> (usize, u64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["program", "--exact", "--ignored", "--nocapture", "--test-threads=1"]).current_dir(folder);
    for name in ["PAREA_API_KEY", "PAREA_BASE_URL", "TURN_OFF_PAREA_LOGGING"] {
        command.env_remove(name);
    }
    let output = command.envs(url.map(|url| ("PAREA_BASE_URL", url))).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (planted, redacted) =
        stdout.lines().find_map(|line| line.strip_prefix("PLANTED ")?.split_once(" REDACTED ")).unwrap();
    (planted.parse().unwrap(), redacted.parse().unwrap())
}

/// Nothing that was planted is in there, and everything else is.
fn search(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let around =
        |at: usize| text[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    for secret in [MARK, CARD, "4111 1111"] {
        if let Some(at) = text.find(secret) {
            panic!("{what}: {}>>>{}", around(at), text[at..].chars().take(30).collect::<String>());
        }
    }
    assert!(text.matches(KEPT).count() >= 60, "{what} has what is no secret");
    assert!(text.contains("[redacted]"), "{what}");
}

fn all_files(folder: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, into);
        } else {
            into.extend(fs::read(&path).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_on_the_wire_in_the_spool_or_in_the_store() {
    // The wire.
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let take = move |body: String| async move {
        let count = body.lines().count();
        ear.lock().unwrap().extend(body.into_bytes());
        json!({"accepted": count, "rejected": []}).to_string()
    };
    let project = || async {
        json!({"name": "secrets", "uuid": "p", "created_at": "2024-05-30 13:48:34", "was_created": true}).to_string()
    };
    let router = Router::new().route("/trace_logs", post(take)).route("/project", post(project));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().nest("/api/parea/v1", router).layer(DefaultBodyLimit::disable());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (planted, redacted) = tokio::task::spawn_blocking(move || run(&path, Some(&url))).await.unwrap();
    assert!(planted >= 50, "{planted}");
    search("the wire", &heard.lock().unwrap());
    assert!(redacted >= 50, "{redacted} of {planted}");

    // The spool: a server that is not there.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || run(&path, Some("http://127.0.0.1:1"))).await.unwrap();
    let mut spooled = Vec::new();
    all_files(folder.path(), &mut spooled);
    search("the spool", &spooled);

    // The store: what it answers, and its files.
    let data = tempfile::tempdir().unwrap();
    let config = parea_server::Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.path().into(),
        ..parea_server::Config::default()
    };
    let server = Server::bind(config).await.unwrap().spawn();
    let (path, url) = (folder.path().to_owned(), server.url().to_owned());
    tokio::task::spawn_blocking(move || run(&path, Some(&url))).await.unwrap();
    let api = ApiClient::new(server.url(), None).unwrap();
    let page = api.trace_logs(&QueryParamsPagination::new("secrets").page_size(1_000)).await.unwrap();
    search("the store's answer", &serde_json::to_vec(&page).unwrap());
    server.shutdown().await;
    let mut stored = Vec::new();
    all_files(data.path(), &mut stored);
    assert!(!stored.is_empty() && !String::from_utf8_lossy(&stored).contains(MARK), "the store's files");
}

/// Tests see what a server would.
#[test]
fn no_secret_is_in_a_test_s_memory() {
    let ((), traces) = parea::testing::capture(plant);
    search("memory", format!("{:?}", traces.logs()).as_bytes());
}

/// The `token` beside a probability is a piece of a model's text; any other is a secret.
#[test]
fn pieces_of_a_models_text_are_kept() {
    #[derive(Clone, Serialize)]
    struct Piece {
        token: &'static str,
        logprob: f64,
        top: Vec<Piece>,
    }
    #[derive(Serialize)]
    struct Login {
        token: &'static str,
        attempts: u32,
    }
    #[parea::trace]
    fn answers(pieces: Vec<Piece>, json: Value, login: Login, last: Value) {}

    let piece = Piece { token: "Hel", logprob: -0.3, top: Vec::new() };
    let json = json!([
        {"bytes": [72], "logprob": -0.31, "token": "Hel"}, {"logprob": null, "token": "x".repeat(70)},
        {"token": {"logprob": 1}}, {"token": 7}, {"logprobs": {"token": "abc"}}, {"a": 1, "token": "abc"},
    ]);
    let ((), traces) = parea::testing::capture(|| {
        let pieces = vec![Piece { top: vec![piece.clone()], ..piece.clone() }];
        answers(pieces, json, Login { token: "abc", attempts: 1 }, json!({"token": "abc"}));
    });
    let inner = json!({"token": "Hel", "logprob": -0.3, "top": []});
    let expected = json!({
        "pieces": [{"token": "Hel", "logprob": -0.3, "top": [inner]}],
        "json": [
            {"bytes": [72], "logprob": -0.31, "token": "Hel"}, {"logprob": null, "token": "[redacted]"},
            {"token": "[redacted]"}, {"token": "[redacted]"}, {"logprobs": {"token": "[redacted]"}},
            {"a": 1, "token": "[redacted]"},
        ],
        "login": {"token": "[redacted]", "attempts": 1},
        "last": {"token": "[redacted]"},
    });
    assert_eq!(serde_json::to_value(&traces.log("answers").inputs).unwrap(), expected);
}

/// A `Serialize` that does not keep to its own protocol costs the value, not the log.
#[test]
fn a_map_that_is_no_map_is_shown_by_its_type() {
    struct Keys;
    impl Serialize for Keys {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serde::ser::Serializer::serialize_map(serializer, None)?;
            serde::ser::SerializeMap::serialize_key(&mut map, "a")?;
            serde::ser::SerializeMap::end(map)
        }
    }
    #[parea::trace]
    fn keys(keys: &Keys) {}

    let ((), traces) = parea::testing::capture(|| keys(&Keys));
    let shown = serde_json::to_value(&traces.log("keys").inputs).unwrap();
    assert!(shown["keys"].as_str().unwrap().contains("a key without a value"), "{shown}");
}
