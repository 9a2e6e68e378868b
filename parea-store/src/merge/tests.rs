//! The rules one by one, and the laws that hold for any patches.

use parea_types::{TraceLog, UpdateLog};
use proptest::{collection::vec, prelude::*, sample::select, strategy::Union};
use serde_json::{Map, Value, json};

use super::{Cells, Form, Update, normalise};

/// A patch with its stamp's parts.
#[derive(Clone, Debug)]
struct Said {
    is_put: bool,
    merge: bool,
    fields: Value,
    updated: Option<i64>,
}

impl Said {
    fn cells(&self, arrival: u64) -> Cells {
        let mut fields = self.fields.as_object().unwrap().clone();
        if let Some(updated) = self.updated {
            let time = parea_types::Timestamp::from_micros(updated).unwrap();
            fields.insert("last_updated_at".to_owned(), json!(time));
        }
        if self.is_put {
            let update = UpdateLog { field_name_to_value_map: fields, merge: self.merge, ..UpdateLog::default() };
            return Update::check(update).unwrap().cells(arrival);
        }
        fields.insert("trace_id".to_owned(), json!("a"));
        fields.insert("start_timestamp".to_owned(), json!("2024-05-30 13:48:34"));
        let mut log: TraceLog = serde_json::from_value(Value::Object(fields)).unwrap();
        normalise(&mut log);
        let Value::Object(fields) = serde_json::to_value(log).unwrap() else { unreachable!("a struct") };
        Cells::of_post(fields, self.updated, arrival)
    }
}

/// What is kept of a log after these patches, each with its arrival, and that it comes back from there.
fn kept<'a>(said: impl IntoIterator<Item = (u64, &'a Said)>) -> (Map<String, Value>, Form) {
    let mut kept: Option<(Map<String, Value>, Form)> = None;
    for (arrival, said) in said {
        let cells = match kept {
            None => said.cells(arrival),
            Some((fields, form)) => {
                let mut cells = form.cells(fields);
                cells.join(said.cells(arrival));
                cells
            }
        };
        let form = serde_json::from_str(&serde_json::to_string(&Form::of(&cells)).unwrap()).unwrap();
        kept = Some((cells.fields(), form));
    }
    kept.unwrap()
}

fn post(fields: Value) -> Said {
    Said { is_put: false, merge: false, fields, updated: None }
}

fn put(fields: Value) -> Said {
    Said { is_put: true, ..post(fields) }
}

fn merging(fields: Value) -> Said {
    Said { merge: true, ..put(fields) }
}

fn newer(said: Said, updated: i64) -> Said {
    Said { updated: Some(updated), ..said }
}

/// What a field reads as after these patches in order of arrival.
fn read(field: &str, said: &[Said]) -> Value {
    let (mut fields, _) = kept((1..).zip(said));
    fields.remove(field).unwrap_or_default()
}

#[test]
fn the_later_wins_among_equals() {
    assert_eq!(read("output", &[post(json!({"output": "1"})), post(json!({"output": "2"}))]), json!("2"));
    assert_eq!(
        read("output", &[newer(post(json!({"output": "1"})), 9), newer(post(json!({"output": "2"})), 3)]),
        json!("1"),
    );
    assert_eq!(read("output", &[newer(post(json!({"output": "1"})), 1), post(json!({"output": "2"}))]), json!("1"));
}

#[test]
fn a_default_never_replaces_a_value() {
    let value = json!({"cost": 0.5, "cache_hit": true, "output": "o", "input_tokens": 3, "metadata": {"k": "v"}});
    let nothing = json!({"cost": 0.0, "cache_hit": false, "output": null, "input_tokens": 0, "metadata": {}});
    for field in ["cost", "cache_hit", "output", "input_tokens", "metadata"] {
        assert_eq!(read(field, &[post(value.clone()), newer(post(nothing.clone()), 9)]), value[field]);
    }
    assert_eq!(read("cost", &[post(nothing)]), json!(0.0), "where nothing else was said it stays");
}

