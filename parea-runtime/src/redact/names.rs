//! Names whose values are secrets: of arguments, JSON members, struct fields in `Debug` texts, headers.
//!
//! A name is read from its end, since its last word says what it is: `user_password` is a password, `password_policy` is
//! a policy. Most names are told by their last two letters.

/// Whether a value of this name is a secret, in whatever case and spelling: `api_key`, `apiKey`, `APIKEY`, `X-Api-Key`.
///
/// A `token` is one, unless the word before it says that it is a piece of text (`next_token`) or of a list
/// (`page_token`); `tokens` are counts.
#[inline]
pub const fn is_secret_name(name: &str) -> bool {
    names_secret(name.as_bytes())
}

/// The same of a name that may be no text.
#[inline]
pub(super) const fn names_secret(name: &[u8]) -> bool {
    let end = trimmed(name, name.len());
    may_end(name, end, TAILS) && if is_latin(name, end) { is_secret(name, end) } else { is_foreign(name, end) }
}

/// Whether a word may be the name of a secret, by its end alone: most are told apart by this. One that says something of
/// the word before is none.
#[inline]
pub(super) const fn may_name_secret(word: &[u8]) -> bool {
    may_end(word, word.len(), NOUNS)
}

/// Whether a word that may name a secret ends with one that does.
pub(super) fn ends_with_noun(word: &[u8]) -> bool {
    let end = word.len();
    if !is_latin(word, end) {
        return true;
    }
    let mut at = usize::from(ALIKE.first[pair(word[end - 2] | 0x20, word[end - 1] | 0x20)]);
    while at > 0 {
        let (noun, meaning) = WORDS[at - 1];
        if !matches!(meaning, Qualifier) && ends_with(word, 0, end, noun) {
            return true;
        }
        at = usize::from(ALIKE.next[at - 1]);
    }
    false
}

/// Whether a secret of this name has one value for once, which is short and may be digits alone.
pub(super) fn is_one_time(name: &[u8]) -> bool {
    const WORDS: [&str; 7] = ["code", "otp", "pin", "cvv", "cvc", "ssn", "number"];
    let end = trimmed(name, name.len());
    let start = word_start(name, end);
    is_one_of(name, start, end, &WORDS)
}

/// For each pair of last letters the letters before them, as bits.
type Tails = [u32; 26 * 26];

/// Of all words, and of those that are no qualifiers.
const TAILS: &Tails = &tails(true);
const NOUNS: &Tails = &tails(false);

const fn tails(all: bool) -> Tails {
    let mut tails = [0; 26 * 26];
    let mut at = 0;
    while at < WORDS.len() {
        let (word, meaning) = (WORDS[at].0.as_bytes(), WORDS[at].1);
        let end = word.len();
        if all || !matches!(meaning, Qualifier) {
            tails[pair(word[end - 2], word[end - 1])] |= if end > 2 { 1 << (word[end - 3] - b'a') } else { u32::MAX };
        }
        at += 1;
    }
    tails
}

const fn pair(last_but_one: u8, last: u8) -> usize {
    (last - b'a') as usize * 26 + (last_but_one - b'a') as usize
}

/// Whether the last two letters are of ASCII.
const fn is_latin(name: &[u8], end: usize) -> bool {
    (name[end - 1] | name[end - 2]) < 0x80
}

/// Whether some word below ends with the letters before `end`, or whether they are of no Latin script.
#[inline]
const fn may_end(name: &[u8], end: usize, tails: &Tails) -> bool {
    if end < 2 {
        return false;
    }
    let (last_but_one, last) = (name[end - 2] | 0x20, name[end - 1] | 0x20);
    if !last_but_one.is_ascii_lowercase() || !last.is_ascii_lowercase() {
        return !is_latin(name, end);
    }
    // What is no letter has another bit.
    let before = if end > 2 { (name[end - 3] | 0x20).wrapping_sub(b'a') & 31 } else { 31 };
    tails[pair(last_but_one, last)] >> before & 1 == 1
}

/// For each pair of last letters the first word that ends with them, and for each word the next one; one more than their
/// places, 0 is none.
struct Alike {
    first: [u8; 26 * 26],
    next: [u8; WORDS.len()],
}

const ALIKE: &Alike = &{
    let mut alike = Alike { first: [0; 26 * 26], next: [0; WORDS.len()] };
    let mut at = WORDS.len();
    // From the last, so that they come in order.
    while at > 0 {
        let word = WORDS[at - 1].0.as_bytes();
        let pair = pair(word[word.len() - 2], word[word.len() - 1]);
        alike.next[at - 1] = alike.first[pair];
        alike.first[pair] = at as u8;
        at -= 1;
    }
    alike
};

