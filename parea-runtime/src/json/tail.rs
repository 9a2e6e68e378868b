//! The end of a list that is too large. It is written in a second pass over the list, in which the items before it are only
//! counted.

use std::collections::VecDeque;

use serde::Serialize;

use super::{
    Buffer, MOST_BYTES, Out as _,
    failure::{Failure, Why, failed},
    push_text,
    writer::{Form, Json},
};

/// Most bytes of the head, and of the tail.
const HALF: usize = MOST_BYTES / 2;

/// Most bytes of items that are written before it is seen that they are larger than those of the head, and that fewer of them
/// are wanted.
const MOST_TRIED: usize = 2 * MOST_BYTES;

#[derive(Debug)]
pub(super) struct Tail {
    /// What was written in the first pass.
    begun: Vec<u8>,
    /// How much of it is the head, and the items in that.
    head: usize,
    head_items: usize,
    /// Where the second pass writes.
    start: usize,
    /// Items that the list has, as it says itself.
    length: usize,
    /// How many of them have come.
    come: usize,
    /// How many of them are passed over.
    passed: usize,
    /// Where those begin that are written and stay.
    kept: VecDeque<usize>,
}

impl Tail {
    /// What is to be done after a pass that was not simply a success: another one, if there is no answer.
    #[cold]
    pub(super) fn settle(
        tail: &mut Option<Self>,
        buffer: &mut Buffer,
        start: usize,
        written: Result<(), Failure>,
    ) -> Option<Result<(), Box<str>>> {
        let Some(tail) = tail else {
            let failure = written.err()?;
            let (head, head_items) = if failure.is_limit() { head_of(buffer.since(start)) } else { (0, 0) };
            if head_items == 0 {
                return Some(failed(buffer, start, failure));
            }
            let begun = buffer.bytes.split_off(start);
            let kept = VecDeque::new();
            *tail = Some(Self { begun, head, head_items, start, length: 0, come: 0, passed: 0, kept });
            return None;
        };
        match tail.kept.front() {
            Some(first) if written.is_ok() => {
                let last = buffer.bytes.split_off(*first);
                buffer.bytes.truncate(start);
                buffer.bytes.extend(&tail.begun[..tail.head]);
                buffer.bytes.put_byte(b',');
                let left_out = tail.length - tail.head_items - tail.kept.len();
                push_text(&mut buffer.bytes, &format!("…[{left_out} of {} items left out]…", tail.length));
                // With a comma before and a bracket behind it.
                buffer.bytes.extend(&last);
                Some(Ok(()))
            }
            // Not the list that it seemed to be, or of large items: more is to be seen in what was written first.
            _ => {
                buffer.bytes.truncate(start);
                buffer.bytes.extend(&tail.begun);
                Some(failed(buffer, start, Why::Limit.into()))
            }
        }
    }

    /// A list begins inside so many brackets. As many items are wanted as there are in the head.
    pub(super) fn begin(&mut self, depth: usize, length: Option<usize>) -> Result<(), Failure> {
        if depth == 0 {
            self.length = length.filter(|length| *length > self.head_items).ok_or(Why::Limit)?;
            self.passed = self.head_items.max(self.length - self.head_items);
        }
        Ok(())
    }
}

impl Json<'_> {
    /// An item where there is no room, or in a second pass.
    #[cold]
    #[inline(never)]
    pub(super) fn item_behind<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let Some(tail) = self.tail.as_deref_mut().filter(|_| self.depth == 1) else { return Err(Why::Limit.into()) };
        tail.come += 1;
        if tail.come <= tail.passed {
            return Ok(());
        }
        if tail.come > tail.length {
            return Err(Why::Limit.into());
        }
        let is_last = tail.come == tail.length;
        let start = self.buffer.len();
        self.push(b',');
        self.limit = start + HALF;
        let written = self.inner(value);
        (self.limit, self.depth, self.lead, self.form) = (0, 1, b',', Form::Plain);
        let Some(tail) = self.tail.as_deref_mut() else { return written };
        match written {
            Ok(()) => tail.kept.push_back(start),
            Err(failure) if failure.is_limit() => {
                tail.kept.clear();
                self.buffer.bytes.truncate(start);
            }
            Err(failure) => return Err(failure),
        }
        let end = self.buffer.len();
        if is_last {
            // Room for the bracket that closes the list.
            self.limit = end + 1;
        }
        while tail.kept.front().is_some_and(|first| end - first > HALF) {
            tail.kept.pop_front();
        }
        if end - tail.start > MOST_TRIED && !is_last {
            tail.passed = tail.come + (tail.length - tail.come) / 2;
            if tail.passed > tail.come {
                tail.kept.clear();
            }
            // The bracket that opens the list stays.
            let keep = self.buffer.bytes.split_off(tail.kept.front().copied().unwrap_or(end));
            self.buffer.bytes.truncate(tail.start + 1);
            let moved = tail.kept.front().map_or(0, |first| first - tail.start - 1);
            tail.kept.iter_mut().for_each(|start| *start -= moved);
            self.buffer.bytes.extend(&keep);
        }
        Ok(())
    }
}

/// How far the items of a list reach that lie in its first half, and how many they are.
fn head_of(json: &[u8]) -> (usize, usize) {
    let (mut head, mut items, mut depth, mut in_text, mut escaped) = (0, 0, 0_usize, false, false);
    for (at, byte) in json.iter().enumerate().take(HALF) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 && json.first() == Some(&b'[') => (head, items) = (at, items + 1),
            _ => {}
        }
    }
    (head, items)
}
