//! What happens when the program ends, splits or is about to abort, whoever causes it.
//!
//! | the program | what delivers its logs |
//! |---|---|
//! | drops the guard | the guard |
//! | forgets it; returns from `main`, panics in it, or calls `std::process::exit` on any thread | the exit hook (Unix) |
//! | calls [`exit`] | that function, everywhere |
//! | panics with `panic = "abort"`, or out of an `extern "C"` function | the panic hook: to the spool |
//! | is sent `SIGTERM` or `SIGINT` | [`flush_on_signals`](crate::Builder::flush_on_signals), by choice |
//! | forks | parent and child each their own |
//! | is killed, aborts, or calls `_exit` or `exec` | the spool has all but the last moments, with [`durable`](crate::Builder::durable) all |
//!
//! A program that sets a panic hook of its own afterwards calls the one that was there, as ours does, or nothing goes to the
//! spool.
//!
//! What is called when a thread has no locals any more runs and is not recorded, nor counted: handlers of C's `atexit`, which
//! come after the locals of the thread that exits, and destructors of locals that were made before the thread's first span.

pub(crate) mod fork;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(crate) use unix::{largest_file, write_error};

use std::{
    cell::Cell,
    io,
    panic::{self, PanicHookInfo},
    process, thread,
    time::{Duration, Instant},
};

use crate::{client::Client, drive, evaluation, outbox};

thread_local! {
    /// Whether this thread is the exporter's, which nobody on it can wait for.
    static IS_EXPORTER: Cell<bool> = const { Cell::new(false) };
}

/// Said by the exporter's thread of itself.
pub(crate) fn this_is_the_exporter() {
    IS_EXPORTER.set(true);
}

/// How long this thread may wait for the exporter: not at all where that waits for it, as in a hook of the user's that is
/// called while logs are written.
pub(crate) fn patience(timeout: Duration) -> Duration {
    if IS_EXPORTER.get() || outbox::is_held_here() { Duration::ZERO } else { timeout }
}

/// Starts a thread of ours, on which no code of the user's waits for signals.
pub(crate) fn spawn(thread: thread::Builder, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(unix)]
    let started = unix::without_signals(|| thread.spawn(body));
    #[cfg(not(unix))]
    let started = thread.spawn(body);
    started.map(drop)
}

/// How large a file may become that this process writes to.
#[cfg(not(unix))]
pub(crate) fn largest_file() -> u64 {
    u64::MAX
}

/// Prepares for the end. Called once, when recording starts.
pub(crate) fn install(client: &'static Client) {
    hook_panics();
    #[cfg(unix)]
    {
        // Without the hooks the guard is all there is, as elsewhere; no reason to fail.
        unix::at_exit(at_exit);
        fork::install();
        watch_signals(client);
    }
    #[cfg(not(unix))]
    let _ = client;
}

#[cfg(unix)]
pub(crate) fn watch_signals(client: &'static Client) {
    if client.settings.flush_on_signals {
        signals::watch();
    }
}

/// [`std::process::exit`] that delivers what is left first, for at most the [`deadline`](crate::Builder::deadline).
///
/// On Unix `std::process::exit` does so too.
pub fn exit(code: i32) -> ! {
    finish();
    process::exit(code)
}

#[cfg(unix)]
extern "C" fn at_exit() {
    // Nothing may unwind into the C library.
    let _ = panic::catch_unwind(finish);
}

/// The last flush of this process, within what is left of the user's deadline.
fn finish() {
    let Some(client) = Client::to_finish() else { return };
    let report = client.outbox.report();
    if report.finished() == 0 && report.earlier.delivered == 0 {
        return;
    }
    client.say(&client.finish(client.patience_left(&report), true));
}

/// Where a panic ends the process, the spans in which it happened and all that is in memory go to the spool before it is shown.
fn hook_panics() {
    if thread::panicking() {
        // A destructor that initialises; hooks cannot be set here.
        return;
    }
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if ends_the_process(info) {
            drive::fail_all(info.payload());
            rescue();
        }
        previous(info);
    }));
}

fn rescue() {
    const AT_MOST: Duration = Duration::from_secs(1);
    if let Some(client) = Client::started() {
        evaluation::release();
        let _ = client.outbox.rescue_within(Instant::now().checked_add(AT_MOST), false);
    }
}

/// The standard library runs the hook a second time when a panic has nowhere to go, with words of its own.
fn ends_the_process(info: &PanicHookInfo<'_>) -> bool {
    const NOWHERE_TO_GO: [&str; 2] = ["panic in a function that cannot unwind", "panic in a destructor during cleanup"];
    let text = info.payload().downcast_ref::<&str>().copied();
    cfg!(panic = "abort") || text.is_some_and(|text| NOWHERE_TO_GO.contains(&text))
}
