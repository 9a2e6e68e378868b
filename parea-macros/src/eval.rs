//! `#[eval]`: a function as an evaluation with a name and a description.
//!
//! The function stays what it is, and says first of all who it is. A function that makes evaluations, such as
//! `at_least(0.9)`, returns them with their name.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    Attribute, Error, FnArg, LitStr, Path, Result, ReturnType, Signature, Token, Type, TypeParamBound,
    ext::IdentExt as _, punctuated::Punctuated, spanned::Spanned as _,
};

use crate::{
    fallback,
    item::{self, Written},
    setting::{self, Settings},
    validate::{self, Errors},
};

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    description: Option<LitStr>,
    krate: Option<Path>,
}

const SETTINGS: Settings<Options> = Settings {
    all: &[
        ("name", |options, name, input| setting::text(&mut options.name, name, input)),
        ("description", |options, name, input| setting::text(&mut options.description, name, input)),
        ("crate", |options, name, input| setting::krate(&mut options.krate, name, input)),
    ],
    many: &[],
    example: "`name`",
    foreign: |_| None,
};

/// What stands in the function's place.
pub(crate) fn apply(args: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse2::<Written>(item.clone());
    let function = function.map_err(|error| match item::misplaced(&item) {
        Some((token, what)) => Error::new_spanned(token, format!("`#[eval]` is for functions, not {what}")),
        None => error,
    });
    let expanded =
        validate::both(SETTINGS.read(args), function).and_then(|(options, function)| expand(&options, function));
    expanded.unwrap_or_else(|errors| fallback::emit(&errors, item))
}

fn expand(options: &Options, function: Written) -> Result<TokenStream> {
    let hooks = setting::hooks(options.krate.as_ref());
    let made = made(&function.sig);
    check(&function, made)?;
    let ident = function.sig.ident.unraw().to_string();
    let name = options.name.as_ref().map_or(ident.clone(), LitStr::value);
    let described = || setting::first_paragraph(&function.attrs);
    let description = options.description.as_ref().map_or_else(described, LitStr::value);
    if let Some(made) = made {
        return maker(&hooks, &name, &description, function, made);
    }
    let Written { attrs, vis, default, sig, body } = &function;
    let Some(body) = body else { return Ok(TokenStream::new()) };
    // A type that is no result of an evaluation is an error where it is written.
    let result = match &sig.output {
        ReturnType::Type(_, output) if !matches!(**output, Type::ImplTrait(_)) => {
            let at = output.span().resolved_at(Span::call_site());
            Some(quote_spanned!(at=> let _ = <#output as #hooks::IntoScores>::into_scores;))
        }
        _ => None,
    };
    let statements = &body.statements;
    let body = body.with(quote! {
        #hooks::evaluated_as(const { &#hooks::EvalSite::new(#name, #description, #ident, ::core::module_path!()) });
        #result
        #statements
    });
    Ok(quote!(#(#attrs)* #vis #default #sig #body))
}

/// What a function that makes evaluations returns.
#[derive(Clone, Copy)]
enum Made {
    /// `impl Fn(&Log) -> ..` and its like.
    Function,
    /// An `Eval`.
    Eval,
}

fn made(sig: &Signature) -> Option<Made> {
    let ReturnType::Type(_, output) = &sig.output else { return None };
    let last = |path: &Path| path.segments.last().map(|segment| segment.ident.to_string());
    match &**output {
        Type::ImplTrait(made) => {
            let mut names = made.bounds.iter().filter_map(|bound| match bound {
                TypeParamBound::Trait(bound) => last(&bound.path),
                _ => None,
            });
            names.any(|name| ["Fn", "AsyncFn", "Evaluate"].contains(&&*name)).then_some(Made::Function)
        }
        Type::Path(path) => (last(&path.path)? == "Eval").then_some(Made::Eval),
        _ => None,
    }
}

const FORMS: &str = "an evaluation takes the log as `&Log`, or the output and the target as `&str, &str`";

fn check(function: &Written, made: Option<Made>) -> Result<()> {
    let mut errors = Errors::default();
    let mut at = |tokens: &dyn quote::ToTokens, message: &str| {
        errors.push(Error::new_spanned(tokens.to_token_stream(), message));
    };
    let sig = &function.sig;
    if let Some(FnArg::Receiver(this)) = sig.inputs.first() {
        at(&this.self_token, "an evaluation has no `self`: write a function, or one that returns an evaluation");
    }
    if let Some(token) = &sig.constness {
        at(token, "`#[eval]` is for functions that run; remove `const`");
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        at(token, "an evaluation is called by whoever has a log: it cannot be `unsafe`");
    }
    if function.body.is_none() {
        at(sig, "there is no body here; put `#[eval]` where one is");
    }
    if let (Some(_), Some(token)) = (made, &sig.asyncness) {
        at(token, "what makes an evaluation is not `async`; the evaluation that it returns may be");
    }
    if made.is_none() {
        let arguments: Vec<&Type> = typed(sig).collect();
        for argument in arguments.iter().take(2) {
            match argument {
                Type::Reference(reference) if reference.mutability.is_none() => {}
                other => at(other, FORMS),
            }
        }
        match arguments.get(2) {
            Some(third) => at(third, FORMS),
            None if sig.inputs.is_empty() => errors.push(Error::new(sig.paren_token.span.join(), FORMS)),
            None => {}
        }
    }
    errors.or(())
}

fn typed(sig: &Signature) -> impl Iterator<Item = &Type> {
    sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(typed) => Some(&*typed.ty),
        FnArg::Receiver(_) => None,
    })
}

/// The function that makes evaluations, around itself as it was written.
fn maker(hooks: &TokenStream, name: &str, description: &str, mut function: Written, made: Made) -> Result<TokenStream> {
    let (outer, inner): (Vec<Attribute>, Vec<Attribute>) = function.attrs.iter().cloned().partition(is_outside);
    let vis = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    function.attrs = inner;
    let Written { attrs, default, sig, body, .. } = &function;
    let body = body.as_ref().map(|body| body.with(&body.statements));
    let ident = sig.ident.clone();
    let plain = quote!(#(#attrs)* #sig #body);
    let default = *default;
    let apart = item::take_apart(function)?;
    let names: Punctuated<&Ident, Token![,]> = apart.arguments.iter().map(|argument| &argument.outer).collect();
    let mut sig = apart.sig;
    let call = quote!(#ident(#names));
    let body = match made {
        Made::Function => {
            let ReturnType::Type(_, output) = &mut sig.output else { return Ok(plain) };
            let opaque = output.to_token_stream();
            **output = syn::parse_quote!(#hooks::EvalFn<#opaque>);
            quote!(#hooks::EvalFn::new(#name, #description, #call))
        }
        Made::Eval => quote!(#hooks::Eval::described(#hooks::Evaluate::under(#call, #name), #description)),
    };
    Ok(quote!(#(#outer)* #vis #default #sig { #plain #body }))
}

/// Whether the attribute is about the function as others see it, and not about its body.
fn is_outside(attribute: &Attribute) -> bool {
    ["doc", "cfg", "deprecated", "must_use", "inline"].iter().any(|name| attribute.path().is_ident(name))
}
