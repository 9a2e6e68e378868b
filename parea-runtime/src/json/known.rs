//! Values whose JSON is known without asking their `Serialize`: texts, numbers, booleans, and lists of them.

use std::{borrow::Cow, collections::VecDeque, rc::Rc, sync::Arc};

use super::{Buffer, Bytes, MOST_BYTES, Out, failure::cut, push_text};

/// A value that is written at once: nothing of the user's runs, so nothing can fail.
pub trait Known {
    /// Appends its JSON, the same as `serde_json` would write.
    #[doc(hidden)]
    fn put(&self, into: &mut Room<'_>);
}

/// Where it is appended.
#[derive(Debug)]
pub struct Room<'a>(pub(crate) &'a mut Buffer);

/// Appends an integer.
#[inline]
pub(super) fn push_integer<N: itoa::Integer + Copy + TryInto<u8>>(out: &mut Bytes, value: N) {
    if let Ok(small @ 0..100) = value.try_into()
        && let Some(room) = out.room::<2>()
    {
        if small < 10 {
            room[0] = b'0' + small;
            return out.used::<2>(1);
        }
        *room = [b'0' + small / 10, b'0' + small % 10];
        return out.used::<2>(2);
    }
    push_digits(out, value);
}

#[inline(never)]
fn push_digits(out: &mut Bytes, value: impl itoa::Integer) {
    out.extend(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `true` or `false`.
#[inline]
pub(super) fn push_bool(out: &mut Bytes, value: bool) {
    out.put::<5>(move |room| {
        *room = if value { *b"true " } else { *b"false" };
        if value { 4 } else { 5 }
    });
}

macro_rules! known {
    ($($type:ty: |$value:ident, $out:ident| $put:expr;)+) => {$(
        impl Known for $type {
            #[inline]
            fn put(&self, into: &mut Room<'_>) {
                let ($value, $out) = (self, &mut into.0.bytes);
                $put;
            }
        }
    )+};
}

known! {
    str: |text, out| push_text(out, text);
    String: |text, out| push_text(out, text);
    char: |letter, out| push_text(out, letter.encode_utf8(&mut [0; 4]));
    bool: |value, out| push_bool(out, *value);
    u8: |value, out| push_integer(out, *value);
    u16: |value, out| push_integer(out, *value);
    u32: |value, out| push_integer(out, *value);
    u64: |value, out| push_integer(out, *value);
    u128: |value, out| push_integer(out, *value);
    usize: |value, out| push_integer(out, *value);
    i8: |value, out| push_integer(out, *value);
    i16: |value, out| push_integer(out, *value);
    i32: |value, out| push_integer(out, *value);
    i64: |value, out| push_integer(out, *value);
    i128: |value, out| push_integer(out, *value);
    isize: |value, out| push_integer(out, *value);
    f32: |value, out| push_float(out, value);
    f64: |value, out| push_float(out, value);
    Cow<'_, str>: |text, out| push_text(out, text);
}

/// Not finite ones are null.
fn push_float(out: &mut Bytes, value: &impl serde::Serialize) {
    // Writing a number to memory does not fail.
    let _ = serde_json::to_writer(out, value);
}

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<T: Known + ?Sized> Known for $pointer {
            #[inline]
            fn put(&self, into: &mut Room<'_>) {
                (**self).put(into);
            }
        }
    )+};
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Known> Known for Option<T> {
    #[inline]
    fn put(&self, into: &mut Room<'_>) {
        match self {
            Some(value) => value.put(into),
            None => into.0.bytes.extend(b"null"),
        }
    }
}

impl<T: Known> Known for Vec<T> {
    #[inline]
    fn put(&self, into: &mut Room<'_>) {
        self.as_slice().put(into);
    }
}

impl<T: Known, const N: usize> Known for [T; N] {
    #[inline]
    fn put(&self, into: &mut Room<'_>) {
        self.as_slice().put(into);
    }
}

impl<T: Known> Known for [T] {
    fn put(&self, into: &mut Room<'_>) {
        put_list(self.iter(), into);
    }
}

impl<T: Known> Known for VecDeque<T> {
    fn put(&self, into: &mut Room<'_>) {
        put_list(self.iter(), into);
    }
}

