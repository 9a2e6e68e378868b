//! From the attribute's tokens and the item's to what stands in their place.

use proc_macro2::TokenStream;

use crate::{args, block, expand, fallback, item, validate};

/// Off, the item is as it was written; but in a block, our attributes on methods are ours to take away.
pub(crate) fn apply(enabled: bool, args: TokenStream, item: TokenStream) -> TokenStream {
    match block::parse(&item) {
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
