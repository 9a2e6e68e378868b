//! Many logs at once.

use serde_json::{Value, json};

use crate::{
    client::{Client, Local, log},
    process::Process,
};

#[tokio::test]
async fn good_logs_are_stored_and_bad_ones_named() {
    let good = |id: &str| log(id).to_string();
    let nameless = json!({ "start_timestamp": "2024-05-30 13:48:34", "project_name": "test" }).to_string();
    let typed = json!({ "trace_id": "typed", "start_timestamp": 1, "project_name": "test" }).to_string();
    let (a, b) = (good("a"), good("b"));
    let logs = |broken| [&a, &nameless, "5", "{nonsense", &typed, broken].map(str::as_bytes);
    let bytes: [&[u8]; 2] = [b"\"\xff\"", b.as_bytes()];
    // In an array an element may also be missing; a line may also be left open.
    let array = [b"[", [logs("").as_slice(), &bytes].concat().join(b",".as_slice()).as_slice(), b"]"].concat();
    let lines = [logs("[").as_slice(), &bytes, &[b""]].concat().join(b"\r\n".as_slice());
    for (body, sixth) in [(array, json!([5, null, null, "missing"])), (lines, json!([5, null, 1, "json_invalid"]))] {
        let local = Local::start().await;
        let shown = String::from_utf8_lossy(&body).into_owned();
        let (status, answer) = local.client.send("POST", "/trace_logs", body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["accepted"], 2, "{answer}");
        let rejected: Vec<Value> = answer["rejected"]
            .as_array()
            .unwrap()
            .iter()
            .map(|log| json!([log["index"], log["trace_id"], log["detail"][0]["loc"][2], log["detail"][0]["type"]]))
            .collect();
        let expected = json!([
            [1, null, "trace_id", "missing"],
            [2, null, null, "model_attributes_type"],
            [3, null, 1, "json_invalid"],
            [4, "typed", "start_timestamp", "string_type"],
            sixth,
            [6, null, 1, "json_invalid"],
        ]);
        assert_eq!(Value::from(rejected), expected, "{shown}: {answer}");
        let mut stored: Vec<Value> = local.client.logs().await.iter().map(|log| log["trace_id"].clone()).collect();
        stored.sort_by_key(Value::to_string);
        assert_eq!(stored, ["a", "b"], "{shown}");
    }
}

#[tokio::test]
async fn what_is_complete_in_a_body_that_was_cut_off_is_stored() {
    let local = Local::start().await;
    let whole = json!([log("a"), log("b"), log("c")]).to_string();
    let end_of_b = whole.find(r#""c""#).unwrap();
    let (status, answer) = local.client.send("POST", "/trace_logs", whole[..end_of_b].to_owned()).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(2)), "{answer}");
    assert_eq!(
        (answer["rejected"].as_array().unwrap().len(), &answer["rejected"][0]["index"]),
        (1, &json!(2)),
        "{answer}"
    );
    assert_eq!(local.client.logs().await.len(), 2);
}

#[tokio::test]
async fn only_a_body_in_which_nothing_can_be_read_is_refused() {
    let local = Local::start().await;
    for body in ["", " \n", "nonsense", "[nonsense, {]", "5", "[1, 2]", "{\n\"trace_id\"\n:\n\"a\"\n}", "["] {
        let (status, answer) = local.client.send("POST", "/trace_logs", body).await;
        assert_eq!((status, &answer["detail"][0]["loc"][0]), (422, &json!("body")), "{body}: {answer}");
    }
    for (body, rejected) in [("[]", 0), ("[{}]", 1), ("{}", 1)] {
        let (status, answer) = local.client.send("POST", "/trace_logs", body).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(0)), "{body}: {answer}");
        assert_eq!(answer["rejected"].as_array().unwrap().len(), rejected, "{body}");
    }
}

#[tokio::test]
async fn more_logs_than_memory_should_hold_are_sent_back_to_be_split() {
    let local = Local::start().await;
    let one = log("a").to_string();
    for (count, expected) in [(100_000, 200), (100_001, 413)] {
        // The good one comes first: nothing of a body that is to be sent again is stored.
        let others = (1..count).map(|_| "1").collect::<Vec<_>>();
        for body in [format!("[{one},{}]", others.join(",")), format!("{one}\n{}", others.join("\n"))] {
            let (status, answer) = local.client.send("POST", "/trace_logs", body).await;
            assert_eq!(status, expected, "{}", answer["detail"]);
            let rejected = answer["rejected"].as_array().map_or(0, Vec::len);
            assert_eq!(rejected, if status == 200 { count - 1 } else { 0 });
        }
    }
    let (_, answer) = local.client.send("POST", "/trace_logs", "\n1".repeat(100_001)).await;
    assert!(answer["detail"].as_str().unwrap().contains("more than 100000 logs"), "{answer}");
}

