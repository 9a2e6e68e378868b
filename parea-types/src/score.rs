//! The result of an evaluation, which is always a finite number.
//!
//! JSON has no NaN and no infinity. Written as `null`, such a score would make the whole log unreadable for the other
//! side. So it never leaves: [`EvaluationScore::new`] refuses it, lists of scores leave it out when they are written,
//! and a lone one fails to be written.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer, ser::Error as _};

use crate::null;

/// The result of one evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "EvaluationScoreSchema"))]
pub struct EvaluationScore {
    /// The evaluation's name.
    pub name: String,
    /// Its verdict, most often 0 to 1. A boolean is read as 1 or 0. Lists leave a non-finite one out.
    #[serde(deserialize_with = "null::score", serialize_with = "finite")]
    pub score: f64,
    /// Set by the server for deployed evaluations.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub evaluation_metric_id: Option<i64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl EvaluationScore {
    /// A score without a reason; NaN and infinities are refused.
    ///
    /// ```
    /// use parea_types::EvaluationScore;
    /// assert_eq!(EvaluationScore::new("accuracy", 0.8)?.score, 0.8);
    /// assert!(EvaluationScore::new("accuracy", 0.0 / 0.0).is_err());
    /// # Ok::<(), parea_types::NonFiniteScore>(())
    /// ```
    pub fn new(name: impl Into<String>, score: f64) -> Result<Self, NonFiniteScore> {
        let name = name.into();
        if !score.is_finite() {
            return Err(NonFiniteScore { name, score });
        }
        Ok(Self { name, score, ..Self::default() })
    }

    /// The same score with the reason for it.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// A score that is NaN or infinite, which JSON cannot hold.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFiniteScore {
    /// The evaluation's name.
    pub name: String,
    /// What it returned.
    pub score: f64,
}

impl fmt::Display for NonFiniteScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "score `{}` is {}; a score must be a finite number", self.name, self.score)
    }
}

impl std::error::Error for NonFiniteScore {}

/// Writes a number that must be there; fails on one that JSON would turn into null.
// serde's `serialize_with` calls with a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub(crate) fn finite<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() {
        serializer.serialize_f64(*number)
    } else {
        Err(S::Error::custom(format_args!("{number} is not a finite number")))
    }
}

/// Writes a list of scores without the non-finite ones.
pub(crate) fn finite_only<S: Serializer>(scores: &[EvaluationScore], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scores.iter().filter(|score| score.score.is_finite()))
}

/// [`finite_only`] for a list that may be unset.
#[expect(clippy::ref_option, reason = "the signature that serde calls")]
pub(crate) fn finite_only_if_set<S: Serializer>(
    scores: &Option<Vec<EvaluationScore>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    finite_only(scores.as_deref().unwrap_or_default(), serializer)
}
