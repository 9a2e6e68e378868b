//! What is promised of filtered lists: an index behind each, the same rows whichever way is taken, and older files.

use std::sync::Arc;

use parea_types::{FilterBase, FilterOperator, Timestamp};
use rusqlite::{Connection, params_from_iter};
use serde_json::json;

use super::{
    SqliteStore,
    directory::View,
    lists::{Kind, List},
    open, schema, terms, values,
};
use crate::{After, Count, Cursor, LogFilter, Logs, Patch, Scope, query::Filter};

fn patch(number: i64) -> Patch {
    let log = json!({
        "trace_id": format!("{number:03}"),
        "project_name": if number % 10 == 0 { "other" } else { "p" },
        // Some start together.
        "start_timestamp": format!("2024-05-30 13:48:{:02}", number / 3 % 60),
        "trace_name": if number % 2 == 0 { "even" } else { "odd" },
        "end_user_identifier": format!("u{}", number % 5),
        "tags": ["all", format!("t{}", number % 7)],
        "metadata": { "k": (number % 4).to_string(), "n": number % 3 },
        "status": if number % 3 == 0 { "error" } else { "success" },
        // The same name twice, from two evaluations.
        "scores": [
            { "name": "s", "score": number % 6 },
            { "name": "s", "score": number % 5, "evaluation_metric_id": 1 },
        ],
    });
    Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
}

/// A store with those logs, and a connection that reads it.
async fn filled(folder: &std::path::Path) -> (SqliteStore, open::Reader) {
    let store = SqliteStore::open(folder).unwrap();
    store.commit((0..60).map(patch).collect()).await.unwrap();
    let conn = open::reader(&folder.join("parea.db")).unwrap();
    conn.slot.set(Some(Arc::new(View::load(&conn).unwrap())));
    (store, conn)
}

fn filter(field: &str, key: Option<&str>, operator: FilterOperator, value: &str) -> LogFilter {
    let form = FilterBase {
        filter_field: Some(field.to_owned()),
        filter_key: key.map(str::to_owned),
        filter_operator: Some(operator),
        filter_value: Some(value.to_owned()),
    };
    LogFilter { filter: Some(Filter::from_parea(&form).unwrap()), ..LogFilter::default() }
}

/// The queries that are promised to be quick.
fn promised() -> Vec<LogFilter> {
    vec![
        filter("metadata", Some("k"), FilterOperator::Equals, "1"),
        filter("metadata", Some("n"), FilterOperator::Equals, "1.0"),
        filter("score:s", None, FilterOperator::GreaterThanOrEqual, "2"),
        filter("s", None, FilterOperator::Between, "1,3"),
        filter("end_user_identifier", None, FilterOperator::Equals, "u3"),
        filter("tags", None, FilterOperator::Equals, "all"),
        filter("trace_name", None, FilterOperator::Equals, "odd"),
    ]
}

fn project(conn: &Connection) -> Scope {
    let uuid = conn.query_row("SELECT uuid FROM project WHERE name = 'p'", [], |row| row.get(0)).unwrap();
    Scope { project: Some(uuid) }
}

