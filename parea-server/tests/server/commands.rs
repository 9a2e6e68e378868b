//! The commands that ask a server, as processes of their own.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::client::{Local, log};

/// Runs `parea` with these arguments on that server: exit code, stdout, stderr.
async fn parea(local: &Local, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parea"));
    command.args(arguments).env("PAREA_BASE_URL", local.handle.url()).env_remove("PAREA_API_KEY");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A run of `rows` rows, of which those below `good` pass.
async fn run(local: &Local, name: &str, rows: usize, good: usize) -> Value {
    let project = local.client.post("/project", &json!({ "name": "commands" })).await.1["uuid"].clone();
    let body = json!({ "name": "Answers", "run_name": name, "project_uuid": project, "metadata": { "model": name } });
    let run = local.client.post("/experiment", &body).await.1;
    let logs: Vec<Value> = (0..rows)
        .map(|n| {
            let mut log = log(&format!("{name}-{n}"));
            log["experiment_uuid"] = run["uuid"].clone();
            log["inputs"] = json!({ "question": format!("q{n}") });
            log["output"] = format!("{name} answers {n}").into();
            log["target"] = "42".into();
            log["scores"] = json!([{ "name": "right", "score": u8::from(n < good) }]);
            log
        })
        .collect();
    assert_eq!(local.client.post("/trace_logs", &Value::from(logs)).await.0, 200);
    assert_eq!(
        local.client.post(&format!("/experiment/{}/finished", run["uuid"].as_str().unwrap()), &json!({})).await.0,
        200
    );
    run
}

#[tokio::test]
async fn runs_are_listed_shown_and_compared_with_exit_codes() {
    let local = Local::start().await;
    let old = run(&local, "old", 40, 36).await;
    run(&local, "new", 40, 16).await;
    run(&local, "same", 40, 35).await;

    let (code, text, _) = parea(&local, &["experiment", "list", "--project", "commands"]).await;
    assert_eq!((code, text.lines().count()), (0, 4));
    assert!(text.contains("Answers     old   completed  40    right 0.9"), "{text}");
    let (code, text, _) = parea(&local, &["experiment", "show", old["uuid"].as_str().unwrap()]).await;
    assert_eq!(code, 0);
    // Wilson's interval of 36 in 40.
    assert!(text.contains("model  old") && text.contains("right  0.9   0.7695 to 0.9604  40"), "{text}");

    // Rows of other clients are paired by inputs and target.
    let (code, text, _) = parea(&local, &["compare", "old", "new", "--margin", "0.1"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("new compared with old: 40 rows paired by content") && text.contains("worse"), "{text}");
    assert!(text.contains("  1 → 0  question=q16") && text.contains("candidate: new answers 16"), "{text}");
    let (code, text, _) = parea(&local, &["compare", "old", "same", "--margin", "0.05"]).await;
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("no evidence of a difference"), "{text}");
    assert_eq!(parea(&local, &["compare", "old", "same", "--margin", "0.3"]).await.0, 0);
    let (code, text, _) = parea(&local, &["compare", "old", "new", "--json"]).await;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, json["scores"][0]["verdict"].as_str()), (0, Some("worse")));

    let (code, _, error) = parea(&local, &["compare", "old", "none"]).await;
    assert_eq!(code, 4);
    assert!(error.contains("no run of the uuid or name `none`; `parea experiment list` shows them"), "{error}");
    for wrong in [["--margin", "-1"], ["--margin", "nan"], ["--effect", "0"]] {
        let (code, _, error) = parea(&local, &[&["compare", "old", "new"], &wrong[..]].concat()).await;
        assert_eq!(code, 2, "{wrong:?}: {error}");
        assert!(error.contains(wrong[0]) && error.contains("is wanted"), "{error}");
    }
    let nowhere = ["experiment", "list", "--url", "http://127.0.0.1:9"];
    let (code, _, error) = parea(&local, &nowhere).await;
    assert_eq!(code, 4);
    assert!(error.contains("is it running? `parea serve` starts one"), "{error}");
}

