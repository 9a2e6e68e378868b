#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{borrow::Borrow, collections::HashMap, hash::Hash, marker::PhantomData, ops::Add};

use off_and_on::{input, off_and_on, off_and_on_async, output};

#[parea::trace]
fn sum<T, const N: usize>(items: [T; N]) -> T
where
    T: Add<Output = T> + Default,
{
    items.into_iter().fold(T::default(), |sum, item| sum + item)
}

#[parea::trace]
fn look_up<'a, K, V, Q: ?Sized>(map: &'a HashMap<K, V>, key: &Q) -> Option<&'a V>
where
    K: Borrow<Q> + Eq + Hash,
    Q: Eq + Hash,
{
    map.get(key)
}

#[parea::trace]
async fn shown<T: std::fmt::Debug + ?Sized>(value: &T) -> String {
    format!("{value:?}")
}

#[parea::trace]
fn turbofish<T: Default>() -> T {
    T::default()
}

struct Table<T, const N: usize>([T; N]);

impl<T: Copy + Into<u64>, const N: usize> Table<T, N> {
    const WIDTH: usize = N;

    #[parea::trace(metadata(width = Self::WIDTH), skip(self))]
    fn total<U: From<u64>>(&self, _: PhantomData<U>) -> U {
        U::from(self.0.iter().copied().map(Into::into).sum())
    }

    #[parea::trace(skip(self))]
    async fn at<const I: usize>(&self) -> T {
        self.0[I]
    }
}

#[derive(Clone, Copy)]
struct Opaque;

/// Nothing is known of `T` but its name.
#[parea::trace]
fn unbounded<T>(value: T) -> T {
    value
}

fn main() {
    let traces = off_and_on(|| sum([1, 2, 3]), 6, "sum (ok)\n");
    // Without a bound the items of the array cannot be shown.
    assert_eq!((input(&traces, "sum", "items").as_str(), output(&traces, "sum")), ("\"<[i32; 3]>\"", "<i32>"));
    off_and_on(|| look_up(&HashMap::from([("a".to_owned(), 1)]), "a").copied(), Some(1), "look_up (ok)\n");
    let traces = off_and_on_async(async || shown("text").await, "\"text\"".to_owned(), "shown (ok)\n");
    assert_eq!(input(&traces, "shown", "value"), r#""\"text\"""#);
    off_and_on(turbofish::<u8>, 0, "turbofish (ok)\n");
    let traces = off_and_on(|| Table([1_u8, 2]).total::<u64>(PhantomData), 3, "total (ok)\n");
    assert_eq!(traces.log("total").metadata.as_ref().unwrap()["width"], "2");
    off_and_on_async(async || Table([1_u8, 2]).at::<1>().await, 2, "at (ok)\n");
    let traces = off_and_on(|| _ = unbounded(Opaque), (), "unbounded (ok)\n");
    assert_eq!(output(&traces, "unbounded"), "<Opaque>");
}
