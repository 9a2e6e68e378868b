//! Every order in which the exporter and those who wait for it can meet: nobody waits for ever, and nothing is counted
//! twice or not at all. Run by `cargo xtask model`.

use loom::{sync::Arc, thread};

use super::{Books, Fate, Until};
use crate::{report::DropReason, thread_log::Tally};

/// Threads are interrupted at most so often in a run: faults of this kind show with two.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(body);
}

fn ended(count: u64) -> Tally {
    Tally { started: count, ended: count, ..Tally::default() }
}

#[test]
fn a_flush_ends_once_what_it_waits_for_is_at_rest() {
    model(|| {
        let books = Arc::new(Books::default());
        let exporter = thread::spawn({
            let books = Arc::clone(&books);
            move || {
                // The first by way of the spool, the second given up.
                books.settle(1, Fate::Spooled);
                books.safe(1);
                books.unspool(1, Fate::Delivered);
                books.release(1);
                books.settle(1, Fate::Dropped(DropReason::Rejected));
                books.release(2);
            }
        });
        // loom finds the order in which this would wait for ever.
        books.wait(2, None, Until::Delivered);
        let report = books.report(|| ended(2), None);
        assert_eq!((report.delivered, report.spooled, report.total_dropped(), report.pending), (1, 0, 1, 0));
        exporter.join().unwrap();
    });
}

#[test]
fn nobody_waits_for_a_server_that_refuses_everything() {
    model(|| {
        let books = Arc::new(Books::default());
        let exporter = thread::spawn({
            let books = Arc::clone(&books);
            move || {
                // The refusal may be known before or after the records are safe.
                books.refuses_all();
                books.settle(1, Fate::Spooled);
                books.safe(1);
            }
        });
        books.wait(1, None, Until::Delivered);
        exporter.join().unwrap();
        assert_eq!(books.report(|| ended(1), None).spooled, 1);
    });
}

#[test]
fn whenever_it_is_asked_for_a_report_sums_to_what_ended() {
    model(|| {
        let books = Arc::new(Books::default());
        let exporter = thread::spawn({
            let books = Arc::clone(&books);
            move || {
                books.settle(2, Fate::Spooled);
                books.unspool(1, Fate::Delivered);
                books.unspool(1, Fate::Dropped(DropReason::Damaged));
            }
        });
        let report = books.report(|| ended(2), None);
        assert_eq!(report.finished(), 2);
        exporter.join().unwrap();
    });
}
