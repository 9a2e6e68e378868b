//! Traced streams and iterators.

use std::{
    iter::FusedIterator,
    mem,
    pin::Pin,
    task::{self, Poll},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::{
    drive::Live,
    flow::{CaptureEnd, CaptureItem, Each, Flow, Together},
    hooks::End,
    items::Keep,
};

pin_project! {
    /// A stream whose items are captured by `K`.
    #[must_use = "streams do nothing unless polled"]
    pub struct Streamed<S, K: CaptureEnd> {
        flow: Flow,
        capture: K,
        #[pin]
        source: Option<S>,
    }

    impl<S, K: CaptureEnd> PinnedDrop for Streamed<S, K> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.flow.abandon(this.capture, || this.source.set(None));
        }
    }
}

impl<S: Stream, K: CaptureItem<S::Item>> Stream for Streamed<S, K> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let source = &mut this.source;
        let polled = this.flow.step(this.capture, || {
            source.as_mut().as_pin_mut().map_or(Poll::Ready(None), |source| source.poll_next(task))
        });
        match &polled {
            Poll::Ready(Some(item)) => this.flow.item(this.capture, item),
            Poll::Ready(None) => this.flow.end(this.capture, None),
            Poll::Pending => {}
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

/// An iterator whose items are captured by `K`.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Iterated<I, K: CaptureEnd> {
    flow: Flow,
    capture: K,
    source: Option<I>,
}

impl<I: Iterator, K: CaptureItem<I::Item>> Iterated<I, K> {
    fn take(&mut self, step: impl FnOnce(&mut I) -> Option<I::Item>) -> Option<I::Item> {
        let source = &mut self.source;
        let item = self.flow.step(&mut self.capture, || source.as_mut().and_then(step));
        match &item {
            Some(item) => self.flow.item(&mut self.capture, item),
            None => self.flow.end(&mut self.capture, None),
        }
        item
    }
}

impl<I: Iterator, K: CaptureItem<I::Item>> Iterator for Iterated<I, K> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.take(Iterator::next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.as_ref().map_or((0, Some(0)), Iterator::size_hint)
    }
}

impl<I: DoubleEndedIterator, K: CaptureItem<I::Item>> DoubleEndedIterator for Iterated<I, K> {
    fn next_back(&mut self) -> Option<I::Item> {
        self.take(DoubleEndedIterator::next_back)
    }
}

impl<I: ExactSizeIterator, K: CaptureItem<I::Item>> ExactSizeIterator for Iterated<I, K> {}

impl<I: FusedIterator, K: CaptureItem<I::Item>> FusedIterator for Iterated<I, K> {}

impl<I, K: CaptureEnd> Drop for Iterated<I, K> {
    fn drop(&mut self) {
        let source = &mut self.source;
        self.flow.abandon(&mut self.capture, || *source = None);
    }
}

/// What the option `stream(..)` makes of a flow, before anything came out of it.
macro_rules! kept {
    ($flowing:ident, $trait:ident) => {
        impl<S: $trait, O: Fn(&S::Item, &mut End)> $flowing<S, Each<O>> {
            pub(crate) fn new(source: S, span: Option<Live>, capture: O) -> Self {
                let flow = Flow::new(span.map(|Live(span)| span));
                Self { flow, capture: Each(capture), source: Some(source) }
            }

            /// Chooses how the items become one output.
            pub fn keep(mut self, keep: Keep) -> Self {
                self.flow.items.keep(keep);
                self.flow.for_evals.keep(keep);
                self
            }

            /// Takes the items together by `with`, in a value that `capture` captures at the end.
            pub fn with<A, W, C>(mut self, with: W, capture: C) -> $flowing<S, Together<A, W, C>>
            where
                A: Default,
                W: FnMut(&mut A, &S::Item, &mut End),
                C: Fn(&A, &mut End),
            {
                let flow = mem::take(&mut self.flow);
                let capture = Together { all: None, start: A::default, with, capture };
                $flowing { flow, capture, source: self.source.take() }
            }
        }
    };
}

kept!(Streamed, Stream);
kept!(Iterated, Iterator);
