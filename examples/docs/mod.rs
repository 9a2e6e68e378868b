//! Real Markdown files as passages, and the search for them: every step annotated. Shared by `ask_docs` and
//! `evaluate_docs`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bm25::{Document, SearchEngine, SearchEngineBuilder, Tokenizer};
use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};
use serde::Serialize;

/// How documents are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// One passage for each heading.
    Headings,
    /// One for each paragraph, item and table under it, with the heading.
    #[allow(dead_code, reason = "a variant that only one of the examples tries")]
    Paragraphs,
}

/// A piece of a document under one heading.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Passage {
    pub(crate) file: PathBuf,
    pub(crate) heading: String,
    pub(crate) text: String,
}

/// A passage and how well it fits.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hit {
    pub(crate) score: f32,
    pub(crate) passage: Passage,
}

/// One file; unreadable ones are an error with their name.
#[parea::trace]
pub(crate) fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

/// Markdown into passages.
#[parea::trace(skip(markdown), log_omit_outputs)]
pub(crate) fn split(file: &Path, markdown: &str, pieces: Pieces) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut open = Passage { file: file.to_owned(), heading: String::new(), text: String::new() };
    let mut in_heading = false;
    for event in Parser::new_ext(markdown, pulldown_cmark::Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if level <= HeadingLevel::H3 => {
                let next = Passage { file: file.to_owned(), heading: String::new(), text: String::new() };
                passages.push(std::mem::replace(&mut open, next));
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) | Event::Code(text) if in_heading => open.heading.push_str(&text),
            Event::Text(text) | Event::Code(text) => open.text.push_str(&text),
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::Table)
                if pieces == Pieces::Paragraphs =>
            {
                let next = Passage { text: String::new(), ..open.clone() };
                passages.push(std::mem::replace(&mut open, next));
            }
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(
                TagEnd::Paragraph
                | TagEnd::Item
                | TagEnd::CodeBlock
                | TagEnd::TableRow
                | TagEnd::TableHead
                | TagEnd::TableCell,
            ) => {
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
pub(crate) struct Words;

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
pub(crate) fn index(passages: &[Passage]) -> SearchEngine<usize, u32, Words> {
    let documents = passages.iter().enumerate().map(|(id, passage)| {
        // A word in the heading tells more than one in the text.
        Document::new(id, format!("{0} {0} {1}", passage.heading, passage.text))
    });
    SearchEngineBuilder::with_tokenizer_and_documents(Words, documents.collect::<Vec<_>>()).build()
}

/// The passages that fit best, by BM25.
#[parea::trace(skip(index, passages))]
pub(crate) async fn retrieve(
    index: Arc<SearchEngine<usize, u32, Words>>,
    passages: &[Passage],
    query: String,
) -> Vec<Hit> {
    // Ranking is work for the processor: off the runtime's own threads, and still in this span.
    let search = tokio::task::spawn_blocking(move || index.search(&query, 5));
    let found = search.await.unwrap_or_default();
    found.into_iter().map(|hit| Hit { score: hit.score, passage: passages[hit.document.id].clone() }).collect()
}

pub(crate) fn keywords(question: &str) -> String {
    Words.tokenize(question).into_iter().filter(|word| word.len() > 3).collect::<Vec<_>>().join(" ")
}

/// Both lists as one, each passage with its better score.
#[parea::trace(log_omit_inputs)]
pub(crate) fn merge(one: Vec<Hit>, other: Vec<Hit>) -> Vec<Hit> {
    let mut best: Vec<Hit> = one.into_iter().chain(other).collect();
    best.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut seen = Vec::new();
    best.retain(|hit| {
        let key = (hit.passage.file.clone(), hit.passage.text.clone());
        let fresh = !seen.contains(&key);
        seen.push(key);
        fresh
    });
    best.truncate(5);
    best
}

pub(crate) fn markdown_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    Ok(files)
}
