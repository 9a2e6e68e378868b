//! Where settings come from, and what is said of wrong ones.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Output,
    time::Duration,
};

use parea_server::{
    Config,
    config::{Loaded, SETTINGS},
};
use serde_json::json;

use crate::{
    client::{Client, Local, log},
    process::command,
};

fn config(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(&[&["config"], arguments].concat());
    command.envs(environment.iter().copied()).output().unwrap()
}

/// Value and origin of a setting as they were printed.
fn printed(output: &Output, name: &str) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let row = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    let words: Vec<&str> = row.unwrap_or_else(|| panic!("no {name}: {output:?}")).split("  ").collect();
    let words: Vec<&str> = words.into_iter().map(str::trim).filter(|word| !word.is_empty()).collect();
    format!("{} from {}", words[1], words[3])
}

#[test]
fn a_flag_counts_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let file = folder.path().join("parea.toml");
    fs::write(&file, "# mine\nbody_limit = \"1 MiB\"\nrequests = 7\n\nstop_time = 3\nverbose = true\n").unwrap();
    let environment = [("PAREA_REQUESTS", "8"), ("PAREA_STOP_TIME", "4 s"), ("PAREA_API_KEY", "very secret")];
    let output = config(&["--data", data, "--stop-time", "5"], &environment);
    assert!(output.status.success(), "{output:?}");
    let file = file.display();
    for (name, expected) in [
        ("data", format!("{data} from --data")),
        ("body_limit", format!("1 MiB from {file}:2")),
        ("requests", "8 from PAREA_REQUESTS".to_owned()),
        ("stop_time", "5 s from --stop-time".to_owned()),
        ("verbose", format!("true from {file}:6")),
        ("head_limit", "64 KiB from default".to_owned()),
        ("api_key", "(set) from PAREA_API_KEY".to_owned()),
    ] {
        assert_eq!(printed(&output, name), expected);
    }
    assert!(!String::from_utf8(output.stdout).unwrap().contains("very secret"));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let refused = |file: &str, arguments: &[&str], environment: &[(&str, &str)], said: &[&str]| {
        fs::write(folder.path().join("parea.toml"), file).unwrap();
        for name in ["config", "serve"] {
            let mut command = command(&[&[name, "--data", data], arguments].concat());
            let output = command.envs(environment.iter().copied()).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            for part in said {
                assert!(stderr.contains(part), "{part} is not in {stderr}");
            }
        }
    };
    refused("\nbody_limt = 5", &[], &[], &["parea.toml:2", "`body_limt`", "did you mean `body_limit`?"]);
    refused("colour = 5", &[], &[], &["parea.toml:1", "`colour`", "parea config"]);
    refused("verbose = true\nrequests = \"many\"", &[], &[], &["parea.toml:2", "`requests`", "no whole number"]);
    refused("\n\nrequests = [5]", &[], &[], &["parea.toml:3", "`requests`", "array"]);
    refused("a = 1\nrequests =", &[], &[], &["parea.toml:2", "not TOML"]);
    refused("data = \"x\"", &[], &[], &["parea.toml:1", "`data`", "--data"]);
    refused("", &["--body-limit", "7 XB"], &[], &["--body-limit", "32 MiB"]);
    refused("", &[], &[("PAREA_JSON_DEPTH", "4000")], &["PAREA_JSON_DEPTH", "between 8 and 127"]);
    refused("", &["--config", "/nowhere/parea.toml"], &[], &["/nowhere/parea.toml"]);
    let output = config(&["--data", data], &[("PAREA_BODYLIMIT", "5")]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean PAREA_BODY_LIMIT?"));
}

#[test]
fn the_template_and_the_page_have_every_setting() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let template = Loaded::template();
    // Every line that is a setting, put to use.
    let used: Vec<&str> =
        template.lines().filter_map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = "))).collect();
    assert_eq!(used.len(), SETTINGS.len());
    let used: Vec<&str> = used.into_iter().filter(|line| !line.starts_with("data ")).collect();
    fs::write(folder.path().join("parea.toml"), used.join("\n")).unwrap();
    let output = config(&["--data", data], &[]);
    assert!(output.status.success(), "{output:?}");

    let page = include_str!("../../../docs/configuration.md");
    let help = String::from_utf8(command(&["serve", "--help"]).output().unwrap().stdout).unwrap();
    for setting in SETTINGS {
        let (flag, default) = (format!("--{}", setting.flag()), setting.value(&Config::default()));
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", setting.name)));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md lacks `{}`", setting.name));
        assert!(
            row.contains(&default) && row.contains(setting.unit),
            "{row} should tell {default} in {}",
            setting.unit
        );
        assert!(help.contains(&flag), "{flag} is not in --help");
    }
}

#[tokio::test]
async fn depth_is_what_was_set() {
    let local = Local::with(Config { json_depth: 8, ..Config::default() }).await;
    let nested = |depth: usize| {
        let mut log = log("deep");
        log["inputs"] = json!({ "a": 1 });
        log.to_string().replace(r#"{"a":1}"#, &format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 2), "]".repeat(depth - 2)))
    };
    assert_eq!(local.client.send("POST", "/trace_log", nested(8)).await.0, 200);
    let (status, answer) = local.client.send("POST", "/trace_log", nested(9)).await;
    assert_eq!(status, 422);
    assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("8 levels"), "{answer}");
    let (_, answer) = local.client.send("POST", "/trace_logs", format!("[{},{}]", nested(9), log("good"))).await;
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_request_waits_for_its_turn_and_not_for_ever() {
    let config = Config { requests: 1, request_time: Duration::from_millis(700), ..Config::default() };
    let local = Local::with(config).await;
    // Takes the one place, and never sends its body.
    let mut idle = TcpStream::connect(local.handle.local_addr()).unwrap();
    let head = "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    idle.write_all(head.as_bytes()).unwrap();
    let given_up = tokio::task::spawn_blocking(move || {
        let mut answer = [0; 1024];
        let length = idle.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    });
    let (status, answer) = Client::attempt(local.client.request("GET", "/")).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let given_up = given_up.await.unwrap();
    assert!(given_up.starts_with("HTTP/1.1 503 ") && given_up.contains("--request-time"), "{given_up}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_wait_for_room_and_nothing_else_does() {
    let local = Local::with(Config { body_memory: 1 << 20, ..Config::default() }).await;
    let mut idle = TcpStream::connect(local.handle.local_addr()).unwrap();
    let head = "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1048576\r\nexpect: 100-continue\r\n\r\n";
    idle.write_all(head.as_bytes()).unwrap();
    // It is told to go on once it has all the room.
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    let small = log("a");
    let posted = local.client.post("/trace_log", &small);
    let others = async {
        for _ in 0..20 {
            assert_eq!(local.client.get("/").await.0, 200);
        }
    };
    tokio::pin!(posted, others);
    tokio::select! {
        _ = &mut posted => panic!("there is no room for it"),
        () = &mut others => {}
    }
    drop(idle);
    assert_eq!(posted.await.0, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let local = Local::start().await;
    let large = "x".repeat(100 << 10);
    let response = local.client.request("GET", "/").header("x-large", large).send().await.unwrap();
    assert_eq!(response.status(), 431);
}
