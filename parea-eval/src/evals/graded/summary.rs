//! Summaries against their article, the input `article`.

use super::{GradingError, json, number_in, parts, rating, yes_or_no};
use crate::{
    Log, Score,
    evals::{Judge, JudgeError},
};

/// 1 if all that the summary says is in the article, else 0 (Luo, Xie and Ananiadou 2023).
pub fn factual_inconsistency_binary(
    judge: impl Judge,
    article: &str,
) -> impl AsyncFn(&Log) -> Result<Score, GradingError> + Send + Sync + 'static {
    const TASK: &str = "You check a summary against its article. The verdict is yes only if the summary is consistent: all \
                        that it says is supported by the article.";
    let article = article.to_owned();
    async move |log: &Log| {
        let article = log.input_text(&article)?;
        Ok(yes_or_no(&judge, TASK, parts(&[("article", &article), ("summary", log.judged())])).await?.score())
    }
}

/// The judge's rating from 1 to 10 of how consistent the summary is with the article, as a tenth: 0.1 to 1 (Luo, Xie and
/// Ananiadou 2023).
pub fn factual_inconsistency_scale(
    judge: impl Judge,
    article: &str,
) -> impl AsyncFn(&Log) -> Result<Score, GradingError> + Send + Sync + 'static {
    const TASK: &str = "You rate how consistent a summary is with its article: 10 if all that it says is supported by the \
                        article, 1 if nothing is.";
    let article = article.to_owned();
    async move |log: &Log| {
        let article = log.input_text(&article)?;
        Ok(rating(&judge, TASK, parts(&[("article", &article), ("summary", log.judged())])).await?)
    }
}

/// The mean of the judge's ratings from 1 to 5 of relevance, consistency, fluency and coherence (Gao et al. 2023), as a
/// fifth: 0.2 to 1. Each comes as a score of its own as well.
pub fn likert_scale(
    judge: impl Judge,
    article: &str,
) -> impl AsyncFn(&Log) -> Result<Vec<Score>, GradingError> + Send + Sync + 'static {
    const SIDES: [&str; 4] = ["relevance", "consistency", "fluency", "coherence"];
    const TASK: &str = "You rate a summary of an article on four dimensions, each from 1 (worst) to 5 (best): relevance, \
                        consistency, fluency and coherence.\nAnswer with JSON alone: {\"relevance\": <1 to 5>, \
                        \"consistency\": <1 to 5>, \"fluency\": <1 to 5>, \"coherence\": <1 to 5>}";
    let article = article.to_owned();
    async move |log: &Log| {
        let article = log.input_text(&article)?;
        let (value, answer) = json(&judge, TASK, parts(&[("article", &article), ("summary", log.judged())])).await?;
        let rated = SIDES.map(|side| number_in(&value, side, 1.0, 5.0).map(|rating| (side, rating / 5.0)));
        let rated: Option<Vec<_>> = rated.into_iter().collect();
        let rated = rated.ok_or_else(|| JudgeError::answer(&answer))?;
        let mean = rated.iter().map(|(_, rating)| rating).sum::<f64>() / SIDES.len() as f64;
        let sides = rated.into_iter().map(|(side, rating)| Score::named(format!("likert_{side}"), rating));
        Ok(std::iter::once(Score::new(mean)).chain(sides).collect())
    }
}
