//! The attribute `#[parea::trace]`. Use it through the crate `parea`.
//!
//! `args` (the options) and `item` (the function) are parsed, `validate` judges them together, `expand` writes the
//! result, `fallback` what is left when there were errors; `annotation` leads through them. All of it works on `proc_macro2` tokens; only this file
//! touches the compiler's own.

mod annotation;
mod args;
mod block;
mod expand;
mod fallback;
mod item;
mod returns;
mod suggest;
mod validate;

use proc_macro::TokenStream;

#[doc = include_str!("trace.md")]
#[proc_macro_attribute]
pub fn trace(args: TokenStream, item: TokenStream) -> TokenStream {
    annotation::apply(cfg!(feature = "enable"), args.into(), item.into()).into()
}
