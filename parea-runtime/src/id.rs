//! The one source of ids.

use uuid::Uuid;

use crate::clock::Moment;

/// A fresh UUID, version 7, made from the span's own start: ids of one trace lie together in a store's index.
///
/// The random part comes from a generator of the thread that the operating system's randomness seeds.
#[inline]
pub(crate) fn fresh(start: Moment, random: &mut fastrand::Rng) -> Uuid {
    const VERSION: u64 = 0x7000;
    const VARIANT: u64 = 1 << 63;
    let high = (start.unix_millis() << 16) | VERSION | (random.u64(..) >> 52);
    let low = VARIANT | (random.u64(..) >> 2);
    Uuid::from_u64_pair(high, low)
}

/// A generator for a forked child, which would go on with the sequence of its parent. `old` is what it had.
#[cfg(unix)]
pub(crate) fn reseeded(old: &mut fastrand::Rng) -> fastrand::Rng {
    let process = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    fastrand::Rng::with_seed(old.u64(..) ^ process.rotate_left(17) ^ Moment::now().0)
}
