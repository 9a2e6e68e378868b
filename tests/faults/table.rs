//! The faults at full size, as a table: what of 1,000 calls is lost, and how long the program takes to end.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::{
    hostile::{Hostile, Manner},
    program::{LOGS_PER_CALL, Ran, start},
};

const CALLS: usize = 1_000;
const LOGS: usize = CALLS * LOGS_PER_CALL;

/// One line of the table.
struct Fault {
    what: &'static str,
    /// What the server does until it is good; `None` while it is not there.
    manner: Option<Manner>,
    /// How long it does so; `None` until the program has ended.
    lasts: Option<Duration>,
    environment: &'static [(&'static str, &'static str)],
}

const fn fault(what: &'static str, manner: Manner) -> Fault {
    Fault { what, manner: Some(manner), lasts: None, environment: &[] }
}

const ENDS_AT_ONCE: &[(&str, &str)] = &[("END", "_exit")];
const KILLED: &[(&str, &str)] = &[("END", "wait")];
const LIVES_ON: &[(&str, &str)] = &[("FLUSH_MS", "60000")];

const FAULTS: &[Fault] = &[
    fault("nothing is wrong", Manner::Good),
    fault("each request takes 2 s", Manner::TakesItsTime(2_000)),
    Fault { what: "down for 5 s, program ends", manner: None, lasts: Some(Duration::from_secs(5)), environment: &[] },
    Fault { what: "down for 15 s, program ends", manner: None, lasts: Some(Duration::from_secs(15)), environment: &[] },
    Fault {
        what: "down for 15 s, program lives on",
        manner: None,
        lasts: Some(Duration::from_secs(15)),
        environment: LIVES_ON,
    },
    Fault {
        what: "answers 500 for 5 s",
        manner: Some(Manner::Says(500)),
        lasts: Some(Duration::from_secs(5)),
        environment: &[],
    },
    fault("answers 429 with `Retry-After`", Manner::SaysLater),
    fault("answers 401", Manner::Says(401)),
    fault("resets in the midst of a body", Manner::Resets),
    fault("hangs", Manner::Hangs),
    fault("answers one byte at a time", Manner::Dribbles),
    fault("answers half", Manner::HalfAnswers),
    fault("answers a page of HTML", Manner::Babbles),
    Fault { what: "good; `_exit` at once", manner: Some(Manner::Good), lasts: None, environment: ENDS_AT_ONCE },
    Fault {
        what: "good; `_exit` at once, durable",
        manner: Some(Manner::Good),
        lasts: None,
        environment: &[("END", "_exit"), ("DURABLE", "1")],
    },
    Fault { what: "hangs; SIGKILL a second later", manner: Some(Manner::Hangs), lasts: None, environment: KILLED },
    Fault {
        what: "hangs; `abort` at once, durable",
        manner: Some(Manner::Hangs),
        lasts: None,
        environment: &[("END", "abort"), ("DURABLE", "1")],
    },
];

async fn line(fault: &Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}");
    let folder = tempfile::tempdir().unwrap();
    // Without a manner nobody listens.
    let mut listener = Some(listener);
    let server = fault.manner.zip(listener.take()).map(|(manner, listener)| Hostile::on(listener, manner));
    let begun = Instant::now();
    let environment = [&[("PAREA_BASE_URL", &*url), ("CALLS", "1000")], fault.environment].concat();
    let mut program = start(folder.path(), &environment);
    let killed = fault.environment == KILLED;
    let ended = async {
        if killed {
            tokio::time::sleep(Duration::from_secs(1)).await;
            program.kill();
        }
        let ran = program.wait().await;
        (ran, begun.elapsed())
    };
    let good = async {
        let Some(lasts) = fault.lasts else { return server };
        tokio::time::sleep(lasts).await;
        let server = match server {
            Some(server) => server,
            None => Hostile::on(TcpListener::bind(address).await.unwrap(), Manner::Good),
        };
        server.behave(Manner::Good);
        Some(server)
    };
    let ((ran, took), server) = tokio::join!(ended, good);
    let server = server.unwrap();
    let (delivered, requests) = (server.count(), server.requests());
    server.behave(Manner::Good);
    if delivered < LOGS {
        // The next run, which does nothing but send what was left.
        let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("END", "tidy")];
        start(folder.path(), &environment).wait().await;
    }
    let init = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("INIT "))
        .map_or("–".to_owned(), |micros| format!("{:.1} ms", micros.trim().parse::<f64>().unwrap() / 1_000.0));
    format!(
        "| {} | {delivered} | {} | {} | {requests} | {init} | {} |",
        fault.what,
        server.count() - delivered,
        LOGS - server.count(),
        if killed { "–".to_owned() } else { format!("{:.1} s", exit_after(&ran, took).as_secs_f64()) },
    )
}

/// How long the program took from its last call to its end.
fn exit_after(ran: &Ran, took: Duration) -> Duration {
    let called = ran.stdout.lines().find_map(|line| line.strip_prefix("CALLED ")).unwrap();
    took.saturating_sub(Duration::from_millis(called.trim().parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute long: run by `cargo xtask faults`"]
async fn full_size() {
    println!("\n| the server, the program | delivered | by the next run | lost | requests | init | exit after |");
    println!("|---|---|---|---|---|---|---|");
    for fault in FAULTS {
        println!("{}", line(fault).await);
    }
}
