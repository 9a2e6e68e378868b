//! A server that is killed and comes back under a running program costs neither of them a log.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod server_binary;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use parea::{ApiClient, types::QueryParamsPagination};

/// How often the server is killed.
const KILLS: usize = 3;

#[parea::trace]
fn outer(n: u64) -> u64 {
    inner(n)
}

#[parea::trace]
fn inner(n: u64) -> u64 {
    n
}

/// `parea serve` as a process.
struct Serve {
    process: Child,
    url: String,
}

impl Serve {
    /// Starts it and waits until it says where it listens.
    fn start(listen: &str, data: &Path) -> Self {
        let mut command = Command::new(server_binary::path());
        command.args(["serve", "--listen", listen, "--data"]).arg(data).env_remove("PAREA_API_KEY");
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next());
        let url = url.unwrap_or_else(|| panic!("it says {line:?}")).to_owned();
        Self { process, url }
    }

    fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }
}

/// As `kill -9` does.
impl Drop for Serve {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// How many logs are stored; waits for more than `before`.
async fn stored(client: &ApiClient, before: i64) -> i64 {
    let query = QueryParamsPagination { page_size: 1, ..QueryParamsPagination::new("crash") };
    loop {
        match client.trace_logs(&query).await {
            Ok(page) if page.total > before => return page.total,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_a_running_program_costs_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Serve::start("127.0.0.1:0", folder.path());
    let client = ApiClient::new(&server.url, None).unwrap();
    let patient = parea::builder().project("crash").base_url(&server.url).deadline(Duration::from_secs(300));
    let guard = patient.init().unwrap();

    let enough = Arc::new(AtomicBool::new(false));
    let program = thread::spawn({
        let enough = enough.clone();
        move || {
            let calls = (0..).take_while(|_| !enough.load(Ordering::Relaxed));
            calls
                .inspect(|n| {
                    outer(*n);
                    thread::sleep(Duration::from_micros(200));
                })
                .count()
        }
    });
    let mut seen = 0;
    for _ in 0..KILLS {
        // While logs come in, and so in the midst of a transaction as often as not.
        seen = stored(&client, seen).await;
        let address = server.address();
        drop(server);
        server = Serve::start(&address, folder.path());
    }
    stored(&client, seen).await;
    enough.store(true, Ordering::Relaxed);
    let calls = program.join().unwrap();

    let report = tokio::task::spawn_blocking(move || guard.flush(Duration::from_secs(300))).await.unwrap();
    assert_eq!((report.delivered, report.total_dropped(), report.pending), (2 * calls as u64, 0, 0), "{report:?}");
    let (mut ids, mut numbers, mut total) = (BTreeSet::new(), BTreeSet::new(), 0);
    for page in 1.. {
        let query = QueryParamsPagination { page, page_size: 5_000, ..QueryParamsPagination::new("crash") };
        let stored = client.trace_logs(&query).await.unwrap();
        if stored.results.is_empty() {
            break;
        }
        total = stored.total;
        for log in stored.results.iter().map(|tree| &tree.log) {
            ids.insert(log.trace_id.clone());
            numbers.insert((log.depth, log.inputs.as_ref().unwrap()["n"].as_u64().unwrap()));
        }
    }
    // As many as were made, each once.
    assert_eq!((total, ids.len(), numbers.len()), (2 * calls as i64, 2 * calls, 2 * calls));
}
