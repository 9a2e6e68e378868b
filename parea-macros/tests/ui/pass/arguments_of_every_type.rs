#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{
    any::Any,
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    path::Path,
    rc::Rc,
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use off_and_on::{input, off_and_on};

struct Opaque;

#[allow(clippy::too_many_arguments)]
#[parea::trace]
fn all(
    opaque: &Opaque,
    dynamic: &dyn Any,
    slice: &[Opaque],
    text: Cow<'_, str>,
    path: &Path,
    bytes: &[u8],
    tuple_keys: HashMap<(u8, u8), u8>,
    map: BTreeMap<&str, Option<f64>>,
    large: u128,
    not_a_number: f64,
    duration: Duration,
    unit: (),
    pointer: *const u8,
    function: fn(),
    locked: Arc<Mutex<u8>>,
    shared: &RwLock<Opaque>,
    cells: Rc<RefCell<Cell<u8>>>,
    mutable: &mut Vec<u8>,
    nested: Option<Result<&str, Box<str>>>,
    quoted: &str,
) -> usize {
    let _ = (dynamic, opaque, slice, text, path, bytes, tuple_keys, map, large, not_a_number, duration, unit);
    let _ = (pointer, function, locked, shared, cells, nested, quoted);
    mutable.push(1);
    mutable.len()
}

fn main() {
    let locked = Arc::new(Mutex::new(7));
    let _held = locked.lock().unwrap();
    let traces = off_and_on(
        || {
            all(
                &Opaque,
                &1_u8,
                &[Opaque],
                "cow".into(),
                Path::new("/tmp"),
                b"ab",
                HashMap::from([((1, 2), 3)]),
                BTreeMap::from([("k", Some(0.5)), ("none", None)]),
                u128::MAX,
                f64::NAN,
                Duration::from_secs(1),
                (),
                std::ptr::null(),
                || {},
                Arc::clone(&locked),
                &RwLock::new(Opaque),
                Rc::new(RefCell::new(Cell::new(5))),
                &mut Vec::new(),
                Some(Ok("x")),
                "\"\\\n\u{1}",
            )
        },
        1,
        "all (ok)\n",
    );
    for (name, shown) in [
        ("opaque", "\"<&Opaque>\""),
        ("dynamic", "\"Any { .. }\""),
        ("slice", "\"<&[Opaque]>\""),
        ("text", "\"cow\""),
        ("path", "\"/tmp\""),
        ("bytes", "[97,98]"),
        ("tuple_keys", "\"{(1, 2): 3}\""),
        ("map", r#"{"k":0.5,"none":null}"#),
        ("unit", "null"),
        ("locked", "\"Mutex { data: \\\"<locked>\\\", poisoned: false, .. }\""),
        ("mutable", "[]"),
        ("nested", r#"{"Ok":"x"}"#),
        ("quoted", r#""\"\\\n\u0001""#),
    ] {
        assert_eq!(input(&traces, "all", name), shown, "{name}");
    }
    let large = input(&traces, "all", "large");
    assert!(large.contains("340282366920938463463374607431768211455") || large.contains("3.40282366920938"), "{large}");
}
