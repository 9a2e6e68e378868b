//! Trees of any depth, and text that tries to mislead their reader.

use std::thread;

use parea_types::{PaginatedTraceLogs, TraceLog, TraceLogTree};
use proptest::{collection::vec, prelude::*};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::{document::schema, samples};

fn named(id: &str) -> TraceLog {
    TraceLog { trace_id: id.to_owned(), ..TraceLog::default() }
}

#[test]
fn a_chain_of_50000_on_a_small_stack() {
    const DEPTH: usize = 50_000;
    let on_small_stack = thread::Builder::new().stack_size(512 << 10).spawn(|| {
        let mut chain = TraceLogTree::from(named(&(DEPTH - 1).to_string()));
        for id in (0..DEPTH - 1).rev() {
            let siblings = vec![TraceLogTree::from(named("leaf")), chain, TraceLogTree::from(named("leaf"))];
            chain = TraceLogTree { log: named(&id.to_string()), children_logs: siblings };
        }
        let page = PaginatedTraceLogs { total: 1, page: 1, total_pages: 1, page_size: 20, results: vec![chain] };
        let json = serde_json::to_string(&page).unwrap();
        let read: PaginatedTraceLogs = serde_json::from_str(&json).unwrap();
        assert!(read == page);
        let copy = read.results[0].clone();
        drop(read);
        assert_eq!(copy.iter().count(), 3 * DEPTH - 2);
        let ids = copy.iter().map(|tree| &tree.log.trace_id).filter(|id| *id != "leaf");
        assert!(ids.eq((0..DEPTH).map(|id| id.to_string()).collect::<Vec<_>>().iter()));
        assert!(format!("{copy:?}").ends_with("]}"));
        // serde_json's own tree is limited; that is told, not crashed on.
        assert!(serde_json::to_value(&copy).unwrap_err().to_string().contains("recursion limit"));
        let (log, children) = copy.into_parts();
        assert_eq!((log.trace_id.as_str(), children.len()), ("0", 3));
    });
    on_small_stack.unwrap().join().unwrap();
}

#[test]
fn foreign_depth_is_refused_and_no_crash() {
    let on_small_stack = thread::Builder::new().stack_size(512 << 10).spawn(|| {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            let log = format!(r#"{{"trace_id":"t","start_timestamp":"2024-05-30 13:48:34","inputs":{{"x":{deep}}}}}"#);
            for error in [
                serde_json::from_str::<TraceLog>(&log).unwrap_err(),
                serde_json::from_str::<TraceLogTree>(&log).unwrap_err(),
            ] {
                assert!(error.to_string().contains("recursion limit"), "{error}");
            }
            assert!(serde_json::from_str::<TraceLogTree>(&deep).is_err());
            // What nobody reads may be as deep as it likes.
            let ignored = log.replace("inputs", "unknown");
            assert_eq!(serde_json::from_str::<TraceLog>(&ignored).unwrap().trace_id, "t");
            assert_eq!(serde_json::from_str::<TraceLogTree>(&ignored).unwrap().log.trace_id, "t");
        }
    });
    on_small_stack.unwrap().join().unwrap();
}

