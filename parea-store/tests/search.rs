//! Searching for words: the same logs as the plain reading of the rules finds, however they are kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use parea_store::{LogFilter, Logs, Patch, Scope, SqliteStore, TextCursor, text::TextQuery};
use parea_types::{Status, TraceLog};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;

const WORDS: &[&str] = &[
    "refund",
    "Refunds",
    "order",
    "search_orders",
    "退款申請",
    "款",
    "ÄPFEL",
    "äpfel",
    "42",
    "4",
    "x-y",
    "0b1c2d3e-0b1c",
    "the",
    "the",
    "the",
    "THEN",
    "\\n",
    "\"quoted\"",
];

/// One log: its words by place.
type Said = (Vec<&'static str>, Vec<&'static str>, bool);

fn log(number: usize, (output, input, is_error): &Said) -> TraceLog {
    serde_json::from_value(json!({
        "trace_id": format!("t{number}"), "project_name": if number.is_multiple_of(3) { "p" } else { "q" },
        "start_timestamp": "2024-05-30 13:48:34", "trace_name": "step", "output": output.join(" "),
        "inputs": {"text": input.join(" "), "more": [1, {"deep": input.first()}]}, "metadata": {"env": input.last()},
        "status": if *is_error { "error" } else { "success" },
    }))
    .unwrap()
}

fn said() -> impl Strategy<Value = Said> {
    (vec(select(WORDS), 0..4), vec(select(WORDS), 0..3), any::<bool>())
}

fn query() -> impl Strategy<Value = String> {
    let term = (select(WORDS), 0..6_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
        |(word, form, from, to)| {
            let chars: Vec<char> = word.chars().collect();
            let (from, to) = (from.index(chars.len()), to.index(chars.len()));
            let part: String = chars[from.min(to)..=from.max(to)].iter().collect();
            match form {
                0 => format!("{part}*"),
                1 => format!("*{part}"),
                2 => format!("*{part}*"),
                3 => format!("\"{word} the\""),
                4 => part,
                _ => word.to_owned(),
            }
        },
    );
    vec(term, 1..4).prop_map(|terms| terms.join(" "))
}

/// Everything that a search finds, page by page.
async fn found(store: &SqliteStore, scope: &Scope, query: &TextQuery, filter: &LogFilter) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after: Option<TextCursor> = None;
    loop {
        let page = store.text(scope, query, filter, after, 3).await.unwrap();
        assert!(page.rows.len() <= 3);
        ids.extend(page.rows.into_iter().map(|log| log.trace_id));
        let Some(next) = page.next else { return ids };
        assert!(after.is_none_or(|after| next.0 < after.0), "it goes on");
        after = Some(next);
    }
}

async fn check(
    batches: Vec<Vec<Said>>,
    changes: Vec<(usize, Said)>,
    queries: Vec<String>,
) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let mut logs: Vec<TraceLog> = Vec::new();
    for batch in batches {
        let first = logs.len();
        logs.extend(batch.iter().enumerate().map(|(place, said)| log(first + place, said)));
        store.commit(logs[first..].iter().map(|log| Patch::Post(Box::new(log.clone()))).collect()).await.unwrap();
    }
    for (place, said) in changes {
        let place = place % logs.len();
        let output = log(place, &said).output;
        logs[place].output.clone_from(&output);
        let update = json!({"trace_id": logs[place].trace_id, "field_name_to_value_map": {"output": output}});
        store.commit(vec![Patch::Put(serde_json::from_value(update).unwrap())]).await.unwrap();
    }
    let failed = LogFilter { status: Some(Status::Error), ..LogFilter::default() };
    for text in queries {
        let Ok(query) = TextQuery::parse(&text) else { continue };
        for filter in [&LogFilter::default(), &failed] {
            let wanted =
                |log: &&TraceLog| query.matches(log) && (filter.status.is_none() || log.status == filter.status);
            let expected: Vec<String> = logs.iter().rev().filter(wanted).map(|log| log.trace_id.clone()).collect();
            prop_assert_eq!(found(&store, &Scope::default(), &query, filter).await, expected, "{}", text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_the_plain_reading_does(
        batches in vec(prop_oneof![vec(said(), 1..4), vec(said(), 16..150)], 1..6),
        changes in vec((any::<prop::sample::Index>().prop_map(|index| index.index(1000)), said()), 0..6),
        queries in vec(query(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(batches, changes, queries))?;
    }
}

/// More than stays unpacked: posted one by one, changed, and packed meanwhile.
#[tokio::test]
async fn what_came_singly_is_packed_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let one = |number: usize, word: String| {
        let said = json!({
            "trace_id": format!("t{number}"), "project_name": "p", "start_timestamp": "2024-05-30 13:48:34",
            "output": format!("common {word}"), "last_updated_at": "2024-05-30 13:48:34",
        });
        Patch::Post(Box::new(serde_json::from_value(said).unwrap()))
    };
    let count = 3000;
    for number in 0..count {
        store.commit(vec![one(number, format!("own{number}"))]).await.unwrap();
    }
    // So many changes that blocks are packed anew.
    for number in 0..count - 600 {
        let update = json!({"trace_id": format!("t{number}"), "field_name_to_value_map": {"target": "changed"}});
        store.commit(vec![Patch::Put(serde_json::from_value(update).unwrap())]).await.unwrap();
    }
    let everything = Scope::default();
    let (all, blocks, loose) = {
        let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
        let count = |table: &str| -> i64 {
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        (count("log"), count("block"), count("doc"))
    };
    assert_eq!(all, 3000);
    assert!(blocks >= 30 && loose < 2000, "{blocks} blocks, {loose} values beside them");
    for number in [0, 1, 63, 64, 1000, 2399, 2400, 2999] {
        let query = TextQuery::parse(&format!("common own{number}")).unwrap();
        assert_eq!(found(&store, &everything, &query, &LogFilter::default()).await, [format!("t{number}")]);
        let tree = store.tree(&format!("t{number}")).await.unwrap().unwrap();
        assert_eq!(tree.log.target.as_deref(), (number < 2400).then_some("changed"));
    }
    let absent = TextQuery::parse("own3000").unwrap();
    assert_eq!(found(&store, &everything, &absent, &LogFilter::default()).await, [""; 0]);
    let parts = TextQuery::parse("*wn299*").unwrap();
    assert_eq!(found(&store, &everything, &parts, &LogFilter::default()).await.len(), 11);
    let common = TextQuery::parse("common").unwrap();
    assert_eq!(found(&store, &everything, &common, &LogFilter::default()).await.len(), 3000);
}
