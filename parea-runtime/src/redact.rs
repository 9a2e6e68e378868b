//! What must not leave the process, taken out of every log before it does: to a server, to the spool, or to a test.
//!
//! Secrets are known by their names (of arguments, members, fields, headers), by their types, and by their looks. The
//! caller's side leaves out what names and types tell, since it sees both; here a finished log is searched as a whole,
//! in one pass over its JSON, so that nothing has to be decoded that has no secret in it.

mod assigned;
mod card;
mod commands;
mod escapes;
mod extent;
mod hook;
mod line;
mod markup;
mod names;
mod nearby;
mod plain;
mod prefixes;
mod shapes;
mod text;
mod types;
mod urls;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{LazyLock, OnceLock},
};

pub(crate) use assigned::is_of_a_model;
pub(crate) use hook::Hook;
pub use names::is_secret_name;
pub use types::is_secret_type;

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// What is taken out of logs. The default takes out all but mailboxes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    /// Nothing is searched; names and types on the caller's side still count.
    pub(crate) off: bool,
    /// What is looked for beside what always is.
    pub(crate) wanted: Wanted,
    /// What the user adds.
    pub(crate) hook: Option<Hook>,
}

/// What the user wants taken out too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Mailboxes.
    pub(crate) emails: bool,
    /// Values of these names, in small letters and digits alone.
    names: Vec<Box<[u8]>>,
}

impl Wanted {
    /// Adds a name, in whatever spelling.
    pub(crate) fn add_name(&mut self, name: &str) {
        let name: Box<[u8]> = letters(name.as_bytes()).collect();
        if !name.is_empty() {
            self.names.push(name);
        }
    }

    /// Whether a value of this name is a secret.
    #[inline]
    fn names_secret(&self, name: &[u8]) -> bool {
        names::names_secret(name) || self.names.iter().any(|wanted| letters(name).eq(wanted.iter().copied()))
    }
}

/// A name without its spelling.
fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()).map(u8::to_ascii_lowercase)
}

/// What `init` was told.
static IN_FORCE: OnceLock<Redactor> = OnceLock::new();

/// Puts a redactor in force for the rest of the process. The first one stays.
pub(crate) fn enforce(redactor: Redactor) {
    // A second `init` fails before it comes here.
    let _ = IN_FORCE.set(redactor);
}

/// Takes the secrets out of a log as a line of JSON, from the member on that begins at `from`; returns how many there were.
/// A line that fails is not to leave.
pub(crate) fn redact(line: &mut Vec<u8>, from: usize) -> io::Result<u64> {
    static DEFAULT: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    let redactor = IN_FORCE.get().unwrap_or_else(|| &DEFAULT);
    let searched = catch_unwind(AssertUnwindSafe(|| redactor.redact(line, from)));
    searched.map_err(|_| io::Error::other("the search for secrets panicked"))
}

impl Redactor {
    fn redact(&self, line: &mut Vec<u8>, from: usize) -> u64 {
        let mut count = 0;
        if !self.off {
            let edits = line::search(line, from, &self.wanted);
            count += edits.len() as u64;
            apply(&edits, line);
        }
        if let Some(hook) = &self.hook {
            count += hook.run(line, from);
        }
        count
    }
}

/// A part of a line that is to be replaced by [`REDACTED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit {
    start: usize,
    end: usize,
    /// The part is a whole value, so that what replaces it needs quotes.
    is_value: bool,
}

impl Edit {
    /// Inside a string.
    fn text(start: usize, end: usize) -> Self {
        Self { start, end, is_value: false }
    }

    fn value(start: usize, end: usize) -> Self {
        Self { start, end, is_value: true }
    }
}

/// Makes the edits, which are in order and do not touch one another.
fn apply(edits: &[Edit], line: &mut Vec<u8>) {
    if edits.is_empty() {
        return;
    }
    let mut redacted = Vec::with_capacity(line.len() + edits.len() * REDACTED.len());
    let mut copied = 0;
    for edit in edits {
        redacted.extend_from_slice(&line[copied..edit.start]);
        let quote: &[u8] = if edit.is_value { b"\"" } else { b"" };
        for part in [quote, REDACTED.as_bytes(), quote] {
            redacted.extend_from_slice(part);
        }
        copied = edit.end;
    }
    redacted.extend_from_slice(&line[copied..]);
    *line = redacted;
}

#[cfg(test)]
mod tests;
