//! What is kept and what goes: exactly what the rules say, whatever the order and form in which logs came.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use parea_store::{After, LogFilter, Logs, Patch, Retention, Scope, SqliteStore, StoreFile};
use parea_types::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::json;

const HOUR: i64 = 3_600_000_000;
const NOW: i64 = 1_700_000_000_000_000;
const PROJECTS: [&str; 3] = ["a", "b", "c"];

/// Why someone may come back to a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reason {
    Experiment,
    Feedback,
    Comment,
    Annotation,
}

#[derive(Clone, Debug)]
struct Trace {
    /// Hours before now.
    age: i64,
    project: usize,
    spans: usize,
    /// With the span that has it.
    reason: Option<(Reason, usize)>,
    is_batch: bool,
}

fn traces() -> impl Strategy<Value = Vec<Trace>> {
    let reason = (
        select(vec![Reason::Experiment, Reason::Feedback, Reason::Comment, Reason::Annotation]),
        any::<prop::sample::Index>(),
    );
    let trace = (0..100_i64, 0..PROJECTS.len(), 1..18_usize, option::weighted(0.2, reason), prop::bool::weighted(0.7));
    let trace = trace.prop_map(|(age, project, spans, reason, is_batch)| Trace {
        age,
        project,
        spans,
        reason: reason.map(|(reason, span)| (reason, span.index(spans))),
        is_batch,
    });
    vec(trace, 1..40)
}

fn hours(hours: i64) -> Duration {
    Duration::from_secs(hours as u64 * 3600)
}

fn id(trace: usize, span: usize) -> String {
    format!("{trace:08x}-0000-4000-8000-{span:012x}")
}

impl Trace {
    fn started(&self) -> i64 {
        NOW - self.age * HOUR
    }

    fn patches(&self, number: usize) -> Vec<Patch> {
        let mut patches = Vec::new();
        // Children first, as they mostly come.
        for span in (0..self.spans).rev() {
            let started = Timestamp::from_micros(self.started() + span as i64).unwrap();
            let reason = self.reason.filter(|(_, place)| *place == span).map(|(reason, _)| reason);
            let mut log = json!({
                "trace_id": id(number, span), "root_trace_id": id(number, 0), "parent_trace_id": id(number, 0),
                "project_name": PROJECTS[self.project], "start_timestamp": started, "trace_name": format!("step{span}"),
                "output": format!("word{number} usual text {}", "and more of it ".repeat(span)), "input_tokens": 2,
                "metadata": {"trace": format!("m{number}")}, "scores": [{"name": format!("s{}", number % 5), "score": 0.5}],
            });
            if reason == Some(Reason::Experiment) {
                log["experiment_uuid"] = "e".into();
            }
            patches.push(Patch::Post(Box::new(serde_json::from_value(log).unwrap())));
            let said = match reason {
                Some(Reason::Feedback) => json!({"feedback_score": 0.0}),
                Some(Reason::Comment) => json!({"comments": [{
                    "trace_id": "t", "comment": "so", "id": 1, "user_id": "u", "created_at": "2024-05-30 13:48:34"}]}),
                Some(Reason::Annotation) => json!({"annotations": {"1": {"u": {
                    "trace_id": "t", "defined_annotation_id": 1, "score": 1.0, "created_at": "2024-05-30 13:48:34",
                    "user_id": "u"}}}}),
                _ => continue,
            };
            let update = json!({"trace_id": id(number, span), "field_name_to_value_map": said});
            patches.push(Patch::Put(serde_json::from_value(update).unwrap()));
        }
        patches
    }
}

async fn fill(folder: &Path, traces: &[Trace]) -> SqliteStore {
    let store = SqliteStore::open(folder).unwrap();
    for (number, trace) in traces.iter().enumerate() {
        let patches = trace.patches(number);
        if trace.is_batch {
            store.commit(patches).await.unwrap();
        } else {
            for patch in patches {
                store.commit(vec![patch]).await.unwrap();
            }
        }
    }
    store
}

/// The traces that are there, each whole.
async fn left(store: &SqliteStore, traces: &[Trace]) -> BTreeSet<usize> {
    let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 10_000).await.unwrap();
    let mut spans: BTreeMap<usize, usize> = BTreeMap::new();
    for row in page.rows {
        *spans.entry(usize::from_str_radix(&row.log.trace_id[..8], 16).unwrap()).or_default() += 1;
    }
    for (number, count) in &spans {
        assert_eq!(*count, traces[*number].spans, "trace {number} is whole");
    }
    spans.into_keys().collect()
}

/// The words that a file still knows, of those that stand in one trace alone.
fn words(folder: &Path, number: usize) -> bool {
    let conn = rusqlite::Connection::open(folder.join("parea.db")).unwrap();
    let sql =
        "SELECT EXISTS (SELECT 1 FROM spelling WHERE instr(words, ?1)) OR EXISTS (SELECT 1 FROM word WHERE value = ?2)";
    conn.query_row(sql, [format!(" word{number} "), format!("m{number}")], |row| row.get(0)).unwrap()
}

