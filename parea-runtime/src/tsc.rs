//! The processor's time-stamp counter, where it can serve as a clock.
//!
//! The one instruction that the standard library has no safe name for. It reads a register into another and touches
//! no memory, so there is nothing to hold up but the target itself, which `cfg` sees to.

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