#[test]
fn an_update_outranks_what_is_sent_and_null_clears() {
    let sent = newer(post(json!({"output": "sent", "metadata": {"a": 1}})), 9);
    assert_eq!(read("output", &[put(json!({"output": "put"})), sent.clone()]), json!("put"));
    for clear in [put(json!({"output": null, "metadata": null})), merging(json!({"output": null, "metadata": null}))] {
        for order in [[clear.clone(), sent.clone()], [sent.clone(), clear]] {
            assert_eq!(read("output", &order), Value::Null);
            assert_eq!(read("metadata", &order), Value::Null);
        }
    }
}

#[test]
fn scores_unite_by_name_and_metric() {
    let score = |name: &str, score: f64| json!({"name": name, "score": score});
    let sent =
        [post(json!({"scores": [score("a", 1.0), score("b", 1.0)]})), post(json!({"scores": [score("a", 2.0)]}))];
    assert_eq!(read("scores", &sent), json!([score("b", 1.0), score("a", 2.0)]));
    let replaced = [put(json!({"scores": [score("c", 3.0)]})), sent[0].clone(), sent[1].clone()];
    assert_eq!(read("scores", &replaced), json!([score("c", 3.0)]), "older words stay hidden when they come late");
    let united = [merging(json!({"scores": [score("a", 3.0)]})), sent[0].clone()];
    assert_eq!(read("scores", &united), json!([score("b", 1.0), score("a", 3.0)]));
    let metric = json!({"name": "a", "score": 1.0, "evaluation_metric_id": 7});
    let both = [post(json!({"scores": [score("a", 2.0)]})), post(json!({"scores": [metric]}))];
    assert_eq!(read("scores", &both), json!([score("a", 2.0), metric]));
}

