#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::iter::FusedIterator;

use off_and_on::{off_and_on, off_and_on_async, silence_panics};

#[parea::trace]
fn step() {}

#[parea::trace]
fn opaque(limit: u32) -> impl Iterator<Item = u32> {
    (0..limit).inspect(|_| step())
}

#[parea::trace]
fn every_bound<'a>(
    items: &'a [u8],
) -> impl DoubleEndedIterator<Item = &'a u8> + ExactSizeIterator + FusedIterator + Send + Sync + Unpin + 'a {
    items.iter()
}

#[parea::trace]
fn boxed(text: &str) -> Box<dyn Iterator<Item = String> + Send + '_> {
    Box::new(text.split(' ').map(str::to_owned))
}

#[parea::trace]
fn fallible(text: &str) -> Result<impl Iterator<Item = Result<u32, std::num::ParseIntError>>, &'static str> {
    if text.is_empty() {
        return Err("empty");
    }
    Ok(text.lines().map(str::parse))
}

#[parea::trace]
async fn later() -> Result<Box<dyn Iterator<Item = u8>>, String> {
    tokio::task::yield_now().await;
    Ok(Box::new([1, 2].into_iter()))
}

struct Tree(Vec<Tree>);

impl Tree {
    #[parea::trace(skip(self))]
    fn leaves(&self) -> Box<dyn Iterator<Item = &Tree> + '_> {
        if self.0.is_empty() {
            return Box::new(std::iter::once(self));
        }
        Box::new(self.0.iter().flat_map(Tree::leaves))
    }
}

trait Rows {
    #[parea::trace]
    fn rows(&self) -> impl Iterator<Item = u8> {
        [1, 2].into_iter()
    }
}

impl Rows for () {}

#[parea::trace]
fn breaks() -> impl Iterator<Item = u32> {
    (0..3).inspect(|n| assert!(*n < 2, "two is too much"))
}

fn main() {
    silence_panics();
    off_and_on(
        || {
            opaque(2).for_each(|_| step());
        },
        (),
        "opaque (ok)\n├─ step (ok)\n└─ step (ok)\nstep (ok)\nstep (ok)\n",
    );
    let traces = off_and_on(
        || {
            let mut items = every_bound(&[1, 2, 3]);
            assert_eq!(
                (items.len(), items.next_back(), items.next(), items.size_hint()),
                (3, Some(&3), Some(&1), (1, Some(1)))
            );
            drop(items);
            boxed("one two").collect::<String>()
        },
        "onetwo".to_owned(),
        "every_bound (ok)\nboxed (ok)\n",
    );
    assert_eq!(traces.log("every_bound").output.as_deref(), Some("[3,1]"));
    off_and_on(
        || {
            assert!(fallible("").is_err());
            assert!(fallible("1\nx\n2").unwrap().collect::<Result<Vec<_>, _>>().is_err());
            fallible("1\n2").unwrap().map(Result::unwrap).sum::<u32>()
        },
        3,
        "fallible (error: empty)\nfallible (error: invalid digit found in string)\nfallible (ok)\n",
    );
    off_and_on_async(async || later().await.unwrap().count(), 2, "later (ok)\n");
    let tree = Tree(vec![Tree(vec![]), Tree(vec![])]);
    off_and_on(|| tree.leaves().count(), 2, "leaves (ok)\n├─ leaves (ok)\n└─ leaves (ok)\n");
    off_and_on(|| ().rows().sum::<u8>(), 3, "rows (ok)\n");
    let traces = off_and_on(
        || std::panic::catch_unwind(|| breaks().count()).is_err(),
        true,
        "breaks (error: panicked: two is too much)\n",
    );
    assert_eq!(traces.log("breaks").output.as_deref(), Some("[0,1]"));
    // Dropped before the first item.
    off_and_on(|| drop(opaque(3)), (), "opaque (ok)\n");
}
