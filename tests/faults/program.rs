//! The program that meets the faults: this test binary again, told by its environment what to do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parea::{FlushReport, Guard, types::TraceLog};
use parea_runtime::{
    cell::{Cell, CellStart},
    evaluation::{Evaluation, Evaluator},
};
use serde_json::{Value, json};

use crate::hostile::{CHOKER, POISON};

#[parea::trace]
fn root(n: usize) -> usize {
    child(n)
}

#[parea::trace]
fn child(n: usize) -> usize {
    n
}

/// One log that some servers do not take.
#[parea::trace]
fn spoiled(n: usize, text: &str) -> usize {
    n + text.len()
}

/// Logs of so many calls.
pub(crate) const LOGS_PER_CALL: usize = 2;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "a program that the other tests start"]
fn program() {
    let started = Instant::now();
    let mut builder = parea::builder()
        .project("faults")
        .deadline(Duration::from_millis(setting("DEADLINE_MS", 10_000) as u64))
        .durable(setting("DURABLE", 0) == 1)
        .queue_bytes(setting("QUEUE_BYTES", 64 << 20))
        .spool_bytes(setting("SPOOL_BYTES", 512 << 20) as u64);
    if let Ok(folder) = std::env::var("FOLDER") {
        builder = builder.folder(folder);
    }
    let end = std::env::var("END").unwrap_or_default();
    if end == "sigterm" {
        // A shell's background job is started with some of them ignored, which would be respected.
        #[cfg(unix)]
        crate::unix::ignore_no_signals();
        builder = builder.flush_on_signals();
    }
    #[cfg(unix)]
    if setting("SIGPIPE", 0) == 1 {
        crate::unix::die_of_pipes();
    }
    #[cfg(unix)]
    if let Ok(most) = std::env::var("FILE_BYTES") {
        crate::unix::limit_files(most.parse().unwrap());
    }
    let guard = builder.init().unwrap();
    println!("\nINIT {}", started.elapsed().as_micros());
    let first = setting("FIRST", 0);
    let numbers = |name: &str| -> Vec<usize> {
        let text = std::env::var(name).unwrap_or_default();
        text.split_whitespace().map(|n| n.parse().unwrap()).collect()
    };
    let (chokers, poisoned) = (numbers("CHOKERS"), numbers("POISONED"));
    for n in first..first + setting("CALLS", 100) {
        _ = match n {
            n if chokers.contains(&n) => spoiled(n, CHOKER),
            n if poisoned.contains(&n) => spoiled(n, POISON),
            n => root(n),
        };
        if setting("PACE_US", 0) > 0 {
            thread::sleep(Duration::from_micros(setting("PACE_US", 0) as u64));
        }
    }
    println!("CALLED {}", started.elapsed().as_millis());
    if let Ok(expected) = std::env::var("EARLIER") {
        let expected: u64 = expected.parse().unwrap();
        let enough =
            |report: &FlushReport| report.earlier.delivered + report.earlier.dropped.values().sum::<u64>() >= expected;
        let begun = Instant::now();
        while !enough(&parea::flush(Duration::from_millis(50))) && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    if setting("SETTLES", 0) == 1 {
        let begun = Instant::now();
        let waits = |report: FlushReport| report.spooled + report.pending > 0;
        while waits(parea::flush(Duration::from_millis(50))) && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    if std::env::var("END").is_ok_and(|end| end == "tidy") {
        let begun = Instant::now();
        while !segments(Path::new(".")).is_empty() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    if let Ok(timeout) = std::env::var("FLUSH_MS") {
        parea::flush(Duration::from_millis(timeout.parse().unwrap()));
    }
    print_report(&parea::flush(Duration::ZERO));
    match &*end {
        "" | "tidy" => drop(guard),
        how => {
            fs::write("ready", "").unwrap();
            end_by(how, guard);
        }
    }
    println!("ENDED {}", started.elapsed().as_millis());
    print_report(&parea::flush(Duration::ZERO));
}

fn end_by(how: &str, guard: Guard) {
    // All but one forget it.
    let guard = std::mem::ManuallyDrop::new(guard);
    match how {
        "forget" => {}
        "panic" => panic!("at the end of main"),
        "exit" => std::process::exit(3),
        "parea_exit" => parea::exit(3),
        "exit_on_a_thread" => exit_on_a_thread(),
        "thread_exits" => {
            let _ = thread::spawn(|| std::process::exit(3)).join();
        }
        "evaluating" => evaluate_for_ever(),
        "c_panic" => leave_c_by_a_panic(),
        "panic_and_die" => {
            // A panic that is caught does no harm; then the process dies.
            let _ = std::panic::catch_unwind(|| panic!("caught"));
            std::process::abort();
        }
        "abort" => std::process::abort(),
        "wait" | "sigterm" => loop {
            thread::park();
        },
        #[cfg(unix)]
        "_exit" => crate::unix::exit_at_once(),
        #[cfg(unix)]
        "fork" => {
            if fork() {
                // As a program does that returns from its `main`; the parent is waiting.
                std::process::exit(0);
            }
        }
        #[cfg(unix)]
        "fork_guard" => match crate::unix::fork() {
            None => {
                root(1_000);
                drop(std::mem::ManuallyDrop::into_inner(guard));
                crate::unix::exit_with(0);
            }
            Some(child) => {
                crate::unix::wait_for(child);
                drop(std::mem::ManuallyDrop::into_inner(guard));
            }
        },
        #[cfg(unix)]
        "fork_client" => fork_with_a_client(),
        how => panic!("there is no way to end by {how}"),
    }
}

/// Ends the process while other threads go on recording.
fn exit_on_a_thread() {
    let enough = Arc::new(AtomicBool::new(false));
    // More than a debug build writes down: whoever waited for the end of it would wait for ever.
    for _ in 0..8 {
        let enough = Arc::clone(&enough);
        thread::spawn(move || {
            while !enough.load(Ordering::Relaxed) {
                std::hint::black_box(child(0));
                thread::sleep(Duration::from_micros(200));
            }
        });
    }
    let exits = thread::spawn(|| {
        root(usize::MAX / 2);
        std::process::exit(3)
    });
    let _ = exits.join();
}

/// A log that waits for an evaluation which never comes to an end.
fn evaluate_for_ever() {
    struct Ponders;
    impl Evaluator for Ponders {
        fn name(&self) -> &'static str {
            "ponders"
        }
        fn evaluate<'a>(&'a self, _: &'a TraceLog) -> Evaluation<'a> {
            Box::pin(std::future::pending())
        }
    }
    let evaluators: Vec<Arc<dyn Evaluator>> = vec![Arc::new(Ponders)];
    let cell = Cell::start(CellStart { name: "pondered", evaluators, ..CellStart::default() });
    cell.finish(Ok(b"42".to_vec()));
}

#[parea::trace]
fn fails_inside_c() {
    panic!("with nowhere to go")
}

fn leave_c_by_a_panic() {
    extern "C" fn called_from_c() {
        fails_inside_c();
    }
    called_from_c();
}

/// Both go on after a fork: the span in which they are is the parent's, and each has ids of its own. Tells the child.
#[cfg(unix)]
#[parea::trace]
fn fork() -> bool {
    let calls = |first: usize| (first..first + 50).for_each(|n| _ = root(n));
    match crate::unix::fork() {
        None => {
            calls(1_000);
            true
        }
        Some(child) => {
            calls(2_000);
            crate::unix::wait_for(child);
            false
        }
    }
}

/// A client that waits on a thread of the parent would wait for ever.
#[cfg(unix)]
fn fork_with_a_client() {
    let client = || parea::ApiClient::from_env().unwrap().blocking().unwrap();
    let ask = |api: &parea::BlockingApiClient| api.project_uuid("default").map_err(|error| error.to_string());
    let api = client();
    let answer = ask(&api);
    match crate::unix::fork() {
        None => {
            let refused = ask(&api).unwrap_err();
            let code = i32::from(!refused.contains("made before a fork") || ask(&client()) != answer);
            crate::unix::exit_with(code);
        }
        Some(child) => {
            crate::unix::wait_for(child);
            assert_eq!(ask(&api), answer);
        }
    }
}

pub(crate) fn print_report(report: &FlushReport) {
    let reasons = |dropped: &std::collections::BTreeMap<parea::DropReason, u64>| -> Value {
        dropped.iter().map(|(reason, count)| (reason.as_str().to_owned(), Value::from(*count))).collect()
    };
    println!(
        "REPORT {}",
        json!({"delivered": report.delivered, "spooled": report.spooled, "pending": report.pending, "open": report.open,
               "dropped": reasons(&report.dropped), "finished": report.finished(), "error": report.last_error,
               "earlier": {"delivered": report.earlier.delivered, "dropped": reasons(&report.earlier.dropped)}})
    );
}

/// The files of logs that wait for named servers, as a program sees them that runs in that folder.
pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let paths = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let servers = paths(folder.join(".parea/spool")).filter(|path| path.is_dir());
    let mut files: Vec<_> = servers.flat_map(paths).filter(|path| is_segment(path)).collect();
    files.sort();
    files
}

fn is_segment(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|ending| ending == "open" || ending == "ndjson")
}

