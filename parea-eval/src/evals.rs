//! The library of evaluations.
//!
//! Most are plain functions of output and target, so they can be called as they are, tested, and given to `evals = [..]`
//! or [`Experiment::eval`](crate::Experiment::eval) under their own name. What needs a setting is a function that returns
//! one: `numeric(0.01)`. Names are those of the Parea SDKs where they have the same.
//!
//! | evaluation | of | range | what |
//! |---|---|---|---|
//! | [`exact`] | output, target | 0 or 1 | equal but for white space at the ends |
//! | [`normalized`] | output, target | 0 or 1 | equal but for case, punctuation and articles |
//! | [`contains`] | output, target | 0 or 1 | the target is in the output, normalised alike |
//! | [`matches`] | output, pattern | 0 or 1 | a regular expression (feature `regex`) |
//! | [`numeric`] | output, target | 0 or 1 | numbers within a tolerance |
//! | [`levenshtein`] | output, target | 0 to 1 | 1 − edits / length |
//! | [`jaro_winkler`] | output, target | 0 to 1 | for names and short texts |
//! | [`token_f1`], [`answer_matches_target_recall`] | output, target | 0 to 1 | words in common |
//! | [`bleu`], [`rouge_l`], [`chrf`] | output, target | 0 to 1 | n-grams, longest common subsequence, letters |
//! | [`json_equal`], `json_schema` | output, target | 0 or 1 | as values; by a schema (feature `json-schema`) |
//! | [`recall_at`], [`precision_at`], [`mrr`], [`ndcg_at`] | lists of ids | 0 to 1 | retrieval |
//! | [`tool_calls`] | lists of calls | 0 to 1 | the right tools with the right arguments |
//! | [`semantic_similarity`] | output, target | 0 to 1 | embeddings of any provider |
//! | [`llm_grader`] and the rest of [`graded`] | log | 0 to 1 | a model judges |
//! | [`dataset`] | a whole run | | accuracy, F1, pass@k, correlation, calibration |

pub mod dataset;
mod edits;
mod embedding;
pub mod graded;
mod json;
pub mod judge;
mod ngrams;
mod retrieval;
mod text;
mod tools;
mod words;

#[cfg(feature = "json-schema")]
pub use json::json_schema;
#[cfg(feature = "http")]
pub use judge::OpenAiJudge;
#[cfg(feature = "regex")]
pub use text::matches;
pub use {
    edits::{jaro_winkler, levenshtein},
    embedding::{Embedder, cosine, semantic_similarity},
    graded::{
        answer_context_faithfulness_binary, answer_context_faithfulness_statement_level,
        answer_matches_target_llm_grader, answer_relevancy, context_query_relevancy, context_ranking_listwise,
        context_ranking_pointwise, factual_inconsistency_binary, factual_inconsistency_scale, goal_success_ratio,
        likert_scale, llm_grader,
    },
    json::json_equal,
    judge::{Judge, JudgeError},
    ngrams::{bleu, chrf, rouge_l},
    retrieval::{mrr, ndcg_at, precision_at, ranking, recall_at},
    text::{contains, exact, normalized, numeric},
    tools::tool_calls,
    words::{answer_context_faithfulness_precision, answer_matches_target_recall, token_f1},
};
