//! The loads.

use std::{
    io::{self, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    http::Connection,
    process::{Served, broken},
    workload::{SPANS, Workload},
};
use crate::step::Failure;

const BATCHES: &str = "/api/parea/v1/trace_logs";
const SINGLE: &str = "/api/parea/v1/trace_log";

/// Connections that send batches.
const CONNECTIONS: u64 = 4;

/// How long a server is under load until it is killed.
const KILL: Duration = Duration::from_secs(2);

/// Scores in a batch.
const SCORES: usize = 512;

/// Traces in a batch: 512 spans.
const TRACES: u64 = 512 / SPANS;

/// What came of a load.
pub(super) struct Round {
    pub(super) spans: u64,
    pub(super) elapsed: Duration,
    /// Of each request.
    pub(super) answers: Vec<Duration>,
    /// Seconds that the server used, what it put off included as far as it did it meanwhile.
    pub(super) cpu: f64,
    /// From the last answer until the last span was found.
    pub(super) behind: Duration,
}

/// Runs `work` on some connections at once, each until it has no more to do.
fn drive(
    server: &Served,
    connections: u64,
    work: impl Fn(&mut Connection, &mut Vec<Duration>) -> io::Result<u64> + Sync,
) -> Result<Round, Failure> {
    let opened = (0..connections).map(|_| server.connect()).collect::<Result<Vec<_>, _>>()?;
    let (begun, cpu) = (Instant::now(), server.cpu());
    let done: Vec<io::Result<(u64, Vec<Duration>)>> = thread::scope(|scope| {
        let threads: Vec<_> = opened
            .into_iter()
            .map(|mut connection| {
                let work = &work;
                scope.spawn(move || {
                    let mut answers = Vec::new();
                    work(&mut connection, &mut answers).map(|spans| (spans, answers))
                })
            })
            .collect();
        let gone = || Err(io::Error::other("a thread of the load panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| gone())).collect()
    });
    let elapsed = begun.elapsed();
    let mut round = Round { spans: 0, elapsed, answers: Vec::new(), cpu: server.cpu() - cpu, behind: Duration::ZERO };
    for done in done {
        let (spans, answers) = done.map_err(broken)?;
        round.spans += spans;
        round.answers.extend(answers);
    }
    Ok(round)
}

/// Batches as fast as the server answers.
pub(super) fn closed(server: &Served, workload: &Workload, spans: u64) -> Result<Round, Failure> {
    let batches = AtomicU64::new(spans.div_ceil(TRACES * SPANS));
    let mut round = drive(server, CONNECTIONS, |connection, answers| {
        let mut maker = workload.maker();
        let mut body = Vec::new();
        let mut sent = 0;
        let take = || batches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        while take().is_ok() {
            maker.batch(&mut body, TRACES);
            let begun = Instant::now();
            connection.post(BATCHES, &body)?;
            answers.push(begun.elapsed());
            sent += TRACES * SPANS;
        }
        Ok(sent)
    })?;
    let begun = Instant::now();
    super::queries::until_found(server, workload)?;
    round.behind = begun.elapsed();
    Ok(round)
}

/// Batches as fast as the server answers until it is killed, and the ids of the roots of those that it answered.
pub(super) fn killed(server: &mut Served, workload: &Workload) -> Result<Vec<String>, Failure> {
    let connections = (0..CONNECTIONS).map(|_| server.connect()).collect::<Result<Vec<_>, _>>()?;
    let answered = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for mut connection in connections {
            let answered = &answered;
            scope.spawn(move || {
                let mut maker = workload.maker();
                let mut body = Vec::new();
                loop {
                    let roots = maker.batch(&mut body, TRACES);
                    if connection.post(BATCHES, &body).is_err() {
                        return;
                    }
                    answered.lock().unwrap_or_else(PoisonError::into_inner).extend(roots);
                }
            });
        }
        thread::sleep(KILL);
        server.kill();
    });
    Ok(answered.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// How long a load at a rate lasts.
pub(super) enum Until {
    Over(Duration),
    Told(AtomicBool),
}

impl Until {
    pub(super) fn seconds(seconds: u64) -> Self {
        Self::Over(Duration::from_secs(seconds))
    }

    pub(super) fn told() -> Self {
        Self::Told(AtomicBool::new(false))
    }

    /// That it is enough, after a second at least.
    pub(super) fn tell(&self) {
        if let Self::Told(told) = self {
            told.store(true, Ordering::Relaxed);
        }
    }

    fn is_over(&self, begun: Instant) -> bool {
        match self {
            Self::Over(time) => begun.elapsed() >= *time,
            Self::Told(told) => told.load(Ordering::Relaxed) && begun.elapsed() >= Duration::from_secs(1),
        }
    }
}

/// Batches at a given rate, whether the server keeps up or not: an answer is timed from when its batch was due.
pub(super) fn open(server: &Served, workload: &Workload, rate: u64, until: &Until) -> Result<Round, Failure> {
    let begun = Instant::now();
    let per_batch = TRACES * SPANS;
    let next = AtomicU64::new(0);
    // More connections than in the closed loop, or a late answer would hold up the next batch.
    drive(server, CONNECTIONS * 4, |connection, answers| {
        let mut maker = workload.maker();
        let (mut body, mut sent) = (Vec::new(), 0);
        loop {
            maker.batch(&mut body, TRACES);
            let number = next.fetch_add(1, Ordering::Relaxed);
            if until.is_over(begun) {
                return Ok(sent);
            }
            let due = begun + Duration::from_secs(1) / rate as u32 * (number * per_batch) as u32;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            connection.post(BATCHES, &body)?;
            answers.push(due.elapsed());
            sent += per_batch;
        }
    })
}

/// Scores of logs that are stored, in no order of theirs: `times` for each of the roots, 512 in a batch.
pub(super) fn scores(server: &Served, roots: &[String], times: u64) -> Result<Round, Failure> {
    let lots: Vec<&[String]> = roots.chunks(SCORES).collect();
    let next = AtomicU64::new(0);
    drive(server, CONNECTIONS, |connection, answers| {
        let (mut body, mut sent) = (Vec::new(), 0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= lots.len() as u64 * times {
                return Ok(sent);
            }
            let lot = lots[(number % lots.len() as u64) as usize];
            body.clear();
            for id in lot {
                body.push(if body.is_empty() { b'[' } else { b',' });
                score(&mut body, id, number / lots.len() as u64, sent);
                sent += 1;
            }
            body.push(b']');
            let begun = Instant::now();
            connection.put(BATCHES, &body)?;
            answers.push(begun.elapsed());
        }
    })
}

/// The same one by one.
pub(super) fn single_scores(server: &Served, roots: &[String], singles: Singles) -> Result<Round, Failure> {
    let next = AtomicU64::new(0);
    let begun = Instant::now();
    drive(server, singles.connections, |connection, answers| {
        let (mut body, mut sent) = (Vec::new(), 0);
        while begun.elapsed().as_secs() < singles.seconds {
            let number = next.fetch_add(1, Ordering::Relaxed);
            body.clear();
            score(&mut body, &roots[(number % roots.len() as u64) as usize], 100 + number / roots.len() as u64, number);
            let begun = Instant::now();
            connection.put(SINGLE, &body)?;
            answers.push(begun.elapsed());
            sent += 1;
        }
        Ok(sent)
    })
}

/// One evaluation's score of one log.
fn score(body: &mut Vec<u8>, id: &str, evaluation: u64, number: u64) {
    let score = (number.wrapping_mul(0x9e37_79b9) & 0x3ff) as f64 / 1024.0;
    // Writing to memory does not fail.
    let _ = write!(
        body,
        r#"{{"trace_id":"{id}","merge":true,"field_name_to_value_map":{{"scores":[{{"name":"graded-{evaluation}","score":{score},"reason":"as the rules say"}}]}}}}"#
    );
}

/// How single posts are made.
#[derive(Clone, Copy)]
pub(super) struct Singles {
    pub(super) connections: u64,
    pub(super) seconds: u64,
}

/// One span a request, as the SDKs do it: children before their parents.
pub(super) fn single(server: &Served, workload: &Workload, singles: Singles) -> Result<Round, Failure> {
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    drive(server, singles.connections, |connection, answers| {
        let mut maker = workload.maker();
        let mut sent = 0;
        while !is_over.load(Ordering::Relaxed) {
            for span in maker.spans() {
                let begun = Instant::now();
                connection.post(SINGLE, &span)?;
                answers.push(begun.elapsed());
                sent += 1;
            }
            if begun.elapsed().as_secs() >= singles.seconds {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        Ok(sent)
    })
}