#[inline]
fn put_list<'a, T: Known + 'a>(
    list: impl DoubleEndedIterator<Item = &'a T> + ExactSizeIterator + Clone,
    into: &mut Room<'_>,
) {
    let start = into.0.len();
    // How many items stand before the middle of what there may be, and where they end.
    let mut half = (0, start);
    into.0.bytes.put_byte(b'[');
    for (at, item) in list.clone().enumerate() {
        if at > 0 {
            into.0.bytes.put_byte(b',');
        }
        item.put(into);
        let end = into.0.len();
        if end - start <= MOST_BYTES / 2 {
            half = (at + 1, end);
        } else if end - start >= MOST_BYTES {
            return cut_list(list, into.0, start, half);
        }
    }
    into.0.bytes.put_byte(b']');
}

/// Keeps the head of a list, up to `half`, and as much of its tail.
#[cold]
fn cut_list<'a, T: Known + 'a>(
    list: impl DoubleEndedIterator<Item = &'a T> + ExactSizeIterator,
    buffer: &mut Buffer,
    start: usize,
    (head, end): (usize, usize),
) {
    let whole = list.len();
    let mut last = Buffer::default();
    // Items from the end, and where each begins in `last`.
    let (mut tail, mut starts) = (0, Vec::new());
    for item in list.skip(head).rev() {
        let before = last.len();
        last.bytes.put_byte(b',');
        item.put(&mut Room(&mut last));
        if last.len() > MOST_BYTES / 2 {
            break;
        }
        starts.push(before..last.len());
        tail += 1;
    }
    if head == 0 || tail == 0 {
        // Of few large items more is to be seen in what is written already.
        return cut(&mut buffer.bytes, start, format_args!("{MOST_BYTES} bytes"));
    }
    buffer.bytes.truncate(end);
    buffer.bytes.put_byte(b',');
    let left_out = whole - head - tail;
    push_text(&mut buffer.bytes, &format!("…[{left_out} of {whole} items left out]…"));
    for item in starts.into_iter().rev() {
        buffer.bytes.extend(&last.bytes[item]);
    }
    buffer.bytes.put_byte(b']');
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn put(value: &(impl Known + ?Sized)) -> String {
        let mut buffer = Buffer::default();
        value.put(&mut Room(&mut buffer));
        String::from_utf8_lossy(&buffer.bytes).into_owned()
    }

    #[test]
    fn what_is_known_is_written_as_serde_json_writes_it() {
        fn same(value: &(impl Known + serde::Serialize + Debug)) {
            assert_eq!(put(value), serde_json::to_string(value).unwrap_or_default(), "{value:?}");
        }
        for n in [0, 1, 9, 10, 42, 99, 100, 101, 255, 256, 65_535, u64::MAX] {
            same(&n);
            same(&(n as u8));
            same(&(n as i8));
            same(&(n as i64));
            same(&(u128::from(n) << 3));
            same(&(i128::from(n) * -7));
            same(&f64::from_bits(n));
        }
        same(&[0.1_f32, -1e30, f32::NAN, f32::INFINITY].as_slice());
        same(&vec![Some(true), None, Some(false)]);
        same(&['a', '"', '\n', '🦀'].as_slice());
        same(&vec![vec!["one", "two \\"], Vec::new()]);
        same(&(Cow::Borrowed("text"),).0);
    }

    #[test]
    fn of_a_long_list_the_head_and_the_tail_are_kept_and_the_rest_is_counted() {
        let list: Vec<u32> = (0..1_000_000).collect();
        let shown: Vec<serde_json::Value> = serde_json::from_str(&put(&list)).unwrap_or_default();
        assert_eq!((shown.first(), shown.last()), (Some(&0.into()), Some(&999_999.into())));
        let mark = shown.iter().position(serde_json::Value::is_string).unwrap_or_default();
        assert_eq!(shown[mark], format!("…[{} of 1000000 items left out]…", 1_000_001 - shown.len()));
        assert_eq!(shown[mark + 1], 1_000_000 - (shown.len() - mark - 1));
        let bytes = put(&list).len();
        assert!((MOST_BYTES * 9 / 10..MOST_BYTES + 100).contains(&bytes), "{bytes}");

        let large = ["a".repeat(MOST_BYTES), "b".repeat(MOST_BYTES)];
        let shown = put(large.as_slice());
        assert!(shown.starts_with(r#""[\"aaaa"#) && shown.len() < MOST_BYTES + 100, "{} bytes", shown.len());
    }
}