fn steps(conn: &Connection, sql: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = vec![rusqlite::types::Null; explain.parameter_count()];
    explain.query_map(params_from_iter(nothing), |row| row.get(3)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn promised_queries_run_along_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, conn) = filled(folder.path()).await;
    let scope = project(&conn);
    let place = Cursor { started: Timestamp::default(), id: String::new() };
    for filter in promised() {
        let table = if format!("{filter:?}").contains("Score") { "score" } else { "term" };
        let mut list = List::new(Kind::Logs, &scope, &filter);
        for few in [0, 1000] {
            list.few = few;
            let count = list.count_sql(&conn, 100).unwrap();
            let counts = steps(&conn, &count.text);
            assert!(counts.iter().any(|step| step.contains("(word=?")), "{}\n{counts:#?}", count.text);
            for after in [After::Start, After::Cursor(place.clone())] {
                let sql = list.sql(&conn, &after, 20).unwrap();
                let steps = steps(&conn, &sql.text);
                let expected = match (table, few) {
                    ("score", 1000) => "USING COVERING INDEX score_by_value (word=? AND score",
                    ("score", _) => "SEARCH score USING PRIMARY KEY (word=?",
                    _ => "SEARCH term USING PRIMARY KEY (word=?",
                };
                let is_continued = few == 0 && matches!(after, After::Cursor(_));
                assert!(
                    !is_continued || steps.iter().any(|step| step.contains("started<?")),
                    "{}\n{steps:#?}",
                    sql.text
                );
                assert!(steps.iter().any(|step| step.contains(expected)), "{}\n{steps:#?}", sql.text);
                let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
                assert!(
                    scans.into_iter().all(|step| step.contains("found") || step.contains("subquery")),
                    "{steps:#?}"
                );
                // Only logs that start together are sorted, unless there are few.
                assert!(few > 0 || steps.iter().all(|step| step != "USE TEMP B-TREE FOR ORDER BY"), "{steps:#?}");
            }
        }
    }
}

#[tokio::test]
async fn every_way_leads_to_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, conn) = filled(folder.path()).await;
    let mut filters = promised();
    filters.push(filter("trace_name", None, FilterOperator::In, "odd,even"));
    filters.push(filter("tags", None, FilterOperator::In, "all,t1,t2"));
    let both = promised().into_iter().take(4).map(|filter| filter.filter.unwrap()).collect();
    filters.push(LogFilter { filter: Some(Filter::And(both)), ..LogFilter::default() });
    for filter in filters.clone() {
        filters.push(LogFilter { status: Some(parea_types::Status::Error), ..filter.clone() });
        filters.push(LogFilter { started_from: Some("2024-05-30 13:48:07".parse().unwrap()), ..filter });
    }
    for scope in [Scope::default(), project(&conn)] {
        for kind in [Kind::Logs, Kind::Traces] {
            for filter in &filters {
                let mut list = List::new(kind, &scope, filter);
                let [few, many] = [1000, 0].map(|few| {
                    list.few = few;
                    let mut rows = Vec::new();
                    let mut after = After::Start;
                    loop {
                        let page = list.page(&conn, &after, 4).unwrap();
                        rows.extend(page.rows);
                        let Some(next) = page.next else { break };
                        after = After::Cursor(next);
                    }
                    assert_eq!(list.count(&conn, 1000).unwrap(), Count::Exact(rows.len() as u64), "{filter:?}");
                    assert_eq!(list.page(&conn, &After::Skip(2), 100).unwrap().rows, rows[2.min(rows.len())..]);
                    rows
                });
                assert_eq!(few, many, "{filter:?}");
                assert!(!few.is_empty() || filter.started_from.is_some() || filter.status.is_some(), "{filter:?}");
            }
        }
    }
}

