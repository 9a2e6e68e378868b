//! The library of evaluations against values of other implementations.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use parea_eval::{
    Eval, Evaluate as _, Log, Score,
    evals::{
        answer_context_faithfulness_precision, answer_matches_target_recall, bleu, chrf, contains, cosine, dataset,
        exact, jaro_winkler, json_equal, levenshtein, mrr, ndcg_at, normalized, numeric, precision_at, ranking,
        recall_at, rouge_l, token_f1, tool_calls,
    },
};
use parea_runtime::types::EvaluationScore;
use proptest::prelude::*;

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

#[test]
fn levenshtein_is_that_of_pareas_python_sdk() {
    for (output, target, score) in [
        ("Hello Foo", "Hi Foo", 0.555_555_555_555_555_6),
        ("Hello Bar", "Hello Bar", 1.0),
        ("kitten", "sitting", 0.571_428_571_428_571_4),
        ("", "", 1.0),
        ("naïve café", "naive cafe", 0.8),
        ("日本語", "日本", 0.666_666_666_666_666_7),
    ] {
        near(levenshtein(output, target), score);
    }
}

#[test]
fn jaro_winkler_is_that_of_jellyfish() {
    for (output, target, score) in [
        ("MARTHA", "MARHTA", 0.961_111_111_111_111_1),
        ("DWAYNE", "DUANE", 0.84),
        ("DIXON", "DICKSONX", 0.813_333_333_333_333_2),
        ("abc", "xyz", 0.0),
        ("a", "a", 1.0),
    ] {
        near(jaro_winkler(output, target), score);
    }
}

/// Output, target, and what sacrebleu 2.6 (`sentence_bleu`, `sentence_chrf`) and rouge_score 0.1.2 (`rougeL`, not stemmed)
/// say; the last two know no ROUGE of letters beyond ASCII.
const OVERLAPS: [(&str, &str, f64, f64, f64); 8] = [
    ("the cat sat on the mat", "the cat is on the mat", 0.379_917_842_826, 0.833_333_333_333, 0.645_779_420_625),
    (
        "Hello, world! It's 3.5 degrees - and 1,000 people.",
        "Hello world, it is 3.5 degrees -- and 1,000 people.",
        0.279_015_939_359,
        0.909_090_909_091,
        0.706_656_707_138,
    ),
    ("a b c d e", "a b c d e", 1.0, 1.0, 1.0),
    ("completely different", "nothing shared here", 0.0, 0.0, 0.117_355_001_787),
    ("short", "a much longer reference text with short in it", 0.000_335_462_628, 0.2, 0.103_101_046_919),
    (
        "It is a guide to action which ensures that the military always obeys the commands of the party",
        "It is a guide to action that ensures that the military will forever heed Party commands",
        0.411_803_763_569,
        0.647_058_823_529,
        0.630_506_210_491,
    ),
    ("", "something", 0.0, 0.0, 0.0),
    ("ab", "abc", 0.0, 0.0, 0.636_363_636_364),
];

#[test]
fn overlaps_are_those_of_sacrebleu_and_rouge_score() {
    for (output, target, of_bleu, of_rouge, of_chrf) in OVERLAPS {
        for (name, ours, theirs) in [
            ("bleu", bleu(output, target), of_bleu),
            ("rouge", rouge_l(output, target), of_rouge),
            ("chrf", chrf(output, target), of_chrf),
        ] {
            assert!((ours - theirs).abs() < 1e-9, "{name} of {output:?} and {target:?}: {ours}, not {theirs}");
        }
    }
    // White space at the end is none of the text, so this hyphen parts no word.
    near((bleu("0-AB", "0-\n") * 1e12).round() / 1e12, 0.550_321_208_149);
    let (output, target) = ("Größe 10–20 & x&amp;y", "Grösse 10-20 & x&y");
    near((bleu(output, target) * 1e12).round() / 1e12, 0.364_093_023_981);
    near((chrf(output, target) * 1e12).round() / 1e12, 0.321_641_227_404);
}

#[test]
fn words_in_common_count_as_often_as_in_both() {
    near(token_f1("The cat sat, and sat.", "a cat sat"), 2.0 * 2.0 / (4.0 + 2.0));
    near(token_f1("", ""), 1.0);
    near(token_f1("x", ""), 0.0);
    near(answer_matches_target_recall("Paris is big", "Paris, the big city"), 2.0 / 3.0);
    let log = Log::of("Paris has bridges", None).with_input("context", "Paris lies at the Seine.");
    near(answer_context_faithfulness_precision("context")(&log).unwrap(), 1.0 / 3.0);
}

