//! The faults at full size, as a table: what of 1,000 calls is lost, and how long the program takes to end.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tokio::net::TcpListener;

use crate::{
    hostile::{Hostile, Manner},
    program::{LOGS_PER_CALL, Ran, start},
    tls,
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
    /// Logs of the program.
    logs: usize,
    /// The server has a certificate that nobody has signed until the next run, which trusts it.
    untrusted: bool,
}

const fn fault(what: &'static str, manner: Manner) -> Fault {
    Fault { what, manner: Some(manner), lasts: None, environment: &[], logs: LOGS, untrusted: false }
}

impl Fault {
    const fn lasts(self, seconds: u64) -> Self {
        Self { lasts: Some(Duration::from_secs(seconds)), ..self }
    }

    const fn with(self, environment: &'static [(&'static str, &'static str)]) -> Self {
        Self { environment, ..self }
    }
}

const fn down(what: &'static str) -> Fault {
    Fault { manner: None, ..fault(what, Manner::Good) }
}

const KILLED: &[(&str, &str)] = &[("END", "wait")];
const SIGTERM: &[(&str, &str)] = &[("END", "sigterm")];
const KILLED_DURABLE: &[(&str, &str)] = &[("END", "wait"), ("DURABLE", "1")];

const FAULTS: &[Fault] = &[
    fault("nothing is wrong", Manner::Good),
    fault("each request takes 2 s", Manner::TakesItsTime(2_000)),
    down("down for 5 s, program ends").lasts(5),
    down("down for 15 s, program ends").lasts(15),
    down("down for 15 s, program lives on").lasts(15).with(&[("FLUSH_MS", "60000")]),
    fault("answers 500 for 5 s", Manner::Says(500)).lasts(5),
    fault("answers 429 with `Retry-After`", Manner::SaysLater(1)),
    fault("answers 401", Manner::Says(401)),
    fault("resets in the midst of a body", Manner::Resets),
    fault("answers 413 to more than 64 KB", Manner::TakesOnly(64 * 1024)),
    fault("answers without end", Manner::Floods),
    Fault { untrusted: true, ..fault("has a certificate that nobody has signed", Manner::Good) },
    fault("hangs", Manner::Hangs),
    fault("answers one byte at a time", Manner::Dribbles),
    fault("answers half", Manner::HalfAnswers),
    fault("answers a page of HTML", Manner::Babbles),
    fault("resets for 2 s under the program", Manner::Resets).lasts(2).with(&[("PACE_US", "4000")]),
    fault("good; returns, the guard forgotten", Manner::Good).with(&[("END", "forget")]),
    fault("good; panics in `main`", Manner::Good).with(&[("END", "panic")]),
    fault("good; `std::process::exit` on a thread", Manner::Good).with(&[("END", "thread_exits")]),
    fault("good; SIGTERM at once, `flush_on_signals`", Manner::Good).with(SIGTERM),
    Fault { logs: LOGS + 201, ..fault("good; forks, 50 calls on both sides", Manner::Good).with(&[("END", "fork")]) },
    fault("good; `_exit` at once", Manner::Good).with(&[("END", "_exit")]),
    fault("good; `_exit` at once, durable", Manner::Good).with(&[("END", "_exit"), ("DURABLE", "1")]),
    fault("good; SIGKILL at once", Manner::Good).with(KILLED),
    fault("good; SIGKILL at once, durable", Manner::Good).with(KILLED_DURABLE),
    fault("hangs; `abort` at once, durable", Manner::Hangs).with(&[("END", "abort"), ("DURABLE", "1")]),
];

/// What came of it.
struct Outcome {
    what: &'static str,
    logs: usize,
    delivered: usize,
    by_the_next_run: usize,
    requests: usize,
    init: Option<Duration>,
    /// From the last call to the end of the process.
    exit: Option<Duration>,
}

impl Outcome {
    fn lost(&self) -> usize {
        self.logs - self.delivered - self.by_the_next_run
    }

    fn exit(&self) -> String {
        self.exit.map_or("–".to_owned(), |exit| format!("{:.1} s", exit.as_secs_f64()))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, delivered, by_the_next_run, requests, .. } = self;
        write!(f, "| {what} | {delivered} | {by_the_next_run} | {} | {requests} | {} |", self.lost(), self.exit())
    }
}

