#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async};

#[parea::trace]
fn elided(text: &str) -> &str {
    &text[1..]
}

#[parea::trace]
fn named<'a, 'b: 'a>(one: &'a str, other: &'b str) -> &'a str {
    if one.is_empty() { other } else { one }
}

#[parea::trace]
fn mutable<'a>(items: &'a mut [u8], _: &mut u8) -> Option<&'a mut u8> {
    items.first_mut()
}

#[parea::trace]
fn forever(_: &'static str) -> &'static [u8] {
    &[1]
}

struct View<'a>(&'a str);

impl<'a> View<'a> {
    #[parea::trace(skip(self))]
    fn inner(&self) -> &'a str {
        self.0
    }

    #[parea::trace(skip(self))]
    async fn later<'b>(&'b self, other: &'b View<'a>) -> (&'a str, &'b str) {
        tokio::task::yield_now().await;
        (self.0, other.0)
    }

    #[parea::trace(skip(self))]
    fn next(&'a mut self) -> View<'a> {
        View(&self.0[1..])
    }

    #[parea::trace]
    fn words(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.split(' ')
    }
}

#[parea::trace]
fn wrapped(text: &str) -> View<'_> {
    View(text)
}

#[parea::trace]
async fn mutable_later(items: &mut Vec<u8>, more: &[u8]) -> usize {
    items.extend(more);
    tokio::task::yield_now().await;
    items.len()
}

#[parea::trace]
async fn anonymous(view: View<'_>, _: &View<'_>) -> usize {
    view.0.len()
}

fn main() {
    off_and_on(
        || {
            let mut items = [1, 2];
            *mutable(&mut items, &mut 0).unwrap() = 5;
            let owned = "one two".to_owned();
            let mut view = wrapped(&owned);
            let words = view.words().count() + view.inner().len() + view.next().0.len();
            words + elided("abc").len() + named("", "d").len() + forever("").len() + items[0] as usize
        },
        2 + 7 + 6 + 2 + 1 + 1 + 5,
        "mutable (ok)\nwrapped (ok)\nwords (ok)\ninner (ok)\nnext (ok)\nelided (ok)\nnamed (ok)\nforever (ok)\n",
    );
    off_and_on_async(
        async || {
            let (one, other) = ("one".to_owned(), "other".to_owned());
            let (view, mut items) = (View(&one), vec![1]);
            let other = View(&other);
            let (one, other) = view.later(&other).await;
            mutable_later(&mut items, &[2, 3]).await + one.len() + other.len() + anonymous(View("x"), &view).await
        },
        3 + 3 + 5 + 1,
        "later (ok)\nmutable_later (ok)\nanonymous (ok)\n",
    );
}
