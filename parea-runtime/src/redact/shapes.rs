//! Secrets that are known by their looks: what a provider puts before its keys, and how long they are.

use super::card;

/// Shortest run of letters that [`secret`] is asked about.
pub(super) const SHORTEST: usize = 10;

/// What may follow a prefix.
#[derive(Clone, Copy)]
enum Rest {
    /// Letters, digits, `_` and `-`, so many at least and a digit among them: words in kebab case have none.
    Mixed(usize),
    /// Capitals and digits, exactly so many.
    Capitals(usize),
    /// Hexadecimal digits, so many at least.
    Hex(usize),
    /// Letters and digits, so many at least, of both cases or with a digit: some keys have no digit.
    Random(usize),
}

/// Prefixes of keys, tokens and signing secrets as their providers document them.
const PREFIXES: &[(&str, Rest)] = &[
    ("sk-", Rest::Mixed(17)),
    ("sk_", Rest::Hex(40)),
    ("sk_live_", Rest::Mixed(10)),
    ("sk_test_", Rest::Mixed(10)),
    ("rk_live_", Rest::Mixed(10)),
    ("rk_test_", Rest::Mixed(10)),
    ("whsec_", Rest::Mixed(16)),
    ("AKIA", Rest::Capitals(16)),
    ("ASIA", Rest::Capitals(16)),
    ("ABIA", Rest::Capitals(16)),
    ("ACCA", Rest::Capitals(16)),
    ("AIza", Rest::Mixed(30)),
    ("GOCSPX-", Rest::Mixed(20)),
    ("ghp_", Rest::Mixed(30)),
    ("gho_", Rest::Mixed(30)),
    ("ghu_", Rest::Mixed(30)),
    ("ghs_", Rest::Mixed(30)),
    ("ghr_", Rest::Mixed(30)),
    ("github_pat_", Rest::Mixed(20)),
    ("glpat-", Rest::Mixed(16)),
    ("gldt-", Rest::Mixed(16)),
    ("glrt-", Rest::Mixed(16)),
    ("glptt-", Rest::Mixed(16)),
    ("glft-", Rest::Mixed(16)),
    ("glimt-", Rest::Mixed(16)),
    ("glcbt-", Rest::Mixed(16)),
    ("gloas-", Rest::Mixed(16)),
    ("glsoat-", Rest::Mixed(16)),
    ("glagent-", Rest::Mixed(16)),
    ("glffct-", Rest::Mixed(16)),
    ("glsa_", Rest::Mixed(24)),
    ("glc_", Rest::Mixed(24)),
    ("xoxb-", Rest::Mixed(16)),
    ("xoxp-", Rest::Mixed(16)),
    ("xoxa-", Rest::Mixed(16)),
    ("xoxr-", Rest::Mixed(16)),
    ("xoxs-", Rest::Mixed(16)),
    ("xoxe-", Rest::Mixed(16)),
    ("xoxc-", Rest::Mixed(16)),
    ("xoxd-", Rest::Mixed(16)),
    ("xapp-", Rest::Mixed(16)),
    ("npm_", Rest::Mixed(30)),
    ("cio", Rest::Random(32)),
    ("rubygems_", Rest::Hex(40)),
    ("pypi-", Rest::Mixed(50)),
    ("dop_v1_", Rest::Hex(40)),
    ("doo_v1_", Rest::Hex(40)),
    ("dor_v1_", Rest::Hex(40)),
    ("dckr_pat_", Rest::Mixed(20)),
    ("dapi", Rest::Hex(32)),
    ("hf_", Rest::Random(28)),
    ("api_org_", Rest::Random(28)),
    ("ABSK", Rest::Mixed(60)),
    ("csk-", Rest::Mixed(40)),
    ("e2b_", Rest::Hex(40)),
    ("fc-", Rest::Hex(32)),
    ("pa-", Rest::Mixed(40)),
    ("pcsk_", Rest::Mixed(40)),
    ("tvly-", Rest::Mixed(20)),
    ("gsk_", Rest::Mixed(40)),
    ("xai-", Rest::Mixed(40)),
    ("pplx-", Rest::Mixed(32)),
    ("nvapi-", Rest::Mixed(40)),
    ("tgp_v1_", Rest::Mixed(24)),
    ("fw_", Rest::Mixed(20)),
    ("r8_", Rest::Mixed(30)),
    ("pai-", Rest::Mixed(20)),
    ("lsv2_", Rest::Mixed(24)),
    ("ls__", Rest::Mixed(24)),
    ("jina_", Rest::Mixed(30)),
    ("shpat_", Rest::Hex(32)),
    ("shpss_", Rest::Hex(32)),
    ("shpca_", Rest::Hex(32)),
    ("shppa_", Rest::Hex(32)),
    ("sq0atp-", Rest::Mixed(20)),
    ("sq0csp-", Rest::Mixed(30)),
    ("PMAK-", Rest::Mixed(40)),
    ("figd_", Rest::Mixed(30)),
    ("lin_api_", Rest::Mixed(30)),
    ("ntn_", Rest::Mixed(30)),
    ("secret_", Rest::Mixed(36)),
    ("ATATT3", Rest::Mixed(40)),
    ("sbp_", Rest::Hex(40)),
    ("sb_secret_", Rest::Mixed(20)),
    ("nfp_", Rest::Mixed(30)),
    ("fm2_", Rest::Mixed(30)),
    ("HRKU-", Rest::Mixed(30)),
    ("tskey-", Rest::Mixed(20)),
    ("pscale_tkn_", Rest::Mixed(30)),
    ("pscale_pw_", Rest::Mixed(30)),
    ("rnd_", Rest::Mixed(24)),
    ("xkeysib-", Rest::Mixed(40)),
    ("NRAK-", Rest::Mixed(20)),
    ("sntrys_", Rest::Mixed(30)),
    ("sntryu_", Rest::Mixed(30)),
    ("phx_", Rest::Mixed(30)),
    ("AGE-SECRET-KEY-1", Rest::Mixed(40)),
    ("SK", Rest::Hex(32)),
    ("key-", Rest::Hex(32)),
];

