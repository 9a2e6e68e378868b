//! Values made from a schema, each spelled twice.

use parea_types::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select, strategy::Union};
use serde_json::{Map, Value, json};

use crate::document::resolve;

/// Below this, lists of further trees are empty.
const DEEPEST: u32 = 3;

/// One value in two spellings that mean the same.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Nothing but what is set.
    pub(crate) plain: Value,
    /// Nulls for some of what is not set, and members that no schema knows.
    pub(crate) noisy: Value,
}

impl From<Value> for Sample {
    fn from(value: Value) -> Self {
        Self { plain: value.clone(), noisy: value }
    }
}

/// Values of a schema.
pub(crate) fn of(schema: &'static Value) -> BoxedStrategy<Sample> {
    by_name("", schema, 0)
}

/// Any JSON.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        number().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Any instant between the years 1 and 9999.
pub(crate) fn instant() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_000_000..253_402_300_800_000_000_i64)
        .prop_map(|micros| Timestamp::from_micros(micros).expect("within chrono's years"))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zA-Z0-9_ -]{0,8}", 1 => any::<String>(), 1 => Just("]}\\\",{[\"children_logs\":".to_owned())]
}

fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has finite numbers only", |number| number.is_finite())
}

/// Some properties mean more than their schema says.
fn by_name(name: &str, schema: &'static Value, depth: u32) -> BoxedStrategy<Sample> {
    let is_text = any_of(schema).iter().all(|schema| matches!(schema["type"].as_str(), Some("string" | "null")))
        && any_of(schema).iter().all(|schema| schema.get("enum").is_none());
    match name {
        _ if is_text && (name.ends_with("_timestamp") || name.ends_with("_at")) => {
            instant().prop_map(|time| json!(time).into()).boxed()
        }
        "status" if is_text => select(vec!["success", "error"]).prop_map(|status| json!(status).into()).boxed(),
        "children_logs" if depth >= DEEPEST => Just(json!([]).into()).boxed(),
        // Keyed by number.
        "test_cases" if schema["type"] == "object" => {
            vec((any::<i64>(), of_type(&schema["additionalProperties"], depth + 1)), 0..3)
                .prop_map(|rows| object(rows.into_iter().map(|(id, row)| (id.to_string(), row))))
                .boxed()
        }
        _ => of_type(schema, depth),
    }
}

/// The alternatives of a schema, without null: nothing set is spelled by the object around it.
fn any_of(schema: &'static Value) -> Vec<&'static Value> {
    match schema.get("anyOf") {
        None => vec![resolve(schema)],
        Some(any) => {
            let all = any.as_array().expect("alternatives").iter();
            all.filter(|schema| schema["type"] != "null").map(resolve).collect()
        }
    }
}

fn of_type(schema: &'static Value, depth: u32) -> BoxedStrategy<Sample> {
    let alternatives = any_of(schema).into_iter().map(|schema| one(schema, depth));
    Union::new(alternatives).boxed()
}

fn one(schema: &'static Value, depth: u32) -> BoxedStrategy<Sample> {
    if let Some(words) = schema.get("enum") {
        return select(words.as_array().expect("words").clone()).prop_map(Sample::from).boxed();
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    match schema["type"].as_str() {
        Some("boolean") => any::<bool>().prop_map(|truth| json!(truth).into()).boxed(),
        Some("string") => text().prop_map(|text| json!(text).into()).boxed(),
        Some("integer") => {
            let low = bound("exclusiveMinimum").map_or_else(|| bound("minimum").unwrap_or(-9e15), |low| low + 1.0);
            let high = bound("maximum").unwrap_or(9e15);
            (low as i64..=high as i64).prop_map(|number| json!(number).into()).boxed()
        }
        Some("number") => match (bound("minimum"), bound("maximum")) {
            (Some(low), Some(high)) => (low..=high).prop_map(|number| json!(number).into()).boxed(),
            _ => number().prop_map(|number| json!(number).into()).boxed(),
        },
        Some("array") => vec(of_type(&schema["items"], depth + 1), 0..3)
            .prop_map(|elements| {
                let (plain, noisy): (Vec<_>, Vec<_>) =
                    elements.into_iter().map(|element| (element.plain, element.noisy)).unzip();
                Sample { plain: plain.into(), noisy: noisy.into() }
            })
            .boxed(),
        Some("object") if schema.get("properties").is_some() => with_properties(schema, depth),
        Some("object") => match schema.get("additionalProperties") {
            Some(values) => vec((text(), of_type(values, depth + 1)), 0..3).prop_map(object).boxed(),
            None => vec((text(), json()), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()).into())
                .boxed(),
        },
        None => json().prop_map(Sample::from).boxed(),
        Some(other) => panic!("a type that no strategy is for: {other}"),
    }
}

fn object(members: impl IntoIterator<Item = (String, Sample)>) -> Sample {
    let (mut plain, mut noisy) = (Map::new(), Map::new());
    for (name, value) in members {
        plain.insert(name.clone(), value.plain);
        noisy.insert(name, value.noisy);
    }
    Sample { plain: plain.into(), noisy: noisy.into() }
}

fn with_properties(schema: &'static Value, depth: u32) -> BoxedStrategy<Sample> {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut members = Vec::new();
    for (name, property) in schema["properties"].as_object().expect("properties") {
        let value = by_name(name, property, depth + 1);
        let value = if required.iter().any(|required| required == name) {
            value.prop_map(Some).boxed()
        } else {
            option::of(value).boxed()
        };
        members.push((Just(name.clone()), value, any::<bool>()).boxed());
    }
    (members, option::of(("unknown_[a-z]{1,4}|traceName|children_log", json())))
        .prop_map(|(members, unknown)| {
            let (mut plain, mut noisy) = (Map::new(), Map::new());
            noisy.extend(unknown);
            for (name, value, null) in members {
                match value {
                    Some(value) => {
                        plain.insert(name.clone(), value.plain);
                        noisy.insert(name, value.noisy);
                    }
                    None if null => {
                        noisy.insert(name, Value::Null);
                    }
                    None => {}
                }
            }
            Sample { plain: plain.into(), noisy: noisy.into() }
        })
        .boxed()
}
