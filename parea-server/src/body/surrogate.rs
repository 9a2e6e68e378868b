//! Halves of characters.

/// The text with each escaped surrogate that lacks its other half replaced by U+FFFD; nothing if there is none.
///
/// JavaScript and Python write such an escape when a string was cut within an emoji. JSON allows it, no Rust string
/// can hold it, and a whole log is not worth losing for half a character.
pub(super) fn replaced(json: &str) -> Option<String> {
    let mut text = String::new();
    let mut copied = 0;
    let mut at = 0;
    // An escape begins nowhere but inside a string, so that the strings themselves need not be told.
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        let next = at + 6;
        match unit(json, at) {
            Some(0xd800..0xdc00) if matches!(unit(json, next), Some(0xdc00..0xe000)) => at = next + 6,
            Some(0xd800..0xe000) => {
                text.push_str(json.get(copied..at)?);
                text.push_str("\\ufffd");
                (at, copied) = (next, next);
            }
            // Past the escaped character, which may be a backslash.
            _ => at += 1 + json.get(at + 1..)?.chars().next()?.len_utf8(),
        }
    }
    if copied == 0 {
        return None;
    }
    text.push_str(json.get(copied..)?);
    Some(text)
}

/// The UTF-16 unit that the escape at this place spells, if one is there.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    // `from_str_radix` would also take a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_are_replaced() {
        for (json, expected) in [
            (r#""plain \n \u00e9 \\ud83d""#, None),
            (r#""\ud83d\ude00""#, None),
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (r#""\ude00 \uD83D\n""#, Some(r#""\ufffd \ufffd\n""#)),
            (r#""\ud83d\ud83d\ude00é""#, Some(r#""\ufffd\ud83d\ude00é""#)),
            (r#""\\\udc00\ud8""#, Some(r#""\\\ufffd\ud8""#)),
            (r"\", None),
        ] {
            assert_eq!(replaced(json).as_deref(), expected, "{json}");
        }
    }
}
