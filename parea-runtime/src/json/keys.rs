//! Keys of members. They live as long as the program, so each is looked at and escaped once.

use super::{Bytes, Out, escape::is_special, push_text};
use crate::redact::is_secret_name;

/// As many keys as a thread remembers, in groups of which each key has one.
const KEYS: usize = 256;
const GROUP: usize = 4;

/// Longest member that is kept written. All of it is copied, whatever its length: that is a few instructions.
const LONGEST: usize = 32;

/// A key as it is written and judged, once.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    name: &'static str,
    /// `,"name":`
    member: [u8; LONGEST],
    /// Bytes of it; 0 if there is more to be done: it is too long to be kept, has letters that need an escape, or is that of a
    /// secret.
    written: u8,
    secret: bool,
}

impl Key {
    /// Asked in a constant by the expansion, for the name of an input.
    pub const fn new(name: &'static str) -> Self {
        let (bytes, mut member, mut at) = (name.as_bytes(), [0; LONGEST], 0);
        let mut plain = bytes.len() + 4 <= LONGEST;
        if plain {
            (member[0], member[1]) = (b',', b'"');
            while at < bytes.len() {
                plain = plain && !is_special(bytes[at]);
                member[at + 2] = bytes[at];
                at += 1;
            }
            (member[at + 2], member[at + 3]) = (b'"', b':');
        }
        let secret = is_secret_name(name);
        Self { name, member, written: if plain && !secret { bytes.len() as u8 + 4 } else { 0 }, secret }
    }

    /// Appends the key as a member behind `lead`; whether its value is a secret.
    #[inline]
    pub(crate) fn push(&self, bytes: &mut Bytes, lead: u8) -> bool {
        !self.push_plain(bytes, lead) && self.push_whole(bytes, lead)
    }

    /// The same where there is no more to be done than to copy it; else nothing has happened.
    #[expect(clippy::inline_always, reason = "a few instructions, for each field")]
    #[inline(always)]
    fn push_plain(&self, bytes: &mut Bytes, lead: u8) -> bool {
        if self.written == 0 {
            return false;
        }
        let Some(room) = bytes.room::<LONGEST>() else { return false };
        *room = self.member;
        room[0] = lead;
        bytes.used::<LONGEST>(usize::from(self.written));
        true
    }

    #[cold]
    #[inline(never)]
    fn push_whole(&self, bytes: &mut Bytes, lead: u8) -> bool {
        bytes.put_byte(lead);
        push_text(bytes, self.name);
        bytes.put_byte(b':');
        self.secret
    }
}

/// What a thread has found out about keys.
#[derive(Debug, Default)]
pub(super) struct Keys(Option<Box<[Key; KEYS]>>);

impl Keys {
    /// Appends the key as a member behind `lead` if it is known to be no more than that; else nothing has happened.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn push_plain(&self, bytes: &mut Bytes, lead: u8, name: &'static str) -> bool {
        let Some(known) = &self.0 else { return false };
        let key = &known[place(name)];
        std::ptr::eq(key.name, name) && key.push_plain(bytes, lead)
    }

    /// Appends the key as a member behind `lead`; whether its value is a secret.
    #[inline(never)]
    pub(super) fn push(&mut self, bytes: &mut Bytes, lead: u8, name: &'static str) -> bool {
        self.look(place(name), name).push(bytes, lead)
    }

    /// The key in its own place or another one of its group, else made anew: in its own place if there is none that is free.
    fn look(&mut self, at: usize, name: &'static str) -> &Key {
        let known = &mut **self.0.get_or_insert_with(|| Box::new([Key::new(""); KEYS]));
        let first = at - at % GROUP;
        let group = || [at].into_iter().chain(first..first + GROUP);
        if let Some(at) = group().find(|at| std::ptr::eq(known[*at].name, name)) {
            return &known[at];
        }
        let free = group().find(|at| known[*at].name.is_empty()).unwrap_or(at);
        known[free] = Key::new(name);
        &known[free]
    }
}

/// Where a key is to be found first. Addresses of keys that lie side by side differ by their lengths.
#[inline]
fn place(name: &'static str) -> usize {
    name.as_ptr().addr() % KEYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_serde_json_writes_them_whatever_their_length_and_letters() {
        let mut keys = Keys::default();
        for letter in ['k', '"', '\\', '\n', 'ü'] {
            for length in 0..40 {
                let name: &'static str = format!("{}{letter}", "n".repeat(length)).leak();
                let mut bytes = Bytes::from(b"{".to_vec());
                // The first time it is looked at, the second time it is known.
                keys.push(&mut bytes, b' ', name);
                bytes.extend(b"1");
                keys.push(&mut bytes, b',', name);
                bytes.extend(b"2}");
                let quoted = serde_json::to_string(name).unwrap_or_default();
                assert_eq!(String::from_utf8_lossy(&bytes), format!("{{ {quoted}:1,{quoted}:2}}"));
            }
        }
        assert!(
            Key::new("api_key").push(&mut Bytes::default(), b',') && !Key::new("api").push(&mut Bytes::default(), b',')
        );
    }
}
