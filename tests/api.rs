//! The typed client against our server over a socket: every operation that the server has.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use parea::{
    ApiClient, ApiError, BlockingApiClient,
    types::{
        CreateExperimentRequest, CreateTestCaseCollectionRequest, CreateTestCases, EvaluationScore, ExperimentStatus,
        FeedbackRequest, FilterBase, FinishExperimentRequest, ListExperimentsRequest, QueryParamsPagination, Status,
        TestCase, TimeRange, Timestamp, TraceLog, TraceLogTree, UpdateLog, UpdateTestCasePublicRequest,
    },
};
use parea_server::{Config, Handle, Server};
use serde_json::{Map, Value, json};

async fn server() -> (tempfile::TempDir, Handle, ApiClient) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().into(), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let api = ApiClient::new(server.url(), None).unwrap();
    (folder, server, api)
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap()).unwrap()
}

fn log(id: &str, parent: &str, root: &str, name: &str) -> TraceLog {
    TraceLog {
        trace_id: id.to_owned(),
        parent_trace_id: Some(parent.to_owned()),
        root_trace_id: Some(root.to_owned()),
        trace_name: Some(name.to_owned()),
        start_timestamp: now(),
        end_timestamp: Some(now()),
        status: Some(Status::Success),
        project_name: Some("api".to_owned()),
        ..TraceLog::default()
    }
}

