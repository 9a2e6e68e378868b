//! Did you mean …?

/// The known name that the user most likely meant, if any is near enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (distance(&word, name), name))
        // A third of the letters may be wrong.
        .filter(|(distance, name)| *distance * 3 <= name.len().max(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Ours for what other libraries and our own methods call by another name.
pub(crate) fn foreign(word: &str) -> Option<&'static str> {
    const FOREIGN: &[(&str, &str)] = &[
        ("end_user", "end_user_identifier"),
        ("eval_funcs", "evals"),
        ("fields", "metadata"),
        ("properties", "metadata"),
        ("sample_rate", "log_sample_rate"),
        ("session", "session_id"),
        ("skip_all", "log_omit_inputs"),
        ("user", "end_user_identifier"),
        ("user_id", "end_user_identifier"),
    ];
    FOREIGN.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

/// Optimal string alignment: letters put in, left out, replaced, or two neighbours swapped.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = (0..=one.len()).map(|i| vec![i; other.len() + 1]).collect();
    rows[0] = (0..=other.len()).collect();
    for i in 1..=one.len() {
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_understood_and_strangers_are_not() {
        let known = ["name", "tags", "metadata", "session_id", "skip", "log_omit_inputs"];
        for (word, meant) in [
            ("skp", Some("skip")),
            ("nmae", Some("name")),
            ("Tags", Some("tags")),
            ("log_omit_input", Some("log_omit_inputs")),
            ("sesion_id", Some("session_id")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
