//! From the queue to the destination, on a thread and a runtime of its own.

use std::{io, sync::Arc, thread, time::Duration};

#[cfg(feature = "http")]
use crate::sender::{self, Server};
use crate::{exit, outbox::Outbox};

/// A batch is sent at the latest when its first record is this old.
const BATCH_INTERVAL: Duration = Duration::from_millis(200);

/// Starts the thread. It lives as long as the process.
#[cfg(feature = "http")]
pub(crate) fn start(outbox: Arc<Outbox>, server: Server) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = async move {
        let intake = Arc::clone(&outbox);
        // The same thread: while one waits, the other goes on.
        tokio::spawn(async move { intake.take_in(BATCH_INTERVAL).await });
        sender::run(outbox, server).await;
    };
    thread::Builder::new()
        .name("parea-exporter".to_owned())
        .spawn(move || {
            exit::this_is_the_exporter();
            runtime.block_on(run);
        })
        .map(drop)
}

/// Starts the thread. It lives as long as the process.
#[cfg(not(feature = "http"))]
pub(crate) fn start(outbox: Arc<Outbox>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = async move { outbox.take_in(BATCH_INTERVAL).await };
    thread::Builder::new()
        .name("parea-exporter".to_owned())
        .spawn(move || {
            exit::this_is_the_exporter();
            runtime.block_on(run);
        })
        .map(drop)
}

/// The only way in which this library speaks unasked.
pub(crate) fn warn(text: &str) {
    eprintln!("parea: {text}");
}
