//! From the queue to the destination, on a thread and a runtime of its own.

use std::{io, sync::Arc, thread, time::Duration};

#[cfg(feature = "http")]
use crate::sender::{self, Server};
use crate::{exit, outbox::Outbox};

/// A batch is sent at the latest when its first record is this old.
pub(crate) const BATCH_INTERVAL: Duration = Duration::from_millis(200);

/// Starts the thread. It lives as long as the process.
pub(crate) fn start(outbox: &Arc<Outbox>, #[cfg(feature = "http")] server: Server) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let intake = Arc::clone(outbox);
    let intake = for_ever(move || {
        let outbox = Arc::clone(&intake);
        async move { outbox.take_in(BATCH_INTERVAL).await }
    });
    #[cfg(feature = "http")]
    let outbox = Arc::clone(outbox);
    #[cfg(feature = "http")]
    let run = async move {
        // The same thread: while one waits, the other goes on.
        tokio::spawn(intake);
        for_ever(move || sender::run(Arc::clone(&outbox), server.clone())).await;
        // Without a sender the spool takes all.
        std::future::pending::<()>().await;
    };
    #[cfg(not(feature = "http"))]
    let run = intake;
    let thread = thread::Builder::new().name("parea-exporter".to_owned());
    exit::spawn(thread, move || {
        exit::this_is_the_exporter();
        runtime.block_on(run);
    })
}

/// Runs what has no end. If it panics, which is a fault of ours or of a hook of the user's, it is run again.
async fn for_ever<F>(mut work: impl FnMut() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    const PAUSE: Duration = Duration::from_secs(1);
    while tokio::spawn(work()).await.is_err_and(|error| error.is_panic()) {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The only way in which this library speaks unasked. It never fails, and waits for nobody: neither for a thread that holds
/// the standard library's lock, which after a fork may be one that is gone, nor for a reader.
pub(crate) fn warn(text: &str) {
    let line = format!("parea: {text}\n");
    #[cfg(unix)]
    exit::write_error(&line);
    #[cfg(not(unix))]
    let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
}
