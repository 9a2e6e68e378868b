//! Programs that are ended in the middle of a run: this test binary again, told what to do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use parea_eval::{Log, experiment, row};

const ROWS: usize = 60;

/// Runs rows that tell of themselves on stdout, four at a time.
#[tokio::test]
#[ignore = "a program that the other tests start"]
async fn program() {
    let report = experiment("Killed")
        .folder(std::env::var("FOLDER").unwrap())
        .version("1")
        .quiet()
        .rows((0..ROWS).map(|n| row! { n: n }))
        .concurrency(4)
        .resume(std::env::var("RESUME").ok())
        .eval_as("even", |log: &Log| log.output_as::<u32>().map(|n| n % 2 == 0))
        .run(|row| async move {
            println!("\nROW {}", row.get::<u32>("n")?);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(row.get::<u32>("n")?)
        })
        .await
        .unwrap();
    println!(
        "\nDONE {} {} {:?} {}",
        report.rows.len(),
        report.resumed,
        report.status,
        report.score("even").unwrap().mean
    );
}

fn start(folder: &Path, resume: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["program", "--exact", "--ignored", "--nocapture"]).env("FOLDER", folder).stdout(Stdio::piped());
    if let Some(uuid) = resume {
        command.env("RESUME", uuid);
    }
    command.spawn().unwrap()
}

/// What the program says: its rows, and its last word.
fn listen(program: &mut Child, until: usize) -> (Vec<String>, Option<String>) {
    let lines = BufReader::new(program.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    let (mut rows, mut done) = (Vec::new(), None);
    for line in lines {
        if let Some(row) = line.strip_prefix("ROW ") {
            rows.push(row.to_owned());
        } else if let Some(word) = line.strip_prefix("DONE ") {
            done = Some(word.to_owned());
        }
        if rows.len() == until {
            break;
        }
    }
    (rows, done)
}

/// The run's uuid and its finished rows, by its journal.
fn journal(folder: &Path) -> (String, usize) {
    let mut paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|ending| ending == "jsonl")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let whole = text.lines().filter(|line| line.starts_with("{\"cell\"") && line.ends_with('}')).count();
    (path.file_stem().unwrap().to_str().unwrap().to_owned(), whole)
}

#[test]
fn after_a_kill_only_what_is_missing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = start(folder.path(), None);
    let (rows, _) = listen(&mut first, 20);
    first.kill().unwrap();
    first.wait().unwrap();
    let (uuid, finished) = journal(folder.path());
    // All that had started but what was under way: four functions, and rows whose evaluations were not done.
    assert!(finished > 0 && finished <= rows.len(), "{finished} of {}", rows.len());

    let mut second = start(folder.path(), Some(&uuid));
    let (rows, done) = listen(&mut second, usize::MAX);
    assert!(second.wait().unwrap().success());
    assert_eq!(rows.len(), ROWS - finished, "no finished row was paid for again");
    assert_eq!(done, Some(format!("{ROWS} {finished} Completed 0.5")));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = start(folder.path(), None);
    let (before, _) = listen(&mut first, 20);
    assert!(Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap().success());
    let (after, done) = listen(&mut first, usize::MAX);
    assert!(first.wait().unwrap().success(), "the program goes on to its end");
    let done = done.unwrap();
    let (uuid, finished) = journal(folder.path());
    assert!(before.len() + after.len() < ROWS, "it was ended early");
    assert!(done.starts_with(&format!("{finished} 0 Interrupted")), "{done}");

    let mut second = start(folder.path(), Some(&uuid));
    let (rows, done) = listen(&mut second, usize::MAX);
    assert!(second.wait().unwrap().success());
    assert_eq!((rows.len(), done), (ROWS - finished, Some(format!("{ROWS} {finished} Completed 0.5"))));
}
