//! A store at work, and what it acknowledged.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use fastrand::Rng;
use parea_store::{Catalog, Erasure, Logs, Patch, SqliteStore, StoreFile};
use serde_json::json;

use super::vfs;

/// Something that was acknowledged: this log is there, changed at least so many times; or it is gone for good.
#[derive(Clone, Debug)]
struct Said {
    id: String,
    version: u64,
}

/// The version of a log that was erased.
const GONE: u64 = u64::MAX;

/// Tasks that write beside one another.
const TASKS: usize = 6;

/// Work that is done, and what was acknowledged in which order.
#[derive(Default)]
pub(crate) struct Work {
    said: Arc<Mutex<Vec<Vec<Said>>>>,
}

impl Work {
    /// Works in a folder, opening and closing it at times, until so many bytes have been recorded.
    pub(crate) fn run(&mut self, folder: &Path, bytes: usize, random: &mut Rng) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut life = 0;
        loop {
            life += 1;
            // Small lives end in a checkpoint, long ones also have some on their way.
            let enough = (vfs::recorded() + (bytes / 3).clamp(4 << 20, 64 << 20)).min(bytes);
            runtime.block_on(async {
                let store = SqliteStore::open(folder).unwrap();
                let tasks: Vec<_> = (0..TASKS)
                    .map(|task| {
                        let (store, said, random) = (store.clone(), Arc::clone(&self.said), random.fork());
                        tokio::spawn(write(store, said, random, format!("{life}-{task}"), enough))
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                store.close().await;
            });
            if vfs::recorded() >= bytes {
                return;
            }
        }
    }

    /// How many logs a file has, among them all that was acknowledged up to a mark.
    pub(crate) fn check(&self, file: &StoreFile, mark: usize, context: &str) -> usize {
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for said in self.said.lock().unwrap()[..mark].iter().flatten() {
            let version = expected.entry(said.id.clone()).or_default();
            *version = said.version.max(*version);
        }
        let (mut after, mut count) = (0, 0);
        loop {
            let logs = file.logs(after, 1000).unwrap();
            let Some(last) = logs.last() else { break };
            after = last.arrival;
            for exported in &logs {
                count += 1;
                let version = exported.log.target.as_deref().map_or(0, |target| target.parse().unwrap());
                if let Some(wanted) = expected.remove(&exported.log.trace_id) {
                    assert!(wanted != GONE, "{context}: {} was erased and is there", exported.log.trace_id);
                    assert!(version >= wanted, "{context}: {} is at {version}, not {wanted}", exported.log.trace_id);
                }
            }
        }
        expected.retain(|_, version| *version != GONE);
        let some: Vec<_> = expected.iter().take(5).collect();
        assert!(expected.is_empty(), "{context}: {} acknowledged logs are lost, such as {some:?}", expected.len());
        count
    }

    /// How many marks there are.
    pub(crate) fn acknowledged(&self) -> usize {
        self.said.lock().unwrap().len()
    }

    /// A store that was opened after a cut takes more.
    pub(crate) async fn one_more(&self, store: &SqliteStore) {
        store.commit(vec![post("one more", 100)]).await.unwrap();
        assert!(store.tree("one more").await.unwrap().is_some());
    }
}

pub(crate) fn post(id: &str, length: usize) -> Patch {
    let words: Vec<String> = (0..length / 8).map(|_| format!("{:07x}", fastrand::u32(..1 << 20))).collect();
    let log = json!({
        "trace_id": id, "root_trace_id": id.split('/').next(), "project_name": "power",
        "parent_trace_id": id.split('/').next(), "start_timestamp": "2024-05-30 13:48:34",
        "trace_name": "work", "output": words.join(" "), "metadata": { "k": id }, "tags": ["t"],
        "scores": [{ "name": "s", "score": 0.5 }], "status": "success", "input_tokens": 3,
    });
    Patch::Post(Box::new(serde_json::from_value(log).unwrap()))
}

/// Batches, single logs, changes and feedback, one after the other.
async fn write(store: SqliteStore, said: Arc<Mutex<Vec<Vec<Said>>>>, mut random: Rng, name: String, enough: usize) {
    let mut mine: Vec<Said> = Vec::new();
    for number in 0.. {
        if vfs::recorded() >= enough {
            return;
        }
        let root = format!("{name}-{number}");
        let news: Vec<Said> = match random.u8(0..10) {
            0 | 1 => {
                let ids: Vec<String> = (0..random.usize(16..120)).map(|part| format!("{root}/{part}")).collect();
                store.commit(ids.iter().map(|id| post(id, random.usize(0..1200))).collect()).await.unwrap();
                ids.into_iter().map(|id| Said { id, version: 0 }).collect()
            }
            2..5 if !mine.is_empty() => {
                let place = random.usize(0..mine.len());
                mine[place].version += 1;
                let Said { id, version } = &mine[place];
                let change = json!({ "trace_id": id, "field_name_to_value_map": {
                    "target": version.to_string(), "feedback_score": 0.5 } });
                store.commit(vec![Patch::Put(serde_json::from_value(change).unwrap())]).await.unwrap();
                vec![mine[place].clone()]
            }
            5 if number % 16 == 0 => {
                let ids: Vec<String> = (0..20).map(|part| format!("{root}/{part}")).collect();
                store.commit(ids.iter().map(|id| post(id, random.usize(0..1200))).collect()).await.unwrap();
                store.erase(&Erasure::Trace(root)).await.unwrap();
                ids.into_iter().map(|id| Said { id, version: GONE }).collect()
            }
            5 => {
                store.project(&root).await.unwrap();
                Vec::new()
            }
            _ => {
                store.commit(vec![post(&root, random.usize(0..4000))]).await.unwrap();
                vec![Said { id: root, version: 0 }]
            }
        };
        let fresh: Vec<Said> = news.iter().filter(|said| said.version == 0).cloned().collect();
        mine.extend(fresh);
        let mut said = said.lock().unwrap();
        said.push(news);
        vfs::mark(said.len());
    }
}
