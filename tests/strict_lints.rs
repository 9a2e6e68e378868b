//! Not one warning comes from the expansion.
#![deny(warnings, missing_docs, unused_qualifications, unsafe_code, clippy::all, clippy::pedantic, clippy::nursery)]

use std::fmt::Display;

/// A thing.
#[derive(Debug)]
pub struct Thing(u8);

impl Thing {
    /// By reference.
    ///
    /// # Errors
    ///
    /// Never.
    #[parea::trace(name = "Thing::read", metadata(size = factor))]
    pub async fn read(&self, factor: u8) -> Result<u8, std::io::Error> {
        std::future::ready(()).await;
        Ok(self.0 * factor)
    }

    /// By mutable reference.
    #[parea::trace(skip(self))]
    #[inline]
    pub fn raise(&mut self, by: u8) -> &mut u8 {
        self.0 += by;
        &mut self.0
    }

    /// By value, with a pattern.
    #[parea::trace]
    pub async fn spend(self, (first, mut second): (u8, u8), _unused: String) -> u8 {
        second += 1;
        std::future::ready(()).await;
        self.0 + first + second
    }
}

/// With lifetimes and generics.
#[parea::trace(log_omit_outputs)]
pub fn pick<'a, T: Display + ?Sized, const N: usize>(items: [&'a T; N], index: usize) -> &'a T {
    items[index]
}

/// Opaque.
#[parea::trace(log_omit_inputs)]
pub fn evens(limit: u32) -> impl Iterator<Item = u32> {
    (0..limit).filter(|n| n % 2 == 0)
}

/// A trait with an async method.
pub trait Ask {
    /// Asks.
    fn ask(&self, question: &str) -> impl Future<Output = usize> + Send;
}

impl Ask for Thing {
    #[parea::trace]
    async fn ask(&self, question: &str) -> usize {
        std::future::ready(()).await;
        question.len()
    }
}

macro_rules! generated {
    ($name:ident, $argument:ident) => {
        /// Generated.
        #[parea::trace]
        pub fn $name($argument: u8) -> u8 {
            $argument + 1
        }
    };
}

generated!(from_macro, n);

#[tokio::test]
async fn it_runs_as_well() {
    let ((), traces) = parea::testing::capture_async(async {
        let mut thing = Thing(1);
        *thing.raise(2) += 1;
        assert_eq!(thing.read(2).await.unwrap(), 8);
        assert_eq!(thing.ask("four").await, 4);
        assert_eq!(thing.spend((1, 2), String::new()).await, 8);
        assert_eq!(pick(["a", "b"], 1), "b");
        assert_eq!(evens(4).count(), 2);
        assert_eq!(from_macro(1), 2);
    })
    .await;
    assert_eq!(
        traces.tree(),
        "raise (ok)\nThing::read (ok)\nask (ok)\nspend (ok)\npick (ok)\nevens (ok)\nfrom_macro (ok)\n"
    );
}
