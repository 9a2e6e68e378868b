//! The search of `ask_docs` as an evaluated experiment: 48 questions on this repository's documents, two ways to cut them.
//!
//! `cargo run --example evaluate_docs` runs both variants and compares them; `-- --trials 3` runs each question so often, and
//! `-- --serve` keeps the server up, with a page for each run and for the two side by side.
#![allow(clippy::print_stdout, reason = "a program that talks to its user")]

mod docs;
mod local_server;

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bm25::SearchEngine;
use docs::{Passage, Pieces, Words, index, keywords, markdown_files, merge, read, retrieve, split};
use parea::{
    Experiment, Log, Report, Score,
    evals::{contains, ranking, token_f1},
    experiment, mean,
};
use serde::{Deserialize, Serialize};

/// A row: what is asked, in which file the answer stands, and the words of it.
#[derive(Clone, Debug, Deserialize)]
struct Asked {
    question: String,
    file: String,
    target: String,
}

/// What the search gives: the best passage as the answer, and whether each passage that was found has it.
#[derive(Serialize, Deserialize)]
struct Found {
    answer: String,
    /// Best first.
    hits: Vec<bool>,
    /// How many passages have the answer at all.
    relevant: usize,
}

/// All documents, cut one way, and the index of them.
struct Library {
    passages: Vec<Passage>,
    index: Arc<SearchEngine<usize, u32, Words>>,
}

impl Library {
    fn new(pieces: Pieces) -> Result<Self, Box<dyn Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<PathBuf> = markdown_files(root)?;
        files.extend(markdown_files(&root.join("docs/adr"))?);
        files.push(root.join("parea-macros/src/trace.md"));
        let mut passages = Vec::new();
        for file in files {
            passages.extend(split(&file, &read(&file)?, pieces));
        }
        Ok(Self { index: Arc::new(index(&passages)), passages })
    }

    /// Whether a passage has the answer.
    fn answers(passage: &Passage, question: &Asked) -> bool {
        passage.file.ends_with(&question.file) && contains(&passage.text, &question.target)
    }

    async fn ask(&self, question: &Asked) -> Found {
        let (whole, rarer) = tokio::join!(
            retrieve(Arc::clone(&self.index), &self.passages, question.question.clone()),
            retrieve(Arc::clone(&self.index), &self.passages, keywords(&question.question)),
        );
        let best = merge(whole, rarer);
        Found {
            answer: best.first().map(|hit| hit.passage.text.trim().to_owned()).unwrap_or_default(),
            hits: best.iter().map(|hit| Self::answers(&hit.passage, question)).collect(),
            relevant: self.passages.iter().filter(|passage| Self::answers(passage, question)).count(),
        }
    }
}

/// How well the right passages were found among the first five.
fn retrieval(log: &Log) -> Result<Vec<Score>, Box<dyn Error>> {
    let found: Found = log.output_as()?;
    if found.relevant == 0 {
        return Err("no passage has the answer: the question is out of date".into());
    }
    let ids: Vec<String> = (0..found.hits.len()).map(|place| place.to_string()).collect();
    let right = ids.iter().zip(&found.hits).filter(|(_, hit)| **hit).map(|(id, _)| (id.clone(), 1.0));
    let missed = (right.clone().count()..found.relevant).map(|n| (format!("missed {n}"), 1.0));
    let ranking = ranking(&ids, &right.chain(missed).collect::<Vec<_>>());
    let figures =
        [("recall_at_5", ranking.recall_at(5)), ("mrr", ranking.reciprocal_rank()), ("ndcg_at_5", ranking.ndcg_at(5))];
    Ok(figures.into_iter().filter_map(|(name, figure)| Some(Score::named(name, figure?))).collect())
}

/// Whether the answer has the words that it should have.
fn answer_contains(log: &Log) -> Result<bool, parea::LogError> {
    Ok(contains(&log.output_as::<Found>()?.answer, log.expected().unwrap_or_default()))
}

/// How much of the answer is to the point.
fn answer_f1(log: &Log) -> Result<f64, parea::LogError> {
    Ok(token_f1(&log.output_as::<Found>()?.answer, log.expected().unwrap_or_default()))
}

fn questions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/docs/questions.jsonl")
}

async fn run(
    variant: &str,
    pieces: Pieces,
    with: impl FnOnce(Experiment) -> Experiment,
) -> Result<Report, Box<dyn Error>> {
    let library = Arc::new(Library::new(pieces)?);
    let experiment = experiment("ask_docs")
        .run_name(format!("{variant}-{:08x}", std::process::id()))
        .jsonl(questions())
        .param("pieces", variant)
        .eval(retrieval)
        .eval(answer_contains)
        .eval(answer_f1);
    let report = with(experiment)
        .run_typed(move |question: Asked| {
            let library = Arc::clone(&library);
            async move { Ok(library.ask(&question).await) }
        })
        .await?;
    Ok(report)
}

#[tokio::main]
async fn main() -> Result<std::process::ExitCode, Box<dyn Error>> {
    let trials = std::env::args().skip_while(|argument| argument != "--trials").nth(1);
    let trials = trials.map_or(Ok(1), |trials| trials.parse())?;

    let server = local_server::find_or_start().await?;
    let parea = parea::builder().project("ask_docs").base_url(server.url()).init()?;

    let headings = run("headings", Pieces::Headings, |it| it.trials(trials)).await?;
    headings.print();
    println!();
    let paragraphs = run("paragraphs", Pieces::Paragraphs, |it| {
        it.trials(trials).compare_to(&headings).minimal_effect(0.1).require("recall_at_5", mean().at_least(0.3))
    });
    let paragraphs = paragraphs.await?;
    paragraphs.print();
    println!("\nDelivery: {}", parea.flush(Duration::from_secs(5)));
    server.show_and_serve("ask_docs").await?;
    Ok(paragraphs.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents change: a question whose answer has gone would count against the search.
    #[test]
    fn the_answer_of_each_question_stands_in_its_file() -> Result<(), Box<dyn Error>> {
        let questions = std::fs::read_to_string(questions())?;
        let questions: Vec<Asked> = questions.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert!(questions.len() >= 40, "{} questions", questions.len());
        for pieces in [Pieces::Headings, Pieces::Paragraphs] {
            let library = Library::new(pieces)?;
            let has = |asked: &&Asked| library.passages.iter().any(|passage| Library::answers(passage, asked));
            let stale: Vec<_> = questions.iter().filter(|asked| !has(asked)).collect();
            assert!(stale.is_empty(), "out of date, cut into {pieces:?}: {stale:#?}");
        }
        Ok(())
    }
}
