//! The header `traceparent`: `00-<trace id>-<parent id>-<flags>`.

use std::fmt;

/// What the header says. Neither id is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traceparent {
    pub(super) trace_id: u128,
    pub(super) parent_id: u64,
    pub(super) sampled: bool,
}

impl Traceparent {
    /// Reads version 00, and of later versions the part that they share with it.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let (version, rest) = (header.get(..2)?, header.get(2..)?);
        match (hex(version, 2)?, rest.len()) {
            (0, 53) => {}
            (0 | 0xff, _) => return None,
            (_, 53) => {}
            _ if rest.as_bytes().get(53) == Some(&b'-') => {}
            _ => return None,
        }
        let mut fields = rest.strip_prefix('-')?.split('-');
        let trace_id = hex(fields.next()?, 32)?;
        let parent_id = u64::try_from(hex(fields.next()?, 16)?).ok()?;
        let flags = hex(fields.next()?, 2)?;
        (trace_id != 0 && parent_id != 0).then_some(Self { trace_id, parent_id, sampled: flags & 1 == 1 })
    }
}

/// Small letters only: the standard asks to refuse others.
fn hex(text: &str, length: usize) -> Option<u128> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() == length && digits { u128::from_str_radix(text, 16).ok() } else { None }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_the_standard_forbids_is_not() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = Traceparent::parse(header).unwrap();
        assert_eq!((read.to_string().as_str(), read.sampled), (header, true));
        assert_eq!(Traceparent::parse(&header.replace("-01", "-fe")).map(|read| read.sampled), Some(false));
        // A later version may say more, but only behind another dash.
        assert_eq!(Traceparent::parse(&format!("cc{}-what-else", &header[2..])), Some(read));
        assert_eq!(Traceparent::parse(&format!("cc{}", &header[2..])), Some(read));
        for wrong in [
            "",
            "00",
            &header.to_uppercase(),
            &header[..54],
            &format!("{header}-more"),
            &format!("ff{}", &header[2..]),
            &format!("cc{}.what", &header[2..]),
            &format!("0g{}", &header[2..]),
            &header.replace("b7ad6b7169203331", "0000000000000000"),
            &header.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            &header.replace('-', "_"),
            &header.replace("0af7", "+af7"),
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "ä0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(Traceparent::parse(wrong), None, "{wrong}");
        }
    }
}