/// What the last word of a name says of its value.
#[derive(Clone, Copy)]
enum Meaning {
    /// It is a secret.
    Secret,
    /// The same, also for words that only end like this, written as one: `dbpassword`.
    SecretTail,
    /// The word before decides: it is a secret behind one of these.
    SecretAfter(&'static [&'static str]),
    /// It is a secret, but not behind one of these.
    PlainAfter(&'static [&'static str]),
    /// It says something of what the words before name.
    Qualifier,
}

use Meaning::{PlainAfter, Qualifier, Secret, SecretAfter, SecretTail};

/// Which keys are secrets.
const SECRET_KEYS: &[&str] = &[
    "api",
    "access",
    "secret",
    "private",
    "signing",
    "signature",
    "encryption",
    "decryption",
    "auth",
    "ssh",
    "pgp",
    "gpg",
    "hmac",
    "master",
    "service",
    "subscription",
    "account",
    "provider",
    "license",
    "bearer",
    "client",
    "shared",
    "preshared",
    "deploy",
    "app",
    "admin",
    "functions",
    "webhook",
    "aes",
    "fernet",
    "ai",
    "openai",
    "anthropic",
    "claude",
    "gemini",
    "groq",
    "mistral",
    "cohere",
    "azure",
    "nuget",
];

/// Which tokens are pieces of a model's text, or marks of a place in a list.
const PLAIN_TOKENS: &[&str] = &[
    "next",
    "stop",
    "eos",
    "bos",
    "pad",
    "unk",
    "sep",
    "cls",
    "mask",
    "special",
    "first",
    "last",
    "per",
    "page",
    "continuation",
    "start",
    "end",
    "begin",
    "prompt",
    "input",
    "output",
    "completion",
    "total",
    "image",
    "audio",
    "thinking",
    "reasoning",
    "cached",
    "max",
    "min",
    "previous",
    "prev",
    "current",
    "decoded",
    "new",
    "each",
    "top",
];

/// Which tokens are secrets even in the plural, which otherwise counts.
const SECRET_TOKENS: &[&str] = &["api", "access", "auth", "refresh", "bearer", "secret", "session"];

/// Whose `pass` is a password.
const LOGINS: &[&str] = &[
    "user", "db", "database", "smtp", "imap", "mail", "email", "ftp", "sftp", "ssh", "admin", "root", "login", "mysql",
    "postgres", "pg", "redis", "mongo", "amqp", "proxy", "http", "auth", "wifi", "master", "become", "sudo", "my",
];

/// Whose `code` lets somebody in.
const ONE_TIME: &[&str] = &[
    "recovery",
    "backup",
    "verification",
    "authorization",
    "auth",
    "otp",
    "mfa",
    "sms",
    "time",
    "pin",
    "security",
    "access",
    "login",
    "unlock",
    "device",
    "pairing",
    "invite",
    "reset",
];

/// Whose personal access token is called a `pat`.
const HOSTS: &[&str] = &["github", "gitlab", "gh", "ado", "azure", "ext", "databricks", "airtable", "jira"];

