//! Words in common.

use std::collections::HashMap;

use super::text::normal_words;
use crate::{Log, log::LogError};

/// How many words two lists have in common, each as often as in both.
fn common(one: &[String], other: &[String]) -> usize {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in one {
        *counts.entry(word).or_default() += 1;
    }
    let taken = |word: &&String| match counts.get_mut(word.as_str()) {
        Some(left @ 1..) => {
            *left -= 1;
            true
        }
        _ => false,
    };
    other.iter().filter(taken).count()
}

fn words(text: &str) -> Vec<String> {
    normal_words(text).collect()
}

/// The harmonic mean of precision and recall of the output's words, normalised as by [`normalized`](super::normalized), as
/// SQuAD's F1 (Rajpurkar et al. 2016). 0 to 1; 1 if both are empty, 0 if one is.
pub fn token_f1(output: &str, target: &str) -> f64 {
    let (output, target) = (words(output), words(target));
    if output.is_empty() || target.is_empty() {
        return f64::from(output.is_empty() && target.is_empty());
    }
    // 2 · P · R / (P + R), with the counts cancelled.
    2.0 * common(&output, &target) as f64 / (output.len() + target.len()) as f64
}

/// The share of the target's words that are in the output (recall). 0 to 1; 1 if the target has none.
///
/// The Python SDK counts tokens of the model's own tokenizer; here they are words, normalised as by
/// [`normalized`](super::normalized), so that no vocabulary has to be downloaded. Scores differ in the second digit.
pub fn answer_matches_target_recall(output: &str, target: &str) -> f64 {
    share_of(&words(target), &words(output))
}

/// The share of the output's words that are in the input `context` (precision): words that stand nowhere in what was
/// retrieved are made up. 0 to 1; 1 if the output has none.
pub fn answer_context_faithfulness_precision(
    context: &str,
) -> impl Fn(&Log) -> Result<f64, LogError> + Send + Sync + 'static {
    let context = context.to_owned();
    move |log| Ok(share_of(&words(log.judged()), &words(&log.input_text(&context)?)))
}

fn share_of(some: &[String], all: &[String]) -> f64 {
    if some.is_empty() { 1.0 } else { common(some, all) as f64 / some.len() as f64 }
}
