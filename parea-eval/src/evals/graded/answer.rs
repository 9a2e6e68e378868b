//! Answers judged by themselves, against a question, and against a target.

use super::{GradingError, parts, rating, texts, yes_or_no};
use crate::{
    Log, Score,
    evals::{Embedder, Judge, JudgeError, cosine},
};

/// The judge rates the answer to the input `question` by a rubric of your own, 1 to 10; the score is a tenth of it, 0.1 to 1.
///
/// An empty rubric asks for helpfulness, relevance, accuracy, depth and detail, as MT-Bench's single-answer grading does
/// (Zheng et al. 2023).
pub fn llm_grader(
    judge: impl Judge,
    question: &str,
    rubric: &str,
) -> impl AsyncFn(&Log) -> Result<Score, GradingError> + Send + Sync + 'static {
    let rubric = match rubric.trim() {
        "" => "helpfulness, relevance, accuracy, depth and level of detail".to_owned(),
        own => own.to_owned(),
    };
    let (task, question) =
        (format!("You grade answers to questions, without favour. Grade by: {rubric}"), question.to_owned());
    async move |log: &Log| {
        let asked = log.input_text(&question)?;
        Ok(rating(&judge, &task, parts(&[("question", &asked), ("answer", log.judged())])).await?)
    }
}

/// 1 if the answer to the input `question` says what the target says and contradicts it nowhere, else 0; it may say more.
/// No score without a target.
pub fn answer_matches_target_llm_grader(
    judge: impl Judge,
    question: &str,
) -> impl AsyncFn(&Log) -> Result<Option<Score>, GradingError> + Send + Sync + 'static {
    const TASK: &str = "You compare an answer with the reference answer. The verdict is yes only if every fact of the \
                        reference, numbers and dates included, is in the answer and nothing in it contradicts the \
                        reference. The answer may say more.";
    let question = question.to_owned();
    async move |log: &Log| {
        let Some(target) = log.expected() else { return Ok(None) };
        let asked = log.input_text(&question)?;
        let parts = parts(&[("question", &asked), ("reference", target), ("answer", log.judged())]);
        Ok(Some(yes_or_no(&judge, TASK, parts).await?.score()))
    }
}

/// How much the answer is one to the input `question`: the judge thinks up three questions that the answer would answer, and
/// the score is the mean cosine of their embeddings with the question's (RAGAS, Es et al. 2023). -1 to 1, mostly above 0.
pub fn answer_relevancy(
    judge: impl Judge,
    embedder: impl Embedder,
    question: &str,
) -> impl AsyncFn(&Log) -> Result<f64, GradingError> + Send + Sync + 'static {
    const TASK: &str = "Write three different questions to which the given text is the full answer.";
    let question = question.to_owned();
    async move |log: &Log| {
        let asked = log.input_text(&question)?;
        let thought_up = texts(&judge, TASK, "questions", parts(&[("text", log.judged())])).await?;
        if thought_up.is_empty() {
            return Err(JudgeError::Answer("no questions".to_owned()).into());
        }
        let meant = embedder.embed(&asked).await?;
        let mut sum = 0.0;
        for other in &thought_up {
            let vector = embedder.embed(other).await?;
            sum += cosine(&meant, &vector).ok_or_else(|| JudgeError::Answer("vectors without an angle".to_owned()))?;
        }
        Ok(sum / thought_up.len() as f64)
    }
}