/// First letters of the prefixes and of the other shapes, as bits: most words are done with here.
const FIRST: [u64; 2] = {
    let mut first = [0; 2];
    let mut at = 0;
    while at < PREFIXES.len() {
        let byte = PREFIXES[at].0.as_bytes()[0];
        first[(byte >> 6) as usize] |= 1 << (byte & 63);
        at += 1;
    }
    let others = b"e-23456";
    at = 0;
    while at < others.len() {
        first[(others[at] >> 6) as usize] |= 1 << (others[at] & 63);
        at += 1;
    }
    first
};

/// Whether a secret begins where the run of letters `start..end` does; returns its end, which may lie behind the run.
#[inline]
pub(super) fn secret(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let byte = text[start];
    if byte >= 0x80 || FIRST[usize::from(byte >> 6)] >> (byte & 63) & 1 == 0 {
        return None;
    }
    known(text, start, end)
}

fn known(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let run = &text[start..end];
    match run[0] {
        b'e' if run.starts_with(b"eyJ") => return json_web_token(text, end),
        b'-' => return private_key(text, start),
        b'2'..=b'6' => return (card::is_number(run) && !is_fraction(text, start)).then_some(end),
        _ => {}
    }
    let fits = |(prefix, rest): &(&str, Rest)| {
        let Some(body) = run.strip_prefix(prefix.as_bytes()) else { return false };
        match *rest {
            Rest::Mixed(least) => body.len() >= least && body.iter().any(u8::is_ascii_digit),
            Rest::Capitals(length) => {
                body.len() == length && body.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            }
            Rest::Hex(least) => {
                // Some have a number behind them: `dapi…-2`.
                let digits = body.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                digits >= least && matches!(body[digits..], [] | [b'-', b'0'..=b'9'])
            }
            Rest::Random(least) => {
                body.len() >= least
                    && body.iter().all(u8::is_ascii_alphanumeric)
                    && (body.iter().any(u8::is_ascii_digit)
                        || body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase))
            }
        }
    };
    let fits = PREFIXES.iter().any(|known| known.0.as_bytes()[0] == run[0] && fits(known));
    // Newer tokens of GitLab have parts behind dots.
    fits.then(|| if run.starts_with(b"glpat-") { behind_parts(text, end).0 } else { end })
}

/// Whether the digits from `start` on are those behind a decimal point.
fn is_fraction(text: &[u8], start: usize) -> bool {
    start >= 2 && text[start - 1] == b'.' && text[start - 2].is_ascii_digit()
}

