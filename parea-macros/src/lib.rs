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

use proc_macro2::TokenStream;

#[doc = include_str!("trace.md")]
#[proc_macro_attribute]
pub fn trace(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    annotate(cfg!(feature = "enable"), args.into(), item.into()).into()
}

fn annotate(enabled: bool, args: TokenStream, item: TokenStream) -> TokenStream {
    match block::parse(&item) {
        // As it was written; but in a block, `#[trace(skip)]` is ours to take away.
        Some(block) if !enabled => block.plain(),
        None if !enabled => item,
        Some(block) => block.expand(args).unwrap_or_else(|errors| fallback::emit(&errors, block.plain())),
        None => function(args, &item).unwrap_or_else(|errors| fallback::emit(&errors, item)),
    }
}

fn function(args: TokenStream, item: &TokenStream) -> syn::Result<TokenStream> {
    // Both are parsed before either's errors are given up on: the user sees all of them at once.
    let (options, function) = validate::both(args::parse(args), item::parse(item))?;
    let function = validate::check(&options, function)?;
    Ok(expand::expand(&options, &function))
}
