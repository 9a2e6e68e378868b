use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};

type Plain = std::ops::Range<u8>;
type Sent = Pin<Box<dyn Stream<Item = u8> + Send>>;

/// An alias, but of no box.
#[parea::trace(stream)]
fn no_box() -> Plain {
    0..1
}

/// A function of another item.
fn wrong_item(all: &mut String, item: &str) {
    *all += item;
}

#[parea::trace(stream(with = wrong_item))]
fn other_item() -> impl Iterator<Item = u8> {
    0..1
}

fn too_few(_: &mut String) {}

#[parea::trace(stream(with = too_few))]
fn few() -> impl Iterator<Item = u8> {
    0..1
}

struct NoDefault;

fn takes(_: &mut NoDefault, _: &u8) {}

#[parea::trace(stream(with = takes))]
fn starts_with_nothing() -> impl Iterator<Item = u8> {
    0..1
}

fn count(_: &mut std::rc::Rc<u8>, _: &u8) {}

/// What is counted in cannot be sent, so the box cannot.
#[parea::trace(stream(with = count))]
fn not_sent() -> Sent {
    stream::iter([1]).boxed()
}

/// The body returns no stream.
#[parea::trace]
fn no_stream() -> impl Stream<Item = u8> {
    7
}

#[parea::trace]
async fn no_iterator() -> Result<impl Iterator<Item = u8>, String> {
    Ok(7)
}

fn main() {}
