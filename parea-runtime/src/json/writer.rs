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
    Buffer, Escaping, Known as _, MOST_BYTES, Out, Room, Surface,
    failure::{DEEPEST, Failure, Why},
    known::{push_bool, push_integer},
    push_text,
    tail::Tail,
};
use crate::{
    ladder::short_type_name,
    locks::is_lock_type,
    redact::{REDACTED, is_of_a_model, is_secret_name, is_secret_type},
};

/// The name of a secret, and of a piece of a model's text.
const TOKEN: &str = "token";

/// Longest piece of a model's text as JSON.
const LONGEST_TOKEN: usize = 66;

/// Appends `value`. When it fails the buffer ends in a part of it; the caller knows where it began.
///
/// A value that is too large or too deep is no failure: it becomes a text with the begin of its JSON and a mark.
pub(crate) fn write<T: Serialize + ?Sized>(buffer: &mut Buffer, value: &T) -> Result<(), Box<str>> {
    let start = buffer.len();
    let written = value.serialize(&mut Json::new(buffer, start + MOST_BYTES, None));
    if written.is_ok() { Ok(()) } else { write_otherwise(buffer, value, start, written) }
}

/// Makes the best of a value that failed. What is usual shall not wait for a second pass in the same code.
#[cold]
#[inline(never)]
fn write_otherwise<T: Serialize + ?Sized>(
    buffer: &mut Buffer,
    value: &T,
    start: usize,
    mut written: Result<(), Failure>,
) -> Result<(), Box<str>> {
    let mut tail = None;
    loop {
        if let Some(settled) = Tail::settle(&mut tail, buffer, start, written) {
            return settled;
        }
        written = value.serialize(&mut Json::new(buffer, 0, tail.as_mut()));
    }
}

pub(super) struct Json<'a> {
    pub(super) buffer: &'a mut Buffer,
    /// The length of the buffer at which the value is too large.
    pub(super) limit: usize,
    /// Brackets that are open.
    pub(super) depth: usize,
    /// Whether what comes is the key of a map, which must become a string.
    key: bool,
    /// What stands before the next member inside the innermost brackets: a comma, or the brace that opens it.
    pub(super) lead: u8,
    /// What the innermost brackets hold. Those around them hold what is plain as long as there is something inside.
    pub(super) form: Form,
    /// The value is a list that is too large, of which the end is written.
    pub(super) tail: Option<&'a mut Tail>,
}

/// The lead before the first member.
const NOTHING_YET: u8 = b'{';

