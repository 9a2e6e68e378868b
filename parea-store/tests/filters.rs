//! Filters find what a plain reading of their rules finds, whatever the logs hold.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use parea_store::{After, Count, LogFilter, Logs, Patch, Scope, SqliteStore, query::Filter};
use parea_types::{FilterBase, FilterOperator, Timestamp, TraceLog};
use proptest::{collection::vec, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "llm-openai",
    "LLM",
    "%",
    "_",
    "a%b",
    "it's",
    "\"quoted\"",
    "back\\slash",
    "'; DROP TABLE log; --",
    "ü",
    "Ü",
    "日本",
    "5",
    "5.0",
    " 5",
    "-1",
    "1e1",
    "true",
    "a,b",
    "[\"a\"]",
    "{\"a\":1}",
    "inf",
    "NaN",
    "-Infinity",
    "1e308",
    "1e999",
    "9007199254740993",
    "-9223372036854775808",
    "\u{661}",
    "\u{130}",
    "9999-12-31T23:59:59Z",
    "2024-05-30T13:48:34-00:30",
    "\u{0}x",
    "success",
    "error",
    "00000001-0000-4000-8000-00000000000f",
    "t2",
    "2024-05-30 13:48:34",
    "2024-05-30T15:48:34+02:00",
    "2024-05-30",
];
const NUMBERS: &[f64] = &[-1e308, -1.0, -0.0, 0.0, 0.5, 1.0, 5.0, 10.0, 9_007_199_254_740_992.0];
const TIMES: &[&str] = &[
    "2024-05-30 13:48:34",
    "2024-05-30T15:48:34.000+02:00",
    "2024-05-30T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "1969-12-31T23:59:59.999999-11:00",
];
const NAMES: &[&str] = &["acc", "is_correct", "it's"];
const KEYS: &[&str] = &["a", "k", "%", "it's", "1"];
const NUMERIC: &[&str] = &[
    "latency",
    "depth",
    "execution_order",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost",
    "time_to_first_token",
    "apply_eval_frac",
    "log_sample_rate",
    "feedback_score",
];
const TEMPORAL: &[&str] = &["start_timestamp", "end_timestamp", "last_updated_at"];
const LISTS: &[&str] = &[
    "children",
    "children_ids",
    "scores",
    "evaluation_metric_names",
    "evaluation_metric_ids",
    "tags",
    "images",
    "comments",
];
const MAPS: &[&str] = &["inputs", "configuration", "metadata", "annotations"];
const FLAGS: &[&str] = &["fill_children", "cache_hit"];
const PLAIN: &[&str] = &[
    "trace_id",
    "root_trace_id",
    "parent_trace_id",
    "trace_name",
    "output",
    "target",
    "status",
    "error",
    "deployment_id",
    "output_for_eval_metrics",
    "end_user_identifier",
    "session_id",
    "experiment_uuid",
    "project_name",
    "project_uuid",
    "organization_id",
];
const OPERATORS: &[FilterOperator] = &[
    FilterOperator::Equals,
    FilterOperator::NotEquals,
    FilterOperator::Like,
    FilterOperator::GreaterThanOrEqual,
    FilterOperator::LessThanOrEqual,
    FilterOperator::GreaterThan,
    FilterOperator::LessThan,
    FilterOperator::IsNull,
    FilterOperator::Exists,
    FilterOperator::In,
    FilterOperator::Between,
];

/// The rules, read off a log's JSON without regard to how anything is stored; `None` for a form without sense.
struct Rules<'a> {
    field: &'a str,
    key: Option<&'a str>,
    operator: FilterOperator,
    value: &'a str,
}

