//! A serializer that writes compact JSON, as `serde_json` does, with what capture needs on top: it stops at a limit,
//! and it leaves out what a key or a type says is secret.

use std::fmt::{self, Write as _};

use serde::{
    Serialize, Serializer,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{
    Buffer, Bytes, Escaping, Known as _, MOST_BYTES, Out, Room, Surface, floor,
    known::{push_bool, push_integer},
    push_text, push_text_body,
};
use crate::{
    ladder::short_type_name,
    locks::is_lock_type,
    redact::{REDACTED, is_of_a_model, is_secret_name, is_secret_type},
};

/// Most brackets in brackets. Readers stop at 128, and there are some around a value.
const DEEPEST: usize = 100;

/// The name of a secret, and of a piece of a model's text.
const TOKEN: &str = "token";

/// Longest piece of a model's text as JSON.
const LONGEST_TOKEN: usize = 66;

/// Appends `value`. When it fails the buffer ends in a part of it; the caller knows where it began.
///
/// A value that is too large or too deep is no failure: it becomes a text with the begin of its JSON and a mark.
pub(crate) fn write<T: Serialize + ?Sized>(buffer: &mut Buffer, value: &T) -> Result<(), Box<str>> {
    let start = buffer.len();
    let mut json = Json { limit: start + MOST_BYTES, depth: 0, surface: Surface::here(), key: false, buffer };
    match value.serialize(&mut json) {
        Ok(()) => Ok(()),
        Err(failure) => failed(buffer, start, failure),
    }
}

#[cold]
fn failed(buffer: &mut Buffer, start: usize, failure: Failure) -> Result<(), Box<str>> {
    match *failure.0 {
        Why::Limit => cut(&mut buffer.bytes, start, format_args!("{MOST_BYTES} bytes")),
        Why::Depth => cut(&mut buffer.bytes, start, format_args!("{DEEPEST} levels")),
        Why::Stack => cut(&mut buffer.bytes, start, format_args!("{} bytes of stack", Surface::MOST)),
        Why::Said(why) => return Err(why.into()),
    }
    Ok(())
}

#[cold]
pub(super) fn cut(bytes: &mut Bytes, start: usize, at: fmt::Arguments<'_>) {
    let begun = String::from_utf8_lossy(&bytes[start..]).into_owned();
    bytes.truncate(start);
    let head = floor(&begun, MOST_BYTES);
    bytes.put_byte(b'"');
    push_text_body(bytes, &begun[..head]);
    push_text_body(bytes, &format!(" …[cut at {at}]"));
    bytes.put_byte(b'"');
}

/// Behind a pointer, so that the success that each member returns fits into a register.
#[derive(Debug)]
struct Failure(Box<Why>);

#[derive(Debug)]
enum Why {
    /// The value is larger than a value may be.
    Limit,
    /// It is nested deeper than a value may be.
    Depth,
    /// It recurses without a bracket.
    Stack,
    /// What the user's `Serialize`, or JSON, has against it.
    Said(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Limit => f.write_str("too large"),
            Why::Depth | Why::Stack => f.write_str("too deep"),
            Why::Said(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Why::Said(message.to_string()).into()
    }
}

impl From<Why> for Failure {
    #[cold]
    fn from(why: Why) -> Self {
        Self(Box::new(why))
    }
}

struct Json<'a> {
    buffer: &'a mut Buffer,
    /// The length of the buffer at which the value is too large.
    limit: usize,
    /// Brackets that are open.
    depth: usize,
    surface: Surface,
    /// Whether what comes is the key of a map, which must become a string.
    key: bool,
}

impl Json<'_> {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.buffer.bytes.put_byte(byte);
    }

    fn float(&mut self, finite: bool, value: impl Serialize) -> Result<(), Failure> {
        if !finite {
            return self.null();
        }
        if self.key {
            self.push(b'"');
        }
        let written = serde_json::to_writer(&mut self.buffer.bytes, &value);
        if self.key {
            self.push(b'"');
        }
        written.map_err(ser::Error::custom)
    }

    fn null(&mut self) -> Result<(), Failure> {
        self.no_key()?;
        self.buffer.bytes.extend(b"null");
        Ok(())
    }

    /// For all that cannot be a key.
    fn no_key(&self) -> Result<(), Failure> {
        if self.key { Err(Why::Said("key must be a string".to_owned()).into()) } else { Ok(()) }
    }

    #[inline]
    fn within_limit(&self) -> Result<(), Failure> {
        if self.buffer.len() > self.limit { Err(Why::Limit.into()) } else { Ok(()) }
    }

    /// A bracket opens.
    #[inline]
    fn deeper(&mut self) -> Result<(), Failure> {
        self.no_key()?;
        self.depth += 1;
        if self.depth > DEEPEST { Err(Why::Depth.into()) } else { Ok(()) }
    }

    /// Closes as many brackets.
    #[inline]
    fn close(&mut self, Brackets(brackets, count): Brackets) {
        self.depth = self.depth.saturating_sub(count);
        self.buffer.bytes.put::<2>(move |room| {
            *room = brackets;
            count
        });
    }

    /// Whether others can read this JSON in its place. Text that is JSON by its grammar alone may hold numbers beyond
    /// all bounds or half a surrogate.
    fn is_readable(&self, text: &str) -> bool {
        // Its reader stops at 128 levels.
        let around = self.depth + 127 - DEEPEST;
        let nested = ["[".repeat(around).as_str(), text, "]".repeat(around).as_str()].concat();
        serde_json::from_str::<serde_json::Value>(&nested).is_ok()
    }

    /// `{"variant":`
    fn variant(&mut self, variant: &str) -> Result<(), Failure> {
        self.deeper()?;
        self.push(b'{');
        push_text(&mut self.buffer.bytes, variant);
        self.push(b':');
        Ok(())
    }

    /// A value that stands in another without a bracket.
    #[inline]
    fn bare<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if self.surface.is_far() { Err(Why::Stack.into()) } else { self.inner(value) }
    }

    /// A value below the first.
    #[inline]
    fn inner<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if is_secret_type::<T>() {
            self.redacted();
            return Ok(());
        }
        if is_lock_type::<T>() {
            self.no_key()?;
            push_text(&mut self.buffer.bytes, &short_type_name::<T>());
            return Ok(());
        }
        value.serialize(self)
    }

    #[cold]
    fn redacted(&mut self) {
        push_text(&mut self.buffer.bytes, REDACTED);
        self.buffer.redacted += 1;
    }
}

