//! The header `baggage`: keys and values that go along with a trace.

use std::{fmt::Write as _, sync::Arc};

/// The member that holds the expected output.
const TARGET: &str = "parea.target";

/// Most bytes of the whole header.
const MOST: usize = 8192;

/// The expected output that the header carries.
pub(super) fn target(lines: &[&str]) -> Option<Arc<str>> {
    value(lines, TARGET).map(Into::into)
}

/// The decoded value of a key.
pub(super) fn value(lines: &[&str], key: &str) -> Option<String> {
    let (_, rest) = members(lines).find(|(name, _)| *name == key)?;
    // Behind a semicolon there are properties of the member.
    decode(rest.split(';').next()?.trim())
}

/// What is not ours, as it came, if the header keeps to its bounds.
pub(super) fn foreign(lines: &[&str]) -> Option<Arc<str>> {
    let mut kept = String::new();
    add_foreign(&mut kept, lines);
    (!kept.is_empty() && kept.len() <= MOST).then(|| kept.into())
}

/// The header to send: what is in it already, what earlier callers said, and the expected output, as far as it fits.
pub(super) fn write(present: &[&str], passed_on: Option<&str>, target: Option<&str>) -> Option<String> {
    let mut header = String::new();
    add_foreign(&mut header, present);
    if let Some(passed_on) = passed_on {
        let mut longer = header.clone();
        add_foreign(&mut longer, &[passed_on]);
        if longer.len() <= MOST {
            header = longer;
        }
    }
    if let Some(target) = target {
        let member = format!("{TARGET}={}", encode(target));
        if header.len() + member.len() < MOST {
            add(&mut header, &member);
        }
    }
    (!header.is_empty()).then_some(header)
}

/// Adds members that are not ours and whose key is not there yet.
fn add_foreign(header: &mut String, lines: &[&str]) {
    for (key, rest) in members(lines).filter(|(key, _)| *key != TARGET) {
        if !members(&[header.as_str()]).any(|(present, _)| present == key) {
            add(header, &format!("{key}={rest}"));
        }
    }
}

fn add(header: &mut String, member: &str) {
    if !header.is_empty() {
        header.push(',');
    }
    header.push_str(member);
}

fn members<'a>(lines: &[&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let split = |member: &'a str| member.split_once('=').map(|(key, rest)| (key.trim(), rest.trim()));
    lines.iter().flat_map(|line| line.split(',')).filter_map(split).filter(|(key, _)| !key.is_empty())
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// `None` for what is no text when it is decoded.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16)),
            _ => None,
        };
        // A percent sign that escapes nothing stands for itself.
        rest = if let Some((high, low)) = escaped {
            bytes.push((high << 4 | low) as u8);
            &after[2..]
        } else {
            bytes.push(*byte);
            after
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_of_any_text_comes_back_and_others_stay() {
        for text in ["", "42", "Grüße, Welt; = 100 % \" \\ \n\u{1f30d}"] {
            let header =
                write(&["user=alice;secure, parea.target=old", "b=2"], Some("user=mallory,c=3"), Some(text)).unwrap();
            assert!(header.is_ascii() && header.starts_with("user=alice;secure,b=2,c=3,parea.target="), "{header}");
            assert_eq!(target(&["x=1", &header]).as_deref(), Some(text));
            assert_eq!(foreign(&[&header]).as_deref(), Some("user=alice;secure,b=2,c=3"));
            assert_eq!(value(&[&header], "user").as_deref(), Some("alice"));
        }
        assert_eq!((write(&[], None, None), target(&["a=1"]), value(&["a=%ff"], "a")), (None, None, None));
        assert_eq!(value(&["a=100%,b=%zz"], "a").as_deref(), Some("100%"));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let long = "x".repeat(MOST);
        assert_eq!(write(&["a=1"], Some(&format!("b={long}")), Some(&long)).as_deref(), Some("a=1"));
        assert_eq!(foreign(&[&format!("b={long}")]), None);
    }
}
