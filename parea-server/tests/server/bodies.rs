//! Bodies that are large, slow to come, or compressed.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
};

use flate2::{Compression, write::GzEncoder};
use parea_server::Config;
use serde_json::{Value, json};

use crate::client::{Client, Local, log};

/// Sends a head and then the whole body, and reads the answer only then, as simple clients do.
fn exchange(local: &Local, head: &str, body: impl Iterator<Item = Vec<u8>>) -> (String, Value) {
    let mut stream = TcpStream::connect(local.handle.local_addr()).unwrap();
    stream
        .write_all(format!("POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{head}\r\n\r\n").as_bytes())
        .unwrap();
    for piece in body {
        stream.write_all(&piece).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

/// What refuses a request by its head says so before the body is read, and the connection goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_with_a_large_body_reads_why() {
    const SIZE: usize = 8 << 20;
    let local = Local::with(Config { api_key: Some("k".to_owned()), ..Config::default() }).await;
    let open = Local::start().await;
    let body = vec![b' '; SIZE];
    for (local, head, status) in [
        (&local, "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: x", 401),
        (&local, "POST /api/parea/v1/nowhere HTTP/1.1\r\nhost: x\r\nx-api-key: k", 404),
        (&local, "DELETE /api/parea/v1/trace_log HTTP/1.1\r\nhost: x\r\nx-api-key: k", 405),
        (&local, "POST /api/parea/v1/completion HTTP/1.1\r\nhost: x\r\nx-api-key: k", 501),
        (&open, "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: evil.example", 403),
        (&open, "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain", 415),
    ] {
        let mut stream = TcpStream::connect(local.handle.local_addr()).unwrap();
        for _ in 0..2 {
            stream.write_all(format!("{head}\r\ncontent-length: {SIZE}\r\n\r\n").as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            let answer = answer(&mut stream);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains("detail"),
                "{head}: {answer}"
            );
        }
    }
}

/// One answer on a connection that stays.
fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).unwrap();
    let length = head.to_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_are_refused_and_the_client_reads_why() {
    const PIECES: usize = 50;
    let local = Local::start().await;
    let piece = || vec![b' '; 1 << 20];
    thread::scope(|scope| {
        let announced = scope.spawn(|| {
            let head = format!("content-length: {}", PIECES << 20);
            exchange(&local, &head, (0..PIECES).map(|_| piece()))
        });
        let chunked = scope.spawn(|| {
            let chunk = || [b"100000\r\n".as_slice(), &piece(), b"\r\n"].concat();
            let end = std::iter::once(b"0\r\n\r\n".to_vec());
            exchange(&local, "transfer-encoding: chunked", (0..PIECES).map(|_| chunk()).chain(end))
        });
        let asking = scope.spawn(|| {
            let head = format!("expect: 100-continue\r\ncontent-length: {}", PIECES << 20);
            exchange(&local, &head, std::iter::empty())
        });
        for answer in [announced, chunked, asking] {
            let (head, body) = answer.join().unwrap();
            assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("33554432") && detail.contains("--body-limit"), "{detail}");
        }
    });
    assert_eq!(local.client.post("/trace_log", &log("after")).await.0, 200);
    assert!(!local.client.log("after").await.is_null());
}

#[tokio::test]
async fn compressed_bodies_are_read_and_bombs_refused() {
    let local = Local::with(Config { body_limit: 1 << 20, plain_limit: 1 << 20, ..Config::default() }).await;
    let gzip = |plain: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |plain: &[u8]| ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest);
    let send = async |encoding: &str, operation: &str, body: Vec<u8>| {
        let request = local.client.request("POST", operation).header("content-encoding", encoding).body(body);
        Client::attempt(request).await.unwrap()
    };
    for operation in ["/trace_log", "/trace_logs"] {
        let body = |id: &str| log(&format!("{operation}{id}")).to_string().into_bytes();
        assert_eq!(send("gzip", operation, gzip(&body("gzip"))).await.0, 200);
        assert_eq!(send("zstd", operation, zstd(&body("zstd"))).await.0, 200);
        assert_eq!(send("identity", operation, body("identity")).await.0, 200);
        assert_eq!(send("br", operation, body("br")).await.0, 415);
        assert_eq!(send("gzip", operation, body("plain")).await.0, 400);
        assert_eq!(send("zstd", operation, zstd(&body("half"))[..20].to_vec()).await.0, 400);
        assert_eq!(send("gzip", operation, gzip(&vec![b' '; 2 << 20])).await.0, 413);
        assert_eq!(send("zstd", operation, zstd(&vec![b' '; 2 << 20])).await.0, 413);
    }
    assert_eq!(local.client.logs().await.len(), 6);
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_midst_disturbs_nobody() {
    let local = Local::start().await;
    for head in [
        "",
        "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"trace",
        "\0\u{1}\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(local.handle.local_addr()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
    }
    assert_eq!(local.client.post("/trace_log", &json!(log("a"))).await.0, 200);
}

/// Clients that stop in the midst of their bodies hold up nobody, and are served when they go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_to_send_is_in_nobodys_way() {
    let local = Local::with(Config { requests: 2, body_memory: 2 << 20, ..Config::default() }).await;
    let address = local.handle.local_addr();
    let begun: Vec<(TcpStream, String)> = (0..6)
        .map(|number| {
            let body = log(&format!("slow-{number}")).to_string();
            let (first, rest) = body.split_at(10);
            let mut stream = TcpStream::connect(address).unwrap();
            // Those that do not say how much there will be could need the most.
            let head = if number % 2 == 0 {
                format!("content-length: {}\r\n\r\n{first}", body.len())
            } else {
                format!("transfer-encoding: chunked\r\n\r\na\r\n{first}\r\n")
            };
            let path = "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
            stream.write_all(format!("{path}\r\n{head}").as_bytes()).unwrap();
            (stream, rest.to_owned())
        })
        .collect();
    for number in 0..20 {
        assert_eq!(local.client.post("/trace_log", &log(&format!("quick-{number}"))).await.0, 200);
    }
    for (number, (mut stream, rest)) in begun.into_iter().enumerate() {
        let rest = if number % 2 == 0 { rest } else { format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()) };
        stream.write_all(rest.as_bytes()).unwrap();
        let answer = answer(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(local.client.logs().await.len(), 26);
}
