//! What a value may take while it is captured: of bytes, of the stack, and of its locks.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    rc::Rc,
    sync::{Arc, Mutex},
};

use parea::testing::capture;
use serde::{
    Serialize,
    ser::{SerializeSeq as _, SerializeStruct as _},
};
use serde_json::{Value, json};

/// Refers to itself, and is shown without a bracket.
struct Circle(Rc<RefCell<Option<Circle>>>);

impl Serialize for Circle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("Circle", &*self.0.borrow())
    }
}

#[derive(Clone, Debug)]
struct Ring {
    next: Rc<RefCell<Option<Ring>>>,
}

#[derive(Debug)]
struct Unshowable;

impl fmt::Display for Unshowable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("not this one")
    }
}

/// Its `Debug` panics.
struct Breaks;

impl fmt::Debug for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{Unshowable}")
    }
}

#[parea::trace]
fn goes_round(circle: &Circle, ring: &Ring, lock: &Mutex<Breaks>) {
    let _ = (circle, ring, lock);
}

#[test]
fn what_refers_to_itself_is_cut_and_no_lock_is_poisoned() {
    let (circle, ring) = (Circle(Rc::default()), Ring { next: Rc::default() });
    *circle.0.borrow_mut() = Some(Circle(Rc::clone(&circle.0)));
    *ring.next.borrow_mut() = Some(ring.clone());
    let lock = Mutex::new(Breaks);
    let ((), traces) = capture(|| goes_round(&circle, &ring, &lock));
    let inputs = traces.log("goes_round").inputs.as_ref().unwrap();
    assert_eq!(inputs["circle"], " …[cut at 131072 bytes of stack]");
    let shown = inputs["ring"].as_str().unwrap();
    assert!(shown.starts_with("Ring { next: RefCell { value: Some(Ring { next:"), "{shown}");
    assert!(shown.ends_with(" …[cut at 131072 bytes of stack]"), "{shown}");
    assert_eq!(inputs["lock"], "<&Mutex<Breaks>: panicked: not this one>");
    assert!(lock.lock().is_ok(), "it was only looked at");
    // No leaks.
    (*circle.0.borrow_mut(), *ring.next.borrow_mut()) = (None, None);
}

/// Written as bytes.
#[derive(Debug)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[parea::trace]
fn long_lists(boxed: Box<[u32]>, shared: Arc<Vec<u32>>, array: &[u32; 100_000], queue: VecDeque<u32>, blob: Blob) {
    let _ = (boxed, shared, array, queue, blob);
}

#[test]
fn of_a_long_list_behind_whatever_pointer_both_ends_are_kept() {
    let list = || (0..100_000_u32).map(|n| n % 251);
    let array: Vec<u32> = list().collect();
    let mut queue: VecDeque<u32> = list().collect();
    // In two pieces.
    queue.rotate_left(50_000);
    queue.rotate_right(50_000);
    let blob = Blob(list().map(|n| n as u8).collect());
    let (boxed, shared) = (list().collect(), Arc::new(list().collect()));
    let ((), traces) = capture(|| long_lists(boxed, shared, array[..].try_into().unwrap(), queue, blob));
    let inputs = traces.log("long_lists").inputs.as_ref().unwrap();
    for (name, value) in inputs {
        let items = value.as_array().unwrap_or_else(|| panic!("{name} is {value}"));
        assert_eq!((&items[0], items.last().unwrap()), (&json!(0), &json!(99_999 % 251)), "{name}");
        let left_out = 100_001 - items.len();
        assert!(items.contains(&json!(format!("…[{left_out} of 100000 items left out]…"))), "{name}");
    }
    assert_eq!(inputs.len(), 5);
}

/// As large as it says, in a list that is as long as it says.
#[derive(Debug)]
struct Row(usize, usize);

thread_local!(static WRITTEN: Cell<usize> = const { Cell::new(0) });

impl Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.set(WRITTEN.get() + 1);
        let mut row = serializer.serialize_struct("Row", 2)?;
        row.serialize_field("at", &self.0)?;
        row.serialize_field("text", &"\"[{,\\".repeat(self.1))?;
        row.end()
    }
}

/// Says that it has so many rows, and has another number.
struct Liar(usize, usize);

impl Serialize for Liar {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0))?;
        for at in 0..self.1 {
            rows.serialize_element(&Row(at, 4))?;
        }
        rows.end()
    }
}

#[parea::trace]
fn takes_rows(rows: &[Row]) {
    let _ = rows;
}

#[parea::trace]
fn is_lied_to(rows: Liar) {
    let _ = rows;
}

