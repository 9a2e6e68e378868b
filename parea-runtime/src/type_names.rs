//! Looks at names of types, which the compiler knows: each is one comparison of as many bytes on both sides, of which nothing is
//! left but its answer. The standard library's searches in texts are calls, unless the whole program is optimised at once.

/// What stands behind that beginning, if the name has it.
#[expect(clippy::inline_always, reason = "out of line, nothing is known of the name, and every value pays for it")]
#[inline(always)]
pub(crate) fn after<'a, const N: usize>(name: &'a [u8], beginning: &[u8; N]) -> Option<&'a [u8]> {
    match name.split_first_chunk::<N>() {
        Some((first, rest)) if first == beginning => Some(rest),
        _ => None,
    }
}

/// Whether the name begins so.
#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
pub(crate) fn begins<const N: usize>(name: &[u8], beginning: &[u8; N]) -> bool {
    after(name, beginning).is_some()
}
