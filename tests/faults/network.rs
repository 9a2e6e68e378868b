//! What networks and servers do.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;

use crate::{
    hostile::{Hostile, Manner},
    program::{LOGS_PER_CALL, run, start},
};

const CALLS: usize = 50;
const LOGS: usize = CALLS * LOGS_PER_CALL;

/// A program that meets the fault from its begin to its end, and the next one, which meets a good server.
async fn misbehaves(manner: Manner) {
    let server = Hostile::start(manner).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "50"), ("DEADLINE_MS", "700")];
    let first = run(folder.path(), &environment).await;
    let report = first.report();
    assert!(first.status.success(), "{manner:?}: {}", first.stderr);
    assert_eq!(
        (&report["finished"], &report["pending"], &report["dropped"], &report["open"]),
        (&json!(LOGS), &json!(0), &json!({}), &json!(0)),
        "{manner:?}: {report}"
    );
    server.behave(Manner::Good);
    let spooled = report["spooled"].to_string();
    let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "1"), ("FIRST", "50"), ("EARLIER", &*spooled)];
    let second = run(folder.path(), &environment).await;
    assert_eq!(
        (second.report()["earlier"]["delivered"].to_string(), server.count()),
        (spooled, LOGS + LOGS_PER_CALL),
        "{manner:?}: {report}, then {}",
        second.report()
    );
    let spooled_first: Vec<_> = server.numbers("root");
    assert_eq!(spooled_first, (0..=CALLS as u64).collect::<Vec<_>>(), "{manner:?}: in order, the old ones first");
    assert_eq!(second.stderr, "", "{manner:?}");
}

macro_rules! misbehaves {
    ($($name:ident: $manner:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                misbehaves($manner).await;
            }
        )*
    };
}

misbehaves! {
    it_resets_in_the_midst_of_a_body: Manner::Resets;
    it_hangs: Manner::Hangs;
    it_fails: Manner::Says(500);
    it_asks_for_a_pause: Manner::SaysLater(1);
    it_refuses_the_key: Manner::Says(401);
    it_is_another_server: Manner::Says(404);
    it_answers_half: Manner::HalfAnswers;
    it_answers_no_json: Manner::Babbles;
    it_answers_without_end: Manner::Floods;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_what_nobody_sent() {
    let server = Hostile::start(Manner::Miscounts).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "50")]).await;
    // One by one, where there is nothing to count.
    assert_eq!((&ran.report()["delivered"], server.count()), (&json!(LOGS), LOGS), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_not_kept() {
    let server = Hostile::start(Manner::Floods).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*url), ("CALLS", "1")]).await;
    let error = ran.report()["error"].to_string();
    assert!(error.contains("longer than 16777216 bytes"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_are_told_before_the_program_ends() {
    for durable in ["0", "1"] {
        let server = Hostile::start(Manner::Rejects).await;
        let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
        let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "50"), ("END", "forget"), ("DURABLE", durable)];
        let ran = run(folder.path(), &environment).await;
        assert!(ran.stderr.contains("dropped (rejected="), "{}", ran.stderr);
        let told: u64 = server
            .losses()
            .iter()
            .map(|(counts, _)| counts.strip_prefix("rejected=").unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(told, 100, "each of them once: {:?}", server.losses());
        assert!(server.losses().iter().all(|(_, project)| project == "p"), "{:?}", server.losses());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_one_byte_at_a_time() {
    let server = Hostile::start(Manner::Dribbles).await;
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &[("PAREA_BASE_URL", &*server.url()), ("CALLS", "50")]).await;
    assert_eq!((&ran.report()["delivered"], server.count()), (&json!(LOGS), LOGS));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_down_and_comes_back_under_the_program() {
    // Bound, so that nobody else gets the port, and refusing as long as nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let (folder, url) = (tempfile::tempdir().unwrap(), format!("http://{}", socket.local_addr().unwrap()));
    let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "300"), ("PACE_US", "2000"), ("FLUSH_MS", "20000")];
    let program = start(folder.path(), &environment);
    // While it runs, and its first batches have gone to the spool.
    while std::fs::read_dir(folder.path().join(".parea/spool")).map_or(0, Iterator::count) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let server = Hostile::on(socket.listen(64).unwrap(), Manner::Good);
    let ran = program.wait().await;
    assert_eq!((&ran.report()["delivered"], server.count()), (&json!(600), 600), "{}", ran.report());
    assert_eq!(server.numbers("root"), (0..300).collect::<Vec<_>>(), "in order");
    assert_eq!(ran.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_certificate_cannot_be_had() {
    let server = Hostile::start(Manner::Good).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url().replace("http:", "https:"));
    let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "50"), ("DEADLINE_MS", "300")];
    let ran = run(folder.path(), &environment).await;
    assert_eq!((&ran.report()["spooled"], server.count()), (&json!(LOGS), 0), "{}", ran.report());
    assert!(ran.stderr.contains("100 logs wait in "), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_a_pause_is_kept_to() {
    let server = Hostile::start(Manner::SaysLater(1)).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    // It flushes all the time, which else makes for another attempt.
    let environment =
        [("PAREA_BASE_URL", &*url), ("CALLS", "1"), ("EARLIER", "1"), ("FLUSH_MS", "1"), ("DEADLINE_MS", "1")];
    let mut program = start(folder.path(), &environment);
    while server.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let requests = server.requests();
    program.kill();
    program.wait().await;
    assert_eq!(requests, 1, "none before the second is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_needs_no_certificates() {
    let server = Hostile::start(Manner::Good).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let none = folder.path().join("none");
    let none = none.to_str().unwrap();
    let environment = [("PAREA_BASE_URL", &*url), ("SSL_CERT_FILE", none), ("SSL_CERT_DIR", none), ("CALLS", "5")];
    let ran = run(folder.path(), &environment).await;
    assert_eq!((&ran.report()["delivered"], server.count()), (&json!(10), 10), "{}", ran.stderr);
}