/// The words that mean something, longer ones before their tails.
const WORDS: &[(&str, Meaning)] = &[
    ("password", SecretTail),
    ("passwords", Secret),
    ("passwd", SecretTail),
    ("pwd", Secret),
    ("pw", Secret),
    ("sshpass", Secret),
    ("pgpass", Secret),
    ("dbpass", Secret),
    ("userpass", Secret),
    ("storepass", Secret),
    ("keypass", Secret),
    ("requirepass", Secret),
    ("masterauth", Secret),
    ("psk", Secret),
    ("dsn", Secret),
    ("mnemonic", Secret),
    ("jsessionid", Secret),
    ("phpsessid", Secret),
    ("passwort", SecretTail),
    ("kennwort", SecretTail),
    ("senha", Secret),
    ("contrasena", Secret),
    ("wachtwoord", SecretTail),
    // Swedish, with another letter in front.
    ("senord", SecretTail),
    ("heslo", Secret),
    ("salasana", Secret),
    ("passe", SecretAfter(&["de"])),
    ("passphrase", SecretTail),
    ("passcode", Secret),
    ("secret", SecretTail),
    ("secrets", Secret),
    ("credential", Secret),
    ("credentials", Secret),
    ("creds", Secret),
    ("authorization", SecretTail),
    ("auth", Secret),
    ("bearer", Secret),
    ("jwt", Secret),
    ("cookie", Secret),
    ("cookies", Secret),
    ("cvv", Secret),
    ("cvc", Secret),
    ("ssn", Secret),
    ("otp", Secret),
    ("totp", Secret),
    ("apikey", SecretTail),
    ("apikeys", SecretTail),
    ("secretkey", SecretTail),
    ("privatekey", SecretTail),
    ("privkey", SecretTail),
    ("accesskey", SecretTail),
    ("key", SecretAfter(SECRET_KEYS)),
    ("keys", SecretAfter(SECRET_KEYS)),
    ("accesstoken", SecretTail),
    ("authtoken", SecretTail),
    ("apitoken", SecretTail),
    ("idtoken", Secret),
    ("identitytoken", Secret),
    ("sessiontoken", Secret),
    ("refreshtoken", Secret),
    ("token", PlainAfter(PLAIN_TOKENS)),
    ("tokens", SecretAfter(SECRET_TOKENS)),
    ("number", SecretAfter(&["card", "security"])),
    ("pat", SecretAfter(HOSTS)),
    ("verifier", SecretAfter(&["code"])),
    ("assertion", SecretAfter(&["client"])),
    ("response", SecretAfter(&["saml"])),
    ("answer", SecretAfter(&["security", "secret"])),
    ("seed", SecretAfter(&["wallet"])),
    ("word", SecretAfter(&["pass"])),
    ("card", SecretAfter(&["credit", "debit"])),
    ("string", SecretAfter(&["connection"])),
    ("phrase", SecretAfter(&["seed", "recovery", "backup", "secret", "pass", "mnemonic"])),
    ("code", SecretAfter(ONE_TIME)),
    ("codes", SecretAfter(ONE_TIME)),
    // By itself it is as often the verdict of a test.
    ("pass", SecretAfter(LOGINS)),
    ("pem", Qualifier),
    ("binary", Qualifier),
    ("base", Qualifier),
    ("hex", Qualifier),
    ("json", Qualifier),
    ("value", Qualifier),
    ("hash", Qualifier),
    ("plain", Qualifier),
    ("plaintext", Qualifier),
    ("text", Qualifier),
    ("raw", Qualifier),
    ("header", Qualifier),
    ("str", Qualifier),
    ("bytes", Qualifier),
    ("data", Qualifier),
    ("part", Qualifier),
    ("old", Qualifier),
    ("current", Qualifier),
    ("confirm", Qualifier),
    ("confirmation", Qualifier),
    ("encrypted", Qualifier),
    ("encoded", Qualifier),
    ("env", Qualifier),
    ("var", Qualifier),
];

/// What a password is called in scripts and with letters beyond ASCII, small and with a capital.
const FOREIGN: &[&str] = &[
    "contraseña",
    "hasło",
    "Hasło",
    "пароль",
    "Пароль",
    "密码",
    "密碼",
    "口令",
    "パスワード",
    "暗証番号",
    "비밀번호",
    "密钥",
];

/// Whether the name ends with one of them. Some scripts do not part words.
const fn is_foreign(name: &[u8], end: usize) -> bool {
    let mut at = 0;
    while at < FOREIGN.len() {
        let word = FOREIGN[at].as_bytes();
        let mut alike = 0;
        while alike < word.len() && alike < end && name[end - 1 - alike] == word[word.len() - 1 - alike] {
            alike += 1;
        }
        if alike == word.len() {
            return true;
        }
        at += 1;
    }
    false
}

/// Reads words from the end until one decides.
const fn is_secret(name: &[u8], mut end: usize) -> bool {
    loop {
        let start = word_start(name, end);
        let Some(meaning) = meaning(name, start, end) else { return false };
        let before_end = trimmed(name, start);
        match meaning {
            Secret | SecretTail => return true,
            SecretAfter(words) => return is_one_of(name, word_start(name, before_end), before_end, words),
            PlainAfter(words) => return !is_one_of(name, word_start(name, before_end), before_end, words),
            Qualifier if before_end == 0 => return false,
            Qualifier => end = before_end,
        }
    }
}

/// What the word `start..end` says.
#[inline]
const fn meaning(name: &[u8], start: usize, end: usize) -> Option<Meaning> {
    if end - start < 2 {
        return None;
    }
    let (last_but_one, last) = (name[end - 2] | 0x20, name[end - 1] | 0x20);
    if !last_but_one.is_ascii_lowercase() || !last.is_ascii_lowercase() {
        return None;
    }
    let mut at = ALIKE.first[pair(last_but_one, last)] as usize;
    while at > 0 {
        let (word, meaning) = WORDS[at - 1];
        let whole = end - start == word.len();
        // One that may be a tail is known in `passWord` and `dbpassword` as well.
        if matches!(meaning, SecretTail) {
            if ends_with(name, 0, end, word) && run_start(name, start) + word.len() <= end {
                return Some(meaning);
            }
        } else if whole && ends_with(name, start, end, word) {
            return Some(meaning);
        }
        at = ALIKE.next[at - 1] as usize;
    }
    None
}