#[tokio::test]
async fn losses_of_clients_add_up_in_their_project() {
    let local = Local::start().await;
    for losses in ["queue_full=12, too_large=1", "queue_full=3,nonsense,empty=,negative=-1"] {
        let request = local.client.request("POST", "/trace_logs").header("x-parea-losses", losses);
        let (status, answer) = Client::attempt(request.body(json!([log("a")]).to_string())).await.unwrap();
        assert_eq!((status, answer), (200, json!({ "accepted": 1, "rejected": [] })));
    }
    // Without a log that names one, they belong to the project that clients use when told of none.
    let request = local.client.request("POST", "/trace_logs").header("x-parea-losses", "queue_full=1000");
    assert_eq!(Client::attempt(request).await.unwrap(), (200, json!({ "accepted": 0, "rejected": [] })));
    // Unless the client says whose they are, whatever logs go along.
    let request = local.client.request("POST", "/trace_logs").header("x-parea-losses", "damaged=7");
    let request = request.header("x-parea-project", "elsewhere").body(json!([log("b")]).to_string());
    assert_eq!(Client::attempt(request).await.unwrap().0, 200);
    let (_, project) = local.client.post("/project", &json!({ "name": "test" })).await;
    assert_eq!(project["was_created"], false);
    let (store, _folder) = local.into_store().await;
    let scope = parea_store::Scope { project: Some(project["uuid"].as_str().unwrap().to_owned()) };
    let mut losses = parea_store::Logs::losses(&store, &scope).await.unwrap();
    losses.sort();
    assert_eq!(losses, [("queue_full".to_owned(), 15), ("too_large".to_owned(), 1)]);
    let all = parea_store::Logs::losses(&store, &parea_store::Scope::default()).await.unwrap();
    assert!(all.contains(&("queue_full".to_owned(), 1015)) && all.contains(&("damaged".to_owned(), 7)), "{all:?}");
}

/// As values short logs take many times the memory of their JSON, which is 12 MB here.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hundred_thousand_short_logs_do_not_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::serve(folder.path());
    let short = |n| {
        format!(
            r#"{{"trace_id":"{n}","root_trace_id":"{}","project_name":"p","start_timestamp":"2024-05-30 13:48:34"}}"#,
            n % 100
        )
    };
    let body: Vec<String> = (0..100_000).map(short).collect();
    let (status, answer) = server.client().send("POST", "/trace_logs", body.join("\n")).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(100_000)), "{answer}");
    assert!(server.peak() < 200 << 20, "{} MB", server.peak() >> 20);
}

#[tokio::test]
async fn an_integer_of_any_size_keeps_its_digits() {
    let local = Local::start().await;
    let digits = "123456789012345678901234567890";
    let log = log("a").to_string().replacen('{', &format!(r#"{{"inputs":{{"n":{digits},"m":[12,-{digits}]}},"#), 1);
    for path in ["/trace_log", "/trace_logs"] {
        let body = if path == "/trace_logs" { format!("[{log}]") } else { log.clone() };
        let (status, answer) = local.client.send("POST", path, body).await;
        assert_eq!(status, 200, "{answer}");
        let stored = local.client.logs().await;
        assert_eq!(stored[0]["inputs"]["n"], digits);
        assert_eq!(stored[0]["inputs"]["m"], json!([12, format!("-{digits}")]));
    }
}

#[tokio::test]
async fn many_logs_are_scored_at_once_and_bad_updates_named() {
    let local = Local::start().await;
    let logs: Vec<Value> = (0..32).map(|number| log(&format!("t{number}"))).collect();
    assert_eq!(local.client.post("/trace_logs", &Value::from(logs)).await.0, 200);
    let score = |id: &str, score: f64| {
        let map = json!({"scores": [{"name": "graded", "score": score}]});
        json!({"trace_id": id, "field_name_to_value_map": map, "merge": true})
    };
    let mut updates: Vec<Value> = (0..32).map(|number| score(&format!("t{number}"), f64::from(number))).collect();
    updates.push(json!({"trace_id": "t1", "field_name_to_value_map": {"outputs": "x"}}));
    updates.push(json!({"field_name_to_value_map": {}}));
    // Of a log that is still to come.
    updates.push(score("early", 0.5));
    for _ in 0..2 {
        let (status, answer) = local.client.send("PUT", "/trace_logs", Value::from(updates.clone()).to_string()).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(33)), "{answer}");
        let faults = &answer["rejected"];
        assert_eq!((&faults[0]["index"], &faults[0]["trace_id"]), (&json!(32), &json!("t1")), "{answer}");
        let loc = json!(["body", 32, "field_name_to_value_map", "outputs"]);
        assert_eq!((&faults[0]["detail"][0]["loc"], &faults[1]["detail"][0]["loc"][2]), (&loc, &json!("trace_id")));
        let scored = local.client.logs().await;
        let scored = scored.iter().filter(|log| log["scores"][0]["name"] == "graded").count();
        assert_eq!(scored, 32);
    }
    assert_eq!(local.client.post("/trace_log", &log("early")).await.0, 200);
    let (_, read) = local.client.send("GET", "/trace_log/early", "").await;
    assert_eq!(read["scores"][0]["score"], 0.5);
    let filter = json!({"project_name": "test", "filter_field": "score:graded", "filter_operator": "greater_than_or_equal", "filter_value": "30"});
    let (_, page) = local.client.post("/get_trace_logs", &filter).await;
    assert_eq!(page["total"], 2, "{page}");
}
