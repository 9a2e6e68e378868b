//! Signals, and what becomes of the requests under way.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use tokio::sync::mpsc;

use crate::{
    client::log,
    crash::{check, load},
    process::Process,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_under_load_loses_nothing_acknowledged() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Process::serve(folder.path());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let loads: Vec<_> = (0..6)
            .map(|connection| tokio::spawn(load(server.client(), connection.to_string().into(), sender.clone())))
            .collect();
        drop(sender);
        let mut acknowledged = BTreeSet::new();
        while acknowledged.len() < 300 {
            acknowledged.insert(receiver.recv().await.unwrap());
        }
        server.signal(signal);
        for load in loads {
            load.await.unwrap();
        }
        while let Some(id) = receiver.recv().await {
            acknowledged.insert(id);
        }
        let (status, stderr) = server.wait();
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "SIG{signal}");
        assert!(!folder.path().join("parea.db-wal").exists(), "the store was not closed");
        check(folder.path(), &acknowledged);
    }
}

/// A request whose body is still to come.
fn half_a_request(server: &Process, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let length = body.len();
    let head = format!(
        "POST /api/parea/v1/trace_log HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server has begun with it.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Returns when the server takes no more connections.
fn refused(server: &Process) {
    while TcpStream::connect(server.address()).is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_request_under_way_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::serve(folder.path());
    let body = log("late").to_string();
    let mut request = half_a_request(&server, &body);
    server.signal("TERM");
    refused(&server);
    request.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::serve(folder.path());
    let request = half_a_request(&server, "never sent");
    server.signal("INT");
    refused(&server);
    server.signal("INT");
    assert_eq!(server.wait().0.code(), Some(130));
    drop(request);
}
