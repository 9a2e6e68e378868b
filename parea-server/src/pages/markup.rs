//! HTML made by hand: foreign text, escaped, coloured, and cut where it would drown the page.

use std::fmt;

use askama::filters::HtmlSafe;

/// Finished HTML. Only this module makes it; templates print it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

impl Markup {
    /// Text of which the pieces with `true` are marked as found.
    pub(super) fn marked<'a>(pieces: impl IntoIterator<Item = (bool, &'a str)>) -> Self {
        let mut html = String::new();
        for (is_marked, text) in pieces {
            html.push_str(if is_marked { "<mark>" } else { "" });
            escape(&mut html, text);
            html.push_str(if is_marked { "</mark>" } else { "" });
        }
        Self(html)
    }
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Key,
    Text,
    Number,
    Word,
}

impl Ink {
    fn class(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Key => Some("key"),
            Self::Text => Some("text"),
            Self::Number => Some("number"),
            Self::Word => Some("word"),
        }
    }
}

/// How much of a value is shown at once, and how much may be sent at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Characters before the fold.
    pub(super) head: usize,
    /// Lines before the fold.
    pub(super) lines: usize,
    /// Characters before the end.
    pub(super) total: usize,
}

impl Limits {
    /// For a value in the side pane.
    pub(super) const VALUE: Self = Self { head: 1_800, lines: 32, total: 200_000 };
    /// For one of many messages.
    pub(super) const MESSAGE: Self = Self { head: 900, lines: 14, ..Self::VALUE };
    /// For a value that is folded as a whole, such as the raw log.
    pub(super) const WHOLE: Self = Self { head: usize::MAX, lines: usize::MAX, total: 400_000 };

    fn fold(self) -> Self {
        // A fold that hides next to nothing is worse than none.
        Self { head: self.head.saturating_add(self.head / 4), lines: self.lines.saturating_add(self.lines / 4), ..self }
    }
}

/// A value laid out as pieces of ink, before it is cut.
#[derive(Default)]
pub(super) struct Value {
    pieces: Vec<(Ink, String)>,
    characters: usize,
    lines: usize,
}

impl Value {
    /// Text with its line breaks.
    pub(super) fn text(text: &str) -> Self {
        let mut value = Self::default();
        value.push(Ink::Plain, text);
        value
    }

    /// Appends a piece. Neighbours of the same ink grow together.
    pub(super) fn push(&mut self, ink: Ink, text: &str) {
        self.characters += text.chars().count();
        self.lines += text.matches('\n').count();
        match self.pieces.last_mut() {
            Some((last, grown)) if *last == ink => grown.push_str(text),
            _ => self.pieces.push((ink, text.to_owned())),
        }
    }

    /// Characters so far, to stop in time.
    pub(super) fn characters(&self) -> usize {
        self.characters
    }

    /// The HTML: all of it, or the beginning with the rest in a `<details>`.
    pub(super) fn markup(&self, limits: Limits) -> Markup {
        let mut html = String::with_capacity(self.characters.min(limits.total) * 2);
        let within = limits.fold();
        if self.characters <= within.head && self.lines <= within.lines {
            let mut all = Budget { characters: limits.total, lines: usize::MAX };
            self.write(&mut html, &mut all, 0);
            return Markup(html);
        }
        let mut head = Budget { characters: limits.head, lines: limits.lines };
        let shown = self.write(&mut html, &mut head, 0);
        html.push_str("<details class=\"rest\"><summary>Show all ");
        html.push_str(&super::figures::exact(self.characters as i64));
        html.push_str(" characters</summary>");
        let mut rest = Budget { characters: limits.total, lines: usize::MAX };
        let end = self.write(&mut html, &mut rest, shown);
        if end < self.bytes() {
            html.push_str("<p class=\"note\">The rest is too long for a page; the API has it.</p>");
        }
        html.push_str("</details>");
        Markup(html)
    }

    fn bytes(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.len()).sum()
    }

    /// Writes from the byte `from` until the budget is spent; answers with the byte at which it stopped.
    fn write(&self, html: &mut String, budget: &mut Budget, from: usize) -> usize {
        let mut offset = 0;
        for (ink, text) in &self.pieces {
            let skipped = from.saturating_sub(offset).min(text.len());
            let wanted = &text[skipped..];
            offset += skipped;
            let taken = budget.take(wanted);
            if !taken.is_empty() {
                span(html, *ink, taken);
            }
            offset += taken.len();
            if taken.len() < wanted.len() {
                break;
            }
        }
        offset
    }
}

struct Budget {
    characters: usize,
    lines: usize,
}

impl Budget {
    /// The longest beginning of `text` that it still pays for, ending at a line or a word if one ends nearby.
    fn take<'a>(&mut self, text: &'a str) -> &'a str {
        for (at, character) in text.char_indices() {
            if self.characters == 0 || self.lines == 0 {
                let paid = &text[..at];
                return if self.lines == 0 { paid } else { whole_words(paid) };
            }
            self.characters -= 1;
            self.lines -= usize::from(character == '\n');
        }
        text
    }
}

fn whole_words(text: &str) -> &str {
    match text.rfind(char::is_whitespace) {
        Some(space) if text.len() - space < 100 => {
            let end = space + text[space..].chars().next().map_or(0, char::len_utf8);
            &text[..end]
        }
        _ => text,
    }
}

fn span(html: &mut String, ink: Ink, text: &str) {
    if let Some(class) = ink.class() {
        html.push_str("<span class=\"");
        html.push_str(class);
        html.push_str("\">");
        escape(html, text);
        html.push_str("</span>");
    } else {
        escape(html, text);
    }
}

fn escape(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&#34;"),
            '\'' => html.push_str("&#39;"),
            // Browsers drop or refuse these; shown, they are at least seen.
            '\0' => html.push('\u{2400}'),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader sees, tags removed and entities read.
    fn seen(markup: &Markup) -> String {
        let mut text = String::new();
        let mut inside = false;
        for character in markup.0.chars() {
            match character {
                '<' => inside = true,
                '>' if inside => inside = false,
                other if !inside => text.push(other),
                _ => {}
            }
        }
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn a_cut_value_shows_every_character_once(
            pieces in prop::collection::vec(("[a-z<>&\"' \n\u{e9}]{0,40}", any::<bool>()), 0..12),
            head in 1usize..60,
            lines in 1usize..6,
        ) {
            let mut value = Value::default();
            let mut whole = String::new();
            for (text, key) in &pieces {
                value.push(if *key { Ink::Key } else { Ink::Plain }, text);
                whole.push_str(text);
            }
            let markup = value.markup(Limits { head, lines, total: 10_000 });
            let note = format!("Show all {} characters", whole.chars().count());
            prop_assert_eq!(seen(&markup).replacen(&note, "", 1), whole);
        }
    }

    #[test]
    fn what_is_too_long_for_a_page_is_left_to_the_api() {
        let markup = Value::text(&"word ".repeat(1_000)).markup(Limits { head: 50, lines: 9, total: 200 });
        assert!(markup.0.len() < 600, "{markup}");
        assert!(markup.0.contains("Show all 5,000 characters"), "{markup}");
        assert!(markup.0.contains("the API has it"), "{markup}");
    }
}
