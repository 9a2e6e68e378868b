//! Figures for Prometheus.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicU64,
    time::Duration,
};

use parea_store::{Outcome, SqliteStore, Written};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: String,
}

/// Reasons of losses that are told apart; clients choose their words.
const REASONS: &[&str] =
    &["queue_full", "too_large", "rejected", "spool_failed", "spool_full", "damaged", "server_failed"];

/// Upper bounds of latencies and of times by which the writer is held, in seconds, and of batches, in logs.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const HELD: [f64; 8] = [0.0001, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.25];
const LOGS: [f64; 8] = [1.0, 8.0, 32.0, 128.0, 512.0, 2048.0, 8192.0, 32768.0];

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Of, Histogram>,
    body_bytes: Counter,
    stored: Family<What, Counter>,
    refused: Counter,
    batches: Histogram,
    losses: Family<Why, Counter>,
    store: SqliteStore,
    file: PathBuf,
    waiting: Gauge,
    transactions: Counter<u64, AtomicU64>,
    database_bytes: Gauge,
    wal_bytes: Gauge,
}

/// What is told of the writer's transactions.
#[derive(Clone, Debug)]
struct Transactions {
    logs: Histogram,
    seconds: Histogram,
    background: Histogram,
    longest: Gauge<f64, AtomicU64>,
}

impl Transactions {
    fn observe(&self, written: &Written) {
        let background = written.background.as_secs_f64();
        if written.patches > 0 {
            self.logs.observe(written.patches as f64);
            self.seconds.observe(written.took.as_secs_f64());
        }
        self.background.observe(background);
        if background > self.longest.get() {
            self.longest.set(background);
        }
    }
}

impl Metrics {
    pub(crate) fn new(store: SqliteStore, data: &Path) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("parea"),
            requests: Family::default(),
            latency: Family::new_with_constructor(histogram),
            body_bytes: Counter::default(),
            stored: Family::default(),
            refused: Counter::default(),
            batches: Histogram::new(LOGS),
            losses: Family::default(),
            store,
            file: data.join("parea.db"),
            waiting: Gauge::default(),
            transactions: Counter::default(),
            database_bytes: Gauge::default(),
            wal_bytes: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests by operation and status", metrics.requests.clone());
        registry.register("request_seconds", "Time until an answer began", metrics.latency.clone());
        registry.register("body_bytes", "Bytes of bodies as they came", metrics.body_bytes.clone());
        registry.register("logs", "Logs and updates that are on disk, by what became of them", metrics.stored.clone());
        registry.register("logs_refused", "Logs that were refused", metrics.refused.clone());
        registry.register("batch_logs", "Logs of one batch", metrics.batches.clone());
        registry.register("client_losses", "Logs that clients had to drop", metrics.losses.clone());
        registry.register("writer_waiting", "Jobs that wait for the writer", metrics.waiting.clone());
        registry.register("writer_transactions", "Transactions that were committed", metrics.transactions.clone());
        let transactions = Transactions {
            logs: Histogram::new(LOGS),
            seconds: histogram(),
            background: Histogram::new(HELD),
            longest: Gauge::default(),
        };
        registry.register("writer_transaction_logs", "Logs and updates of one transaction", transactions.logs.clone());
        registry.register(
            "writer_transaction_seconds",
            "Time from a transaction's begin until it was on disk",
            transactions.seconds.clone(),
        );
        registry.register(
            "writer_background_seconds",
            "Time by which work of the background held the writer, for each transaction",
            transactions.background.clone(),
        );
        registry.register(
            "writer_background_longest_seconds",
            "The longest of these since the start",
            transactions.longest.clone(),
        );
        metrics.store.watch(move |written| transactions.observe(written));
        let registry = &mut metrics.registry;
        registry.register("database_bytes", "Size of the database file", metrics.database_bytes.clone());
        registry.register("wal_bytes", "Size of the write-ahead log", metrics.wal_bytes.clone());
        metrics
    }

    /// A request that was answered.
    pub(crate) fn request(&self, operation: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { operation, status }).inc();
        self.latency.get_or_create(&Of { operation }).observe(took.as_secs_f64());
    }

    /// A body that was read.
    pub(crate) fn body(&self, bytes: usize) {
        self.body_bytes.inc_by(bytes as u64);
    }

    /// What is on disk.
    pub(crate) fn stored(&self, outcomes: &[Outcome]) {
        let kinds = [(Outcome::Created, "created"), (Outcome::Merged, "merged"), (Outcome::Unchanged, "unchanged")];
        for (kind, outcome) in kinds {
            let count = outcomes.iter().filter(|outcome| **outcome == kind).count() as u64;
            if count > 0 {
                self.stored.get_or_create(&What { outcome }).inc_by(count);
            }
        }
    }

    /// Logs that were refused.
    pub(crate) fn refused(&self, count: u64) {
        self.refused.inc_by(count);
    }

    /// A batch of logs.
    pub(crate) fn batch(&self, accepted: u64, refused: u64) {
        self.batches.observe((accepted + refused) as f64);
        self.refused.inc_by(refused);
    }

    /// What clients had to drop.
    pub(crate) fn losses(&self, losses: &[(String, u64)]) {
        for (reason, count) in losses {
            let reason = REASONS.iter().find(|known| **known == reason).copied().unwrap_or("other");
            self.losses.get_or_create(&Why { reason: reason.to_owned() }).inc_by(*count);
        }
    }

    /// All figures as Prometheus reads them.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len() as i64);
        self.database_bytes.set(size(&self.file));
        self.wal_bytes.set(size(&self.file.with_extension("db-wal")));
        self.waiting.set(self.store.waiting() as i64);
        let transactions = self.store.transactions();
        self.transactions.inc_by(transactions.saturating_sub(self.transactions.get()));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