#[test]
fn equal_has_several_senses() {
    assert!(exact(" Paris\n", "Paris") && !exact("paris", "Paris"));
    assert!(normalized("The  Eiffel-Tower!", "eiffeltower") && !normalized("Paris", "London"));
    assert!(contains("It lies in the city of Paris.", "City of Paris") && !contains("Parisian", "Paris"));
    let near = numeric(0.01);
    for (output, target, said) in [
        ("3.14", "3.14159", true),
        ("$1,000", "1005", true),
        ("1,000", "1020", false),
        ("-0.005", "0", true),
        ("about three", "3", false),
        ("12 %", "12", true),
    ] {
        assert_eq!(near(output, target), Ok(said), "{output} and {target}");
    }
    assert_eq!(near("3", "three").unwrap_err(), "the target `three` is no number");
}

#[test]
fn json_is_compared_as_values() {
    assert_eq!(json_equal(r#"{"b": [1.0, null], "a": "x"}"#, r#"{"a":"x","b":[1,null]}"#), Ok(true));
    assert_eq!(json_equal(r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#), Ok(false));
    assert_eq!(json_equal("Sure! {}", "{}"), Ok(false));
    assert!(json_equal("{}", "{").unwrap_err().starts_with("the target is no JSON"));
}

#[test]
fn retrieval_is_that_of_scikit_learn_and_of_the_formula() {
    let output = r#"["a", {"id": "b"}, "c", "d", "e"]"#;
    let target = r#"["a", "c", "e"]"#;
    // Of grades 0 and 1, sklearn.metrics.ndcg_score has the same gains.
    near(ndcg_at(5)(output, target).unwrap().unwrap(), 0.885_459_881_571_487_5);
    near(ndcg_at(3)(output, target).unwrap().unwrap(), 0.703_918_089_034_134_8);
    near(recall_at(3)(output, target).unwrap().unwrap(), 2.0 / 3.0);
    near(precision_at(10)(output, target).unwrap().unwrap(), 0.3);
    near(mrr(r#"["b", "d", "c"]"#, target).unwrap().unwrap(), 1.0 / 3.0);
    near(mrr("[]", target).unwrap().unwrap(), 0.0);
    assert_eq!(recall_at(3)(output, "[]"), Ok(None));
    let grades = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
    let ids: Vec<String> = (0..6).map(|n| n.to_string()).collect();
    let graded: Vec<(String, f64)> = ids.iter().cloned().zip(grades).collect();
    near(ranking(&ids, &graded).ndcg_at(6).unwrap(), 0.948_810_748_567_898_5);
    near(ranking(&ids, &graded).ndcg_at(4).unwrap(), 0.872_207_211_255_987_2);
    near(ranking(&["a", "a", "b"], &[("a", 1.0), ("b", 1.0)]).recall_at(2).unwrap(), 1.0);
    assert!(mrr(r#"[{"name": "a"}]"#, target).unwrap_err().contains("no `id`"));
    assert!(mrr("a, b", target).unwrap_err().starts_with("the output is no JSON"));
}

#[test]
fn calls_of_tools_are_right_by_name_and_arguments() {
    let target =
        r#"[{"name": "weather", "arguments": {"city": "Rome", "days": 2}}, {"name": "time", "arguments": {}}]"#;
    let output = r#"{"tool_calls": [
        {"type": "function", "function": {"name": "time", "arguments": "{}"}},
        {"type": "function", "function": {"name": "weather", "arguments": "{\"days\": 2.0, \"city\": \"Paris\"}"}}]}"#;
    let [right, named] = tool_calls(output, target).unwrap();
    near(right.score, 0.5);
    near(named.score, 1.0);
    assert_eq!(right.reason.as_deref(), Some("1 of 2 calls right, 2 made"));
    near(tool_calls("I cannot do that.", "[]").unwrap()[0].score, 1.0);
    near(tool_calls("I cannot do that.", target).unwrap()[0].score, 0.0);
    assert!(tool_calls("[]", "[1]").is_err());
}

fn scored(output: &str, target: Option<&str>, scores: &[(&str, f64)]) -> Log {
    let mut log = parea_runtime::types::TraceLog::clone(&Log::of(output, target));
    log.scores = Some(scores.iter().map(|(name, score)| EvaluationScore::new(*name, *score).unwrap()).collect());
    log.into()
}

fn value(scores: &[Score], name: &str) -> f64 {
    scores.iter().find(|score| score.name == name).unwrap().score
}

#[test]
fn whole_runs_are_scored_as_scikit_learn_does() {
    let predictions = ["a", "b", "b", "c", "c", "a"].into_iter().zip(["a", "b", "a", "c", "b", "a"]);
    let logs: Vec<Log> = predictions
        .map(|(output, target)| scored(output, Some(target), &[("hit", f64::from(output == target))]))
        .collect();
    near(dataset::accuracy(&logs).unwrap().score, 4.0 / 6.0);
    let balanced = dataset::balanced_acc("hit")(&logs).unwrap();
    assert_eq!(balanced.name, "balanced_acc_hit");
    near(balanced.score, 0.722_222_222_222_222_2);
    let classes = dataset::precision_recall_f1(&logs);
    for (name, expected) in [
        ("precision_a", 1.0),
        ("recall_a", 2.0 / 3.0),
        ("f1_b", 0.5),
        ("f1_c", 2.0 / 3.0),
        ("macro_f1", (0.8 + 0.5 + 2.0 / 3.0) / 3.0),
    ] {
        near(value(&classes, name), expected);
    }
    near(dataset::mean("hit")(&logs).unwrap().score, 4.0 / 6.0);
    assert_eq!(dataset::mean("none")(&logs), None);
    assert_eq!(dataset::accuracy(&[]), None);
}

#[test]
fn trials_give_pass_at_k_and_confidences_a_calibration() {
    // One row passes 2 of 5 trials, the other 5 of 5: (0.7 + 1) / 2 at k = 2.
    let trials = |row: &str, passed: usize| -> Vec<Log> {
        (0..5).map(|trial| scored("", Some(row), &[("ok", f64::from(trial < passed))])).collect()
    };
    let logs = [trials("one", 2), trials("other", 5)].concat();
    let score = dataset::pass_at_k("ok", 2)(&logs).unwrap();
    assert_eq!(score.name, "pass@2");
    near(score.score, 0.85);
    assert_eq!(dataset::pass_at_k("ok", 6)(&logs), None);

    let said = [(0.9, 1.0), (0.8, 1.0), (0.35, 0.0), (0.6, 0.0), (0.1, 0.0)];
    let logs: Vec<Log> = said.iter().map(|(said, right)| scored("", None, &[("p", *said), ("ok", *right)])).collect();
    let calibration = dataset::calibration("p", "ok")(&logs);
    near(value(&calibration, "brier"), 0.1085);
    near(value(&calibration, "ece"), (0.1 + 0.2 + 0.35 + 0.6 + 0.1) / 5.0);
    let together = dataset::correlation("p", "ok")(&logs);
    near(value(&together, "pearson_p_ok"), 0.835_269_069_584_556_7);
    near(value(&together, "spearman_p_ok"), 0.866_025_403_784_438_6);
}

#[test]
fn an_angle_needs_two_vectors_of_one_length() {
    near(cosine(&[1.0, 0.0], &[1.0, 1.0]).unwrap(), std::f64::consts::FRAC_1_SQRT_2);
    assert_eq!((cosine(&[0.0], &[1.0]), cosine(&[1.0], &[1.0, 2.0]), cosine(&[f32::NAN], &[1.0])), (None, None, None));
}

#[tokio::test]
async fn library_evaluations_run_under_their_own_names() {
    let names = [
        levenshtein.eval(),
        numeric(0.1).eval(),
        recall_at(3).eval(),
        mrr.eval(),
        Eval::new("close", numeric(0.5)),
        answer_context_faithfulness_precision("context").eval(),
    ];
    let names: Vec<&str> = names.iter().map(Eval::name).collect();
    assert_eq!(names, ["levenshtein", "numeric", "recall_at", "mrr", "close", "answer_context_faithfulness_precision"]);
    let failed =
        answer_context_faithfulness_precision("context").eval().run(&Log::of("x", None).with_input("q", 1)).await;
    assert_eq!(failed.unwrap_err(), "the log has no input `context`, only `q`");
}

#[cfg(feature = "regex")]
#[tokio::test]
async fn a_pattern_that_cannot_be_read_says_so() {
    use parea_eval::evals::matches;
    let run = |pattern: &str| matches(pattern)(&Log::of("Order 66", None));
    assert_eq!((run(r"^Order \d+$"), run("^66")), (Ok(true), Ok(false)));
    assert!(run("(").unwrap_err().contains("unclosed group"));
}

#[cfg(feature = "json-schema")]
#[test]
fn a_schema_names_the_fault() {
    use parea_eval::evals::json_schema;
    let schema =
        serde_json::json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } });
    let check = json_schema(&schema);
    assert_eq!(check(&Log::of(r#"{"n": 1}"#, None)).unwrap(), Score::new(1.0));
    let wrong = check(&Log::of(r#"{"n": "1"}"#, None)).unwrap();
    assert_eq!(wrong.reason.as_deref(), Some("\"1\" is not of type \"integer\" at `/n`"));
    assert!(check(&Log::of("n = 1", None)).unwrap().reason.unwrap().starts_with("no JSON"));
    assert!(json_schema(&serde_json::json!({ "type": 3 }))(&Log::of("1", None)).is_err());
}

proptest! {
    #[test]
    fn overlaps_lie_between_0_and_1_and_find_themselves(one in "[a-e .,0-3é\n-]{0,24}", other in "[a-e .,0-3é\n-]{0,24}") {
        for metric in [levenshtein, jaro_winkler, token_f1, bleu, rouge_l, chrf, answer_matches_target_recall] {
            let score = metric(&one, &other);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&score), "{score}");
        }
        prop_assert!((levenshtein(&one, &one) - 1.0).abs() < 1e-12);
        prop_assert!((token_f1(&one, &one) - 1.0).abs() < 1e-12);
        prop_assert!(normalized(&one, &one) && contains(&one, &one));
    }
}
