use std::pin::Pin;

use futures_util::Stream;

#[parea::trace(stream)]
fn number() -> u32 {
    1
}

#[parea::trace(stream)]
fn nothing() {}

#[parea::trace(stream)]
fn reference(items: &[u8]) -> &[u8] {
    items
}

#[parea::trace(stream)]
fn too_many_bounds() -> impl Iterator<Item = u8> + Clone {
    0..1
}

#[parea::trace(stream)]
async fn future() -> impl Future<Output = u8> {
    async { 1 }
}

#[parea::trace(stream(collcet))]
fn misspelt() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream(first))]
fn unknown() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream())]
fn empty() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream = join)]
fn no_list() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream(join, last))]
fn two() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream(with))]
fn with_nothing() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream(with = 5))]
fn with_number() -> impl Iterator<Item = u8> {
    0..1
}

#[parea::trace(stream(join), log_omit_outputs)]
fn contradicts() -> Pin<Box<dyn Stream<Item = u8>>> {
    todo!()
}

fn main() {}