impl<'a> Json<'a> {
    #[inline]
    fn new(buffer: &'a mut Buffer, limit: usize, tail: Option<&'a mut Tail>) -> Self {
        Self { buffer, limit, depth: 0, key: false, lead: NOTHING_YET, form: Form::Plain, tail }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
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
    pub(super) fn within_limit(&self) -> Result<(), Failure> {
        if self.buffer.len() > self.limit { Err(Why::Limit.into()) } else { Ok(()) }
    }

    /// Appends the key of a field of which there is nothing else to be said; else nothing has happened.
    #[inline(never)]
    fn push_plain_key(&mut self, key: &'static str) -> bool {
        let pushed =
            self.form == Form::Plain && self.buffer.len() <= self.limit && self.buffer.push_plain_key(self.lead, key);
        if pushed {
            self.lead = b',';
        }
        pushed
    }

    /// A bracket opens.
    #[inline]
    fn deeper(&mut self) -> Result<(), Failure> {
        self.no_key()?;
        self.depth += 1;
        if self.depth > DEEPEST { Err(Why::Depth.into()) } else { Ok(()) }
    }

    /// Closes as many brackets; an error if the value is too large by then.
    #[inline]
    fn close(&mut self, Brackets(brackets, count): Brackets) -> Result<(), Failure> {
        self.depth = self.depth.wrapping_sub(count);
        (self.lead, self.form) = (b',', Form::Plain);
        if self.buffer.len() + count <= self.limit
            && let Some(room) = self.buffer.bytes.room::<2>()
        {
            *room = brackets;
            self.buffer.bytes.used::<2>(count);
            return Ok(());
        }
        self.close_otherwise(brackets.get(..count).unwrap_or_default())
    }

    #[cold]
    #[inline(never)]
    fn close_otherwise(&mut self, brackets: &[u8]) -> Result<(), Failure> {
        self.buffer.bytes.extend(brackets);
        self.within_limit()
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
        if Surface::of(self).is_far() { Err(Why::Stack.into()) } else { self.inner(value) }
    }

    /// A value below the first.
    #[inline]
    pub(super) fn inner<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
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

    /// A key that is no text.
    #[cold]
    #[inline(never)]
    fn quoted(&mut self, value: impl fmt::Display) {
        push_text(&mut self.buffer.bytes, &value.to_string());
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
                self.quoted(value);
            } else {
                push_integer(&mut self.buffer.bytes, value);
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
            self.quoted(value);
        } else {
            push_bool(&mut self.buffer.bytes, value);
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

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Failure> {
        // `struct Password(String)`. A `Token` is as often a piece of a text.
        if is_secret_name(name) && name != "Token" {
            self.redacted();
            return Ok(());
        }
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
        self.close(Brackets::ONE)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'a, 'b>, Failure> {
        if let Some(tail) = &mut self.tail {
            tail.begin(self.depth, length)?;
        }
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
            self.form = Form::Raw;
            return Ok(Items { json: self, close: Brackets([0; 2], 0) });
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
pub(super) struct Items<'a, 'b> {
    pub(super) json: &'a mut Json<'b>,
    close: Brackets,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
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
        (json.lead, json.form) = (NOTHING_YET, Form::Plain);
        Self { json, close }
    }

    #[inline]
    fn next(&mut self) -> Result<(), Failure> {
        self.json.within_limit()?;
        if self.json.lead != NOTHING_YET {
            self.json.push(b',');
        }
        self.json.lead = b',';
        Ok(())
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if self.json.buffer.len() > self.json.limit {
            return self.json.item_behind(value);
        }
        self.next()?;
        self.json.inner(value)
    }

    #[expect(clippy::inline_always, reason = "once for each field of a type, and what is usual is one call")]
    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        if self.json.push_plain_key(key) { self.json.inner(value) } else { self.field_otherwise(key, value) }
    }

    #[cold]
    #[inline(never)]
    fn field_otherwise<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        if self.json.form == Form::Raw {
            return self.raw(value);
        }
        if self.json.form == Form::Plain {
            self.json.within_limit()?;
        }
        let secret = self.json.buffer.push_key(self.json.lead, key);
        self.json.lead = b',';
        if self.json.form != Form::Plain {
            self.judge();
            self.json.within_limit()?;
        }
        if secret {
            self.secret(key == TOKEN, value);
            return Ok(());
        }
        self.json.inner(value)
    }

    /// A value whose key says that it is secret: left out, unless it is a `token` that may be a piece of a model's text.
    #[cold]
    fn secret<T: Serialize + ?Sized>(&mut self, is_token: bool, value: &T) {
        self.json.form = Form::Plain;
        if !is_token {
            return self.json.redacted();
        }
        let start = self.json.buffer.len();
        let (limit, depth) = (self.json.limit, self.json.depth);
        self.json.limit = start + LONGEST_TOKEN;
        let written = self.json.inner(value);
        (self.json.limit, self.json.depth) = (limit, depth);
        // It may have failed inside of brackets.
        (self.json.lead, self.json.form) = (b',', Form::Plain);
        let end = self.json.buffer.len();
        let is_text = self.json.buffer.since(start).first() == Some(&b'"');
        if written.is_ok() && is_text && end - start <= LONGEST_TOKEN {
            self.json.form = Form::Token { start: start as u32, end: end as u32 };
        } else {
            self.json.buffer.bytes.truncate(start);
            self.json.redacted();
        }
    }

    /// Leaves the last token out if its probability does not stand beside it. What comes next is there, or nothing does.
    #[cold]
    fn judge(&mut self) {
        let Form::Token { start, end } = self.json.form else { return };
        self.json.form = Form::Plain;
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

    /// Whether a map is told keys and values in turn. One that is not would be no JSON.
    #[inline]
    fn expects_value(&self, is_value: bool) -> Result<(), Failure> {
        // No value ends like this.
        if (self.json.buffer.bytes.last() == Some(&b':')) == is_value {
            return Ok(());
        }
        Err(Why::Said("a map has a key without a value, or a value without a key".to_owned()).into())
    }

    /// Closes what was opened.
    #[inline]
    fn close(self) -> Result<(), Failure> {
        if self.json.form != Form::Plain {
            return self.close_judged();
        }
        self.json.close(self.close)
    }

    #[cold]
    #[inline(never)]
    fn close_judged(mut self) -> Result<(), Failure> {
        self.judge();
        self.json.close(self.close)
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
                if self.json.lead == NOTHING_YET && self.json.form != Form::Raw {
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
        if self.json.form != Form::Plain {
            self.judge();
        }
        self.json.form = form;
        within_limit.and(written)?;
        self.json.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.expects_value(true)?;
        if self.json.form != Form::Plain {
            self.secret(self.json.form == Form::SecretToken, value);
            return Ok(());
        }
        self.json.inner(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.expects_value(false)?;
        self.close()
    }
}
