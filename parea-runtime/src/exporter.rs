//! From the queue to the destination, on a thread and a runtime of its own.

#[cfg(feature = "http")]
use std::time::Instant;
use std::{collections::BTreeSet, io, sync::Arc, thread, time::Duration};

#[cfg(feature = "http")]
use crate::{
    api::ApiError,
    transport::http::{Http, backoff},
};
use crate::{
    books::Fate,
    clock,
    queue::{Queue, Taken},
    record::ProjectRef,
    report::DropReason,
    transport::{Line, spool::Spool},
};

/// A batch is sent at the latest when its first record is this old.
const BATCH_INTERVAL: Duration = Duration::from_millis(200);

/// Where logs go, and for how long that was found out.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A server that was named: what it does not take is tried again.
    #[cfg(feature = "http")]
    Server(Http),
    /// The server of this machine if it answers, else the spool that it takes in when it starts.
    #[cfg(feature = "http")]
    Local { server: Http, spool: Spool, asked: Option<(Instant, bool)> },
    /// The spool alone: all there is without a transport over HTTP.
    #[cfg(not(feature = "http"))]
    Spool(Spool),
}

/// Starts the thread. It lives as long as the process.
pub(crate) fn start(queue: Arc<Queue>, destination: Destination, project: String) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut exporter = Exporter {
        queue,
        destination,
        project: ProjectRef { name: project, uuid: None },
        #[cfg(feature = "http")]
        project_known: false,
        #[cfg(feature = "http")]
        pause_asked: None,
        warned: BTreeSet::new(),
    };
    thread::Builder::new().name("parea-exporter".to_owned()).spawn(move || runtime.block_on(exporter.run())).map(drop)
}

#[derive(Debug)]
struct Exporter {
    queue: Arc<Queue>,
    destination: Destination,
    project: ProjectRef,
    /// Whether the server was asked for the project's uuid, with whatever answer.
    #[cfg(feature = "http")]
    project_known: bool,
    /// The pause that the server asked for at its last failure.
    #[cfg(feature = "http")]
    pause_asked: Option<Duration>,
    /// Reasons for which the user was told already.
    warned: BTreeSet<DropReason>,
}

impl Exporter {
    async fn run(&mut self) {
        loop {
            clock::tend();
            self.queue.batch_due(BATCH_INTERVAL).await;
            clock::tend();
            loop {
                let taken = self.queue.take_batch();
                if taken.is_empty() {
                    break;
                }
                let (bytes, through) = (taken.bytes(), taken.through);
                self.deliver(taken).await;
                self.queue.leave(bytes);
                self.queue.books().release(through);
            }
        }
    }

    #[cfg_attr(not(feature = "http"), expect(clippy::unused_async, reason = "only a server makes it wait"))]
    async fn deliver(&mut self, taken: Taken) {
        #[cfg(feature = "http")]
        match &mut self.destination {
            Destination::Server(_) => {
                let mut failures = 0;
                self.resolve_project(&mut failures).await;
                let lines = self.encode(&taken);
                return self.send_until_settled(lines, failures).await;
            }
            Destination::Local { server, asked, .. } => {
                if is_up(server, asked).await {
                    self.resolve_project_once().await;
                    let lines = self.encode(&taken);
                    let left = self.send_once(lines).await;
                    return self.spool(&left);
                }
            }
        }
        let lines = self.encode(&taken);
        self.spool(&lines);
    }

    /// The wire form. From here on the lines are all there is.
    fn encode(&mut self, taken: &Taken) -> Vec<Line> {
        let mut lines = Vec::new();
        for record in taken.records() {
            let mut line = Vec::with_capacity(record.size());
            match record.write_json(&self.project, &mut line) {
                Ok(()) => lines.push(Line::new(line)),
                Err(error) => self.give_up(1, DropReason::Rejected, &format!("a log cannot be encoded: {error}")),
            }
        }
        lines
    }

