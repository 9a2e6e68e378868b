//! The annotated function, taken apart no further than needed.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::{
    AttrStyle, Attribute, Error, FnArg, Item, Pat, Result, ReturnType, Signature, Token, Type, Visibility, braced,
    ext::IdentExt as _,
    parse::{Parse, ParseStream},
    parse_quote, token,
    visit::Visit,
    visit_mut::{self, VisitMut},
};

/// A function as it was written. Its body is never looked into: whatever syntax the compiler understands, we pass on.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) default: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// A trait's method may have none.
    pub(crate) body: Option<Body>,
}

/// The statements, with the user's own braces: what the compiler says of the body as a whole points there.
#[derive(Clone)]
pub(crate) struct Body {
    brace: token::Brace,
    pub(crate) statements: TokenStream,
}

impl Body {
    /// Other content on these braces.
    pub(crate) fn with(&self, content: impl ToTokens) -> TokenStream {
        let mut block = TokenStream::new();
        self.brace.surround(&mut block, |block| content.to_tokens(block));
        block
    }
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let (vis, default, sig) = (input.parse()?, input.parse()?, input.parse()?);
        if input.parse::<Option<Token![;]>>()?.is_some() {
            return Ok(Self { attrs, vis, default, sig, body: None });
        }
        let content;
        let brace = braced!(content in input);
        // They are about the function, and would be in the way of what comes before the statements.
        let inner = content.call(Attribute::parse_inner)?;
        attrs.extend(inner.into_iter().map(|inner| Attribute { style: AttrStyle::Outer, ..inner }));
        let statements = content.parse()?;
        Ok(Self { attrs, vis, default, sig, body: Some(Body { brace, statements }) })
    }
}

/// A function with a body: free, in an `impl` block, or in a trait.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) default: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) body: Body,
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
    /// Levels of lints, which are about the binding inside: the one in the signature is always used.
    pub(crate) lints: Vec<Attribute>,
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
    match syn::parse2::<Written>(item.clone()) {
        Ok(function) => take_apart(function),
        Err(error) => Err(describe(item).unwrap_or(error)),
    }
}

fn describe(item: &TokenStream) -> Option<Error> {
    let (token, what) = misplaced(item)?;
    Some(Error::new_spanned(token, format!("`#[trace]` traces functions and blocks of methods, not {what}")))
}

/// What another item is, and the token that says so.
pub(crate) fn misplaced(item: &TokenStream) -> Option<(TokenStream, &'static str)> {
    let (token, what): (&dyn ToTokens, _) = match &syn::parse2::<Item>(item.clone()).ok()? {
        Item::Struct(item) => (&item.struct_token.clone(), "a struct; put it on its `impl` blocks"),
        Item::Enum(item) => (&item.enum_token.clone(), "an enum; put it on its `impl` blocks"),
        Item::Union(item) => (&item.union_token.clone(), "a union; put it on its `impl` blocks"),
        Item::Mod(item) => (&item.mod_token.clone(), "a module; put it on the functions in it"),
        Item::Const(item) => (&item.const_token.clone(), "a constant"),
        Item::Static(item) => (&item.static_token.clone(), "a static"),
        Item::Type(item) => (&item.type_token.clone(), "a type alias"),
        Item::Use(item) => (&item.use_token.clone(), "a `use`; put it on the function where it is written"),
        Item::ForeignMod(item) => (&item.abi.clone(), "foreign functions; wrap them in functions of yours"),
        Item::Macro(item) => (&item.mac.path.clone(), "a macro; put it on the functions that the macro makes"),
        other => (&other.clone(), "this"),
    };
    Some((token.to_token_stream(), what))
}

pub(crate) fn take_apart(Written { attrs, vis, default, mut sig, body }: Written) -> Result<Function> {
    let Some(body) = body else {
        return Err(Error::new_spanned(
            &sig,
            "there is no body to trace here; put `#[trace]` where one is: on the methods of the `impl` blocks, or on what \
             calls a foreign function",
        ));
    };
    let mut receiver = None;
    let mut arguments = Vec::new();
    for (index, argument) in sig.inputs.iter_mut().enumerate() {
        match argument {
            FnArg::Receiver(this) => {
                receiver = Some(Receiver { token: Ident::new("self", this.self_token.span), cfg: cfgs(&this.attrs) });
            }
            FnArg::Typed(typed) => {
                let cfg = cfgs(&typed.attrs);
                let lints = typed.attrs.extract_if(.., |attribute| is_level(attribute)).collect();
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
                arguments.push(Argument { cfg, lints, outer, pattern, plain, names });
            }
        }
    }
    Ok(Function { attrs, vis, default, sig, body, receiver, arguments, keeps_async: false })
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

fn is_level(attribute: &Attribute) -> bool {
    // What is behind `cfg_attr` is not known; most likely it is this.
    ["allow", "expect", "warn", "deny", "forbid", "cfg_attr"].iter().any(|level| attribute.path().is_ident(level))
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
