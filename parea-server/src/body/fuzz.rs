//! Whatever comes, the parsers answer: no panic, and the same answer for the same bytes. A short run with every `cargo
//! test`; `cargo xtask fuzz` sets `PAREA_FUZZ_CASES` for a long one.

use parea_store::query::Filter;
use parea_types::{FilterBase, FilterOperator, QueryParamsPagination, TraceLog, UpdateLog};
use proptest::prelude::*;

use super::{Element, elements, parse};
use crate::{body::Checked, langchain::Run};

fn cases() -> u32 {
    std::env::var("PAREA_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512)
}

/// Bodies near to good ones, from which a few bytes are taken, changed or doubled.
const CORPUS: &[&str] = &[
    r#"{"trace_id":"a","start_timestamp":"2024-05-30 13:48:34","project_name":"p","scores":[{"name":"s","score":0.5}]}"#,
    r#"{"trace_id":"a","start_timestamp":"2024-05-30T13:48:34.5Z","project_uuid":"u","inputs":{"a":[1,-2.5e3,"\ud83d\u00e9"]},
        "configuration":{"messages":[{"role":"user","content":[{"text":"x"}]}]},"metadata":{"k":"v"},"tags":["t"]}"#,
    r#"[{"trace_id":"a"},{"trace_id":"b","output":"]},{"},{}]"#,
    "{\"trace_id\":\"a\"}\r\n{\"trace_id\":\"b\"}\n\n",
    r#"{"trace_id":"a","field_name_to_value_map":{"output":"x","scores":[],"metadata":{}},"merge":true}"#,
    r#"{"project_name":"p","filter_field":"score:s","filter_operator":"between","filter_value":"[0.1, 1]","page":1}"#,
    r#"{"id":"r","start_time":"2024-05-30T13:48:34","project_uuid":"u","child_runs":[{"id":"c","start_time":"2024-05-30"}]}"#,
];

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    let near = (prop::sample::select(CORPUS), prop::collection::vec(change, 0..6)).prop_map(|(body, changes)| {
        let mut body = body.as_bytes().to_vec();
        for (place, kind, byte) in changes {
            let at = place.index(body.len().max(1));
            match kind {
                _ if body.is_empty() => body.push(byte),
                0 => drop(body.remove(at)),
                1 => body[at] = byte,
                2 => body.insert(at, *b"{}[]\",:\\0".get(usize::from(byte) % 9).unwrap_or(&b'{')),
                _ => {
                    let rest = body[at..].to_vec();
                    body.extend(rest);
                }
            }
        }
        body
    });
    prop_oneof![4 => near, 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

/// What a type makes of a body, in a form that can be compared.
fn read<T: Checked>(body: &[u8]) -> Result<(), String> {
    parse::<T>(body, &["body".into()], 127).map(drop).map_err(|faults| {
        assert!(!faults.is_empty(), "a refusal says why");
        assert!(faults.iter().all(|fault| !fault.msg.is_empty() && !fault.loc.is_empty()));
        format!("{faults:?}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_breaks_a_parser(body in bodies()) {
        for read in [read::<TraceLog>, read::<UpdateLog>, read::<QueryParamsPagination>, read::<Run>] {
            prop_assert_eq!(read(&body), read(&body));
        }
        // Elements lie in the body one behind the other.
        let mut end = 0;
        for element in elements(&body).unwrap_or_default() {
            if let Element::Whole(piece) = element {
                let start = piece.as_ptr() as usize - body.as_ptr() as usize;
                prop_assert!(start >= end && start + piece.len() <= body.len());
                end = start + piece.len();
            }
        }
    }

    #[test]
    fn no_filter_breaks_its_parser(
        field in prop_oneof!["score:.{0,8}", "annotation:[a-z]{0,12}:.{0,4}", "\\PC{0,12}",
            prop::sample::select(vec!["trace_name", "latency", "start_timestamp", "tags", "metadata", "inputs", "depth", ""])
                .prop_map(str::to_owned)],
        key in prop::option::of("\\PC{0,6}"),
        operator in prop::option::of(prop::sample::select(vec![
            FilterOperator::Equals, FilterOperator::NotEquals, FilterOperator::Like, FilterOperator::GreaterThanOrEqual,
            FilterOperator::LessThanOrEqual, FilterOperator::GreaterThan, FilterOperator::LessThan, FilterOperator::IsNull,
            FilterOperator::Exists, FilterOperator::In, FilterOperator::Between,
        ])),
        value in prop::option::of(prop_oneof!["\\PC{0,16}", "\\[[0-9,\" .eE-]{0,12}\\]", "[0-9.,:eE TZ-]{0,24}"]),
    ) {
        let form = FilterBase {
            filter_field: Some(field),
            filter_key: key,
            filter_operator: operator,
            filter_value: value,
        };
        match Filter::from_parea(&form) {
            // One that was taken can be asked of any log.
            Ok(filter) => drop(filter.matches(&TraceLog::default())),
            Err(faults) => prop_assert!(faults.iter().all(|fault| !fault.msg.is_empty())),
        }
    }
}
