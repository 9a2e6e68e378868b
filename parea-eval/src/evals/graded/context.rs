//! What was retrieved, and whether the answer keeps to it.
//!
//! `context` names the input that holds the passages, as text or as an array; empty for the output itself, in evaluations of
//! a retriever.

use super::{GradingError, json, parts, passages, sentences, texts, yes_or_no};
use crate::{
    Log, Score,
    evals::{Judge, JudgeError, ranking},
};

/// 1 if all that the answer says can be inferred from the context, else 0.
pub fn answer_context_faithfulness_binary(
    judge: impl Judge,
    question: &str,
    context: &str,
) -> impl AsyncFn(&Log) -> Result<Score, GradingError> + Send + Sync + 'static {
    const TASK: &str = "You check whether an answer keeps to its sources. The verdict is yes only if everything that the answer states can \
         be inferred from the context.";
    let (question, context) = (question.to_owned(), context.to_owned());
    async move |log: &Log| {
        let (asked, passages) = (log.input_text(&question)?, passages(log, &context)?.join("\n\n"));
        let parts = parts(&[("question", &asked), ("context", &passages), ("answer", log.judged())]);
        Ok(yes_or_no(&judge, TASK, parts).await?.score())
    }
}

/// The share of the answer's statements that can be inferred from the context (RAGAS, Es et al. 2023). 0 to 1; no score if
/// the answer states nothing.
pub fn answer_context_faithfulness_statement_level(
    judge: impl Judge,
    question: &str,
    context: &str,
) -> impl AsyncFn(&Log) -> Result<Option<Score>, GradingError> + Send + Sync + 'static {
    const SPLIT: &str = "Split the answer into statements that each make sense alone.";
    const CHECK: &str = "You check a statement against its sources. The verdict is yes only if the statement can be inferred \
                         from the context.";
    let (question, context) = (question.to_owned(), context.to_owned());
    async move |log: &Log| {
        let (asked, passages) = (log.input_text(&question)?, passages(log, &context)?.join("\n\n"));
        let split = parts(&[("question", &asked), ("answer", log.judged())]);
        let statements = texts(&judge, SPLIT, "statements", split).await?;
        if statements.is_empty() {
            return Ok(None);
        }
        let mut unsupported = Vec::new();
        for statement in &statements {
            let parts = parts(&[("context", &passages), ("statement", statement)]);
            if !yes_or_no(&judge, CHECK, parts).await?.said {
                unsupported.push(statement.as_str());
            }
        }
        let score = Score::new(1.0 - unsupported.len() as f64 / statements.len() as f64);
        Ok(Some(if unsupported.is_empty() {
            score
        } else {
            score.because(format!("not in the context: {}", unsupported.join(" / ")))
        }))
    }
}

/// The share of the context's sentences that are needed to answer the input `question` (RAGAS). 0 to 1.
pub fn context_query_relevancy(
    judge: impl Judge,
    question: &str,
    context: &str,
) -> impl AsyncFn(&Log) -> Result<f64, GradingError> + Send + Sync + 'static {
    const TASK: &str = "Copy from the context, word by word, the sentences that are needed to answer the question; none if it \
                        cannot be answered from it.";
    let (question, context) = (question.to_owned(), context.to_owned());
    async move |log: &Log| {
        let (asked, passages) = (log.input_text(&question)?, passages(log, &context)?.join("\n"));
        let needed = texts(&judge, TASK, "sentences", parts(&[("question", &asked), ("context", &passages)])).await?;
        let needed: usize = needed.iter().map(|text| sentences(text)).sum();
        Ok(match sentences(&passages) {
            0 => 0.0,
            all => (needed as f64 / all as f64).min(1.0),
        })
    }
}

/// Average precision of the passages' order, each judged useful or not by itself (RAGAS' context precision): the mean of the
/// precision at each useful passage's place. 0 to 1; 0 if none is useful.
pub fn context_ranking_pointwise(
    judge: impl Judge,
    question: &str,
    context: &str,
) -> impl AsyncFn(&Log) -> Result<f64, GradingError> + Send + Sync + 'static {
    const TASK: &str = "You judge whether a passage is useful to answer a question.";
    let (question, context) = (question.to_owned(), context.to_owned());
    async move |log: &Log| {
        let asked = log.input_text(&question)?;
        let (mut useful, mut precisions) = (0.0, 0.0);
        for (place, passage) in passages(log, &context)?.iter().enumerate() {
            if yes_or_no(&judge, TASK, parts(&[("question", &asked), ("passage", passage)])).await?.said {
                useful += 1.0;
                precisions += useful / (place + 1) as f64;
            }
        }
        Ok(if useful > 0.0 { precisions / useful } else { 0.0 })
    }
}

/// nDCG of the passages' order against the order into which the judge puts them, at most 20 of them (listwise, after Ma et
/// al. 2023): the passage that the judge puts first of `n` has grade 1, the next `1 − 1/n`, and so on. 0 to 1; 1 for fewer
/// than two passages.
pub fn context_ranking_listwise(
    judge: impl Judge,
    question: &str,
    context: &str,
) -> impl AsyncFn(&Log) -> Result<f64, GradingError> + Send + Sync + 'static {
    const MOST: usize = 20;
    const TASK: &str = "Order the numbered passages by how useful they are to answer the question, the most useful first.\n\
                        Answer with JSON alone: {\"order\": [<numbers of all passages>]}";
    let (question, context) = (question.to_owned(), context.to_owned());
    async move |log: &Log| {
        let asked = log.input_text(&question)?;
        let mut passages = passages(log, &context)?;
        passages.truncate(MOST);
        let n = passages.len();
        if n < 2 {
            return Ok(1.0);
        }
        let numbered: Vec<String> =
            passages.iter().enumerate().map(|(i, passage)| format!("[{}] {passage}", i + 1)).collect();
        let parts = parts(&[("question", &asked), ("passages", &numbered.join("\n"))]);
        let (value, answer) = json(&judge, TASK, parts).await?;
        let order = value["order"].as_array().or_else(|| value.as_array());
        let order: Option<Vec<usize>> =
            order.and_then(|order| order.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect());
        let Some(order) = order.filter(|order| order.iter().all(|place| (1..=n).contains(place))) else {
            return Err(JudgeError::answer(&answer).into());
        };
        let grades: Vec<(String, f64)> =
            order.iter().enumerate().map(|(rank, place)| (place.to_string(), 1.0 - rank as f64 / n as f64)).collect();
        let retrieved: Vec<String> = (1..=n).map(|place| place.to_string()).collect();
        Ok(ranking(&retrieved, &grades).ndcg_at(n).unwrap_or(0.0))
    }
}
