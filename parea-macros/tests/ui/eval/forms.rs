#![deny(warnings)]
#![forbid(nonstandard_style, unsafe_code)]
//! `#[parea::eval]` on every form of function that is an evaluation.

use std::fmt::Display;

use parea::{Eval, Evaluate, Log, Score, testing};

/// Whether it greets.
///
/// This is no part of it.
#[parea::eval]
fn polite(log: &Log) -> bool {
    log.judged().starts_with("Hello")
}

#[parea::eval(name = "same letters", description = "Share of the target's letters.")]
pub(crate) fn letters(output: &str, target: &str) -> f64 {
    output.len().min(target.len()) as f64 / target.len().max(1) as f64
}

#[parea::eval(description = "Waits, then fails where there is no number.")]
async fn number(log: &Log) -> Result<Score, std::num::ParseIntError> {
    std::future::ready(()).await;
    let number: i32 = log.judged().parse()?;
    Ok(Score::new(number.into()).because("it is"))
}

/** Of values,
later. */
#[parea::eval]
async fn later(output: &str, _target: &str) -> (bool, Score) {
    (output.is_empty(), Score::named("length", output.len() as f64))
}

#[parea::eval]
fn borrowed<'log>(log: &'log Log) -> Option<f64> {
    let text: &'log str = log.judged();
    (!text.is_empty()).then_some(0.5)
}

/// Long enough.
#[parea::eval(name = "long")]
fn at_least(letters: usize) -> impl Fn(&Log) -> bool {
    move |log| log.judged().len() >= letters
}

#[parea::eval]
fn contains(word: impl Display + Send + Sync + 'static) -> impl AsyncFn(&Log) -> bool {
    let word = word.to_string();
    async move |log: &Log| log.judged().contains(&word)
}

/// Ready made.
#[parea::eval]
fn ready((low, high): (f64, f64)) -> Eval {
    Eval::new("anything", move |log: &Log| (low..high).contains(&(log.judged().len() as f64)))
}

#[parea::eval]
#[parea::trace]
fn traced_below(log: &Log) -> bool {
    log.judged().is_empty()
}

#[parea::trace]
#[parea::eval]
async fn traced_above(log: &Log) -> bool {
    log.judged().is_empty()
}

struct Rubric;

impl Rubric {
    const LEAST: usize = 2;

    /// A rubric's.
    #[parea::eval]
    fn rubric(log: &Log) -> bool {
        log.judged().len() >= Rubric::LEAST
    }

    fn checks() -> [Eval; 1] {
        [Self::rubric.eval()]
    }
}

/// Calls another one.
#[parea::eval(name = "both")]
fn combined<const LEAST: usize>(log: &Log) -> f64 {
    if polite(log) && log.judged().len() >= LEAST { 1.0 } else { 0.0 }
}

#[parea::eval(name = "score and more")]
fn opaque(log: &Log) -> impl parea::IntoScores + use<> {
    (combined::<1>(log), Score::named("more", 1.0))
}

mod elsewhere {
    #[parea::eval]
    pub fn r#match(output: &str, target: &str) -> bool {
        output == target
    }
}

#[parea::trace(evals = [
    polite, letters, number, later, borrowed, at_least(3), contains("ell"), ready((1.0, 9.0)), traced_below, traced_above,
    Rubric::rubric, elsewhere::r#match, combined::<3>, opaque
], target = "Hello you")]
fn greet(name: &str) -> String {
    format!("Hello {name}")
}

fn main() {
    // Called as it was.
    let log = Log::of("Hello", Some("Hi"));
    assert!(polite(&log) && !traced_below(&log) && at_least(3)(&log) && Rubric::rubric(&log));
    assert!((letters("ab", "abcd") - 0.5).abs() < 1e-9);
    assert_eq!(borrowed(&log), Some(0.5));
    let function: fn(&Log) -> bool = polite;
    assert!(function(&log));
    // A name for a value as for any function's.
    let polite = polite(&log);
    assert!(polite);

    // What makers know.
    let eval = at_least(3).eval();
    assert_eq!((eval.name(), eval.description()), ("long", Some("Long enough.")));
    let eval = ready((1.0, 2.0)).under("other");
    assert_eq!((eval.name(), eval.description()), ("other", Some("Ready made.")));
    assert_eq!(Rubric::checks()[0].name(), "rubric");

    let (_, traces) = testing::capture(|| greet("you"));
    assert_eq!(
        traces.tree(),
        "greet (ok) score polite 1 score same letters 1 score later 0 score length 9 score borrowed 0.5 score long 1 \
         score contains 1 score ready 0 score traced_below 0 score traced_above 0 score rubric 1 score match 1 score both 1 \
         score score and more 1 score more 1
├─ polite (ok)
├─ same letters (ok)
├─ number (error: invalid digit found in string)
├─ later (ok)
├─ borrowed (ok)
├─ long (ok)
├─ contains (ok)
├─ ready (ok)
├─ traced_below (ok)
│  └─ traced_below (ok)
├─ traced_above (ok)
│  └─ traced_above (ok)
├─ rubric (ok)
├─ match (ok)
├─ both (ok)
└─ score and more (ok)
"
    );
    let told = |name: &str| Some(traces.log(name).metadata.as_ref()?.get("description")?.as_str()?.to_owned());
    assert_eq!(told("polite").as_deref(), Some("Whether it greets."));
    assert_eq!(told("same letters").as_deref(), Some("Share of the target's letters."));
    assert_eq!(told("later").as_deref(), Some("Of values, later."));
    assert_eq!(told("borrowed"), None);
}
