//! One line that tells what went in and what came out, from the mere beginning of either.

use std::cmp::Reverse;

/// Most characters of a line; what is wider than a screen is not read.
const WIDEST: usize = 220;

/// The begin of inputs, JSON text that may end anywhere: `How do I …` for a single argument, else `question: How …, k: 4`,
/// texts before numbers and structures, the longest first, for that is what the call was about.
pub(super) fn inputs(json: &str) -> String {
    let mut scan = Scan::default();
    json.trim_start().chars().for_each(|character| scan.take(character));
    let members: Vec<Member> = scan.members.into_iter().filter(|member| member.valued).collect();
    if let [only] = &*members {
        return line(&only.value);
    }
    let (mut texts, others): (Vec<Member>, Vec<Member>) = members.into_iter().partition(|member| member.text);
    texts.sort_by_key(|member| Reverse(member.value.len()));
    let written = texts.iter().chain(&others).map(|member| format!("{}: {}", member.key, member.value.trim()));
    line(&written.collect::<Vec<_>>().join(", "))
}

/// An output, which may end anywhere: an object as [`inputs`] are, any other text as it is.
pub(super) fn output(text: &str) -> String {
    if text.trim_start().starts_with('{') { inputs(text) } else { line(text) }
}

/// Any text on one line.
pub(super) fn line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(WIDEST));
        if line.len() > WIDEST {
            break;
        }
    }
    line
}

/// One member of the object.
#[derive(Default)]
struct Member {
    key: String,
    value: String,
    /// Whether its colon was read: what comes is its value.
    valued: bool,
    /// Whether the value is a text, which has lost its quotes.
    text: bool,
}

/// Reads an object's text without asking that it be whole.
#[derive(Default)]
struct Scan {
    members: Vec<Member>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn take(&mut self, character: char) {
        if self.in_string {
            self.inside(character);
            return;
        }
        match (character, self.depth) {
            ('{', 0) => self.enter(),
            ('}', 1) => self.depth = 0,
            (',', 1) => self.members.push(Member::default()),
            (':', 1) => self.member().valued = true,
            ('"', 1) => {
                self.in_string = true;
                let member = self.member();
                member.text = member.valued;
            }
            _ => {
                match character {
                    '"' => self.in_string = true,
                    '{' | '[' => self.depth += 1,
                    '}' | ']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.write(character);
            }
        }
    }

    fn inside(&mut self, character: char) {
        let escaped = std::mem::take(&mut self.escaped);
        match character {
            '\\' if !escaped => self.escaped = true,
            '"' if !escaped => {
                self.in_string = false;
                if self.depth > 1 {
                    self.write('"');
                }
            }
            'n' | 'r' | 't' if escaped => self.write(' '),
            other => self.write(other),
        }
    }

    fn enter(&mut self) {
        self.depth = 1;
        self.members.push(Member::default());
    }

    fn write(&mut self, character: char) {
        let member = self.member();
        if member.valued { member.value.push(character) } else { member.key.push(character) }
    }

    fn member(&mut self) -> &mut Member {
        if self.members.is_empty() {
            self.members.push(Member::default());
        }
        let last = self.members.len() - 1;
        &mut self.members[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_well_wherever_the_text_was_cut() {
        assert_eq!(inputs(r#"{"question":"How do I\nsay \"hi\"?"}"#), r#"How do I say "hi"?"#);
        assert_eq!(inputs(r#"{"question":"How do I say"#), "How do I say");
        assert_eq!(inputs(r#"{"f":{"a":["x, y"]},"k":4,"q":"Hi","r":"#), r#"q: Hi, f: {"a":["x, y"]}, k: 4, r:"#);
        assert_eq!(inputs(r#"{"a":"1","b"#), "1");
        assert_eq!(inputs(r#"{"text":"tab\"#), "tab");
        assert_eq!(inputs("{}"), "");
        assert_eq!(inputs(""), "");
        assert_eq!(line(" a \n\n b\t"), "a b");
        assert_eq!(output(r#"{"answer":"Because\nof","hits":[true]"#), "answer: Because of, hits: [true]");
        assert_eq!(output("two {words}"), "two {words}");
    }

    #[test]
    fn a_line_ends_where_screens_do() {
        assert!(line(&"x".repeat(100_000)).len() <= 2 * WIDEST);
        assert!(line(&"x ".repeat(100_000)).len() <= 2 * WIDEST);
    }
}