const fn is_one_of(name: &[u8], start: usize, end: usize, words: &[&str]) -> bool {
    let mut at = 0;
    while at < words.len() {
        if end - start == words[at].len() && ends_with(name, start, end, words[at]) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether `start..end` ends with these small letters, in whatever case.
const fn ends_with(name: &[u8], start: usize, end: usize, tail: &str) -> bool {
    let tail = tail.as_bytes();
    if end - start < tail.len() {
        return false;
    }
    // From the front: of those that are asked about, the ends are alike.
    let from = end - tail.len();
    let mut at = 0;
    while at < tail.len() {
        if name[from + at] | 0x20 != tail[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Where the name ends when what is no letter is left out at its end: separators, and numbers as in `password2`.
const fn trimmed(name: &[u8], mut end: usize) -> usize {
    while end > 0 && !is_letter(name[end - 1]) {
        end -= 1;
    }
    end
}

/// Bytes beyond ASCII are letters of some language.
const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// Where the word begins that ends at `end`: behind a separator or a digit, or at a hump of `camelCase` or `HTTPKey`.
const fn word_start(name: &[u8], end: usize) -> usize {
    let mut start = end;
    while start > 0 && is_letter(name[start - 1]) {
        start -= 1;
        if start > 0 && name[start].is_ascii_uppercase() && is_letter(name[start - 1]) {
            let after_small = !name[start - 1].is_ascii_uppercase();
            let before_small = start + 1 < end && !name[start + 1].is_ascii_uppercase();
            if after_small || before_small {
                break;
            }
        }
    }
    start
}

/// Where the letters begin that `start` is among.
const fn run_start(name: &[u8], mut start: usize) -> usize {
    while start > 0 && is_letter(name[start - 1]) {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in words; each is tried in every spelling.
    const SECRET: &str = "password, user password, password hash, db passwd, pwd, passphrase, secret, client secret, secrets, \
        secret value, secret key, token, access token, refresh token, id token, auth token, github token, \
        csrf token, token value, api tokens, api key, openai api key, x api key, api keys, access key, \
        aws secret access key, private key, ssh key, signing key, authorization, proxy authorization, auth, \
        basic auth, bearer, jwt, cookie, set cookie, credentials, creds, credit card, card number, \
        credit card number, cvv, ssn, otp, connection string, old password, new password, \
        password confirmation, session token, subscription key, \
        db pass, user pass, private key pem, secret key base, credentials json, client key data, secret key part, \
        seed phrase, recovery codes, auth code";
    const PLAIN: &str = ", a, id, key, name, tokens, max tokens, input tokens, total tokens, token count, token id, \
        tokenizer, time to first token, next token, next page token, eos token, cost per token, \
        password policy, password length, secretary, secret santa, author, authors, authority, cache key, \
        primary key, public key, foreign key, keyboard, monkey, turkey, question, text, value, hash, \
        string, number, card, query string, order number, session id, user id, username, email, trace id, \
        compass, passenger, pin, keys, cookie banner, options, header, description, completion tokens, \
        logprobs, decoded token, country code, status code, error codes, search phrase, data, form data, top p, \
        pass, all pass, passes, json, base, hex, primary key json";

    /// `word word` as `word_word`, `word-word`, `WordWord`, `wordWord`, `WORD_WORD`, and with a number behind.
    fn spellings(words: &str) -> Vec<String> {
        let humps: Vec<String> = words
            .split(' ')
            .map(|word| word.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(word.chars().skip(1)).collect())
            .collect();
        let pascal = humps.concat();
        let camel = words.split(' ').take(1).map(str::to_owned).chain(humps.iter().skip(1).cloned()).collect();
        let snake = words.replace(' ', "_");
        vec![snake.to_uppercase(), words.replace(' ', "-"), humps.join("-"), pascal, camel, format!("{snake}2"), snake]
    }

    #[test]
    fn a_name_is_a_secret_in_every_spelling_or_in_none() {
        for (list, expected) in [(SECRET, true), (PLAIN, false)] {
            for spelling in list.split(", ").flat_map(spellings) {
                assert_eq!(is_secret_name(&spelling), expected, "{spelling}");
            }
        }
    }

    #[test]
    fn words_written_as_one_and_in_capitals() {
        for name in
            ["apikey", "APIKEY", "APIKey", "OpenAIApiKey", "HTTPAuthToken", "dbpassword", "accesstoken", "PGPASSWORD"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["größe", "ключ", "tokens2", "_", "__", "12", "x".repeat(500).as_str(), "maxtokens", "Tokens"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
        assert!(is_secret_name(&format!("{}_password", "x".repeat(500))));
        assert!(is_secret_name(&format!("{}password", "x".repeat(500))));
    }

    #[test]
    fn it_can_be_asked_at_compile_time() {
        const ASKED: bool = is_secret_name("api_key");
        const { assert!(ASKED) }
    }
}
