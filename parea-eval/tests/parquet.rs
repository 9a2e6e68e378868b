//! Rows of Parquet files, as another library writes them (pyarrow 26: `questions.parquet` with zstd, `nan.parquet` with
//! snappy).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};

use parea::{Experiment, Row, experiment};
use serde::Deserialize;
use serde_json::{Value, json};

fn new() -> Experiment {
    experiment("Parquet").folder(tempfile::tempdir().unwrap().keep()).quiet().local()
}

async fn refused(file: &str) -> String {
    new().parquet(file).run(|_| async { Ok(1) }).await.unwrap_err().to_string()
}

#[tokio::test]
async fn values_of_every_kind_are_what_they_were() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let report = new()
        .parquet("tests/files/questions.parquet")
        .concurrency(1)
        .run(move |row: Row| {
            keep.lock().unwrap().push(serde_json::to_value(&row).unwrap());
            async { Ok(1) }
        })
        .await
        .unwrap();
    assert_eq!(report.rows.get(0).unwrap().target.as_deref(), Some("1"));
    let rows: Vec<Value> = seen.lock().unwrap().clone();
    let first = json!({
        "question": "Wie groß?", "n": 1, "weight": 0.1, "share": 0.25, "easy": true, "tags": ["a", "b"],
        "where": { "file": "a.md", "line": 3 }, "day": "2024-05-30", "at": "2024-05-30 13:48:34.123 +00:00", "price": "12.50",
        "target": "1",
    });
    assert_eq!(rows[0], first);
    assert_eq!(rows[1]["where"], json!({ "file": "b.md", "line": null }));
    assert_eq!((&rows[1]["share"], &rows[1]["tags"]), (&json!(1e-9), &json!([])));
    assert_eq!(
        (&rows[2]["question"], &rows[2]["day"], &rows[2]["price"]),
        (&Value::Null, &json!("1969-12-31"), &json!("-0.05"))
    );
}

#[derive(Deserialize)]
struct Typed {
    n: i64,
    weight: Option<f64>,
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read by nobody: the column is missing")]
struct Missing {
    answer: String,
}

#[tokio::test]
async fn rows_are_typed_and_what_is_wrong_is_named() {
    let report = new()
        .parquet("tests/files/questions.parquet")
        .run_typed(|row: Typed| async move {
            Ok(row.n + row.weight.map_or(0, |_| 10) + row.tags.map_or(0, |t| t.len() as i64))
        })
        .await
        .unwrap();
    let outputs: Vec<_> = report.rows.iter().map(|row| row.output.unwrap()).collect();
    assert_eq!(outputs, ["13", "12", "3"]);

    let missing = new().parquet("tests/files/questions.parquet").run_typed(|_: Missing| async { Ok(1) }).await;
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.starts_with(
            "row 1 of tests/files/questions.parquet: does not fit `Missing`: missing field `answer`; its columns are"
        ),
        "{missing}"
    );
    assert_eq!(
        refused("tests/files/nan.parquet").await,
        "tests/files/nan.parquet: row 2: column `a`: it is no finite number; leave the cell empty, or write it as text"
    );
    let text = refused("tests/parquet.rs").await;
    assert!(text.starts_with("tests/parquet.rs: it cannot be read as Parquet: "), "{text}");
    assert!(refused("tests/files/none.parquet").await.contains("none.parquet: No such file"));
}
