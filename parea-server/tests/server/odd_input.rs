//! Every row of `docs/bad-input.md`.

use std::{collections::BTreeSet, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use parea_server::Config;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Local, log};

/// What is sent, what is answered, and what then is stored of the log `odd`.
struct Case {
    name: &'static str,
    operation: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
    check: fn(&Value, &Value),
}

/// The log `odd` with these members.
fn odd(members: &Value) -> Vec<u8> {
    let mut log = log("odd");
    log.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    log.to_string().into_bytes()
}

/// The same as text, with a piece replaced, for what no JSON value can hold.
fn spelled(members: &Value, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(odd(members)).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

const LIMIT: usize = 4096;

fn nothing(_: &Value, log: &Value) {
    assert!(log.is_null(), "{log}");
}

fn stored(_: &Value, log: &Value) {
    assert_eq!(log["trace_id"], "odd");
}

fn mended(log: &Value) {
    assert!(log["start_timestamp"].as_str().unwrap().starts_with("20"), "{log}");
}

fn cases() -> Vec<Case> {
    const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];
    const LOG: &str = "/trace_log";
    const QUERY: &str = "/get_trace_logs";
    let mut cases = Vec::new();
    let mut case = |name, operation, headers, body, status, check| {
        cases.push(Case { name, operation, headers, body, status, check });
    };
    case("a body that is no gzip, said to be gzip", LOG, GZIP, odd(&json!({})), 400, nothing);
    case("gzip that breaks off", LOG, GZIP, gzip(&odd(&json!({})))[..40].to_vec(), 400, nothing);
    case("a gzip bomb", LOG, GZIP, gzip(&vec![b' '; 40 << 20]), 413, nothing);
    case("an encoding that is not known", LOG, &[("content-encoding", "br")], odd(&json!({})), 415, nothing);
    let plain = &[("content-type", "text/plain")];
    case("a body that says it is plain text, without a key", LOG, plain, odd(&json!({})), 415, nothing);
    case("an attribute of 50 MB", LOG, &[], odd(&json!({ "output": "x".repeat(50 << 20) })), 413, nothing);
    let text = format!("begin{}end", "é".repeat(5000));
    case(
        "a text longer than `text_limit`",
        LOG,
        &[],
        odd(&json!({ "output": text, "inputs": { "deep": [{ "text": text }] }, "metadata": { "m": text } })),
        200,
        |_, log| {
            for text in [&log["output"], &log["inputs"]["deep"][0]["text"], &log["metadata"]["m"]] {
                let text = text.as_str().unwrap();
                assert!(text.starts_with("begin") && text.ends_with("end") && text.len() < LIMIT + 40, "{text}");
                assert!(text.contains(" bytes cut]"), "{text}");
            }
        },
    );
    let list = json!({ "inputs": { "list": (0..5000).collect::<Vec<_>>(), "short": [1] } });
    case("a list longer than twice `text_limit`", LOG, &[], odd(&list), 200, |_, log| {
        let list = log["inputs"]["list"].as_str().unwrap();
        assert!(list.starts_with("[0,1,2") && list.ends_with("4999]") && list.contains("bytes cut]"), "{list}");
        assert_eq!(log["inputs"]["short"], json!([1]));
    });
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    case(
        "JSON that is 100,000 levels deep",
        LOG,
        &[],
        spelled(&json!({ "inputs": { "a": 1 } }), "1", &deep),
        422,
        nothing,
    );
    let mut bytes = odd(&json!({ "output": "x?x" }));
    let place = bytes.iter().position(|&byte| byte == b'?').unwrap();
    bytes[place] = 0xff;
    case("bytes that are no UTF-8", LOG, &[], bytes, 422, |answer, _| {
        assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("0xff"), "{answer}");
    });
    case("an empty body", LOG, &[], Vec::new(), 422, nothing);
    case("a list where an object belongs", LOG, &[], b"[]".to_vec(), 422, nothing);
    case("NaN as a number", LOG, &[], spelled(&json!({ "cost": 7.5 }), "7.5", "NaN"), 422, nothing);
    case("a number beyond all floats", LOG, &[], spelled(&json!({ "cost": 7.5 }), "7.5", "1e999"), 422, nothing);
    let score = json!({ "scores": [{ "name": "s", "score": "NaN" }] });
    case("a score that is a text", LOG, &[], odd(&score), 422, |answer, _| {
        assert_eq!(answer["detail"][0]["loc"], json!(["body", "scores", 0, "score"]));
    });
    case("an empty id", LOG, &[], odd(&json!({ "trace_id": "" })), 422, nothing);
    case("an id of more than 255 bytes", LOG, &[], odd(&json!({ "trace_id": "x".repeat(256) })), 422, nothing);
    let zero = "00000000-0000-0000-0000-000000000000";
    case("an id of zeros", LOG, &[], odd(&json!({ "trace_id": zero })), 200, |answer, _| {
        assert_eq!(answer["trace_id"], "00000000-0000-0000-0000-000000000000");
    });
    let zeros = json!({ "parent_trace_id": zero, "root_trace_id": zero });
    case("a parent of zeros", LOG, &[], odd(&zeros), 200, |_, log| {
        assert_eq!((&log["parent_trace_id"], &log["root_trace_id"]), (&json!("odd"), &json!("odd")));
    });
    case("a log without a project", LOG, &[], odd(&json!({ "project_name": null })), 422, nothing);
    let backwards = json!({ "end_timestamp": "2024-05-30 13:48:30" });
    case("an end before its start", LOG, &[], odd(&backwards), 200, |_, log| {
        assert!(log["end_timestamp"].as_str().unwrap().starts_with("2024-05-30T13:48:30"), "{log}");
        assert!(log["latency"].as_f64().unwrap_or_default() >= 0.0);
    });
    let far = json!({ "start_timestamp": "9999-12-31T23:59:59Z", "last_updated_at": "9999-12-31T23:59:59Z" });
    case("a start in the year 9999", LOG, &[], odd(&far), 200, |_, log| {
        mended(log);
        assert!(log["metadata"]["start_timestamp_sent"].as_str().unwrap().starts_with("9999-12-31"), "{log}");
    });
    case("a start before 1970", LOG, &[], odd(&json!({ "start_timestamp": "1969-07-20 20:17:40" })), 200, |_, log| {
        mended(log);
        assert!(log["metadata"]["start_timestamp_sent"].as_str().unwrap().starts_with("1969-07-20"), "{log}");
    });
    case(
        "an end in the year 9999",
        LOG,
        &[],
        odd(&json!({ "end_timestamp": "9999-01-01T00:00:00Z" })),
        200,
        |_, log| {
            assert!(log["end_timestamp"].is_null(), "{log}");
            assert!(log["metadata"]["end_timestamp_sent"].as_str().unwrap().starts_with("9999"), "{log}");
        },
    );
    let nul = json!({ "output": "a\0b", "trace_name": "n\0", "metadata": { "k\0": "v\0w" }, "tags": ["t\0"] });
    case("NUL in a text", LOG, &[], odd(&nul), 200, |_, log| {
        assert_eq!((&log["output"], &log["trace_name"]), (&json!("a\0b"), &json!("n\0")));
        assert_eq!((&log["metadata"]["k\0"], &log["tags"][0]), (&json!("v\0w"), &json!("t\0")));
    });
    case(
        "half a surrogate pair",
        LOG,
        &[],
        spelled(&json!({ "output": "half" }), "half", "\\ud83d!"),
        200,
        |_, log| {
            assert_eq!(log["output"], "\u{fffd}!");
        },
    );
    let tags: Vec<String> = (0..10_000).map(|number| format!("tag {number}")).collect();
    case("10,000 tags", LOG, &[], odd(&json!({ "tags": tags })), 200, |_, log| {
        let tags = log["tags"].as_array().unwrap();
        assert_eq!((tags.len(), &tags[999], &tags[1000]), (1001, &json!("tag 999"), &json!("…[9000 more tags]")));
    });
    let large = spelled(&json!({ "inputs": { "n": 7 } }), ":7", ":123456789012345678901234567890");
    case("an integer beyond 64 bits", LOG, &[], large, 200, |_, log| {
        assert_eq!(log["inputs"]["n"], "123456789012345678901234567890");
    });
    let twice =
        spelled(&json!({ "output": "first" }), "\"output\":\"first\"", "\"output\":\"first\",\"output\":\"last\"");
    case("a name twice in one object", LOG, &[], twice, 200, |_, log| assert_eq!(log["output"], "last"));
    let junk = json!({ "evalFuncs": [null], "applyEvalFrac": 1, "": {}, "accessOutputOfFunc": null });
    case("fields that the schema lacks", LOG, &[], odd(&junk), 200, stored);
    let role = json!({ "configuration": { "messages": [{ "role": "developer", "content": "x" }] } });
    case("a role outside the list", LOG, &[], odd(&role), 200, |_, log| {
        assert_eq!(log["configuration"]["messages"][0]["role"], "developer");
    });
    let nulls = json!({
        "comments": null, "annotations": null, "scores": null, "images": null, "children": null, "depth": null,
        "execution_order": null, "cache_hit": null, "latency": null, "inputs": null, "tags": null,
        "configuration": { "messages": null, "model_params": null, "functions": null },
    });
    case("nulls wherever they may be", LOG, &[], odd(&nulls), 200, |_, log| {
        assert!(!log.to_string().contains("null"), "{log}");
    });
    let batch = format!("[{},{{\"trace_id\":\"broken\"}},{}]", log("odd"), log("other"));
    case("a broken log among good ones", "/trace_logs", &[], batch.into(), 200, |answer, log| {
        assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(2), &json!(1)), "{answer}");
        assert_eq!((&answer["rejected"][0]["trace_id"], &log["trace_id"]), (&json!("broken"), &json!("odd")));
    });
    let batch = format!("[{},{{\"trace_id\":\"cut", log("odd"));
    case("a batch that breaks off", "/trace_logs", &[], batch.into(), 200, |answer, log| {
        assert_eq!((&answer["accepted"], &log["trace_id"]), (&json!(1), &json!("odd")), "{answer}");
    });
    let query = |members: &Value| {
        let mut query = json!({ "project_name": "test" });
        query.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        query.to_string().into_bytes()
    };
    let filter = query(&json!({ "filter_operator": "equals", "filter_value": "x" }));
    case("a filter without a field", QUERY, &[], filter, 422, nothing);
    let filter = query(&json!({ "filter_field": "cost", "filter_operator": "greater_than", "filter_value": "much" }));
    case("a filter that compares a number with a word", QUERY, &[], filter, 422, |answer, _| {
        assert!(answer["detail"][0]["loc"].to_string().contains("filter_value"), "{answer}");
    });
    case("a page of 0 logs", QUERY, &[], query(&json!({ "page_size": 0 })), 422, nothing);
    cases
}

