//! A disk that is full, or read-only, for a while.

use parea_store::{Logs, SqliteStore, StoreError, StoreFile};

use super::{
    alone,
    vfs::{self, Weather},
    work::Work,
};

/// Whatever the disk does, each call has an answer that says so, what was acknowledged stays, and the store goes on by
/// itself once it can.
#[test]
fn a_store_outlives_a_disk_that_cannot_be_written() {
    let _alone = alone();
    for (weather, name, is_expected) in [
        (Weather::Full, "full", (|error| matches!(error, StoreError::Full(_))) as fn(&StoreError) -> bool),
        (Weather::ReadOnly, "read-only", |error| matches!(error, StoreError::Disk(_))),
    ] {
        let folder = tempfile::tempdir().unwrap();
        vfs::record(folder.path());
        let mut work = Work::default();
        work.run(folder.path(), 4 << 20, &mut fastrand::Rng::with_seed(3));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(folder.path()).unwrap();
            work.one_more(&store).await;
            vfs::set(weather);
            // What fits into the file as it is may be written still; nothing is acknowledged in vain.
            let mut written = Vec::new();
            let refused = loop {
                let id = format!("in the storm {}", written.len());
                match store.commit(vec![super::work::post(&id, 4000)]).await {
                    Ok(_) => written.push(id),
                    Err(error) => break error,
                }
            };
            assert!(is_expected(&refused), "{refused}");
            // Who reads sees no storm.
            assert!(store.tree("one more").await.unwrap().is_some());
            vfs::set(Weather::Fair);
            for id in &written {
                assert!(store.tree(id).await.unwrap().is_some(), "{id}");
            }
            store.commit(vec![super::work::post("afterwards", 4000)]).await.unwrap();
            assert!(store.tree("afterwards").await.unwrap().is_some());
            store.close().await;
        });
        let marks = work.acknowledged();
        let file = StoreFile::open(folder.path()).unwrap();
        assert_eq!(file.check(10).unwrap(), [""; 0]);
        let found = work.check(&file, marks, "after the storm");
        println!("row: The disk is {name} below a store, and again good | 1 | {found} logs");
        vfs::stop();
    }
}