macro_rules! integers {
    ($($method:ident($type:ty))+) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Failure> {
            if self.key {
                self.push(b'"');
            }
            push_integer(&mut self.buffer.bytes, value);
            if self.key {
                self.push(b'"');
            }
            Ok(())
        }
    )+};
}

impl<'a, 'b> Serializer for &'a mut Json<'b> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Items<'a, 'b>;
    type SerializeTuple = Items<'a, 'b>;
    type SerializeTupleStruct = Items<'a, 'b>;
    type SerializeTupleVariant = Items<'a, 'b>;
    type SerializeMap = Items<'a, 'b>;
    type SerializeStruct = Items<'a, 'b>;
    type SerializeStructVariant = Items<'a, 'b>;

    integers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        if self.key {
            self.push(b'"');
        }
        push_bool(&mut self.buffer.bytes, value);
        if self.key {
            self.push(b'"');
        }
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Failure> {
        self.float(value.is_finite(), value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failure> {
        self.float(value.is_finite(), value)
    }

    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Failure> {
        push_text(&mut self.buffer.bytes, value);
        Ok(())
    }

    /// As it is being formatted, so that a text without end is one that is cut.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Failure> {
        let mut text = Escaping::open(&mut self.buffer.bytes);
        let formatted = write!(text, "{value}");
        text.close(formatted).map_err(ser::Error::custom)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failure> {
        self.no_key()?;
        value.put(&mut Room(self.buffer));
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        self.bare(value)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.null()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Failure> {
        self.null()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<(), Failure> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<(), Failure> {
        self.bare(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.variant(variant)?;
        self.inner(value)?;
        self.close(Brackets::ONE);
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items<'a, 'b>, Failure> {
        self.deeper()?;
        self.push(b'[');
        Ok(Items::new(self, Brackets([b']', 0], 1)))
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'a, 'b>, Failure> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<Items<'a, 'b>, Failure> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items<'a, 'b>, Failure> {
        self.variant(variant)?;
        self.deeper()?;
        self.push(b'[');
        Ok(Items::new(self, Brackets(*b"]}", 2)))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Items<'a, 'b>, Failure> {
        self.deeper()?;
        self.push(b'{');
        Ok(Items::new(self, Brackets::ONE))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Items<'a, 'b>, Failure> {
        if name.starts_with("$serde_json::private::") {
            self.no_key()?;
            return Ok(Items { form: Form::Raw, ..Items::new(self, Brackets([0; 2], 0)) });
        }
        self.deeper()?;
        Ok(Items::new(self, Brackets::ONE))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items<'a, 'b>, Failure> {
        self.variant(variant)?;
        self.deeper()?;
        Ok(Items::new(self, Brackets(*b"}}", 2)))
    }
}

/// What closes, and how many of it count.
#[derive(Clone, Copy)]
struct Brackets([u8; 2], usize);

impl Brackets {
    const ONE: Self = Self([b'}', 0], 1);
}

/// What stands between brackets.
struct Items<'a, 'b> {
    json: &'a mut Json<'b>,
    close: Brackets,
    first: bool,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    /// The next value of a map is secret.
    Secret,
    /// The next value of a map is a `token`.
    SecretToken,
    /// The last value is a `token`, at that place. What stands beside it says whether it is secret.
    Token {
        start: u32,
        end: u32,
    },
    /// A type of `serde_json` that is JSON text already: `RawValue`, and `Number` of arbitrary precision.
    Raw,
}

impl<'a, 'b> Items<'a, 'b> {
    #[inline]
    fn new(json: &'a mut Json<'b>, close: Brackets) -> Self {
        Self { json, close, first: true, form: Form::Plain }
    }

    #[inline]
    fn next(&mut self) -> Result<(), Failure> {
        self.json.within_limit()?;
        if !self.first {
            self.json.push(b',');
        }
        self.first = false;
        Ok(())
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.next()?;
        self.json.inner(value)
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        if self.form != Form::Plain {
            return self.field_behind(key, value);
        }
        self.json.within_limit()?;
        let secret = self.json.buffer.push_key(if self.first { b'{' } else { b',' }, key);
        self.first = false;
        if secret {
            self.secret(key == TOKEN, value);
            return Ok(());
        }
        self.json.inner(value)
    }

    #[cold]
    fn field_behind<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        if self.form == Form::Raw {
            return self.raw(value);
        }
        let secret = self.json.buffer.push_key(b',', key);
        self.judge();
        self.json.within_limit()?;
        if secret {
            self.secret(key == TOKEN, value);
            return Ok(());
        }
        self.json.inner(value)
    }

    /// A value whose key says that it is secret: left out, unless it is a `token` that may be a piece of a model's text.
    #[cold]
    fn secret<T: Serialize + ?Sized>(&mut self, is_token: bool, value: &T) {
        self.form = Form::Plain;
        if !is_token {
            return self.json.redacted();
        }
        let start = self.json.buffer.len();
        let (limit, depth) = (self.json.limit, self.json.depth);
        self.json.limit = start + LONGEST_TOKEN;
        let written = self.json.inner(value);
        (self.json.limit, self.json.depth) = (limit, depth);
        let end = self.json.buffer.len();
        let is_text = self.json.buffer.since(start).first() == Some(&b'"');
        if written.is_ok() && is_text && end - start <= LONGEST_TOKEN {
            self.form = Form::Token { start: start as u32, end: end as u32 };
        } else {
            self.json.buffer.bytes.truncate(start);
            self.json.redacted();
        }
    }

    /// Leaves the last token out if its probability does not stand beside it. What comes next is there, or nothing does.
    #[cold]
    fn judge(&mut self) {
        let Form::Token { start, end } = self.form else { return };
        self.form = Form::Plain;
        let (start, end) = (start as usize, end as usize);
        // `"token":"…"`
        let name = start - TOKEN.len() - 2;
        if !is_of_a_model(&self.json.buffer.bytes, 0, name, TOKEN.as_bytes(), start..end) {
            let behind = self.json.buffer.bytes.split_off(end);
            self.json.buffer.bytes.truncate(start);
            self.json.redacted();
            self.json.buffer.bytes.extend(&behind);
        }
    }

    #[cold]
    fn raw<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        // The one field is a text that holds the JSON.
        let quoted = serde_json::to_string(value).map_err(<Failure as ser::Error>::custom)?;
        let text: String = serde_json::from_str(&quoted).map_err(<Failure as ser::Error>::custom)?;
        if text.len() <= MOST_BYTES && !self.json.is_readable(&text) {
            push_text(&mut self.json.buffer.bytes, &text);
        } else {
            // A log is one line. In strings there is no control character.
            let text: Vec<u8> = text.bytes().map(|byte| if byte < b' ' { b' ' } else { byte }).collect();
            self.json.buffer.bytes.extend(&text);
        }
        self.json.within_limit()
    }

    /// Whether a map is told keys and values in turn. One that is not would be no JSON.
    #[inline]
    fn expects_value(&self, is_value: bool) -> Result<(), Failure> {
        // No value ends like this.
        if (self.json.buffer.bytes.last() == Some(&b':')) == is_value {
            return Ok(());
        }
        Err(Why::Said("a map has a key without a value, or a value without a key".to_owned()).into())
    }

    #[inline]
    fn close(mut self) -> Result<(), Failure> {
        if self.form != Form::Plain {
            self.judge();
        }
        self.json.close(self.close);
        self.json.within_limit()
    }
}

macro_rules! items {
    ($($trait:ident $method:ident)+) => {$(
        impl $trait for Items<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.item(value)
            }

            #[inline]
            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )+};
}

macro_rules! fields {
    ($($trait:ident)+) => {$(
        impl $trait for Items<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
                self.field(key, value)
            }

            #[inline]
            fn end(self) -> Result<(), Failure> {
                if self.first && self.form != Form::Raw {
                    // A field would have opened it.
                    self.json.push(b'{');
                }
                self.close()
            }
        }
    )+};
}

items! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}
fields! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.expects_value(false)?;
        let within_limit = self.next();
        let start = self.json.buffer.len() + 1;
        self.json.key = true;
        let written = self.json.inner(key);
        self.json.key = false;
        let end = self.json.buffer.len().saturating_sub(1);
        let name = self.json.buffer.bytes.get(start..end).and_then(|name| str::from_utf8(name).ok());
        let form = match name {
            Some(TOKEN) => Form::SecretToken,
            Some(name) if is_secret_name(name) => Form::Secret,
            _ => Form::Plain,
        };
        if self.form != Form::Plain {
            self.judge();
        }
        self.form = form;
        within_limit.and(written)?;
        self.json.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.expects_value(true)?;
        if self.form != Form::Plain {
            self.secret(self.form == Form::SecretToken, value);
            return Ok(());
        }
        self.json.inner(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.expects_value(false)?;
        self.close()
    }
}
