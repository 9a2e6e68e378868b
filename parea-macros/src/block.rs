//! The attribute on a whole `impl` block or trait: each method that has a body is traced as `Type::method`.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{
    Attribute, Block, Error, FnModifiers, ImplItem, ImplItemFn, Item, ItemFn, LitStr, Meta, Result, Signature,
    TraitItem, TraitItemFn, Type, Visibility, ext::IdentExt as _,
};

use crate::{
    args::{self, Options},
    expand, item,
    validate::{self, Errors},
};

/// A block as it was written, with our attributes on its methods taken off and kept apart.
pub(crate) struct Annotated {
    block: Item,
    /// What the methods' names are put behind.
    of: String,
    /// One for each item of the block that is a method with a body.
    methods: Vec<Method>,
}

struct Method {
    /// Place among the items of the block.
    index: usize,
    /// The tokens in the parentheses of its own attribute, if it has one.
    own: Option<TokenStream>,
}

/// The block, if the item is one.
pub(crate) fn parse(item: &TokenStream) -> Option<Annotated> {
    let mut block: Item = syn::parse2(item.clone()).ok()?;
    let mut methods = Vec::new();
    let mut take = |index, attrs: &mut Vec<Attribute>| methods.push(Method { index, own: take_own(attrs) });
    let of = match &mut block {
        Item::Impl(block) => {
            for (index, item) in block.items.iter_mut().enumerate() {
                if let ImplItem::Fn(method) = item {
                    take(index, &mut method.attrs);
                }
            }
            type_name(&block.self_ty)
        }
        Item::Trait(block) => {
            for (index, item) in block.items.iter_mut().enumerate() {
                if let TraitItem::Fn(method) = item
                    && method.default.is_some()
                {
                    take(index, &mut method.attrs);
                }
            }
            block.ident.unraw().to_string()
        }
        _ => return None,
    };
    Some(Annotated { block, of, methods })
}

impl Annotated {
    /// The block without our attributes on its methods, for when there are errors: left there they would be unknown.
    pub(crate) fn plain(&self) -> TokenStream {
        self.block.to_token_stream()
    }

    pub(crate) fn expand(&self, args: TokenStream) -> Result<TokenStream> {
        let mut errors = Errors::default();
        // The methods' own errors are shown beside those of the block's options.
        let defaults = args::parse(args).unwrap_or_else(|error| {
            errors.push(error);
            Options::default()
        });
        if let Some(name) = &defaults.name {
            errors.push(Error::new_spanned(name, "a block has no name of its own; put `name` on its methods"));
        }
        let mut block = self.block.clone();
        for method in &self.methods {
            match self.expand_method(method, &defaults) {
                Ok(None) => {}
                Ok(Some(tokens)) => replace(&mut block, method.index, tokens),
                Err(error) => errors.push(error),
            }
        }
        errors.or(block.into_token_stream())
    }

    /// The traced method; `None` for one that is left out.
    fn expand_method(&self, method: &Method, defaults: &Options) -> Result<Option<TokenStream>> {
        if method.own.as_ref().is_some_and(|own| own.to_string() == "skip") {
            return Ok(None);
        }
        let own = method.own.clone().map(args::parse).transpose()?.unwrap_or_default();
        let mut function = item::take_apart(self.function(method.index));
        // A macro on the block, such as `async_trait`, looks for `async` in it.
        function.keeps_async |= !expand::are_inert(self.attributes());
        let mut options = own.over(defaults, &function);
        if options.name.is_none() {
            let name = format!("{}::{}", self.of, function.sig.ident.unraw());
            options.name = Some(LitStr::new(&name, function.sig.ident.span()));
        }
        let function = validate::check(&options, function)?;
        Ok(Some(expand::expand(&options, &function)))
    }

    fn attributes(&self) -> &[Attribute] {
        match &self.block {
            Item::Impl(block) => &block.attrs,
            Item::Trait(block) => &block.attrs,
            _ => &[],
        }
    }

    fn function(&self, index: usize) -> ItemFn {
        let whole = |attrs: &[Attribute], vis: Visibility, sig: &Signature, block: &Block| ItemFn {
            attrs: attrs.to_vec(),
            vis,
            modifiers: FnModifiers::default(),
            sig: sig.clone(),
            block: Box::new(block.clone()),
        };
        match &self.block {
            Item::Impl(block) => match &block.items[index] {
                ImplItem::Fn(ImplItemFn { attrs, vis, sig, block, .. }) => whole(attrs, vis.clone(), sig, block),
                _ => unreachable!("only methods are remembered"),
            },
            Item::Trait(block) => match &block.items[index] {
                TraitItem::Fn(TraitItemFn { attrs, sig, default: Some(block), .. }) => {
                    whole(attrs, Visibility::Inherited, sig, block)
                }
                _ => unreachable!("only methods with a body are remembered"),
            },
            _ => unreachable!("only blocks are parsed"),
        }
    }
}

fn replace(block: &mut Item, index: usize, tokens: TokenStream) {
    match block {
        Item::Impl(block) => block.items[index] = ImplItem::Verbatim(tokens),
        Item::Trait(block) => block.items[index] = TraitItem::Verbatim(tokens),
        _ => {}
    }
}

/// Takes `#[trace(..)]` or `#[parea::trace(..)]` off.
fn take_own(attrs: &mut Vec<Attribute>) -> Option<TokenStream> {
    let index = attrs.iter().position(|attribute| {
        let segments = &attribute.path().segments;
        segments.last().is_some_and(|last| last.ident == "trace")
    })?;
    Some(match attrs.remove(index).meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    })
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
            impl S {
                #[trace(skip)]
                #[inline]
                fn f(&self) {}

                #[parea::trace(name = "g")]
                async fn g(&self) {}
            }
        };
        let plain = super::parse(&block).map(|block| block.plain().to_string());
        let expected = quote! {
            #[doc = "kept"]
            impl S {
                #[inline]
                fn f(&self) {}

                async fn g(&self) {}
            }
        };
        assert_eq!(plain, Some(expected.to_string()));
    }
}
