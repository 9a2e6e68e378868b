//! A server that takes every batch, as cheaply as can be: ours, and those of OTLP.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

/// Serves until it is killed; tells its address in its first line.
pub fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    loop {
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        if requests.read_line(&mut first)? == 0 {
            return Ok(());
        }
        while requests.read_line(&mut line)? > 2 {
            if let Some((_, value)) =
                line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().unwrap_or_default();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        requests.read_exact(&mut body)?;
        let (status, answer) = if first.contains("/trace_logs") {
            let lines = body.iter().filter(|byte| **byte == b'\n').count();
            ("200 OK", format!(r#"{{"accepted":{lines},"rejected":[]}}"#))
        } else if first.contains("/v1/traces") {
            // A message of protobuf without a member.
            ("200 OK", String::new())
        } else {
            ("404 Not Found", r#"{"detail":"only batches"}"#.to_owned())
        };
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        answers.write_all((head + &answer).as_bytes())?;
    }
}

/// One in a process of its own, until it is dropped.
#[derive(Debug)]
pub struct Sink {
    process: Child,
    pub address: SocketAddr,
}

impl Sink {
    pub fn start() -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut process = Command::new(program).args(["sink", "-"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { process, address })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
