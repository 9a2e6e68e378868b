//! A server full of made-up traces, to look at its pages: `cargo run -p parea-server --example demo`.

mod traces;

use std::error::Error;

use parea_server::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned()).parse()?;
    let server = Server::bind(Config { listen, data: folder.path().to_owned(), ..Config::default() }).await?.spawn();
    let logs = traces::logs(chrono::Utc::now().into());
    // reqwest asks for the process's cryptography when a client is made, though this one speaks to loopback alone.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let batch = format!("{}/api/parea/v1/trace_logs", server.url());
    client
        .post(batch)
        .header("content-type", "application/json")
        .body(serde_json::Value::from(logs).to_string())
        .send()
        .await?
        .error_for_status()?;
    let mut out = std::io::stdout();
    std::io::Write::write_fmt(&mut out, format_args!("{}\n", server.url()))?;
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
