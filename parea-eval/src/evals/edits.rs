//! Distances of letters.

use rapidfuzz::distance::{jaro_winkler as winkler, levenshtein as edits};

/// `1 − d / max(len)`, where `d` is the number of inserted, deleted and replaced code points (Levenshtein 1966) and
/// `max(len)` the longer length; 1 for two empty texts. 0 to 1. The same as in Parea's Python SDK.
pub fn levenshtein(output: &str, target: &str) -> f64 {
    let longest = output.chars().count().max(target.chars().count());
    if longest == 0 {
        return 1.0;
    }
    1.0 - edits::distance(output.chars(), target.chars()) as f64 / longest as f64
}

/// Jaro's similarity, raised by a common prefix of up to four letters, a tenth of the rest each, where it is above 0.7
/// (Winkler 1990). 0 to 1. Made for names and other short texts.
pub fn jaro_winkler(output: &str, target: &str) -> f64 {
    winkler::similarity(output.chars(), target.chars())
}
