//! The hooks of functions that return a stream or an iterator.

use std::{pin::Pin, sync::Arc};

use futures_core::Stream;

use crate::{
    context,
    drive::{DriveOn, Live, drive_on, drive_returned_on, run},
    flow::{CaptureItem, Each},
    hooks::{CallSite, End},
    span::Span,
    streamed::{Iterated, Streamed},
};

/// A box that is traced because the option `stream` says so: behind an alias, its type is not written out.
#[diagnostic::on_unimplemented(
    message = "`#[trace(stream)]` finds no boxed stream or iterator in `{Self}`",
    label = "neither `Pin<Box<dyn Stream<..>>>` nor `Box<dyn Iterator<..>>`",
    note = "return one of these, or `impl Stream<Item = ..>` or `impl Iterator<Item = ..>`, plain or in a `Result`"
)]
pub trait Boxed: Sized {
    /// What comes out.
    type Item;
    /// Its traced form.
    type Traced<O: Fn(&Self::Item, &mut End)>;

    /// The traced form, which goes on in a span.
    fn traced<O: Fn(&Self::Item, &mut End)>(self, span: Option<Live>, capture: O) -> Self::Traced<O>;
}

/// A box around a traced form.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold what `#[trace(stream)]` makes of it",
    label = "the traced form does not fit",
    note = "what `stream(with = ..)` fills has to be `Send` if the box is"
)]
pub trait Holds<F> {
    /// Boxes it.
    fn hold(flow: F) -> Self;
}

macro_rules! boxed {
    ($($traced:ident, $new:path: $box:ty $(, $auto:ident)*;)+) => {$(
        impl<'a, T> Boxed for $box {
            type Item = T;
            type Traced<O: Fn(&T, &mut End)> = $traced<Self, Each<O>>;

            fn traced<O: Fn(&T, &mut End)>(self, span: Option<Live>, capture: O) -> Self::Traced<O> {
                $traced::new(self, span, capture)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<'a, T: 'a, K: CaptureItem<T> $(+ $auto)* + 'a> Holds<$traced<$box, K>> for $box {
            fn hold(flow: $traced<$box, K>) -> Self {
                $new(flow)
            }
        }
    )+};
}

boxed! {
    Streamed, Box::pin: Pin<Box<dyn Stream<Item = T> + 'a>>;
    Streamed, Box::pin: Pin<Box<dyn Stream<Item = T> + Send + 'a>>, Send;
    Streamed, Box::pin: Pin<Box<dyn Stream<Item = T> + Send + Sync + 'a>>, Send, Sync;
    Iterated, Box::new: Box<dyn Iterator<Item = T> + 'a>;
    Iterated, Box::new: Box<dyn Iterator<Item = T> + Send + 'a>, Send;
    Iterated, Box::new: Box<dyn Iterator<Item = T> + Send + Sync + 'a>, Send, Sync;
}

/// The hooks of one kind of flow: returned as it is or in a `Result`, by a plain or an async function. `wrap` applies
/// what the option `stream(..)` says and boxes what the signature says is boxed.
macro_rules! hooks {
    ($trait:ident, $new:path, $traced:ty: $plain:ident $fallible:ident $plain_async:ident $fallible_async:ident
        $plain_returned:ident $fallible_returned:ident) => {
        /// For a plain function.
        pub fn $plain<S: $trait, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: impl FnOnce() -> S,
            capture: O,
            wrap: impl FnOnce($traced) -> T,
        ) -> T {
            let span = context::begin(site);
            let source = run(span.as_ref(), body);
            wrap($new(source, span.map(Live), capture))
        }

        /// For a plain function that may fail before.
        pub fn $fallible<S: $trait, E, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: impl FnOnce() -> Result<S, E>,
            capture: O,
            failed: impl Fn(&E, &mut End),
            wrap: impl FnOnce($traced) -> T,
        ) -> Result<T, E> {
            let span = context::begin(site);
            let result = run(span.as_ref(), body);
            let source = begun(result, span.as_ref(), failed)?;
            Ok(wrap($new(source, span.map(Live), capture)))
        }

        /// For an async function.
        pub fn $plain_async<F, S: $trait, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: F,
            capture: O,
            wrap: impl FnOnce($traced) -> T,
        ) -> DriveOn<F, impl FnOnce(S, Option<Live>) -> T>
        where
            F: Future<Output = S>,
        {
            drive_on(site, body, move |source, span| wrap($new(source, span, capture)))
        }

        /// For an async function that may fail before.
        pub fn $fallible_async<F, S: $trait, E, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: F,
            capture: O,
            failed: impl Fn(&E, &mut End),
            wrap: impl FnOnce($traced) -> T,
        ) -> DriveOn<F, impl FnOnce(Result<S, E>, Option<Live>) -> Result<T, E>>
        where
            F: Future<Output = Result<S, E>>,
        {
            drive_on(site, body, move |result, span: Option<Live>| {
                let source = begun(result, span.as_ref().map(|Live(span)| span), failed)?;
                Ok(wrap($new(source, span, capture)))
            })
        }

        /// For a plain function that returns a future.
        pub fn $plain_returned<F, S: $trait, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: impl FnOnce() -> F,
            capture: O,
            wrap: impl FnOnce($traced) -> T,
        ) -> DriveOn<F, impl FnOnce(S, Option<Live>) -> T>
        where
            F: Future<Output = S>,
        {
            drive_returned_on(site, body, move |source, span| wrap($new(source, span, capture)))
        }

        /// For a plain function that returns a future that may fail before.
        pub fn $fallible_returned<F, S: $trait, E, O: Fn(&S::Item, &mut End), T>(
            site: &'static CallSite,
            body: impl FnOnce() -> F,
            capture: O,
            failed: impl Fn(&E, &mut End),
            wrap: impl FnOnce($traced) -> T,
        ) -> DriveOn<F, impl FnOnce(Result<S, E>, Option<Live>) -> Result<T, E>>
        where
            F: Future<Output = Result<S, E>>,
        {
            drive_returned_on(site, body, move |result, span: Option<Live>| {
                let source = begun(result, span.as_ref().map(|Live(span)| span), failed)?;
                Ok(wrap($new(source, span, capture)))
            })
        }
    };
}

hooks!(Stream, Streamed::new, Streamed<S, Each<O>>:
    stream try_stream drive_stream drive_try_stream returned_stream returned_try_stream);
hooks!(Iterator, Iterated::new, Iterated<S, Each<O>>:
    iterator try_iterator drive_iterator drive_try_iterator returned_iterator returned_try_iterator);
hooks!(Boxed, S::traced, S::Traced<O>:
    boxed try_boxed drive_boxed drive_try_boxed returned_boxed returned_try_boxed);

/// The source, or the end of the span with the error.
fn begun<S, E>(result: Result<S, E>, span: Option<&Arc<Span>>, failed: impl Fn(&E, &mut End)) -> Result<S, E> {
    if let (Err(error), Some(span)) = (&result, span.filter(|span| !span.is_muted())) {
        let mut end = End::default();
        end.fill(|end| failed(error, end));
        span.finish(end.outcome());
    }
    result
}

/// Gives the closure of `stream(with = ..)` its types.
pub fn take_in<'a, A, T: ?Sized, R>(all: &'a mut A, item: &'a T, with: impl FnOnce(&'a mut A, &'a T) -> R) -> R {
    with(all, item)
}
