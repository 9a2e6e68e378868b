//! Secrets in addresses: passwords of users, keys in queries, paths that let in who knows them.

use super::{
    Wanted,
    escapes::slashes,
    plain::{is_harmless, is_mixed, is_random},
};

/// The password in `scheme://user:password@host`, or the key in its place; the text behind `://` begins at `start`.
pub(super) fn password(text: &[u8], start: usize) -> Option<(usize, usize)> {
    /// Shortest key that stands where a name does.
    const KEY: usize = 20;
    let ends = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b' ' | b'"' | b'\\' | b'\'' | b'<' | b'>' | b',');
    let authority = &text[start..];
    let authority = &authority[..authority.iter().position(ends).unwrap_or(authority.len())];
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let (from, to) = match authority[..at].iter().position(|byte| *byte == b':') {
        // `https://key:@host`, as some send their key.
        Some(colon) if colon + 1 == at => (0, colon),
        // Two keys.
        Some(colon) if colon >= KEY && authority[..colon].iter().any(u8::is_ascii_digit) => (0, at),
        Some(colon) => (colon + 1, at),
        // A name alone, or a key in its place.
        None if at >= KEY && authority[..at].iter().any(u8::is_ascii_digit) => (0, at),
        None => return None,
    };
    (!is_harmless(&authority[from..to], b"password")).then_some((start + from, start + to))
}

/// Behind the `//` that follows a colon, also as `\/\/`.
pub(super) fn behind_slashes(text: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..2 {
        at += slashes(text, at);
        if text.get(at) != Some(&b'/') {
            return None;
        }
        at += 1;
    }
    Some(at)
}

/// Addresses whose path is the secret.
const HOOKS: [&[u8]; 6] = [
    b"hooks.slack.com/",
    b"discord.com/api/webhooks/",
    b"discordapp.com/api/webhooks/",
    b"outlook.office.com/webhook/",
    b"webhook.office.com/webhookb2/",
    b"hooks.zapier.com/hooks/catch/",
];

/// What follows `hooks.slack.com/services/` and the like.
pub(super) fn webhook(text: &[u8], start: usize) -> Option<(usize, usize)> {
    if !matches!(text[start], b'h' | b'd' | b'o' | b'w') {
        return None;
    }
    let rest = &text[start..];
    let hook = HOOKS.into_iter().find(|hook| rest.starts_with(hook))?;
    let kinds: [&[u8]; 3] = [b"services/", b"workflows/", b"triggers/"];
    let kind = kinds.into_iter().find(|kind| rest[hook.len()..].starts_with(kind)).map_or(0, <[u8]>::len);
    let path = &rest[hook.len() + kind..];
    let length = path.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_/@".contains(byte)).count();
    let start = start + hook.len() + kind;
    (length > 0).then_some((start, start + length))
}

/// Whether a parameter of a query, whose name says little elsewhere, is a secret: `?key=…`, `&sig=…`.
pub(super) fn is_secret_parameter(name: &[u8], value: &[u8]) -> bool {
    const ALWAYS: [&str; 5] = ["sig", "signature", "x-amz-signature", "x-goog-signature", "hmac"];
    let is_one_of = |words: &[&str]| words.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()));
    is_one_of(&ALWAYS) || is_one_of(&["key", "code"]) && is_random(value) || is_one_of(&["pass"]) && is_mixed(value)
}

/// The value behind a separator that is percent-encoded at `percent`, in a query inside a query or in a form:
/// `…%26token%3D…`, `%22password%22%3A%22…%22`; or the password in `%3A%2F%2Fuser%3Apassword%40`.
#[inline(never)]
pub(super) fn encoded(text: &[u8], from: usize, percent: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    /// Longest name that is looked at.
    const LONGEST: usize = 64;
    let rest = &text[percent..];
    let quote = if rest.starts_with(b"%22") { &b"%22"[..] } else { b"" };
    let separator = rest.get(quote.len()..quote.len() + 3)?;
    if !matches!(separator, b"%3A" | b"%3a" | b"%3D" | b"%3d") {
        return None;
    }
    let mut value = percent + quote.len() + 3;
    if text[value..].starts_with(b"%2F%2F") {
        return encoded_password(text, value + 6);
    }
    let least = percent.saturating_sub(LONGEST).max(from);
    let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let start = percent - text[least..percent].iter().rev().take_while(in_name).count();
    let is_escape = start > from && text[start - 1] == b'%';
    let name = text.get(if is_escape { start + 2 } else { start }..percent).filter(|name| !name.is_empty())?;
    if !wanted.names_secret(name) {
        return None;
    }
    while text[value..].starts_with(b"%20") {
        value += 3;
    }
    let is_quoted = text[value..].starts_with(b"%22");
    if is_quoted {
        value += 3;
    }
    let rest = &text[value..];
    let end: &[u8] = if is_quoted { b"%22" } else { b"%26" };
    let plain = |at: usize| match rest[at] {
        b'%' => !rest[at..].starts_with(end),
        byte => byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte),
    };
    let length = (0..rest.len()).take_while(|at| plain(*at)).count();
    (!is_harmless(&rest[..length], name)).then_some((value, value + length))
}

fn encoded_password(text: &[u8], start: usize) -> Option<(usize, usize)> {
    /// Longest name and password that are looked at.
    const LONGEST: usize = 256;
    let user = &text[start..];
    let in_user = |byte: &&u8| byte.is_ascii_alphanumeric() || b"%-._~".contains(byte);
    let length = user.iter().take(LONGEST).take_while(in_user).count();
    let user = &user[..length];
    let colon = user.windows(3).position(|window| matches!(window, b"%3A" | b"%3a"))? + 3;
    let at = user.windows(3).rposition(|window| window == b"%40").filter(|at| *at > colon)?;
    Some((start + colon, start + at))
}
