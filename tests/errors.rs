//! Errors of every kind and length, as the exporter gets them: the same as a capture shows, whose records go another way.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod spooled;

use std::{borrow::Cow, cell::Cell, error::Error, fmt, io, sync::Arc};

use parea::testing::capture;
use serde_json::Value;

/// An error whose text comes in pieces, and which does something else meanwhile.
#[derive(Debug)]
struct Pieces(usize, fn());

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.1)();
        for at in 0..self.0 {
            write!(f, "{}", at % 10)?;
        }
        Ok(())
    }
}

impl Error for Pieces {}

#[derive(Debug)]
struct Caused(String, Option<Box<Caused>>);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[derive(Debug)]
struct Untold;

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun, but")?;
        Err(fmt::Error)
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown by Debug alone")]
struct OnlyDebug(&'static str);

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Fails with an error that fails in turn while it is shown.
fn fails_within() {
    if DEPTH.replace(DEPTH.get() + 1) < 2 {
        pieces(Pieces(7, fails_within), &[1, 2]).unwrap_err();
    }
    DEPTH.set(0);
}

fn tells_the_span() {
    parea::current().metadata("told", "while the error is shown");
}

#[parea::trace]
fn child() {}

macro_rules! failing {
    ($($name:ident: $error:ty;)+) => {$(
        /// With inputs and a child or, where there are no numbers, without.
        fn $name(error: $error, numbers: &[u8]) -> Result<(), $error> {
            #[parea::trace(skip(error))]
            fn with_more(error: $error, numbers: &[u8]) -> Result<(), $error> {
                child();
                assert_eq!(numbers, [1, 2]);
                Err(error)
            }
            #[parea::trace(log_omit_inputs)]
            fn alone(error: $error) -> Result<(), $error> {
                Err(error)
            }
            if numbers.is_empty() { alone(error) } else { with_more(error, numbers) }
        }
    )+};
}

failing! {
    text: &'static str;
    string: String;
    cow: Cow<'static, str>;
    boxed_text: Box<str>;
    shared_text: Arc<str>;
    pieces: Pieces;
    caused: Caused;
    boxed: Box<dyn Error + Send + Sync>;
    io_error: io::Error;
    number: std::num::ParseIntError;
    untold: Untold;
    only_debug: OnlyDebug;
    code: u16;
}

fn all() {
    for numbers in [&[][..], &[1, 2]] {
        for length in [0, 1, 7, 8, 16, 30, 31, 32, 33, 62, 94, 95, 96, 97, 200, 3_000] {
            let long = "é\"\\\n\u{1}x".repeat(length).chars().take(length).collect::<String>();
            text(long.clone().leak(), numbers).unwrap_err();
            string("y".repeat(length), numbers).unwrap_err();
            pieces(Pieces(length, || {}), numbers).unwrap_err();
            let causes = ["below", "the end", "the end"]
                .into_iter()
                .fold(None, |causes, text| Some(Box::new(Caused(format!("{text} {long}"), causes))));
            caused(Caused(long, causes), numbers).unwrap_err();
        }
        cow("a cow".into(), numbers).unwrap_err();
        boxed_text("a box".into(), numbers).unwrap_err();
        shared_text("shared".into(), numbers).unwrap_err();
        boxed("boxed".into(), numbers).unwrap_err();
        io_error(io::Error::from_raw_os_error(2), numbers).unwrap_err();
        io_error(io::Error::other("of the user's"), numbers).unwrap_err();
        number("x".parse::<u8>().unwrap_err(), numbers).unwrap_err();
        untold(Untold, numbers).unwrap_err();
        only_debug(OnlyDebug("quoted"), numbers).unwrap_err();
        code(404, numbers).unwrap_err();
        pieces(Pieces(3, fails_within), numbers).unwrap_err();
        pieces(Pieces(3, tells_the_span), numbers).unwrap_err();
        pieces(Pieces(3, || panic!("while it is shown")), numbers).unwrap_err();
        string(format!("{}middle{}", "ä".repeat(200_000), "ö".repeat(200_000)), numbers).unwrap_err();
        // A secret is one wherever it lies.
        string("login failed: password=PLANTED".to_owned(), numbers).unwrap_err();
    }
}

/// What is to be the same of two logs.
fn told(log: &Value) -> Value {
    let of = |key: &str| log.get(key).cloned().unwrap_or_default();
    let children = log["children"].as_array().map_or(0, Vec::len);
    serde_json::json!([of("trace_name"), of("status"), of("error"), of("inputs"), of("metadata"), children])
}

#[test]
fn the_exporter_gets_the_errors_that_a_capture_shows() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let ((), captured) = capture(all);
    let mut captured: Vec<_> = captured.logs().iter().map(|log| told(&serde_json::to_value(log).unwrap())).collect();

    let folder = tempfile::tempdir().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let guard = parea::builder().base_url(format!("http://{nobody}")).folder(folder.path()).init().unwrap();
    // The first span of a thread or of a function takes another way.
    all();
    all();
    drop(guard);
    std::panic::set_hook(hook);
    let mut spooled: Vec<_> = spooled::logs(folder.path()).iter().map(told).collect();
    assert_eq!(spooled.len(), 2 * captured.len());
    captured.extend_from_within(..);
    for told in [&mut captured, &mut spooled] {
        told.sort_by_key(ToString::to_string);
    }
    for (captured, spooled) in captured.iter().zip(&spooled) {
        assert_eq!(captured, spooled);
        assert!(!spooled.to_string().contains("PLANTED"));
    }
    let errors: Vec<_> = spooled.iter().filter_map(|told| told[2].as_str()).collect();
    for expected in [
        "404",
        "",
        "OnlyDebug(\"quoted\")",
        "<Untold: an error occurred when formatting an argument>",
        "<Pieces: panicked: while it is shown>",
        "No such file or directory (os error 2)",
        "é\ncaused by: the end é\ncaused by: below é",
        "login failed: password=[redacted]",
    ] {
        assert!(errors.contains(&expected), "{expected}");
    }
}
