//! `#[parea::test_eval]` as a crate of the user's has it: what `cargo test` prints and how it ends.

use parea::{Row, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Question {
    question: String,
    weight: Option<u32>,
}

#[derive(Serialize)]
struct Answer {
    text: String,
}

#[parea::trace]
async fn ask(question: &str) -> Result<String, std::io::Error> {
    std::future::ready(()).await;
    Ok(format!("Hello {question}"))
}

/// Near the target?
#[parea::eval(name = "near")]
fn near(output: &str, target: &str) -> f64 {
    levenshtein(output, target)
}

fn questions() -> Vec<Row> {
    vec![row! { question: "Foo", target: "Hi Foo" }, row! { question: "Bar", target: "Hello Bar", weight: 2 }]
}

#[parea::test_eval(
    rows = questions(),
    trials = 2,
    evals = [near, levenshtein],
    require("near", mean().at_least(0.7)),
    require(levenshtein = least().at_least(0.5), latency = percentile(0.95).at_most(60.0)),
    metadata(kind = "greeting"),
)]
async fn typed_rows_and_a_result(row: Question) -> Result<String, std::io::Error> {
    let _ = row.weight;
    ask(&row.question).await
}

#[parea::test_eval(rows = questions(), name = "Plain")]
#[parea::trace]
fn a_row_by_reference_and_a_value(row: &Row) -> Answer {
    Answer { text: row.get("question").unwrap_or_default() }
}

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[parea::test_eval(rows = questions(), evals = [near], require("succeeded", mean().at_least(0.5)))]
fn some_rows_may_fail(row: &Row) -> Fallible<String> {
    let weight: u32 = row.get("weight")?;
    Ok(weight.to_string())
}

#[parea::test_eval(rows = questions(), evals = [near], require("near", mean().at_least(0.9)))]
#[should_panic(
    expected = "✗ mean of `near` must be at least 0.9, it is 0.777778 over 2 rows\n    0.5556 row 1 question=Foo: Hello Foo, not Hi Foo"
)]
async fn what_is_too_low_is_told_with_the_rows(row: Question) -> Result<String, std::io::Error> {
    ask(&row.question).await
}

#[parea::test_eval(rows = questions())]
#[should_panic(expected = "row 1 question=Foo: row 1: there is no column `weight`, only `question`, `target`")]
fn a_row_that_fails_fails_the_test(row: &Row) -> Fallible<u32> {
    Ok(row.get("weight")?)
}

#[parea::test_eval(jsonl = "tests/no_such_file.jsonl")]
#[should_panic(expected = "tests/no_such_file.jsonl: ")]
fn a_file_that_is_missing_is_named(_row: Row) {}