impl Rules<'_> {
    fn is_key(&self) -> bool {
        self.key.is_some() && MAPS.contains(&self.field)
    }

    /// What the field holds, and whether that is a number by its type.
    fn values(&self, log: &Value) -> (Vec<Value>, bool) {
        let whole = || log.get(self.field).cloned().into_iter().collect();
        if let Some(annotation) = self.field.strip_prefix("annotation:") {
            let (kind, id) = annotation.split_once(':').unwrap();
            let member = if kind == "continuous" { "score" } else { "value" };
            let users = log["annotations"][id].as_object().cloned().unwrap_or_default();
            return (users.into_iter().filter_map(|(_, of)| of.get(member).cloned()).collect(), kind == "continuous");
        }
        if self.is_key() {
            return (log[self.field].get(self.key.unwrap()).cloned().into_iter().collect(), false);
        }
        if [PLAIN, NUMERIC, TEMPORAL, LISTS, MAPS, FLAGS].concat().contains(&self.field) {
            return (whole(), NUMERIC.contains(&self.field));
        }
        let name = self.field.strip_prefix("score:").unwrap_or(self.field);
        let scores = log["scores"].as_array().cloned().unwrap_or_default();
        (scores.into_iter().filter(|score| score["name"] == name).map(|score| score["score"].clone()).collect(), true)
    }

    fn holds(&self, log: &Value) -> Option<bool> {
        use FilterOperator as Op;
        let (values, is_number) = self.values(log);
        let is_time = TEMPORAL.contains(&self.field);
        let is_flag = FLAGS.contains(&self.field);
        let is_map = MAPS.contains(&self.field) && !self.is_key();
        let is_list = LISTS.contains(&self.field);
        let empty = |value: &Value| matches!(value, Value::Null) || [json!(""), json!([]), json!({})].contains(value);
        match self.operator {
            Op::IsNull => return Some(values.iter().all(empty)),
            Op::Exists if self.is_key() => return Some(!values.is_empty()),
            Op::Exists => return Some(!values.iter().all(empty)),
            _ => {}
        }
        let mut parts = Vec::new();
        for value in values {
            spread(value, &mut parts);
        }
        let known_by = match self.field {
            "scores" => Some("name"),
            "images" => Some("url"),
            "comments" => Some("comment"),
            _ => None,
        };
        if let Some(name) = known_by {
            parts = parts.into_iter().map(|record| record[name].clone()).collect();
        }
        let several = || match serde_json::from_str::<Vec<Value>>(self.value) {
            Ok(elements) => elements
                .into_iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect(),
            Err(_) => self.value.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>(),
        };
        let parse = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let instant = |text: &str| {
            let day = || format!("{}T00:00:00", text.trim()).parse::<Timestamp>().ok();
            text.parse::<Timestamp>().ok().or_else(day).map(Timestamp::micros)
        };
        let equal = |asked: &str| -> Option<bool> {
            if is_number {
                let number = parse(asked)?;
                return Some(parts.iter().any(|part| part.as_f64() == Some(number)));
            }
            if is_time {
                let time = instant(asked)?;
                let times = parts.iter().filter_map(Value::as_str);
                return Some(times.map(|part| part.parse::<Timestamp>().unwrap().micros()).any(|part| part == time));
            }
            if is_flag {
                let flag: bool = asked.trim().to_lowercase().parse().ok()?;
                return Some(parts.contains(&Value::Bool(flag)));
            }
            if is_map {
                let same = |part: &Value| {
                    serde_json::from_str::<Value>(asked).is_ok_and(|map| map.is_object() && map == *part)
                };
                return Some(parts.iter().any(same));
            }
            Some(parts.iter().any(|part| match part {
                Value::String(text) => text == asked,
                Value::Number(number) => number.as_f64() == parse(asked),
                Value::Null => false,
                other => serde_json::to_string(other).unwrap() == asked,
            }))
        };
        // `side` of each value and a bound; both as numbers, or both as instants.
        let order = |low: Option<&str>, high: Option<&str>, strict: bool| -> Option<bool> {
            if is_flag || is_map || is_list {
                return None;
            }
            let bounds: Vec<&str> = low.into_iter().chain(high).collect();
            let within = |part: f64, of: &dyn Fn(&str) -> Option<f64>| {
                let above =
                    low.is_none_or(|low| if strict { part > of(low).unwrap() } else { part >= of(low).unwrap() });
                let below =
                    high.is_none_or(|high| if strict { part < of(high).unwrap() } else { part <= of(high).unwrap() });
                above && below
            };
            if !is_time && bounds.iter().all(|bound| parse(bound).is_some()) {
                let part = |part: &Value| part.as_f64().or_else(|| part.as_str().and_then(parse));
                return Some(parts.iter().filter_map(part).any(|part| within(part, &parse)));
            }
            // Years this near are exact as floats of microseconds.
            let time = |text: &str| instant(text).map(|micros| micros as f64);
            let is_one = |bound: &&str| time(bound).is_some() && (is_time || parse(bound).is_none());
            if !is_number && bounds.iter().all(is_one) {
                let part = |part: &Value| Some(part.as_str()?.parse::<Timestamp>().ok()?.micros() as f64);
                return Some(parts.iter().filter_map(part).any(|part| within(part, &time)));
            }
            None
        };
        match self.operator {
            Op::Equals => equal(self.value),
            Op::NotEquals => equal(self.value).map(|equal| !equal),
            Op::In => {
                let answers: Option<Vec<bool>> = several().iter().map(|value| equal(value)).collect();
                Some(answers?.contains(&true))
            }
            Op::Like => {
                let part = self.value.to_lowercase();
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (!is_number && !is_time && !is_flag)
                    .then(|| parts.iter().any(|value| !value.is_null() && text(value).to_lowercase().contains(&part)))
            }
            Op::GreaterThan => order(Some(self.value), None, true),
            Op::GreaterThanOrEqual => order(Some(self.value), None, false),
            Op::LessThan => order(None, Some(self.value), true),
            Op::LessThanOrEqual => order(None, Some(self.value), false),
            Op::Between => match several().as_slice() {
                [low, high] => order(Some(low), Some(high), false),
                _ => None,
            },
            Op::IsNull | Op::Exists => unreachable!(),
        }
    }
}

