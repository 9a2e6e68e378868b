//! What stands around the words that were found, on one line.

use std::ops::Range;

use parea_store::text::Word;

use super::markup::Markup;

/// Characters before a word.
const BEFORE: usize = 48;
/// Characters behind it, of a single term and of several.
const BEHIND: [usize; 2] = [200, 70];
/// Characters of the word itself; a phrase may be long.
const LONGEST: usize = 200;
/// Places of a text that are shown.
const PLACES: usize = 3;
/// Characters that may be given up for ending at a space.
const SLACK: usize = 20;

/// A short text as a whole, its words marked.
pub(super) fn whole(text: &str, words: &[Word]) -> Markup {
    let mut line = Line::default();
    line.write(text, 0..text.len(), &merged(words));
    line.markup()
}

/// The first word of each term with what stands around it; a gap is a `…`.
pub(super) fn around(text: &str, words: &[Word]) -> Markup {
    let marks = merged(words);
    let mut line = Line::default();
    let mut end = 0;
    for place in places(text, words) {
        if !text[end..place.start].trim().is_empty() {
            line.push(false, if end == 0 { "… " } else { " … " });
        }
        end = place.end;
        line.write(text, place, &marks);
    }
    if !text[end..].trim().is_empty() {
        line.push(false, " …");
    }
    line.markup()
}

/// The parts of the text that are shown, in order and apart.
fn places(text: &str, words: &[Word]) -> Vec<Range<usize>> {
    let mut terms: Vec<usize> = Vec::new();
    let mut firsts = Vec::new();
    for word in words {
        if !terms.contains(&word.term) {
            terms.push(word.term);
            firsts.push(&word.range);
        }
    }
    let behind = BEHIND[usize::from(terms.len() > 1)];
    let mut places: Vec<Range<usize>> = Vec::new();
    for word in firsts {
        let seen = places.last().map_or(0, |last| last.end);
        if word.end <= seen {
            continue;
        }
        let start = start_before(text, word.start);
        let end = end_behind(text, word.end.min(forth(text, word.start, LONGEST)), behind);
        let count = places.len();
        match places.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ if count == PLACES => break,
            _ => places.push(start..end),
        }
    }
    places
}

fn start_before(text: &str, at: usize) -> usize {
    let start = text[..at].char_indices().rev().take(BEFORE).last().map_or(at, |(start, _)| start);
    let skipped = &text[start..forth(text, start, SLACK).min(at)];
    if start == 0 { 0 } else { start + skipped.find(char::is_whitespace).unwrap_or_default() }
}

fn end_behind(text: &str, at: usize, characters: usize) -> usize {
    let end = forth(text, at, characters);
    let last = text[at..end].char_indices().rev().take(SLACK).last().map_or(end, |(start, _)| at + start);
    if end == text.len() { end } else { text[last..end].rfind(char::is_whitespace).map_or(end, |space| last + space) }
}

/// That many characters further on.
fn forth(text: &str, at: usize, characters: usize) -> usize {
    text[at..].char_indices().nth(characters).map_or(text.len(), |(length, _)| at + length)
}

/// The ranges of the words without overlap.
fn merged(words: &[Word]) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for Word { range, .. } in words {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range.clone()),
        }
    }
    merged
}

/// Pieces of text whose spaces, of whatever kind and number, are single ones.
#[derive(Default)]
struct Line {
    pieces: Vec<(bool, String)>,
}

impl Line {
    /// A part of the text, the marks within it marked.
    fn write(&mut self, text: &str, part: Range<usize>, marks: &[Range<usize>]) {
        let mut at = part.start;
        for mark in marks.iter().filter(|mark| mark.end > part.start && mark.start < part.end) {
            let (start, end) = (mark.start.max(part.start), mark.end.min(part.end));
            self.push(false, &text[at..start]);
            self.push(true, &text[start..end]);
            at = end;
        }
        self.push(false, &text[at..part.end]);
    }

    fn push(&mut self, is_marked: bool, text: &str) {
        let mut spaced = self.pieces.last().is_none_or(|(_, last)| last.ends_with(' '));
        let mut piece = String::with_capacity(text.len());
        for character in text.chars() {
            let is_space = character.is_whitespace() || character.is_control();
            if !(is_space && spaced) {
                piece.push(if is_space { ' ' } else { character });
            }
            spaced = is_space;
        }
        if !piece.is_empty() {
            self.pieces.push((is_marked, piece));
        }
    }

    fn markup(&self) -> Markup {
        Markup::marked(self.pieces.iter().map(|(is_marked, text)| (*is_marked, text.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use parea_store::text::TextQuery;
    use proptest::prelude::*;

    use super::*;

    fn shown(query: &str, text: &str) -> String {
        around(text, &TextQuery::parse(query).unwrap().words(text)).to_string()
    }

    #[test]
    fn the_words_stand_among_their_neighbours() {
        assert_eq!(shown("refund", "A\n\n  <b>refund</b>\0 &c"), "A &lt;b&gt;<mark>refund</mark>&lt;/b&gt; &amp;c");
        assert_eq!(shown("\"of order\" order 42", "x of order 42"), "x <mark>of order</mark> <mark>42</mark>");
        let far = format!("{}refund {}order{}", "left ".repeat(100), "between ".repeat(100), " right".repeat(100));
        let line = shown("refund order", &far);
        assert!(line.starts_with("… left left") && line.ends_with("right …"), "{line}");
        assert!(line.contains("left <mark>refund</mark> between"), "{line}");
        assert!(line.contains("between … between") && line.contains("between <mark>order</mark> right"), "{line}");
        assert!(line.len() < 600, "{line}");
    }

    proptest! {
        #[test]
        fn a_line_is_short_and_has_a_mark(
            before in "[a退 é\n]{0,300}", word in "[a退é]{1,3}", behind in "[a退 é\n]{0,600}",
        ) {
            let text = format!("{before} {word} {behind}");
            let line = shown(&word, &text);
            prop_assert!(line.contains("<mark>"), "{}", line);
            let plain = line.replace("<mark>", "").replace("</mark>", "");
            prop_assert!(plain.chars().count() <= BEFORE + LONGEST + BEHIND[0] + 4, "{}", line);
            prop_assert!(!plain.contains("  ") && !plain.contains('\n'), "{}", plain);
        }
    }
}
