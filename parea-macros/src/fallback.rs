//! When there are errors: they, and the item as it was, so that nothing else breaks and editors still know it.

use proc_macro2::TokenStream;

pub(crate) fn emit(errors: &syn::Error, item: TokenStream) -> TokenStream {
    let mut tokens = errors.to_compile_error();
    tokens.extend(item);
    tokens
}
