//! The attribute on a whole `impl` block or trait.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use parea::testing::{capture, capture_async};

#[derive(Debug)]
struct Store<T> {
    items: Vec<T>,
}

#[parea::trace(skip(self), tags = ["store"], metadata(kind = "memory"), log_omit_outputs)]
impl<T: Clone + std::fmt::Debug> Store<T> {
    const LIMIT: usize = 2;

    fn new() -> Self {
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

    #[parea::trace(skip)]
    fn size(&self) -> usize {
        self.items.len()
    }
}

#[parea::trace]
trait Greet {
    fn name(&self) -> String;

    fn greet(&self) -> String
    where
        Self: std::fmt::Debug,
    {
        format!("Hello {}", self.name())
    }
}

#[parea::trace]
impl Greet for Store<u8> {
    fn name(&self) -> String {
        "store".to_owned()
    }
}

#[tokio::test]
async fn each_method_with_a_body_is_traced_under_its_type() {
    let ((), traces) = capture_async(async {
        let mut store = Store::new();
        store.put(1_u8).unwrap().put(2).unwrap();
        store.put(3).unwrap_err();
        assert_eq!(store.get(1).await, Some(2));
        assert_eq!(store.greet(), "Hello store");
    })
    .await;
    insta::assert_snapshot!(traces, @r"
    Store::new (ok)
    Store::put (ok)
    Store::put (ok)
    Store::put (error: full)
    look (ok)
    Greet::greet (ok)
    └─ Store::name (ok)
    ");
}

#[test]
fn options_of_the_block_are_the_defaults_of_its_methods() {
    let (_, traces) = capture(|| futures::executor::block_on(Store { items: vec![1] }.get(0)));
    let log = traces.log("look");
    assert_eq!(log.tags.as_ref().unwrap(), &["store", "own"]);
    assert_eq!(log.metadata.as_ref().unwrap()["kind"], "look-up");
    assert_eq!(serde_json::to_value(&log.inputs).unwrap(), serde_json::json!({"index": 0}));
    assert_eq!(log.output, None);
}