    fn spool(&mut self, lines: &[Line]) {
        #[cfg(feature = "http")]
        let Destination::Local { spool, .. } = &mut self.destination else { return };
        #[cfg(not(feature = "http"))]
        let Destination::Spool(spool) = &mut self.destination;
        if lines.is_empty() {
            return;
        }
        match spool.write(lines) {
            Ok(()) => self.queue.books().settle(lines.len() as u64, Fate::Spooled),
            Err(error) => {
                let complaint = format!("cannot write to {}: {error}", spool.folder().display());
                self.give_up(lines.len() as u64, DropReason::SpoolFailed, &complaint);
            }
        }
    }

    /// Counts logs that are lost, and tells the user the first time.
    fn give_up(&mut self, count: u64, reason: DropReason, complaint: &str) {
        self.queue.books().failed(complaint.to_owned());
        self.queue.books().settle(count, Fate::Dropped(reason));
        if self.warned.insert(reason) {
            warn(&format!("{count} logs dropped ({}): {complaint}; further ones are only counted", reason.as_str()));
        }
    }
}

#[cfg(feature = "http")]
impl Exporter {
    fn server(&mut self) -> &mut Http {
        match &mut self.destination {
            Destination::Server(server) | Destination::Local { server, .. } => server,
        }
    }

    /// Sends until every log is delivered or refused for good; as long as the server is in trouble, for ever.
    async fn send_until_settled(&mut self, mut lines: Vec<Line>, mut failures: u32) {
        loop {
            let before = lines.len();
            lines = self.send_once(lines).await;
            if lines.is_empty() {
                return;
            }
            // Some got through: the server is there, and the next fault is a new one.
            failures = if lines.len() < before { 0 } else { failures + 1 };
            self.queue.pause(backoff(failures, self.pause_asked)).await;
        }
    }

    /// Sends each log once; returns those to be sent again.
    async fn send_once(&mut self, lines: Vec<Line>) -> Vec<Line> {
        let losses = self.queue.books().take_losses();
        let answer = self.server().send(lines, &losses).await;
        if !answer.losses_taken {
            self.queue.books().unreport(losses);
        }
        if answer.delivered > 0 {
            self.queue.books().settle(answer.delivered, Fate::Delivered);
            self.queue.books().recovered();
        }
        let complaint = answer.complaint.unwrap_or_default();
        for (reason, count) in answer.dropped {
            self.give_up(count, reason, &complaint);
        }
        self.pause_asked = match &answer.failure {
            Some(ApiError::Status { retry_after, .. }) => *retry_after,
            _ => None,
        };
        if let Some(failure) = answer.failure {
            self.queue.books().failed(failure.to_string());
        }
        answer.again
    }

    /// Asks for the project's uuid until the server has said something.
    async fn resolve_project(&mut self, failures: &mut u32) {
        while !self.resolve_project_once().await {
            self.queue.pause(backoff(*failures, None)).await;
            *failures += 1;
        }
    }

    /// `false` when the server could not answer. One that knows no projects is sent the name alone.
    async fn resolve_project_once(&mut self) -> bool {
        if self.project_known {
            return true;
        }
        let client = self.server().client().clone();
        match client.project_uuid(&self.project.name).await {
            Ok(uuid) => self.project.uuid = Some(uuid),
            Err(error) if error.is_transient() => {
                self.queue.books().failed(error.to_string());
                return false;
            }
            Err(_) => {}
        }
        self.project_known = true;
        true
    }
}

/// Whether the server of this machine answers; asked again every few seconds.
#[cfg(feature = "http")]
async fn is_up(server: &Http, asked: &mut Option<(Instant, bool)>) -> bool {
    const KEEP: Duration = Duration::from_secs(5);
    const PATIENCE: Duration = Duration::from_millis(500);
    if let Some((when, up)) = asked
        && when.elapsed() < KEEP
    {
        return *up;
    }
    let up = matches!(tokio::time::timeout(PATIENCE, server.client().health()).await, Ok(Ok(())));
    *asked = Some((Instant::now(), up));
    up
}

/// The only way in which this library speaks unasked.
pub(crate) fn warn(text: &str) {
    eprintln!("parea: {text}");
}