#[test]
fn of_a_long_list_of_anything_both_ends_are_kept_at_the_cost_of_these() {
    let rows = |sizes: &[(usize, usize)]| {
        let sizes = sizes.iter().flat_map(|(count, size)| std::iter::repeat_n(*size, *count));
        sizes.enumerate().map(|(at, size)| Row(at, size)).collect::<Vec<_>>()
    };
    // Of one size; large ones behind small ones; small ones behind large ones; one whose end is too large alone.
    for (sizes, has_tail) in [
        (&[(200_000, 4)][..], true),
        (&[(100_000, 1), (100_000, 400)], true),
        (&[(1_000, 400), (199_000, 1)], true),
        (&[(100_000, 4), (1, 100_000)], false),
    ] {
        let list = rows(sizes);
        WRITTEN.set(0);
        let ((), traces) = capture(|| takes_rows(&list));
        let shown = &traces.log("takes_rows").inputs.as_ref().unwrap()["rows"];
        let written = WRITTEN.get();
        if !has_tail {
            assert!(shown.as_str().unwrap().ends_with(" …[cut at 262144 bytes]"), "{sizes:?}");
            continue;
        }
        let shown = shown.as_array().unwrap_or_else(|| panic!("{sizes:?}: {shown}"));
        assert!(written < 40_000, "{written} of {} for {sizes:?}", list.len());
        let mark = shown.iter().position(Value::is_string).unwrap();
        let (head, tail) = (&shown[..mark], &shown[mark + 1..]);
        let left_out = list.len() - head.len() - tail.len();
        assert_eq!(shown[mark], format!("…[{left_out} of {} items left out]…", list.len()), "{sizes:?}");
        assert!(head.iter().zip(&list).all(|(shown, row)| *shown == serde_json::to_value(row).unwrap()));
        assert!(
            tail.iter().rev().zip(list.iter().rev()).all(|(shown, row)| *shown == serde_json::to_value(row).unwrap())
        );
        assert!(!head.is_empty() && !tail.is_empty() && serde_json::to_string(shown).unwrap().len() < 263_000);
    }
    for (said, has) in [(1, 200_000), (100_000, 99_999), (100_000, 200_000), (usize::MAX, 100_000)] {
        let ((), traces) = capture(|| is_lied_to(Liar(said, has)));
        let shown = &traces.log("is_lied_to").inputs.as_ref().unwrap()["rows"];
        assert!(shown.as_str().unwrap().ends_with(" …[cut at 262144 bytes]"), "{said} {has}: {shown}");
    }
}

/// Has no end, by whichever way it is shown.
#[derive(Clone, Copy)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("and on ")?;
        }
    }
}

impl Serialize for Endless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(std::iter::repeat(7))
    }
}

#[parea::trace(skip(lock), tags = [Endless], session_id = Endless, metadata(endless = Endless))]
fn tells_too_much(lock: &Mutex<u8>) {
    let secret = secrecy_of("hidden");
    parea::current()
        .metadata("lock", lock)
        .metadata("held", Held { lock })
        .metadata("later", Endless)
        .metadata("secret", &secret)
        .metadata("none", ())
        .metadata("large", u128::MAX)
        .target(Endless)
        .error(Endless);
}

#[derive(Serialize)]
struct Held<'a> {
    lock: &'a Mutex<u8>,
}

fn secrecy_of(text: &str) -> zeroize::Zeroizing<String> {
    text.to_owned().into()
}

#[test]
fn what_the_current_span_is_told_has_the_same_limits() {
    let lock = Mutex::new(1);
    let held = lock.lock().unwrap();
    let ((), traces) = capture(|| tells_too_much(&lock));
    drop(held);
    let log = traces.log("tells_too_much");
    let metadata = log.metadata.as_ref().unwrap();
    let short = [("secret", "[redacted]"), ("none", "null"), ("large", "340282366920938463463374607431768211455")];
    for (name, text) in [("lock", "<Mutex<u8>>"), ("held", r#"{"lock":"<Mutex<u8>>"}"#)].iter().chain(&short) {
        assert_eq!(metadata[*name], *text, "{name}");
    }
    let texts = [metadata["endless"].as_str(), metadata["later"].as_str(), log.target.as_deref(), log.error.as_deref()];
    for text in texts.into_iter().chain([log.session_id.as_deref(), Some(&*log.tags.as_ref().unwrap()[0])]) {
        assert!(text.unwrap().ends_with(" …[cut at 262144 bytes]"), "{}", &text.unwrap()[..40]);
    }
}
