//! The written type decides, and it is no stream.
#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{fmt::Debug, net::TcpStream, ops::Range};

use off_and_on::{off_and_on, off_and_on_async, output};

#[derive(Clone, Debug, Default, PartialEq)]
struct StreamConfig;
#[derive(Clone, Debug, PartialEq)]
struct Stream<T>(T);
struct BoxedIterator;

#[parea::trace]
fn range() -> Range<u8> {
    0..3
}

#[parea::trace]
fn connect() -> std::io::Result<TcpStream> {
    TcpStream::connect("127.0.0.1:0")
}

#[parea::trace]
async fn config() -> StreamConfig {
    StreamConfig
}

#[parea::trace]
fn own_stream() -> Stream<u8> {
    Stream(1)
}

#[parea::trace]
fn boxed_value() -> Box<dyn Debug> {
    Box::new(1)
}

#[parea::trace]
fn opaque_debug() -> impl Debug + PartialEq<u8> {
    2
}

#[parea::trace]
fn cloneable() -> impl Iterator<Item = u8> + Clone + Debug {
    0..2
}

#[parea::trace]
fn parts() -> (impl Iterator<Item = u8>, usize) {
    (0..2, 2)
}

#[parea::trace]
fn perhaps(yes: bool) -> Option<impl Iterator<Item = u8>> {
    yes.then_some(0..2)
}

#[parea::trace]
fn named() -> BoxedIterator {
    BoxedIterator
}

#[parea::trace]
fn slice_iterator(items: &[u8]) -> std::slice::Iter<'_, u8> {
    items.iter()
}

fn main() {
    let traces = off_and_on(
        || {
            assert!(connect().is_err());
            let _ = named();
            (range().len(), own_stream().0, format!("{:?}", boxed_value()), opaque_debug() == 2)
        },
        (3, 1, "1".to_owned(), true),
        &format!(
            "connect (error: {})\nnamed (ok)\nrange (ok)\nown_stream (ok)\nboxed_value (ok)\nopaque_debug (ok)\n",
            first_line(connect().unwrap_err())
        ),
    );
    assert_eq!(output(&traces, "range"), r#"{"start":0,"end":3}"#);
    assert_eq!((output(&traces, "own_stream"), output(&traces, "boxed_value")), ("Stream(1)", "1"));
    assert_eq!(output(&traces, "named"), "<BoxedIterator>");
    let traces = off_and_on(
        || {
            cloneable().clone().count()
                + parts().0.count()
                + perhaps(true).unwrap().count()
                + slice_iterator(&[1]).len()
        },
        2 + 2 + 2 + 1,
        "cloneable (ok)\nparts (ok)\nperhaps (ok)\nslice_iterator (ok)\n",
    );
    assert_eq!(output(&traces, "slice_iterator"), "Iter([1])");
    off_and_on_async(config, StreamConfig, "config (ok)\n");
}

fn first_line(error: std::io::Error) -> String {
    error.to_string().chars().take(60).collect()
}