/// Lists by their elements.
fn spread(value: Value, into: &mut Vec<Value>) {
    match value {
        Value::Array(elements) => elements.into_iter().for_each(|element| spread(element, into)),
        other => into.push(other),
    }
}

fn text() -> impl Strategy<Value = &'static str> {
    select(TEXTS)
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        2 => select(NUMBERS).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => vec(text(), 0..3).prop_map(Value::from),
        1 => Just(json!({ "a": 1 })),
    ]
}

fn map() -> impl Strategy<Value = Value> {
    vec((select(KEYS), leaf()), 0..3)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A field of a log with a value of its kind.
fn said() -> impl Strategy<Value = (&'static str, Value)> {
    let texts = &["trace_name", "output", "target", "error", "deployment_id", "end_user_identifier", "session_id"];
    let numbers = &["latency", "cost", "time_to_first_token", "feedback_score"];
    let counts = &["depth", "execution_order", "input_tokens", "output_tokens", "total_tokens"];
    let score = (select(NAMES), select(NUMBERS)).prop_map(|(name, score)| json!({ "name": name, "score": score }));
    let verdict = (select(NUMBERS), text()).prop_map(|(score, value)| {
        json!({ "1": { "u": {
            "trace_id": "t", "defined_annotation_id": 1, "score": score, "value": value, "created_at": "", "user_id": "u"
        } } })
    });
    prop_oneof![
        6 => (select(texts.as_slice()), text()).prop_map(|(name, text)| (name, text.into())),
        2 => (select(numbers.as_slice()), select(NUMBERS)).prop_map(|(name, number)| (name, number.into())),
        2 => (select(counts.as_slice()), 0..6_i64).prop_map(|(name, number)| (name, number.into())),
        1 => select(["success", "error"].as_slice()).prop_map(|status| ("status", status.into())),
        1 => select(TIMES).prop_map(|time| ("end_timestamp", time.into())),
        1 => any::<bool>().prop_map(|hit| ("cache_hit", hit.into())),
        3 => map().prop_map(|map| ("metadata", map)),
        1 => map().prop_map(|map| ("inputs", map)),
        1 => text().prop_map(|model| ("configuration", json!({ "model": model }))),
        2 => vec(text(), 0..3).prop_map(|tags| ("tags", tags.into())),
        1 => vec(text(), 0..3).prop_map(|names| ("evaluation_metric_names", names.into())),
        1 => vec(0..6, 0..3).prop_map(|ids| ("evaluation_metric_ids", ids.into())),
        3 => vec(score, 0..3).prop_map(|scores| ("scores", scores.into())),
        1 => verdict.prop_map(|annotations| ("annotations", annotations)),
        1 => text().prop_map(|url| ("images", json!([{ "url": url }]))),
    ]
}

/// Some are UUIDs, which the store keeps in another form than other texts.
fn name(id: u8) -> String {
    if id.is_multiple_of(2) { format!("t{id}") } else { format!("{id:08x}-0000-4000-8000-00000000000f") }
}

/// A log of one of a few ids: some come again, which merges them, and some below another.
fn log() -> impl Strategy<Value = TraceLog> {
    (0..8_u8, prop::option::weighted(0.3, 0..3_u8), select(TIMES), vec(said(), 0..8)).prop_map(
        |(id, parent, time, said)| {
            let id = name(id);
            let parent = parent.map_or_else(|| id.clone(), name);
            let mut log =
                json!({ "trace_id": id, "parent_trace_id": parent, "start_timestamp": time, "project_name": "p" });
            for (name, value) in said {
                log[name] = value;
            }
            serde_json::from_value(log).unwrap()
        },
    )
}

/// Scores and annotations, by each way of naming them.
const OWN: &[&str] = &["score:acc", "score:it's", "is_correct", "annotation:continuous:1", "annotation:categorical:1"];

/// What a field is compared with: one value, two, or a list.
fn asked() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        3 => text().prop_map(str::to_owned),
        2 => select(NUMBERS).prop_map(|number| number.to_string()),
        1 => select(TIMES).prop_map(str::to_owned),
    ];
    prop_oneof![
        3 => one.clone(),
        1 => (one.clone(), one.clone()).prop_map(|(low, high)| format!("{low},{high}")),
        1 => vec(one, 0..3).prop_map(|values| Value::from(values).to_string()),
    ]
}

