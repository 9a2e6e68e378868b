//! What was lost is told once, whoever dies and whatever answer never comes.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parea_server::{Config, Server};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    hostile::{Hostile, Manner},
    program::{run, segments, start},
    spool::{get, kept_losses},
};

/// Stands before a server and swallows its answers to what tells of losses, so many of them.
struct Swallower {
    address: SocketAddr,
    hunger: Arc<AtomicUsize>,
}

impl Swallower {
    async fn start(server: &str, hunger: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hunger = Arc::new(AtomicUsize::new(hunger));
        let (server, left) = (server.trim_start_matches("http://").to_owned(), Arc::clone(&hunger));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server.clone(), Arc::clone(&left)));
            }
        });
        Self { address, hunger }
    }

    fn left(&self) -> usize {
        self.hunger.load(Ordering::SeqCst)
    }
}

async fn relay(mut client: TcpStream, server: String, hunger: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let head = loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let header = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    let length = header.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while request.len() < head + 4 + length {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    request.splice(head..head, *b"\r\nconnection: close");
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&request).await?;
    stream.read_to_end(&mut answer).await?;
    let eats = |left: usize| left.checked_sub(1);
    let tells = header.contains("x-parea-losses: ");
    if tells && hunger.fetch_update(Ordering::SeqCst, Ordering::SeqCst, eats).is_ok() {
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        return Ok(());
    }
    client.write_all(&answer).await
}

/// What the server has counted, by reason.
async fn counted(url: &str, reason: &str) -> Option<u64> {
    let address = url.trim_start_matches("http://").to_owned();
    let figures = tokio::task::spawn_blocking(move || get(&address, "/metrics")).await.unwrap();
    let line = format!("parea_client_losses_total{{reason=\"{reason}\"}} ");
    figures.lines().find_map(|figure| figure.strip_prefix(&line)).map(|count| count.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_told_with_a_batch_are_counted_once_however_often_the_answer_is_lost() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: data.path().to_owned(), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let swallower = Swallower::start(server.url(), 2).await;
    let url = format!("http://{}", swallower.address);
    let environment = [
        ("PAREA_BASE_URL", &*url),
        ("CALLS", "3000"),
        ("QUEUE_BYTES", "20000"),
        ("SETTLES", "1"),
        ("FLUSH_MS", "9000"),
    ];
    let report = run(folder.path(), &environment).await.report();
    let lost = report["dropped"]["queue_full"].as_u64().unwrap();
    assert!(lost > 0 && report["delivered"].as_u64().unwrap() == 6_000 - lost, "{report}");
    assert_eq!((counted(server.url(), "queue_full").await, swallower.left()), (Some(lost), 0), "{report}");
    // Whether it has heard the answer at last or not.
    run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "1"), ("FLUSH_MS", "9000")]).await;
    assert_eq!((counted(server.url(), "queue_full").await, kept_losses(folder.path())), (Some(lost), 0), "{report}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_told_by_another_process_to_another_server_are_still_counted_once() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config =
        |port| Config { listen: ([127, 0, 0, 1], port).into(), data: data.path().to_owned(), ..Config::default() };
    let server = Server::bind(config(0)).await.unwrap().spawn();
    let swallower = Swallower::start(server.url(), usize::MAX).await;
    let url = format!("http://{}", swallower.address);
    let address = server.url().to_owned();
    let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    server.shutdown().await;
    // One that has no room, while no server is there.
    let shared = ("PAREA_BASE_URL", &*url);
    let full = [shared, ("CALLS", "400"), ("SPOOL_BYTES", "30000"), ("DEADLINE_MS", "100"), ("END", "exit")];
    run(folder.path(), &full).await;
    let lost = kept_losses(folder.path());
    assert!(lost > 0);
    // The next ones tell of them, and hear nothing.
    let server = Server::bind(config(port)).await.unwrap().spawn();
    for told in 1..3 {
        run(folder.path(), &[shared, ("CALLS", "1"), ("FLUSH_MS", "9000")]).await;
        assert_eq!((counted(&address, "spool_full").await, kept_losses(folder.path())), (Some(lost), lost));
        assert_eq!(swallower.left(), usize::MAX - told);
    }
    server.shutdown().await;
    // The one after it tells the next server, which knows.
    let server = Server::bind(config(port)).await.unwrap().spawn();
    swallower.hunger.store(0, Ordering::SeqCst);
    let ran = run(folder.path(), &[shared, ("CALLS", "1"), ("FLUSH_MS", "9000")]).await;
    assert_eq!((counted(&address, "spool_full").await, kept_losses(folder.path())), (None, 0), "{}", ran.report());
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_program_has_told_of_its_spool_is_not_told_again() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    // More than goes into one request, so that the file is there when the first refusals have been told.
    let environment =
        [("PAREA_BASE_URL", &*url), ("CALLS", "2000"), ("POISONED", "3 4 90"), ("END", "wait"), ("DURABLE", "1")];
    let mut program = start(folder.path(), &environment);
    while !folder.path().join("ready").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.behave(Manner::IsStrictUntilLosses);
    let heard = async {
        while server.losses().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), heard).await.unwrap();
    program.kill();
    program.wait().await;
    let text = fs::read_to_string(&segments(folder.path())[0]).unwrap();
    let (given_up, rest): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('#'));
    assert_eq!((given_up.len(), rest.len()), (3, 2 * 1_997));
    server.behave(Manner::IsStrict);
    let lines = rest.len().to_string();
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "1"), ("EARLIER", &*lines)]).await;
    assert_eq!(ran.report()["earlier"], json!({"delivered": rest.len(), "dropped": {}}));
    assert_eq!((server.losses(), server.count()), (vec![("rejected=3".to_owned(), "p".to_owned())], rest.len() + 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_program_gave_up_and_could_not_tell_is_told_for_it() {
    let server = Hostile::start(Manner::Says(503)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "10"), ("DEADLINE_MS", "10"), ("END", "exit")];
    run(folder.path(), &environment).await;
    // As if it had died right after it wrote this.
    let file = segments(folder.path()).pop().unwrap();
    let mut text = fs::read_to_string(&file).unwrap();
    for (line, mark) in [(2, "#a-1 rejected "), (5, "#a-2 too_large "), (9, "#a-1 rejected ")] {
        let begin = text.match_indices('\n').nth(line).unwrap().0 + 1;
        text.replace_range(begin..begin + mark.len(), mark);
    }
    fs::write(&file, text).unwrap();
    server.behave(Manner::Good);
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("EARLIER", "17")]).await;
    assert_eq!(ran.report()["earlier"], json!({"delivered": 17, "dropped": {}}), "{}", ran.stderr);
    let mut told = server.losses();
    told.sort();
    assert_eq!(told, ["rejected=2", "too_large=1"].map(|counts| (counts.to_owned(), "p".to_owned())));
}

