#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::cell::Cell;

use off_and_on::{input, off_and_on, off_and_on_async, output};

thread_local! { static EVALUATED: Cell<u32> = const { Cell::new(0) }; }

/// Counts how often an option was evaluated.
fn seen<T>(value: T) -> T {
    EVALUATED.set(EVALUATED.get() + 1);
    value
}

struct User {
    id: u64,
    tags: Vec<String>,
}

const RATE: f64 = 1.0;

#[parea::trace(
    name = "every option",
    tags = [seen("fixed"), user.tags[0].as_str(), format!("{}", user.id)],
    metadata(k = seen(k), "other key" = user.id, text = query),
    end_user_identifier = seen(user.id),
    session_id = format_args!("session {}", user.id),
    target = seen(query.to_uppercase()),
    evaluation_metric_names = [seen("relevancy"), query],
    apply_eval_frac = seen(0.5_f32),
    deployment_id = seen("p-1"),
    log_sample_rate = RATE,
    inputs(query = seen(query.len()), extra = seen((k, k + 1))),
    skip(secret),
    output = |output| seen(output.len()),
    output_for_eval_metrics = |output: &String| seen(output.to_uppercase()),
)]
fn every(query: &str, k: u32, secret: &str, user: &User) -> String {
    format!("{query}{k}{secret}{}", user.id)
}

#[parea::trace(boxed, log_omit_inputs = true, log_omit_outputs, output_for_eval_metrics = |n| n + 1)]
async fn quiet(secret: u32) -> u32 {
    secret
}

#[parea::trace(log_omit_inputs = false, log_omit_outputs = false, boxed = false, skip(), tags = [], metadata(), inputs())]
async fn nothing_asked(n: u32) -> u32 {
    n
}

struct Prompt {
    version: u32,
}

impl Prompt {
    const NAME: &str = "prompt";

    #[parea::trace(skip(self), tags = [Self::NAME], metadata(version = self.version), deployment_id = self.version)]
    async fn render(&mut self, into: &mut String) -> usize {
        self.version += 1;
        into.push('x');
        into.len()
    }
}

/// What a closure makes of the output may borrow from it.
#[parea::trace(output = |pair| &pair.0, output_for_eval_metrics = |(_, text)| text.as_str())]
fn borrows(n: u8) -> (u8, String) {
    (n, "text".to_owned())
}

/// The path of a function in place of a closure.
#[parea::trace(output = Vec::len)]
fn items() -> Vec<u8> {
    vec![1, 2]
}

#[parea::trace(output = |()| "unit")]
fn unit() {}

fn main() {
    let user = User { id: 7, tags: vec!["beta".to_owned()] };
    assert_eq!(every("q", 1, "s", &user), "q1s7");
    assert_eq!(EVALUATED.get(), 0, "nothing is evaluated while nobody listens");
    let traces = off_and_on(|| every("q", 1, "s", &user), "q1s7".to_owned(), "every option (ok)\n");
    assert_eq!(EVALUATED.get(), 11, "each once");
    let log = traces.log("every option");
    assert_eq!(log.tags.as_ref().unwrap(), &["fixed", "beta", "7"]);
    let metadata = log.metadata.as_ref().unwrap();
    assert_eq!([&metadata["k"], &metadata["other key"], &metadata["text"]], ["1", "7", "q"]);
    assert_eq!((log.end_user_identifier.as_deref(), log.session_id.as_deref()), (Some("7"), Some("session 7")));
    assert_eq!((log.target.as_deref(), log.deployment_id.as_deref()), (Some("Q"), Some("p-1")));
    assert_eq!(log.evaluation_metric_names.as_ref().unwrap(), &["relevancy", "q"]);
    assert_eq!((log.apply_eval_frac, log.log_sample_rate), (Some(0.5), Some(1.0)));
    assert_eq!([input(&traces, "every option", "query"), input(&traces, "every option", "extra")], ["1", "[1,2]"]);
    assert_eq!(input(&traces, "every option", "secret"), "(none)");
    assert_eq!((output(&traces, "every option"), log.output_for_eval_metrics.as_deref()), ("4", Some("Q1S7")));

    let traces =
        off_and_on_async(async || quiet(5).await + nothing_asked(1).await, 6, "quiet (ok)\nnothing_asked (ok)\n");
    let log = traces.log("quiet");
    assert_eq!((log.output.as_deref(), log.output_for_eval_metrics.as_deref()), (None, Some("6")));
    assert_eq!(
        (input(&traces, "quiet", "secret"), input(&traces, "nothing_asked", "n")),
        ("(none)".into(), "1".into())
    );
    assert_eq!(size_of_val(&quiet(1)), size_of::<usize>());
    let traces = off_and_on_async(async || Prompt { version: 3 }.render(&mut String::new()).await, 1, "render (ok)\n");
    let log = traces.log("render");
    assert_eq!((log.tags.as_ref().unwrap()[0].as_str(), log.deployment_id.as_deref()), ("prompt", Some("3")));
    let traces = off_and_on(|| borrows(1).0, 1, "borrows (ok)\n");
    let log = traces.log("borrows");
    assert_eq!((log.output.as_deref(), log.output_for_eval_metrics.as_deref()), (Some("1"), Some("text")));
    let traces = off_and_on(|| (items(), unit()).0, vec![1, 2], "items (ok)\nunit (ok)\n");
    assert_eq!((output(&traces, "items"), output(&traces, "unit")), ("2", "unit"));
}
