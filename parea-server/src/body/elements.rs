//! Many logs in one body: where each begins and ends, also when some are broken.

/// One log of a batch, as it lies in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element<'a> {
    /// What should be JSON. It may be anything: one that is not is refused without harm to its neighbours.
    Whole(&'a [u8]),
    /// The body ended inside this one.
    CutOff,
    /// The array ended, and this lies behind it.
    Behind,
}

/// Most elements of one body. A log that is two bytes long is refused with hundreds, so that the limit on bytes alone
/// would not bound the memory that a batch takes.
pub(crate) const MOST: usize = 100_000;

/// The elements of a JSON array, or else one of each line that is not blank; `None` when there are more than
/// [`MOST`].
pub(crate) fn elements(body: &[u8]) -> Option<Vec<Element<'_>>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let found: Vec<_> = match body.strip_prefix(b"[") {
        Some(inner) => array(inner),
        None => body
            .split(|&byte| byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .map(Element::Whole)
            .take(MOST + 1)
            .collect(),
    };
    (found.len() <= MOST).then_some(found)
}

/// Only brackets and quotes count here, and a bracket that closes nothing or the wrong one is passed over: what lies
/// between is judged later, element by element. Ends early when there are too many.
fn array(inner: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let mut open = Brackets::default();
    let mut start = 0;
    let mut index = 0;
    let piece = |from: usize, to: usize| inner.get(from..to).unwrap_or_default().trim_ascii();
    while let Some(&byte) = inner.get(index) {
        if found.len() > MOST {
            return found;
        }
        match byte {
            b'"' => index = string_end(inner, index),
            b'{' | b'[' => open.push(byte),
            b',' if open.is_empty() || (open.innermost() == Some(b'{') && begins_object(inner, index + 1)) => {
                open = Brackets::default();
                found.push(Element::Whole(piece(start, index)));
                start = index + 1;
            }
            b'}' | b']' => {
                if byte == b']' && open.is_empty() {
                    // Nothing before the bracket: the array is empty, or its last comma is one too many.
                    if !piece(start, index).is_empty() {
                        found.push(Element::Whole(piece(start, index)));
                    }
                    if !piece(index + 1, inner.len()).is_empty() {
                        found.push(Element::Behind);
                    }
                    return found;
                }
                open.close(byte);
            }
            _ => {}
        }
        index += 1;
    }
    // A complete object whose array was cut off just behind it is still complete.
    let last = piece(start, inner.len());
    if open.is_empty() && last.ends_with(b"}") {
        found.push(Element::Whole(last));
    }
    found.push(Element::CutOff);
    found
}

/// The brackets that are open, outermost first, and how many of them are square.
#[derive(Default)]
struct Brackets {
    stack: Vec<u8>,
    square: usize,
}

impl Brackets {
    fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    fn innermost(&self) -> Option<u8> {
        self.stack.last().copied()
    }

    fn push(&mut self, opening: u8) {
        self.square += usize::from(opening == b'[');
        self.stack.push(opening);
    }

    /// Closes the innermost bracket of that kind and what is open inside it. Without one nothing is searched, so that
    /// no body takes longer than in proportion to its length.
    fn close(&mut self, closing: u8) {
        let (opening, count) = match closing {
            b']' => (b'[', self.square),
            _ => (b'{', self.stack.len() - self.square),
        };
        while count > 0
            && let Some(innermost) = self.stack.pop()
        {
            self.square -= usize::from(innermost == b'[');
            if innermost == opening {
                break;
            }
        }
    }
}

/// Whether an object comes next. Behind a comma inside an object there is a name, so that such a comma stands between
/// two elements, and a bracket is missing in the one before it.
fn begins_object(text: &[u8], from: usize) -> bool {
    text.get(from..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
}

/// The quote that ends the string begun at `start`, or the end.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while let Some(&byte) = text.get(index) {
        match byte {
            b'"' => return index,
            b'\\' => index += 2,
            _ => index += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Element::*, *};

    #[test]
    fn a_broken_element_leaves_its_neighbours_whole() {
        let whole = |texts: &[&'static str]| texts.iter().map(|text| Whole(text.as_bytes())).collect::<Vec<_>>();
        let cases: &[(&str, Vec<Element<'_>>)] = &[
            ("[]", vec![]),
            (" [ {} ] ", whole(&["{}"])),
            ("[{},]", whole(&["{}"])),
            ("[{},,{}]", whole(&["{}", "", "{}"])),
            (r#"[{"a":"]},[\""},{}]"#, whole(&[r#"{"a":"]},[\""}"#, "{}"])),
            ("[{]},{}]", whole(&["{]}", "{}"])),
            ("[{[},{}]", whole(&["{[}", "{}"])),
            ("[{,{},{\"a\":{1 , {}]", whole(&["{", "{}", "{\"a\":{1", "{}"])),
            (r#"[{"a":[{},{}],"b":{}},{}]"#, whole(&[r#"{"a":[{},{}],"b":{}}"#, "{}"])),
            ("[nonsense,{}]", whole(&["nonsense", "{}"])),
            ("[{}", [whole(&["{}"]), vec![CutOff]].concat()),
            ("[{},", [whole(&["{}"]), vec![CutOff]].concat()),
            (r#"[{},{"a":"b"#, [whole(&["{}"]), vec![CutOff]].concat()),
            (r#"[{},{"a":"\"#, [whole(&["{}"]), vec![CutOff]].concat()),
            ("[", vec![CutOff]),
            ("[{}]x", [whole(&["{}"]), vec![Behind]].concat()),
            ("", vec![]),
            ("{}\r\n\n {1}\n{}", whole(&["{}", "{1}", "{}"])),
            ("\u{feff}[1]", whole(&["1"])),
        ];
        for (body, expected) in cases {
            assert_eq!(elements(body.as_bytes()).as_ref(), Some(expected), "{body}");
        }
        assert_eq!(elements(b"[\"\xff\",{}]").unwrap(), [Whole(b"\"\xff\""), Whole(b"{}")]);
    }

    #[test]
    fn depth_costs_a_byte_a_level_and_no_stack() {
        let deep = [b"[".as_slice(), &b"[".repeat(1_000_000), &b"]".repeat(1_000_000), b",{}]"].concat();
        assert_eq!(elements(&deep).unwrap().len(), 2);
    }
}
