//! Every order in which a thread that writes its log and one that drains it can meet: each record is taken once, whole and in
//! its order, or counted as refused. Run by `cargo xtask model`.

use loom::{sync::Arc, thread};

use super::{Piece, Registry, Writer};

/// Words of a record of the model.
const RECORD: usize = 2;

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(body);
}

fn append(writer: &mut Writer<Arc<Registry>>, number: u64) -> bool {
    // Both words, so that half a record would show.
    writer.append(&[number, !number], &[], &[])
}

/// The numbers of the records in a piece, which is given back.
fn numbers(logs: &Registry, piece: Piece) -> Vec<u64> {
    let records = piece.records;
    let copy = logs.copy(piece);
    logs.release(copy.len());
    let words: Vec<u64> = copy.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    assert_eq!(words.len() as u64, records * RECORD as u64);
    assert!(words.chunks(RECORD).all(|record| record[0] == !record[1]), "half a record: {words:x?}");
    words.chunks(RECORD).map(|record| record[0]).collect()
}

fn drain(logs: &Registry) -> Vec<u64> {
    let mut pieces = Vec::new();
    logs.drain(|piece| pieces.push(piece));
    pieces.into_iter().flat_map(|piece| numbers(logs, piece)).collect()
}

#[test]
fn records_are_handed_over_whole_and_in_order_while_they_are_written() {
    model(|| {
        let logs = Arc::new(Registry::default());
        let writing = thread::spawn({
            let logs = Arc::clone(&logs);
            move || {
                let mut writer = Writer::new(logs);
                // The third is the first of another segment. Then the thread ends.
                assert!((1..=3).all(|number| append(&mut writer, number)));
            }
        });
        let mut taken = drain(&logs);
        taken.extend(drain(&logs));
        writing.join().unwrap();
        taken.extend(drain(&logs));
        assert_eq!(taken, [1, 2, 3]);
        let tally = logs.tally();
        assert_eq!((tally.ended, tally.queue_full), (3, 0));
    });
}

#[test]
fn a_segment_that_rests_is_written_again_only_when_it_was_read() {
    model(|| {
        let logs = Arc::new(Registry::default());
        // Room for one segment of one record.
        logs.set_cap(RECORD * 8);
        let mut writer = Writer::new(Arc::clone(&logs));
        assert!(append(&mut writer, 1));
        let writing = thread::spawn(move || (2..=3).filter(|number| append(&mut writer, *number)).collect::<Vec<_>>());
        let mut taken = drain(&logs);
        let accepted = writing.join().unwrap();
        taken.extend(drain(&logs));
        assert_eq!(taken[0], 1);
        assert_eq!(taken[1..], accepted);
        let tally = logs.tally();
        assert_eq!((tally.ended, tally.queue_full), (3, 2 - accepted.len() as u64));
    });
}

#[test]
fn two_that_drain_at_once_take_each_record_once() {
    model(|| {
        let logs = Arc::new(Registry::default());
        let mut writer = Writer::new(Arc::clone(&logs));
        assert!(append(&mut writer, 1));
        let other = thread::spawn({
            let logs = Arc::clone(&logs);
            move || drain(&logs)
        });
        assert!(append(&mut writer, 2));
        let mut taken = drain(&logs);
        taken.extend(other.join().unwrap());
        taken.extend(drain(&logs));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn a_segment_that_was_drained_is_used_again_without_a_record_twice_or_lost() {
    model(|| {
        let logs = Arc::new(Registry::default());
        // Segments of two records all of them, so that what one thread has done with is there for the next one.
        logs.set_cap(64 * 2 * RECORD * 8);
        let mut writer = Writer::new(Arc::clone(&logs));
        assert!((1..=2).all(|number| append(&mut writer, number)));
        let other = thread::spawn({
            let logs = Arc::clone(&logs);
            move || {
                let mut writer = Writer::new(logs);
                assert!((11..=13).all(|number| append(&mut writer, number)));
            }
        });
        // Of its own, or the first one again.
        assert!(append(&mut writer, 3));
        let mut taken = drain(&logs);
        assert!(append(&mut writer, 4) && append(&mut writer, 5));
        taken.extend(drain(&logs));
        other.join().unwrap();
        taken.extend(drain(&logs));
        let (ours, theirs): (Vec<_>, Vec<_>) = taken.into_iter().partition(|number| *number < 10);
        assert_eq!((&*ours, &*theirs), (&[1, 2, 3, 4, 5][..], &[11, 12, 13][..]));
    });
}
