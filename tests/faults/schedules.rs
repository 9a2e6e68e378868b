//! Whatever comes together, and in whatever order: the books are right at each moment, and so is what arrives.
//!
//! `SCHEDULES=200 cargo test --test faults schedules` tries more of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use fastrand::Rng;
use parea::{DropReason, FlushReport};
use serde_json::{Value, json};

use crate::{
    hostile::{CHOKER, Hostile, MOST_TAKEN, Manner, POISON},
    program::{print_report, run, segments, start_program},
    unix,
};

/// What is up to chance in a run, by the number of the schedule. The rest is the scheduler's and the server's.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    seed: u64,
    /// 0: no spool at all.
    spool_bytes: u64,
    queue_bytes: usize,
    durable: bool,
    /// Whether the server gets well while the program lives, or only for the next one.
    mends: bool,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            spool_bytes: [512 << 20, 0, 60_000][seed as usize % 3],
            queue_bytes: [64 << 20, 100_000][seed as usize / 3 % 2],
            durable: seed % 5 == 4,
            mends: seed / 6 % 2 == 1,
        }
    }

    /// Whether nothing is lost but what the server does not take.
    fn has_room(&self) -> bool {
        self.queue_bytes == 64 << 20 && (self.mends || self.spool_bytes == 512 << 20)
    }
}

// ---- the program ----

/// Logs of calls that have begun and of those that have ended.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Calls; those with a text that no strict server takes, with one on which it fails, and with one that is too long for it.
static CALLS: AtomicU64 = AtomicU64::new(0);
static POISONED: AtomicU64 = AtomicU64::new(0);
static CHOKERS: AtomicU64 = AtomicU64::new(0);
static LONG: AtomicU64 = AtomicU64::new(0);

#[parea::trace]
fn outer(n: u64, text: &str) -> usize {
    inner(n);
    text.len()
}

#[parea::trace]
fn inner(n: u64) -> u64 {
    n
}

fn call(rng: &mut Rng) {
    let text = match rng.u32(..400) {
        0..6 => {
            POISONED.fetch_add(1, Ordering::SeqCst);
            POISON.to_owned()
        }
        6 => {
            LONG.fetch_add(1, Ordering::SeqCst);
            "long ".repeat(MOST_TAKEN / 5)
        }
        7 => {
            CHOKERS.fetch_add(1, Ordering::SeqCst);
            CHOKER.to_owned()
        }
        _ => "word ".repeat(rng.usize(..100)),
    };
    BEGUN.fetch_add(2, Ordering::SeqCst);
    outer(CALLS.fetch_add(1, Ordering::SeqCst), &text);
    ENDED.fetch_add(2, Ordering::SeqCst);
}

/// A flush whose report is of no less than had ended before and no more than had begun by its end.
fn flush(timeout: Duration) -> FlushReport {
    let ended = ENDED.load(Ordering::SeqCst);
    let report = parea::flush(timeout);
    let begun = BEGUN.load(Ordering::SeqCst);
    assert!((ended..=begun).contains(&report.finished()), "{ended}..={begun}: {report}");
    report
}

/// What has come to an end never comes back.
fn assert_later(before: &FlushReport, after: &FlushReport) {
    assert!(before.delivered <= after.delivered && before.finished() <= after.finished(), "{before}\n{after}");
    for (reason, count) in &before.dropped {
        assert!(after.dropped.get(reason) >= Some(count), "{before}\n{after}");
    }
}

/// Flushes now and then, as other threads do at the same time.
fn flushes(mut rng: Rng, most: u32) {
    let mut before = FlushReport::default();
    for _ in 0..rng.u32(..most) {
        thread::sleep(Duration::from_millis(rng.u64(..20)));
        let after = flush(Duration::from_millis(rng.u64(..40)));
        assert_later(&before, &after);
        before = after;
    }
}

extern "C" fn at_the_very_end() {
    print_report(&parea::flush(Duration::ZERO));
}

#[test]
#[ignore = "a program that the other tests start"]
fn scheduled() {
    let schedule = Schedule::new(std::env::var("SEED").unwrap().parse().unwrap());
    // Behind the hook by which the last logs are rescued.
    unix::at_exit(at_the_very_end);
    let guard = parea::builder()
        .project("faults")
        .deadline(Duration::from_millis(200))
        .spool_bytes(schedule.spool_bytes)
        .queue_bytes(schedule.queue_bytes)
        .durable(schedule.durable)
        .init()
        .unwrap();
    let mut rng = Rng::with_seed(schedule.seed);
    let mut before = FlushReport::default();
    for _ in 0..12 {
        thread::scope(|scope| {
            for _ in 0..rng.u32(1..5) {
                let mut rng = rng.fork();
                scope.spawn(move || (0..rng.u32(..60)).for_each(|_| call(&mut rng)));
            }
            for _ in 0..2 {
                let rng = rng.fork();
                scope.spawn(move || flushes(rng, 4));
            }
        });
        // Now that nobody records there is but one right answer.
        let timeout = if rng.bool() { 0 } else { rng.u64(..150) };
        let after = flush(Duration::from_millis(timeout));
        assert_eq!((after.finished(), after.open), (ENDED.load(Ordering::SeqCst), 0), "{after}");
        assert_later(&before, &after);
        before = after;
    }
    if schedule.mends {
        fs::write("ready", "").unwrap();
        while !fs::exists("mended").unwrap() {
            thread::sleep(Duration::from_millis(5));
        }
        // Each flush has the server tried again.
        while flush(Duration::from_millis(50)).spooled > 0 {}
        let report = flush(Duration::from_secs(60));
        assert_eq!((report.spooled, report.pending), (0, 0), "{report}");
        assert_later(&before, &report);
    }
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    println!(
        "\nMADE {}",
        json!({"logs": count(&ENDED), "calls": count(&CALLS), "poisoned": count(&POISONED), "long": count(&LONG),
               "chokers": count(&CHOKERS)})
    );
    drop(guard);
}