#[tokio::test]
async fn datasets_go_to_the_server_and_back() {
    let local = Local::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (csv, jsonl) = (path("sums.csv"), path("more.jsonl"));
    std::fs::write(&csv, "a,b,target,tags\n1,2,3,\n4,5.5,9.5,\"[\"\"hard\"\"]\"\n1,2,3,\n").unwrap();
    std::fs::write(&jsonl, "{\"a\": 1, \"b\": \"2\", \"target\": 3}\n{\"a\": 7, \"b\": 8, \"target\": \"15\"}\n")
        .unwrap();

    let (code, text, error) = parea(&local, &["dataset", "push", &csv]).await;
    assert_eq!(
        (code, &*text),
        (0, "3 rows added to `sums`, which was a new dataset; 0 were there already\n"),
        "{error}"
    );
    let (_, text, _) = parea(&local, &["dataset", "push", &csv]).await;
    assert_eq!(text, "0 rows added to `sums`, which was 3 rows; 3 were there already\n");

    let (code, text, _) = parea(&local, &["dataset", "diff", "sums", &jsonl]).await;
    assert_eq!(code, 1);
    assert!(text.contains("- {\"a\":\"1\",\"b\":\"2\",\"target\":\"3\"}\n"), "one of the two: {text}");
    assert!(text.contains("+ {\"a\":\"7\",\"b\":\"8\",\"target\":\"15\"}\n"), "{text}");
    assert!(text.ends_with("2 rows only in the dataset, 1 only in the other\n"), "{text}");

    let (_, text, _) = parea(&local, &["dataset", "show", "sums"]).await;
    assert!(text.contains("· 3 rows ·") && text.contains("  a       integer\n  b       number\n"), "{text}");
    let back = path("back.jsonl");
    let (code, text, _) = parea(&local, &["dataset", "pull", "sums", "--output", &back]).await;
    assert_eq!((code, text), (0, format!("3 rows written to {back}\n")));
    assert_eq!(parea(&local, &["dataset", "diff", "sums", &back]).await.0, 0);

    let mut trace = log("t-1");
    trace["inputs"] = json!({ "a": 3, "b": 4 });
    trace["output"] = "7".into();
    assert_eq!(local.client.post("/trace_log", &trace).await.0, 200);
    let (code, _, error) = parea(&local, &["dataset", "add-trace", "sums", "t-1"]).await;
    assert_eq!(code, 0, "{error}");
    let (_, text, _) = parea(&local, &["dataset", "pull", "sums"]).await;
    assert_eq!(text.lines().last(), Some("{\"a\":\"3\",\"b\":\"4\",\"target\":\"7\"}"));

    // Each change made a version, which stays what it was; a push that brought nothing made none.
    let dataset = local.client.get("/collection/sums").await.1;
    let (id, case) = (&dataset["id"], dataset["test_cases"].as_object().unwrap().keys().next().unwrap().clone());
    let change = json!({ "target": "three" });
    assert_eq!(local.client.post(&format!("/update_test_case/{id}/{case}"), &change).await.0, 200);
    assert_eq!(local.client.post(&format!("/update_test_case/{id}/{case}"), &change).await.0, 200);
    let (_, text, _) = parea(&local, &["dataset", "list"]).await;
    let line: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line[..6], ["sums", &id.to_string(), "3", "4", "a,", "b"], "{text}");
    let (_, text, _) = parea(&local, &["dataset", "show", "sums@2"]).await;
    assert!(text.starts_with(&format!("sums · number {id} · version 2 · 4 rows")), "{text}");
    assert!(text.contains("    version 3  4 rows  ") && text.contains("  → version 2  4 rows  "), "{text}");
    assert!(text.contains("  target  number\n"), "{text}");
    let (_, text, _) = parea(&local, &["dataset", "pull", "sums@1"]).await;
    assert_eq!(text, std::fs::read_to_string(&back).unwrap());
    let (code, text, _) = parea(&local, &["dataset", "diff", "sums@1", "sums"]).await;
    let changed = "- {\"a\":\"1\",\"b\":\"2\",\"target\":\"3\"}\n\
                   + {\"a\":\"1\",\"b\":\"2\",\"target\":\"three\"}\n\
                   + {\"a\":\"3\",\"b\":\"4\",\"target\":\"7\"}\n";
    assert!(code == 1 && text.starts_with(changed), "{text}");
    assert!(text.ends_with("1 row only in the dataset, 2 only in the other\n"), "{text}");
    let (code, _, error) = parea(&local, &["dataset", "pull", "sums@9"]).await;
    assert_eq!(code, 4);
    assert!(error.contains("dataset `sums` has no version 9; its newest is 3"), "{error}");
    // What the published API shows is the newest.
    let newest = local.client.get("/collection/sums").await.1;
    assert_eq!(newest["test_cases"][&case]["target"], "three");

    let ragged = path("ragged.jsonl");
    std::fs::write(&ragged, "{\"a\": 1}\n{\"b\": 1}\n").unwrap();
    let (code, _, error) = parea(&local, &["dataset", "push", &ragged]).await;
    assert_eq!(code, 4);
    assert!(error.contains("row 2 has the columns b, the first row a"), "{error}");
    let (_, _, error) = parea(&local, &["dataset", "show", "none"]).await;
    assert!(error.contains("the server has no dataset `none`"), "{error}");
}

