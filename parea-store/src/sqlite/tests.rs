//! What is promised of the file itself: indexes serve every list, and an error of the engine harms nobody else.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parea_types::{Status, Timestamp};
use rusqlite::{Connection, params_from_iter};
use tokio::sync::{mpsc, oneshot};

use super::{
    SqliteStore,
    directory::{Directory, View},
    experiments,
    job::{Batch, Work},
    links,
    lists::{Kind, List},
    open::{self, Folder},
    rollup, sampling, schema, trees,
    writer::Writer,
};
use crate::{After, Committed, Cursor, LogFilter, Outcome, Patch, Scope, StoreError};

/// How SQLite would go about a statement.
fn plan(conn: &Connection, sql: &str) -> String {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(params_from_iter(nothing), |row| row.get::<_, String>(3)).unwrap();
    steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

fn file() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let conn = open::writer(&folder.path().join("parea.db")).unwrap();
    (folder, conn)
}

#[test]
fn every_list_runs_along_an_index() {
    let (_folder, conn) = file();
    let scopes = [Scope::default(), Scope { project: Some("p".to_owned()) }];
    let time = Timestamp::default();
    let afters = [After::Start, After::Skip(10), After::Cursor(Cursor { started: time, id: "i".to_owned() })];
    for kind in [Kind::Logs, Kind::Traces] {
        for scope in &scopes {
            for status in [None, Some(Status::Success), Some(Status::Error)] {
                for started_from in [None, Some(time)] {
                    let list = List::new(kind, scope, &LogFilter { status, started_from, filter: None });
                    let mut sqls = vec![list.count_sql(&conn, 100).unwrap().text];
                    sqls.extend(afters.iter().map(|after| list.sql(&conn, after, 20).unwrap().text));
                    for sql in sqls {
                        let plan = plan(&conn, &sql);
                        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
                        let index = if status == Some(Status::Error) { "_failed" } else { "_newest" };
                        assert!(plan.contains(index) || sql.contains("count"), "{sql}\n{plan}");
                        assert!(plan.contains("COVERING INDEX") || status == Some(Status::Error), "{sql}\n{plan}");
                        // Nothing to search for when all are wanted: then the index is walked from its end.
                        let walks = scope.project.is_none();
                        assert!(walks || plan.contains("(project=?"), "{sql}\n{plan}");
                    }
                }
            }
        }
    }
}

#[test]
fn no_trace_is_looked_for_among_all_logs() {
    let (_folder, conn) = file();
    let rows = ["log USING INTEGER PRIMARY KEY (rowid=?)", "directory USING INTEGER PRIMARY KEY (rowid=?)"];
    let given = &rows[..1];
    let sizes = format!("SELECT count(*) {}", experiments::ROOTS);
    let roots = format!("SELECT project, trace_id, started {} {}", experiments::ROOTS, experiments::BEHIND);
    for (sql, indexes) in [
        (trees::BELOW.as_str(), rows.as_slice()),
        (&trees::LINKS, &rows),
        (&trees::TRACE, &rows),
        (&trees::CHILDREN, &rows),
        (links::ROOTLESS, &["log_rootless (project=? AND parent=?)"]),
        (links::ITSELF, given),
        (rollup::COUNT, given),
        (&rollup::SCORES, &rows),
        (sampling::LOWEST, &["log_sampled (project=? AND root=?"]),
        (&sizes, &["log_of_experiment (experiment=?)"]),
        (&roots, &["log_of_experiment (experiment=? AND (started,trace_id)>"]),
    ] {
        let plan = plan(&conn, sql);
        assert!(indexes.iter().all(|index| plan.contains(index)), "{sql}\n{plan}");
        assert!(!plan.contains("AUTOMATIC"), "{sql}\n{plan}");
        let scans: Vec<_> = plan.split("; ").filter(|step| step.starts_with("SCAN")).collect();
        let small = ["SCAN below", "SCAN json_each", "SCAN page", "SCAN found", "SCAN wanted"];
        assert!(scans.iter().all(|step| small.iter().any(|name| step.starts_with(name))), "{sql}\n{plan}");
        assert!(!sql.contains("experiment") || !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[test]
fn a_newer_file_is_refused() {
    let (folder, conn) = file();
    conn.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    drop(conn);
    let error = SqliteStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, open::OpenError::Newer { found, known, .. } if found == known + 1), "{error}");
    assert!(error.to_string().contains("use the newer parea"), "{error}");
}

fn post(id: &str, output: &str) -> Patch {
    let log = serde_json::json!({
        "trace_id": id, "project_name": "p", "start_timestamp": "2024-05-30 13:48:34", "output": output,
    });
    Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
}

/// Runs a writer on its own until these jobs are done; they wait together, so they form one group.
fn write(
    folder: &Path,
    prepare: impl FnOnce(&Connection),
    jobs: Vec<Vec<Patch>>,
) -> (Vec<Result<Committed, StoreError>>, u64) {
    let folder = Folder::lock(folder).unwrap();
    let conn = open::writer(&folder.file).unwrap();
    prepare(&conn);
    let transactions = Arc::new(AtomicU64::new(0));
    let (queue, waiting) = mpsc::channel(64);
    let answers: Vec<_> = jobs
        .into_iter()
        .map(|patches| {
            let (reply, answer) = oneshot::channel();
            let batch = Batch::of(patches).unwrap();
            queue.try_send(Work::Commit { batch, reply }).unwrap();
            answer
        })
        .collect();
    drop(queue);
    Writer::new(conn, Directory::default(), Arc::default(), Arc::clone(&transactions), Arc::default())
        .run(folder, waiting);
    let answers = answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
    (answers, transactions.load(Ordering::Relaxed))
}

#[test]
fn what_waits_together_is_written_together() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = (0..50).map(|n| vec![post(&format!("t{n}"), "o")]).collect();
    let (answers, transactions) = write(folder.path(), |_| {}, jobs);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(done) if done.outcomes == [Outcome::Created])));
    assert_eq!(transactions, 1);
}

#[test]
fn one_failing_job_costs_the_others_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |_| {}, vec![vec![post("damaged", "o")]]);
    let damage = |conn: &Connection| {
        conn.execute("UPDATE doc SET json = '{'", []).unwrap();
    };
    let jobs = vec![vec![post("a", "o")], vec![post("b", "o"), post("damaged", "p")], vec![post("c", "o")]];
    let (answers, _) = write(folder.path(), damage, jobs);
    assert!(matches!(answers[..], [Ok(_), Err(StoreError::Engine(_)), Ok(_)]), "{answers:?}");
    let conn = open::reader(&folder.path().join("parea.db")).unwrap();
    conn.slot.set(Some(Arc::new(View::load(&conn).unwrap())));
    let stored = |id| trees::tree(&conn, id).unwrap().is_some();
    assert!(stored("a") && stored("c"));
    assert!(!stored("b"), "a job is stored whole or not at all");
}

#[test]
fn a_full_disk_is_an_error_and_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(1 << 20);
    let full = |conn: &Connection| {
        conn.pragma_update(None, "max_page_count", 60).unwrap();
    };
    let jobs = vec![vec![post("a", &long)], vec![post("b", "short")]];
    let (answers, _) = write(folder.path(), full, jobs);
    assert!(matches!(answers[..], [Err(StoreError::Full(_)), Ok(_)]), "{answers:?}");
    let (answers, _) = write(folder.path(), |_| {}, vec![vec![post("a", &long), post("b", "short")]]);
    assert_eq!(answers[0].as_ref().unwrap().outcomes, [Outcome::Created, Outcome::Unchanged]);
}
