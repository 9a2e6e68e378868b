//! How deep JSON goes.

/// The first byte at which more than `most` brackets are open.
pub(super) fn beyond(json: &str, most: usize) -> Option<usize> {
    let bytes = json.as_bytes();
    let (mut at, mut open) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                open += 1;
                if open > most {
                    return Some(at);
                }
            }
            b'}' | b']' => open = open.saturating_sub(1),
            b'"' => at = string_end(bytes, at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The quote that ends the string begun at `start`, or the end.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::beyond;

    #[test]
    fn only_brackets_outside_of_strings_count() {
        assert_eq!(beyond("[[1],[2]]", 2), None);
        assert_eq!(beyond("[[1],[[2]]]", 2), Some(6));
        assert_eq!(beyond(r#"{"a[[[\"[[":{"b":[1]}}"#, 3), None);
        assert_eq!(beyond(r#"{"a":{"b":[1]}}"#, 2), Some(10));
        assert_eq!(beyond("[\"", 1), None);
    }
}
