//! What most programs name, in one `use`: `use parea::prelude::*;`.

pub use crate::{InCurrentSpan, spawn, trace};
