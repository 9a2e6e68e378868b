//! Secrets that are known by their looks: by what a provider puts before its keys, or by their parts.

use super::{
    card,
    escapes::{blank_before, blanks, find},
    prefixes,
};

/// Shortest run of letters that [`secret`] is asked about.
pub(super) const SHORTEST: usize = 10;

/// The secret that begins where the run of letters `start..end` does, or behind a hyphen or `_` in it; its end may lie
/// behind the run.
#[inline]
pub(super) fn secret(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    if may_begin(text, start)
        && let Some(end) = known(text, start, end)
    {
        return Some((start, end));
    }
    if end - start < LONG { None } else { behind_name(text, start, end) }
}

/// Shortest run that may have a name before a key: `key_sk-proj-…`.
const LONG: usize = 20;

#[inline(never)]
fn behind_name(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    /// Longest name.
    const LONGEST: usize = 48;
    (start + 1..end.min(start + LONGEST)).find_map(|at| {
        // Numbers behind hyphens are parts of ids.
        let is_part = matches!(text[at - 1], b'_' | b'-') && !text[at].is_ascii_digit();
        let is_part = is_part && prefixes::may_begin(&text[at..end]);
        Some((at, is_part.then(|| known(text, at, end)).flatten()?))
    })
}

/// Whether one of the shapes of [`known`] may begin here. Most words are done with here.
#[inline]
fn may_begin(text: &[u8], at: usize) -> bool {
    matches!(text[at], b'2'..=b'6' | b'-') || prefixes::may_begin(&text[at..])
}

fn known(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let run = &text[start..end];
    match run[0] {
        b'e' if run.starts_with(b"eyJ") || run.starts_with(b"ewo") => return json_web_token(text, end),
        b'L' if run.starts_with(b"LS0tLS1CRUdJTi") => return private_key_in_base64(text, start),
        b'-' => return private_key(text, start),
        b'2'..=b'6' if run.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') => {
            return (card::is_number(run) && !is_fraction(text, start)).then_some(end);
        }
        _ => {}
    }
    // Some have parts behind dots.
    let dotted = run.starts_with(b"glpat-");
    prefixes::is_secret(run).then(|| if dotted { behind_parts(text, end).0 } else { end })
}

/// Whether the digits from `start` on are those behind a decimal point.
fn is_fraction(text: &[u8], start: usize) -> bool {
    start >= 2 && text[start - 1] == b'.' && text[start - 2].is_ascii_digit()
}

/// Behind the parts that follow `end`, each after a dot, and how many there are that are not empty.
fn behind_parts(text: &[u8], mut end: usize) -> (usize, usize) {
    let mut parts = 0;
    while text.get(end) == Some(&b'.') {
        // Of an encrypted token one part may be empty.
        let part = if text.get(end + 1) == Some(&b'.') { end + 2 } else { end + 1 };
        let length = text[part..].iter().take_while(|byte| is_base64url(**byte)).count();
        if length == 0 {
            break;
        }
        end = part + length;
        parts += 1;
    }
    (end, parts)
}