async fn send(client: &Client, case: &Case) -> Answer {
    let url = client.request("POST", case.operation);
    // Headers of the case replace the usual ones.
    let mut request = url.body(case.body.clone()).build().unwrap();
    for (name, value) in case.headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    Client::execute(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_table_is_true() {
    let page = include_str!("../../../docs/bad-input.md");
    let rows: BTreeSet<(String, u16)> = page
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            Some(((*cells.get(1)?).to_owned(), cells.get(2)?.parse().ok()?))
        })
        .collect();
    let cases = cases();
    let tested: BTreeSet<(String, u16)> = cases.iter().map(|case| (case.name.to_owned(), case.status)).collect();
    assert_eq!(rows, tested, "the table and the cases");
    for case in &cases {
        let local = Local::with(Config { text_limit: LIMIT, ..Config::default() }).await;
        let (status, answer) = send(&local.client, case).await;
        assert_eq!(status, case.status, "{}: {answer}", case.name);
        if status != 200 {
            let detail = &answer["detail"];
            let said = detail.as_str().or_else(|| detail[0]["msg"].as_str()).unwrap_or_default();
            assert!(!said.is_empty(), "{}: {answer}", case.name);
        }
        // Not held against the document: some of what is kept is beyond it.
        let ask = async |method: &str, operation: &str, body: Value| {
            let request = local.client.request(method, operation).body(body.to_string());
            Client::attempt(request).await.unwrap().1
        };
        (case.check)(&answer, &ask("GET", "/trace_log/odd", Value::Null).await);
        // It goes on, and the odd one does not stand before what comes after it.
        let mut next = log("next");
        next["start_timestamp"] = (chrono::Utc::now() + chrono::TimeDelta::seconds(1)).to_rfc3339().into();
        assert_eq!(local.client.post("/trace_log", &next).await.0, 200, "after {}", case.name);
        let listed = ask("POST", "/get_trace_logs", json!({ "project_name": "test" })).await;
        assert_eq!(listed["results"][0]["trace_id"], "next", "{}", case.name);
        local.handle.shutdown().await;
    }
}