/// Behind the parts that follow `end`, each after a dot, and how many there are.
fn behind_parts(text: &[u8], mut end: usize) -> (usize, usize) {
    let mut parts = 0;
    while text.get(end) == Some(&b'.') {
        let length = text[end + 1..].iter().take_while(|byte| is_base64url(**byte)).count();
        if length == 0 {
            break;
        }
        end += 1 + length;
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

/// `-----BEGIN … PRIVATE KEY-----` to the end of its footer, or of the text if that is cut off.
fn private_key(text: &[u8], start: usize) -> Option<usize> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    /// Longest name of a kind of key, and some more.
    const NAME: usize = 48;
    let rest = &text[start..];
    let name = rest.strip_prefix(BEGIN)?;
    find(&name[..name.len().min(NAME)], b"PRIVATE KEY")?;
    let text_end = text_end(rest);
    let Some(footer) = find(&rest[..text_end], END) else { return Some(start + text_end) };
    let behind = footer + END.len();
    let dashes = find(&rest[behind..text_end], b"-----").map_or(text_end, |dashes| behind + dashes + 5);
    Some(start + dashes)
}

/// Where the string ends in whose middle `text` begins: at the next quote, however deep it is.
fn text_end(text: &[u8]) -> usize {
    let quote = text.iter().position(|byte| *byte == b'"').unwrap_or(text.len());
    quote - text[..quote].iter().rev().take_while(|byte| **byte == b'\\').count()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// Tokens whose parts stand between dots, told by the short word before the first: SendGrid, Vault, Google, Doppler.
pub(super) fn dotted(text: &[u8], start: usize, dot: usize) -> Option<usize> {
    let least = match &text[start..dot] {
        b"SG" | b"dp" => 40,
        b"hvs" | b"hvb" | b"ya29" => 20,
        _ => return None,
    };
    let dots_too = |byte: &&u8| is_base64url(**byte) || **byte == b'.';
    let length = text[dot + 1..].iter().take_while(dots_too).count();
    (length >= least).then_some(dot + 1 + length)
}

/// What a scheme of the header `Authorization` is followed by; `space` is where its word ends.
pub(super) fn credentials(text: &[u8], start: usize, space: usize) -> Option<(usize, usize)> {
    let scheme = &text[start..space];
    if !scheme.eq_ignore_ascii_case(b"bearer") && !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let value = space + text[space..].iter().take_while(|byte| **byte == b' ').count();
    let in_token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let length = text[value..].iter().take_while(in_token).count();
    let token = &text[value..value + length];
    // Of the words that follow in prose few have digits.
    let mixed = token.iter().any(|byte| byte.is_ascii_digit() || *byte == b'=');
    (length >= 8 && mixed || length >= 24).then_some((value, value + length))
}

/// A Discord bot's token: its number in base64, of which the first digit is 1 or 2, and two parts behind dots.
pub(super) fn discord_token(text: &[u8], start: usize, dot: usize) -> Option<usize> {
    if !(23..=28).contains(&(dot - start)) || !matches!(text[start], b'M' | b'N' | b'O') {
        return None;
    }
    let (end, parts) = behind_parts(text, dot);
    let moment = text[dot + 1..].iter().take_while(|byte| is_base64url(**byte)).count();
    (parts == 2 && moment == 6 && end - dot >= 27).then_some(end)
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

/// The password in `scheme://user:password@host`, or the key in its place; `slashes` is where `//` begins.
pub(super) fn password_in_url(text: &[u8], slashes: usize) -> Option<(usize, usize)> {
    let start = slashes + 2;
    let ends = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b' ' | b'"' | b'\\' | b'\'' | b'<' | b'>' | b',');
    let authority = &text[start..];
    let authority = &authority[..authority.iter().position(ends).unwrap_or(authority.len())];
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let Some(colon) = authority[..at].iter().position(|byte| *byte == b':') else {
        // A name alone, or a key in its place.
        let is_key = at >= 20 && authority[..at].iter().any(u8::is_ascii_digit);
        return is_key.then_some((start, start + at));
    };
    if colon + 1 == at {
        // `https://key:@host`, as some send their key.
        return (colon > 0).then_some((start, start + colon));
    }
    Some((start + colon + 1, start + at))
}

/// What follows `hooks.slack.com/services/` and the like: the path is the secret.
pub(super) fn webhook(text: &[u8], start: usize) -> Option<(usize, usize)> {
    const HOOKS: [&[u8]; 3] =
        [b"hooks.slack.com/services/", b"discord.com/api/webhooks/", b"discordapp.com/api/webhooks/"];
    if !matches!(text[start], b'h' | b'd') {
        return None;
    }
    let rest = &text[start..];
    let hook = HOOKS.into_iter().find(|hook| rest.starts_with(hook))?;
    let length = rest[hook.len()..].iter().take_while(|byte| is_base64url(**byte) || **byte == b'/').count();
    (length > 0).then_some((start + hook.len(), start + hook.len() + length))
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
