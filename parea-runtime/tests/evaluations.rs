//! Evaluations of finished spans, and the cells of experiments.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use parea_runtime::{
    InCurrentSpan as _,
    cell::{Cell, CellStart},
    evaluation::{Evaluation, Evaluator},
    testing,
    types::{EvaluationScore, TraceLog},
};

/// Scores what its closure says of the log.
struct Says<F>(&'static str, F);

impl<F: Fn(&TraceLog) -> f64 + Send + Sync + 'static> Evaluator for Says<F> {
    fn name(&self) -> &str {
        self.0
    }

    fn evaluate<'a>(&'a self, log: &'a TraceLog) -> Evaluation<'a> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            inside(log.output.clone().unwrap_or_default());
            Ok(vec![EvaluationScore { name: self.0.into(), score: (self.1)(log), ..EvaluationScore::default() }])
        })
    }
}

#[parea::trace]
fn inside(output: String) -> usize {
    output.len()
}

fn cell(experiment: &str, evaluators: Vec<Arc<dyn Evaluator>>) -> CellStart<'_> {
    let inputs = serde_json::json!({ "n": 1 }).as_object().unwrap().clone();
    let target = Some("four".to_owned());
    CellStart { name: "exp", experiment_uuid: experiment, inputs, target, evaluators, ..CellStart::default() }
}

#[tokio::test]
async fn a_cell_is_scored_after_it_ended_and_a_bad_evaluation_spoils_nothing() {
    let evaluators: Vec<Arc<dyn Evaluator>> = vec![
        Arc::new(Says("length", |log: &TraceLog| log.output.as_ref().unwrap().len() as f64)),
        Arc::new(Says("agrees", |log: &TraceLog| f64::from(log.output == log.target))),
        Arc::new(Says("breaks", |_: &TraceLog| panic!("no reason"))),
        Arc::new(Says("nothing", |_: &TraceLog| f64::NAN)),
    ];
    // Twice: once as it is sent, once as the experiment sees it.
    let (seen, traces) = testing::capture_async(async {
        let cell = Cell::start(cell("run-1", evaluators));
        let value = async { inside("four".to_owned()) }.in_context(cell.context()).await;
        assert_eq!(value, 4);
        cell.finish(Ok(b"\"four\"".to_vec()));
        cell.logs().await
    })
    .await;
    assert_eq!(
        traces.tree(),
        "exp (ok) score length 4 score agrees 1
├─ inside (ok)
├─ length (ok)
│  └─ inside (ok)
├─ agrees (ok)
│  └─ inside (ok)
├─ breaks (error: panicked: no reason)
│  └─ inside (ok)
└─ nothing (error: score `nothing` is NaN; a score must be a finite number)
   └─ inside (ok)
"
    );
    assert_eq!(seen, traces.logs());
    assert!(seen.iter().all(|log| log.experiment_uuid.as_deref() == Some("run-1")));
    assert!(seen.iter().all(|log| log.target.as_deref() == Some("four")), "the target reaches all spans");
    let root = traces.log("exp");
    assert_eq!(root.children.as_ref().unwrap().len(), 5, "evaluations are children like any other");
    assert_eq!(traces.log("length").inputs.as_ref().unwrap()["log"]["output"], "four");
}

#[tokio::test]
async fn what_failed_is_not_evaluated_and_what_is_dropped_is_an_error() {
    let evaluator = || -> Vec<Arc<dyn Evaluator>> { vec![Arc::new(Says("never", |_: &TraceLog| 1.0))] };
    let ((), traces) = testing::capture_async(async {
        Cell::start(cell("run-1", evaluator())).finish(Err("no answer".to_owned()));
        drop(Cell::start(cell("run-1", evaluator())));
    })
    .await;
    assert_eq!(traces.tree(), "exp (error: no answer)\nexp (error: cancelled)\n");
}

#[tokio::test]
async fn two_experiments_at_once_do_not_mix_and_need_no_client() {
    let run = |name: &'static str| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            tasks.spawn(async move {
                let cell = Cell::start(cell(name, Vec::new()));
                async {
                    tokio::task::yield_now().await;
                    inside(name.to_owned());
                    parea_runtime::spawn(async move { inside(name.to_owned()) }).await.unwrap();
                }
                .in_context(cell.context())
                .await;
                cell.finish(Ok(b"null".to_vec()));
                cell.logs().await
            });
        }
        tasks.join_all().await.concat()
    };
    let (one, other) = tokio::join!(run("one"), run("other"));
    for (name, logs) in [("one", one), ("other", other)] {
        assert_eq!(logs.len(), 150);
        assert!(logs.iter().all(|log| log.experiment_uuid.as_deref() == Some(name)));
    }
}

#[test]
fn a_share_of_none_evaluates_none() {
    #[parea::trace(apply_eval_frac = 0.0)]
    fn scored() {
        parea_runtime::current().evaluate_with(Arc::new(Says("never", |_: &TraceLog| 1.0)));
    }
    let ((), traces) = testing::capture(|| (0..100).for_each(|_| scored()));
    assert_eq!(traces.logs().len(), 100);
}
