//! Likeness of meaning, by embeddings.

use std::{pin::Pin, sync::Arc};

use super::JudgeError;

/// What turns a text into a vector: a provider's API, a local model, a table in a test.
pub trait Embedder: Send + Sync + 'static {
    /// The text's vector. All vectors of an embedder have the same length.
    fn embed<'a>(&'a self, text: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<f32>, JudgeError>> + Send + 'a>>;
}

impl<E: Embedder + ?Sized> Embedder for Arc<E> {
    fn embed<'a>(&'a self, text: &'a str) -> Pin<Box<dyn Future<Output = Result<Vec<f32>, JudgeError>> + Send + 'a>> {
        (**self).embed(text)
    }
}

/// The cosine of the angle between two vectors, -1 to 1. `None` when they differ in length or one is zero or not finite.
pub fn cosine(one: &[f32], other: &[f32]) -> Option<f64> {
    if one.len() != other.len() {
        return None;
    }
    let (mut dot, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        dot += a * b;
        of_one += a * a;
        of_other += b * b;
    }
    let scale = (of_one * of_other).sqrt();
    (scale > 0.0 && scale.is_finite()).then(|| (dot / scale).clamp(-1.0, 1.0))
}

/// `(1 + cos) / 2` of the embeddings of output and target. 0 to 1, as in the Parea SDKs; unrelated texts are near 0.5.
pub fn semantic_similarity(
    embedder: impl Embedder,
) -> impl AsyncFn(&str, &str) -> Result<f64, String> + Send + Sync + 'static {
    let embedder = Arc::new(embedder);
    async move |output: &str, target: &str| {
        let one = embedder.embed(output).await.map_err(|error| error.to_string())?;
        let other = embedder.embed(target).await.map_err(|error| error.to_string())?;
        let cosine = cosine(&one, &other)
            .ok_or_else(|| format!("vectors of {} and {} numbers have no angle", one.len(), other.len()))?;
        Ok(f64::midpoint(1.0, cosine))
    }
}
