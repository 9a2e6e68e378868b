//! What is said of packed logs reads as if it had been said of logs that are in no block.

use std::path::Path;

use parea_types::{FilterBase, TraceLog};
use proptest::{collection::vec, prelude::*, sample::select};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{SqliteStore, StoreFile};
use crate::{After, LogFilter, Logs, Outcome, Patch, Scope, query::Filter};

const LOGS: usize = 24;

/// One batch is a block; one after the other they wait in `doc`.
fn log(number: usize) -> Value {
    let root = number - number % 3;
    json!({
        "trace_id": format!("t{number}"), "root_trace_id": format!("t{root}"), "parent_trace_id": format!("t{root}"),
        "project_name": "p", "start_timestamp": format!("2024-05-30 13:48:{number:02}"), "trace_name": "step",
        "output": format!("word{number}"), "tags": ["a", "b"], "metadata": {"k": number},
        "scores": if number.is_multiple_of(2) { json!([{"name": "x", "score": 1}, {"name": "y", "score": number}]) } else { json!(null) },
        "last_updated_at": if number.is_multiple_of(4) { json!("2024-05-30 13:50:00") } else { json!(null) },
    })
}

fn post(log: &Value) -> Patch {
    Patch::Post(Box::new(serde_json::from_value(log.clone()).unwrap()))
}

fn put(update: &Value) -> Patch {
    Patch::Put(serde_json::from_value(update.clone()).unwrap())
}

/// Changes of one log: scores and verdicts mostly, some of what a block is rewritten for.
fn change() -> impl Strategy<Value = Value> {
    let scores = vec((select(vec!["x", "y", "z"]), 0..3_u8, prop::option::of(0..2_i64)), 0..3).prop_map(|scores| {
        let score = |(name, score, metric)| json!({"name": name, "score": score, "evaluation_metric_id": metric});
        ("scores", Value::Array(scores.into_iter().map(score).collect()))
    });
    let field = prop_oneof![
        6 => scores,
        1 => Just(("scores", Value::Null)),
        2 => (0..3_u8).prop_map(|score| ("feedback_score", json!(f64::from(score) / 2.0))),
        1 => Just(("target", json!("wanted"))),
        1 => (0..3_u8).prop_map(|id| ("comments", json!([{"trace_id": "t", "id": id, "comment": "c", "user_id": "u",
            "user_email_address": null, "created_at": "2024-05-30"}]))),
        1 => (0..3_u8).prop_map(|number| ("output", json!(format!("late{number}")))),
        1 => Just(("tags", json!(["b", "c"]))),
        1 => Just(("start_timestamp", json!("2024-05-30 14:00:00"))),
    ];
    (0..LOGS, vec(field, 1..3), any::<bool>(), prop::option::weighted(0.3, 0..60_u8)).prop_map(
        |(number, fields, merge, updated)| {
            let mut map: serde_json::Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            if let Some(minute) = updated {
                map.insert("last_updated_at".to_owned(), json!(format!("2024-05-30 13:{minute:02}:00")));
            }
            json!({"trace_id": format!("t{number}"), "field_name_to_value_map": map, "merge": merge})
        },
    )
}

fn count(folder: &Path, table: &str) -> i64 {
    let conn = Connection::open(folder.join("parea.db")).unwrap();
    conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// All that can be read of the logs, and which of them filters find.
async fn seen(store: &SqliteStore) -> Vec<String> {
    let mut seen = Vec::new();
    let mut filters = vec![None];
    for (field, operator, value) in [
        ("score:x", "greater_than_or_equal", "1"),
        ("score:z", "equals", "2"),
        ("score:y", "less_than", "2"),
        ("feedback_score", "greater_than_or_equal", "0.5"),
        ("target", "equals", "wanted"),
        ("tags", "equals", "c"),
        ("scores", "is_null", ""),
    ] {
        let base = json!({"filter_field": field, "filter_operator": operator, "filter_value": value});
        let base: FilterBase = serde_json::from_value(base).unwrap();
        filters.push(Some(Filter::from_parea(&base).unwrap()));
    }
    for filter in filters {
        let filter = LogFilter { filter, ..LogFilter::default() };
        let page = store.page(&Scope::default(), &filter, After::Start, 100).await.unwrap().rows;
        for mut row in page {
            // Another one in each store.
            row.log.project_uuid = None;
            seen.push(serde_json::to_string(&row.log).unwrap());
        }
        seen.push(format!("{:?}", store.count(&Scope::default(), &filter, 1000).await.unwrap()));
    }
    seen
}

async fn check(changes: &[Value], lot: usize) -> Result<(), TestCaseError> {
    let (packed, loose) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [with, without] = [&packed, &loose].map(|folder| SqliteStore::open(folder.path()).unwrap());
    with.commit((0..LOGS).map(|number| post(&log(number))).collect()).await.unwrap();
    for number in 0..LOGS {
        without.commit(vec![post(&log(number))]).await.unwrap();
    }
    for lot in changes.chunks(lot) {
        let patches = || lot.iter().map(put).collect();
        let (with, without) = (with.commit(patches()).await.unwrap(), without.commit(patches()).await.unwrap());
        prop_assert_eq!(with.outcomes, without.outcomes);
    }
    prop_assert_eq!(seen(&with).await, seen(&without).await);
    // A fuller version of a log, which takes over what was said beside its block.
    let mut again = log(4);
    again["session_id"] = json!("s");
    for store in [&with, &without] {
        prop_assert_eq!(store.commit(vec![post(&again)]).await.unwrap().outcomes, [Outcome::Merged]);
    }
    prop_assert_eq!(seen(&with).await, seen(&without).await);
    for (store, folder) in [(with, &packed), (without, &loose)] {
        store.close().await;
        let faults = StoreFile::open(folder.path()).unwrap().check(10).unwrap();
        prop_assert!(faults.is_empty(), "{faults:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_makes_no_difference_where_a_log_lies(changes in vec(change(), 1..40), lot in 1..8_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(&changes, lot))?;
    }
}

#[tokio::test]
async fn scores_leave_the_block_alone_until_there_are_many() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    store.commit((0..LOGS).map(|number| post(&log(number))).collect()).await.unwrap();
    let score = |number: usize| {
        put(&json!({"trace_id": format!("t{number}"), "merge": true,
            "field_name_to_value_map": {"scores": [{"name": "late", "score": number}]}}))
    };
    for number in 0..6 {
        assert_eq!(store.commit(vec![score(number)]).await.unwrap().outcomes, [Outcome::Merged]);
        assert_eq!(store.commit(vec![score(number)]).await.unwrap().outcomes, [Outcome::Unchanged]);
    }
    assert_eq!((count(folder.path(), "late"), count(folder.path(), "doc")), (6, 0));
    for number in 6..LOGS {
        store.commit(vec![score(number)]).await.unwrap();
    }
    store.close().await;
    assert!(count(folder.path(), "late") <= 8, "the block was written anew");
    assert_eq!(StoreFile::open(folder.path()).unwrap().check(10).unwrap(), [""; 0]);
    // As if none had been merged yet: what came into the block is known, and outranks nothing newer.
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.commit(vec![score(1)]).await.unwrap().outcomes, [Outcome::Unchanged]);
    let read: Vec<TraceLog> = store.trace("t0").await.unwrap();
    let late = read[1].scores.iter().flatten().find(|score| score.name == "late").map(|score| score.score);
    assert_eq!(late, Some(1.0));
    // A log that goes takes along what was said of it.
    store.erase(&super::Erasure::Project("p".to_owned())).await.unwrap();
    assert_eq!(count(folder.path(), "late"), 0);
    store.close().await;
}
