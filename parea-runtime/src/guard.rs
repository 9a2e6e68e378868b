//! How a program waits for its logs.

use std::{
    mem,
    pin::Pin,
    sync::PoisonError,
    task::{self, Poll, ready},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{books::Until, client::Client, evaluation, exit, exporter::warn, report::FlushReport};

/// Delivers what is left when it is dropped, for at most the [`deadline`](crate::Builder::deadline). Recording goes on.
///
/// What is not delivered by then is in the spool, from where this process or the next one sends it. Once everything is
/// there, a server that fails is not waited for longer than a second, and one that says nothing not longer than half of
/// the deadline (a second at least).
///
/// Not recorded is what runs when its thread has no locals any more: handlers of C's `atexit` that were called after the
/// exiting thread's locals were gone, and destructors of locals that were made before the thread's first span.
///
/// In a forked child it is the child's: what it delivers is what the child has recorded.
#[derive(Debug)]
#[must_use = "the guard delivers the last logs when it is dropped: keep it with `let _parea = parea::init()?;`"]
pub struct Guard {
    /// Not when tracing is turned off by the environment.
    is_recording: bool,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self { is_recording: true }
    }

    pub(crate) fn idle() -> Self {
        Self { is_recording: false }
    }

    /// Waits until everything that has ended so far is delivered or given up (without a server: in the spool), but at
    /// most `timeout`, and says how it stands. Blocks this thread only; the exporter needs none of the user's runtimes.
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        if self.is_recording { flush(timeout) } else { FlushReport::default() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(client) = Client::to_finish().filter(|_| self.is_recording) else { return };
        client.say(&client.finish(client.settings.deadline, false));
    }
}

/// What the ends of a program share: its `main` may end, and then the process.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    waited: Duration,
    /// Logs in the spool, in memory and dropped, as the user was told last.
    said: (u64, u64, u64),
}

impl Client {
    /// How long the end of the process may wait. Where nothing has changed since the guard waited, that was all: a server
    /// that said nothing to it is not waited for a second time.
    pub(crate) fn patience_left(&self, report: &FlushReport) -> Duration {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_said = ending.said == (report.spooled, report.pending, report.total_dropped());
        let is_over = !ending.waited.is_zero() && is_said && report.pending == 0 && evaluation::is_idle();
        if is_over { Duration::ZERO } else { self.settings.deadline.saturating_sub(ending.waited) }
    }

    /// What is being evaluated has ended and is not in the queue yet: it is waited for first, in the same time.
    fn flush(&self, timeout: Duration) -> FlushReport {
        let (begun, timeout) = (Instant::now(), exit::patience(timeout));
        evaluation::wait(timeout);
        self.outbox.flush(timeout.saturating_sub(begun.elapsed()), Until::Delivered)
    }

    /// The flush after a call of a serverless function: the process may be frozen then, or end. What is still being
    /// evaluated goes on with the next call.
    fn finish_call(&self) -> FlushReport {
        let (begun, timeout) = (Instant::now(), exit::patience(self.settings.deadline));
        evaluation::wait(before_delivery(timeout));
        self.outbox.finish(timeout.saturating_sub(begun.elapsed()), false)
    }

    /// The last flush; `last` when the process ends.
    pub(crate) fn finish(&self, timeout: Duration, last: bool) -> FlushReport {
        let (begun, timeout) = (Instant::now(), exit::patience(timeout));
        evaluation::wait(before_delivery(timeout));
        evaluation::release();
        let report = self.outbox.finish(timeout.saturating_sub(begun.elapsed()), last);
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).waited += begun.elapsed();
        report
    }

    /// Says how it ended, if anybody should know.
    pub(crate) fn say(&self, report: &FlushReport) {
        let state = (report.spooled, report.pending, report.total_dropped());
        // The exit hook comes after the guard, and need not repeat it.
        if mem::replace(&mut self.ending.lock().unwrap_or_else(PoisonError::into_inner).said, state) == state {
            return;
        }
        if !report.is_complete() {
            return warn(&format!("not every log was delivered: {report}"));
        }
        if report.spooled == 0 {
            return;
        }
        let (spooled, folder) = (report.spooled, self.settings.folder.display());
        match (&self.settings.base_url, &report.last_error) {
            (None, _) => warn(&format!(
                "no server was there: {spooled} logs are in {folder}; `parea serve --data {folder}` takes them in"
            )),
            (Some(_), error) => {
                let why = error.as_deref().unwrap_or("the program ended before the server had taken them");
                warn(&format!("{spooled} logs wait in {folder} for the next run to deliver them: {why}"));
            }
        }
    }
}

/// How much of that time may pass before delivery, which is to have some of it.
fn before_delivery(timeout: Duration) -> Duration {
    timeout.saturating_sub(Duration::from_secs(1).min(timeout / 4))
}

/// [`Guard::flush`] from anywhere: async code, a destructor, another runtime's thread. Before `init` there is nothing to
/// flush, and the report is empty.
pub fn flush(timeout: Duration) -> FlushReport {
    Client::get().map(|client| client.flush(timeout)).unwrap_or_default()
}

/// [`flush`] that holds up no thread of an async runtime, and needs no runtime.
///
/// It begins when it is called, not when it is first polled.
pub fn flush_async(timeout: Duration) -> Flushing {
    on_a_thread(move |client| client.flush(timeout))
}

/// What dropping the guard does.
pub(crate) fn finish_async() -> Flushing {
    on_a_thread(Client::finish_call)
}

fn on_a_thread(wait: impl FnOnce(&Client) -> FlushReport + Send + 'static) -> Flushing {
    let Some(client) = Client::get() else { return Flushing(None) };
    let (sender, report) = oneshot::channel();
    let waiting = exit::spawn(thread::Builder::new().name("parea-flush".to_owned()), move || {
        // Nobody may be waiting any more.
        let _ = sender.send(wait(client));
    });
    // Without a thread to spare, the exporter goes on all the same; only nobody waits for it.
    Flushing(waiting.is_ok().then_some(report))
}

/// See [`flush_async`].
#[derive(Debug)]
#[must_use = "nobody waits for the flush unless this is awaited"]
pub struct Flushing(Option<oneshot::Receiver<FlushReport>>);

impl Future for Flushing {
    type Output = FlushReport;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<FlushReport> {
        let report = match &mut self.0 {
            Some(report) => ready!(Pin::new(report).poll(context)).ok(),
            None => None,
        };
        self.0 = None;
        Poll::Ready(report.or_else(|| Client::get().map(|client| client.outbox.report())).unwrap_or_default())
    }
}
