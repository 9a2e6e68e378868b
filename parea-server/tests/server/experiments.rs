//! Runs of experiments: names, conditions, and the figures that their logs sum up to.

use serde_json::{Value, json};

use crate::client::{Local, log};

/// A project's uuid.
async fn project(local: &Local, name: &str) -> Value {
    local.client.post("/project", &json!({ "name": name })).await.1["uuid"].clone()
}

async fn created(local: &Local, body: &Value) -> Value {
    let (status, run) = local.client.post("/experiment", body).await;
    assert_eq!(status, 200, "{run}");
    run
}

async fn listed(local: &Local, wanted: Value) -> Vec<Value> {
    let (status, runs) = local.client.post("/experiments", &wanted).await;
    assert_eq!(status, 200, "{runs}");
    runs.as_array().unwrap().clone()
}

/// A log of a run; its own root unless it is `below` one.
fn log_of(run: &Value, trace_id: &str, below: Option<&str>) -> Value {
    let mut log = log(trace_id);
    log["experiment_uuid"] = run["uuid"].clone();
    if let Some(root) = below {
        log["root_trace_id"] = root.into();
        log["parent_trace_id"] = root.into();
        log["depth"] = 1.into();
        log["execution_order"] = 1.into();
    }
    log
}

/// The run of the two samples whose figures are known.
async fn two_samples(local: &Local, run: &Value) {
    let mut child = log_of(run, "A child", Some("A"));
    child["input_tokens"] = 10.into();
    child["output_tokens"] = 5.into();
    child["cost"] = 0.002.into();
    child["scores"] = json!([{ "name": "lev", "score": 0.5 }]);
    let mut a = log_of(run, "A", None);
    a["latency"] = 1.0.into();
    a["scores"] = json!([{ "name": "acc", "score": 1 }]);
    let mut b = log_of(run, "B", None);
    b["start_timestamp"] = "2024-05-30 13:48:35".into();
    b["latency"] = 3.0.into();
    b["scores"] = json!([{ "name": "acc", "score": 0, "reason": "no" }]);
    // As clients write what they have nothing to say of.
    b["cost"] = 0.0.into();
    b["total_tokens"] = 0.into();
    // The child as well as a repetition come in whatever order.
    for log in [&b, &child, &a, &child, &b] {
        assert_eq!(local.client.post("/trace_log", log).await.0, 200);
    }
}

#[tokio::test]
async fn a_run_of_two_samples_ends_in_these_figures() {
    let local = Local::start().await;
    let uuid = project(&local, "test").await;
    let run = created(&local, &json!({ "name": "Greeting", "run_name": "first", "project_uuid": uuid })).await;
    let status = async || listed(&local, json!({ "experiment_uuids": [run["uuid"]] })).await[0]["status"].clone();
    assert_eq!(status().await, "pending");
    two_samples(&local, &run).await;
    assert_eq!(status().await, "running");

    let figures = json!({ "parent_trace_stats": [
        {
            "trace_id": "A", "latency": 1.0, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "cost": 0.002,
            "scores": [{ "name": "acc", "score": 1.0 }, { "name": "lev", "score": 0.5 }]
        },
        {
            "trace_id": "B", "latency": 3.0, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
            "scores": [{ "name": "acc", "score": 0.0, "reason": "no" }]
        }
    ] });
    let (finished, stats) = (
        format!("/experiment/{}/finished", run["uuid"].as_str().unwrap()),
        format!("/experiment/{}/stats", run["uuid"].as_str().unwrap()),
    );
    assert_eq!(local.client.get(&stats).await, (200, figures.clone()));
    assert_eq!(status().await, "running", "looking changes nothing");
    let end =
        json!({ "status": "failed", "dataset_level_stats": [{ "name": "f1", "score": 2.0 / 3.0, "reason": null }] });
    assert_eq!(local.client.post(&finished, &end).await, (200, figures.clone()));

    let [run] = listed(&local, json!({})).await.try_into().unwrap();
    let mean = |name: &str, value: f64| json!({ "var1": name, "operation": "mean", "value": value });
    assert_eq!(
        run["pinned_stats"],
        json!([
            mean("acc", 0.5), mean("lev", 0.5), mean("Latency", 2.0), mean("Cost", 0.002), mean("Input Tokens", 5.0),
            mean("Output Tokens", 2.5), mean("Total Tokens", 7.5),
            { "var1": "f1", "operation": "custom", "value": 0.666_667 }
        ])
    );
    assert_eq!((&run["status"], &run["num_samples"]), (&json!("failed"), &json!(2)));

    // Without a body it is completed; the logs stay as they are.
    assert_eq!(local.client.send("POST", &finished, "").await, (200, figures));
    let [run] = listed(&local, json!({ "project_name": "test" })).await.try_into().unwrap();
    assert_eq!((&run["status"], run["pinned_stats"].as_array().unwrap().len()), (&json!("completed"), 7));
}

