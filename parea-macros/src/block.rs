//! The attribute on a whole `impl` block or trait: each method that has a body is traced as `Type::method`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Attribute, Error, ImplItem, ItemImpl, ItemTrait, LitStr, Result, Token, TraitItem, Type, Visibility,
    ext::IdentExt as _,
    parse::{Parse as _, ParseStream, Parser as _},
};

use crate::{
    args::{self, Options},
    expand,
    item::{self, Written},
    validate::{self, Errors},
};

/// A block as it was written, token by token, with our attributes on its methods kept apart.
pub(crate) struct Annotated {
    /// All that comes before the braces.
    head: TokenStream,
    braces: Group,
    /// Of the block itself.
    attributes: Vec<Attribute>,
    /// What the methods' names are put behind.
    of: String,
    parts: Vec<Part>,
}

/// A piece of what is in the braces.
struct Part {
    /// As it was written, without our own attributes.
    plain: TokenStream,
    method: Option<Method>,
}

struct Method {
    written: Written,
    /// Our own attributes on it, as they were written.
    own: Vec<Attribute>,
}

/// The block, if the item is one.
pub(crate) fn parse(item: &TokenStream) -> Option<Annotated> {
    let is_trait = is_trait(item)?;
    let mut tokens: Vec<TokenTree> = ungrouped(item.clone()).into_iter().collect();
    let TokenTree::Group(braces) = tokens.pop()? else { return None };
    let head: TokenStream = tokens.into_iter().collect();
    let mut empty = head.clone();
    empty.extend([TokenTree::Group(Group::new(Delimiter::Brace, TokenStream::new()))]);
    let (mut attributes, of) = if is_trait {
        let block = syn::parse2::<ItemTrait>(empty).ok()?;
        (block.attrs, block.ident.unraw().to_string())
    } else {
        let block = syn::parse2::<ItemImpl>(empty).ok()?;
        (block.attrs, type_name(&block.self_ty))
    };
    let content = |input: ParseStream<'_>| {
        let mut parts = Vec::new();
        let ahead = input.fork();
        let inner = ahead.call(Attribute::parse_inner)?;
        parts.push(Part { plain: until(input, &ahead)?, method: None });
        while !input.is_empty() {
            parts.push(part(input, is_trait)?);
        }
        Ok((inner, parts))
    };
    let (inner, parts) = content.parse2(braces.stream()).ok()?;
    attributes.extend(inner);
    Some(Annotated { head, braces, attributes, of, parts })
}

/// Whether the item is a trait; `None` if it is neither that nor an `impl` block. Looks no further than it must: most
/// items are functions.
fn is_trait(item: &TokenStream) -> Option<bool> {
    let look = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        while input.peek(Token![unsafe]) || input.peek(Token![default]) || input.peek(Token![auto]) {
            input.parse::<TokenTree>()?;
        }
        let is_trait = (input.peek(Token![trait]), input.peek(Token![impl]));
        input.parse::<TokenStream>()?;
        Ok(is_trait)
    };
    match look.parse2(item.clone()) {
        Ok((true, _)) => Some(true),
        Ok((_, true)) => Some(false),
        _ => None,
    }
}

/// The tokens without a group around them all that nobody sees, which a macro may have put there.
fn ungrouped(tokens: TokenStream) -> TokenStream {
    let mut all = tokens.clone().into_iter();
    match (all.next(), all.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => ungrouped(group.stream()),
        _ => tokens,
    }
}

/// The next item of a block.
fn part(input: ParseStream<'_>, of_trait: bool) -> Result<Part> {
    let ahead = input.fork();
    if let Ok(mut written) = Written::parse(&ahead) {
        let own = written.attrs.extract_if(.., |attribute| is_ours(attribute)).collect();
        return Ok(Part { plain: without_ours(until(input, &ahead)?), method: Some(Method { written, own }) });
    }
    let ahead = input.fork();
    let known = if of_trait { TraitItem::parse(&ahead).is_ok() } else { ImplItem::parse(&ahead).is_ok() };
    if known {
        return Ok(Part { plain: until(input, &ahead)?, method: None });
    }
    // The compiler may know what this is.
    let mut plain = TokenStream::new();
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let last = match &token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        plain.extend([token]);
        if last {
            break;
        }
    }
    Ok(Part { plain, method: None })
}

/// The tokens up to where a fork has come.
fn until(input: ParseStream<'_>, ahead: ParseStream<'_>) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && input.cursor() != ahead.cursor() {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}

/// `#[trace(..)]` or `#[parea::trace(..)]`
fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "trace")
}

