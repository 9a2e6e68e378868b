//! Server-sent events, put together from pieces that break anywhere.

use super::ApiError;

/// Most bytes of one event. What is longer is no event stream.
const LONGEST: usize = 16 * 1024 * 1024;

/// A reader of `text/event-stream`: bytes in, the `data` of events out.
#[derive(Debug, Default)]
pub(super) struct Events {
    bytes: Vec<u8>,
    /// How much of `bytes` has been looked at for the end of a line.
    searched: usize,
    /// The last line ended with a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// The first line may begin with a byte order mark.
    started: bool,
    /// Data lines of the event that is being read.
    data: Option<Vec<u8>>,
}

impl Events {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The data of the next event that is whole. Comments and other fields are passed over.
    pub(super) fn next(&mut self) -> Result<Option<String>, ApiError> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                if let Some(data) = self.data.take() {
                    return Ok(Some(String::from_utf8_lossy(&data).into_owned()));
                }
                continue;
            }
            let Some(value) = line.strip_prefix(b"data") else { continue };
            let value = match value {
                [b':', b' ', value @ ..] | [b':', value @ ..] => value,
                [] => &[],
                // A field whose name only begins like this.
                _ => continue,
            };
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        }
        if self.bytes.len() + self.data.as_ref().map_or(0, Vec::len) > LONGEST {
            return Err(ApiError::Answer(format!("an event of the stream is longer than {LONGEST} bytes")));
        }
        Ok(None)
    }

    /// The next line that is whole, without its end: LF, CR, or CR and LF.
    fn line(&mut self) -> Option<Vec<u8>> {
        if self.after_cr && !self.bytes.is_empty() {
            self.after_cr = false;
            if self.bytes[0] == b'\n' {
                self.bytes.remove(0);
            }
        }
        let unsearched = self.bytes.get(self.searched..)?;
        let Some(end) = unsearched.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + end;
        self.after_cr = self.bytes[end] == b'\r';
        self.searched = 0;
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        if !std::mem::replace(&mut self.started, true) && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_bytes_arrive() {
        let text = "\u{feff}data: one\r\n\r\n: ping\r\nevent: x\r\ndata:{\"chunk\":\"gr\u{fc}n data: \u{1f30d}\"}\r\n\r\n\
                    data: a\ndata\ndata:  b\n\n\n\nid: 7\ndatabase: no\n\ndata: cr\rdata: more\r\rdata: unfinished\n";
        let expected = ["one", "{\"chunk\":\"gr\u{fc}n data: \u{1f30d}\"}", "a\n\n b", "cr\nmore"];
        for size in 1..=text.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                events.push(piece);
                while let Ok(Some(data)) = events.next() {
                    found.push(data);
                }
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::default();
        events.push(&vec![b'x'; LONGEST + 1]);
        assert!(matches!(events.next(), Err(ApiError::Answer(_))));
    }
}
