#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{input, off_and_on, off_and_on_async};

struct Store<T> {
    items: Vec<T>,
}

#[parea::trace(skip(self), tags = ["store"], metadata(kind = "memory"), log_sample_rate = 1.0)]
impl<T: Clone + std::fmt::Debug> Store<T> {
    #![allow(dead_code)]

    const LIMIT: usize = 2;

    pub(crate) fn new() -> Self {
        Self { items: Vec::new() }
    }

    fn put(&mut self, item: T) -> Result<&mut Self, String> {
        if self.items.len() == Self::LIMIT {
            return Err("full".to_owned());
        }
        self.items.push(item);
        Ok(self)
    }

    #[parea::trace(name = "look", metadata(kind = "look-up"), tags = ["own"])]
    async fn get(&self, index: usize) -> Option<T> {
        self.size();
        self.items.get(index).cloned()
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    #[trace(skip)]
    const fn size(&self) -> usize {
        self.items.len()
    }

    /// A method that nobody calls is no fault here: the block allows it.
    fn never_called(&self) {}
}

mod api {
    pub(crate) struct Client;
}

#[parea::trace]
impl api::Client {
    fn ping(&self) -> u8 {
        1
    }
}

#[parea::trace(boxed)]
impl PartialEq<u8> for &api::Client {
    fn eq(&self, other: &u8) -> bool {
        *other == self.ping()
    }
}

#[parea::trace]
trait Greet {
    const GREETING: &'static str;
    type Name: AsRef<str>;

    fn name(&self) -> Self::Name;

    fn greet(&self) -> String {
        format!("{} {}", Self::GREETING, self.name().as_ref())
    }

    async fn greet_later(&self) -> usize {
        self.greet().len()
    }

    #[trace(skip)]
    fn quiet(&self) -> String {
        self.greet()
    }
}

#[parea::trace]
impl Greet for u8 {
    const GREETING: &'static str = "Hello";
    type Name = String;

    fn name(&self) -> String {
        self.to_string()
    }
}

fn main() {
    let traces = off_and_on_async(
        async || {
            let mut store = Store::new();
            store.put(1_u8).unwrap().put(2).unwrap();
            assert!(store.put(3).is_err());
            (store.get(1).await, store.all().count())
        },
        (Some(2), 2),
        "Store::new (ok)\nStore::put (ok)\nStore::put (ok)\nStore::put (error: full)\nlook (ok)\nStore::all (ok)\n",
    );
    let look = traces.log("look");
    assert_eq!(look.tags.as_ref().unwrap(), &["store", "own"]);
    assert_eq!(look.metadata.as_ref().unwrap()["kind"], "look-up");
    assert_eq!((input(&traces, "look", "self").as_str(), input(&traces, "look", "index").as_str()), ("(none)", "1"));
    off_and_on(|| &api::Client == 1, true, "Client::eq (ok)\n└─ Client::ping (ok)\n");
    off_and_on(|| 7.quiet(), "Hello 7".to_owned(), "Greet::greet (ok)\n└─ u8::name (ok)\n");
    off_and_on_async(
        async || 7.greet_later().await,
        7,
        "Greet::greet_later (ok)\n└─ Greet::greet (ok)\n   └─ u8::name (ok)\n",
    );
}