fn ids(trees: &[TraceLogTree]) -> Vec<&str> {
    let mut ids: Vec<_> = trees.iter().map(|tree| &*tree.log.trace_id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn logs_are_written_changed_judged_and_read() {
    let (_folder, server, api) = server().await;
    api.health().await.unwrap();

    let created = api.project("api").await.unwrap();
    assert!(created.was_created && !api.project("api").await.unwrap().was_created);
    assert_eq!(api.project_uuid("api").await.unwrap(), created.uuid);

    // A root, a child, an id that no path takes as it is; twice is once.
    let odd = "ö/ä?#%2F &";
    api.log(&log("r", "r", "r", "ask")).await.unwrap();
    api.log(&log("r", "r", "r", "ask")).await.unwrap();
    api.log(&TraceLog { depth: 1, ..log(odd, "r", "r", "llm call") }).await.unwrap();
    let root = api.trace_log("r").await.unwrap().unwrap();
    assert_eq!(ids(&root.children_logs), [odd]);
    assert_eq!(api.trace_log(odd).await.unwrap().unwrap().log.trace_id, odd);
    assert_eq!(api.trace_log("none").await.unwrap(), None);
    assert!(matches!(api.trace_log("").await, Err(ApiError::Request(why)) if why.contains("trace's id")));

    // Without a project: refused, and the error says which field.
    let error = api.log(&TraceLog { project_name: None, ..log("x", "x", "x", "x") }).await.unwrap_err();
    assert_eq!(error.status(), Some(422));
    let faults = error.validation_errors();
    assert!(faults.iter().any(|fault| fault.loc.contains(&"project_name".into())), "{faults:?}");
    assert!(error.to_string().contains("project_name: "), "{error}");
    let ApiError::Status { body, .. } = error.clone() else { panic!("{error:?}") };
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["detail"].as_array().unwrap().len(), faults.len());

    // Many at once: the bad one is named, a chain far deeper than any parser's recursion is read back.
    let mut many: Vec<_> = (0..400)
        .map(|n| TraceLog { depth: n, ..log(&format!("d{n}"), &format!("d{}", (n - 1).max(0)), "d0", "step") })
        .collect();
    many.insert(7, TraceLog { project_name: None, ..log("bad", "bad", "bad", "bad") });
    let answer = api.log_all(&many).await.unwrap();
    assert_eq!((answer.accepted, answer.rejected.len()), (400, 1));
    assert_eq!((answer.rejected[0].index, answer.rejected[0].trace_id.as_deref()), (7, Some("bad")));
    assert_eq!(api.trace_log("d0").await.unwrap().unwrap().iter().count(), 400);
    assert_eq!(api.log_all(&[]).await.unwrap().accepted, 0);

    // Changes and verdicts.
    let update = UpdateLog::new("r").set("output", "42").set("metadata", json!({"lang": "de"}));
    api.update_log(&update).await.unwrap();
    api.update_log(&UpdateLog::new("r").set("metadata", json!({"shard": "3"})).merging()).await.unwrap();
    let wrong = api.update_log(&UpdateLog::new("r").set("outptu", "42")).await.unwrap_err();
    assert!(wrong.to_string().contains("did you mean `output`"), "{wrong}");
    let scores = |id: &str, score: f64| UpdateLog::new(id).set("scores", json!([{"name": "late", "score": score}]));
    let wrong = UpdateLog::new("d2").set("scroes", json!([]));
    let answer = api.update_all(&[scores("d1", 0.25), wrong, scores("d3", 0.75)]).await.unwrap();
    assert_eq!((answer.accepted, answer.rejected.len(), answer.rejected[0].index), (2, 1, 1));
    let scored = api.trace_log("d3").await.unwrap().unwrap().log.clone();
    assert_eq!(
        scored.scores.unwrap().iter().map(|score| (&*score.name, score.score)).collect::<Vec<_>>(),
        [("late", 0.75)]
    );
    api.feedback(&FeedbackRequest::new("r", 0.9).comment("well done").target("43")).await.unwrap();
    let root = api.trace_log("r").await.unwrap().unwrap().log.clone();
    assert_eq!((root.output.as_deref(), root.target.as_deref()), (Some("42"), Some("43")));
    assert_eq!(Value::from(root.metadata.unwrap()), json!({"lang": "de", "shard": "3"}));
    assert_eq!((root.feedback_score, &*root.comments.unwrap()[0].comment), (Some(0.9), "well done"));
    assert_eq!(api.feedback(&FeedbackRequest::new("r", 1.5)).await.unwrap_err().status(), Some(422));
    assert!(matches!(api.feedback(&FeedbackRequest::new("r", f64::NAN)).await, Err(ApiError::Request(_))));

    // A run of LangChain.
    let run = json!({"id": "lc", "name": "chain", "project_name": "api", "start_time": now(), "inputs": {"q": 1},
                     "child_runs": [{"id": "lc1", "name": "tool", "parent_run_id": "lc", "start_time": now()}]});
    api.log_langchain(&run).await.unwrap();
    assert_eq!(ids(&api.trace_log("lc").await.unwrap().unwrap().children_logs), ["lc1"]);

    server.shutdown().await;
}

#[tokio::test]
async fn queries_say_what_is_wanted_in_types() {
    let (_folder, server, api) = server().await;
    let logs: Vec<_> = (0..5)
        .map(|n| TraceLog {
            latency: Some(f64::from(n)),
            scores: Some(vec![EvaluationScore::new("acc", f64::from(n) / 4.0).unwrap()]),
            metadata: Some(Map::from_iter([("lang".to_owned(), json!(if n % 2 == 0 { "de, at" } else { "en" }))])),
            inputs: Some(Map::from_iter([("q".to_owned(), json!(format!("question {n}")))])),
            status: Some(if n == 3 { Status::Error } else { Status::Success }),
            tags: (n == 4).then(|| vec!["gold".to_owned()]),
            ..log(&format!("t{n}"), &format!("t{n}"), &format!("t{n}"), &format!("Step-{n}"))
        })
        .collect();
    assert_eq!(api.log_all(&logs).await.unwrap().accepted, 5);
    let all = || QueryParamsPagination::new("api");
    let cases: Vec<(QueryParamsPagination, &[usize])> = vec![
        (all(), &[0, 1, 2, 3, 4]),
        (all().since(TimeRange::Hour).status(Status::Error), &[3]),
        (all().matching(FilterBase::field("trace_name").equals("Step-1")), &[1]),
        (all().matching(FilterBase::field("trace_name").not_equals("Step-1")), &[0, 2, 3, 4]),
        (all().matching(FilterBase::field("trace_name").like("step")), &[0, 1, 2, 3, 4]),
        (all().matching(FilterBase::field("latency").greater_than(2)), &[3, 4]),
        (all().matching(FilterBase::field("latency").greater_than_or_equal(2)), &[2, 3, 4]),
        (all().matching(FilterBase::score("acc").less_than(0.25)), &[0]),
        (all().matching(FilterBase::score("acc").less_than_or_equal(0.25)), &[0, 1]),
        (all().matching(FilterBase::score("acc").between(0.25, 0.75)), &[1, 2, 3]),
        (all().matching(FilterBase::field("tags").exists()), &[4]),
        (all().matching(FilterBase::field("tags").is_null()), &[0, 1, 2, 3]),
        (all().matching(FilterBase::metadata("lang").one_of(["de, at", "fr"])), &[0, 2, 4]),
        (all().matching(FilterBase::input("q").equals("question 2")), &[2]),
        (all().matching(FilterBase::annotation("continuous", 7).exists()), &[]),
    ];
    for (query, expected) in cases {
        let page = api.trace_logs(&query).await.unwrap();
        let expected: Vec<_> = expected.iter().map(|n| format!("t{n}")).collect();
        assert_eq!(
            (ids(&page.results), page.total),
            (expected.iter().map(|id| &**id).collect(), expected.len() as i64),
            "{query:?}"
        );
    }
    let page = api.trace_logs(&all().page_size(2).page(3)).await.unwrap();
    assert_eq!((page.total, page.total_pages, page.results.len()), (5, 3, 1));
    let error = api.trace_logs(&all().matching(FilterBase::field("latency").greater_than("soon"))).await.unwrap_err();
    assert!(error.status() == Some(422) && error.to_string().contains("filter_value"), "{error}");
    server.shutdown().await;
}

#[tokio::test]
async fn runs_of_experiments_from_creation_to_figures() {
    let (_folder, server, api) = server().await;
    let project = api.project_uuid("api").await.unwrap();
    let request = CreateExperimentRequest::new("greeting", &project).run_name("run-1").metadata("model", "small");
    let run = api.create_experiment(&request).await.unwrap();
    let taken = api.create_experiment(&request).await.unwrap_err();
    let ApiError::Status { status: 400, detail, .. } = &taken else { panic!("{taken:?}") };
    assert!(detail.contains("run-1"), "{detail}");
    let named = api.create_experiment(&CreateExperimentRequest::new("greeting", &project).run_name("no blank")).await;
    assert!(named.unwrap_err().to_string().contains("run_name: "));
    let other = api.create_experiment(&CreateExperimentRequest::new("other", &project)).await.unwrap();
    assert_ne!(other.run_name, None);

    for (id, score) in [("a", 1.0), ("b", 0.0)] {
        let scores = Some(vec![EvaluationScore::new("acc", score).unwrap()]);
        api.log(&TraceLog { experiment_uuid: Some(run.uuid.clone()), scores, ..log(id, id, id, "greet") })
            .await
            .unwrap();
    }
    let roots = api.experiment_trace_logs(&run.uuid, &FilterBase::default()).await.unwrap();
    assert_eq!(ids(&roots), ["a", "b"]);
    let good = api.experiment_trace_logs(&run.uuid, &FilterBase::score("acc").equals(1)).await.unwrap();
    assert_eq!(ids(&good), ["a"]);
    let ids_of = |stats: &parea::types::ExperimentStats| stats.parent_trace_stats.len();
    assert_eq!(ids_of(&api.experiment_stats(&run.uuid).await.unwrap()), 2);
    assert_eq!(api.experiment(&run.uuid).await.unwrap().unwrap().status, ExperimentStatus::Running);

    let over_all = EvaluationScore::new("f1", 0.25).unwrap();
    let stats = api.finish_experiment(&run.uuid, &FinishExperimentRequest::failed().statistic(over_all)).await.unwrap();
    assert_eq!(ids_of(&stats), 2);
    let listed = api
        .experiments(
            &ListExperimentsRequest::of_project("api")
                .experiment_name("greet")
                .run_name("run-")
                .metadata("model", "small"),
        )
        .await
        .unwrap();
    let [only] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&only.experiment, only.status, only.num_samples), (&run, ExperimentStatus::Failed, Some(2)));
    let figure = |name: &str| only.pinned_stats.iter().find(|figure| figure.var1 == name).map(|figure| figure.value);
    assert_eq!((figure("acc"), figure("f1")), (Some(0.5), Some(0.25)));
    assert_eq!(api.experiment("none").await.unwrap(), None);
    let unknown = api.finish_experiment("none", &FinishExperimentRequest::default()).await.unwrap_err();
    assert_eq!(unknown.status(), Some(404));
    server.shutdown().await;
}