fn form() -> impl Strategy<Value = FilterBase> {
    let fields = [PLAIN, NUMERIC, TEMPORAL, LISTS, FLAGS, OWN].concat();
    let often =
        ["trace_name", "end_user_identifier", "session_id", "tags", "is_correct", "score:acc", "start_timestamp"];
    let named = prop_oneof![
        2 => select(fields).prop_map(|field| (field, None)),
        2 => select(often.to_vec()).prop_map(|field| (field, None)),
        1 => select(MAPS).prop_map(|field| (field, None)),
        3 => (select(MAPS), select(KEYS)).prop_map(|(field, key)| (field, Some(key))),
        2 => select(KEYS).prop_map(|key| ("metadata", Some(key))),
    ];
    (named, select(OPERATORS), asked()).prop_map(|((field, key), operator, value)| of(field, key, operator, value))
}

fn of(field: &str, key: Option<&str>, operator: FilterOperator, value: String) -> FilterBase {
    FilterBase {
        filter_field: Some(field.to_owned()),
        filter_key: key.map(str::to_owned),
        filter_operator: Some(operator),
        filter_value: Some(value),
    }
}

/// How two forms are put together.
fn both(how: u8, first: &Filter, second: &Filter) -> (Filter, fn(bool, bool) -> bool) {
    let (a, b) = (first.clone(), second.clone());
    match how {
        0 => (Filter::And(vec![a, b]), |a, b| a && b),
        1 => (Filter::Or(vec![a, b]), |a, b| a || b),
        2 => (Filter::And(vec![a, Filter::Not(Box::new(b))]), |a, b| a && !b),
        _ => (Filter::Not(Box::new(Filter::Or(vec![Filter::Not(Box::new(a)), b]))), |a, b| a && !b),
    }
}

async fn found(store: &SqliteStore, scope: &Scope, filter: &Filter) -> BTreeSet<String> {
    let filter = LogFilter { filter: Some(filter.clone()), ..LogFilter::default() };
    let mut ids = Vec::new();
    let mut after = After::Start;
    loop {
        let page = store.page(scope, &filter, after, 3).await.unwrap();
        ids.extend(page.rows.iter().map(|row| row.log.trace_id.clone()));
        let Some(next) = page.next else { break };
        after = After::Cursor(next);
    }
    let count = store.count(scope, &filter, 1000).await.unwrap();
    assert_eq!(count, Count::Exact(ids.len() as u64), "{filter:?}");
    let unique: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len(), "{filter:?}");
    unique
}

