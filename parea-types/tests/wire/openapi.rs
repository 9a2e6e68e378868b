//! Every type against its schema.

use std::{cell::Cell, collections::BTreeSet, fmt::Debug};

use parea_types::{
    BatchResponse, CompletionParams, Completions, CompletionsResponse, Configuration, CreateExperimentRequest,
    CreateGetProjectRequest, CreateGetProjectResponse, CreateTestCaseCollectionRequest,
    CreateTestCaseCollectionResponse, CreateTestCases, DeploymentPromptId, EvaluationScore, Experiment,
    ExperimentPinnedStatistic, ExperimentStats, ExperimentStatus, ExperimentWithStats, FeedbackRequest, FilterBase,
    FilterOperator, FinishExperimentRequest, GetDeployedPromptResponse, GetTestCaseCollectionResponse,
    GetTestCaseResponse, HttpValidationError, ListExperimentsRequest, LlmInputs, Message, ModelParams,
    PaginatedTraceLogs, Prompt, ProviderName, QueryParamsPagination, RejectedLog, Role, StatisticOperation, Status,
    TestCase, TimeRange, Timestamp, TraceLog, TraceLogAnnotation, TraceLogComment, TraceLogImage, TraceLogTree,
    TraceStats, UpdateLog, UpdateTestCasePublicRequest, ValidationError,
};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde::{Deserialize, Deserializer, Serialize, de, forward_to_deserialize_any};
use serde_json::Value;

use crate::{
    document::{COMPONENTS, closed_validator, schema},
    samples::{self, Sample},
};

/// One test for each schema, and the list of all schemas that have one.
macro_rules! schemas {
    ($($test:ident: $schema:literal => $type:ty;)*) => {
        $(
            #[test]
            fn $test() {
                holds::<$type>($schema);
            }
        )*

        const TESTED: &[&str] = &[$($schema),*];
    };
}

schemas! {
    batch_response: "BatchResponse" => BatchResponse;
    completions: "CompletionsSchema" => Completions;
    completions_response: "CompletionsResponseSchema" => CompletionsResponse;
    create_experiment_request: "CreateExperimentRequestSchema" => CreateExperimentRequest;
    create_get_project_request: "CreateGetProjectRequestSchema" => CreateGetProjectRequest;
    create_get_project_response: "CreateGetProjectResponseSchema" => CreateGetProjectResponse;
    create_test_case_collection_request: "CreateTestCaseCollectionRequestSchema" => CreateTestCaseCollectionRequest;
    create_test_case_collection_response: "CreateTestCaseCollectionResponseSchema" => CreateTestCaseCollectionResponse;
    create_test_cases: "CreateTestCasesSchema" => CreateTestCases;
    deployment_prompt_id: "DeploymentPromptIdSchema" => DeploymentPromptId;
    evaluation_score: "EvaluationScoreSchema" => EvaluationScore;
    experiment: "ExperimentSchema" => Experiment;
    experiment_pinned_statistic: "ExperimentPinnedStatistic" => ExperimentPinnedStatistic;
    experiment_stats: "ExperimentStatsSchema" => ExperimentStats;
    experiment_status: "ExperimentStatus" => ExperimentStatus;
    experiment_with_stats: "ExperimentWithStatsSchema" => ExperimentWithStats;
    feedback_request: "FeedbackRequestSchema" => FeedbackRequest;
    filter_base: "FilterBaseSchema" => FilterBase;
    filter_operator: "FilterOperator" => FilterOperator;
    finish_experiment_request: "FinishExperimentRequestSchema" => FinishExperimentRequest;
    get_deployed_prompt_response: "GetDeployedPromptResponseSchema" => GetDeployedPromptResponse;
    get_test_case_collection_response: "GetTestCaseCollectionResponseSchema" => GetTestCaseCollectionResponse;
    get_test_case_response: "GetTestCaseResponseSchema" => GetTestCaseResponse;
    http_validation_error: "HTTPValidationError" => HttpValidationError;
    inputs: "InputsSchema" => Configuration;
    list_experiments_request: "ListExperimentsRequestSchema" => ListExperimentsRequest;
    llm_inputs: "LLMInputsSchema" => LlmInputs;
    message: "MessageSchema" => Message;
    model_params: "ModelParamsSchema" => CompletionParams;
    paginated_trace_logs: "PaginatedTraceLogs" => PaginatedTraceLogs;
    params: "ParamsSchema" => ModelParams;
    prompt: "PromptSchema" => Prompt;
    provider_name: "ProviderName" => ProviderName;
    query_params_pagination: "QueryParamsPaginationPublic" => QueryParamsPagination;
    rejected_log: "RejectedLog" => RejectedLog;
    role: "Role" => Role;
    statistic_operation: "StatisticOperation" => StatisticOperation;
    test_case: "TestCaseSchema" => TestCase;
    time_range: "TimeRange" => TimeRange;
    trace_log: "TraceLogSchema" => TraceLog;
    trace_log_annotation: "TraceLogAnnotationSchema" => TraceLogAnnotation;
    trace_log_comment: "TraceLogCommentSchema" => TraceLogComment;
    trace_log_image: "TraceLogImage" => TraceLogImage;
    trace_log_tree: "TraceLogTreeSchema" => TraceLogTree;
    trace_stats: "TraceStatsSchema" => TraceStats;
    update_log: "UpdateLogSchema" => UpdateLog;
    update_test_case_public_request: "UpdateTestCasePublicRequestSchema" => UpdateTestCasePublicRequest;
    validation_error: "ValidationError" => ValidationError;
}

