//! Copies and exports made while others write: each copy is a whole store, and the write-ahead log stays bounded.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parea_store::{Logs, Patch, SqliteStore, StoreError, StoreFile};
use serde_json::json;

fn post(number: u64, length: usize) -> Patch {
    let mut random = fastrand::Rng::with_seed(number);
    let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(length).collect();
    let log = json!({
        "trace_id": format!("log-{number}"), "project_name": "p", "start_timestamp": "2024-05-30 13:48:34",
        "output": text, "trace_name": "n", "input_tokens": 1,
    });
    Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_and_exports_beside_writes_are_whole_and_hold_up_nothing() {
    /// A reader that holds on to the log keeps it growing by all of this.
    const WRITTEN: u64 = 72 << 20;
    /// Checkpoints begin at 32 MB, and a commit may come before them.
    const BOUND: u64 = 56 << 20;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for number in 0..40 {
        store.commit((0..20).map(|part| post(number * 20 + part, 3000)).collect()).await.unwrap();
    }
    let wal = folder.path().join("parea.db-wal");
    let (acknowledged, written) = (AtomicU64::new(800), AtomicU64::new(0));
    let is_over = || written.load(Ordering::SeqCst) > WRITTEN;
    let largest = AtomicU64::new(0);
    let write = async {
        for number in 800.. {
            if is_over() {
                break;
            }
            store.commit(vec![post(number, 200_000)]).await.unwrap();
            acknowledged.store(number + 1, Ordering::SeqCst);
            // Once as it comes and once more when it is packed.
            written.fetch_add(400_000, Ordering::SeqCst);
            largest.fetch_max(size(&wal), Ordering::SeqCst);
        }
    };
    let copy = async {
        let mut copies = 0;
        while !is_over() {
            let before = acknowledged.load(Ordering::SeqCst);
            let new = tempfile::tempdir().unwrap();
            let to = new.path().join("parea.db");
            store.backup(&to).await.unwrap();
            let after = acknowledged.load(Ordering::SeqCst);
            let restored = SqliteStore::open(new.path()).unwrap();
            assert!(restored.tree(&format!("log-{}", before - 1)).await.unwrap().is_some(), "what was there before");
            assert!(restored.tree(&format!("log-{}", after + 1)).await.unwrap().is_none(), "one moment");
            assert_eq!(StoreFile::open(new.path()).unwrap().check(10).unwrap(), [""; 0]);
            restored.commit(vec![post(1_000_000, 10)]).await.unwrap();
            restored.close().await;
            copies += 1;
        }
        assert!(copies > 1, "{copies} copies");
    };
    let read = async {
        let mut after = 0;
        while !is_over() {
            let path = folder.path().to_owned();
            let logs = tokio::task::spawn_blocking(move || StoreFile::open(&path).unwrap().logs(after, 100).unwrap());
            after = logs.await.unwrap().last().map_or(0, |last| last.arrival);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::join!(write, copy, read);
    let largest = largest.load(Ordering::SeqCst);
    assert!(largest < BOUND, "the write-ahead log grew to {largest} bytes");
    // A copy is never written over, and a copy that fails leaves nothing.
    let taken = folder.path().join("parea.db");
    assert!(matches!(store.backup(&taken).await, Err(StoreError::Disk(_))));
    assert!(matches!(store.backup(Path::new("/no/such/folder/copy.db")).await, Err(StoreError::Disk(_))));
    store.close().await;
    let copy = folder.path().join("copy.db");
    StoreFile::open(folder.path()).unwrap().backup(&copy).unwrap();
    assert!(size(&copy) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_ends_although_callers_never_pause() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for number in 0..40 {
        store.commit((0..20).map(|part| post(number * 20 + part, 10_000)).collect()).await.unwrap();
    }
    let new = tempfile::tempdir().unwrap();
    let to = new.path().join("parea.db");
    let (is_over, next) = (AtomicBool::new(false), AtomicU64::new(800));
    let write = || async {
        while !is_over.load(Ordering::SeqCst) {
            store.commit(vec![post(next.fetch_add(1, Ordering::SeqCst), 1000)]).await.unwrap();
        }
    };
    let copy = async {
        store.backup(&to).await.unwrap();
        is_over.store(true, Ordering::SeqCst);
    };
    tokio::join!(copy, write(), write(), write(), write());
    assert_eq!(StoreFile::open(new.path()).unwrap().check(10).unwrap(), [""; 0]);
    store.close().await;
}
