//! How a value is captured without a bound on its type.
//!
//! Method look-up tries more references before fewer. Each rung is a trait that is implemented for [`Wrap`] behind
//! one reference less than the rung above it, so that the first rung whose bound the type meets is taken, at compile
//! time and without a word in the user's signature. The rungs return a tag, and the tag has the code: one copy for
//! each type, not for each function, which holds only as long as it is never inlined.
//!
//! For values: texts, numbers and lists of them, locks, `Serialize` with `Debug` behind it, `Serialize`, `Debug`, the type's name.
//! For errors: texts, `Error` with its sources, what dereferences to an error (`Box<dyn Error>`, the reports of anyhow and
//! eyre), `Display`, then as values.
#![allow(
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "a tag stands for the rung that the compiler took: the expansion calls every rung in the same words"
)]

use std::{
    any::type_name,
    borrow::Cow,
    convert::Infallible,
    error::Error,
    fmt::{self, Debug, Display, Write as _},
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::{Arc, Mutex, RwLock},
};

use serde::Serialize;

use crate::{
    hooks::ErrorSlot,
    json::{self, Buffer, Escaping, Known, Room, push_text},
    locks::{is_lock_type, is_sharded_type},
    redact::{REDACTED, is_secret_type},
};

/// The value on the ladder. A newtype, since the rungs would be ambiguous on bare references.
#[derive(Debug)]
pub struct Wrap<'a, T: ?Sized>(pub &'a T);

/// Room for one JSON value.
#[derive(Debug)]
pub struct Slot<'a> {
    pub(crate) buffer: &'a mut Buffer,
    /// Its name or its type says that it is secret: the value is not looked at.
    secret: bool,
}

impl<'a> Slot<'a> {
    pub(crate) fn new(buffer: &'a mut Buffer) -> Self {
        Self::of(buffer, false)
    }

    pub(crate) fn of(buffer: &'a mut Buffer, secret: bool) -> Self {
        Self { buffer, secret }
    }

    pub(crate) fn into_buffer(self) -> &'a mut Buffer {
        self.buffer
    }

    /// Runs `write`; if it fails or panics, the slot is as before and says why.
    #[inline]
    fn attempt(&mut self, write: impl FnOnce(&mut Buffer) -> Result<(), Box<str>>) -> Result<(), Box<str>> {
        if self.secret {
            redact(self.buffer);
            return Ok(());
        }
        let start = self.buffer.len();
        match catch_unwind(AssertUnwindSafe(|| write(self.buffer))) {
            Ok(Ok(())) => Ok(()),
            failed => Err(undo(self.buffer, start, failed)),
        }
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Box<str>> {
        if is_lock_type::<T>() && !self.secret {
            return Err("a lock, which is not waited for".into());
        }
        self.attempt(|buffer| json::write(buffer, value))
    }

    /// A text as it is being formatted.
    #[inline(never)]
    fn shown(&mut self, value: fmt::Arguments<'_>) -> Result<(), Box<str>> {
        self.buffer.described = true;
        self.attempt(|buffer| {
            let mut text = Escaping::open(&mut buffer.bytes);
            let formatted = text.write_fmt(value);
            text.close(formatted).map_err(|error| error.to_string().into())
        })
    }

    /// The last resort, and it cannot fail.
    fn name<T: ?Sized>(&mut self, failure: Option<&str>) {
        self.named(type_name::<T>(), failure);
    }

    pub(crate) fn named(&mut self, name: &str, failure: Option<&str>) {
        if self.secret {
            // The name of a secret's type is none.
            self.secret = false;
        }
        self.buffer.described = true;
        let mut shown = String::from("<");
        short_name(name, &mut shown);
        if let Some(failure) = failure {
            shown.push_str(": ");
            shown.push_str(failure);
        }
        shown.push('>');
        push_text(&mut self.buffer.bytes, &shown);
    }
}

// Not of a slot, which else had to be in memory for them.

#[cold]
#[inline(never)]
fn redact(buffer: &mut Buffer) {
    push_text(&mut buffer.bytes, REDACTED);
    buffer.redacted += 1;
}

