#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{input, off_and_on, off_and_on_async};

macro_rules! function {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $of:ty),*) -> $output:ty $body:block) => {
        $(#[$attribute])*
        #[parea::trace]
        $visibility fn $name($($argument: $of),*) -> $output $body
    };
}

function! {
    /// Documented.
    pub(crate) fn from_parts(n: u8, m: Option<u8>) -> u8 {
        n + m.unwrap_or_default()
    }
}

/// The macro's own `n` is another one than the user's.
macro_rules! hygienic {
    ($name:ident, $user:ident, $value:expr) => {
        #[parea::trace(metadata(sum = n + $user))]
        async fn $name($user: u8, n: u8) -> u8 {
            let value = $value;
            n + value
        }
    };
}

hygienic!(mixed, n, n * 10);

macro_rules! item {
    ($item:item) => {
        #[parea::trace(tags = ["item"])]
        $item
    };
}

item! {
    fn whole(_: u8, (a, b): (u8, u8)) -> u8 {
        a + b
    }
}

struct Made(u8);

item! {
    impl Made {
        fn get(&self) -> u8 { self.0 }
        #[trace(skip)]
        fn left_out(&self) -> u8 { self.get() }
    }
}

macro_rules! methods {
    ($of:ty { $($visibility:vis fn $name:ident(&$this:ident) -> $output:ty $body:block)* }) => {
        #[parea::trace]
        impl $of {
            $($visibility fn $name(&$this) -> $output $body)*
        }
    };
}

methods!(Made { fn doubled(&self) -> u8 { self.0 * 2 } fn tripled(&self) -> u8 { self.doubled() + self.0 } });

macro_rules! literal_name {
    ($name:literal, $rate:expr, $krate:path) => {
        #[parea::trace(name = $name, log_sample_rate = $rate, crate = $krate)]
        fn named() {}
    };
}

literal_name!("by literal", 1.0, ::parea);

fn main() {
    let traces = off_and_on(|| from_parts(1, Some(2)), 3, "from_parts (ok)\n");
    assert_eq!(input(&traces, "from_parts", "m"), "2");
    let traces = off_and_on_async(async || mixed(1, 2).await, 12, "mixed (ok)\n");
    assert_eq!(traces.log("mixed").metadata.as_ref().unwrap()["sum"], "3");
    let traces = off_and_on(|| whole(0, (1, 2)), 3, "whole (ok)\n");
    assert_eq!(traces.log("whole").tags.as_ref().unwrap(), &["item"]);
    off_and_on(|| Made(1).left_out(), 1, "Made::get (ok)\n");
    off_and_on(|| Made(2).tripled(), 6, "Made::tripled (ok)\n└─ Made::doubled (ok)\n");
    off_and_on(named, (), "by literal (ok)\n");
}
