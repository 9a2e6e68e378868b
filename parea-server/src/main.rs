//! The binary `parea`.

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use parea_server::{Config, ServeError, Server};

/// See, score and compare what your LLM code does.
#[derive(Parser)]
#[command(version)]
struct Parea {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the Parea v1 API and the web interface from one folder.
    ///
    /// Needs nothing else. Stops on Ctrl-C and SIGTERM when the requests under way are done; a second one ends it at
    /// once, and what was acknowledged is on disk either way.
    ///
    /// Exit codes: 0 stopped, 1 the address or the folder cannot be used, 2 wrong arguments, 130 ended by a second
    /// signal.
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7273", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Folder that holds everything; made when absent
    #[arg(long, default_value = ".parea", value_name = "DIR")]
    data: PathBuf,
    /// Key that requests must carry in `x-api-key`; needed to listen beyond this machine
    #[arg(long, env = "PAREA_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Largest request body, in bytes
    #[arg(long, default_value_t = Config::default().body_limit, value_name = "BYTES")]
    body_limit: usize,
    /// Note each request on stderr
    #[arg(long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(Serve { listen, data, api_key, body_limit, verbose }) = Parea::parse().command;
    match serve(Config { listen, data, api_key, body_limit, verbose }).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("parea: {error}"));
            ExitCode::from(if matches!(error, ServeError::NeedsKey(_)) { 2 } else { 1 })
        }
    }
}

/// Writes a line on stderr, if anybody still reads it: `eprintln!` would panic.
fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

async fn serve(config: Config) -> Result<(), ServeError> {
    let mut signals = Signals::listen();
    let server = Server::bind(config).await?;
    // Whoever started the server may have closed its output; that is no reason not to serve.
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "listening on {}, data in {}", server.url(), server.data().display());
    let _ = stdout.flush();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        let _ = stop.send(());
        signals.next().await;
        std::process::exit(130);
    });
    server
        .run(async {
            let _ = stopped.await;
        })
        .await;
    Ok(())
}

/// The signals that stop a server.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
            signal(kind).inspect_err(|error| tell(format_args!("parea: cannot wait for a signal: {error}"))).ok()
        }))
    }

    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            Some(()) = received(interrupt) => {}
            Some(()) = received(terminate) => {}
            else => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

/// The signals that stop a server.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
