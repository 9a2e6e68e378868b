//! Models that judge.

use std::{fmt, pin::Pin, sync::Arc};

use serde_json::Value;

/// What a judge is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Who the judge is to be.
    pub system: String,
    /// What it has to judge.
    pub user: String,
    /// 0 unless an evaluation wants variety.
    pub temperature: f64,
}

/// The future of [`Judge::ask`].
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<String, JudgeError>> + Send + 'a>>;

/// A model that answers with text. [`OpenAiJudge`] for any OpenAI-compatible endpoint; for another, or a test, implement it.
pub trait Judge: Send + Sync + 'static {
    /// The model's answer.
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a>;
}

impl<J: Judge + ?Sized> Judge for Arc<J> {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        (**self).ask(question)
    }
}

/// Why a model gave no verdict.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JudgeError {
    /// It could not be asked.
    Unreachable(String),
    /// It answered, and not what it was asked for; the begin of the answer.
    Answer(String),
    /// The judge is not set up; what to set.
    Setup(String),
}

impl fmt::Display for JudgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the judge cannot be asked: {why}"),
            Self::Answer(answer) => write!(f, "the judge answered something else than it was asked for: {answer}"),
            Self::Setup(what) => f.write_str(what),
        }
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for JudgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JudgeError {}

impl JudgeError {
    pub(super) fn answer(answer: &str) -> Self {
        Self::Answer(answer.chars().take(200).collect())
    }
}

/// The first JSON object in an answer, or else the first array: models like to wrap what they were asked for, and to cite
/// passages as `[1]` before.
pub(super) fn json_in(answer: &str) -> Option<Value> {
    let from = |at: usize| serde_json::Deserializer::from_str(&answer[at..]).into_iter().next()?.ok();
    ['{', '['].iter().find_map(|begin| answer.match_indices(*begin).find_map(|(at, _)| from(at)))
}

#[cfg(feature = "http")]
pub use openai::OpenAiJudge;

#[cfg(feature = "http")]
mod openai {
    use std::{fmt, pin::Pin};

    use parea_runtime::foreign::{ForeignApi, ForeignError};
    use serde_json::{Value, json};

    use super::{Answer, Judge, JudgeError, Question};
    use crate::evals::Embedder;

    /// A model behind an OpenAI-compatible endpoint: `/chat/completions` to judge, `/embeddings` to embed.
    ///
    /// Asks again up to three times, with growing pauses, when it is busy or out of reach. A request takes 120 s at most.
    #[derive(Clone)]
    pub struct OpenAiJudge {
        api: ForeignApi,
        model: String,
        embedding_model: String,
    }

    impl fmt::Debug for OpenAiJudge {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("OpenAiJudge").field("model", &self.model).finish_non_exhaustive()
        }
    }

    impl OpenAiJudge {
        /// That model at that address, such as `https://api.openai.com/v1`; a local one may need no key.
        pub fn new(base_url: &str, key: Option<&str>, model: impl Into<String>) -> Result<Self, JudgeError> {
            let api = ForeignApi::new(base_url, key).map_err(|error| JudgeError::Setup(error.to_string()))?;
            Ok(Self { api, model: model.into(), embedding_model: "text-embedding-3-small".to_owned() })
        }

        /// What the environment says: `OPENAI_BASE_URL` (OpenAI's own unless set), `OPENAI_API_KEY`, `OPENAI_MODEL`
        /// (`gpt-4o-mini` unless set).
        pub fn from_env() -> Result<Self, JudgeError> {
            let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
            let (base, key) = (variable("OPENAI_BASE_URL"), variable("OPENAI_API_KEY"));
            if base.is_none() && key.is_none() {
                let what = "no judge is set up: set OPENAI_API_KEY, or OPENAI_BASE_URL for a local model";
                return Err(JudgeError::Setup(what.to_owned()));
            }
            let base = base.unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
            let model = variable("OPENAI_MODEL").unwrap_or_else(|| "gpt-4o-mini".to_owned());
            Self::new(&base, key.as_deref(), model)
        }

        /// The model that embeds, `text-embedding-3-small` unless set.
        #[must_use]
        pub fn embedding_model(mut self, model: impl Into<String>) -> Self {
            self.embedding_model = model.into();
            self
        }
    }

    impl From<ForeignError> for JudgeError {
        fn from(error: ForeignError) -> Self {
            Self::Unreachable(error.to_string())
        }
    }

    impl Judge for OpenAiJudge {
        fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
            Box::pin(async move {
                let body = json!({
                    "model": self.model,
                    "temperature": question.temperature,
                    "messages": [
                        { "role": "system", "content": question.system },
                        { "role": "user", "content": question.user },
                    ],
                });
                let answer = self.api.post("/chat/completions", &body).await?;
                let text = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
                text.map(str::to_owned).ok_or_else(|| JudgeError::answer(&answer.to_string()))
            })
        }
    }

    impl Embedder for OpenAiJudge {
        fn embed<'a>(
            &'a self,
            text: &'a str,
        ) -> Pin<Box<dyn Future<Output = Result<Vec<f32>, JudgeError>> + Send + 'a>> {
            Box::pin(async move {
                let body = json!({ "model": self.embedding_model, "input": text, "encoding_format": "float" });
                let answer = self.api.post("/embeddings", &body).await?;
                let vector = answer.pointer("/data/0/embedding").and_then(Value::as_array);
                let vector = vector.map(|vector| vector.iter().filter_map(|n| n.as_f64().map(|n| n as f32)).collect());
                vector.ok_or_else(|| JudgeError::answer(&answer.to_string()))
            })
        }
    }
}
