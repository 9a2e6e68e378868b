//! The one source of ids.

use uuid::{Builder, Uuid};

use crate::clock::Start;

/// A fresh UUID, version 7, made from the span's own start: ids of one trace lie together in a store's index.
///
/// The random part comes from a generator of the thread that the operating system's randomness seeds.
pub(crate) fn fresh(start: Start) -> Uuid {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    Builder::from_unix_timestamp_millis(start.unix_millis(), &random).into_uuid()
}
