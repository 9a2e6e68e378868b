//! `#[test_eval]`: an experiment as a test.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{
    Attribute, Error, Expr, FnArg, LitStr, Path, Result, Token, Type, ext::IdentExt as _, parse::ParseStream,
    parse::Parser as _, punctuated::Punctuated,
};

use crate::{
    args::{Pair, equals, expression, list},
    fallback, item,
    item::Written,
    setting::{self, Setting, Settings},
    validate::{self, Errors},
};

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    krate: Option<Path>,
    /// Calls of the builder's methods, in the order in which they were written.
    calls: Vec<TokenStream>,
    /// Whether something gives rows.
    rows: bool,
}

const OPTIONS: &[Setting<Options>] = &[
    ("dataset", rows),
    ("jsonl", rows),
    ("csv", rows),
    ("parquet", rows),
    ("rows", rows),
    ("require", |options, name, input| {
        let form = "require(\"score\", mean().at_least(0.8))";
        let content = list(name, input, form)?;
        let wrong =
            |error: Error| Error::new(error.span(), format!("`require` takes a score and what it must be: `{form}`"));
        let read = |input: ParseStream<'_>| {
            // `score = requirement` is as good.
            if input.peek2(Token![=]) && !input.peek2(Token![==]) {
                let pairs = Punctuated::<Pair, Token![,]>::parse_terminated(input)?;
                return Ok(pairs.into_iter().map(|Pair { key, value }| (quote!(#key), value)).collect());
            }
            let pair = Punctuated::<Expr, Token![,]>::parse_terminated(input)?;
            let mut pair = pair.into_iter();
            match (pair.next(), pair.next(), pair.next()) {
                (Some(score), Some(requirement), None) => Ok(vec![(quote!(#score), requirement)]),
                (_, _, Some(more)) => Err(Error::new_spanned(more, "one `require(..)` for each score")),
                _ => Err(Error::new_spanned(name, "a score and a requirement")),
            }
        };
        let found: Vec<(TokenStream, Expr)> = read.parse2(content).map_err(wrong)?;
        for (score, requirement) in found {
            options.calls.push(quote!(.require(#score, { #[allow(unused_imports)] use __parea::{least, mean, most, percentile}; #requirement })));
        }
        Ok(())
    }),
    ("evals", |options, name, input| each(options, name, input, "eval")),
    ("dataset_evals", |options, name, input| each(options, name, input, "dataset_eval")),
    ("tags", |options, name, input| each(options, name, input, "tag")),
    ("metadata", pairs),
    ("param", pairs),
    ("name", |options, name, input| setting::text(&mut options.name, name, input)),
    ("trials", value),
    ("concurrency", value),
    ("timeout", value),
    ("retries", value),
    ("stop_on_error", value),
    ("run_name", value),
    ("version", value),
    ("compare_to", value),
    ("fail_on_regression", value),
    ("minimal_effect", value),
    ("folder", value),
    ("crate", |options, name, input| setting::krate(&mut options.krate, name, input)),
];

const SETTINGS: Settings<Options> = Settings {
    all: OPTIONS,
    many: &["dataset", "jsonl", "csv", "parquet", "rows", "require", "metadata", "param"],
    example: "`dataset`",
    foreign: |_| None,
};

/// `= expression`, for the builder's method of that name
fn value(options: &mut Options, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    equals(name, input, &format!("{name} = expression"))?;
    let (method, value) = (method(name), expression(input)?);
    options.calls.push(quote!(.#method(#value)));
    Ok(())
}

/// The method on a token of ours, so that its arguments and not its name are the user's.
fn method(name: &Ident) -> Ident {
    Ident::new(&name.unraw().to_string(), name.span().resolved_at(Span::call_site()))
}

fn rows(options: &mut Options, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    options.rows = true;
    value(options, name, input)
}

/// `= [one, other]`
fn each(options: &mut Options, name: &Ident, input: ParseStream<'_>, method: &str) -> Result<()> {
    let form = format!("{name} = [one, other]");
    equals(name, input, &form)?;
    let Expr::Array(values) = expression(input)? else {
        return Err(Error::new_spanned(name, format!("`{name}` is an array: `{form}`")));
    };
    let method = Ident::new(method, Span::call_site());
    for value in values.elems {
        if let (Expr::Closure(closure), true) = (&value, method == "eval") {
            let message = "a closure has no name for its score: write a function, or `parea::Eval::new(\"name\", |log: &parea::Log| ..)`";
            return Err(Error::new_spanned(closure, message));
        }
        options.calls.push(quote!(.#method(#value)));
    }
    Ok(())
}

/// `(key = value, ..)`
fn pairs(options: &mut Options, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    let content = list(name, input, &format!("{name}(key = value)"))?;
    let method = method(name);
    for Pair { key, value } in Punctuated::<Pair, Token![,]>::parse_terminated.parse2(content)? {
        options.calls.push(quote!(.#method(#key, #value)));
    }
    Ok(())
}

/// What stands in the function's place.
pub(crate) fn apply(args: TokenStream, item: &TokenStream) -> TokenStream {
    let function = syn::parse2::<Written>(item.clone());
    let function = function.map_err(|error| match item::misplaced(item) {
        Some((token, what)) => Error::new_spanned(token, format!("`#[test_eval]` is for functions, not {what}")),
        None => error,
    });
    let empty = args.is_empty();
    let expanded = validate::both(SETTINGS.read(args), function).and_then(|(options, function)| {
        check(&options, &function, empty)?;
        Ok(expand(&options, &function))
    });
    // Left in, it would be a function that nobody calls.
    expanded.unwrap_or_else(|errors| fallback::emit(&errors, quote!(#[allow(dead_code)] #item)))
}

const ROW: &str = "it takes one row: a `parea::Row`, or a type with `Deserialize` that has a field for each column";

fn check(options: &Options, function: &Written, empty: bool) -> Result<()> {
    let mut errors = Errors::default();
    let sig = &function.sig;
    if !options.rows {
        let message = "there are no rows: give `dataset`, `jsonl`, `csv`, `parquet` or `rows`, such as `jsonl = \"tests/questions.jsonl\"`";
        // Without options the attribute itself is where they are missing.
        errors.push(if empty {
            Error::new(Span::call_site(), message)
        } else {
            Error::new_spanned(&sig.ident, message)
        });
    }
    match sig.inputs.first() {
        Some(FnArg::Receiver(this)) => errors.push(Error::new_spanned(this, "a test has no `self`")),
        None => errors.push(Error::new(sig.paren_token.span.join(), ROW)),
        Some(FnArg::Typed(_)) => {}
    }
    if let Some(second) = sig.inputs.iter().nth(1) {
        errors.push(Error::new_spanned(second, ROW));
    }
    if let Some(parameter) = sig.generics.params.first() {
        errors.push(Error::new_spanned(parameter, "a test has no parameters of type"));
    }
    if function.body.is_none() {
        errors.push(Error::new_spanned(sig, "there is no body here"));
    }
    errors.or(())
}

fn expand(options: &Options, function: &Written) -> TokenStream {
    let hooks = setting::hooks(options.krate.as_ref());
    let Written { attrs, vis, sig, body, .. } = function;
    let ident = &sig.ident;
    let own = ident.unraw().to_string();
    let name = options.name.as_ref().map_or_else(|| quote!(#own), |name| quote!(#name));
    let is = |attribute: &Attribute, names: &[&str]| names.iter().any(|name| attribute.path().is_ident(name));
    let levels = ["allow", "expect", "warn", "deny", "forbid", "cfg_attr"];
    let test = ["doc", "cfg", "ignore", "should_panic"];
    let outer = attrs.iter().filter(|attribute| is(attribute, &test) || is(attribute, &levels));
    let inner = attrs.iter().filter(|attribute| !is(attribute, &test));
    let body = body.as_ref().map(|body| body.with(&body.statements));
    let row = Ident::new("row", Span::mixed_site());
    let (of, argument) = match sig.inputs.first() {
        Some(FnArg::Typed(typed)) => match &*typed.ty {
            Type::Reference(reference) => {
                let of = &reference.elem;
                (quote!(#of), quote!(&#row))
            }
            of => (quote!(#of), quote!(#row)),
        },
        _ => (quote!(_), quote!(#row)),
    };
    let wait = sig.asyncness.map(|_| quote!(.await));
    let calls = &options.calls;
    quote! {
        #[::core::prelude::v1::test]
        #(#outer)*
        #vis fn #ident() {
            use #hooks as __parea;
            #(#inner)*
            #sig #body
            __parea::test_eval(
                __parea::experiment(#name) #(#calls)*,
                |experiment| experiment.run_typed(|#row: #of| async move {
                    #[allow(unused_imports)]
                    use __parea::Plain as _;
                    let returned = #ident(#argument) #wait;
                    __parea::Returned(returned).outcome()
                }),
            );
        }
    }
}