// ---- what became of it ----

/// Counts by reason.
type Counts = BTreeMap<String, u64>;

fn add(sum: &mut Counts, further: &Value) {
    for (reason, count) in further.as_object().unwrap() {
        *sum.entry(reason.clone()).or_default() += count.as_u64().unwrap();
    }
}

/// What the server was told of losses.
fn told(server: &Hostile) -> Counts {
    let mut told = Counts::new();
    for (counts, _) in server.losses() {
        for part in counts.split(", ") {
            let (reason, count) = part.split_once('=').unwrap();
            *told.entry(reason.to_owned()).or_default() += count.parse::<u64>().unwrap();
        }
    }
    told
}

/// Runs one, and a second program that sends what the first has left. Returns what was dropped.
async fn comes_out_even(schedule: Schedule) -> Counts {
    let server = Hostile::start(Manner::IsMoody).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let seed = schedule.seed.to_string();
    let program = start_program("schedules::scheduled", folder.path(), &[("PAREA_BASE_URL", &*url), ("SEED", &*seed)]);
    let program = tokio::spawn(program.wait());
    while schedule.mends && !program.is_finished() && !folder.path().join("ready").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if schedule.mends {
        server.behave(Manner::IsStrict);
        fs::write(folder.path().join("mended"), "").unwrap();
    }
    let ran = program.await.unwrap();
    let shown = format!("{schedule:?}\n{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.status.success() && !ran.stderr.contains("panicked"), "{shown}");

    // The books of the first.
    let made: Value = serde_json::from_str(ran.last("MADE")).unwrap();
    let made = |what: &str| made[what].as_u64().unwrap();
    let report = ran.report();
    let number = |what: &str| report[what].as_u64().unwrap();
    assert_eq!((number("finished"), number("open")), (made("logs"), 0), "{shown}");
    let texts: Vec<_> = segments(folder.path()).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    // Without those that it was told not to send again.
    let lines: usize = texts.iter().map(|text| text.lines().filter(|line| !line.starts_with('#')).count()).sum();
    // A file keeps what was sent of it until all of it was.
    assert!(lines as u64 >= number("spooled"), "{lines} lines: {shown}");
    assert!(number("delivered") <= server.count() as u64, "{shown}");

    // The next program.
    server.behave(Manner::IsStrict);
    let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "1"), ("FLUSH_MS", "10000")];
    let next = run(folder.path(), &[&environment[..], &[("EARLIER", &lines.to_string())]].concat()).await;
    let earlier = &next.report()["earlier"];
    let mut dropped = Counts::new();
    add(&mut dropped, &earlier["dropped"]);
    let shown = format!("{shown}\n{}\n{}", next.stdout, next.stderr);
    assert_eq!(earlier["delivered"].as_u64().unwrap() + dropped.values().sum::<u64>(), lines as u64, "{shown}");
    assert!(segments(folder.path()).is_empty(), "{shown}");

    // All that was made has arrived, once, or is counted among the dropped.
    add(&mut dropped, &report["dropped"]);
    let mut logs = server.logs();
    logs.retain(|_, log| log["trace_name"] != "root" && log["trace_name"] != "child");
    let known: HashSet<_> =
        logs.values().map(|log| (log["trace_name"].as_str().unwrap(), log["inputs"]["n"].as_u64().unwrap())).collect();
    assert_eq!(known.len(), logs.len(), "one id for each: {shown}");
    assert!(known.iter().all(|(name, n)| ["outer", "inner"].contains(name) && *n < made("calls")), "{shown}");
    let missing = made("logs") - logs.len() as u64;
    // A machine with more to do than it can may come to the deadline before all is written.
    let lost = dropped.values().sum::<u64>() + number("pending");
    let never = made("poisoned") + made("long") + made("chokers");
    assert!(missing >= never && missing <= lost, "{missing}: {shown}");
    let told = told(&server);
    assert_eq!(told, dropped, "{shown}");
    if schedule.mends {
        assert_eq!((lines, number("pending")), (0, 0), "{shown}");
    }
    let is_in_time = number("pending") == 0 && !dropped.contains_key(DropReason::SpoolFailed.as_str());
    if schedule.has_room() && is_in_time {
        assert_eq!((missing, lost), (never, never), "{dropped:?}: {shown}");
    }
    if schedule.has_room() && schedule.mends {
        let expected =
            [("rejected", made("poisoned")), ("too_large", made("long")), ("server_failed", made("chokers"))];
        let expected = expected.into_iter().filter(|(_, count)| *count > 0);
        assert_eq!(dropped, expected.map(|(reason, count)| (reason.to_owned(), count)).collect(), "{shown}");
    }
    dropped
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_are_right_whatever_comes_together() {
    const AT_ONCE: usize = 6;
    let schedules: u64 = std::env::var("SCHEDULES").map_or(12, |text| text.parse().unwrap());
    let (mut reasons, mut waiting) = (BTreeSet::new(), (0..schedules).map(Schedule::new));
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(schedule) = waiting.next()
        {
            running.spawn(comes_out_even(schedule));
        }
        let Some(dropped) = running.join_next().await else { break };
        reasons.extend(dropped.unwrap().into_keys());
    }
    // Among them they had every loss that there is without a broken disk.
    let reasons_of = [
        DropReason::QueueFull,
        DropReason::TooLarge,
        DropReason::Rejected,
        DropReason::SpoolFull,
        DropReason::ServerFailed,
    ];
    for reason in reasons_of {
        assert!(reasons.contains(reason.as_str()), "{reason:?} is not among {reasons:?}");
    }
}
