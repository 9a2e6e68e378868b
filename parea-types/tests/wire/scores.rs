//! Numbers that JSON cannot hold.

use parea_types::{
    EvaluationScore, ExperimentPinnedStatistic, ExperimentWithStats, FeedbackRequest, FinishExperimentRequest,
    TraceLog, TraceStats,
};
use serde_json::json;

fn score(score: f64) -> EvaluationScore {
    EvaluationScore { name: "s".to_owned(), score, ..EvaluationScore::default() }
}

#[test]
fn a_non_finite_score_never_becomes_null() {
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(EvaluationScore::new("s", wrong).unwrap_err().to_string().contains("finite"));
        assert!(serde_json::to_string(&score(wrong)).is_err());
        assert!(serde_json::to_string(&FeedbackRequest { score: wrong, ..FeedbackRequest::default() }).is_err());

        let scores = vec![score(0.5), score(wrong), score(1.0)];
        let left = json!([{"name": "s", "score": 0.5}, {"name": "s", "score": 1.0}]);
        let log = TraceLog { scores: Some(scores.clone()), ..TraceLog::default() };
        assert_eq!(serde_json::to_value(&log).unwrap()["scores"], left);
        let finish = FinishExperimentRequest { dataset_level_stats: Some(scores.clone()), ..Default::default() };
        assert_eq!(serde_json::to_value(&finish).unwrap()["dataset_level_stats"], left);
        let stats = TraceStats { scores, latency: wrong, cost: Some(wrong), ..TraceStats::default() };
        let written = serde_json::to_string(&stats).unwrap();
        let read: TraceStats = serde_json::from_str(&written).unwrap();
        assert_eq!((read.scores.len(), read.latency, read.cost), (2, 0.0, None));
        let figure = ExperimentPinnedStatistic { value: wrong, ..ExperimentPinnedStatistic::default() };
        let run = ExperimentWithStats { pinned_stats: vec![figure], ..ExperimentWithStats::default() };
        assert_eq!(serde_json::to_value(&run).unwrap()["pinned_stats"], json!([]));
    }
    assert_eq!(EvaluationScore::new("s", 0.5).unwrap().with_reason("r").reason.as_deref(), Some("r"));
    assert!(serde_json::from_str::<EvaluationScore>(r#"{"name":"s","score":null}"#).is_err());
}
