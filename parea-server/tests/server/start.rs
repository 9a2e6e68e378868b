//! What keeps a server from starting, and who may ask one.

use std::{fs, net::TcpListener, path::Path};

use parea_server::{Config, OpenError, ServeError, Server};
use serde_json::{Value, json};

use crate::{
    client::{Client, Local, log},
    process::{Process, command},
};

/// How a server that cannot start ends: its exit code, and what it says.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(&[&["serve"], arguments].concat()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_keeps_it_from_starting_is_said_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let data = path(folder.path());
    let here = "127.0.0.1:0";

    let (code, said) = failure(&["--listen", "0.0.0.0:0", "--data", &data]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("without a key") && said.contains("PAREA_API_KEY"), "{said}");

    let taken = TcpListener::bind(here).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = failure(&["--listen", &address, "--data", &data]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address) && said.contains("--listen 127.0.0.1:0"), "{said}");

    let _server = Process::serve(folder.path());
    let (code, said) = failure(&["--listen", here, "--data", &data]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use by another parea") && said.contains(&data), "{said}");

    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    let (code, said) = failure(&["--listen", here, "--data", &path(&file)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a file") && said.contains("--data"), "{said}");

    assert_eq!(failure(&["--listen", "localhost"]).0, Some(2));
}

#[tokio::test]
async fn a_folder_is_free_again_when_its_server_has_stopped() {
    let local = Local::start().await;
    let config = || Config { listen: ([127, 0, 0, 1], 0).into(), data: local.path().to_owned(), ..Config::default() };
    let second = Server::bind(config()).await;
    assert!(matches!(second, Err(ServeError::Open(OpenError::InUse { .. }))));
    let config = config();
    local.handle.shutdown().await;
    Server::bind(config).await.unwrap();
}

#[tokio::test]
async fn a_server_with_a_key_answers_those_who_have_it() {
    let config = Config { api_key: Some("secret".to_owned()), ..Config::default() };
    let local = Local::with(config).await;
    let ask = async |headers: &[(&str, &str)], operation: &str| {
        let request = local.client.request("POST", operation).body(log("a").to_string());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Client::attempt(request).await.unwrap()
    };
    for good in [
        [("x-api-key", "secret")].as_slice(),
        &[("x-user-id", "secret")],
        &[("x-api-key", "secret"), ("x-user-id", "no")],
    ] {
        assert_eq!(ask(good, "/trace_log").await.0, 200, "{good:?}");
    }
    for bad in [
        [].as_slice(),
        &[("x-api-key", "secre")],
        &[("x-api-key", "Secret")],
        &[("x-api-key", ""), ("x-user-id", "secret")],
    ] {
        for operation in ["/trace_log", "/trace_logs", "/project", "/nowhere"] {
            let (status, body) = ask(bad, operation).await;
            assert_eq!(status, 401, "{operation} {bad:?}");
            assert!(body["detail"].as_str().unwrap().contains("x-api-key"), "{body}");
        }
    }
    let page = |password: Option<&str>| {
        let request = reqwest::Client::builder().no_proxy().build().unwrap().get(local.handle.url());
        let request = match password {
            Some(_) => request.basic_auth("anyone", password),
            None => request,
        };
        async { request.send().await.unwrap() }
    };
    assert_eq!(page(Some("secret")).await.status(), 200);
    assert_eq!(page(Some("wrong")).await.status(), 401);
    let asked = page(None).await;
    assert_eq!(asked.status(), 401);
    assert!(asked.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn a_page_of_another_site_cannot_reach_a_server_without_a_key() {
    let local = Local::start().await;
    let from = async |name: &str, value: &str| {
        let request = local.client.request("POST", "/trace_log").header(name, value).body(log("a").to_string());
        Client::attempt(request).await.unwrap()
    };
    let port = local.handle.local_addr().port();
    for host in ["localhost:1", "127.0.0.1", "[::1]:7273", "app.localhost", "host.docker.internal:7273"] {
        assert_eq!(from("host", host).await.0, 200, "{host}");
    }
    let (status, body) = from("host", &format!("rebound.example:{port}")).await;
    assert_eq!((status, body["detail"].is_string()), (403, true), "{body}");
    for site in ["https://evil.example", "http://203.0.113.7", "null"] {
        let (status, body) = from("origin", site).await;
        assert_eq!((status, body["detail"].is_string()), (403, true), "{site}: {body}");
    }
    for own in [local.handle.url(), "http://localhost:3000", "http://[::1]:7273"] {
        assert_eq!(from("origin", own).await.0, 200, "{own}");
    }
    let health: Value = local.client.get("/").await.1;
    assert_eq!(health, json!({ "status": "ok", "server": "parea", "version": env!("CARGO_PKG_VERSION") }));
}

#[tokio::test]
async fn whoever_stops_reading_its_stderr_does_not_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Process::serve_with(folder.path(), &["--verbose"]);
    server.close_stderr();
    // Each request writes a line there.
    for _ in 0..2 {
        assert_eq!(server.client().post("/trace_log", &log("a")).await.0, 200);
    }
    assert_eq!(server.client().log("a").await["trace_id"], "a");
}
