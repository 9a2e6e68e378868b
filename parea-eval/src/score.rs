//! What an evaluation may return.

use std::fmt::Display;

use parea_runtime::types::EvaluationScore;

/// The result of an evaluation that is more than a number.
///
/// ```
/// use parea_eval::Score;
/// let score = Score::new(0.5).because("half of the words are there");
/// let other = Score::named("recall", 1.0);
/// # let _ = (score, other);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Its name; empty for that of the evaluation.
    pub name: String,
    /// The verdict, most often 0 to 1. One that is not finite fails the evaluation.
    pub score: f64,
    /// Why.
    pub reason: Option<String>,
}

impl Score {
    /// A score under the evaluation's own name.
    pub fn new(score: f64) -> Self {
        Self { score, ..Self::default() }
    }

    /// A score under another name, for evaluations that return several.
    pub fn named(name: impl Into<String>, score: f64) -> Self {
        Self { name: name.into(), score, ..Self::default() }
    }

    /// The same score with the reason for it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// What counts as the result of an evaluation: a number, a bool (1 or 0), a [`Score`], an `Option` (nothing is no score),
/// a `Result` (an error fails the evaluation and spoils nothing else), or several of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what an evaluation may return",
    note = "return a number, a bool, a `Score`, or an `Option`, `Result`, `Vec` or tuple of these"
)]
pub trait IntoScores {
    /// The scores; those without a name get `name`. The error is the text of a failed evaluation.
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String>;
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl IntoScores for $number {
            fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
                Score::new(f64::from(self)).into_scores(name)
            }
        }
    )+};
}

numbers!(f64, f32, i32, u32, i16, u16, i8, u8, bool);

impl IntoScores for usize {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        Score::new(self as f64).into_scores(name)
    }
}

impl IntoScores for Score {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        let name = if self.name.is_empty() { name.to_owned() } else { self.name };
        let mut score = EvaluationScore::new(name, self.score).map_err(|error| error.to_string())?;
        score.reason = self.reason;
        Ok(vec![score])
    }
}

impl IntoScores for EvaluationScore {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        Score { name: self.name, score: self.score, reason: self.reason }.into_scores(name)
    }
}

impl IntoScores for () {
    fn into_scores(self, _name: &str) -> Result<Vec<EvaluationScore>, String> {
        Ok(Vec::new())
    }
}

impl<T: IntoScores> IntoScores for Option<T> {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        self.map_or(Ok(Vec::new()), |some| some.into_scores(name))
    }
}

impl<T: IntoScores, E: Display> IntoScores for Result<T, E> {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        self.map_err(|error| error.to_string())?.into_scores(name)
    }
}

impl<T: IntoScores> IntoScores for Vec<T> {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        let several: Vec<_> = self.into_iter().map(|one| one.into_scores(name)).collect::<Result<_, _>>()?;
        Ok(several.concat())
    }
}

impl<T: IntoScores, const N: usize> IntoScores for [T; N] {
    fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
        Vec::from(self).into_scores(name)
    }
}

macro_rules! tuples {
    ($($one:ident)+) => {
        impl<$($one: IntoScores),+> IntoScores for ($($one,)+) {
            fn into_scores(self, name: &str) -> Result<Vec<EvaluationScore>, String> {
                #[expect(non_snake_case, reason = "the variables are named after their types")]
                let ($($one,)+) = self;
                Ok([$($one.into_scores(name)?),+].concat())
            }
        }
    };
}

tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
