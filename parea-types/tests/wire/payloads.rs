//! What real clients send, with all the oddities that were seen.

use parea_types::{
    BatchResponse, Completions, CreateTestCases, ExperimentWithStats, FeedbackRequest, FinishExperimentRequest,
    GetTestCaseResponse, HttpValidationError, ListExperimentsRequest, Message, QueryParamsPagination, Status, TestCase,
    TimeRange, TraceLog, TraceLogAnnotation, TraceLogTree, TraceStats,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The Python SDK sends every field, with nulls, and a `history` that logs do not have.
const PYTHON_LOG: &str = r#"{"configuration":{"model":null,"provider":null,"model_params":{"temp":1.0,"top_p":1.0,
    "frequency_penalty":0.0,"presence_penalty":0.0,"max_length":null,"response_format":null,"safe_prompt":null},
    "messages":null,"history":null,"functions":null,"function_call":null},
  "inputs":{"x":1},"output":"{\"a\": \"leaf 1\", \"y\": 2}","target":null,"latency":0.001027,
  "time_to_first_token":null,"input_tokens":0,"output_tokens":0,"total_tokens":0,"cost":0.0,
  "scores":[{"name":"s1","score":0.25,"reason":"r"},{"name":"exact","score":true,"reason":null}],
  "trace_id":"c1","parent_trace_id":"r1","root_trace_id":"r1",
  "start_timestamp":"2026-11-20T15:24:56.285156+00:00","organization_id":null,"project_uuid":"p1","error":null,
  "status":"success","deployment_id":null,"cache_hit":false,"output_for_eval_metrics":"..",
  "evaluation_metric_names":null,"apply_eval_frac":1.0,"log_sample_rate":1.0,"feedback_score":null,
  "trace_name":"mid","children":["g1"],"end_timestamp":"2026-11-20T15:24:56.286183+00:00",
  "end_user_identifier":null,"session_id":null,"metadata":{"n":"3","d":"{\"x\": 1}"},"tags":null,
  "experiment_uuid":null,"images":[],"comments":null,"annotations":null,"depth":1,"execution_order":1}"#;

#[test]
fn a_log_of_the_python_sdk() {
    let log: TraceLog = serde_json::from_str(PYTHON_LOG).unwrap();
    assert_eq!(log.status, Some(Status::Success));
    assert_eq!(log.inputs.as_ref().unwrap()["x"], 1);
    assert_eq!(log.end_timestamp.unwrap().seconds_since(log.start_timestamp), 0.001_027);
    // A boolean verdict is a number from here on.
    assert_eq!(log.scores.as_ref().unwrap()[1].score, 1.0);
    // What crashes that SDK when it comes back: nulls, and a configuration that is no object.
    let written = serde_json::to_value(TraceLogTree::from(log)).unwrap();
    assert_eq!(
        written["configuration"],
        json!({"model_params": {"temp": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}})
    );
    assert!(!written.to_string().contains("null"), "{written}");
    assert_eq!(written["children_logs"], json!([]));
}

#[test]
fn a_log_of_the_typescript_sdk() {
    let log: TraceLog = serde_json::from_str(
        r#"{"trace_id":"r1","trace_name":"root","start_timestamp":"2026-11-20T15:27:16.525Z","depth":0,
            "execution_order":0,"root_trace_id":"r1","children":[],"inputs":{"x":"1","list":["a"]},"output":"\"done\"",
            "experiment_uuid":null,"end_timestamp":"2026-11-20T15:27:16.530Z","latency":0.005,"project_uuid":"p1",
            "evalFuncs":[null],"applyEvalFrac":0.5,"evalFuncNames":["f"],"accessOutputOfFunc":null}"#,
    )
    .unwrap();
    assert_eq!((log.parent_trace_id.as_deref(), log.status, log.apply_eval_frac), (None, None, None));
    assert_eq!(log.children.as_deref(), Some([].as_slice()));
    assert_eq!(serde_json::to_value(&log).unwrap()["configuration"], json!({}));
}

