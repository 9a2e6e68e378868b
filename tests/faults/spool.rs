//! Files that wait.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use parea::{
    ApiClient,
    types::{KeptLosses, QueryParamsPagination},
};
use parea_server::{Config, Server};
use serde_json::json;

use crate::{
    hostile::{Hostile, Manner},
    program::{run, segments, start},
};

#[tokio::test(flavor = "multi_thread")]
async fn damaged_lines_are_set_aside_and_the_others_sent() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "10"), ("DEADLINE_MS", "10")]).await;
    let file = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 21);
    // One line made of something else, one of the wrong letters, and a torn end.
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[second..second + 10].fill(0);
    let third = second + bytes[second..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[third + 20] = 0xff;
    bytes.truncate(bytes.len() - 100);
    fs::write(&file, bytes).unwrap();
    server.behave(Manner::Good);
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("EARLIER", "20")]).await;
    assert_eq!(
        (server.count(), &ran.report()["earlier"], &ran.report()["finished"]),
        (17, &json!({"delivered": 17, "dropped": {"damaged": 3}}), &json!(0))
    );
    let rejected = file.parent().unwrap().join("rejected");
    let kept = fs::read(fs::read_dir(&rejected).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert_eq!(kept.split(|byte| *byte == b'\n').count(), 4);
    assert!(!file.exists());
    assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_a_folder_and_send_each_log_once() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let shared = ("PAREA_BASE_URL", &*url);
    // One that is gone, and two at the same time that find what it left.
    run(folder.path(), &[shared, ("CALLS", "100"), ("DEADLINE_MS", "10")]).await;
    let programs = ["1000", "2000"].map(|first| {
        start(folder.path(), &[shared, ("CALLS", "200"), ("PACE_US", "1000"), ("FIRST", first), ("FLUSH_MS", "20000")])
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    server.behave(Manner::Good);
    let mut earlier = 0;
    for program in programs {
        let report = program.wait().await.report();
        assert_eq!((&report["delivered"], &report["spooled"]), (&json!(400), &json!(0)), "{report}");
        earlier += report["earlier"]["delivered"].as_u64().unwrap();
    }
    assert_eq!((earlier, server.count()), (200, 1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_counted_and_its_files_are_the_owners_alone() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let environment =
        [("PAREA_BASE_URL", &*url), ("CALLS", "400"), ("PACE_US", "500"), ("SPOOL_BYTES", "100000"), ("END", "exit")];
    let ran = run(folder.path(), &[&environment[..], &[("DEADLINE_MS", "100")]].concat()).await;
    assert!(ran.stderr.contains("(spool_full=") && ran.stderr.contains("it holds"), "{}", ran.stderr);
    let files = segments(folder.path());
    let size: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(size > 50_000 && size <= 100_000, "{size}");
    assert_eq!(fs::read_to_string(folder.path().join(".parea/.gitignore")).unwrap(), "*\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files[0]), 0o600);
        assert_eq!((mode(files[0].parent().unwrap()), mode(&folder.path().join(".parea"))), (0o700, 0o700));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_costs_nothing_while_the_program_lives() {
    // A file where the folder should be: even root cannot write below it.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "").unwrap();
    let server = Hostile::start(Manner::Says(503)).await;
    let url = server.url();
    let environment = [("PAREA_BASE_URL", &*url), ("FOLDER", "taken"), ("FLUSH_MS", "300"), ("DEADLINE_MS", "100")];
    let ran = run(folder.path(), &environment).await;
    let report = ran.report();
    // In memory, and told.
    assert_eq!((&report["pending"], &report["finished"]), (&json!(200), &json!(200)), "{report}");
    assert!(ran.stderr.contains("not every log was delivered: 0 delivered, 200 pending"), "{}", ran.stderr);
    assert!(ran.stderr.contains("200 dropped (spool_failed=200)"), "at the very end: {}", ran.stderr);
    // A server that comes back in time gets them.
    let program = start(folder.path(), &[("PAREA_BASE_URL", &*url), ("FOLDER", "taken"), ("FLUSH_MS", "20000")]);
    let before = server.requests();
    while server.requests() < before + 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    server.behave(Manner::Good);
    assert_eq!(program.wait().await.report()["delivered"], 200);
    // And where no server was named there is nobody left to wait for.
    let ran = run(folder.path(), &[("FOLDER", "taken")]).await;
    assert_eq!(ran.report()["dropped"], json!({"spool_failed": 200}), "{}", ran.report());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_leaves_whole_lines_and_a_count() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let environment =
        [("PAREA_BASE_URL", &*url), ("CALLS", "400"), ("PACE_US", "1000"), ("FILE_BYTES", "90000"), ("END", "exit")];
    let ran = run(folder.path(), &[&environment[..], &[("DEADLINE_MS", "100")]].concat()).await;
    let text: String = segments(folder.path()).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let whole = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert!(whole > 0 && whole == text.lines().count() && text.ends_with('\n'), "{whole} lines are whole");
    assert!(ran.stderr.contains(&format!("{whole} spooled, {} dropped (spool_failed=", 800 - whole)), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_program_left_without_a_server_is_taken_in_by_serve() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(folder.path(), &[("END", "wait"), ("DURABLE", "1")]);
    while !folder.path().join("ready").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    program.kill();
    program.wait().await;
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().join(".parea"), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let client = ApiClient::new(server.url(), None).unwrap();
    // It never ends if they are not taken in.
    while client.trace_logs(&QueryParamsPagination::new("faults")).await.unwrap().total < 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.shutdown().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_deleted_under_the_program_comes_back() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    for (deletions, first) in [(1, "0"), (2, "1000")] {
        let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "300"), ("PACE_US", "3000"), ("FIRST", first)];
        let program = start(folder.path(), &[&environment[..], &[("END", "forget"), ("DEADLINE_MS", "100")]].concat());
        for _ in 0..deletions {
            let is_written =
                || segments(folder.path()).iter().any(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0));
            while !is_written() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            fs::remove_dir_all(folder.path().join(".parea")).unwrap();
        }
        let ran = program.wait().await;
        assert!(ran.stderr.contains("600 logs wait in "), "{}", ran.stderr);
        server.behave(Manner::Good);
        let before = server.count();
        run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("EARLIER", "600")]).await;
        assert_eq!(server.count() - before, 600, "after {deletions}");
        server.behave(Manner::Says(503));
    }
}

pub(crate) fn get(address: &str, path: &str) -> String {
    let (mut stream, mut answer) = (TcpStream::connect(address).unwrap(), String::new());
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The losses that lie there, in all folders of the spool.
pub(crate) fn kept_losses(folder: &Path) -> u64 {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let spool = folder.join(".parea/spool");
    let files = entries(&spool).filter(|path| path.is_dir()).chain([spool.clone()]).flat_map(|folder| entries(&folder));
    let files = files.filter(|path| KeptLosses::is_file(path));
    let kept = files.map(|path| KeptLosses::read(&fs::read(path).unwrap()).unwrap());
    kept.flat_map(|kept| kept.losses).flat_map(|project| project.counts.into_values()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_that_no_server_heard_of_are_told_by_the_next_process_once() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let shared = ("PAREA_BASE_URL", &*url);
    // Two at once that have no room for their logs.
    let full = [shared, ("CALLS", "400"), ("SPOOL_BYTES", "30000"), ("DEADLINE_MS", "100"), ("END", "exit")];
    let programs = [start(folder.path(), &full), start(folder.path(), &full)];
    let mut lost = 0;
    for program in programs {
        let stderr = program.wait().await.stderr;
        let (_, said) = stderr.rsplit_once("(spool_full=").unwrap_or_else(|| panic!("{stderr}"));
        lost += said.split(')').next().unwrap().parse::<u64>().unwrap();
    }
    assert_eq!((kept_losses(folder.path()), server.losses().len()), (lost, 0));
    server.behave(Manner::Good);
    let expected = (1_600 - lost).to_string();
    // The next one tells of them, and the one after that of nothing.
    for earlier in [&*expected, "0"] {
        run(folder.path(), &[shared, ("CALLS", "1"), ("EARLIER", earlier), ("FLUSH_MS", "10000")]).await;
        let told = server.losses();
        let count =
            |(counts, _): &(String, String)| counts.strip_prefix("spool_full=").unwrap().parse::<u64>().unwrap();
        assert_eq!((told.iter().map(count).sum::<u64>(), kept_losses(folder.path())), (lost, 0), "{told:?}");
        assert!(told.iter().all(|(_, project)| project == "faults"), "{told:?}");
    }
    assert_eq!(server.count() as u64 + lost, 1_600 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_without_a_server_are_taken_in_by_serve_once() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let environment = [("CALLS", "400"), ("SPOOL_BYTES", "30000"), ("DEADLINE_MS", "2000"), ("END", "exit")];
        run(folder.path(), &environment).await;
    }
    let lost = kept_losses(folder.path());
    assert!(lost > 800, "{lost}");
    let config =
        || Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().join(".parea"), ..Config::default() };
    for expected in [format!("{{reason=\"spool_full\"}} {lost}\n"), String::new()] {
        let server = Server::bind(config()).await.unwrap().spawn();
        let client = ApiClient::new(server.url(), None).unwrap();
        let arrived = async || client.trace_logs(&QueryParamsPagination::new("faults")).await.unwrap().total;
        // It never ends if they are not taken in.
        while arrived().await.unsigned_abs() + lost < 1_600 || kept_losses(folder.path()) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let address = server.url().trim_start_matches("http://").to_owned();
        let figures = tokio::task::spawn_blocking(move || get(&address, "/metrics")).await.unwrap();
        server.shutdown().await;
        assert!(
            figures.contains(&expected) && figures.contains("client_losses_total{") != expected.is_empty(),
            "{figures}"
        );
    }
}
