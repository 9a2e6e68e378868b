//! What a function returns, told by its written type: a value, or something whose use the span has to outlast.
//!
//! Wrapping what is returned changes its type. So the written type must allow it: an `impl Trait` whose bounds the
//! wrapper meets as well, or a box of such a `dyn Trait`. Anything else is a value, whatever it is called.

use syn::{GenericArgument, Path, PathArguments, PathSegment, Token, Type, TypeParamBound, punctuated::Punctuated};

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Returned<'a> {
    pub(crate) what: What,
    /// The written type of its output or items. The body is inferred without the signature, and may need it.
    pub(crate) item: Option<&'a Type>,
    /// Whether it is the `Ok` of a `Result`.
    pub(crate) fallible: bool,
    /// The `Err`, if it is written.
    pub(crate) error: Option<&'a Type>,
    /// The boxed type as it is written, with how it is boxed.
    pub(crate) boxed: Option<(&'a Type, Boxed)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Future,
    Stream,
    Iterator,
    /// Whichever the type turns out to be.
    Alias,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boxed {
    /// `Pin<Box<dyn Trait>>`
    Pin,
    /// `Box<dyn Trait>`
    Box,
    /// As the type itself says.
    Held,
}

/// `None` for a value.
pub(crate) fn told(output: &Type) -> Option<Returned<'_>> {
    if let Some(plain) = lasting(output) {
        return Some(plain);
    }
    let result = last_segment(output).filter(|last| last.ident == "Result")?;
    let inner = lasting(types(result).next()?)?;
    // A future in a `Result` is a value: nobody returns one from a model call.
    (inner.what != What::Future).then_some(Returned { fallible: true, error: types(result).nth(1), ..inner })
}

/// What a returned future is ready with, if that lasts in turn: a method of `async_trait` that streams.
pub(crate) fn ready_with<'a>(returned: &Returned<'a>, is_forced: bool) -> Option<Returned<'a>> {
    let output = returned.item.filter(|_| returned.what == What::Future)?;
    let told = told(output).filter(|told| told.what != What::Future);
    told.or_else(|| forced(output).filter(|_| is_forced))
}

/// What the option `stream` takes it for: a box of a stream or an iterator behind an alias, plain or in a `Result`.
pub(crate) fn forced(output: &Type) -> Option<Returned<'_>> {
    let told = |boxed, fallible, error| {
        let boxed = Some((boxed, Boxed::Held));
        Returned { what: What::Alias, item: None, fallible, error, boxed }
    };
    let last = last_segment(output)?;
    match types(last).next() {
        Some(inner) if last.ident == "Result" => last_segment(inner).map(|_| told(inner, true, types(last).nth(1))),
        _ => Some(told(output, false, None)),
    }
}

fn lasting(output: &Type) -> Option<Returned<'_>> {
    let returned = |(what, item), boxed| Returned { what, item, fallible: false, error: None, boxed };
    match output {
        Type::Paren(inner) => lasting(&inner.elem),
        Type::Group(inner) => lasting(&inner.elem),
        Type::ImplTrait(opaque) => Some(returned(bounded(&opaque.bounds)?, None)),
        Type::Path(_) => {
            let last = last_segment(output)?;
            let pinned = |told| Some(returned(told, Some((output, Boxed::Pin))));
            match last.ident.to_string().as_str() {
                "BoxFuture" | "LocalBoxFuture" => pinned((What::Future, types(last).next())),
                "BoxStream" | "LocalBoxStream" => pinned((What::Stream, types(last).next())),
                "Pin" => pinned(boxed(types(last).next()?)?),
                "Box" => {
                    // A bare box is how iterators are returned; futures and streams must be pinned to be used.
                    let told = boxed(output).filter(|(what, _)| *what == What::Iterator)?;
                    Some(returned(told, Some((output, Boxed::Box))))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// What is in `Box<dyn Trait>`.
fn boxed(of: &Type) -> Option<(What, Option<&Type>)> {
    let last = last_segment(of).filter(|last| last.ident == "Box")?;
    match types(last).next()? {
        Type::TraitObject(object) => bounded(&object.bounds),
        _ => None,
    }
}

/// Tells the trait, if the wrapper meets every bound whenever what it wraps does.
fn bounded(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<(What, Option<&Type>)> {
    let (mut what, mut item) = (None, None);
    for bound in bounds {
        let TypeParamBound::Trait(bound) = bound else {
            // Lifetimes, and `use<..>`.
            continue;
        };
        let segment = last(&bound.path)?;
        item = item.or_else(|| bound_type(segment));
        match segment.ident.to_string().as_str() {
            "Future" => what = Some(What::Future),
            "Stream" => what = Some(What::Stream),
            "Iterator" => what = Some(What::Iterator),
            "DoubleEndedIterator" | "ExactSizeIterator" => what = what.or(Some(What::Iterator)),
            "Send" | "Sync" | "Unpin" | "FusedIterator" => {}
            _ => return None,
        }
    }
    Some((what?, item))
}

/// The type in `Trait<Name = Type>`.
fn bound_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(list) = &segment.arguments else { return None };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(bound) => Some(&bound.ty),
        _ => None,
    })
}

fn last(path: &Path) -> Option<&PathSegment> {
    path.segments.last()
}

fn last_segment(of: &Type) -> Option<&PathSegment> {
    match of {
        Type::Path(path) => last(&path.path),
        _ => None,
    }
}

/// The types in a segment's angle brackets.
fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(list) => Some(&list.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}
