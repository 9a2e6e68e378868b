//! Secrets on command lines.

use super::{
    Wanted,
    escapes::{blanks, closed, is_name, opened},
    plain::{is_harmless, is_mixed, is_random},
};

/// Options of one letter, the commands to which they mean a secret, and how it is given.
const OPTIONS: &[(u8, Given, &[&[u8]])] = &[
    (
        b'p',
        Given::Behind,
        &[b"sshpass", b"docker login", b"podman login", b"helm", b"twine", b"az login", b"mongo", b"useradd"],
    ),
    (b'p', Given::Glued, &[b"mysql", b"mysqldump", b"mysqladmin", b"mariadb", b"7z"]),
    (b'P', Given::Behind, &[b"sqlcmd", b"zip", b"unzip"]),
    (b'a', Given::Behind, &[b"redis-cli"]),
    (b'w', Given::Behind, &[b"ldapsearch", b"ldapadd", b"ldapmodify"]),
    (b'k', Given::Behind, &[b"openssl"]),
    (b'N', Given::Behind, &[b"ssh-keygen"]),
    (b'b', Given::Behind, &[b"curl"]),
    (b'u', Given::Login, &[b"curl", b"wget", b"http"]),
    (b'U', Given::Login, &[b"curl"]),
    (b'a', Given::Login, &[b"http", b"https"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// Behind a blank.
    Behind,
    /// Right behind the letter.
    Glued,
    /// As `name:password`, behind a blank or not.
    Login,
}

/// The secret that the option `start..end` is followed by: `--password …`, `-u name:password`.
pub(super) fn option(text: &[u8], start: usize, end: usize, wanted: &Wanted) -> Option<(usize, usize)> {
    let name = &text[start..end];
    if let [b'-', letter] = *name {
        return of_letter(text, start, letter, &[Given::Behind, Given::Login], blanks(text, end));
    }
    let is_long = name.starts_with(b"--");
    let name = &name[if is_long { 2 } else { 1 }..];
    if is_long && matches!(name, b"user" | b"proxy-user") {
        let known = |text: &[u8]| (begins_with(text, b"curl") || begins_with(text, b"wget")).then_some(());
        command(text, start, known)?;
        return login(text, blanks(text, end));
    }
    let weak = matches!(name, b"pass" | b"key");
    if !wanted.names_secret(name) && !weak {
        return None;
    }
    let (start, end, quoted) = argument(text, blanks(text, end))?;
    let value = &text[start..end];
    if weak
        && !(is_mixed(value)
            && (name == b"pass" || is_random(value) && !value.iter().any(|byte| matches!(byte, b'/' | b'.'))))
    {
        return None;
    }
    // A hyphen alone is at the head of many a word.
    let is_meant = is_long || quoted || is_mixed(value);
    (is_meant && !value.starts_with(b"-") && !value.starts_with(b"<") && !is_harmless(value, name))
        .then_some((start, end))
}

/// The secret in `-pPASSWORD` or `-uname:password`, which begins at `start`.
pub(super) fn glued(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let [b'-', letter, next, ..] = text[start..] else { return None };
    if matches!(next, b' ' | b'-' | b'"' | b'\\') {
        return None;
    }
    of_letter(text, start, letter, &[Given::Glued, Given::Login], start + 2)
}

fn of_letter(text: &[u8], start: usize, letter: u8, given: &[Given], value: usize) -> Option<(usize, usize)> {
    if !OPTIONS.iter().any(|(known, how, _)| *known == letter && given.contains(how)) {
        return None;
    }
    let how = command(text, start, |text| {
        let mut options = OPTIONS.iter().filter(|(known, how, _)| *known == letter && given.contains(how));
        let option = options.find(|(_, _, commands)| commands.iter().any(|command| begins_with(text, command)))?;
        Some(option.1)
    })?;
    if how == Given::Login {
        return login(text, value);
    }
    let (start, end, _) = argument(text, value)?;
    let value = &text[start..end];
    (!value.starts_with(b"-") && !is_harmless(value, b"password")).then_some((start, end))
}

/// The password in `name:password`.
fn login(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let (start, end, _) = argument(text, at)?;
    let colon = text[start..end].iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
    let start = start + colon + 1;
    (!is_harmless(&text[start..end], b"password")).then_some((start, end))
}

/// An argument, without its quotes, and whether it has some.
fn argument(text: &[u8], at: usize) -> Option<(usize, usize, bool)> {
    if let Some((start, quote)) = opened(text, at) {
        let end = closed(text, start, quote);
        return (end > start).then_some((start, end, true));
    }
    let ends = |byte: u8| matches!(byte, b'"' | b'\\' | b'\'' | b'`' | b' ' | b';' | b'|' | b'&');
    let length = text.get(at..)?.iter().take_while(|byte| !ends(**byte)).count();
    (length > 0).then_some((at, at + length, false))
}

/// What `known` makes of the first command before an option that it knows, or of one whose name begins like it: `mongosh`.
fn command<T>(text: &[u8], option: usize, known: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    /// How far before the option its command is looked for, be it behind what is taken out.
    const FAR: usize = 256;
    let mut rest = &text[option.saturating_sub(FAR)..option];
    while !rest.is_empty() {
        if let Some(found) = known(rest) {
            return Some(found);
        }
        rest = &rest[rest.iter().take_while(|byte| is_name(**byte)).count()..];
        // The letter of an escape such as `\n` begins no word.
        let escaped = usize::from(rest.starts_with(b"\\n"));
        let between = rest.iter().skip(2 * escaped).take_while(|byte| !is_name(**byte) && **byte != b'\\').count();
        rest = &rest[(2 * escaped + between).max(usize::from(!rest.is_empty())).min(rest.len())..];
    }
    None
}

fn begins_with(text: &[u8], command: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(command) else { return false };
    rest.iter().find(|byte| !is_name(**byte)) == Some(&b' ')
}