/// What a task may do at a time is counted by Tokio, and filled up only when the task yields, which a blocking call never
/// does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_blocking_calls_in_one_task() {
    let (_folder, server, api) = server().await;
    let (blocking, (done, finished)) = (api.blocking().unwrap(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..300 {
                blocking.health().unwrap();
            }
        });
        done.send(()).unwrap();
    });
    let patience = std::time::Duration::from_secs(60);
    tokio::task::spawn_blocking(move || finished.recv_timeout(patience)).await.unwrap().expect("they do not hang");
    server.shutdown().await;
}

/// A destructor that runs at the end of a thread, when Tokio's own of that thread has run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_call_at_the_end_of_a_thread_fails_and_does_not_panic() {
    use std::{cell::RefCell, sync::mpsc};
    struct AtTheEnd(BlockingApiClient, mpsc::Sender<Result<(), ApiError>>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            self.1.send(self.0.health()).unwrap();
        }
    }
    thread_local!(static LATE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
    let (_folder, server, api) = server().await;
    let (blocking, (sender, results)) = (api.blocking().unwrap(), mpsc::channel());
    let thread = std::thread::spawn(move || {
        LATE.set(Some(AtTheEnd(blocking.clone(), sender)));
        blocking.health().unwrap();
    });
    let (ended, result) = tokio::task::spawn_blocking(move || (thread.join(), results.recv().unwrap())).await.unwrap();
    assert!(ended.is_ok());
    assert!(result.unwrap_err().to_string().contains("about to end"));
    server.shutdown().await;
}