#[test]
fn no_schema_is_forgotten() {
    let published: BTreeSet<&str> =
        COMPONENTS["schemas"].as_object().expect("schemas").keys().map(String::as_str).collect();
    assert_eq!(published, TESTED.iter().copied().collect());
}

/// What must be true of every type: it has the schema's fields and no others, loses nothing that a valid value says,
/// reads nulls and unknown members as nothing, and writes what the schema allows and what it reads back itself.
fn holds<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(name: &str) {
    let schema = schema(name);
    // A type that holds another one's fields beside its own does not tell them; there the validator does.
    if let Some(fields) = fields_of::<T>() {
        let properties = schema["properties"].as_object().expect("properties");
        assert_eq!(fields, properties.keys().map(String::as_str).collect(), "fields of {name}");
    }
    let validator = closed_validator(name);
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&samples::of(schema), |Sample { plain, noisy }| {
        let fail = |what: String| TestCaseError::fail(format!("{name}: {what}"));
        let read =
            |json: &Value| serde_json::from_str::<T>(&json.to_string()).map_err(|e| fail(format!("{e}: {json}")));
        let value = read(&plain)?;
        if read(&noisy)? != value {
            return Err(fail(format!("nulls and unknown members change the meaning: {noisy}")));
        }
        if serde_json::from_value::<T>(plain.clone()).ok().as_ref() != Some(&value) {
            return Err(fail(format!("text and tree differ: {plain}")));
        }
        let written: Value = serde_json::to_string(&value)
            .and_then(|text| serde_json::from_str(&text))
            .map_err(|e| fail(e.to_string()))?;
        if let Err(error) = validator.validate(&written) {
            return Err(fail(format!("{error} at {}: {written}", error.instance_path())));
        }
        if let Some(lost) = lost(&plain, &written) {
            return Err(fail(format!("{lost}: {plain} became {written}")));
        }
        if read(&written)? != value || serde_json::to_value(&value).ok() != Some(written) {
            return Err(fail(format!("what is written reads differently: {plain}")));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// What `read` says and `written` does not. A time may be spelled anew, and what absent means may be absent.
fn lost(read: &Value, written: &Value) -> Option<String> {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            read.iter().find_map(|(name, value)| match written.get(name) {
                Some(written) => lost(value, written),
                None if [
                    Value::from(false),
                    "na".into(),
                    Value::Object(serde_json::Map::new()),
                    Value::Array(vec![]),
                ]
                .contains(value) =>
                {
                    None
                }
                // The configuration of a gateway call may hold such things and no others.
                None if name == "llm_configuration" && lost(value, &serde_json::json!({})).is_none() => None,
                None => Some(format!("`{name}` is lost")),
            })
        }
        (Value::Array(read), Value::Array(written)) if read.len() == written.len() => {
            read.iter().zip(written).find_map(|(read, written)| lost(read, written))
        }
        (Value::String(read), Value::String(written)) if read != written => {
            let time = |text: &str| text.parse::<Timestamp>().ok();
            (time(read).is_none() || time(read) != time(written)).then(|| format!("`{read}` became `{written}`"))
        }
        _ if read.as_f64().is_some() && read.as_f64() == written.as_f64() => None,
        _ => (read != written).then(|| format!("`{read}` became `{written}`")),
    }
}

/// The fields that a struct asks its source for.
fn fields_of<T: for<'de> Deserialize<'de>>() -> Option<BTreeSet<&'static str>> {
    struct Ask<'a>(&'a Cell<Option<&'static [&'static str]>>);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = de::value::Error;

        fn deserialize_struct<V: de::Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.0.set(Some(fields));
            self.deserialize_any(visitor)
        }

        fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("there is no data"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let asked = Cell::new(None);
    assert!(T::deserialize(Ask(&asked)).is_err());
    asked.get().map(|fields| fields.iter().copied().collect())
}

#[test]
fn a_tree_has_the_fields_of_a_log_and_its_children() {
    let tree: BTreeSet<&str> = schema("TraceLogTreeSchema")["properties"]
        .as_object()
        .expect("properties")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(tree, TraceLog::field_names().iter().copied().chain(["children_logs"]).collect());
}

#[test]
fn words_are_the_wires() {
    fn words<T: for<'de> Deserialize<'de>>(schema_name: &str, word: fn(&T) -> &'static str) {
        for expected in schema(schema_name)["enum"].as_array().expect("words") {
            let value: T = serde_json::from_value(expected.clone()).expect("a word of the schema");
            assert_eq!(word(&value), expected);
        }
    }
    words::<FilterOperator>("FilterOperator", |operator| operator.as_str());
    words::<TimeRange>("TimeRange", |range| range.as_str());
    words::<ExperimentStatus>("ExperimentStatus", |status| status.as_str());
    for status in [Status::Success, Status::Error] {
        assert_eq!(serde_json::json!(status), status.as_str());
    }
    assert!(serde_json::from_str::<FilterOperator>("\"contains\"").is_err());
    assert!(serde_json::from_str::<TimeRange>("\"2h\"").is_err());
}