async fn outcome(fault: &Fault) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = if fault.untrusted { tls::in_front_of(address, "good.pem") } else { format!("http://{address}") };
    let authority = tls::file("authority.pem").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    // Without a manner nobody listens.
    let mut listener = Some(listener);
    let server = fault.manner.zip(listener.take()).map(|(manner, listener)| Hostile::on(listener, manner));
    let begun = Instant::now();
    let environment = [&[("PAREA_BASE_URL", &*url), ("CALLS", "1000")], fault.environment].concat();
    let mut program = start(folder.path(), &environment);
    let killed = [KILLED, KILLED_DURABLE].contains(&fault.environment);
    let ended = async {
        if killed || fault.environment == SIGTERM {
            while !folder.path().join("ready").exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        if killed {
            program.kill();
        }
        #[cfg(unix)]
        if fault.environment == SIGTERM {
            crate::unix::send(libc::SIGTERM, program.id());
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
    if delivered < fault.logs {
        // The next run, which does nothing but send what was left.
        let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "0"), ("END", "tidy"), ("SSL_CERT_FILE", &*authority)];
        start(folder.path(), &environment).wait().await;
    }
    let init = ran.stdout.lines().find_map(|line| line.strip_prefix("INIT "));
    Outcome {
        what: fault.what,
        logs: fault.logs,
        delivered,
        by_the_next_run: server.count() - delivered,
        requests,
        init: init.map(|micros| Duration::from_micros(micros.trim().parse().unwrap())),
        exit: (!killed).then(|| exit_after(&ran, took)),
    }
}

/// How long the program took from its last call to its end.
fn exit_after(ran: &Ran, took: Duration) -> Duration {
    let called = ran.stdout.lines().find_map(|line| line.strip_prefix("CALLED ")).unwrap();
    took.saturating_sub(Duration::from_millis(called.trim().parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes long: run by `cargo xtask faults`"]
async fn full_size() {
    println!("\n| the server, the program | delivered | by the next run | lost | requests | exit after |");
    println!("|---|---|---|---|---|---|");
    let mut outcomes = Vec::new();
    for fault in FAULTS {
        let outcome = outcome(fault).await;
        println!("{outcome}");
        outcomes.push(outcome);
    }
    let of = |what: &str| outcomes.iter().find(|outcome| outcome.what == what).unwrap();
    // The logs of a call make one call.
    let lost = |what: &str| of(what).lost().div_ceil(LOGS_PER_CALL);
    let at_once = |how: &str| format!("{}; durable {}", lost(how), lost(&format!("{how}, durable")));
    let down = of("down for 5 s, program ends");
    println!("\n| of 1,000 calls | Parea Python | Parea TypeScript | Opik Python | parea |\n|---|---|---|---|---|");
    for (row, peers, ours) in [
        ("HTTP requests", "1,000 | 1,000 | a few", of("nothing is wrong").requests.to_string()),
        ("lost by `_exit` at once", "4 | 1,000 | 1,000", at_once("good; `_exit` at once")),
        ("lost by SIGKILL at once", "0 to 1 | 1,000 | 1,000", at_once("good; SIGKILL at once")),
        (
            "lost, server down for 5 s, program ends",
            "0, exit 7.5 s later | 47 to 813 | 1,000",
            format!("{}, exit {} later", lost(down.what), down.exit()),
        ),
        (
            "lost, server down for 15 s, program ends / lives on",
            "774 / 855 | 1,000 / 1,000 | 1,000 / 0",
            format!("{} / {}", lost("down for 15 s, program ends"), lost("down for 15 s, program lives on")),
        ),
        ("lost, 500 for 5 s", "0 | 1,000 | 0; 1,000 if its ping fails", lost("answers 500 for 5 s").to_string()),
        (
            "exit, each request takes 2 s",
            "31 s later, 893 threads | 2.8 s later | 3.6 s later",
            format!("{} later", of("each request takes 2 s").exit()),
        ),
        ("start, server down", "8.0 s | at once | 0.07 s", format!("{:.1?}", down.init.unwrap())),
    ] {
        println!("| {row} | {peers} | {ours} |");
    }
}
