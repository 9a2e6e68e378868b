//! Runs that were made while no server was there, and the server that comes afterwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    env,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use parea::{
    ApiClient, Log,
    evals::dataset,
    experiment,
    prelude::*,
    types::{ExperimentStatus, ExperimentWithStats, FilterBase, ListExperimentsRequest},
};
use parea_server::{Config, Server};

#[parea::trace(evals = [levenshtein])]
async fn greeting(name: &str) -> String {
    format!("Hello {name}")
}

/// The user's program, which the stories start as a process of its own.
#[test]
fn program() {
    let Ok(name) = env::var("RUN_NAME") else { return };
    let _parea = parea::builder().project("later").folder(env::var_os("FOLDER").unwrap()).init().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime
        .block_on(
            experiment("Greeting")
                .run_name(name)
                .quiet()
                .rows([row! { name: "Foo", target: "Hi Foo" }, row! { name: "Bar", target: "Hello Bar" }])
                .metadata("model", "none")
                .eval_as("polite", |log: &Log| log.judged().starts_with("Hello"))
                .dataset_eval(dataset::balanced_acc("polite"))
                .run(|row| async move { Ok(greeting(row.get("name")?).await) }),
        )
        .unwrap();
    println!("{report}");
}

fn run(name: &str, folder: &Path, server: Option<&str>) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "program", "--nocapture"]).env("RUN_NAME", name).env("FOLDER", folder);
    command.env_remove("PAREA_API_KEY").env_remove("PAREA_BASE_URL");
    command.envs(server.map(|server| ("PAREA_BASE_URL", server)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The runs that the server has, once `count` of them have ended.
async fn ended(api: &ApiClient, count: usize) -> Vec<ExperimentWithStats> {
    for _ in 0..600 {
        let runs = api.experiments(&ListExperimentsRequest::default()).await.unwrap();
        let ended = |run: &&ExperimentWithStats| run.status == ExperimentStatus::Completed;
        if runs.iter().filter(ended).count() == count {
            return runs;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:#?}", api.experiments(&ListExperimentsRequest::default()).await);
}

async fn check(api: &ApiClient, run: &ExperimentWithStats, name: &str) {
    assert_eq!((run.experiment.name.as_str(), run.experiment.run_name.as_deref()), ("Greeting", Some(name)));
    assert_eq!(run.experiment.metadata.as_ref().unwrap()["model"], "none");
    assert_eq!(run.num_samples, Some(2));
    let figure = |name: &str| run.pinned_stats.iter().find(|figure| figure.var1 == name).unwrap().value;
    assert!((figure("levenshtein") - 0.777_778).abs() < 1e-9 && (figure("polite") - 1.0).abs() < 1e-9);
    assert!((figure("balanced_acc_polite") - 1.0).abs() < 1e-9);
    assert_eq!(api.experiment_trace_logs(&run.experiment.uuid, &FilterBase::default()).await.unwrap().len(), 2);
}

fn files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join("experiments")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".run.json")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_the_folder_in_has_the_run() {
    assert!(TcpStream::connect("127.0.0.1:7273").is_err(), "this story needs that nothing listens on 127.0.0.1:7273");
    let folder = tempfile::tempdir().unwrap();
    let said = run("alone", folder.path(), None);
    assert!(said.contains("no server answers at http://127.0.0.1:7273"), "{said}");
    // Two runs of one name: nobody could say that it was taken.
    run("alone", folder.path(), None);
    assert_eq!(files(folder.path()).len(), 2);

    let listen = ([127, 0, 0, 1], 0).into();
    let config = Config { listen, data: folder.path().to_owned(), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let api = ApiClient::new(server.url(), None).unwrap();
    let mut runs = ended(&api, 2).await;
    runs.sort_by(|one, other| one.experiment.run_name.cmp(&other.experiment.run_name));
    check(&api, &runs[0], "alone").await;
    check(&api, &runs[1], "alone-2").await;
    server.shutdown().await;
    assert_eq!(files(folder.path()), [""; 0], "told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_tells_the_server_that_was_away_of_the_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    run("early", folder.path(), Some(&url));
    assert_eq!(files(folder.path()).len(), 1);

    // A server that nobody meant takes the folder in, and has nothing of it.
    let config = |listen, data: &Path| Config { listen, data: data.to_owned(), ..Config::default() };
    let other = Server::bind(config(([127, 0, 0, 1], 0).into(), folder.path())).await.unwrap().spawn();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let nothing = ApiClient::new(other.url(), None).unwrap().experiments(&ListExperimentsRequest::default()).await;
    assert_eq!(nothing.unwrap(), []);
    other.shutdown().await;

    let data = tempfile::tempdir().unwrap();
    let server = Server::bind(config(free, data.path())).await.unwrap().spawn();
    let said = run("late", folder.path(), Some(&url));
    let api = ApiClient::new(server.url(), None).unwrap();
    let runs = ended(&api, 2).await;
    check(&api, &runs[0], "late").await;
    check(&api, &runs[1], "early").await;
    let link = format!("→ {url}/experiments/{}", runs[0].experiment.uuid);
    assert!(said.contains(&link), "{said} has no {link}");
    assert_eq!(files(folder.path()), [""; 0]);
    server.shutdown().await;
}