/// `eyJ….eyJ….…`, signed or encrypted: two parts at least, of which the first begins like an object in base64.
fn json_web_token(text: &[u8], end: usize) -> Option<usize> {
    let (end, parts) = behind_parts(text, end);
    (parts > 0).then_some(end)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Longest name of a kind of key, and some more.
const NAME: usize = 48;
const PRIVATE: &[u8] = b"PRIVATE KEY";

/// `-----BEGIN … PRIVATE KEY-----` to the end of its footer, or of the text if that is cut off.
pub(super) fn private_key(text: &[u8], start: usize) -> Option<usize> {
    let rest = &text[start..];
    let dashes = rest.iter().take_while(|byte| **byte == b'-').count();
    let name = &rest[dashes..];
    let name = name.strip_prefix(b" ").unwrap_or(name).strip_prefix(b"BEGIN ").filter(|_| dashes >= 4)?;
    find(&name[..name.len().min(NAME)], PRIVATE)?;
    let text_end = text_end(rest);
    let Some(footer) = find(&rest[..text_end], b"END ") else { return Some(start + text_end) };
    let dashes = find(&rest[footer..text_end], b"----").map_or(text_end, |dashes| footer + dashes);
    Some(start + dashes + rest[dashes..text_end].iter().take_while(|byte| **byte == b'-').count())
}

/// The lines before `-----END … PRIVATE KEY-----`, whose dashes begin at `start`, of a key whose head was cut off.
pub(super) fn private_key_tail(text: &[u8], from: usize, start: usize) -> Option<(usize, usize)> {
    let name = text[start..].strip_prefix(b"-----END ")?;
    find(&name[..name.len().min(NAME)], PRIVATE)?;
    let mut begin = start;
    loop {
        let line = blank_before(text, from, begin);
        begin = line - text[from..line].iter().rev().take_while(|byte| is_base64(**byte)).count();
        if begin > from && begin < line && text[begin - 1] == b'\\' {
            // The letter belongs to an escape such as `\n` or `\u00e9`.
            begin = line.min(begin + if text[begin] == b'u' { 5 } else { 1 });
        }
        if begin == line || begin == from {
            break;
        }
    }
    (begin < start).then_some((begin, start))
}

/// A private key in PEM in base64 once more: its name is in one of three forms, for the places it may have in a group.
fn private_key_in_base64(text: &[u8], start: usize) -> Option<usize> {
    const FORMS: [&[u8]; 3] = [b"UFJJVkFURSBLRV", b"BSSVZBVEUgS0VZ", b"QUklWQVRFIEtFW"];
    let rest = &text[start..];
    let head = &rest[..rest.len().min(2 * NAME)];
    FORMS.iter().any(|form| find(head, form).is_some()).then_some(())?;
    Some(start + rest.iter().take_while(|byte| is_base64(**byte)).count())
}

/// Where the string ends in whose middle `text` begins: at the next quote, however deep it is.
fn text_end(text: &[u8]) -> usize {
    let quote = text.iter().position(|byte| *byte == b'"').unwrap_or(text.len());
    quote - text[..quote].iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// A token whose parts stand between dots, of which the first ends at `dot`: of SendGrid, Vault, Google and others.
#[inline(never)]
pub(super) fn dotted(text: &[u8], start: usize, dot: usize) -> Option<(usize, usize)> {
    let first = &text[start..dot];
    let length = || {
        // More than three parts belong to another thing.
        let mut dots = 0;
        let in_token = |byte: &&u8| {
            dots += usize::from(**byte == b'.');
            is_base64url(**byte) || **byte == b'.' && dots <= 3
        };
        text[dot + 1..].iter().take_while(in_token).count()
    };
    let least = match first {
        b"hvs" | b"hvb" | b"hvr" | b"ya29" => 20,
        b"SG" | b"dp" => 40,
        b"sk" | b"dt0c01" | b"dt0s01" => 60,
        // Of Airtable.
        [b'p', b'a', b't', rest @ ..] if rest.len() == 14 => 64,
        // PASETO.
        b"v1" | b"v2" | b"v3" | b"v4" => 80,
        b"sl" | b"t1" => 100,
        _ => 0,
    };
    if least > 0 {
        let length = length();
        let rest = &text[dot + 1..dot + 1 + length];
        return (length >= least && rest.iter().any(u8::is_ascii_digit)).then_some((start, dot + 1 + length));
    }
    if first.len() == 14 && text[dot..].starts_with(b".atlasv1.") {
        return Some((start, dot + 1 + length()));
    }
    discord_token(text, start, dot)
}

/// A Discord bot's token: its number in base64, of which the first digit is 1 or 2, and two parts behind dots.
fn discord_token(text: &[u8], start: usize, dot: usize) -> Option<(usize, usize)> {
    if !(23..=28).contains(&(dot - start)) || !matches!(text[start], b'M' | b'N' | b'O') {
        return None;
    }
    let (end, parts) = behind_parts(text, dot);
    let moment = text[dot + 1..].iter().take_while(|byte| is_base64url(**byte)).count();
    (parts == 2 && moment == 6 && end - dot >= 27).then_some((start, end))
}

/// `…8Q~…`, a secret of a client of Entra ID, or `sha256~…`, a token of OpenShift; the `~` stands at `tilde`.
#[inline(never)]
pub(super) fn tilde(text: &[u8], start: usize, tilde: usize) -> Option<(usize, usize)> {
    let first = &text[start..tilde];
    let of_entra = first.len() == 5 && first[3].is_ascii_digit() && first[4] == b'Q';
    let in_secret = |byte: &&u8| is_base64url(**byte) || of_entra && matches!(byte, b'.' | b'~');
    let length = text[tilde + 1..].iter().take_while(in_secret).count();
    ((of_entra || first == b"sha256") && (31..=43).contains(&length)).then_some((start, tilde + 1 + length))
}

/// The hash of a password as `crypt` and its like write it, `$2b$10$…`, `$argon2id$v=19$…`; the `$` stands at `start`.
#[inline(never)]
pub(super) fn password_hash(text: &[u8], start: usize) -> Option<(usize, usize)> {
    const KINDS: [&[u8]; 13] = [
        b"1$",
        b"5$",
        b"6$",
        b"y$",
        b"2a$",
        b"2b$",
        b"2y$",
        b"apr1$",
        b"argon2i$",
        b"argon2d$",
        b"argon2id$",
        b"scrypt$",
        b"pbkdf2",
    ];
    /// Shortest salt and hash, and some for the parameters.
    const SHORTEST: usize = 30;
    let rest = &text[start + 1..];
    KINDS.iter().find(|kind| rest.starts_with(kind))?;
    let in_hash = |byte: &&u8| byte.is_ascii_alphanumeric() || b"$./+=,-_".contains(byte);
    let length = rest.iter().take_while(in_hash).count();
    (length >= SHORTEST && rest[..length].contains(&b'$')).then_some((start, start + 1 + length))
}

/// What a scheme of the header `Authorization` is followed by; its word ends at `end`, before a blank, a tab or `%20`.
pub(super) fn credentials(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let scheme = &text[start..end];
    if !scheme.eq_ignore_ascii_case(b"bearer") && !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let value = if text[end..].starts_with(b"%20") { end + 3 } else { blanks(text, end) };
    let in_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let length = text[value..].iter().take_while(in_token).count();
    let token = &text[value..value + length];
    // Of the words that follow in prose few have digits.
    let mixed = token.iter().any(|byte| byte.is_ascii_digit() || *byte == b'=');
    (length >= 8 && mixed || length >= 24).then_some((value, value + length))
}

/// A Telegram bot's token: its number, a colon, and 35 letters. In addresses `bot` stands before it.
pub(super) fn bot_token(text: &[u8], start: usize, colon: usize) -> Option<(usize, usize)> {
    const LENGTH: usize = 35;
    let start = if text[start..colon].starts_with(b"bot") { start + 3 } else { start };
    let number = &text[start..colon];
    if !(8..=10).contains(&number.len()) || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = text[colon + 1..].iter().take_while(|byte| is_base64url(**byte)).count();
    (length == LENGTH).then_some((start, colon + 1 + length))
}

/// A mailbox around the `@` at `at`, not before `from`.
pub(super) fn email(text: &[u8], from: usize, at: usize) -> Option<(usize, usize)> {
    /// Longest part before the `@` that the standard allows.
    const LONGEST: usize = 64;
    let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let mut start = at - text[from..at].iter().rev().take(LONGEST).take_while(in_name).count();
    if start > from && text[start - 1] == b'\\' {
        // The letter belongs to an escape such as `\n`.
        start += 1;
    }
    let in_domain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.' || **byte == b'-';
    let length = text[at + 1..].iter().take_while(in_domain).count();
    let domain = &text[at + 1..at + 1 + length];
    // A full stop behind it ends the sentence.
    let domain = &domain[..domain.len() - domain.iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric()).count()];
    let top = domain.len() - domain.iter().rposition(|byte| *byte == b'.')? - 1;
    (start < at && top >= 2).then_some((start, at + 1 + domain.len()))
}