/// The tokens of a method but for our attributes before it.
fn without_ours(method: TokenStream) -> TokenStream {
    let mut rest = method.into_iter().peekable();
    let mut kept = TokenStream::new();
    while let Some(token) = rest.next() {
        let starts = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if let (true, Some(TokenTree::Group(group))) = (starts, rest.peek()) {
            let attribute: TokenStream = [token.clone(), TokenTree::Group(group.clone())].into_iter().collect();
            let ours = Attribute::parse_outer.parse2(attribute).is_ok_and(|parsed| parsed.iter().any(is_ours));
            if ours {
                rest.next();
                continue;
            }
            kept.extend([token]);
            kept.extend(rest.next());
        } else {
            kept.extend([token]);
            kept.extend(rest.by_ref());
        }
    }
    kept
}

impl Annotated {
    /// The block without our attributes on its methods, for when there are errors: left there they would be unknown.
    pub(crate) fn plain(&self) -> TokenStream {
        self.with(self.parts.iter().map(|part| part.plain.clone()).collect())
    }

    fn with(&self, content: TokenStream) -> TokenStream {
        let mut braces = Group::new(Delimiter::Brace, content);
        braces.set_span(self.braces.span());
        let mut block = self.head.clone();
        block.extend([TokenTree::Group(braces)]);
        block
    }

    pub(crate) fn expand(&self, args: TokenStream) -> Result<TokenStream> {
        let mut errors = Errors::default();
        // The methods' own errors are shown beside those of the block's options.
        let defaults = args::parse(args).unwrap_or_else(|error| {
            errors.push(error);
            Options::default()
        });
        validate::check_block(&defaults, &mut errors);
        let mut content = TokenStream::new();
        for part in &self.parts {
            let traced = part.method.as_ref().map_or(Ok(None), |method| self.expand_method(method, &defaults));
            match traced {
                Ok(traced) => content.extend(traced.unwrap_or_else(|| part.plain.clone())),
                Err(error) => errors.push(error),
            }
        }
        errors.or(self.with(content))
    }

    /// The traced method; `None` for one that is left out.
    fn expand_method(&self, method: &Method, defaults: &Options) -> Result<Option<TokenStream>> {
        if let [_, second, ..] = &method.own[..] {
            return Err(Error::new_spanned(second, "`#[trace]` is given twice; put all options into one"));
        }
        let own = method.own.first().map(|own| match &own.meta {
            syn::Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        });
        let left_out = own.as_ref().is_some_and(|own| own.to_string() == "skip");
        if left_out || own.is_none() && method.written.body.is_none() {
            return Ok(None);
        }
        let (own, mut function) =
            validate::both(args::parse(own.unwrap_or_default()), item::take_apart(method.written.clone()))?;
        // A macro on the block, such as `async_trait`, looks for `async` in it.
        function.keeps_async |= !expand::are_inert(&self.attributes);
        let mut options = own.over(defaults, &function);
        if options.name.is_none() {
            let name = format!("{}::{}", self.of, function.sig.ident.unraw());
            options.name = Some(LitStr::new(&name, function.sig.ident.span()));
        }
        let function = validate::check(&options, function)?;
        Ok(Some(expand::expand(&options, &function)))
    }
}

/// The last name of a path, such as `Client` for `&mut api::Client<T>`; another type as it is written.
fn type_name(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default(),
        Type::Reference(reference) => type_name(&reference.elem),
        Type::Paren(inner) => type_name(&inner.elem),
        Type::Group(inner) => type_name(&inner.elem),
        other => other.to_token_stream().to_string().replace(' ', ""),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    #[test]
    fn switched_off_nothing_of_ours_is_left_on_a_block() {
        let block = quote! {
            #[doc = "kept"]
            unsafe impl<const N: usize> S<{ N + 1 }> where [u8; N]: {
                #![allow(dead_code)]
                #[trace(skip)]
                #[inline]
                fn f(&self) -> S<{ 1 + 1 }> { let x = S::<{ 2 }>; }
                const LIMIT: S = S { n: 1 };
                some_macro! { #[trace] }
                default type T = ();
                what is this syntax;

                #[parea::trace(name = "g")]
                async fn g(&self) { #[trace] fn inner() {} }
            }
        };
        let plain = super::parse(&block).map(|block| block.plain().to_string());
        let expected = quote! {
            #[doc = "kept"]
            unsafe impl<const N: usize> S<{ N + 1 }> where [u8; N]: {
                #![allow(dead_code)]
                #[inline]
                fn f(&self) -> S<{ 1 + 1 }> { let x = S::<{ 2 }>; }
                const LIMIT: S = S { n: 1 };
                some_macro! { #[trace] }
                default type T = ();
                what is this syntax;

                async fn g(&self) { #[trace] fn inner() {} }
            }
        };
        assert_eq!(plain, Some(expected.to_string()));
    }
}
