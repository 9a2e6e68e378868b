//! Reading back: pages, conditions, and answers of any size.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::client::{Local, log};

fn ids(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|log| log["trace_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_hold_all_logs_once_newest_first() {
    let local = Local::start().await;
    let logs: Vec<Value> = (0..250)
        .map(|number| {
            let mut log = log(&format!("{number:03}"));
            log["start_timestamp"] = format!("2024-05-30 13:{:02}:{:02}", number / 60, number % 60).into();
            log
        })
        .collect();
    assert_eq!(local.client.post("/trace_logs", &logs.into()).await.1["accepted"], 250);
    let newest_first: Vec<String> = (0..250).rev().map(|number| format!("{number:03}")).collect();
    for size in [1, 7, 100, 101, 250, 100_000] {
        let pages = 250_usize.div_ceil(size);
        let mut seen = Vec::new();
        for page in (1..=pages).filter(|page| size > 1 || *page <= 3) {
            let query = json!({ "project_name": "test", "page": page, "page_size": size });
            let (status, answer) = local.client.post("/get_trace_logs", &query).await;
            assert_eq!(status, 200, "{answer}");
            let head =
                ["total", "page", "total_pages", "page_size"].map(|name| answer[name].as_u64().unwrap() as usize);
            assert_eq!(head, [250, page, pages, size]);
            seen.extend(ids(&answer).into_iter().map(str::to_owned));
        }
        assert_eq!(seen, newest_first[..seen.len()], "pages of {size}");
        assert!(size == 1 || seen.len() == 250);
    }
    for query in [json!({ "project_name": "test", "page": 14 }), json!({ "project_name": "nobody's" })] {
        let (status, answer) = local.client.post("/get_trace_logs", &query).await;
        assert_eq!((status, &answer["results"]), (200, &json!([])), "{query}");
    }
    assert_eq!(local.client.post("/project", &json!({ "name": "nobody's" })).await.1["was_created"], true);
}

#[tokio::test]
async fn conditions_are_kept_or_refused() {
    let local = Local::start().await;
    for (hours, status) in [(0, "success"), (2, "error"), (30, "success")] {
        let mut log = log(&format!("{hours}h"));
        log["start_timestamp"] = (Utc::now() - TimeDelta::hours(hours)).to_rfc3339().into();
        log["status"] = status.into();
        assert_eq!(local.client.post("/trace_log", &log).await.0, 200);
    }
    let mut other = log("other project");
    other["project_name"] = "other".into();
    assert_eq!(local.client.post("/trace_log", &other).await.0, 200);
    for (condition, expected) in [
        (json!({}), vec!["0h", "2h", "30h"]),
        (
            json!({ "time_range": "na", "status": null, "filter_field": null, "filter_operator": null }),
            vec!["0h", "2h", "30h"],
        ),
        (json!({ "time_range": "1h" }), vec!["0h"]),
        (json!({ "time_range": "24h" }), vec!["0h", "2h"]),
        (json!({ "status": "success" }), vec!["0h", "30h"]),
        (json!({ "status": "error", "time_range": "1h" }), vec![]),
    ] {
        let mut query = condition.clone();
        query["project_name"] = "test".into();
        let (status, answer) = local.client.post("/get_trace_logs", &query).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!((ids(&answer), &answer["total"]), (expected.clone(), &json!(expected.len())), "{condition}");
    }
}

#[tokio::test]
async fn a_chain_of_thousands_is_read_back_whole() {
    const DEPTH: usize = 5000;
    let local = Local::start().await;
    let logs: Vec<Value> = (0..DEPTH)
        .map(|depth| {
            let mut log = log(&depth.to_string());
            log["root_trace_id"] = "0".into();
            log["parent_trace_id"] = depth.saturating_sub(1).to_string().into();
            log["depth"] = depth.into();
            log["execution_order"] = depth.into();
            log
        })
        .collect();
    assert_eq!(local.client.post("/trace_logs", &logs.into()).await.1["accepted"], DEPTH);
    let text = local.client.request("GET", "/trace_log/0").send().await.unwrap().text().await.unwrap();
    let tree: parea_types::TraceLogTree = serde_json::from_str(&text).unwrap();
    for (depth, tree) in tree.iter().enumerate() {
        assert_eq!(tree.log.trace_id, depth.to_string());
    }
    assert_eq!(tree.iter().count(), DEPTH);
    let query = json!({ "project_name": "test", "page_size": 5 }).to_string();
    let answer = local.client.request("POST", "/get_trace_logs").body(query).send().await.unwrap();
    let page: parea_types::PaginatedTraceLogs = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((page.total, page.results.len()), (DEPTH as i64, 5));
}

/// The SDKs put an id into the path as it is.
#[tokio::test]
async fn a_log_of_any_id_is_read_back() {
    let local = Local::start().await;
    for id in ["a/b", "https://x.y/z", "%2F", "a b", "日本/é", "0", "stats", "langchain"] {
        let child = format!("{id}/child");
        for (id, parent) in [(child.as_str(), id), (id, id)] {
            let mut log = log(id);
            log["parent_trace_id"] = parent.into();
            log["root_trace_id"] = parent.into();
            assert_eq!(local.client.post("/trace_log", &log).await.0, 200, "{id}");
        }
        let encoded = id.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let spelled = id.replace('%', "%25");
        for path in [encoded, spelled] {
            let tree = local.client.log(&path).await;
            assert_eq!(
                (&tree["trace_id"], &tree["children_logs"][0]["trace_id"]),
                (&json!(id), &json!(child)),
                "{path}"
            );
        }
    }
    assert!(local.client.log("a/b/c/d").await.is_null());
}

#[tokio::test]
async fn logs_are_found_by_the_words_in_them() {
    let local = Local::start().await;
    for (id, output) in [("a", "The refund was refused"), ("b", "No refunds for order 42"), ("c", "退款申請")] {
        let mut log = log(id);
        log["output"] = output.into();
        local.client.post("/trace_log", &log).await;
    }
    let found = async |body: Value| {
        let (status, answer) = local.client.post("/search_trace_logs", &body).await;
        assert_eq!(status, 200, "{answer}");
        let ids: Vec<String> = answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|log| log["trace_id"].as_str().unwrap().to_owned())
            .collect();
        (ids, answer["next"].clone())
    };
    assert_eq!(found(json!({ "query": "REFUND", "project_name": "test" })).await, (vec!["a".to_owned()], Value::Null));
    let (ids, next) = found(json!({ "query": "refund*", "limit": 1 })).await;
    assert_eq!(ids, ["b"], "the last to arrive first");
    assert_eq!(found(json!({ "query": "refund*", "limit": 1, "after": next })).await.0, ["a"]);
    assert_eq!(found(json!({ "query": "款申" })).await.0, ["c"]);
    assert_eq!(found(json!({ "query": "refund", "project_name": "elsewhere" })).await.0, [""; 0]);
    for (body, place) in [(json!({ "query": " - " }), "query"), (json!({ "query": "a", "limit": 101 }), "limit")] {
        let (status, answer) = local.client.post("/search_trace_logs", &body).await;
        assert_eq!((status, &answer["detail"][0]["loc"][1]), (422, &json!(place)), "{answer}");
    }
}
