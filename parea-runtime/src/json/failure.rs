//! Why a value was not written as it is: it is more than a value may be, or something has been said against it.

use std::fmt;

use serde::ser;

use super::{Buffer, Bytes, MOST_BYTES, Out, Surface, floor, push_text_body};

/// Most brackets in brackets. Readers stop at 128, and there are some around a value.
pub(super) const DEEPEST: usize = 100;

#[cold]
pub(super) fn failed(buffer: &mut Buffer, start: usize, failure: Failure) -> Result<(), Box<str>> {
    match *failure.0 {
        Why::Limit => cut(&mut buffer.bytes, start, format_args!("{MOST_BYTES} bytes")),
        Why::Depth => cut(&mut buffer.bytes, start, format_args!("{DEEPEST} levels")),
        Why::Stack => cut(&mut buffer.bytes, start, format_args!("{} bytes of stack", Surface::MOST)),
        Why::Said(why) => return Err(why.into()),
    }
    Ok(())
}

#[cold]
pub(super) fn cut(bytes: &mut Bytes, start: usize, at: fmt::Arguments<'_>) {
    let begun = String::from_utf8_lossy(&bytes[start..]).into_owned();
    bytes.truncate(start);
    let head = floor(&begun, MOST_BYTES);
    bytes.put_byte(b'"');
    push_text_body(bytes, &begun[..head]);
    push_text_body(bytes, &format!(" …[cut at {at}]"));
    bytes.put_byte(b'"');
}

impl Failure {
    /// Whether the value was too large.
    pub(super) fn is_limit(&self) -> bool {
        matches!(*self.0, Why::Limit)
    }
}

/// Behind a pointer, so that the success that each member returns fits into a register.
#[derive(Debug)]
pub(super) struct Failure(Box<Why>);

#[derive(Debug)]
pub(super) enum Why {
    /// The value is larger than a value may be.
    Limit,
    /// It is nested deeper than a value may be.
    Depth,
    /// It recurses without a bracket.
    Stack,
    /// What the user's `Serialize`, or JSON, has against it.
    Said(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Limit => f.write_str("too large"),
            Why::Depth | Why::Stack => f.write_str("too deep"),
            Why::Said(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Why::Said(message.to_string()).into()
    }
}

impl From<Why> for Failure {
    #[cold]
    fn from(why: Why) -> Self {
        Self(Box::new(why))
    }
}