#[test]
fn a_merging_update_adds_to_groups() {
    let sent = post(json!({"metadata": {"a": "1", "b": "1"}, "tags": ["x"], "error": "first"}));
    let more = merging(json!({"metadata": {"b": "2", "c": "2"}, "tags": ["x", "y"], "error": "second"}));
    for order in [[sent.clone(), more.clone(), more.clone()], [more.clone(), sent.clone(), more]] {
        assert_eq!(read("metadata", &order), json!({"a": "1", "b": "2", "c": "2"}));
        assert_eq!(read("tags", &order), json!(["x", "y"]));
        assert_eq!(read("error", &order), json!(r#"["first","second"]"#));
    }
    let resent = post(json!({"metadata": {"d": "3"}}));
    assert_eq!(read("metadata", &[sent, resent]), json!({"d": "3"}), "a log that is sent anew replaces its maps");
}

#[test]
fn the_newest_comments_are_kept_in_whatever_order_they_come() {
    let said: Vec<(u64, Said)> = (0..1200)
        .map(|n| {
            let comment =
                json!({"id": n, "trace_id": "a", "comment": format!("c{n}"), "user_id": "u", "created_at": "x"});
            (n, merging(json!({"comments": [comment]})))
        })
        .collect();
    let joined = |order: &mut dyn Iterator<Item = &(u64, Said)>| {
        order.fold(Cells::default(), |mut cells, (arrival, said)| {
            cells.join(said.cells(*arrival));
            cells
        })
    };
    let (up, down) = (joined(&mut said.iter()), joined(&mut said.iter().rev()));
    assert_eq!(up, down);
    let ids: Vec<i64> =
        up.fields()["comments"].as_array().unwrap().iter().map(|comment| comment["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (200..1200).collect::<Vec<_>>());
}

#[test]
fn a_log_that_is_sent_once_needs_no_stamps() {
    let sent = post(json!({"cost": 0.0, "metadata": {}, "error": "e", "scores": [{"name": "n", "score": 1.0}]}));
    let (_, form) = kept([(7, &sent)]);
    assert_eq!(form, Form::of_post(None, 7));
}

fn values(field: &'static str, values: Vec<Value>) -> BoxedStrategy<(&'static str, Value)> {
    select(values).prop_map(move |value| (field, value)).boxed()
}

fn said() -> impl Strategy<Value = Said> {
    let score = |name: &str, value: i32| json!({"name": name, "score": value});
    let field = Union::new([
        values("output", vec![json!(null), json!(""), json!("1"), json!("2")]),
        values("status", vec![json!(null), json!("success"), json!("error")]),
        values("cost", vec![json!(null), json!(0.0), json!(0.25), json!(0.1)]),
        values("cache_hit", vec![json!(null), json!(false), json!(true)]),
        values("execution_order", vec![json!(0), json!(1), json!(2)]),
        values("error", vec![json!(null), json!(""), json!("e"), json!("f"), json!(r#"["e","f"]"#)]),
        values("metadata", vec![json!(null), json!({}), json!({"a": "1"}), json!({"a": "2", "b": "2"})]),
        values("tags", vec![json!(null), json!([]), json!(["x"]), json!(["y", "x", "y"])]),
        values("children", vec![json!(null), json!(["c"]), json!(["d", "c"]), json!(["e", "d"])]),
        values(
            "scores",
            vec![json!(null), json!([]), json!([score("a", 1)]), json!([score("b", 1), score("a", 2), score("b", 3)])],
        ),
        values("configuration", vec![json!({}), json!({"model": "m"}), json!({"model": "n", "provider": "p"})]),
    ]);
    let fields = vec(field, 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()));
    (any::<bool>(), any::<bool>(), fields, prop::option::of(1..4_i64))
        .prop_map(|(is_put, merge, fields, updated)| Said { is_put, merge, fields, updated })
}

/// Patches with their arrivals.
type History = Vec<(u64, Said)>;

/// A history, and the same in another order with some of them repeated.
fn shuffled() -> impl Strategy<Value = (History, History)> {
    vec(said(), 1..8).prop_flat_map(|said| {
        let said: Vec<_> = (1..).zip(said).collect();
        let repeats = vec(select(said.clone()), 0..4);
        (Just(said.clone()), repeats).prop_flat_map(|(said, repeats)| {
            let again: Vec<_> = said.iter().cloned().chain(repeats).collect();
            (Just(said), Just(again).prop_shuffle())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn order_and_repetition_do_not_matter((said, again) in shuffled()) {
        let once = kept(said.iter().map(|(arrival, said)| (*arrival, said)));
        let other = kept(again.iter().map(|(arrival, said)| (*arrival, said)));
        prop_assert_eq!(once, other);
    }

    #[test]
    fn grouping_does_not_matter(said in vec(said(), 2..8), middle in 1..7_usize) {
        let cells: Vec<Cells> = (1..).zip(&said).map(|(arrival, said)| said.cells(arrival)).collect();
        let all = |cells: &[Cells]| {
            cells.iter().cloned().reduce(|mut cells, other| { cells.join(other); cells }).unwrap()
        };
        let middle = middle.min(cells.len() - 1);
        let mut halves = all(&cells[..middle]);
        halves.join(all(&cells[middle..]));
        prop_assert_eq!(halves, all(&cells));
    }

    #[test]
    fn what_a_repetition_would_change_is_nothing(said in vec(said(), 1..6), third in said()) {
        let mut cells = Cells::default();
        for (arrival, said) in (1..).zip(&said) {
            cells.join(said.cells(arrival));
        }
        for (arrival, repeated) in (100..).zip(&said) {
            let mut again = cells.clone();
            again.join(repeated.cells(arrival));
            let is_last = arrival == 99 + said.len() as u64;
            prop_assert!(again.repeats(&cells) || !is_last, "what was said last is in force");
            if again.repeats(&cells) {
                let (mut without, mut with) = (cells.clone(), again);
                without.join(third.cells(200));
                with.join(third.cells(200));
                prop_assert_eq!(unordered(&without), unordered(&with));
            }
        }
    }
}

/// The fields with lists in an order of their own: a repetition may move an element.
fn unordered(cells: &Cells) -> Vec<(String, Vec<String>)> {
    let elements = |value: &Value| match value {
        Value::Array(list) => {
            let mut texts: Vec<_> = list.iter().map(Value::to_string).collect();
            texts.sort();
            texts
        }
        Value::String(text) => {
            let mut texts: Vec<_> = text.split(',').map(|text| text.trim_matches(['[', ']']).to_owned()).collect();
            texts.sort();
            texts
        }
        other => vec![other.to_string()],
    };
    cells.fields().iter().map(|(field, value)| (field.clone(), elements(value))).collect()
}
