//! Values that tell nothing, although their name says that they are secret, and values that look like secrets.

use super::{escapes::slashes, names::names_secret};

/// Whether a value tells nothing: it is empty, says that it is missing or masked, stands for another, is a number of
/// things, or is a token by its number in a vocabulary.
pub(super) fn is_harmless(value: &[u8], name: &[u8]) -> bool {
    /// In small letters, parted by blanks.
    const WORDS: &str = "none null nil true false undefined default ... \
        required optional missing invalid expired incorrect wrong unknown unset empty yes no \
        string str number int integer bool boolean any bytes secretstring option optional[str vec box arc cow & &str &mut \
        *const *mut char void self some handle isize usize u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 __u32 __u64 \
        match if impl dyn await new [] {} ? %s";
    const PLACEHOLDERS: [(&[u8], &[u8]); 4] = [(b"${", b"}"), (b"{{", b"}}"), (b"<", b">"), (b"$(", b")")];
    let value = value.trim_ascii();
    let value = value.strip_suffix(b".").filter(|value| value.len() > 3).unwrap_or(value);
    let contains = |wanted: &[u8]| value.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted));
    let is_masked = || {
        str::from_utf8(value)
            .is_ok_and(|text| text.chars().all(|letter| "*.\u{2022}\u{25cf}\u{2026}\\\"".contains(letter)))
    };
    value.is_empty()
        || WORDS.split_ascii_whitespace().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
        || value.strip_prefix(b"$").is_some_and(|number| number.iter().all(u8::is_ascii_digit))
        || PLACEHOLDERS.iter().any(|(open, close)| is_placeholder(value, open, close))
        || value.len() < 48 && contains(b"redacted")
        || is_masked()
        || value.len() < 4 && !value.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        || is_format(value)
        || value.len() < 10 && value.iter().all(u8::is_ascii_digit) && counts(name)
}

/// `{}`, `{token:?}`
fn is_format(value: &[u8]) -> bool {
    let inside = value.strip_prefix(b"{").and_then(|value| value.strip_suffix(b"}"));
    inside.is_some_and(|inside| inside.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_:.?#!".contains(byte)))
}

/// `${KEY}`, but not `${KEY:-hunter2}`, which has a value in it.
fn is_placeholder(value: &[u8], open: &[u8], close: &[u8]) -> bool {
    value.starts_with(open) && value.ends_with(close) && !value.windows(2).any(|two| two == b":-")
}

/// Whether a small number of this name is a count, an index or a constant of a protocol.
fn counts(name: &[u8]) -> bool {
    const WORDS: [&str; 8] =
        ["token", "cookie", "cookies", "auth", "credential", "credentials", "secrets", "passwords"];
    WORDS.iter().any(|word| {
        name.len().checked_sub(word.len()).is_some_and(|start| name[start..].eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// Whether a value without quotes, which is `text[start..end]`, is source text: a call, a path, a variable.
pub(super) fn is_code(text: &[u8], start: usize, end: usize, name: &[u8]) -> bool {
    let value = &text[start..end];
    let path = value.iter().take_while(|byte| is_identifier(**byte) || matches!(byte, b'.' | b':')).count();
    let word = &value[..path];
    let digits = word.iter().any(u8::is_ascii_digit);
    let parted = word.iter().any(|byte| matches!(byte, b'.' | b'_')) || word.windows(2).any(|two| two == b"::");
    let is_whole = path == value.len();
    if path == 0 {
        // `(a ^ b)`, `$password`, `$PASSWORD`
        return match value {
            // `[u8; 32]`
            [b'[', inside @ ..] => {
                let word = inside.iter().take_while(|byte| is_identifier(**byte)).count();
                word > 0 && inside.get(word) == Some(&b';')
            }
            [b'(', ..] => !matches!(text.get(start + 1 + slashes(text, start + 1)), Some(b'"' | b'\'')),
            [b'$', variable @ ..] => {
                !variable.is_empty()
                    && variable.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
                    && (variable.iter().all(|byte| !byte.is_ascii_lowercase()) || names_secret(variable))
            }
            _ => false,
        };
    }
    match text.get(start + path) {
        // `input.parse(…)`, `next()`, `Token![…]`, `braced!(…)`
        Some(b'(') if parted || !digits && is_call(&text[start + path + 1..]) => return true,
        Some(b'[')
            if !digits
                && (parted || names_secret(word) || matches!(text.get(start + path + 1), Some(b'\'' | b'\\'))) =>
        {
            return true;
        }
        Some(b'!') if !digits && matches!(text.get(start + path + 1), Some(b'(' | b'[' | b'{')) => return true,
        _ => {}
    }
    let is_constant = || {
        let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        letters > 3 && parted && !word.iter().any(|byte| byte.is_ascii_lowercase() || *byte == b'.')
    };
    let ends_name = || {
        let ends = |name: &[u8], word: &[u8]| {
            name.len() >= word.len() && name[name.len() - word.len()..].eq_ignore_ascii_case(word)
        };
        word.len() > 3 && ends(name, word)
    };
    // `HpkePrivateKey`
    let is_camel = || {
        word[0].is_ascii_uppercase()
            && word.windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
    };
    // `token::Paren`, `CRED_TYPE`, `self.key_password`, `secret=secret`
    is_whole
        && ((parted || is_camel()) && names_secret(word)
            || !digits && (word.windows(2).any(|two| two == b"::") || is_constant() || ends_name()))
}

/// Whether arguments of a function begin: there are none, or the first is a variable.
fn is_call(arguments: &[u8]) -> bool {
    let word = arguments.iter().take_while(|byte| is_identifier(**byte)).count();
    matches!(arguments.get(word), Some(b')' | b'(' | b'.' | b'[')) || word > 0 && arguments.get(word) == Some(&b',')
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether this is hardly a word: it has letters and digits, and is no shorter than passwords are.
pub(super) fn is_mixed(text: &[u8]) -> bool {
    text.len() >= 6 && text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic)
}

/// Whether this is hardly a word or a name of something: long, with letters and digits.
pub(super) fn is_random(text: &[u8]) -> bool {
    /// Longest name of a version, a standard or a file that has digits.
    const SHORTEST: usize = 10;
    /// Of so many letters one digit is enough, if there are small ones and capitals.
    const LONG: usize = 16;
    let has = |is_one: fn(&u8) -> bool| text.iter().any(is_one);
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let (upper, lower) = (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase));
    let is_enough = digits >= 2 && (upper || lower) || digits == 1 && text.len() >= LONG && upper && lower;
    text.len() >= SHORTEST && is_enough && !text.contains(&b'(')
}

/// Whether these are the words of a recovery phrase, which are a dozen and more, behind that name.
pub(super) fn is_phrase(text: &[u8], name: &[u8]) -> bool {
    const FEWEST: usize = 11;
    name.len().checked_sub(6).is_some_and(|start| name[start..].eq_ignore_ascii_case(b"phrase"))
        && text.split(|byte| *byte == b' ').count() >= FEWEST
        && text.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b' ')
}
