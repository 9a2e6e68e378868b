//! The option `evals`: functions that score what an annotated function did.

use parea::{Eval, Log, Score, evals::numeric, prelude::*, testing};

fn polite(log: &Log) -> bool {
    log.judged().starts_with("Hello")
}

async fn waits(log: &Log) -> Result<Score, parea::LogError> {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    let name = length(&log.input::<String>("name")?);
    Ok(Score::new(name as f64).because("letters of the name"))
}

#[parea::trace]
fn length(text: &str) -> usize {
    text.len()
}

fn at_least(letters: usize) -> impl Fn(&Log) -> Option<bool> {
    move |log| (letters > 0).then(|| log.judged().len() >= letters)
}

#[parea::trace]
fn breaks(_: &Log) -> bool {
    panic!("not today")
}

#[parea::trace(
    evals = [levenshtein, polite, waits, at_least(name.len()), breaks, Eval::new("own", |_: &Log| 0.5)],
    target = format!("Hi {name}")
)]
async fn greeting(name: &str) -> String {
    length(name);
    format!("Hello {name}")
}

#[tokio::test]
async fn a_call_is_scored_after_it_ended_each_evaluation_in_a_span_of_its_own() {
    let (greeted, traces) = testing::capture_async(greeting("Foo")).await;
    assert_eq!(greeted, "Hello Foo");
    assert_eq!(
        traces.tree(),
        "greeting (ok) score levenshtein 0.5556 score polite 1 score waits 3 score at_least 1 score own 0.5
├─ length (ok)
├─ levenshtein (ok)
├─ polite (ok)
├─ waits (ok)
│  └─ length (ok)
├─ at_least (ok)
├─ breaks (error: panicked: not today)
│  └─ breaks (error: panicked: not today)
└─ own (ok)
"
    );
    let log = traces.log("greeting");
    let waits = log.scores.as_ref().unwrap().iter().find(|score| score.name == "waits").unwrap();
    assert_eq!(waits.reason.as_deref(), Some("letters of the name"));
    // The target reaches the evaluations' spans.
    assert_eq!(traces.log("polite").target.as_deref(), Some("Hi Foo"));
}

#[parea::trace(evals = [polite])]
fn fails() -> Result<u8, &'static str> {
    Err("no")
}

#[parea::trace(evals = [polite], apply_eval_frac = 0.0)]
fn never() {}

struct Calculator;

#[parea::trace(evals = [numeric(0.01)])]
impl Calculator {
    #[parea::trace(target = 4)]
    fn add(&self, one: i32, other: i32) -> i32 {
        one + other
    }
}

#[test]
fn what_failed_is_not_scored_nor_what_its_lot_leaves_out_and_methods_are() {
    let ((), traces) = testing::capture(|| {
        fails().unwrap_err();
        never();
        Calculator.add(2, 2);
    });
    assert_eq!(traces.tree(), "fails (error: no)\nnever (ok)\nCalculator::add (ok) score numeric 1\n└─ numeric (ok)\n");
}
