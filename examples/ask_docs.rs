//! A small retrieval pipeline over real Markdown files, every step annotated.
//!
//! `cargo run --example ask_docs` asks this repository's own documents; `-- "your question" path/to/docs` asks
//! others. With `OPENAI_BASE_URL` (default: OpenAI's) and `OPENAI_API_KEY` set, a model answers from the best
//! passages (`OPENAI_MODEL` names it); else the best passage is the answer.
#![allow(clippy::print_stdout, reason = "a program that talks to its user")]

mod docs;
mod local_server;

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use docs::{Hit, Pieces, index, keywords, markdown_files, merge, read, retrieve, split};
use parea::prelude::*;
use tokio::task::JoinSet;

/// The whole pipeline: one trace for each question.
#[parea::trace(skip(files), metadata(files = files.len()))]
async fn ask(question: &str, files: Vec<PathBuf>) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut reading = JoinSet::new();
    for file in files {
        reading.spawn(async move { read(&file).map(|text| split(&file, &text, Pieces::Headings)) }.in_current_span());
    }
    let mut passages = Vec::new();
    for read in reading.join_all().await {
        match read {
            Ok(some) => passages.extend(some),
            // The file's own span has the error; the others still answer.
            Err(error) => {
                parea::current().metadata("unreadable", error.to_string());
            }
        }
    }
    if passages.is_empty() {
        return Err("no document could be read".into());
    }

    let index = Arc::new(index(&passages));
    // The question as it is, and its rarer words alone: two views on the same index at once.
    let (whole, keywords) = tokio::join!(
        retrieve(Arc::clone(&index), &passages, question.to_owned()),
        retrieve(Arc::clone(&index), &passages, keywords(question)),
    );
    let best = merge(whole, keywords);
    let Some(top) = best.first() else {
        return Err("no passage has a word of the question".into());
    };
    // How far the best stands out from the second best, 0 to 1.
    let second = best.get(1).map_or(0.0, |hit| hit.score);
    parea::current().score("margin", 1.0 - second / top.score);
    answer(question, &best).await
}

/// The model's answer where one is set, else the best passage.
#[parea::trace(skip(hits))]
async fn answer(question: &str, hits: &[Hit]) -> Result<String, Box<dyn Error + Send + Sync>> {
    match std::env::var("OPENAI_API_KEY") {
        Ok(key) => complete(question, hits, &key).await,
        Err(_) => Ok(hits.first().map(|hit| hit.passage.text.trim().to_owned()).unwrap_or_default()),
    }
}

/// One call of an OpenAI-compatible model.
#[parea::trace(skip(key, hits), tags = ["llm"])]
async fn complete(question: &str, hits: &[Hit], key: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let base = std::env::var("OPENAI_BASE_URL").unwrap_or_else(|_| "https://api.openai.com/v1".to_owned());
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
    let context = hits
        .iter()
        .map(|hit| format!("# {}\n{}", hit.passage.heading, hit.passage.text))
        .collect::<Vec<_>>()
        .join("\n\n");
    let body = serde_json::json!({
        "model": model,
        "messages": [
            {"role": "system", "content": format!("Answer from these passages only.\n\n{context}")},
            {"role": "user", "content": question},
        ],
    });
    parea::current().metadata("model", &model);
    let request = model_client()?.post(format!("{}/chat/completions", base.trim_end_matches('/')));
    let reply: serde_json::Value =
        request.bearer_auth(key).json(&body).send().await?.error_for_status()?.json().await?;
    match reply["choices"][0]["message"]["content"].as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("the model's answer has no text: {reply}").into()),
    }
}

/// A client for the model's API, with the same cryptography as parea's own.
fn model_client() -> Result<reqwest::Client, Box<dyn Error + Send + Sync>> {
    // An error only says that another was installed before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--serve").collect();
    let question = arguments.first().map_or("How do I run the tests?", String::as_str);
    let folder = arguments.get(1).map_or(env!("CARGO_MANIFEST_DIR"), String::as_str);
    let mut files = markdown_files(Path::new(folder))?;
    // Documents come and go: this one is not there, and the trace shows what becomes of that.
    files.push(Path::new(folder).join("REMOVED.md"));

    let server = local_server::find_or_start().await?;
    let parea = parea::builder().project("ask_docs").base_url(server.url()).init()?;

    match ask(question, files).await {
        Ok(answer) => println!("{question}\n\n{answer}"),
        Err(error) => println!("{question}\n\nNo answer: {error}"),
    }

    println!("\nDelivery: {}", parea.flush(Duration::from_secs(5)));
    server.print_newest("ask_docs", 1).await?;
    server.show_and_serve("ask_docs").await
}
