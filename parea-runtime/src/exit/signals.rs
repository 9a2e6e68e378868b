//! `SIGTERM` and `SIGINT`, for programs that ask for it.

use std::thread;

use super::unix::{self, Signals};
use crate::{client::Client, exporter::warn};

/// Waits for signals on a thread of its own: a handler may do next to nothing.
pub(super) fn watch() {
    let watched = Signals::watch().and_then(|signals| {
        let thread = thread::Builder::new().name("parea-signals".to_owned()).stack_size(256 * 1024);
        super::spawn(thread, move || {
            while let Some(signal) = signals.next() {
                received(signal);
            }
        })
    });
    if let Err(error) = watched {
        warn(&format!("signals will end the program without a flush: {error}"));
    }
}

fn received(signal: i32) {
    let ends = unix::ends_process(signal);
    if let Some(client) = Client::started() {
        let report = client.finish(client.settings.deadline, ends);
        if ends {
            client.say(&report);
        }
    }
    if ends {
        unix::end_by(signal);
    }
}