/// Runs the program on a disk of so many bytes, which is full when the program comes, or by what it spools. Returns what it
/// says, and the losses that lie there afterwards. `None` where nobody may have a disk of his own.
#[cfg(target_os = "linux")]
async fn on_a_small_disk(url: &str, before: &str) -> Option<(String, u64)> {
    use std::process::Command;
    let kept = tempfile::tempdir().unwrap();
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size=200k none disk && cd disk && {before}
         $0 program::program --exact --ignored --nocapture >../said 2>&1; cp -r .parea .. || true"
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]);
    if !command.arg("true").output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &*script]).arg(std::env::current_exe().unwrap());
    let environment = [("CALLS", "600"), ("PACE_US", "1000"), ("DEADLINE_MS", "200"), ("END", "exit")];
    command.envs(environment).env("PAREA_BASE_URL", url).env_remove("PAREA_API_KEY").current_dir(kept.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = fs::read_to_string(kept.path().join("said"));
    let said = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Some((said, kept_losses(kept.path())))
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_still_takes_the_count_of_what_it_did_not() {
    let server = Hostile::start(Manner::Says(503)).await;
    let Some((said, kept)) = on_a_small_disk(&server.url(), "").await else { return };
    let lost = said.split("(spool_full=").last().unwrap().split(')').next().unwrap();
    assert_eq!(kept.to_string(), lost, "{said}");
    // Where not even that has room the user is told.
    let (said, kept) = on_a_small_disk(&server.url(), "dd if=/dev/zero of=full bs=1k 2>&-;").await.unwrap();
    assert!(said.contains("1200 dropped (spool_full=1200)") && kept == 0, "{kept}: {said}");
}
