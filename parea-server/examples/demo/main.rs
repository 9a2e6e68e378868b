//! A server full of made-up traces, to look at its pages: `cargo run -p parea-server --example demo`.

mod traces;

use std::error::Error;

use parea_server::{Config, Server};
use parea_types::{ExperimentStatus, KeptRun, Timestamp};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned()).parse()?;
    let server = Server::bind(Config { listen, data: folder.path().to_owned(), ..Config::default() }).await?.spawn();
    let now = chrono::Utc::now().into();
    let logs = traces::logs(now);
    // reqwest asks for the process's cryptography when a client is made, though this one speaks to loopback alone.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let api = format!("{}/api/parea/v1", server.url());
    let run = nightly(now);
    let ended = KeptRun { status: Some(ExperimentStatus::Completed), ..run.clone() };
    let tell = || client.put(format!("{api}/experiment/{}", run.uuid));
    for (request, body) in [
        (tell(), serde_json::to_string(&run)?),
        (client.post(format!("{api}/trace_logs")), serde_json::Value::from(logs).to_string()),
        // Figures are made when a run is closed.
        (tell(), serde_json::to_string(&ended)?),
    ] {
        request.header("content-type", "application/json").body(body).send().await?.error_for_status()?;
    }
    let mut out = std::io::stdout();
    std::io::Write::write_fmt(&mut out, format_args!("{}\n", server.url()))?;
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}

/// The run whose rows the greetings are.
fn nightly(now: Timestamp) -> KeptRun {
    KeptRun {
        uuid: "5f7c9a10-1d2e-4b3a-8c4d-0e1f2a3b4c5d".to_owned(),
        name: "Greeting".to_owned(),
        run_name: "nightly-eu".to_owned(),
        project_name: "nightly-eval".to_owned(),
        created_at: now,
        metadata: [("git.commit".to_owned(), "5c1f0e2".to_owned())].into(),
        ..KeptRun::default()
    }
}
