#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{input, off_and_on, off_and_on_async};

#[derive(Clone, Copy)]
struct Point {
    x: i32,
    y: i32,
}

struct Wrapped(String, #[allow(dead_code)] u8);

const ORIGIN: () = ();

#[allow(clippy::too_many_arguments)]
#[parea::trace]
fn all(
    Point { x, y: ref why }: Point,
    Point { x: other, .. }: Point,
    (a, mut b): (i32, i32),
    &c: &i32,
    [first, .., last]: [u8; 3],
    Wrapped(text, ..): Wrapped,
    whole @ Point { .. }: Point,
    (ref one, ref mut two): (u8, u8),
    ((d, _), &mut e): ((i32, i32), &mut i32),
    mut items: Vec<u8>,
    ORIGIN: (),
    (): (),
    _: u8,
    _unused: u8,
) -> i32 {
    b += 1;
    *two += 1;
    items.push(1);
    let sum = x + why + other + a + b + c + i32::from(first + last + *one + *two) + d + e + whole.x + whole.y;
    sum + (text.len() + items.len()) as i32
}

#[parea::trace]
async fn later((a, mut b): (u8, Vec<u8>), Point { x, .. }: &Point, &[c, ref rest @ ..]: &[u8; 3]) -> usize {
    b.push(a);
    tokio::task::yield_now().await;
    b.len() + *x as usize + rest.len() + c as usize
}

#[parea::trace(skip(b, x))]
fn skipped((a, b): (u8, u8), Point { x, y }: Point, [c, ..]: [u8; 2]) -> i32 {
    i32::from(a + b + c) + x + y
}

fn main() {
    let point = Point { x: 1, y: 2 };
    let traces = off_and_on(
        || {
            let wrapped = Wrapped("four".to_owned(), 0);
            all(point, point, (3, 4), &5, [6, 0, 7], wrapped, point, (1, 2), ((8, 9), &mut 10), vec![], (), (), 0, 0)
        },
        1 + 2 + 1 + 3 + 5 + 5 + 6 + 7 + 1 + 3 + 8 + 10 + 1 + 2 + 4 + 1,
        "all (ok)\n",
    );
    for (name, value) in [("why", "2"), ("other", "1"), ("b", "4"), ("c", "5"), ("last", "7"), ("text", "\"four\"")] {
        assert_eq!(input(&traces, "all", name), value, "{name}");
    }
    for (name, value) in
        [("whole", "\"<Point>\""), ("two", "2"), ("d", "8"), ("e", "10"), ("items", "[]"), ("_", "(none)")]
    {
        assert_eq!(input(&traces, "all", name), value, "{name}");
    }
    off_and_on_async(async || later((1, vec![]), &point, &[2, 3, 4]).await, 1 + 1 + 2 + 2, "later (ok)\n");
    let traces = off_and_on(|| skipped((1, 2), point, [3, 4]), 9, "skipped (ok)\n");
    let (b, x, y) = (input(&traces, "skipped", "b"), input(&traces, "skipped", "x"), input(&traces, "skipped", "y"));
    assert_eq!((b.as_str(), x.as_str(), y.as_str()), ("(none)", "(none)", "2"));
}
