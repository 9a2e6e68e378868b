use std::rc::Rc;

use futures_util::Stream;

#[parea::trace]
fn stream(n: Rc<u8>) -> impl Stream<Item = u8> + Send {
    futures_util::StreamExt::map(futures_util::stream::iter([1]), move |m| m + *n)
}

#[parea::trace]
fn holds_what_stays(n: Rc<u8>) -> impl Iterator<Item = u8> + Send {
    (0..1).map(move |m| m + *n)
}

fn main() {}