/// Everything that can be looked up, without the ids of words.
fn known(conn: &Connection) -> Vec<String> {
    let sql = "SELECT field || '|' || key || '|' || value || '|' || project || '|' || started || '|' || log AS line
                FROM term JOIN word ON word.id = term.word
               UNION ALL
               SELECT key || '|' || score || '|' || project || '|' || started || '|' || log
                FROM score JOIN word ON word.id = score.word ORDER BY line";
    conn.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let (new, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, conn) = filled(new.path()).await;
    store.close().await;
    {
        let conn = Connection::open(old.path().join("parea.db")).unwrap();
        conn.execute_batch(include_str!("schema_1.sql")).unwrap();
        conn.execute("DELETE FROM history", []).unwrap();
        conn.pragma_update(None, "application_id", schema::APPLICATION).unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        conn.execute("ATTACH ?1 AS new", [new.path().join("parea.db").to_str()]).unwrap();
        let read = |sql: &str| -> Vec<String> {
            conn.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        for table in read("SELECT name FROM main.sqlite_schema WHERE type = 'table'") {
            let columns = read(&format!("SELECT name FROM pragma_table_info('{table}', 'main')")).join(", ");
            let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}");
            conn.execute(&copy, []).unwrap();
        }
        let new = open::reader(&new.path().join("parea.db")).unwrap();
        for value in values::all(&new, "1", []).unwrap() {
            let sql = "INSERT OR REPLACE INTO main.doc (id, stamps, json) VALUES (?1, ?2, ?3)";
            conn.execute(sql, (value.id, value.stamps, value.json)).unwrap();
        }
    }
    let store = SqliteStore::open(old.path()).unwrap();
    let migrated = open::reader(&old.path().join("parea.db")).unwrap();
    assert_eq!(schema::version(&migrated).unwrap(), schema::VERSION);
    let before = known(&conn);
    assert_eq!(known(&migrated), before);
    assert!(before.len() > 60 * 5);
    // What comes now uses the words that are there.
    store.commit((60..70).map(patch).collect()).await.unwrap();
    let words: i64 =
        migrated.query_row("SELECT count(*) - count(DISTINCT id) FROM word", [], |row| row.get(0)).unwrap();
    assert_eq!(words, 0);
    let even = filter("trace_name", None, FilterOperator::Equals, "even");
    assert_eq!(store.count(&Scope::default(), &even, 100).await.unwrap(), Count::Exact(35));
}

#[tokio::test]
async fn what_changes_or_goes_is_no_longer_found() {
    let folder = tempfile::tempdir().unwrap();
    let (store, conn) = filled(folder.path()).await;
    let update = json!({ "trace_id": "001", "field_name_to_value_map": {
        "trace_name": "renamed", "tags": [], "metadata": {}, "scores": [], "start_timestamp": "2023-01-01 00:00:00",
    } });
    store.commit(vec![Patch::Put(serde_json::from_value(update).unwrap())]).await.unwrap();
    // Its trace is not kept: one that comes late says so, and what was there goes.
    let root = (0..1000).map(|number| format!("r{number}")).find(|root| !crate::sampling::is_kept(root, 0.5)).unwrap();
    let log = |id: &str, rate: f64| {
        let log = json!({
            "trace_id": id, "root_trace_id": root, "project_name": "p", "start_timestamp": "2024-05-30 13:48:34",
            "trace_name": "left out", "log_sample_rate": rate, "scores": [{ "name": "s", "score": 99 }],
        });
        Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
    };
    store.commit(vec![log("first", 1.0)]).await.unwrap();
    store.commit(vec![log("second", 0.5)]).await.unwrap();
    let project = |id: i64| conn.query_row("SELECT project FROM log WHERE id = ?1", [id], |row| row.get(0)).unwrap();
    let values = values::all(&conn, "1", []).unwrap();
    let logs: Vec<(i64, i64, String)> =
        values.into_iter().map(|value| (value.id, project(value.id), value.json)).collect();
    assert_eq!(logs.len(), 60);
    // As if all had been written anew.
    let fresh = Connection::open_in_memory().unwrap();
    fresh.execute_batch(include_str!("schema_1.sql")).unwrap();
    fresh.execute_batch(include_str!("schema_terms.sql")).unwrap();
    for (id, project, json) in logs {
        fresh.execute("INSERT INTO doc (id, json) VALUES (?1, ?2)", (id, &json)).unwrap();
        let sql = "INSERT INTO log (id, project, trace_id, parent, root, root_said, started, execution_order,
            input_tokens, output_tokens, total_tokens) VALUES (?1, ?2, ?1, '', '', 0, 0, 0, 0, 0, 0)";
        fresh.execute(sql, (id, project)).unwrap();
    }
    terms::fill(&fresh).unwrap();
    assert_eq!(known(&conn), known(&fresh));
}