#[cold]
#[inline(never)]
fn undo(buffer: &mut Buffer, start: usize, failed: std::thread::Result<Result<(), Box<str>>>) -> Box<str> {
    buffer.bytes.truncate(start);
    match failed {
        Ok(failed) => failed.err().unwrap_or_default(),
        Err(payload) => crate::hooks::swallowed(payload).into(),
    }
}

/// `<Mutex<u32>>`, in place of a value that cannot be shown.
pub(crate) fn short_type_name<T: ?Sized>() -> String {
    let mut shown = String::from("<");
    short_name(type_name::<T>().trim_start_matches('&'), &mut shown);
    shown.push('>');
    shown
}

/// `Vec<String>` for `alloc::vec::Vec<alloc::string::String>`.
fn short_name(full: &str, shown: &mut String) {
    let mut word_start = 0;
    for (at, letter) in full.char_indices() {
        if letter.is_alphanumeric() || letter == '_' {
            continue;
        }
        if letter == ':' {
            word_start = at + 1;
            continue;
        }
        shown.push_str(&full[word_start..at]);
        shown.push(letter);
        word_start = at + letter.len_utf8();
    }
    shown.push_str(&full[word_start..]);
}

/// A rung: its trait, its tag, the references before `Wrap` and the bound.
macro_rules! rungs {
    ($method:ident: $($(#[$doc:meta])* $kind:ident -> $tag:ident for [$($ref:tt)*] $([$($bound:tt)+])?;)+) => {$(
        $(#[$doc])*
        pub trait $kind {
            /// The tag that has this rung's code.
            fn $method(&self) -> $tag {
                $tag
            }
        }
        impl<T: ?Sized $(+ $($bound)+)?> $kind for $($ref)* Wrap<'_, T> {}
    )+};
}

/// The tags: one for each way to capture.
macro_rules! tags {
    ($($tag:ident)+) => {$(
        /// Code of the rungs that answer with it.
        #[derive(Clone, Copy, Debug)]
        pub struct $tag;
    )+};
}

tags! { KnownTag DebugLockTag OpaqueLockTag SerializeDebugTag SerializeTag DebugTag NameTag }
tags! { ResultTag ValueTag }
tags! { TextErrorTag ErrorTag DerefErrorTag DisplayErrorTag DebugErrorTag SerializeErrorTag NameErrorTag }

rungs! { parea_value:
    /// A value whose JSON is known.
    KnownKind -> KnownTag for [&&&&&&] [Known];
    /// A lock whose content can be shown.
    DebugLockKind -> DebugLockTag for [&&&&&] [DebugLock];
    /// A lock whose content cannot.
    OpaqueLockKind -> OpaqueLockTag for [&&&&] [Lock];
    /// JSON, and text where that fails.
    SerializeDebugKind -> SerializeDebugTag for [&&&] [Serialize + Debug];
    /// JSON.
    SerializeKind -> SerializeTag for [&&] [Serialize];
    /// Text.
    DebugKind -> DebugTag for [&] [Debug];
    /// Nothing is known of the type but its name.
    NameKind -> NameTag for [];
}

impl KnownTag {
    /// Writes the value.
    #[inline(never)]
    pub fn write<T: Known + ?Sized>(self, value: &T, Slot { buffer, secret }: Slot<'_>) {
        if secret {
            redact(buffer);
        } else {
            value.put(&mut Room(buffer));
        }
    }
}

impl DebugLockTag {
    /// Writes the value.
    #[inline(never)]
    pub fn write<T: DebugLock + ?Sized>(self, value: &T, mut slot: Slot<'_>) {
        if let Err(failure) = slot.attempt(|buffer| {
            buffer.described = true;
            let mut text = Escaping::open(&mut buffer.bytes);
            let shown = value.show(&mut text);
            text.close(shown).map_err(|error| error.to_string().into())
        }) {
            slot.name::<T>(Some(&failure));
        }
    }
}

impl OpaqueLockTag {
    /// Writes the value.
    #[inline(never)]
    pub fn write<T: ?Sized>(self, _value: &T, mut slot: Slot<'_>) {
        slot.name::<T>(None);
    }
}

impl SerializeDebugTag {
    /// Writes the value.
    #[inline(never)]
    pub fn write<T: Serialize + Debug + ?Sized>(self, value: &T, mut slot: Slot<'_>) {
        slot.secret |= is_secret_type::<T>();
        if slot.json(value).is_err() {
            DebugTag.write(value, slot);
        }
    }
}

impl SerializeTag {
    /// Writes the value.
    #[inline(never)]
    pub fn write<T: Serialize + ?Sized>(self, value: &T, mut slot: Slot<'_>) {
        slot.secret |= is_secret_type::<T>();
        if let Err(failure) = slot.json(value) {
            slot.name::<T>(Some(&failure));
        }
    }
}

impl DebugTag {
    /// Writes the value.
    #[inline(never)]
    pub fn write<T: Debug + ?Sized>(self, value: &T, mut slot: Slot<'_>) {
        slot.secret |= is_secret_type::<T>();
        if is_sharded_type::<T>() && !slot.secret {
            return slot.name::<T>(None);
        }
        if let Err(failure) = slot.shown(format_args!("{value:?}")) {
            slot.name::<T>(Some(&failure));
        }
    }
}

impl NameTag {
    /// Writes the type's name.
    #[inline(never)]
    pub fn write<T: ?Sized>(self, _value: &T, mut slot: Slot<'_>) {
        slot.name::<T>(None);
    }
}

/// A lock of the standard library, or a pointer to one. `Serialize` of a lock waits for it, which could hang the
/// user's program; its `Debug` only tries.
pub trait Lock {}

impl<T: ?Sized> Lock for Mutex<T> {}
impl<T: ?Sized> Lock for RwLock<T> {}

/// A [`Lock`] whose content has `Debug`.
pub trait DebugLock {
    /// Shows the content, or that the lock is taken, without waiting.
    fn show(&self, into: &mut dyn fmt::Write) -> fmt::Result;
}

impl<T: Debug + ?Sized> DebugLock for Mutex<T> {
    fn show(&self, into: &mut dyn fmt::Write) -> fmt::Result {
        let was_poisoned = self.is_poisoned();
        catch_unwind(AssertUnwindSafe(|| write!(into, "{self:?}"))).unwrap_or_else(|payload| {
            // What panicked held the lock, but has only looked.
            if !was_poisoned {
                self.clear_poison();
            }
            resume_unwind(payload)
        })
    }
}

impl<T: Debug + ?Sized> DebugLock for RwLock<T> {
    fn show(&self, into: &mut dyn fmt::Write) -> fmt::Result {
        write!(into, "{self:?}")
    }
}

macro_rules! through_pointers {
    ($($pointer:ty),+) => {$(
        impl<L: Lock + ?Sized> Lock for $pointer {}

        impl<L: DebugLock + ?Sized> DebugLock for $pointer {
            fn show(&self, into: &mut dyn fmt::Write) -> fmt::Result {
                (**self).show(into)
            }
        }
    )+};
}

through_pointers!(&L, &mut L, Box<L>, Rc<L>, Arc<L>);

// Whether a function returned a `Result` is told by its type, so that aliases count and other types of that name do
// not.
rungs! { parea_outcome:
    /// Anything but a `Result`.
    ValueKind -> ValueTag for [];
}

/// A `Result`, under whatever name.
pub trait ResultKind {
    /// The tag that has this rung's code.
    fn parea_outcome(&self) -> ResultTag {
        ResultTag
    }
}

impl<T, E> ResultKind for &Wrap<'_, Result<T, E>> {}

impl ResultTag {
    /// Parts the result before it is captured, so that each part keeps its own bounds.
    pub fn split<T, E>(self, result: &Result<T, E>) -> Result<&T, &E> {
        result.as_ref()
    }
}

impl ValueTag {
    /// A value is always a success.
    pub fn split<T: ?Sized>(self, value: &T) -> Result<&T, &Infallible> {
        Ok(value)
    }
}

/// What the closure that looks at a function's result answers.
pub trait Look {
    /// Whether it is known from the type alone that there is nothing for it to see.
    const SEES_NOTHING: bool;
}

impl Look for () {
    const SEES_NOTHING: bool = false;
}

impl Look for ResultTag {
    const SEES_NOTHING: bool = false;
}

impl Look for ValueTag {
    const SEES_NOTHING: bool = true;
}

rungs! { parea_error:
    /// A text.
    TextErrorKind -> TextErrorTag for [&&&&&&] [Text];
    /// An error with its sources.
    ErrorKind -> ErrorTag for [&&&&&] [Error];
    /// A box or a report with an error inside.
    DerefErrorKind -> DerefErrorTag for [&&&&] [Deref<Target: AnyError>];
    /// What has a text for people.
    DisplayErrorKind -> DisplayErrorTag for [&&&] [Display];
    /// What has a text for programmers.
    DebugErrorKind -> DebugErrorTag for [&&] [Debug];
    /// What has only JSON.
    SerializeErrorKind -> SerializeErrorTag for [&] [Serialize];
    /// Nothing is known of the type but its name.
    NameErrorKind -> NameErrorTag for [];
}

impl TextErrorTag {
    /// Writes the text.
    #[inline(never)]
    pub fn write<E: Text + ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        slot.text(error.text());
    }
}

impl ErrorTag {
    /// Writes the error and its sources.
    #[inline(never)]
    pub fn write<E: Error + ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        slot.told(format_args!("{error}"), error.source(), type_name::<E>());
    }
}