/// The same calls without `await`, inside a runtime and on plain threads, over one client.
#[tokio::test]
async fn datasets_in_the_blocking_form_inside_a_runtime() {
    let (_folder, server, api) = server().await;
    // The server runs on this test's only thread, which must not be held up: the calls come from others.
    let blocking = api.blocking().unwrap();
    let story = move || {
        let row = json!({"q": "why?", "n": 3, "target": "because", "tags": ["easy"]});
        let rows = [TestCase::from_row(row.as_object().unwrap().clone()), TestCase::new([("q", "how?")])];
        let name = "ask/ö? 100%";
        let created = blocking.create_dataset(&CreateTestCaseCollectionRequest::new(name, rows)).unwrap();
        let added = blocking
            .add_test_cases(&CreateTestCases::to_id(created.id, [TestCase::new([("q", "a"), ("n", "1")])]))
            .unwrap();
        let change = UpdateTestCasePublicRequest { target: Some("so".to_owned()), ..Default::default() };
        blocking.update_test_case(created.id, added[0], &change).unwrap();
        let by_name = blocking.dataset(name).unwrap().unwrap();
        assert_eq!(blocking.dataset(created.id).unwrap().as_ref(), Some(&by_name));
        assert_eq!(by_name.column_names, ["n", "q"]);
        let first = &by_name.test_cases[&created.test_case_ids[0]].test_case;
        assert_eq!(
            (&*first.inputs["n"], first.target.as_deref(), &first.tags[..]),
            ("3", Some("because"), &["easy".to_owned()][..])
        );
        assert_eq!(by_name.test_cases[&added[0]].test_case.target.as_deref(), Some("so"));
        let fresh = blocking.add_test_cases(&CreateTestCases::to_name("fresh", [TestCase::new([("q", "b")])])).unwrap();
        assert_eq!(fresh.len(), 1);
        assert_eq!(blocking.dataset("none").unwrap(), None);
        assert_eq!(blocking.update_test_case(9999, 1, &change).unwrap_err().status(), Some(404));
    };
    let (plain, entered) = (story.clone(), tokio::runtime::Handle::current());
    tokio::task::spawn_blocking(plain).await.unwrap();
    // Where a runtime is entered and `block_on` would panic.
    let inside = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = entered.enter();
        runtime.block_on(async { story() });
    });
    tokio::task::spawn_blocking(move || inside.join().unwrap()).await.unwrap();
    server.shutdown().await;
}
