//! How well the right things were found.
//!
//! As evaluations, the output is what was retrieved, best first: a JSON array of ids, or of objects with an `id`. The
//! target is what is relevant: a JSON array of ids, or an object from id to grade (a number, 1 for relevant). A thing that
//! is retrieved twice counts once, at its first place.

use std::collections::HashMap;

use serde_json::Value;

use crate::log::text_of;

/// What was retrieved, best first, and how relevant each thing is.
///
/// For lists that are at hand: `ranking(&["b", "a"], &[("a", 1.0)]).ndcg_at(10)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The grades of what was retrieved; 0 for what is not relevant.
    found: Vec<f64>,
    /// The grades of all that is relevant, best first.
    relevant: Vec<f64>,
}

/// A ranking from ids and the grades of the relevant ones.
pub fn ranking<S: AsRef<str>, T: AsRef<str>>(retrieved: &[S], relevant: &[(T, f64)]) -> Ranking {
    let grades: HashMap<&str, f64> =
        relevant.iter().map(|(id, grade)| (id.as_ref(), *grade)).filter(|(_, grade)| *grade > 0.0).collect();
    let mut seen = std::collections::HashSet::new();
    let found = retrieved.iter().map(AsRef::as_ref).filter(|id| seen.insert(*id));
    let found = found.map(|id| grades.get(id).copied().unwrap_or(0.0)).collect();
    let mut relevant: Vec<f64> = grades.into_values().collect();
    relevant.sort_by(|a, b| b.total_cmp(a));
    Ranking { found, relevant }
}

impl Ranking {
    fn hits(&self, k: usize) -> f64 {
        self.found.iter().take(k).filter(|grade| **grade > 0.0).count() as f64
    }

    /// Share of the relevant things that are among the first `k`. `None` when nothing is relevant.
    pub fn recall_at(&self, k: usize) -> Option<f64> {
        (!self.relevant.is_empty()).then(|| self.hits(k) / self.relevant.len() as f64)
    }

    /// Share of the first `k` places that hold relevant things; places beyond the end hold none. `None` for `k` 0.
    pub fn precision_at(&self, k: usize) -> Option<f64> {
        (k > 0).then(|| self.hits(k) / k as f64)
    }

    /// `1 / r`, where `r` is the place of the first relevant thing; 0 if none was found. `None` when nothing is relevant.
    pub fn reciprocal_rank(&self) -> Option<f64> {
        let first = self.found.iter().position(|grade| *grade > 0.0);
        (!self.relevant.is_empty()).then(|| first.map_or(0.0, |place| 1.0 / (place + 1) as f64))
    }

    /// Normalised discounted cumulative gain: `Σ (2^grade − 1) / log2(place + 1)` over the first `k` places, divided by that
    /// of the best order (Järvelin and Kekäläinen 2002, with the gains of Burges et al. 2005). `None` when nothing is
    /// relevant.
    pub fn ndcg_at(&self, k: usize) -> Option<f64> {
        let gain = |grades: &[f64]| -> f64 {
            grades.iter().take(k).enumerate().map(|(i, grade)| (grade.exp2() - 1.0) / (i as f64 + 2.0).log2()).sum()
        };
        let best = gain(&self.relevant);
        (best > 0.0).then(|| gain(&self.found) / best)
    }

    fn of(output: &str, target: &str) -> Result<Self, String> {
        let list = |what: &str, text: &str| -> Result<Value, String> {
            serde_json::from_str(text).map_err(|error| format!("the {what} is no JSON: {error}"))
        };
        let Value::Array(retrieved) = list("output", output)? else {
            return Err("the output is no JSON array of ids, or of objects with an `id`".to_owned());
        };
        let retrieved: Vec<String> = retrieved.iter().map(id).collect::<Result<_, _>>()?;
        let relevant: Vec<(String, f64)> = match list("target", target)? {
            Value::Array(ids) => ids.iter().map(|value| Ok((id(value)?, 1.0))).collect::<Result<_, String>>()?,
            Value::Object(grades) => {
                let grade = |(id, grade): (String, Value)| match grade.as_f64() {
                    Some(grade) => Ok((id, grade)),
                    None => Err(format!("the grade of `{id}` is no number")),
                };
                grades.into_iter().map(grade).collect::<Result<_, String>>()?
            }
            _ => return Err("the target is neither a JSON array of ids nor an object from id to grade".to_owned()),
        };
        Ok(ranking(&retrieved, &relevant))
    }
}

fn id(value: &Value) -> Result<String, String> {
    match value {
        Value::Object(members) => match members.get("id") {
            Some(id) => Ok(text_of(id)),
            None => Err("an object of the list has no `id`".to_owned()),
        },
        Value::String(_) | Value::Number(_) => Ok(text_of(value)),
        other => Err(format!("{other} is no id")),
    }
}

/// Share of the relevant things that are among the first `k`. 0 to 1; no score when nothing is relevant.
pub fn recall_at(k: usize) -> impl Fn(&str, &str) -> Result<Option<f64>, String> + Send + Sync + 'static {
    move |output, target| Ok(Ranking::of(output, target)?.recall_at(k))
}

/// Share of the first `k` places that hold relevant things. 0 to 1.
pub fn precision_at(k: usize) -> impl Fn(&str, &str) -> Result<Option<f64>, String> + Send + Sync + 'static {
    move |output, target| Ok(Ranking::of(output, target)?.precision_at(k))
}

/// The reciprocal of the first relevant thing's place, whose mean over rows is the MRR. 0 to 1.
pub fn mrr(output: &str, target: &str) -> Result<Option<f64>, String> {
    Ok(Ranking::of(output, target)?.reciprocal_rank())
}

/// Normalised discounted cumulative gain at `k`: gains discounted by the logarithm of their rank, over those of the
/// best order. 0 to 1.
pub fn ndcg_at(k: usize) -> impl Fn(&str, &str) -> Result<Option<f64>, String> + Send + Sync + 'static {
    move |output, target| Ok(Ranking::of(output, target)?.ndcg_at(k))
}
