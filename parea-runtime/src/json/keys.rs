//! Keys of members. They live as long as the program, so each is looked at and escaped once.

use super::push_text;
use crate::redact::is_secret_name;

/// As many keys as a thread remembers; two that fall in one place take turns.
const KEYS: usize = 128;

/// Longest member that is remembered. All of it is copied, whatever its length: that is a few instructions.
const LONGEST: usize = 32;

/// What a thread has found out about keys.
#[derive(Debug, Default)]
pub(super) struct Keys(Option<Box<[Key; KEYS]>>);

#[derive(Clone, Copy, Debug)]
struct Key {
    address: usize,
    length: usize,
    /// `,"key":`
    member: [u8; LONGEST],
    /// Bytes of it; 0 if it is too long to be kept.
    written: usize,
    secret: bool,
}

impl Key {
    const NONE: Self = Self { address: 0, length: 0, member: [0; LONGEST], written: 0, secret: false };

    #[cold]
    fn look(key: &'static str) -> Self {
        let mut whole = vec![b','];
        push_text(&mut whole, key);
        whole.push(b':');
        let mut known = Self { address: key.as_ptr().addr(), length: key.len(), ..Self::NONE };
        known.secret = is_secret_name(key);
        if let Some(member) = known.member.get_mut(..whole.len()) {
            member.copy_from_slice(&whole);
            known.written = whole.len();
        }
        known
    }
}

impl Keys {
    /// Appends the key as a member behind `lead`; whether its value is a secret.
    #[inline]
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>, lead: u8, key: &'static str) -> bool {
        let (address, length) = (key.as_ptr().addr(), key.len());
        let keys = self.0.get_or_insert_with(|| Box::new([Key::NONE; KEYS]));
        // Texts of the program lie side by side, so the low bits tell most of them apart.
        let known = &mut keys[(address ^ address >> 7) % KEYS];
        if known.address != address || known.length != length {
            *known = Key::look(key);
        }
        let start = bytes.len();
        if known.written == 0 {
            bytes.push(lead);
            push_text(bytes, key);
            bytes.push(b':');
            return known.secret;
        }
        bytes.extend_from_slice(&known.member);
        bytes[start] = lead;
        bytes.truncate(start + known.written);
        known.secret
    }
}
