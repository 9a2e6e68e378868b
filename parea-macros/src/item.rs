//! The annotated function, taken apart no further than needed.

use proc_macro2::{Ident, Span, TokenStream};
use quote::format_ident;
use syn::{
    Attribute, Error, FnArg, Item, ItemFn, Pat, Result, ReturnType, Signature, Type, Visibility,
    ext::IdentExt as _,
    parse_quote,
    visit::Visit,
    visit_mut::{self, VisitMut},
};

/// A function with a body: free, in an `impl` block, or in a trait.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    /// `default` of specialisation is not kept: it is unstable.
    pub(crate) sig: Signature,
    pub(crate) block: syn::Block,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) arguments: Vec<Argument>,
    /// Whether something outside of the function looks for its `async`.
    pub(crate) keeps_async: bool,
}

/// `self` in any of its forms.
pub(crate) struct Receiver {
    pub(crate) token: Ident,
    pub(crate) cfg: Vec<Attribute>,
}

/// One argument other than `self`.
pub(crate) struct Argument {
    /// `#[cfg]`s, which are repeated on every statement about it.
    pub(crate) cfg: Vec<Attribute>,
    /// The name in the signature: the user's own, or one of ours where the user wrote a pattern.
    pub(crate) outer: Ident,
    /// What the user wrote, bound again inside.
    pub(crate) pattern: Pat,
    /// Whether `pattern` is just a name.
    pub(crate) plain: bool,
    /// The names that the pattern binds.
    pub(crate) names: Vec<Ident>,
}

/// Parses a function; what is another item, or none, gets an error that says where the attribute goes.
pub(crate) fn parse(item: &TokenStream) -> Result<Function> {
    // A method's `self` is no problem for `ItemFn`: syn leaves that to the compiler.
    match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => Ok(take_apart(function)),
        Err(error) => Err(describe(item).unwrap_or(error)),
    }
}

fn describe(item: &TokenStream) -> Option<Error> {
    if let Ok(method) = syn::parse2::<syn::TraitItemFn>(item.clone())
        && method.default.is_none()
    {
        return Some(Error::new_spanned(
            &method.sig,
            "this method has no body to trace; put `#[trace]` on the methods of the `impl` blocks",
        ));
    }
    let (token, what): (&dyn quote::ToTokens, _) = match &syn::parse2::<Item>(item.clone()).ok()? {
        Item::Struct(item) => (&item.struct_token.clone(), "a struct"),
        Item::Enum(item) => (&item.enum_token.clone(), "an enum"),
        Item::Mod(item) => (&item.mod_token.clone(), "a module; put it on the functions in it"),
        other => (&other.clone(), "this"),
    };
    let message = format!("`#[trace]` traces functions and blocks of methods, not {what}");
    Some(Error::new_spanned(quote::quote!(#token), message))
}

pub(crate) fn take_apart(ItemFn { attrs, vis, mut sig, block, .. }: ItemFn) -> Function {
    let mut receiver = None;
    let mut arguments = Vec::new();
    for (index, argument) in sig.inputs.iter_mut().enumerate() {
        match argument {
            FnArg::Receiver(this) => {
                receiver = Some(Receiver { token: Ident::new("self", this.self_token.span), cfg: cfgs(&this.attrs) });
            }
            FnArg::Typed(typed) => {
                let cfg = cfgs(&typed.attrs);
                let pattern = (*typed.pat).clone();
                let (outer, plain, names) = match &pattern {
                    // Also one that is written like a constant: mathematics does, and a unit struct does no harm.
                    Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                        (name.ident.clone(), true, vec![name.ident.clone()])
                    }
                    pattern => {
                        let mut names = Names::default();
                        names.visit_pat(pattern);
                        (format_ident!("__parea_argument{index}", span = Span::mixed_site()), false, names.0)
                    }
                };
                // The signature binds plain names only; patterns and `mut` come again inside the body.
                *typed.pat = Pat::Ident(syn::PatIdent {
                    attrs: Vec::new(),
                    by_ref: None,
                    mutability: None,
                    ident: outer.clone(),
                    subpat: None,
                });
                arguments.push(Argument { cfg, outer, pattern, plain, names });
            }
        }
    }
    Function { attrs, vis, sig, block: *block, receiver, arguments, keeps_async: false }
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

/// Collects the names that a pattern binds.
#[derive(Default)]
struct Names(Vec<Ident>);

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, name: &'ast syn::PatIdent) {
        // In a pattern a lone capitalised name is a constant or a unit variant more often than a binding.
        if name.ident.unraw().to_string().starts_with(char::is_uppercase) && name.subpat.is_none() {
            return;
        }
        if !self.0.contains(&name.ident) {
            self.0.push(name.ident.clone());
        }
        syn::visit::visit_pat_ident(self, name);
    }

    // Names inside a constant or a macro are not bound by the pattern.
    fn visit_expr(&mut self, _: &'ast syn::Expr) {}
}

impl Function {
    /// The written return type; `None` for `()`.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(output),
        }
    }

    /// All names by which inputs are captured.
    pub(crate) fn input_names(&self) -> impl Iterator<Item = &Ident> {
        self.receiver
            .iter()
            .map(|receiver| &receiver.token)
            .chain(self.arguments.iter().flat_map(|argument| &argument.names))
    }
}