/// A process that runs the program.
pub(crate) struct Started(Child);

/// What a process left.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Starts the program in a process whose environment has nothing of Parea but this.
pub(crate) fn start(folder: &Path, environment: &[(&str, &str)]) -> Started {
    start_program("program::program", folder, environment)
}

/// Starts another program in such a process.
pub(crate) fn start_program(program: &str, folder: &Path, environment: &[(&str, &str)]) -> Started {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([program, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    start_command(command, folder, environment)
}

/// Starts whatever command in such a process.
pub(crate) fn start_command(mut command: Command, folder: &Path, environment: &[(&str, &str)]) -> Started {
    for name in ["PAREA_API_KEY", "PAREA_BASE_URL", "TURN_OFF_PAREA_LOGGING"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied()).current_dir(folder);
    Started(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Starts it and waits for its end.
pub(crate) async fn run(folder: &Path, environment: &[(&str, &str)]) -> Ran {
    start(folder, environment).wait().await
}

impl Started {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    /// From now on nobody reads what it says of errors.
    #[cfg(unix)]
    pub(crate) fn close_stderr(&mut self) {
        drop(self.0.stderr.take());
    }

    pub(crate) async fn wait(self) -> Ran {
        let output = tokio::task::spawn_blocking(move || self.0.wait_with_output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    /// The last report, after the guard if there was one.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(self.last("REPORT")).unwrap()
    }

    /// What stands behind the last line with that label.
    pub(crate) fn last(&self, label: &str) -> &str {
        let found = self.stdout.lines().rev().find_map(|line| line.strip_prefix(label));
        found.unwrap_or_else(|| panic!("no {label} in:\n{}\n{}", self.stdout, self.stderr)).trim()
    }
}
