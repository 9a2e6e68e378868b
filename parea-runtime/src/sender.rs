//! The only code that waits for a server.

use std::{
    mem,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    api::{ApiClientBuilder, ApiError},
    exporter::{BATCH_INTERVAL, warn},
    outbox::{GRACE, Outbox},
    transport::http::{Http, backoff},
};

/// How often the spool is searched for what processes left that are gone.
const LOOK: Duration = Duration::from_secs(30);

/// How long the answer to whether there is a server on this machine holds.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The pause after a refusal that has nothing to do with the logs, such as a key that does not fit.
const REFUSED: Duration = Duration::from_secs(30);

/// Where logs are sent.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) builder: ApiClientBuilder,
    /// It was named; else it is the one of this machine, which may not run.
    pub(crate) named: bool,
}

#[derive(Debug)]
struct Sender {
    http: Http,
    named: bool,
    /// When the server of this machine was asked whether it is there.
    asked: Option<(Instant, bool)>,
    /// Whether it was asked for the project's uuid, with whatever answer.
    project_known: bool,
    /// When the spool was searched.
    looked: Option<Instant>,
    /// The user was told of a refusal.
    told: bool,
}

/// Sends whatever there is, in order, for ever.
pub(crate) async fn run(outbox: Arc<Outbox>, server: Server) {
    let Server { builder, named } = server;
    let mut told = false;
    let client = loop {
        match builder.clone().build() {
            Ok(client) => break client,
            // TLS cannot be set up, or not now; what was wrong with the settings was said before. The spool takes all.
            Err(error) => {
                outbox.trouble(error.to_string());
                outbox.books().refuses_all();
                if !mem::replace(&mut told, true) {
                    warn(&format!("logs wait in {} because {error}", outbox.spool_folder().display()));
                }
                outbox.pause(REFUSED, REFUSED).await;
            }
        }
    };
    let http = Http::new(client);
    let mut server = Sender { http, named, asked: None, project_known: false, looked: None, told: false };
    let mut failures = 0;
    loop {
        let look = server.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if !outbox.has_work(look) && !outbox.books().is_asked() {
            server.looked = if look { Some(Instant::now()) } else { server.looked };
            outbox.work(LOOK).await;
            continue;
        }
        outbox.gather(BATCH_INTERVAL).await;
        let outcome = {
            let mut attempt = pin!(server.attempt(&outbox, look));
            if let Ok(outcome) = tokio::time::timeout(GRACE, &mut attempt).await {
                outcome
            } else {
                outbox.grace_is_over();
                attempt.await
            }
        };
        let Err(failure) = outcome else {
            failures = 0;
            continue;
        };
        outbox.trouble(failure.error.to_string());
        // Some got through: the server is there, and the next fault is a new one.
        failures = if failure.progress { 0 } else { failures + 1 };
        let (at_least, at_most) = server.pause(&failure.error, failures);
        server.tell(&outbox, &failure.error);
        outbox.pause(at_least, at_most).await;
    }
}

/// An attempt that was not a success.
struct Failure {
    error: ApiError,
    /// Whether the server did take or judge some log all the same.
    progress: bool,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { error, progress: false }
    }
}

impl Sender {
    /// Sends what is next, once.
    async fn attempt(&mut self, outbox: &Outbox, look: bool) -> Result<(), Failure> {
        if !self.named && !self.is_up().await {
            let address = self.http.client().base_url();
            return Err(ApiError::Unreachable(format!("none listens on {address}")).into());
        }
        self.resolve_project(outbox).await?;
        outbox.reached(look);
        if look {
            self.looked = Some(Instant::now());
        }
        self.tell_kept_losses(outbox, look).await?;
        let Some(lines) = outbox.next() else { return self.tell_losses(outbox).await };
        let report = outbox.books().take_losses();
        let losses = report.as_ref().map(|report| outbox.project().losses(report)).unwrap_or_default();
        let answer = self.http.send(lines, &losses, || outbox.behind()).await;
        outbox.books().told_losses(report.as_ref(), answer.losses_taken);
        let failure = answer.failure.clone();
        let progress = answer.progress;
        outbox.answered(answer);
        failure.map_or(Ok(()), |error| Err(Failure { error, progress }))
    }

    /// Tells the server what was lost without a log to go along, if somebody waits for that: the program may be about to
    /// end.
    async fn tell_losses(&mut self, outbox: &Outbox) -> Result<(), Failure> {
        let books = outbox.books();
        if !books.is_asked() {
            return Ok(());
        }
        let mut told = Ok(true);
        while let (Ok(true), Some(report)) = (&told, books.take_losses()) {
            told = self.http.tell(&outbox.project().losses(&report)).await;
            books.told_losses(Some(&report), matches!(told, Ok(true)));
        }
        books.told(matches!(told, Ok(false)));
        told.map(drop).map_err(Failure::from)
    }

    /// Tells the server what was lost while none could be told, by this process or by earlier ones.
    async fn tell_kept_losses(&mut self, outbox: &Outbox, look: bool) -> Result<(), Failure> {
        for mut losses in outbox.kept_losses(look) {
            let mut told = Ok(true);
            while let (Ok(true), Some(next)) = (&told, losses.next()) {
                told = self.http.tell(next).await;
                if matches!(told, Ok(true)) {
                    losses.told();
                }
            }
            // A server that takes no account of them leaves them to a later one.
            losses.leave();
            told?;
        }
        Ok(())
    }

    /// How long to wait at least, and how long if nobody waits for the server.
    fn pause(&self, error: &ApiError, failures: u32) -> (Duration, Duration) {
        const SHORTEST: Duration = Duration::from_millis(100);
        let asked = match error {
            ApiError::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        let pause = backoff(failures, asked);
        match (error.is_transient(), self.named) {
            (true, false) => (SHORTEST, ASK_AGAIN),
            (true, true) => (if asked.is_some() { pause } else { SHORTEST }, pause),
            (false, _) => (REFUSED, REFUSED),
        }
    }

    /// Says once what only the user can mend.
    fn tell(&mut self, outbox: &Outbox, error: &ApiError) {
        if error.is_transient() {
            return;
        }
        outbox.books().refuses_all();
        if self.told {
            return;
        }
        self.told = true;
        warn(&format!("logs wait in {} because {error}", outbox.spool_folder().display()));
    }

    /// Asks for the project's uuid until the server has said something. One that knows no projects is sent the name
    /// alone.
    async fn resolve_project(&mut self, outbox: &Outbox) -> Result<(), ApiError> {
        if self.project_known {
            return Ok(());
        }
        match self.http.client().project_uuid(&outbox.project().name).await {
            Ok(uuid) => outbox.set_project_uuid(uuid),
            // A key that does not fit says nothing of projects.
            Err(error) if error.is_transient() || matches!(error.status(), Some(401 | 403)) => return Err(error),
            Err(_) => {}
        }
        outbox.books().heard();
        self.project_known = true;
        Ok(())
    }

    /// Whether the server of this machine answers; asked again every few seconds.
    async fn is_up(&mut self) -> bool {
        const PATIENCE: Duration = Duration::from_millis(500);
        if let Some((when, up)) = self.asked
            && when.elapsed() < ASK_AGAIN
        {
            return up;
        }
        let up = matches!(tokio::time::timeout(PATIENCE, self.http.client().health()).await, Ok(Ok(())));
        self.asked = Some((Instant::now(), up));
        up
    }
}
