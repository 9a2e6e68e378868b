//! Power cuts and disks that fail, below a store at work: what was acknowledged stays, and the file is sound.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disk;
mod vfs;
mod weather;
mod work;

use std::{
    collections::VecDeque,
    env,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use disk::Disk;
use fastrand::Rng;
use parea_store::{SqliteStore, StoreFile};
use vfs::{Op, Recording};
use work::Work;

/// There is one recorder.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A seed that a failure tells, and that can be given again.
fn seed() -> u64 {
    env::var("PAREA_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

/// Checks under way beside one another.
const BESIDE: usize = 2;

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    cut_often(seed(), 8, 10 << 20);
}

/// Many short histories and some long ones: what a cut costs to look at grows with what was written before it.
#[test]
#[ignore = "takes minutes: `cargo xtask crash`"]
fn full_size() {
    let seed = seed();
    let mut all = Cuts::default();
    for (round, megabytes) in (0..).zip([25, 25, 25, 25, 100, 25, 25, 25, 25, 100]) {
        let some = cut_often(seed.wrapping_add(round), 20, megabytes << 20);
        all = Cuts {
            times: all.times + some.times,
            syncs: all.syncs + some.syncs,
            bytes: all.bytes + some.bytes,
            most: all.most.max(some.most),
        };
    }
    let Cuts { times, syncs, bytes, most } = all;
    // A row of the chore's table.
    println!(
        "row: The power goes at a sync, {} MB written (seed {seed}) | {times} of {syncs} syncs | up to {most} logs",
        bytes >> 20
    );
}

/// What was cut.
#[derive(Default)]
struct Cuts {
    times: usize,
    /// Among so many syncs.
    syncs: usize,
    /// That were written in all.
    bytes: usize,
    /// Logs that were there after a cut, at most.
    most: usize,
}

/// Has a store work until so many bytes are written, and cuts the power at so many of its syncs.
fn cut_often(seed: u64, cuts: usize, bytes: usize) -> Cuts {
    let _alone = alone();
    let mut random = Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    vfs::record(folder.path());
    let mut work = Work::default();
    work.run(folder.path(), bytes, &mut random);
    let recording = vfs::stop();
    let syncs: Vec<usize> =
        (0..recording.ops.len()).filter(|place| matches!(recording.ops[*place], Op::Sync(_))).collect();
    assert!(syncs.len() > cuts, "{} syncs", syncs.len());
    let mut places: Vec<usize> = random.choose_multiple(syncs.iter().copied(), cuts);
    places.sort_unstable();
    let mut disk = Disk::default();
    let (mut at, mut acknowledged, mut most) = (0, 0, 0);
    thread::scope(|scope| {
        let work = &work;
        let mut under_way = VecDeque::new();
        for place in places {
            for op in &recording.ops[at..place] {
                if let Op::Mark(number) = op {
                    acknowledged = *number;
                }
                disk.apply(op);
            }
            at = place;
            let after = tempfile::tempdir().unwrap();
            disk.cut(&recording, after.path(), &mut random);
            under_way.push_back(scope.spawn(move || {
                check(work, acknowledged, after.path(), &format!("seed {seed}, cut before sync at {place}"))
            }));
            if under_way.len() == BESIDE {
                most = under_way.pop_front().map_or(0, |check| check.join().unwrap()).max(most);
            }
        }
        most = under_way.into_iter().map(|check| check.join().unwrap()).max().unwrap_or_default().max(most);
    });
    Cuts { times: cuts, syncs: syncs.len(), bytes: recording.bytes, most }
}

/// How many logs there are, with all that was acknowledged among them.
fn check(work: &Work, acknowledged: usize, folder: &Path, context: &str) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(folder).unwrap_or_else(|error| panic!("{context}: {error}"));
    let file = StoreFile::open(folder).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(file.check(10).unwrap(), [""; 0], "{context}");
    let found = work.check(&file, acknowledged, context);
    // And it goes on from there.
    runtime.block_on(async {
        work.one_more(&store).await;
        store.close().await;
    });
    found
}

/// What a recording of a file without a recorder would be: nothing, and all cuts would pass.
#[test]
fn the_recorder_sees_what_is_written() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    vfs::record(folder.path());
    let mut work = Work::default();
    work.run(folder.path(), 2 << 20, &mut Rng::with_seed(1));
    let recording: Recording = vfs::stop();
    let mut disk = Disk::default();
    recording.ops.iter().for_each(|op| disk.apply(op));
    let after = tempfile::tempdir().unwrap();
    // All was synced at the end, so chance has no say.
    disk.cut(&recording, after.path(), &mut Rng::with_seed(2));
    let (was, is) = (folder.path().join("parea.db"), after.path().join("parea.db"));
    assert!(std::fs::read(was).unwrap() == std::fs::read(is).unwrap(), "the recorded file is the file");
}