#[tokio::test]
async fn a_push_of_many_rows_is_one_version_whatever_the_file() {
    let local = Local::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let many = path("many.csv");
    let rows: Vec<String> = (0..2_500).map(|n| format!("{n},\"ünï, {n}\",{}", n * 2)).collect();
    std::fs::write(&many, format!("n,text,target\n{}\n", rows.join("\n"))).unwrap();
    let (code, text, error) = parea(&local, &["dataset", "push", &many]).await;
    assert_eq!(
        (code, &*text),
        (0, "2500 rows added to `many`, which was a new dataset; 0 were there already\n"),
        "{error}"
    );
    let versions = local.client.get("/dataset_versions/many").await.1;
    assert_eq!(versions.as_array().unwrap().len(), 1, "{versions}");
    assert_eq!(versions[0]["rows"], 2_500);

    // Out in each form, and back again without a difference.
    for name in ["back.csv", "back.jsonl", "back.parquet"] {
        let back = path(name);
        let (code, text, error) = parea(&local, &["dataset", "pull", "many", "--output", &back]).await;
        assert_eq!((code, text), (0, format!("2500 rows written to {back}\n")), "{error}");
        let (code, text, error) = parea(&local, &["dataset", "diff", "many", &back]).await;
        assert_eq!((code, &*text), (0, "0 rows only in the dataset, 0 only in the other\n"), "{name}: {error}");
        let (_, text, _) = parea(&local, &["dataset", "push", "--name", "many", &back]).await;
        assert_eq!(text, "0 rows added to `many`, which was 2500 rows; 2500 were there already\n", "{name}");
    }
    assert_eq!(local.client.get("/dataset_versions/many").await.1, versions);

    // A file that another library wrote, with lists, structs and dates in it.
    let written = concat!(env!("CARGO_MANIFEST_DIR"), "/../parea-eval/tests/files/questions.parquet");
    let (code, text, error) = parea(&local, &["dataset", "push", written]).await;
    assert_eq!(
        (code, &*text),
        (0, "3 rows added to `questions`, which was a new dataset; 0 were there already\n"),
        "{error}"
    );
    let (_, text, _) = parea(&local, &["dataset", "pull", "questions"]).await;
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["question"], &first["where"]), (&json!("Wie groß?"), &json!("{\"file\":\"a.md\",\"line\":3}")));
    assert_eq!(
        (&first["tags"], &first["day"], &first["target"]),
        (&json!(["a", "b"]), &json!("2024-05-30"), &json!("1"))
    );
    let back = path("questions.parquet");
    assert_eq!(parea(&local, &["dataset", "pull", "questions", "-o", &back]).await.0, 0);
    assert_eq!(parea(&local, &["dataset", "diff", "questions", &back]).await.0, 0);

    let nan = concat!(env!("CARGO_MANIFEST_DIR"), "/../parea-eval/tests/files/nan.parquet");
    let (code, _, error) = parea(&local, &["dataset", "push", nan]).await;
    assert!(code == 4 && error.contains("nan.parquet: row 2: column `a`: it is no finite number"), "{error}");
    for (name, text, why) in [
        ("twice.csv", "a,a\n1,2\n", "two columns are named `a`"),
        ("nameless.csv", "a,\n1,2\n", "column 2 has no name in the first line"),
        ("none.csv", "a,b\n", "it has no rows"),
        ("false.parquet", "no", "it cannot be read as Parquet"),
        ("rows.txt", "a\n1\n", "a file of rows ends in `.csv`, `.jsonl` or `.parquet`"),
    ] {
        std::fs::write(path(name), text).unwrap();
        let (code, _, error) = parea(&local, &["dataset", "push", &path(name)]).await;
        assert!(code == 4 && error.contains(&format!("{name}: {why}")), "{error}");
    }
}
