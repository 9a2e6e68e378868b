//! Options that say what is captured.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use futures::StreamExt as _;
use parea::testing::{capture, capture_async};
use serde_json::json;

#[derive(Debug)]
struct Answer {
    text: String,
    sources: Vec<String>,
}

#[parea::trace(
    inputs(query = query.len(), "the \"limit\"" = limit * 2),
    skip(key),
    output = |answer| answer.sources.len(),
    output_for_eval_metrics = |answer| answer.text.clone(),
    deployment_id = "p-1",
    evaluation_metric_names = ["relevancy", key],
    apply_eval_frac = 0.25
)]
fn answer(query: &str, limit: usize, key: &str) -> Result<Answer, String> {
    if limit == 0 {
        return Err("no limit".to_owned());
    }
    Ok(Answer { text: query.to_uppercase(), sources: vec![key.to_owned(); limit] })
}

#[test]
fn inputs_and_output_are_what_the_options_say() {
    let (answered, traces) = capture(|| answer("why", 2, "k"));
    let answered = answered.unwrap();
    assert_eq!((answered.text.as_str(), answered.sources.len()), ("WHY", 2));
    let log = traces.log("answer");
    assert_eq!(
        serde_json::Value::Object(log.inputs.clone().unwrap()),
        json!({"query": 3, "the \"limit\"": 4, "limit": 2})
    );
    assert_eq!((log.output.as_deref(), log.output_for_eval_metrics.as_deref()), (Some("2"), Some("WHY")));
    assert_eq!(log.deployment_id.as_deref(), Some("p-1"));
    assert_eq!(log.evaluation_metric_names.as_ref().unwrap(), &["relevancy", "k"]);
    assert_eq!(log.apply_eval_frac, Some(0.25));

    let (_, traces) = capture(|| answer("why", 0, "k").unwrap_err());
    let log = traces.log("answer");
    assert_eq!((log.error.as_deref(), &log.output, &log.output_for_eval_metrics), (Some("no limit"), &None, &None));
}

#[test]
fn a_chance_that_is_none_is_left_out_and_said() {
    #[parea::trace(apply_eval_frac = 1.5)]
    fn often() {}
    let ((), traces) = capture(often);
    let log = traces.log("often");
    assert_eq!(
        (log.apply_eval_frac, &log.metadata.as_ref().unwrap()["apply_eval_frac_refused"]),
        (None, &json!("1.5"))
    );
}

#[test]
fn an_option_that_panics_spoils_nothing_else() {
    #[parea::trace(output = |n| 10 / n)]
    fn divides(n: u32) -> u32 {
        n
    }
    let (zero, traces) = capture(|| divides(0));
    assert_eq!((zero, traces.tree().as_str()), (0, "divides (ok)\n"));
    assert_eq!(traces.log("divides").output.as_deref(), Some("<panicked: attempt to divide by zero>"));
}

#[tokio::test]
async fn items_of_a_stream_are_shown_by_the_option() {
    #[parea::trace(output = String::len, inputs(words = text.split(' ').count()))]
    async fn chunks(text: &str) -> Result<impl futures::Stream<Item = Result<String, String>> + use<>, String> {
        let words: Vec<_> = text.split(' ').map(|word| Ok(word.to_owned())).collect();
        Ok(futures::stream::iter(words))
    }
    let (count, traces) = capture_async(async { chunks("one three").await.unwrap().count().await }).await;
    assert_eq!(count, 2);
    let log = traces.log("chunks");
    assert_eq!(log.output.as_deref(), Some("[3,5]"));
    assert_eq!(serde_json::to_value(&log.inputs).unwrap(), json!({"words": 2, "text": "one three"}));
}

#[tokio::test]
async fn a_boxed_future_is_small_for_its_caller() {
    #[parea::trace]
    async fn large() -> usize {
        let held = [0_u8; 4096];
        tokio::task::yield_now().await;
        held.len()
    }
    #[parea::trace(boxed)]
    async fn small() -> usize {
        let held = [0_u8; 4096];
        tokio::task::yield_now().await;
        held.len()
    }
    assert!(size_of_val(&large()) > 4096);
    assert_eq!(size_of_val(&small()), size_of::<Box<()>>());
    let (held, traces) = capture_async(async { Box::pin(large()).await + small().await }).await;
    assert_eq!((held, traces.tree().as_str()), (8192, "large (ok)\nsmall (ok)\n"));
}
