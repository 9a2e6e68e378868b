//! What watches over a server: health, figures, its log, TLS, and the files that deploy it.

use std::{fs, io::Read as _, net::TcpStream, sync::Arc};

use parea_server::{Config, KeyRing, KeyScope};
use serde_json::{Value, json};

use crate::{
    client::{Client, Local, log},
    process::{Process, command},
};

pub(crate) async fn get(url: &str, key: Option<&str>) -> (u16, String) {
    let request = crate::http::client().get(url);
    let request = key.iter().fold(request, |request, key| request.header("x-api-key", *key));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The value of a figure.
fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn figures_count_what_happened() {
    let local = Local::start().await;
    for id in ["a", "b", "b"] {
        assert_eq!(local.client.post("/trace_log", &log(id)).await.0, 200);
    }
    assert_eq!(local.client.post("/trace_log", &json!({})).await.0, 422);
    let batch = json!([log("c"), log("d"), {}]).to_string();
    let request = local.client.request("POST", "/trace_logs").header("x-parea-losses", "queue_full=3, my words=2");
    assert_eq!(Client::attempt(request.body(batch)).await.unwrap().0, 200);
    let (status, text) = get(&format!("{}/metrics", local.handle.url()), None).await;
    assert_eq!(status, 200);
    for (name, value) in [
        ("parea_requests_total{operation=\"record_trace_log\",status=\"200\"}", 3.0),
        ("parea_requests_total{operation=\"record_trace_log\",status=\"422\"}", 1.0),
        ("parea_request_seconds_count{operation=\"record_trace_log\"}", 4.0),
        ("parea_logs_total{outcome=\"created\"}", 4.0),
        ("parea_logs_total{outcome=\"unchanged\"}", 1.0),
        ("parea_logs_refused_total", 2.0),
        ("parea_batch_logs_sum", 3.0),
        ("parea_client_losses_total{reason=\"queue_full\"}", 3.0),
        ("parea_client_losses_total{reason=\"other\"}", 2.0),
        ("parea_writer_waiting", 0.0),
        // The losses are an order of their own.
        ("parea_writer_transaction_logs_sum", 6.0),
    ] {
        assert_eq!(figure(&text, name).to_bits(), f64::to_bits(value), "{name} in {text}");
    }
    for name in [
        "parea_body_bytes_total",
        "parea_writer_transactions_total",
        "parea_writer_transaction_seconds_sum",
        "parea_writer_background_seconds_sum",
        "parea_writer_background_longest_seconds",
        "parea_database_bytes",
        "parea_wal_bytes",
    ] {
        assert!(figure(&text, name) > 0.0, "{name}");
    }
    assert!(text.trim_end().ends_with("# EOF"), "{text}");
}

#[tokio::test]
async fn health_needs_no_key_and_figures_need_the_greatest() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::open(folder.path());
    let key = |scope, project: Option<&str>| ring.create(scope, project.map(str::to_owned), None).unwrap().0;
    let (admin, write, own) = (key(KeyScope::Admin, None), key(KeyScope::Write, None), key(KeyScope::Admin, Some("a")));
    let local = Local::on(folder).await;
    let url = |path: &str| format!("{}{path}", local.handle.url());
    assert_eq!(get(&url("/healthz"), None).await, (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(get(&url("/readyz"), None).await, (200, r#"{"status":"ready"}"#.to_owned()));
    for (key, status) in [(None, 401), (Some(&write), 403), (Some(&own), 403), (Some(&admin), 200)] {
        assert_eq!(get(&url("/metrics"), key.map(String::as_str)).await.0, status, "{key:?}");
    }
    let bearer = crate::http::client().get(url("/metrics")).bearer_auth(&admin).send().await.unwrap();
    assert_eq!(bearer.status(), 200);
}

#[tokio::test]
async fn a_request_is_one_line_with_ids_and_without_what_it_carries() {
    let folder = tempfile::tempdir().unwrap();
    let (key, record) = KeyRing::open(folder.path()).create(KeyScope::Write, Some("chat".to_owned()), None).unwrap();
    let server = Process::serve_with(folder.path(), &["--verbose", "--log-format", "json"]);
    let mut body = log("a");
    body["project_name"] = "chat".into();
    body["output"] = "what a user said".into();
    let request = server.client().request("POST", "/trace_log").header("x-api-key", &key);
    let response = request.header("x-request-id", "mine-7").body(body.to_string()).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["x-request-id"].as_bytes()), (200, &b"mine-7"[..]));
    let response = server.client().request("GET", "/").header("x-api-key", "parea_wrong_key").send().await.unwrap();
    assert!(!response.headers()["x-request-id"].is_empty());
    server.signal("TERM");
    let (status, stderr) = server.wait();
    assert!(status.success(), "{stderr}");
    let lines: Vec<Value> = stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = &lines[0];
    assert_eq!((&first["operation"], &first["status"]), (&json!("record_trace_log"), &json!(200)), "{stderr}");
    assert_eq!((&first["key"], &first["project"]), (&json!(record.id), &json!("chat")));
    assert_eq!((&first["id"], &first["method"]), (&json!("mine-7"), &json!("POST")));
    assert_eq!(lines[1]["status"], 401);
    for secret in [key.rsplit('_').next().unwrap(), "what a user said", "wrong_key"] {
        assert!(!stderr.contains(secret), "{secret} in {stderr}");
    }
}

#[tokio::test]
async fn tls_by_files_is_spoken_and_plain_text_is_not() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let half = Config { tls_cert: Some(certificate.clone()), ..Config::default() };
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().join("data"), ..half };
    let refused = parea_server::Server::bind(config).await.err().unwrap().to_string();
    assert!(refused.contains("tls_key"), "{refused}");
    let local = Local::with(Config { tls_cert: Some(certificate), tls_key: Some(key), ..Config::default() }).await;
    assert!(local.handle.url().starts_with("https://"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = local.handle.local_addr();
    let answer = tokio::task::spawn_blocking(move || {
        let mut connection = rustls::ClientConnection::new(Arc::new(tls), "localhost".try_into().unwrap()).unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        std::io::Write::write_all(
            &mut stream,
            b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        )
        .unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"status":"ok"}"#), "{answer}");
    let plain = crate::http::client().get(format!("http://{address}/healthz")).send().await;
    assert!(plain.is_err());
}

#[test]
fn the_files_that_deploy_it_name_flags_and_settings_that_exist() {
    let help = |arguments: &[&str]| {
        String::from_utf8(command(&[arguments, &["--help"]].concat()).output().unwrap().stdout).unwrap()
    };
    let serve = help(&["serve"]);
    let unit = include_str!("../../../deploy/parea.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let flags: Vec<&str> = start.split(' ').filter(|word| word.starts_with("--")).collect();
    assert!(start.starts_with("/usr/local/bin/parea serve ") && flags.len() > 2, "{start}");
    for flag in flags {
        assert!(serve.contains(&format!("{flag} ")) || serve.contains(&format!("{flag}[")), "{flag}");
    }
    let docker = include_str!("../../../deploy/Dockerfile");
    let variables: Vec<&str> = docker
        .split_whitespace()
        .filter_map(|word| word.split_once('=').map(|(name, _)| name))
        .filter(|name| name.starts_with("PAREA_"))
        .collect();
    assert!(variables.len() > 2, "{variables:?}");
    for variable in variables {
        assert!(serve.contains(variable), "{variable}");
    }
    // Every command teaches.
    let commands = help(&[]);
    for name in ["serve", "config", "key", "refused", "export", "import", "backup", "erase", "doctor", "compare"] {
        assert!(commands.contains(name), "{name}");
        assert!(help(&[name]).lines().count() > 5, "{name}");
    }
}
