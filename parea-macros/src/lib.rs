//! The attribute `#[parea::trace]`. Use it through the crate `parea`.
//!
//! `args` (the options) and `item` (the function) are parsed, `validate` judges them together, `expand` writes the
//! result, `fallback` what is left when there were errors. All of it works on `proc_macro2` tokens; only this file
//! touches the compiler's own.

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
    let item = proc_macro2::TokenStream::from(item);
    let block = block::parse(&item);
    if !cfg!(feature = "enable") {
        // As it was written; but in a block, `#[trace(skip)]` is ours to take away.
        return block.map_or(item, |block| block.plain()).into();
    }
    match block {
        Some(block) => block.expand(args.into()).unwrap_or_else(|errors| fallback::emit(&errors, block.plain())),
        None => annotate(args.into(), &item).unwrap_or_else(|errors| fallback::emit(&errors, item)),
    }
    .into()
}

fn annotate(args: proc_macro2::TokenStream, item: &proc_macro2::TokenStream) -> syn::Result<proc_macro2::TokenStream> {
    // Both are parsed before either's errors are given up on: the user sees all of them at once.
    let (options, function) = validate::both(args::parse(args), item::parse(item))?;
    let function = validate::check(&options, function)?;
    Ok(expand::expand(&options, &function))
}
