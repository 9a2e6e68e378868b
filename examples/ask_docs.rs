//! A small retrieval pipeline over real Markdown files, every step annotated.
//!
//! `cargo run --example ask_docs` asks this repository's own documents; `-- "your question" path/to/docs` asks
//! others. With `OPENAI_BASE_URL` (default: OpenAI's) and `OPENAI_API_KEY` set, a model answers from the best
//! passages (`OPENAI_MODEL` names it); else the best passage is the answer.
#![allow(clippy::print_stdout, reason = "a program that talks to its user")]

mod local_server;

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bm25::{Document, SearchEngine, SearchEngineBuilder, Tokenizer};
use parea::prelude::*;
use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};
use serde::Serialize;
use tokio::task::JoinSet;

/// A piece of a document under one heading.
#[derive(Clone, Debug, Serialize)]
struct Passage {
    file: PathBuf,
    heading: String,
    text: String,
}

/// A passage and how well it fits.
#[derive(Clone, Debug, Serialize)]
struct Hit {
    score: f32,
    passage: Passage,
}

/// The whole pipeline: one trace for each question.
#[parea::trace(skip(files), metadata(files = files.len()))]
async fn ask(question: &str, files: Vec<PathBuf>) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut reading = JoinSet::new();
    for file in files {
        reading.spawn(async move { read(&file).map(|text| split(&file, &text)) }.in_current_span());
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

/// One file; unreadable ones are an error with their name.
#[parea::trace]
fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

/// Markdown into one passage for each heading.
#[parea::trace(skip(markdown), log_omit_outputs)]
fn split(file: &Path, markdown: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut open = Passage { file: file.to_owned(), heading: String::new(), text: String::new() };
    let mut in_heading = false;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if level <= HeadingLevel::H3 => {
                let next = Passage { file: file.to_owned(), heading: String::new(), text: String::new() };
                passages.push(std::mem::replace(&mut open, next));
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) | Event::Code(text) if in_heading => open.heading.push_str(&text),
            Event::Text(text) | Event::Code(text) => open.text.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock) => {
                open.text.push('\n');
            }
            _ => {}
        }
    }
    passages.push(open);
    passages.retain(|passage| !passage.text.trim().is_empty());
    parea::current().metadata("passages", passages.len());
    passages
}

/// Words of letters and digits in lower case, without the commonest.
#[derive(Default)]
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        const COMMON: &[&str] =
            &["a", "an", "and", "are", "do", "does", "how", "in", "is", "it", "of", "the", "to", "what"];
        text.to_lowercase()
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty() && !COMMON.contains(word))
            .map(str::to_owned)
            .collect()
    }
}

#[parea::trace(log_omit_inputs, log_omit_outputs)]
fn index(passages: &[Passage]) -> SearchEngine<usize, u32, Words> {
    let documents = passages.iter().enumerate().map(|(id, passage)| {
        // A word in the heading tells more than one in the text.
        Document::new(id, format!("{0} {0} {1}", passage.heading, passage.text))
    });
    SearchEngineBuilder::with_tokenizer_and_documents(Words, documents.collect::<Vec<_>>()).build()
}

/// The passages that fit best, by BM25.
#[parea::trace(skip(index, passages))]
async fn retrieve(index: Arc<SearchEngine<usize, u32, Words>>, passages: &[Passage], query: String) -> Vec<Hit> {
    // Ranking is work for the processor: off the runtime's own threads, and still in this span.
    let search = tokio::task::spawn_blocking(move || index.search(&query, 5));
    let found = search.await.unwrap_or_default();
    found.into_iter().map(|hit| Hit { score: hit.score, passage: passages[hit.document.id].clone() }).collect()
}

fn keywords(question: &str) -> String {
    Words.tokenize(question).into_iter().filter(|word| word.len() > 3).collect::<Vec<_>>().join(" ")
}

/// Both lists as one, each passage with its better score.
#[parea::trace(log_omit_inputs)]
fn merge(one: Vec<Hit>, other: Vec<Hit>) -> Vec<Hit> {
    let mut best: Vec<Hit> = one.into_iter().chain(other).collect();
    best.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut seen = Vec::new();
    best.retain(|hit| {
        let key = (hit.passage.file.clone(), hit.passage.heading.clone());
        let fresh = !seen.contains(&key);
        seen.push(key);
        fresh
    });
    best.truncate(5);
    best
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

fn markdown_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    Ok(files)
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
