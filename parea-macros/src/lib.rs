//! The attributes `#[parea::trace]`, `#[parea::eval]` and `#[parea::test_eval]`. Use them through the crate `parea`.
//!
//! `args` (the options) and `item` (the function) are parsed, `validate` judges them together, `expand` writes the
//! result, `fallback` what is left when there were errors; `annotation` leads through them. `eval` and `test_eval` are the other two attributes, with
//! `setting` for what their options share. All of it works on `proc_macro2` tokens; only this file touches the compiler's own.

mod annotation;
mod args;
mod block;
mod eval;
mod expand;
mod fallback;
mod item;
mod returns;
mod setting;
mod suggest;
mod test_eval;
mod validate;

use proc_macro::TokenStream;

#[doc = include_str!("trace.md")]
#[proc_macro_attribute]
pub fn trace(args: TokenStream, item: TokenStream) -> TokenStream {
    annotation::apply(cfg!(feature = "enable"), args.into(), item.into()).into()
}

#[doc = include_str!("eval.md")]
#[proc_macro_attribute]
pub fn eval(args: TokenStream, item: TokenStream) -> TokenStream {
    eval::apply(args.into(), item.into()).into()
}

#[doc = include_str!("test_eval.md")]
#[proc_macro_attribute]
pub fn test_eval(args: TokenStream, item: TokenStream) -> TokenStream {
    test_eval::apply(args.into(), &item.into()).into()
}
