//! What every lint says of this file it has to say with and without the attribute, on the same lines.

use std::{cell::Cell, sync::Mutex};

#[parea::trace]
pub fn undocumented() {}

#[parea::trace]
pub async fn undocumented_later() {}

#[parea::trace]
fn never_called() {}

struct Unused;

impl Unused {
    #[parea::trace]
    async fn never_called_either(&self) {}
}

/// Documented.
pub struct Client(Mutex<u8>, Cell<u8>);

#[parea::trace]
impl Client {
    pub fn undocumented_method(&self) -> u8 {
        1
    }

    fn never_called_method(&self) {}

    /// Documented.
    ///
    /// # Errors
    ///
    /// Never.
    pub async fn holds_a_lock(&self) -> Result<u8, String> {
        let guard = self.0.lock().unwrap();
        std::future::ready(()).await;
        self.1.set(*guard);
        Ok(*guard)
    }
}

#[parea::trace]
fn fallible(text: &str) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

#[must_use = "it is the answer"]
#[parea::trace]
async fn important() -> u8 {
    std::future::ready(1).await
}

#[must_use]
#[parea::trace]
fn needed() -> u8 {
    1
}

#[parea::trace]
async fn large() -> usize {
    let held = [0_u8; 32 * 1024];
    std::future::ready(()).await;
    held.len()
}

#[parea::trace]
async fn awaits_the_large() -> usize {
    large().await
}

#[deprecated = "there is a better one"]
#[parea::trace]
fn old() {}

#[parea::trace]
fn unused_things(left_alone: u8, mut never_changed: u8) {
    let also_alone = 1;
    let mut needless = 2;
    let _ = needless;
    let assigned;
    assigned = never_changed;
}

#[parea::trace]
fn style(numbers: &Vec<u8>, flag: bool) -> u8 {
    if flag == true {
        return numbers.len() as u8;
    }
    let mut sum = 0;
    for i in 0..numbers.len() {
        sum = sum + numbers[i];
    }
    return sum;
}

#[parea::trace]
async fn style_later(text: String) -> usize {
    std::future::ready(()).await;
    let copy = text.clone();
    return copy.len();
}

#[parea::trace]
fn BadName(BadArgument: u8) -> u8 {
    let BadLocal = BadArgument;
    BadLocal
}

#[parea::trace]
fn unreachable(n: u8) -> u8 {
    return n;
    n + 1
}

#[parea::trace]
fn items() -> impl Iterator<Item = u8> {
    0..3
}

async fn calls() {
    fallible("1");
    important().await;
    important();
    needed();
    undocumented_later();
    awaits_the_large().await;
    old();
    unused_things(1, 2);
    style(&vec![1], true);
    style_later(String::new()).await;
    BadName(1);
    unreachable(1);
    items();
    undocumented();
}

fn main() {
    let _ = calls();
    let _ = Client(Mutex::new(1), Cell::new(1)).holds_a_lock();
}

/// Documented.
pub trait Asks {
    /// Documented.
    #[parea::trace]
    async fn ask(&self) -> u8 {
        1
    }
}
