//! What the user takes out.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::context::Context;

/// What stands where the hook failed to say what may.
const FAILED: &str = "[redacted: the hook panicked]";

/// Members of a log that say what it is, not what was in it, behind its ids and times.
const STRUCTURE: &[&str] = &["status", "experiment_uuid"];

/// A text in, what is to stand in its place out, or nothing when it may stay.
type Replace = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The user's function.
#[derive(Clone)]
pub(crate) struct Hook(Arc<Replace>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Hook {
    pub(crate) fn new(hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// Asks about every text of a log from the member on that begins at `from`; returns how many were replaced.
    pub(super) fn run(&self, line: &mut Vec<u8>, from: usize) -> u64 {
        let mut asked = Vec::with_capacity(line.len());
        let (mut count, mut copied, mut at, mut depth) = (0, 0, from, 1usize);
        let mut kept = false;
        while let Some(byte) = line.get(at) {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    let end = string_end(line, at);
                    let is_key = line.get(end) == Some(&b':');
                    if depth == 1 && is_key {
                        let key = str::from_utf8(&line[at + 1..end - 1]).unwrap_or_default();
                        kept = STRUCTURE.contains(&key);
                    }
                    if !(kept || depth == 1 && is_key)
                        && let Some(replacement) = self.ask(&line[at..end])
                    {
                        asked.extend_from_slice(&line[copied..at]);
                        asked.extend_from_slice(&replacement);
                        copied = end;
                        count += 1;
                    }
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        if count > 0 {
            asked.extend_from_slice(&line[copied..]);
            *line = asked;
        }
        count
    }

    /// What is to stand in place of this string, as JSON.
    fn ask(&self, json: &[u8]) -> Option<Vec<u8>> {
        // A string that is no text, such as half a surrogate, is shown as it is spelled.
        let spelled = || String::from_utf8_lossy(json.get(1..json.len() - 1).unwrap_or_default()).into_owned();
        let text: String = serde_json::from_slice(json).unwrap_or_else(|_| spelled());
        // What it calls leaves no log, which it would be asked about.
        let answer = catch_unwind(AssertUnwindSafe(|| Context::off().enter(|| (self.0)(&text))));
        let replacement = answer.unwrap_or_else(|payload| {
            crate::hooks::swallowed(payload);
            Some(FAILED.to_owned())
        })?;
        // Writing text to memory does not fail; if it did, nothing would be better than the text.
        Some(serde_json::to_vec(&replacement).unwrap_or_else(|_| b"null".to_vec()))
    }
}

/// Behind the string that begins at `at`.
fn string_end(line: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = line.get(end)
        && *byte != b'"'
    {
        end += if *byte == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(line.len())
}
