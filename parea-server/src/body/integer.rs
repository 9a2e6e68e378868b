//! Integers that no number type of ours holds.

/// Digits that fit into 64 bits whatever they are.
const SAFE: usize = 18;

/// The text with each integer beyond 64 bits below the top level written as a text of the same digits; nothing if there
/// is none.
///
/// Python's integers have no bounds, and what was passed to a function is kept as it is: as a float it would be another
/// number. At the top level are a log's own figures, none of which is that large.
pub(super) fn quoted(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    // A run of more digits than are safe covers one of these places, so that most bodies cost next to nothing.
    if !bytes.iter().skip(SAFE - 1).step_by(SAFE).any(u8::is_ascii_digit) {
        return None;
    }
    let mut text = String::new();
    let (mut copied, mut at, mut depth) = (0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
                let end = at + bytes[at..].iter().take_while(|byte| part(byte)).count();
                let number = json.get(at..end)?;
                if depth > 1 && end - at > SAFE && is_beyond(number) {
                    text.push_str(json.get(copied..at)?);
                    text.push('"');
                    text.push_str(number);
                    text.push('"');
                    copied = end;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    text.push_str(json.get(copied..)?);
    Some(text)
}

/// Whether it is an integer as JSON has it, and too large.
fn is_beyond(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        && number.parse::<i64>().is_err()
        && number.parse::<u64>().is_err()
}

/// The place of the quote that ends the string which begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        match bytes.get(at) {
            Some(b'\\') => at += 1,
            Some(b'"') | None => return at,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn only_integers_that_do_not_fit_become_texts() {
        let (fits, beyond) = ("18446744073709551615", "18446744073709551616");
        let cases = [
            (format!(r#"{{"inputs":{{"n":{fits}}}}}"#), None),
            (format!(r#"{{"inputs":{{"n":{beyond}}}}}"#), Some(format!(r#"{{"inputs":{{"n":"{beyond}"}}}}"#))),
            (
                format!(r#"{{"a":[-{beyond},{fits},-9223372036854775808]}}"#),
                Some(format!(r#"{{"a":["-{beyond}",{fits},-9223372036854775808]}}"#)),
            ),
            (r#"{"a":[-9223372036854775809]}"#.to_owned(), Some(r#"{"a":["-9223372036854775809"]}"#.to_owned())),
            (format!(r#"{{"a":["{beyond}\"{beyond}"]}}"#), None),
            (format!(r#"{{"a":[{beyond}.5,{beyond}e3,0{beyond}]}}"#), None),
            (format!(r#"{{"cost":{beyond}}}"#), None),
        ];
        for (json, expected) in cases {
            assert_eq!(quoted(&json), expected, "{json}");
        }
    }
}