#[tokio::test]
async fn the_name_of_a_run_is_free_well_spelled_or_made() {
    let local = Local::start().await;
    let (one, two) = (project(&local, "one").await, project(&local, "two").await);
    let body =
        |project: &Value, name: &str, run: &str| json!({ "name": name, "run_name": run, "project_uuid": project });
    let first = json!({
        "name": "e", "run_name": "A-z_09-he'd", "project_uuid": one, "is_public": true, "metadata": { "Dataset": "d" }
    });
    let run = created(&local, &first).await;
    assert!(run["uuid"].is_string() && run["created_at"].is_string(), "{run}");
    for field in ["name", "run_name", "project_uuid", "is_public", "metadata"] {
        assert_eq!(run[field], first[field], "{run}");
    }
    let (status, answer) = local.client.post("/experiment", &body(&one, "e", "A-z_09-he'd")).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("A-z_09-he'd"), "{answer}");
    created(&local, &body(&one, "another experiment", "A-z_09-he'd")).await;
    created(&local, &body(&two, "e", "A-z_09-he'd")).await;
    created(&local, &body(&one, "e", "run-3")).await;
    let mut made = Vec::new();
    for name in [json!(null), json!(null)] {
        let run =
            created(&local, &json!({ "name": "e", "run_name": name, "project_uuid": one, "metadata": null })).await;
        assert!(run["run_name"].is_string() && run["is_public"] == false, "{run}");
        made.push(run["run_name"].clone());
    }
    assert_ne!(made[0], made[1]);

    for (field, value) in [
        ("run_name", json!("two words")),
        ("run_name", json!("naïve")),
        ("run_name", json!("")),
        ("run_name", json!(1)),
        ("name", json!("")),
        ("name", json!(null)),
        ("project_uuid", json!("")),
        ("project_uuid", json!(null)),
    ] {
        let mut body = body(&one, "e", "good");
        body[field] = value.clone();
        let (status, answer) = local.client.post("/experiment", &body).await;
        assert_eq!(status, 422, "{field} {value}: {answer}");
        assert_eq!(answer["detail"][0]["loc"], json!(["body", field]));
    }
    assert_eq!(listed(&local, json!({})).await.len(), 6, "what was refused is not there");

    // Of many at once one gets the name.
    let rivals = (0..8).map(|_| {
        let (client, body) = (local.client.clone(), body(&one, "e", "rivals"));
        tokio::spawn(async move { client.post("/experiment", &body).await.0 })
    });
    let mut statuses = Vec::new();
    for rival in rivals.collect::<Vec<_>>() {
        statuses.push(rival.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

#[tokio::test]
async fn runs_are_listed_by_what_they_are_called() {
    let local = Local::start().await;
    let (one, two) = (project(&local, "one").await, project(&local, "two").await);
    let mut uuids = Vec::new();
    for (project, name, run, metadata) in [
        (&one, "Greeting 100%", "brave-fox", json!({ "model": "m", "n": "3" })),
        (&one, "Greeting", "shy-fox", json!({ "model": "m" })),
        (&two, "Farewell", "brave-hen", json!(null)),
    ] {
        let body = json!({ "name": name, "run_name": run, "project_uuid": project, "metadata": metadata });
        uuids.push(created(&local, &body).await["uuid"].clone());
    }
    for (wanted, expected) in [
        (json!({}), vec!["brave-hen", "shy-fox", "brave-fox"]),
        (
            json!({ "project_name": null, "metadata_filter": null, "experiment_name_filter": null,
                "run_name_filter": null, "experiment_uuids": null }),
            vec!["brave-hen", "shy-fox", "brave-fox"],
        ),
        (json!({ "project_name": "one" }), vec!["shy-fox", "brave-fox"]),
        (json!({ "project_name": "three" }), vec![]),
        (json!({ "experiment_name_filter": "reet" }), vec!["shy-fox", "brave-fox"]),
        (json!({ "experiment_name_filter": "%" }), vec!["brave-fox"]),
        (json!({ "run_name_filter": "brave" }), vec!["brave-hen", "brave-fox"]),
        (json!({ "run_name_filter": "brave", "project_name": "two" }), vec!["brave-hen"]),
        (json!({ "metadata_filter": { "model": "m" } }), vec!["shy-fox", "brave-fox"]),
        (json!({ "metadata_filter": { "model": "m", "n": 3 } }), vec!["brave-fox"]),
        (json!({ "metadata_filter": { "other": "m" } }), vec![]),
        (json!({ "experiment_uuids": [uuids[1], uuids[2], "unknown"] }), vec!["brave-hen", "shy-fox"]),
        (json!({ "experiment_uuids": ["unknown"] }), vec![]),
    ] {
        let runs = listed(&local, wanted.clone()).await;
        let names: Vec<_> = runs.iter().map(|run| run["run_name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{wanted}");
        for run in runs {
            assert_eq!((&run["status"], &run["pinned_stats"]), (&json!("pending"), &json!([])), "{run}");
            for needed in ["name", "uuid", "created_at", "run_name", "project_uuid"] {
                assert!(run[needed].is_string(), "{needed}: {run}");
            }
        }
    }
    assert_eq!(local.client.post("/experiments", &json!({ "experiment_uuids": "u" })).await.0, 422);
}

#[tokio::test]
async fn the_roots_of_a_run_come_oldest_first_with_their_trees() {
    const ROOTS: usize = 230;
    let local = Local::start().await;
    let uuid = project(&local, "test").await;
    let run = created(&local, &json!({ "name": "e", "project_uuid": uuid })).await;
    let other = created(&local, &json!({ "name": "e", "project_uuid": uuid })).await;
    let mut logs = vec![log("of no run"), log_of(&other, "of the other run", None)];
    for number in 0..ROOTS {
        let (root, child) = (format!("{number:03}"), format!("{number:03} child"));
        let start = format!("2024-05-30 13:{:02}:{:02}", number / 60, number % 60);
        for mut log in [log_of(&run, &child, Some(&root)), log_of(&run, &root, None)] {
            log["start_timestamp"] = start.clone().into();
            logs.push(log);
        }
    }
    logs.reverse();
    assert_eq!(local.client.post("/trace_logs", &logs.into()).await.1["rejected"], json!([]));
    let operation = format!("/experiment/{}/trace_logs", run["uuid"].as_str().unwrap());
    let nulls = json!({ "filter_field": null, "filter_key": null, "filter_operator": null, "filter_value": null });
    for body in [json!({}), nulls] {
        let (status, roots) = local.client.post(&operation, &body).await;
        assert_eq!(status, 200);
        let roots = roots.as_array().unwrap();
        assert_eq!(roots.len(), ROOTS);
        for (number, root) in roots.iter().enumerate() {
            assert_eq!(root["trace_id"], format!("{number:03}"));
            assert_eq!(root["children_logs"][0]["trace_id"], format!("{number:03} child"));
        }
    }
    assert_eq!(local.client.send("POST", &operation, "").await.0, 422, "the body is required");
}

#[tokio::test]
async fn a_run_that_only_logs_name_is_known_and_one_that_nothing_names_is_not() {
    let local = Local::start().await;
    let nowhere = json!({ "parent_trace_stats": [] });
    assert_eq!(local.client.get("/experiment/nowhere/stats").await, (200, nowhere));
    assert_eq!(local.client.post("/experiment/nowhere/trace_logs", &json!({})).await, (200, json!([])));
    let (status, answer) = local.client.post("/experiment/nowhere/finished", &json!({})).await;
    assert_eq!(status, 404);
    assert!(answer["detail"].as_str().unwrap().contains("nowhere"), "{answer}");

    // Its server was wiped, and the client goes on.
    let survivor = json!({ "uuid": "survivor" });
    two_samples(&local, &survivor).await;
    // A log may also be told of its run later.
    let update = json!({ "trace_id": "late", "field_name_to_value_map": { "experiment_uuid": "later" } });
    assert_eq!(local.client.post("/trace_log", &log("late")).await.0, 200);
    assert_eq!(local.client.send("PUT", "/trace_log", update.to_string()).await.0, 200);
    for (uuid, samples) in [("survivor", 2), ("later", 1)] {
        let (status, stats) = local.client.post(&format!("/experiment/{uuid}/finished"), &json!({})).await;
        assert_eq!((status, stats["parent_trace_stats"].as_array().unwrap().len()), (200, samples), "{stats}");
        let [run] =
            listed(&local, json!({ "experiment_uuids": [uuid], "project_name": "test" })).await.try_into().unwrap();
        assert_eq!((&run["status"], &run["num_samples"]), (&json!("completed"), &json!(samples)), "{run}");
        assert!(run["name"].is_string() && run["run_name"].is_string(), "{run}");
    }
}