#[tokio::test]
async fn refused_logs_can_be_had_and_their_room_is_bounded() {
    let local = Local::with(Config { refused_limit: 20_000, ..Config::default() }).await;
    let kept = async || {
        let response = local.client.request("GET", "/refused_logs").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    assert!(kept().await.is_empty());
    let batch = format!("[{},{{\"trace_id\":\"broken\",\"secret\":1}}]", log("good"));
    assert_eq!(local.client.send("POST", "/trace_logs", batch).await.0, 200);
    assert_eq!(local.client.send("POST", "/trace_log", "{\"trace_id\":\"single\"}").await.0, 422);
    // Written beside the answers.
    let mut refused = kept().await;
    while refused.len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        refused = kept().await;
    }
    refused.sort_by_key(|refused| refused["log"].to_string());
    assert_eq!(refused[0]["log"], "{\"trace_id\":\"broken\",\"secret\":1}");
    assert_eq!(refused[0]["detail"][0]["loc"], json!(["body", 1, "start_timestamp"]));
    assert_eq!(refused[1]["log"], "{\"trace_id\":\"single\"}");
    for round in 0..40 {
        let body = format!("{{\"trace_id\":\"{round}\",\"output\":\"{}\"}}", "x".repeat(1000));
        assert_eq!(local.client.send("POST", "/trace_log", body).await.0, 422);
    }
    let last = async || kept().await.iter().any(|refused| refused["log"].as_str().unwrap().contains("\"39\""));
    while !last().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let size: u64 = ["refused.ndjson", "refused.old.ndjson"]
        .iter()
        .map(|name| std::fs::metadata(local.path().join(name)).map_or(0, |metadata| metadata.len()))
        .sum();
    assert!(size <= 20_000, "{size}");
    // The command reads the same.
    let data = local.path().to_str().unwrap().to_owned();
    let output = crate::process::command(&["refused", "--data", &data]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), kept().await.len());
}
