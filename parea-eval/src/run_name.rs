//! Names of runs that can be said aloud.

const ADJECTIVES: [&str; 32] = [
    "able", "amber", "bold", "brave", "brisk", "calm", "clear", "crisp", "deft", "early", "fair", "fleet", "fresh",
    "gentle", "glad", "grand", "keen", "kind", "light", "lively", "lucid", "merry", "mild", "noble", "plain", "proud",
    "quick", "quiet", "sharp", "sunny", "swift", "warm",
];

const NOUNS: [&str; 32] = [
    "ash", "badger", "birch", "brook", "cedar", "comet", "crane", "delta", "elm", "falcon", "fern", "finch", "fjord",
    "harbor", "heron", "lark", "lynx", "maple", "meadow", "otter", "pine", "raven", "reed", "ridge", "robin",
    "sparrow", "spruce", "summit", "thistle", "tide", "willow", "wren",
];

/// A name such as `swift-otter-4d1f`.
pub(crate) fn made_up() -> String {
    let pick = |words: &[&'static str; 32]| words[fastrand::usize(..32)];
    format!("{}-{}-{:04x}", pick(&ADJECTIVES), pick(&NOUNS), fastrand::u16(..))
}

/// What is wrong with a name: servers take letters, digits, `-`, `_` and `'`.
pub(crate) fn fault(name: &str) -> Option<String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '\'');
    (name.is_empty() || !name.chars().all(allowed))
        .then(|| format!("run name `{name}` cannot be used: names are made of letters, digits, `-`, `_` and `'`"))
}