#[test]
fn the_least_log_and_the_ones_that_lack_something() {
    let log: TraceLog = serde_json::from_str(r#"{"trace_id":"t","start_timestamp":"2024-05-30 13:48:34"}"#).unwrap();
    assert_eq!(
        serde_json::to_value(&log).unwrap(),
        json!({"trace_id": "t", "start_timestamp": "2024-05-30T13:48:34.000000+00:00", "configuration": {},
               "depth": 0, "execution_order": 0})
    );
    for (json, names) in [
        (r#"{"start_timestamp":"2024-05-30 13:48:34"}"#, "trace_id"),
        (r#"{"trace_id":null,"start_timestamp":"2024-05-30 13:48:34"}"#, "expected a string"),
        (r#"{"trace_id":"t"}"#, "start_timestamp"),
        (r#"{"trace_id":"t","start_timestamp":"2024-05-30 13:48:34","input_tokens":1.5}"#, "expected an integer"),
        (r#"{"trace_id":"t","start_timestamp":"2024-05-30 13:48:34","depth":"1"}"#, "expected an integer"),
    ] {
        let error = serde_json::from_str::<TraceLog>(json).unwrap_err().to_string();
        assert!(error.contains(names), "{json}: {error}");
    }
}

#[test]
fn integers_come_as_whole_floats() {
    let log = |tokens: &str| {
        let json = format!(r#"{{"trace_id":"t","start_timestamp":"2024-05-30 13:48:34","total_tokens":{tokens}}}"#);
        serde_json::from_str::<TraceLog>(&json).map(|log| log.total_tokens)
    };
    assert_eq!(log("3.0").unwrap(), Some(3));
    assert_eq!(log("-9007199254740992.0").unwrap(), Some(-9_007_199_254_740_992));
    assert_eq!(log("9223372036854775807").unwrap(), Some(i64::MAX));
    assert_eq!(log("null").unwrap(), None);
    for wrong in ["3.5", "1e300", "9223372036854775808", "\"3\"", "true", "[3]"] {
        assert!(log(wrong).unwrap_err().to_string().contains("an integer"), "{wrong}");
    }
}

#[test]
fn other_bodies_of_both_sdks() {
    let page: QueryParamsPagination = serde_json::from_str(
        r#"{"project_name":"default","filter_field":null,"filter_key":null,"filter_operator":null,
            "filter_value":null,"page":1,"page_size":20,"time_range":"na","status":null}"#,
    )
    .unwrap();
    assert_eq!(page, QueryParamsPagination::new("default"));
    assert_eq!(serde_json::from_str::<QueryParamsPagination>(r#"{"project_name":"default"}"#).unwrap(), page);
    assert_eq!(page.time_range.duration(), None);
    assert_eq!(TimeRange::Year.duration().unwrap().as_secs(), 365 * 86_400);

    let finish: FinishExperimentRequest = serde_json::from_str("{}").unwrap();
    assert_eq!(finish, FinishExperimentRequest::default());
    assert_eq!(serde_json::to_value(&finish).unwrap(), json!({"status": "completed"}));

    let list: ListExperimentsRequest = serde_json::from_str(
        r#"{"project_name":"p","metadata_filter":{"Dataset":"d"},"experiment_name_filter":null,
            "run_name_filter":null,"experiment_uuids":null}"#,
    )
    .unwrap();
    assert_eq!(list.metadata_filter.unwrap()["Dataset"], "d");

    // Values are texts; what is none becomes its JSON text.
    let cases: CreateTestCases = serde_json::from_str(
        r#"{"id":null,"name":"d","test_cases":[{"inputs":{"a":"x","n":3,"o":{"k":[1]},"z":null},"target":null,"tags":null}]}"#,
    )
    .unwrap();
    assert!(cases.validate().is_empty());
    assert_eq!(serde_json::to_value(&cases.test_cases[0].inputs).unwrap(), json!({"a":"x","n":"3","o":"{\"k\":[1]}"}));
    assert_eq!(CreateTestCases::default().validate().len(), 1);

    let call: Completions = serde_json::from_str(
        r#"{"inference_id":"i1","root_trace_id":"","parent_trace_id":"i1","trace_id":null,"cache":null,
            "llm_configuration":{"model":"m","provider":"openai","model_params":{"temp":1.5,"presence_penalty":-3},
            "messages":[{"role":"example_user","content":null}]},"log_sample_rate":0.5}"#,
    )
    .unwrap();
    assert_eq!((call.log_id(), call.cache), (Some("i1"), None));
    let faults: Vec<_> = call.validate().into_iter().map(|fault| (serde_json::json!(fault.loc), fault.msg)).collect();
    let params = |name| json!(["body", "llm_configuration", "model_params", name]);
    assert_eq!(
        faults,
        [
            (params("temp"), "Input should be less than or equal to 1".to_owned()),
            (params("presence_penalty"), "Input should be greater than or equal to -2".to_owned()),
        ]
    );

    let batch: BatchResponse = serde_json::from_str(
        r#"{"accepted":510,"rejected":[{"index":3,"trace_id":"x","detail":[{"loc":["body",3,"start_timestamp"],
            "msg":"Field required","type":"missing","input":{},"url":"u"}]}]}"#,
    )
    .unwrap();
    assert_eq!((batch.accepted, batch.rejected[0].index), (510, 3));
}

/// Other servers send null for lists; the Python SDK fails on it, so that ours never does.
#[test]
fn lists_that_are_never_null_are_read_from_null_and_written_empty() {
    fn check<T: Serialize + DeserializeOwned>(mut json: Value, list: &str) {
        json[list] = Value::Null;
        let value: T = serde_json::from_value(json).unwrap_or_else(|error| panic!("{list}: {error}"));
        assert_eq!(serde_json::to_value(value).unwrap()[list], json!([]), "{list}");
    }
    let time = "2024-05-30 13:48:34";
    let run = json!({"name": "e", "project_uuid": "p", "uuid": "u", "created_at": time, "status": "pending"});
    check::<ExperimentWithStats>(run.clone(), "pinned_stats");
    check::<TraceStats>(json!({"trace_id": "t"}), "scores");
    check::<TestCase>(json!({"inputs": {}}), "tags");
    check::<GetTestCaseResponse>(json!({"inputs": {}, "id": 1, "test_case_collection_id": 1}), "tags");
    check::<TraceLogTree>(json!({"trace_id": "t", "start_timestamp": time}), "children_logs");
    check::<HttpValidationError>(json!({}), "detail");
    check::<BatchResponse>(json!({"accepted": 0}), "rejected");

    // Keys that must be there, whatever is in them.
    let run: ExperimentWithStats = serde_json::from_value(run).unwrap();
    assert_eq!(serde_json::to_value(run).unwrap().get("run_name"), Some(&Value::Null));
    let verdict: TraceLogAnnotation = serde_json::from_value(
        json!({"trace_id": "t", "defined_annotation_id": 1, "created_at": time, "user_id": "u"}),
    )
    .unwrap();
    assert_eq!(serde_json::to_value(verdict).unwrap().get("score"), Some(&Value::Null));
    assert_eq!(serde_json::to_value(Message::default()).unwrap(), json!({"content": "", "role": "user"}));
}

#[test]
fn numbers_out_of_range_are_named() {
    let faults = |page: i64, page_size: i64| {
        let query = QueryParamsPagination { page, page_size, ..QueryParamsPagination::new("p") };
        query.validate().into_iter().map(|fault| json!(fault.loc)[1].clone()).collect::<Vec<_>>()
    };
    assert_eq!(faults(1, 1), [] as [&str; 0]);
    assert_eq!(faults(1, 100_000), [] as [&str; 0]);
    assert_eq!(faults(0, 100_001), ["page", "page_size"]);
    assert_eq!(faults(-1, 0), ["page", "page_size"]);

    let feedback = |score: f64, trace_id: &str| {
        let feedback = FeedbackRequest { score, trace_id: Some(trace_id.to_owned()), ..FeedbackRequest::default() };
        feedback.validate().into_iter().map(|fault| json!(fault.loc)[1].clone()).collect::<Vec<_>>()
    };
    assert_eq!(feedback(1.0, "t"), [] as [&str; 0]);
    assert_eq!(feedback(f64::NAN, ""), ["score", "trace_id"]);
    assert_eq!(feedback(-0.1, "t"), ["score"]);
}