impl DerefErrorTag {
    /// Writes the error and its sources.
    #[inline(never)]
    pub fn write<E: Deref<Target: AnyError> + ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        let error = &**error;
        slot.told(format_args!("{}", error.text()), error.cause(), type_name::<E>());
    }
}

impl DisplayErrorTag {
    /// Writes the text.
    #[inline(never)]
    pub fn write<E: Display + ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        slot.told(format_args!("{error}"), None, type_name::<E>());
    }
}

impl DebugErrorTag {
    /// Writes the text.
    pub fn write<E: Debug + ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        DebugTag.write(error, slot.json());
    }
}

impl SerializeErrorTag {
    /// Writes the JSON.
    pub fn write<E: Serialize + ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        SerializeTag.write(error, slot.json());
    }
}

impl NameErrorTag {
    /// Writes the type's name.
    pub fn write<E: ?Sized>(self, error: &E, slot: ErrorSlot<'_>) {
        NameTag.write(error, slot.json());
    }
}

/// What is a text already.
pub trait Text {
    /// The text.
    fn text(&self) -> &str;
}

impl Text for str {
    #[inline]
    fn text(&self) -> &str {
        self
    }
}

macro_rules! texts {
    ($(($($parameters:tt)*) $type:ty),+) => {$(
        impl<$($parameters)*> Text for $type {
            #[inline]
            fn text(&self) -> &str {
                (**self).text()
            }
        }
    )+};
}

texts!((T: Text + ?Sized) &T, () String, () Cow<'_, str>, (T: Text + ?Sized) Box<T>, () Rc<str>, () Arc<str>);

/// The trait objects that boxes and reports dereference to; they have no `Error` of their own. For any lifetime: the
/// ladder is climbed without regard to lifetimes, and a rung that then asked for `'static` would not compile.
pub trait AnyError {
    /// The error's own text.
    fn text(&self) -> &(dyn Display + '_);
    /// What lies behind it.
    fn cause(&self) -> Option<&(dyn Error + 'static)>;
}

macro_rules! any_error {
    ($($object:ty),+) => {$(
        impl AnyError for $object {
            fn text(&self) -> &(dyn Display + '_) {
                self
            }

            fn cause(&self) -> Option<&(dyn Error + 'static)> {
                self.source()
            }
        }
    )+};
}

any_error!(dyn Error + '_, dyn Error + Send + '_, dyn Error + Sync + '_, dyn Error + Send + Sync + '_);
