//! Experiments with a server: what the program reports is what the server tells.

use parea::{
    ApiClient, Experiment, Log, Outcome,
    evals::dataset,
    experiment,
    prelude::*,
    types::{CreateTestCases, ExperimentStatus, ListExperimentsRequest, TestCase},
};
use parea_server::{Config, Server};

#[parea::trace(evals = [levenshtein])]
async fn greeting(name: &str) -> String {
    format!("Hello {name}")
}

fn rows() -> [parea::Row; 2] {
    [row! { name: "Foo", target: "Hi Foo" }, row! { name: "Bar", target: "Hello Bar" }]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_on_the_server_as_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data, ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let _parea = parea::builder().project("greetings").base_url(server.url()).init().unwrap();
    let api = ApiClient::new(server.url(), None).unwrap();
    let new =
        |name: &str| -> Experiment { experiment("Greeting").run_name(name).folder(folder.path().join("one")).quiet() };

    // The run.
    let report = new("first")
        .rows(rows())
        .metadata("model", "none")
        .dataset_eval(dataset::balanced_acc("polite"))
        .eval_as("polite", |log: &Log| log.judged().starts_with("Hello"))
        .run(|row| async move { Ok(greeting(row.get("name")?).await) })
        .await
        .unwrap();
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    assert!((report.score("levenshtein").unwrap().mean - 0.777_777_777_777_8).abs() < 1e-9);

    let listed = api.experiment(&report.uuid).await.unwrap().unwrap();
    assert_eq!((listed.status, listed.num_samples), (ExperimentStatus::Completed, Some(2)));
    assert_eq!(listed.experiment.metadata.as_ref().unwrap()["model"], "none");
    let figure = |name: &str| listed.pinned_stats.iter().find(|figure| figure.var1 == name).unwrap().value;
    assert!((figure("levenshtein") - 0.777_778).abs() < 1e-9);
    assert!((figure("polite") - 1.0).abs() < 1e-9 && (figure("balanced_acc_polite") - 1.0).abs() < 1e-9);

    // Its name is taken now.
    let taken = new("first").rows(rows()).run(|_| async { Ok(0) }).await.unwrap_err().to_string();
    assert!(taken.starts_with("run name `first` is taken in experiment `Greeting`: give this run another"), "{taken}");

    // A dataset of the server as rows, its texts as the numbers that are wanted.
    let case = |n: &str, target: &str| TestCase {
        inputs: [("n".to_owned(), n.to_owned())].into(),
        target: Some(target.to_owned()),
        tags: Vec::new(),
    };
    let cases = vec![case("1", "2"), case("2", "5")];
    api.add_test_cases(&CreateTestCases::to_name("doubles", cases)).await.unwrap();
    let doubles = new("second")
        .dataset("doubles")
        .eval_as("right", |log: &Log| log.output == log.target)
        .run(|row| async move { Ok(row.get::<i64>("n")? * 2) })
        .await
        .unwrap();
    assert!((doubles.score("right").unwrap().mean - 0.5).abs() < 1e-9, "{doubles}");
    assert_eq!(doubles.metadata["Dataset"], "doubles");
    assert!(doubles.metadata["Dataset version"].starts_with("1 ("), "{:?}", doubles.metadata);
    let more = CreateTestCases::to_name("doubles", [case("3", "6")]);
    api.add_test_cases(&more).await.unwrap();
    for (dataset, rows) in [("doubles@1", 2), ("doubles", 3), ("doubles@2", 3)] {
        let run = experiment("Pinned").folder(folder.path().join("one")).quiet().dataset(dataset);
        let report = run.run(|row| async move { Ok(row.get::<i64>("n")?) }).await.unwrap();
        assert_eq!(report.rows.len(), rows, "{dataset}");
    }
    let later = new("third").dataset("doubles@7").run(|_| async { Ok(0) }).await.unwrap_err().to_string();
    assert!(later.contains("its newest version is 2: pin that as `doubles@2`"), "{later}");
    let none = new("third").dataset("triples").run(|_| async { Ok(0) }).await.unwrap_err().to_string();
    assert!(none.contains("dataset `triples`") && none.contains("has none of that name"), "{none}");

    // Another machine, which has no journal, compares with the run by its name: rows find their partners.
    let again = experiment("Greeting")
        .folder(folder.path().join("other"))
        .quiet()
        .rows(rows())
        .compare_to("first")
        .fail_on_regression(0.1)
        .run(|row| async move { Ok(greeting(&row.get::<String>("name")?.to_lowercase()).await) })
        .await
        .unwrap();
    let comparison = again.comparison.as_ref().unwrap();
    assert_eq!((comparison.paired, comparison.only_baseline, comparison.only_candidate), (2, 0, 0));
    let score = comparison.score("levenshtein").unwrap();
    assert!((score.baseline - 0.777_777_777_777_8).abs() < 1e-9 && score.difference < 0.0);
    assert_ne!(again.outcome(), Outcome::Passed, "{again}");

    let runs = ListExperimentsRequest { project_name: Some("greetings".to_owned()), ..Default::default() };
    assert_eq!(api.experiments(&runs).await.unwrap().len(), 6, "what was refused left no run behind");
    server.shutdown().await;
    let gone = new("fourth").dataset("doubles").run(|_| async { Ok(0) }).await.unwrap_err().to_string();
    assert!(gone.starts_with("dataset `doubles`: the server cannot be reached: "), "{gone}");
    assert!(gone.contains("is it running? `parea serve` starts one"), "{gone}");
}
