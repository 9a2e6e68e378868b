//! Which updates of single fields are refused, and in which words.

use parea_types::{TraceLog, UpdateLog};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    document::schema,
    samples::{self, Sample},
};

fn update(fields: &Value) -> UpdateLog {
    let fields = fields.as_object().expect("fields").clone();
    UpdateLog { trace_id: "t".to_owned(), field_name_to_value_map: fields, ..UpdateLog::default() }
}

#[test]
fn wrong_fields_are_named_with_what_is_wrong() {
    for (field, value, kind, msg) in [
        ("trace_id", json!("u"), "frozen_field", "`trace_id` says which log it is and cannot be changed"),
        ("root_trace_id", json!(null), "frozen_field", "`root_trace_id` says which log it is and cannot be changed"),
        ("project_name", json!("q"), "frozen_field", "`project_name` says which log it is and cannot be changed"),
        ("organization_id", json!("o"), "frozen_field", "`organization_id` says which log it is and cannot be changed"),
        ("parent_trace_id", json!("p"), "frozen_field", "`parent_trace_id` says which log it is and cannot be changed"),
        ("statsu", json!("error"), "extra_forbidden", "A log has no field `statsu`; did you mean `status`?"),
        ("traceName", json!("n"), "extra_forbidden", "A log has no field `traceName`; did you mean `trace_name`?"),
        (
            "children_logs",
            json!([]),
            "extra_forbidden",
            "A log has no field `children_logs`; did you mean `children_ids`?",
        ),
        ("colour", json!("red"), "extra_forbidden", "A log has no field `colour`"),
        ("output", json!(3), "string_type", "Input should be a valid string, not integer `3`"),
        ("cost", json!("much"), "float_type", "Input should be a valid number, not string \"much\""),
        ("cache_hit", json!("yes"), "bool_type", "Input should be a valid boolean, not string \"yes\""),
        ("depth", json!(1.5), "int_type", "Input should be a valid integer, not floating point `1.5`"),
        ("tags", json!({"a": 1}), "list_type", "Input should be a valid list, not map"),
        ("metadata", json!([1]), "dict_type", "Input should be a valid dictionary, not sequence"),
        ("status", json!("done"), "enum", "Input should be 'success' or 'error'"),
        ("scores", json!([{"score": 1}]), "missing", "Field required"),
        ("start_timestamp", json!(null), "string_type", "Input should be a time as a string, not null"),
        ("log_sample_rate", json!(1.5), "less_than_equal", "Input should be between 0 and 1"),
    ] {
        let faults = update(&json!({"target": "fine", field: value})).check();
        let [fault] = faults.as_slice() else { panic!("{field}: {faults:?}") };
        assert_eq!(json!(fault.loc), json!(["body", "field_name_to_value_map", field]));
        assert_eq!((fault.kind.as_str(), fault.msg.as_str()), (kind, msg), "{field}");
    }
    let time = update(&json!({"end_timestamp": "soon"})).check();
    assert_eq!(time[0].kind, "datetime_parsing");
    // All of them, not only the first.
    assert_eq!(update(&json!({"statsu": 1, "output": 1, "trace_id": "u", "tags": ["a"]})).check().len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a log may hold, an update may set, and null clears all of it but the start.
    #[test]
    fn a_valid_value_is_no_fault(Sample { plain, noisy } in samples::of(schema("TraceLogSchema"))) {
        let changeable = |log: &Value| -> Map<String, Value> {
            let fields = log.as_object().expect("a log").iter();
            fields.filter(|(name, _)| TraceLog::field_names().contains(&name.as_str()))
                .filter(|(name, _)| !TraceLog::is_identity_field(name))
                .map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        for log in [&plain, &noisy] {
            prop_assert_eq!(update(&changeable(log).into()).check(), []);
        }
        let cleared = changeable(&plain).into_iter().filter(|(name, _)| name != "start_timestamp");
        let cleared: Map<String, Value> = cleared.map(|(name, _)| (name, Value::Null)).collect();
        prop_assert_eq!(update(&cleared.into()).check(), []);
    }

    /// An update is refused exactly when a log with that value would be.
    #[test]
    fn any_other_value_is_judged_as_in_a_log(field in prop::sample::select(TraceLog::field_names()), value in samples::json()) {
        let mut log = json!({"trace_id": "t", "start_timestamp": "2024-05-30 13:48:34"});
        log[field] = value.clone();
        let readable = serde_json::from_value::<TraceLog>(log).is_ok();
        let in_range = field != "log_sample_rate" || value.as_f64().is_none_or(|rate| (0.0..=1.0).contains(&rate));
        let free = !TraceLog::is_identity_field(field);
        prop_assert_eq!(update(&json!({field: value})).check().is_empty(), readable && in_range && free);
    }
}
