//! What the options of all attributes have in common: how they are read, and those that several have.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::{
    Attribute, Error, Expr, LitStr, Path, Result, Token, ext::IdentExt as _, parse::ParseStream, parse::Parser as _,
};

use crate::{
    args::{equals, expression},
    suggest,
    validate::Errors,
};

/// One option of an attribute: its name, and how it is read.
pub(crate) type Setting<T> = (&'static str, fn(&mut T, &Ident, ParseStream<'_>) -> Result<()>);

/// The options of an attribute. The one table from which parsing, duplicates and suggestions follow.
pub(crate) struct Settings<T: 'static> {
    pub(crate) all: &'static [Setting<T>],
    /// Those that may be given more than once.
    pub(crate) many: &'static [&'static str],
    /// Some as they are written, for errors.
    pub(crate) example: &'static str,
    /// Ours for what others call by another name.
    pub(crate) foreign: fn(&str) -> Option<&'static str>,
}

impl<T: Default> Settings<T> {
    /// Reads all options; after an error reading goes on behind the next comma.
    pub(crate) fn read(&self, args: TokenStream) -> Result<T> {
        let read = |input: ParseStream<'_>| {
            let (mut options, mut errors, mut seen) = (T::default(), Errors::default(), Vec::new());
            while !input.is_empty() {
                if let Err(error) = self.one(&mut options, &mut seen, input) {
                    errors.push(error);
                    skip_to_comma(input)?;
                }
                if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                    errors.push(input.error("expected `,` between options"));
                    skip_to_comma(input)?;
                    input.parse::<Option<Token![,]>>()?;
                }
            }
            errors.or(options)
        };
        read.parse2(args)
    }

    fn one(&self, options: &mut T, seen: &mut Vec<Ident>, input: ParseStream<'_>) -> Result<()> {
        let expected = || format!("expected an option, such as {}", self.example);
        let name = input.call(Ident::parse_any).map_err(|error| Error::new(error.span(), expected()))?;
        let Some((_, read)) = self.all.iter().find(|(known, _)| name == known) else {
            return Err(self.unknown(&name));
        };
        if seen.contains(&name) && !self.many.iter().any(|known| name == known) {
            return Err(Error::new_spanned(&name, format!("option `{name}` is given twice")));
        }
        seen.push(name.clone());
        read(options, &name, input)
    }

    fn unknown(&self, name: &Ident) -> Error {
        let (written, known) = (name.to_string(), || self.all.iter().map(|(known, _)| *known));
        let meant = (self.foreign)(&written).or_else(|| suggest::nearest(&written, known()));
        let message = if let Some(meant) = meant {
            format!("unknown option `{written}`: did you mean `{meant}`?")
        } else {
            let known: Vec<_> = known().map(|known| format!("`{known}`")).collect();
            format!("unknown option `{written}`; there are {}", known.join(", "))
        };
        Error::new_spanned(name, message)
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// `= "…"`
pub(crate) fn text(into: &mut Option<LitStr>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    equals(name, input, &format!("{name} = \"…\""))?;
    match &expression(input)? {
        Expr::Lit(literal) if let syn::Lit::Str(text) = &literal.lit => {
            *into = Some(text.clone());
            Ok(())
        }
        other => Err(Error::new_spanned(other, format!("`{name}` is a string literal: `{name} = \"…\"`"))),
    }
}

/// `= my::reexport::parea`
pub(crate) fn krate(into: &mut Option<Path>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    let form = "crate = my::reexport::parea";
    equals(name, input, form)?;
    let path = input.call(Path::parse_mod_style);
    let why = |error: Error| Error::new(error.span(), format!("`crate` is a path, without quotes: `{form}`"));
    *into = Some(path.map_err(why)?);
    Ok(())
}

/// Where the expansion finds what it calls.
pub(crate) fn hooks(krate: Option<&Path>) -> TokenStream {
    krate.map_or_else(|| quote!(::parea::__private), |path| quote!(#path::__private))
}

/// The text of the documentation, up to its first empty line.
pub(crate) fn first_paragraph(attributes: &[Attribute]) -> String {
    let lines =
        attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| match &attribute
            .meta
            .require_name_value()
            .ok()?
            .value
        {
            Expr::Lit(literal) if let syn::Lit::Str(text) = &literal.lit => Some(text.value().trim().to_owned()),
            _ => None,
        });
    // A comment of several lines is one attribute.
    let lines: Vec<String> =
        lines.flat_map(|text| text.split('\n').map(|line| line.trim().to_owned()).collect::<Vec<_>>()).collect();
    let begun = lines.into_iter().skip_while(String::is_empty);
    begun.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