async fn check(logs: Vec<TraceLog>, forms: Vec<FilterBase>, how: u8) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for batch in logs.chunks(3) {
        store.commit(batch.iter().map(|log| Patch::Post(Box::new(log.clone()))).collect()).await.unwrap();
    }
    let all = store.page(&Scope::default(), &LogFilter::default(), After::Start, 100).await.unwrap().rows;
    let mut read = Vec::new();
    for row in all {
        let id = row.log.trace_id.clone();
        // As it is read back, but with its own scores only.
        let own = store.trace(row.log.root_trace_id.as_deref().unwrap()).await.unwrap();
        let scores = own.into_iter().find(|log| log.trace_id == id).unwrap().scores;
        let log = TraceLog { scores, ..row.log.clone() };
        read.push((id, serde_json::to_value(&log).unwrap(), log));
    }
    let scopes = [Scope::default(), Scope { project: read[0].2.project_uuid.clone() }];
    let mut understood = Vec::new();
    for form in &forms {
        let rules = Rules {
            field: form.filter_field.as_deref().unwrap(),
            key: form.filter_key.as_deref(),
            operator: form.filter_operator.unwrap(),
            value: form.filter_value.as_deref().unwrap(),
        };
        let answers: Option<Vec<bool>> = read.iter().map(|(_, log, _)| rules.holds(log)).collect();
        let filter = Filter::from_parea(form);
        prop_assert_eq!(filter.is_ok(), answers.is_some(), "{:?}\n{:?}", form, filter);
        let (Ok(filter), Some(answers)) = (filter, answers) else { continue };
        let expected: BTreeSet<String> =
            read.iter().zip(&answers).filter(|(_, holds)| **holds).map(|((id, ..), _)| id.clone()).collect();
        for scope in &scopes {
            prop_assert_eq!(&found(&store, scope, &filter).await, &expected, "{:?}\n{:?}", form, filter);
        }
        for ((_, _, log), answer) in read.iter().zip(&answers) {
            prop_assert_eq!(filter.matches(log), *answer, "{:?}\n{:?}", form, log);
        }
        let roots: BTreeSet<String> = read
            .iter()
            .filter(|(id, _, log)| expected.contains(id) && log.root_trace_id.as_ref() == Some(id))
            .map(|(id, ..)| id.clone())
            .collect();
        let of_roots = LogFilter { filter: Some(filter.clone()), ..LogFilter::default() };
        let traces = store.traces(&scopes[1], &of_roots, After::Start, 100).await.unwrap().rows;
        prop_assert_eq!(
            traces.into_iter().map(|trace| trace.root_trace_id).collect::<BTreeSet<_>>(),
            roots,
            "{:?}",
            form
        );
        understood.push((filter, answers));
    }
    for pair in understood.windows(2) {
        let [(first, a), (second, b)] = pair else { unreachable!() };
        let (filter, join) = both(how, first, second);
        let answers = read.iter().zip(a.iter().zip(b)).filter(|(_, (a, b))| join(**a, **b));
        let expected: BTreeSet<String> = answers.map(|((id, ..), _)| id.clone()).collect();
        prop_assert_eq!(found(&store, &scopes[1], &filter).await, expected, "{:?}", filter);
    }
    Ok(())
}

/// No field is left to chance: each with each operator, over logs and values of chance.
#[test]
fn every_field_goes_with_every_operator() {
    let mut chance = TestRunner::deterministic();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fields = [PLAIN, NUMERIC, TEMPORAL, LISTS, FLAGS, OWN, MAPS].concat();
    let keys = MAPS.iter().flat_map(|map| ["a", "it's"].map(|key| (*map, Some(key))));
    for (field, key) in fields.into_iter().map(|field| (field, None)).chain(keys) {
        let logs = vec(log(), 13).new_tree(&mut chance).unwrap().current();
        let mut forms = Vec::new();
        for operator in OPERATORS {
            for _ in 0..2 {
                let value = asked().new_tree(&mut chance).unwrap().current();
                forms.push(of(field, key, *operator, value));
            }
        }
        runtime.block_on(check(logs, forms, 0)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_engine_finds_what_the_rules_say((logs, forms, how) in (vec(log(), 1..14), vec(form(), 24), 0..4_u8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(logs, forms, how))?;
    }
}
