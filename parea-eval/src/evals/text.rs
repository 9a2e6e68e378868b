//! Equal or not, in several senses.

/// 1 if output and target are equal, white space at both ends aside; else 0.
pub fn exact(output: &str, target: &str) -> bool {
    output.trim() == target.trim()
}

/// 1 if output and target are equal when normalised as SQuAD does (Rajpurkar et al. 2016): lower case, no punctuation, no
/// English article, single spaces; else 0.
pub fn normalized(output: &str, target: &str) -> bool {
    normal_words(output).eq(normal_words(target))
}

/// 1 if the words of the target stand in the output, in one piece and normalised as by [`normalized`]; else 0. An empty
/// target is in every output.
pub fn contains(output: &str, target: &str) -> bool {
    let (output, target): (Vec<_>, Vec<_>) = (normal_words(output).collect(), normal_words(target).collect());
    target.is_empty() || output.windows(target.len()).any(|window| window == target)
}

/// The words of a text: lower case, without punctuation, without English articles.
pub(super) fn normal_words(text: &str) -> impl Iterator<Item = String> {
    let kept: String = text.to_lowercase().chars().filter(|letter| !is_punctuation(*letter)).collect();
    let words: Vec<String> = kept.split_whitespace().map(str::to_owned).collect();
    words.into_iter().filter(|word| !matches!(&**word, "a" | "an" | "the"))
}

/// Punctuation of ASCII, and of the other scripts that are neither letter, digit nor space.
fn is_punctuation(letter: char) -> bool {
    letter.is_ascii_punctuation() || !(letter.is_ascii() || letter.is_alphanumeric() || letter.is_whitespace())
}

/// 1 if the output, trimmed, is a number within `tolerance` of the target, else 0. `tolerance` counts as absolute and as
/// relative to the target, whichever is wider, as in Python's `math.isclose` on the target's side.
///
/// Thousands separators `,` and `_`, a leading currency sign and a trailing `%` are read over. An output that is no number
/// is 0; a target that is none is an error.
pub fn numeric(tolerance: f64) -> impl Fn(&str, &str) -> Result<bool, String> + Send + Sync + 'static {
    move |output, target| {
        let expected = number(target).ok_or_else(|| format!("the target `{target}` is no number"))?;
        let near = |actual: f64| (actual - expected).abs() <= tolerance.max(tolerance * expected.abs());
        Ok(number(output).is_some_and(near))
    }
}

fn number(text: &str) -> Option<f64> {
    let plain = text.trim().trim_start_matches(['$', '€', '£', '¥']).trim_end_matches('%');
    let plain: String =
        plain.chars().filter(|letter| !matches!(letter, ',' | '_') && !letter.is_whitespace()).collect();
    plain.parse().ok().filter(|number: &f64| number.is_finite())
}

/// 1 if the regular expression matches somewhere in the output, else 0; `^` and `$` tie it to the ends. The target is not
/// looked at. A pattern that cannot be read fails each run with the reason.
#[cfg(feature = "regex")]
pub fn matches(pattern: &str) -> impl Fn(&crate::Log) -> Result<bool, String> + Send + Sync + 'static {
    let compiled = regex::Regex::new(pattern).map_err(|error| error.to_string());
    move |log| compiled.as_ref().map(|regex| regex.is_match(log.judged())).map_err(Clone::clone)
}