fn check(folder: &Path) {
    assert_eq!(StoreFile::open(folder).unwrap().check(10).unwrap(), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_what_the_rules_say_goes(
        traces in traces(),
        age in option::of(0..110_i64),
        projects in prop::collection::btree_map(0..PROJECTS.len(), option::of(0..110_i64), 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = fill(folder.path(), &traces).await;
            let rules = Retention {
                age: age.map(hours),
                projects: projects.iter().map(|(place, age)| (PROJECTS[*place].to_owned(), age.map(hours))).collect(),
                size: None,
            };
            let goes = |trace: &Trace| {
                let until = projects.get(&trace.project).copied().unwrap_or(age);
                until.is_some_and(|until| trace.age > until)
            };
            let number = |condition: &dyn Fn(&Trace) -> bool| -> BTreeSet<usize> {
                (0..traces.len()).filter(|number| condition(&traces[*number])).collect()
            };
            let expected = number(&|trace| !goes(trace) || trace.reason.is_some());
            let now = Timestamp::from_micros(NOW).unwrap();
            let plan = StoreFile::open(folder.path()).unwrap().retention(&rules, now).unwrap();
            let done = store.retain(&rules, now, false).await.unwrap();
            assert_eq!(left(&store, &traces).await, expected);
            assert_eq!((&plan.gone, plan.kept), (&done.gone, done.kept), "what was planned was done");
            assert_eq!(done.total().0, (traces.len() - expected.len()) as u64);
            assert_eq!(done.kept, number(&|trace| goes(trace) && trace.reason.is_some()).len() as u64);
            check(folder.path());
            store.retain_words(done.total().1).await.unwrap();
            check(folder.path());
            if done.total().1 * 20 >= traces.iter().map(|trace| trace.spans as u64).sum() {
                for number in (0..traces.len()).filter(|number| !expected.contains(number)) {
                    assert!(!words(folder.path(), number), "a word of trace {number}");
                }
            }
            // What went may come again, and everything that stayed is merged into.
            for (number, trace) in traces.iter().enumerate() {
                store.commit(trace.patches(number)).await.unwrap();
            }
            assert_eq!(left(&store, &traces).await.len(), traces.len());
            store.close().await;
            check(folder.path());
        });
    }

    #[test]
    fn what_is_too_much_goes_from_its_oldest_end(traces in traces(), part in 0..100_u64, kept in option::of(0..PROJECTS.len())) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = fill(folder.path(), &traces).await;
            let used = || {
                let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
                let pragma = |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0)).unwrap();
                (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
            };
            let size = used() * part / 100;
            let projects = kept.iter().map(|place| (PROJECTS[*place].to_owned(), None)).collect();
            let rules = Retention { age: None, projects, size: Some(size) };
            store.retain(&rules, Timestamp::from_micros(NOW).unwrap(), false).await.unwrap();
            let left = left(&store, &traces).await;
            let may_go = |number: &usize| traces[*number].reason.is_none() && Some(traces[*number].project) != kept;
            let all: BTreeSet<usize> = (0..traces.len()).collect();
            let gone: BTreeSet<usize> = all.difference(&left).copied().collect();
            assert!(gone.iter().all(may_go), "{gone:?}");
            let stays: Vec<i64> = left.iter().filter(|number| may_go(number)).map(|number| traces[*number].started()).collect();
            let newest = gone.iter().map(|number| traces[*number].started()).max();
            assert!(stays.iter().all(|started| newest.is_none_or(|newest| newest <= *started)));
            assert!(used() <= size || stays.is_empty());
            check(folder.path());
            store.close().await;
        });
    }
}

/// Someone says something of a trace after it was chosen, and before its step: see it stay. Many logs, many steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_store_is_cleared_beside_others_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let old = Trace { age: 50, project: 0, spans: 25, reason: None, is_batch: true };
    let store = fill(folder.path(), &vec![old.clone(); 60]).await;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 100..160 {
                let young = Trace { age: 1, project: 1, spans: 20, reason: None, is_batch: number % 2 == 0 };
                store.commit(young.patches(number)).await.unwrap();
            }
        }
    });
    let rules = Retention { age: Some(hours(10)), ..Retention::default() };
    let now = Timestamp::from_micros(NOW).unwrap();
    let done = store.retain(&rules, now, true).await.unwrap();
    writer.await.unwrap();
    assert_eq!(done.gone, BTreeMap::from([("a".to_owned(), (60, 60 * 25))]));
    check(folder.path());
    let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 10_000).await.unwrap();
    assert_eq!(page.rows.len(), 60 * 20);
    store.close().await;
    // Its room is given back but for some that is kept for what comes.
    let conn = rusqlite::Connection::open(folder.path().join("parea.db")).unwrap();
    let free: i64 = conn.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    assert!(free <= 128, "{free}");
}
