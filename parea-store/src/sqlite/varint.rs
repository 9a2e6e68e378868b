//! Numbers of few bytes where they are small: seven bits a byte, the lowest first, as in LEB128.

pub(super) fn push(bytes: &mut Vec<u8>, number: impl Into<u64>) {
    let mut number = number.into();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads one from the front; `None` if it is cut off, too long, or too large for its type.
pub(super) fn take<T: TryFrom<u64>>(bytes: &mut &[u8]) -> Option<T> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return T::try_from(number).ok();
        }
    }
    None
}
