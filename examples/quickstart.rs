//! Two annotated functions, their traces on a server, read back and shown.
//!
//! `cargo run --example quickstart`, and with `-- --serve` the web interface stays up.
#![allow(clippy::print_stdout, reason = "a program that talks to its user")]

mod local_server;

use std::{error::Error, time::Duration};

/// What a user should be greeted with.
#[parea::trace(target = format!("Hi {name} nice to meet"))]
async fn greeting(name: &str) -> String {
    let greeting = polish(format!("Hello {name}")).await;
    // The greeting's words against the expected ones: four of five.
    let expected = format!("Hi {name} nice to meet");
    let hits = expected.split(' ').filter(|word| greeting.contains(word)).count();
    parea::current().score("accuracy", hits as f64 / expected.split(' ').count() as f64);
    greeting
}

#[parea::trace]
async fn polish(draft: String) -> String {
    tokio::time::sleep(Duration::from_micros(200)).await;
    draft + ", nice to meet you"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = local_server::find_or_start().await?;
    let parea = parea::builder().project("quickstart").base_url(server.url()).init()?;

    for name in ["Foo", "Bar"] {
        println!("{}", greeting(name).await);
    }

    println!("\nDelivery: {}", parea.flush(Duration::from_secs(5)));
    server.print_newest("quickstart", 2).await?;
    server.show_and_serve("quickstart").await
}