impl Argument {
    /// Whether the pattern has a `ref mut`, for which the whole must be mutable.
    pub(crate) fn borrows_mutably(&self) -> bool {
        struct Search(bool);
        impl<'ast> Visit<'ast> for Search {
            fn visit_pat_ident(&mut self, name: &'ast syn::PatIdent) {
                self.0 |= name.by_ref.is_some() && name.mutability.is_some();
                syn::visit::visit_pat_ident(self, name);
            }
        }
        let mut search = Search(false);
        search.visit_pat(&self.pattern);
        search.0
    }

    /// The pattern for a look at its parts by reference: without `mut`, `ref` and `&`, which default binding modes
    /// make needless, and without the names that are skipped.
    pub(crate) fn look(&self, skipped: &impl Fn(&Ident) -> bool) -> Pat {
        struct Look<'a, F>(&'a F);
        impl<F: Fn(&Ident) -> bool> VisitMut for Look<'_, F> {
            fn visit_pat_mut(&mut self, pattern: &mut Pat) {
                while let Pat::Reference(reference) = pattern {
                    *pattern = (*reference.pat).clone();
                }
                if let Pat::Ident(name) = pattern {
                    name.by_ref = None;
                    name.mutability = None;
                    if (self.0)(&name.ident) {
                        *pattern = match name.subpat.take() {
                            Some((_, inner)) => *inner,
                            None => parse_quote!(_),
                        };
                    }
                }
                visit_mut::visit_pat_mut(self, pattern);
            }

            fn visit_field_pat_mut(&mut self, field: &mut syn::FieldPat) {
                visit_mut::visit_field_pat_mut(self, field);
                // `Point { x }` with `x` skipped is `Point { x: _ }`.
                if !matches!(*field.pat, Pat::Ident(_)) {
                    field.colon_token.get_or_insert_default();
                }
            }
        }
        let mut look = self.pattern.clone();
        Look(skipped).visit_pat_mut(&mut look);
        look
    }
}

/// The type as it can stand in a body: what is `impl Trait` in it is left to be inferred. The rest must be said all
/// the same: in `Result<impl Trait, E>`, nothing else tells a `?` of the body its `E`.
pub(crate) fn inferable(output: &Type) -> Type {
    struct Infer;
    impl VisitMut for Infer {
        fn visit_type_mut(&mut self, part: &mut Type) {
            if matches!(part, Type::ImplTrait(_)) {
                *part = parse_quote!(_);
            }
            visit_mut::visit_type_mut(self, part);
        }
    }
    let mut output = output.clone();
    Infer.visit_type_mut(&mut output);
    output
}

/// Whether `!` is anywhere in the type, which then can stand only as a return type.
pub(crate) fn has_never(output: &Type) -> bool {
    found(output, |part| matches!(part, Type::Never(_)))
}

fn found(output: &Type, wanted: fn(&Type) -> bool) -> bool {
    struct Search(fn(&Type) -> bool, bool);
    impl<'ast> Visit<'ast> for Search {
        fn visit_type(&mut self, part: &'ast Type) {
            self.1 |= (self.0)(part);
            syn::visit::visit_type(self, part);
        }
    }
    let mut search = Search(wanted, false);
    search.visit_type(output);
    search.1
}