#[test]
fn one_odd_status_does_not_make_all_unreadable() {
    let log = |id: &str, status: &str, children: &str| {
        format!(
            r#"{{"trace_id":"{id}","start_timestamp":"2024-05-30 13:48:34","status":{status},"output":"o","children_logs":[{children}]}}"#
        )
    };
    let tree: TraceLogTree =
        serde_json::from_str(&log("a", r#""success""#, &log("b", r#""timed_out""#, &log("c", r#""error""#, ""))))
            .unwrap();
    let read: Vec<_> = tree.iter().map(|tree| (tree.log.status, tree.log.output.as_deref())).collect();
    assert_eq!(
        read,
        [
            (Some(parea_types::Status::Success), Some("o")),
            (None, Some("o")),
            (Some(parea_types::Status::Error), Some("o"))
        ]
    );
    for wrong in ["7", "[]"] {
        assert!(serde_json::from_str::<TraceLogTree>(&log("a", wrong, "")).is_err(), "{wrong}");
    }
    assert!(serde_json::from_str::<TraceLogTree>(&log("a", r#""odd""#, "").replace("2024", "x")).is_err());
}

/// The plain, recursive reading: a log and, beside it, its children.
fn expected(value: &Value) -> Option<TraceLogTree> {
    let mut members = value.as_object()?.clone();
    let children = match members.remove("children_logs") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(children)) => children.iter().map(expected).collect::<Option<_>>()?,
        Some(_) => return None,
    };
    Some(TraceLogTree { log: serde_json::from_value(Value::Object(members)).ok()?, children_logs: children })
}

/// Whether this is JSON by its grammar, which sets no limit to a number.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Trees with all kinds of things for children.
fn nearly_a_tree() -> impl Strategy<Value = Value> {
    let log = |children: Option<Value>, junk: Value| {
        let mut log = Map::new();
        log.insert("a".to_owned(), junk);
        log.extend(children.map(|children| ("children_logs".to_owned(), children)));
        log.insert("start_timestamp".to_owned(), json!("2024-05-30 13:48:34"));
        log.insert("trace_id".to_owned(), json!("t"));
        Value::Object(log)
    };
    let leaf = prop_oneof![8 => samples::json().prop_map(move |junk| log(None, junk)), 1 => samples::json()];
    leaf.prop_recursive(5, 24, 3, move |inner| {
        let children = prop_oneof![9 => vec(inner, 0..3).prop_map(Value::from), 1 => samples::json()];
        (children, samples::json()).prop_map(move |(children, junk)| log(Some(children), junk))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_read_as_recursion_would(value in nearly_a_tree(), pretty in any::<bool>(), escaped in any::<bool>()) {
        let mut json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        if escaped {
            json = json.replace(r#""children_logs":"#, r#""child\u0072en_logs":"#);
        }
        prop_assert_eq!(serde_json::from_str::<TraceLogTree>(&json).ok(), expected(&value), "{}", json);
    }

    #[test]
    fn it_is_written_as_recursion_would(sample in samples::of(schema("TraceLogTreeSchema"))) {
        fn written(tree: &TraceLogTree) -> Value {
            let mut value = serde_json::to_value(&tree.log).unwrap();
            value["children_logs"] = tree.children_logs.iter().map(written).collect();
            value
        }
        let tree: TraceLogTree = serde_json::from_value(sample.noisy).unwrap();
        let mut json = Vec::new();
        tree.write_json(&mut json).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), written(&tree));
        prop_assert_eq!(&serde_json::to_vec(&tree).unwrap(), &json);
        let (mut pieces, mut count, mut rest) = (Vec::new(), 0, Vec::new());
        let taken = tree.write_json_by_pieces(&mut rest, |piece| {
            count += 1;
            pieces.append(piece);
            Ok::<_, serde_json::Error>(())
        });
        taken.unwrap();
        pieces.append(&mut rest);
        prop_assert_eq!((&pieces, count), (&json, tree.iter().count()));
        prop_assert_eq!(&tree.clone(), &tree);
        let mut other = tree.clone();
        other.children_logs.push(TraceLogTree::default());
        prop_assert_ne!(&other, &tree);
    }

    #[test]
    fn cut_and_damaged_text_is_an_error(value in nearly_a_tree(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = serde_json::to_vec(&value).unwrap();
        let place = cut.index(json.len());
        prop_assert!(serde_json::from_slice::<TraceLogTree>(&json[..place]).is_err());
        json[place] = byte;
        // Whatever it now says, it is read or refused.
        if let Ok(read) = serde_json::from_slice::<TraceLogTree>(&json) {
            prop_assert!(is_json(&json), "{}", String::from_utf8_lossy(&json));
            // No value holds a number that is out of range, which is passed over in a member that nobody reads.
            if let Ok(value) = serde_json::from_slice::<Value>(&json) {
                prop_assert_eq!(Some(read), expected(&value));
            }
        }
    }
}

#[test]
fn a_number_out_of_range_is_refused_only_where_it_is_read() {
    let log = r#"{"trace_id":"t","start_timestamp":"2024-05-30 13:48:34","unknown":1e999}"#;
    let tree = format!(r#"{{"children_logs":[{log}],{}"#, &log[1..]);
    let read = serde_json::from_str::<TraceLogTree>(&tree).unwrap();
    let child = serde_json::from_str::<TraceLog>(log).unwrap();
    assert_eq!(read, TraceLogTree { log: child.clone(), children_logs: vec![TraceLogTree::from(child)] });
    for tree in [tree.replacen("unknown", "latency", 1), tree.replace("unknown", "latency")] {
        let error = serde_json::from_str::<TraceLogTree>(&tree).unwrap_err();
        assert!(error.to_string().contains("number out of range"), "{error}");
    }
}

#[test]
fn children_may_be_given_once() {
    let log = r#"{"trace_id":"t","children_logs":[],"start_timestamp":"2024-05-30 13:48:34","children_logs":null}"#;
    let error = serde_json::from_str::<TraceLogTree>(log).unwrap_err().to_string();
    assert!(error.contains("duplicate field `children_logs`"), "{error}");
}
