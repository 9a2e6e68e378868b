//! The one source of ids.

use uuid::Uuid;

use crate::clock::Moment;

/// An id as it lies in records: the two halves of a UUID as numbers, so that none of its bytes is moved before it becomes a
/// text.
pub(crate) type Id = [u64; 2];

/// As everybody else has it.
#[inline]
pub(crate) fn uuid([high, low]: Id) -> Uuid {
    Uuid::from_u64_pair(high, low)
}

/// As it lies in records.
#[inline]
pub(crate) fn of(uuid: Uuid) -> Id {
    let (high, low) = uuid.as_u64_pair();
    [high, low]
}

/// A fresh UUID, version 7, made from the span's own start: ids of one trace lie together in a store's index.
///
/// What is finer than a millisecond stands in the twelve bits behind the version, as RFC 9562 allows; the other 62 bits come
/// from a generator of the thread that the operating system's randomness seeds.
#[inline(always)]
pub(crate) fn fresh(start: Moment, random: &mut fastrand::Rng) -> Id {
    const VERSION: u64 = 0x7000;
    const VARIANT: u64 = 1 << 63;
    let time = start.unix_millis_4096();
    let high = (time & !0xfff) << 4 | VERSION | time & 0xfff;
    let low = VARIANT | random.u64(..) >> 2;
    [high, low]
}

/// The id of something else than a span.
#[cfg(feature = "http")]
pub(crate) fn unique() -> String {
    uuid(fresh(Moment::now(), &mut fastrand::Rng::new())).to_string()
}

/// A generator for a forked child, which would go on with the sequence of its parent. `old` is what it had.
#[cfg(unix)]
pub(crate) fn reseeded(old: &mut fastrand::Rng) -> fastrand::Rng {
    let process = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    fastrand::Rng::with_seed(old.u64(..) ^ process.rotate_left(17) ^ Moment::now().0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn ids_are_of_version_7_tell_their_time_and_rise_with_it() {
        let mut random = fastrand::Rng::with_seed(7);
        let now = Moment::now();
        let id = uuid(fresh(now, &mut random));
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        let millis = (id.as_u128() >> 80) as i64;
        assert!((millis - clock::wall_micros() / 1000).abs() < 1_000, "{millis}");
        let ids: Vec<_> = (0..10_000).map(|n| fresh(Moment(now.0 + n * 1_000), &mut random)).collect();
        assert!(ids.is_sorted());
    }
}
