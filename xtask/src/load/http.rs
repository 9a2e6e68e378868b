//! As much of HTTP/1.1 as it takes to speak to our own server over one connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than any answer should take; a load that hangs ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that stays open.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    head: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::with_capacity(64 << 10, stream), head: Vec::new() })
    }

    pub(super) fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        self.send("POST", path, body)
    }

    pub(super) fn put(&mut self, path: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        self.send("PUT", path, body)
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        self.head.clear();
        let length = body.len();
        write!(
            self.head,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )?;
        // One write for a small request: that is what a client's library does.
        if length <= 16 << 10 {
            self.head.extend_from_slice(body);
            self.stream.get_mut().write_all(&self.head)?;
        } else {
            self.stream.get_mut().write_all(&self.head)?;
            self.stream.get_mut().write_all(body)?;
        }
        self.answer()
    }

    pub(super) fn get(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.answer()
    }

    /// The body of the answer; an answer other than 200 is an error that shows it.
    fn answer(&mut self) -> io::Result<Vec<u8>> {
        let status = self.line()?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { break };
            match name {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "transfer-encoding" => is_chunked = value.contains("chunked"),
                _ => {}
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = usize::from_str_radix(self.line()?.trim(), 16).map_err(io::Error::other)?;
                self.read(&mut body, size)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.read(&mut body, length)?;
        }
        if status.contains(" 200") {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
        Err(io::Error::other(format!("{} {said}", status.trim())))
    }

    fn read(&mut self, body: &mut Vec<u8>, size: usize) -> io::Result<()> {
        let begun = body.len();
        body.resize(begun + size, 0);
        self.stream.read_exact(&mut body[begun..])
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
