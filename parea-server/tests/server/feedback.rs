//! What users say of a log.

use serde_json::{Value, json};

use crate::client::{Local, log};

#[tokio::test]
async fn a_verdict_outranks_the_log_whichever_comes_first() {
    let local = Local::start().await;
    let feedback = async |body: Value| local.client.post("/feedback", &body).await;
    let mut early = log("early");
    early["target"] = "as sent".into();
    early["feedback_score"] = 0.9.into();
    assert_eq!(local.client.post("/trace_log", &early).await.0, 200);
    let verdict =
        |name: &str, id: &str| json!({ name: id, "score": 0, "target": "corrected", "comment": "wrong", "name": null });
    for (name, id) in [("trace_id", "early"), ("inference_id", "late")] {
        assert_eq!(feedback(verdict(name, id)).await.0, 200);
        // The answer was lost, and the client asks again.
        assert_eq!(feedback(verdict(name, id)).await.0, 200);
    }
    let mut late = early.clone();
    late["trace_id"] = "late".into();
    for body in [&late, &early] {
        assert_eq!(local.client.post("/trace_log", body).await.0, 200);
    }
    for id in ["early", "late"] {
        let log = local.client.log(id).await;
        assert_eq!((&log["feedback_score"], &log["target"]), (&json!(0.0), &json!("corrected")), "{log}");
        let [comment] = log["comments"].as_array().unwrap().as_slice() else { panic!("{log}") };
        assert_eq!((&comment["comment"], &comment["trace_id"]), (&json!("wrong"), &json!(id)));
        assert!(comment["created_at"].is_string() && comment["user_id"].is_string(), "{comment}");
    }

    let more = json!({ "trace_id": "early", "inference_id": null, "score": true, "target": null, "comment": "better" });
    assert_eq!(feedback(more).await.0, 200);
    let log = local.client.log("early").await;
    assert_eq!((&log["feedback_score"], &log["target"]), (&json!(1.0), &json!("corrected")), "the rest stays");
    let said: Vec<_> = log["comments"].as_array().unwrap().iter().map(|comment| &comment["comment"]).collect();
    assert_eq!(said, ["wrong", "better"]);
}

#[tokio::test]
async fn a_verdict_names_a_log_and_is_a_number_from_0_to_1() {
    let local = Local::start().await;
    for (body, field) in [
        (json!({ "score": 1 }), "trace_id"),
        (json!({ "score": 1, "trace_id": "", "inference_id": null }), "trace_id"),
        (json!({ "score": 1, "trace_id": "x".repeat(256) }), "trace_id"),
        (json!({ "score": 1.5, "trace_id": "a" }), "score"),
        (json!({ "score": -0.1, "trace_id": "a" }), "score"),
        (json!({ "score": "good", "trace_id": "a" }), "score"),
        (json!({ "score": null, "trace_id": "a" }), "score"),
        (json!({ "trace_id": "a" }), "score"),
    ] {
        let (status, answer) = local.client.post("/feedback", &body).await;
        assert_eq!(status, 422, "{body}: {answer}");
        assert_eq!(answer["detail"][0]["loc"], json!(["body", field]), "{body}: {answer}");
    }
}
