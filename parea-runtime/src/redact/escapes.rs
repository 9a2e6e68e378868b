//! Steps over blanks, quotes and backslashes inside a JSON string, whose text may hold JSON itself.

/// Backslashes from `at` on.
pub(super) fn slashes(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b'\\').count()
}

/// Behind the backslashes at `at`, if there are some and this letter follows.
fn escape(text: &[u8], at: usize, letters: &[u8]) -> Option<usize> {
    let letter = at + slashes(text, at);
    (letter > at && text.get(letter).is_some_and(|byte| letters.contains(byte))).then_some(letter + 1)
}

fn behind(text: &[u8], mut at: usize, letters: &[u8]) -> usize {
    loop {
        at += text.get(at..).unwrap_or_default().iter().take_while(|byte| is_blank(**byte)).count();
        let Some(next) = escape(text, at, letters) else { return at };
        at = next;
    }
}

/// Behind blanks and the escapes of tabs.
pub(super) fn blanks(text: &[u8], at: usize) -> usize {
    behind(text, at, b"t")
}

/// Behind blanks and the escapes of line ends and tabs, as `{:#?}` leaves them between a bracket and what it holds.
pub(super) fn blank_lines(text: &[u8], at: usize) -> usize {
    behind(text, at, b"nrt")
}

/// The same to the left of `end`, not beyond `from`.
pub(super) fn blank_before(text: &[u8], from: usize, mut end: usize) -> usize {
    loop {
        while end > from && is_blank(text[end - 1]) {
            end -= 1;
        }
        if end < from + 2 || !matches!(text[end - 1], b'n' | b'r' | b't') || text[end - 2] != b'\\' {
            return end;
        }
        end -= 1;
        while end > from && text[end - 1] == b'\\' {
            end -= 1;
        }
    }
}

/// Before the quote that stands to the left of `start`, and its backslashes.
pub(super) fn before_quote(text: &[u8], from: usize, start: usize) -> usize {
    let quote = start.saturating_sub(1).max(from);
    quote - text[from..quote].iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// Where the text begins that a quote opens at `at`, and which quote: `"` with its backslashes, `'` or a backtick.
pub(super) fn opened(text: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let slashes = slashes(text, at);
    match text.get(at + slashes)? {
        b'"' if slashes % 2 == 1 => Some((at + slashes + 1, &text[at..=at + slashes])),
        b'\'' | b'`' if slashes == 0 => Some((at + 1, &text[at..=at])),
        _ => None,
    }
}

/// Where a text ends that was opened by this quote and begins at `start`.
pub(super) fn closed(text: &[u8], start: usize, quote: &[u8]) -> usize {
    if quote.len() > 1 {
        return closing_quote(text, start, quote.len() - 1);
    }
    let length = text[start..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\') && **byte != quote[0]).count();
    start + length
}

/// Where a text ends that was opened by a quote with so many backslashes.
pub(super) fn closing_quote(text: &[u8], start: usize, slashes: usize) -> usize {
    let mut run = 0;
    for (at, byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'\\' => run += 1,
            // An even number are escaped themselves, and the quote ends the string around it all.
            b'"' if run <= slashes || run % 2 == 0 => return at - run,
            _ => run = 0,
        }
    }
    text.len()
}

/// A quote as HTML writes it, which begins at `at`.
pub(super) fn entity(text: &[u8], at: usize) -> Option<&'static [u8]> {
    ENTITIES.into_iter().find(|entity| text[at..].starts_with(entity))
}

/// Where such a quote begins that ends at `end`.
pub(super) fn entity_before(text: &[u8], from: usize, end: usize) -> Option<usize> {
    ENTITIES.into_iter().find(|entity| text[from..end].ends_with(entity)).map(|entity| end - entity.len())
}

const ENTITIES: [&[u8]; 6] = [b"&quot;", b"&#34;", b"&#39;", b"&#x27;", b"&#x22;", b"&apos;"];

/// What a name may have in it.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' '
}

/// The first place of `wanted` in `text`.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
