//! Overlap of n-grams: BLEU, ROUGE-L and chrF, of one output and one target.

use std::{collections::HashMap, hash::Hash};

/// Sentence BLEU (Papineni et al. 2002), 0 to 1: the geometric mean of the precisions of 1- to 4-grams times the brevity
/// penalty `min(1, exp(1 − r / c))`.
///
/// As sacrebleu's `sentence_bleu`, divided by 100: the tokens of `13a`, orders that the output is too short for left out,
/// and a precision of zero replaced by `1 / (2^k · total)` for the k-th such order (Chen and Cherry 2014, smoothing 3). For
/// corpora, average this only with care: corpus BLEU is not the mean of sentences'.
pub fn bleu(output: &str, target: &str) -> f64 {
    let (output, target) = (tokens_13a(output), tokens_13a(target));
    let (mut logs, mut orders, mut halving, mut any) = (0.0, 0, 1.0, false);
    for n in 1..=4 {
        let total = output.len().saturating_sub(n - 1);
        if total == 0 {
            break;
        }
        orders = n;
        let hits = shared(&output, &target, n);
        any |= hits > 0;
        let precision = if hits == 0 {
            halving *= 2.0;
            1.0 / (halving * total as f64)
        } else {
            hits as f64 / total as f64
        };
        logs += precision.ln();
    }
    if !any {
        return 0.0;
    }
    let (c, r) = (output.len() as f64, target.len() as f64);
    let brevity = if c < r { (1.0 - r / c).exp() } else { 1.0 };
    brevity * (logs / orders as f64).exp()
}

/// ROUGE-L (Lin 2004), 0 to 1: the harmonic mean of precision and recall of the longest common subsequence of words. 0 if
/// one is empty.
///
/// Words are runs of letters and digits in lower case, not stemmed: on English text the same as the F-measure of
/// `rouge_score`, which knows no letters beyond ASCII.
pub fn rouge_l(output: &str, target: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let text = text.to_lowercase();
        text.split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (output, target) = (words(output), words(target));
    if output.is_empty() || target.is_empty() {
        return 0.0;
    }
    2.0 * longest_common(&output, &target) as f64 / (output.len() + target.len()) as f64
}

/// Length of the longest common subsequence, in one row of memory.
fn longest_common<T: PartialEq>(one: &[T], other: &[T]) -> usize {
    let mut row = vec![0; other.len() + 1];
    for a in one {
        let mut diagonal = 0;
        for (j, b) in other.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if a == b { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[other.len()]
}

/// chrF2 (Popović 2015), 0 to 1: the F-score with recall counted twice (`β = 2`) of precision and recall averaged over
/// 1- to 6-grams of letters, white space left out. As sacrebleu's `sentence_chrf`, divided by 100.
pub fn chrf(output: &str, target: &str) -> f64 {
    const BETA_SQUARED: f64 = 4.0;
    let letters = |text: &str| -> Vec<char> { text.chars().filter(|letter| !letter.is_whitespace()).collect() };
    let (output, target) = (letters(output), letters(target));
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for n in 1..=6 {
        let (of_output, of_target) = (output.len().saturating_sub(n - 1), target.len().saturating_sub(n - 1));
        if of_output == 0 || of_target == 0 {
            break;
        }
        let hits = shared(&output, &target, n) as f64;
        precision += hits / of_output as f64;
        recall += hits / of_target as f64;
        orders += 1.0;
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
}

/// How many n-grams of `one` are in `other`, each at most as often as there.
fn shared<T: Eq + Hash>(one: &[T], other: &[T], n: usize) -> usize {
    let mut counts: HashMap<&[T], usize> = HashMap::new();
    for gram in other.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    let taken = |gram: &&[T]| match counts.get_mut(*gram) {
        Some(left @ 1..) => {
            *left -= 1;
            true
        }
        _ => false,
    };
    one.windows(n).filter(taken).count()
}

/// The tokens of mteval-v13a, which sacrebleu uses unless told otherwise: punctuation stands alone, but for periods and
/// commas between digits and dashes after letters.
fn tokens_13a(text: &str) -> Vec<String> {
    // sacrebleu cuts the end off before it joins what was parted at an end of line.
    let text = text.trim_end().replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let apart = |letter: char| matches!(letter, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/');
    let mut letters = vec![' '];
    for letter in text.chars() {
        if apart(letter) { letters.extend([' ', letter, ' ']) } else { letters.push(letter) }
    }
    letters.push(' ');
    let digit = |letter: char| letter.is_ascii_digit();
    let point = |letter: char| matches!(letter, '.' | ',');
    let letters = pairs(&letters, |a, b| !digit(a) && point(b), |a, b| vec![a, ' ', b, ' ']);
    let letters = pairs(&letters, |a, b| point(a) && !digit(b), |a, b| vec![' ', a, ' ', b]);
    let letters = pairs(&letters, |a, b| digit(a) && b == '-', |a, b| vec![a, ' ', b, ' ']);
    letters.iter().collect::<String>().split_whitespace().map(str::to_owned).collect()
}

/// Replaces pairs of letters from left to right; a letter is part of one pair at most.
fn pairs(
    letters: &[char],
    wanted: impl Fn(char, char) -> bool,
    replace: impl Fn(char, char) -> Vec<char>,
) -> Vec<char> {
    let mut replaced = Vec::with_capacity(letters.len() + 8);
    let mut rest = letters;
    while let [first, tail @ ..] = rest {
        match tail {
            [second, after @ ..] if wanted(*first, *second) => {
                replaced.extend(replace(*first, *second));
                rest = after;
            }
            _ => {
                replaced.push(*first);
                rest = tail;
            }
        }
    }
    replaced
}
