//! Instructions of the processor that the standard library has no safe name for: its time-stamp counter, where it can serve as
//! a clock, and comparisons of many bytes at once.
//!
//! They read registers into others and touch no memory, so there is nothing to hold up but the target itself, which `cfg` sees
//! to.

/// Ticks since an unknown moment, the same on all cores wherever [`is_usable`] says so.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code, reason = "half the cost of a clock reading by the system, twice per span")]
pub(crate) fn ticks() -> u64 {
    // SAFETY: `rdtsc` is part of every x86-64 processor and has no operands. Where an operating system forbids it to
    // user code, `is_usable` is false and nobody calls this.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Never called: see [`is_usable`].
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ticks() -> u64 {
    0
}

/// Whether the kernel itself keeps time by the counter: it has checked by then that the rate is constant, that the
/// counter runs on while the processor sleeps, and that all cores agree.
pub(crate) fn is_usable() -> bool {
    const CHOSEN: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(all(target_arch = "x86_64", target_os = "linux", not(miri)))
        && std::fs::read_to_string(CHOSEN).is_ok_and(|chosen| chosen.trim() == "tsc")
}

/// Whether one of these bytes is a quote, a backslash or a control character; `None` where they cannot be looked at together.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[expect(clippy::inline_always, reason = "a few instructions, for bytes that are in registers")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is no answer")]
#[inline(always)]
#[allow(unsafe_code, reason = "a third of the cost of a text, and the compiler finds no such instructions by itself")]
pub(crate) fn has_special<const N: usize>(chunks: &[[u8; 16]; N]) -> Option<bool> {
    // SAFETY: SSE2 is part of every x86-64 processor, and of this target.
    Some(unsafe { has_special_by_sse2(chunks) })
}

/// Never known: see above.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
pub(crate) fn has_special<const N: usize>(_chunks: &[[u8; 16]; N]) -> Option<bool> {
    None
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
#[target_feature(enable = "sse2")]
fn has_special_by_sse2<const N: usize>(chunks: &[[u8; 16]; N]) -> bool {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
        _mm_setzero_si128, _mm_xor_si128,
    };
    /// Makes a space of a quote, and the other way round.
    const CHANGE: u8 = b'"' ^ b' ';
    let mut found = _mm_setzero_si128();
    for chunk in chunks {
        let number = u128::from_le_bytes(*chunk);
        let bytes = _mm_set_epi64x((number >> 64) as i64, number as i64);
        let changed = _mm_xor_si128(bytes, _mm_set1_epi8(CHANGE as i8));
        // Not beyond the space are now the control characters and what was a quote.
        let low = _mm_cmpeq_epi8(_mm_min_epu8(changed, _mm_set1_epi8(b' ' as i8)), changed);
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        found = _mm_or_si128(found, _mm_or_si128(low, backslash));
    }
    _mm_movemask_epi8(found) != 0
}
