//! Evaluations by a model, the model played by a table.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use parea_eval::{
    Log, Score,
    evals::{
        Embedder, Judge, JudgeError, answer_context_faithfulness_binary, answer_context_faithfulness_statement_level,
        answer_matches_target_llm_grader, answer_relevancy, context_query_relevancy, context_ranking_listwise,
        context_ranking_pointwise, factual_inconsistency_binary, factual_inconsistency_scale, goal_success_ratio,
        judge::{Answer, Question},
        likert_scale, llm_grader, semantic_similarity,
    },
};
use parea_runtime::types::{Message, MessageContent, Role, TraceLog};

/// Gives its answers one after the other, and remembers what it was asked.
#[derive(Default)]
struct Table {
    answers: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<Question>>,
}

impl Judge for Table {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        self.asked.lock().unwrap().push(question.clone());
        let answer = self.answers.lock().unwrap().remove(0);
        Box::pin(async move { Ok(answer.to_owned()) })
    }
}

fn judge(answers: &[&'static str]) -> Arc<Table> {
    Arc::new(Table { answers: Mutex::new(answers.to_vec()), ..Table::default() })
}

/// A text's vector: how many of three words it has.
struct Words;

impl Embedder for Words {
    fn embed<'a>(&'a self, text: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<f32>, JudgeError>> + Send + 'a>> {
        let count = |word: &str| text.matches(word).count() as f32;
        Box::pin(async move { Ok(vec![count("red"), count("green"), count("blue")]) })
    }
}

fn log() -> Log {
    Log::of("Paris. It is big.", Some("Paris"))
        .with_input("question", "red capital?")
        .with_input("article", "Of Paris")
        .with_input("context", serde_json::json!(["Paris is the capital.", "Rome is old. Rome is red."]))
}

const YES: &str = r#"{"reason": "it does", "verdict": "yes"}"#;
const NO: &str = "As [1] and [2] say {so}:\n```json\n{\"reason\": \"it does not\", \"verdict\": \"No\"}\n```";

#[tokio::test]
async fn verdicts_come_with_their_reasons() {
    let table = judge(&[YES, NO, YES, NO]);
    let log = log();
    let yes = Some(Score::new(1.0).because("it does"));
    assert_eq!(answer_matches_target_llm_grader(table.clone(), "question")(&log).await.unwrap(), yes);
    let score = answer_context_faithfulness_binary(table.clone(), "question", "context")(&log).await.unwrap();
    assert_eq!(score, Score::new(0.0).because("it does not"));
    assert_eq!(
        factual_inconsistency_binary(table.clone(), "article")(&log).await.unwrap(),
        Score::new(1.0).because("it does")
    );
    let asked = table.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|question| question.temperature == 0.0 && question.user.contains("Paris. It is big.")));
    assert!(asked[1].user.contains("Rome is old."));
    let no_target = Log::of("x", None).with_input("question", "?");
    assert_eq!(answer_matches_target_llm_grader(table.clone(), "question")(&no_target).await.unwrap(), None);
}

#[tokio::test]
async fn ratings_are_tenths_and_fifths() {
    let table = judge(&[
        r#"{"reason": "fine", "rating": 7}"#,
        r#"{"rating": "10"}"#,
        r#"{"relevance": 5, "consistency": 4, "fluency": 3, "coherence": 2}"#,
    ]);
    let log = log();
    assert_eq!(llm_grader(table.clone(), "question", "").call(&log).await, Ok(Score::new(0.7).because("fine")));
    assert_eq!(factual_inconsistency_scale(table.clone(), "article").call(&log).await, Ok(Score::new(1.0)));
    let scores = likert_scale(table.clone(), "article").call(&log).await.unwrap();
    let scores: Vec<_> = scores.iter().map(|score| (&*score.name, score.score)).collect();
    assert_eq!(
        scores,
        [
            ("", 0.7),
            ("likert_relevance", 1.0),
            ("likert_consistency", 0.8),
            ("likert_fluency", 0.6),
            ("likert_coherence", 0.4)
        ]
    );
}

/// Calls an evaluation by reference, in one line.
trait Call<T> {
    async fn call(self, log: &Log) -> T;
}

impl<F: AsyncFn(&Log) -> T, T> Call<T> for F {
    async fn call(self, log: &Log) -> T {
        self(log).await
    }
}

#[tokio::test]
async fn what_is_no_verdict_is_no_score() {
    for answer in ["I would say 7.", r#"{"rating": 11}"#, r#"{"rating": "high"}"#] {
        let error = llm_grader(judge(&[answer]), "question", "").call(&log()).await.unwrap_err().to_string();
        assert!(error.starts_with("the judge answered something else than it was asked for"), "{error}");
    }
    let error = llm_grader(judge(&[]), "query", "").call(&log()).await.unwrap_err().to_string();
    assert_eq!(error, "the log has no input `query`, only `article`, `context`, `question`");
}

#[tokio::test]
async fn what_was_retrieved_is_judged_piece_by_piece() {
    let log = log();
    let table = judge(&[r#"{"statements": ["Paris is it", "It is big"]}"#, YES, NO]);
    let score =
        answer_context_faithfulness_statement_level(table, "question", "context").call(&log).await.unwrap().unwrap();
    assert_eq!(score, Score::new(0.5).because("not in the context: It is big"));

    let table = judge(&[r#"{"sentences": ["Paris is the capital."]}"#]);
    assert_eq!(context_query_relevancy(table, "question", "context").call(&log).await, Ok(1.0 / 3.0));

    let table = judge(&[NO, YES]);
    assert_eq!(context_ranking_pointwise(table, "question", "context").call(&log).await, Ok(0.5));

    // The judge would have the second first: grades 0.5 and 1 in the order of retrieval.
    let table = judge(&[r#"{"order": [2, 1]}"#]);
    let gain = |first: f64, second: f64| (first.exp2() - 1.0) + (second.exp2() - 1.0) / 3_f64.log2();
    let ndcg = context_ranking_listwise(table, "question", "context").call(&log).await.unwrap();
    assert!((ndcg - gain(0.5, 1.0) / gain(1.0, 0.5)).abs() < 1e-12);
}

#[tokio::test]
async fn meanings_are_compared_by_their_vectors() {
    let similar = semantic_similarity(Words);
    assert_eq!(similar("red red", "red").await, Ok(1.0));
    assert_eq!(similar("red", "blue").await, Ok(0.5));
    assert_eq!(similar("red", "none of them").await, Err("vectors of 3 and 3 numbers have no angle".to_owned()));
    let table = judge(&[r#"{"questions": ["red?", "blue?"]}"#]);
    assert_eq!(answer_relevancy(table, Words, "question").call(&log()).await, Ok(0.5));
}

#[tokio::test]
async fn goals_are_told_apart_in_a_conversation() {
    let message = |role, content: &str| Message { role, content: MessageContent::Text(content.to_owned()) };
    let mut log = TraceLog::default();
    log.configuration.messages = Some(vec![
        message(Role::System, "be kind"),
        message(Role::User, "one?"),
        message(Role::Assistant, "what?"),
        message(Role::User, "one!"),
        message(Role::Assistant, "one."),
        message(Role::User, "two?"),
        message(Role::Assistant, "two."),
    ]);
    // The second message is still about the first goal; the third starts another: (2/4 + 2/2) / 2.
    assert_eq!(goal_success_ratio(judge(&[YES, NO])).call(&log.into()).await, Ok(Some(0.75)));
    assert_eq!(goal_success_ratio(judge(&[])).call(&Log::of("x", None)).await, Ok(None));
}
