//! From a valid function to its annotated form: one static, and one call to a hook around the body.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Expr, Signature, Type, ext::IdentExt as _, parse_quote, spanned::Spanned as _};

use crate::{
    args::{Keep, Options},
    item::{Argument, Function, has_never, inferable},
    returns::{self, Boxed, Returned, What},
};

pub(crate) fn expand(options: &Options, function: &Function) -> TokenStream {
    let hooks = options.krate.as_ref().map_or_else(|| quote!(::parea::__private), |path| quote!(#path::__private));
    let site = call_site(options, function, &hooks);
    let body = body(options, function, &hooks);
    let is_async = function.sig.asyncness.is_some();
    let forced = options.stream.is_some();
    let lasting = function.output().and_then(|output| {
        let told = returns::told(output);
        told.or_else(|| returns::forced(output).filter(|_| forced))
    });
    // An async function that returns a future returns a value: nobody waits for it here.
    let future = lasting.filter(|lasting| lasting.what == What::Future && !is_async);
    let flow = match lasting {
        Some(Returned { what: What::Future, .. }) => future.and_then(|future| returns::ready_with(&future, forced)),
        flow => flow,
    };
    let outcome = match function.output() {
        // What never comes cannot be looked at.
        Some(output) if has_never(output) => quote!(|_, _| {}),
        Some(_) | None => outcome(options, flow.as_ref(), future.and_then(|future| future.item), &hooks),
    };
    let at = function.sig.asyncness.map_or(function.sig.fn_token.span, |token| token.span);
    let at = at.resolved_at(Span::call_site());
    if !is_async {
        // Passed directly to an `FnOnce` parameter: bound to a name first, the closure would be inferred as `FnMut`
        // and could not return a borrow of its captures.
        let returns = function.output().map_or_else(|| quote!(()), repeated);
        // What the compiler says of it belongs to the function's head.
        let head = quote_spanned!(at=> move || -> #returns);
        let closure = quote!(#head #body);
        let call = match (flow, future) {
            (None, None) => quote!(#hooks::drive_sync(&__PAREA_SITE, #closure, #outcome)),
            (Some(flow), None) => flow_call(options, &flow, "", &closure, &outcome, &hooks),
            (flow, Some(future)) => {
                let drive = match flow {
                    None => quote!(#hooks::drive_returned(&__PAREA_SITE, #closure, #outcome)),
                    Some(flow) => flow_call(options, &flow, "returned_", &closure, &outcome, &hooks),
                };
                if future.boxed.is_some() { quote!(#hooks::Box::pin(#drive)) } else { drive }
            }
        };
        return item(function, &function.sig, quote!(#site #call));
    }
    let head = quote_spanned!(at=> async move);
    let future = quote!(#head #body);
    let drive = match flow {
        // An `async fn` around it runs at its first poll: the span can begin there, and the future is smaller.
        None if keeps_async_fn(function) && !options.boxed => {
            quote!(#hooks::drive_begun(&__PAREA_SITE, #future, #outcome))
        }
        None => quote!(#hooks::drive(&__PAREA_SITE, #future, #outcome)),
        Some(flow) => flow_call(options, &flow, "drive_", &future, &outcome, &hooks),
    };
    if keeps_async_fn(function) {
        let drive = if options.boxed { quote!(#hooks::Box::pin(#drive)) } else { drive };
        return item(function, &function.sig, quote!(#site #drive.await));
    }
    // The future is returned as it is: one level less to nest than inside an `async fn`, and smaller by a copy of
    // the arguments.
    let mut sig = function.sig.clone();
    sig.asyncness = None;
    let output = function.output().map_or_else(|| quote!(()), |output| quote!(#output));
    let returned = quote_spanned!(at=> -> impl ::core::future::Future<Output = #output>);
    sig.output = parse_quote!(#returned);
    let drive = if options.boxed { quote!(#hooks::Box::pin(#drive)) } else { drive };
    let traced = item(function, &sig, quote!(#site #drive));
    // A body that makes a future means it, if the function says so.
    let makes_future = lasting.filter(|lasting| lasting.what == What::Future);
    let makes_future = makes_future.map(|_| quote!(clippy::async_yields_async,));
    // Documentation shows the function as it was written.
    let written = item(function, &function.sig, quote!(loop {}));
    quote! {
        #[cfg(doc)]
        #written
        #[cfg(not(doc))]
        #[allow(clippy::manual_async_fn, #makes_future refining_impl_trait)]
        #traced
    }
}

/// The call for a stream or an iterator, whose items are captured as a value would be.
fn flow_call(
    options: &Options,
    flow: &Returned<'_>,
    form: &str,
    body: &TokenStream,
    item: &TokenStream,
    hooks: &TokenStream,
) -> TokenStream {
    let what = match flow.what {
        What::Iterator => "iterator",
        What::Stream | What::Future => "stream",
        What::Alias => "boxed",
    };
    let hook = Ident::new(&format!("{form}{}{what}", if flow.fallible { "try_" } else { "" }), Span::call_site());
    let value = local("flow");
    let kept = match options.stream.as_ref().map(|stream| &stream.keep) {
        None | Some(Keep::Fitting) => quote!(#value),
        Some(Keep::Way(way)) => {
            let way = Ident::new(way, Span::call_site());
            quote!(#value.keep(#hooks::Keep::#way))
        }
        Some(Keep::With(with)) => {
            let (take, show) = (take_in(with, flow.item, hooks), show_all(options, hooks));
            quote!(#value.with(#take, #show))
        }
    };
    // Then the items are not captured one by one.
    let takes_in = options.stream.as_ref().is_some_and(|stream| matches!(stream.keep, Keep::With(_)));
    let item = if takes_in { &quote!(|_, _| {}) } else { item };
    let wrap = match flow.boxed {
        None => quote!(|#value| #kept),
        Some((boxed, Boxed::Pin)) => quote!(|#value| -> #boxed { #hooks::Box::pin(#kept) }),
        Some((boxed, Boxed::Box)) => quote!(|#value| -> #boxed { #hooks::Box::new(#kept) }),
        Some((boxed, Boxed::Held)) => quote!(|#value| -> #boxed { #hooks::Holds::hold(#kept) }),
    };
    let failed = flow.fallible.then(|| {
        let (error, end) = (local("error"), local("end"));
        let (rungs, capture) = (rungs(hooks), capture_error(&error, &end, hooks));
        let of = flow.error.map(inferable).map(|of| quote!(: &#of));
        quote!(|#error #of, #end| { #rungs #capture },)
    });
    quote!(#hooks::#hook(&__PAREA_SITE, #body, #item, #failed #wrap))
}

/// Takes an item into the value of `stream(with = ..)`.
fn take_in(with: &Expr, of: Option<&Type>, hooks: &TokenStream) -> TokenStream {
    let (all, item, end, value) = (local("all"), local("item"), local("end"), local("value"));
    let taken = match with {
        // Called directly, so that what it takes may be what the references here turn into, such as `&str`.
        Expr::Path(path) => quote_spanned!(with.span().resolved_at(Span::mixed_site())=> let _ = #path(#all, #value);),
        // Through a function, so that the closure knows the types of what it is given.
        with => quote!(let _ = #hooks::take_in(#all, #value, #with);),
    };
    let judged = judged(&item, &value, &taken, &end, None, hooks);
    let of = of.map(inferable).map(|of| quote!(: &#of));
    quote!(|#all, #item #of, #end| { #judged })
}

/// Captures the value of `stream(with = ..)`, as it would an output.
fn show_all(options: &Options, hooks: &TokenStream) -> TokenStream {
    let (all, end) = (local("all"), local("end"));
    let captured = success(options, &all, &end, hooks);
    if captured.is_empty() {
        return quote!(|_, _| {});
    }
    let rungs = rungs(hooks);
    quote!(|#all, #end| { #rungs #captured })
}

/// Whether returning `impl Future` would change what the function means to others.
fn keeps_async_fn(function: &Function) -> bool {
    // `!` is no type outside of a function's return position.
    function.keeps_async || !are_inert(&function.attrs) || function.output().is_some_and(has_never)
}

/// Whether all attributes are built in and mean the same on `async fn` and `-> impl Future`. Not `must_use`, which on
/// the latter is about the future; and any unknown one may be a macro that looks for `async`.
pub(crate) fn are_inert(attributes: &[Attribute]) -> bool {
    const INERT: &[&str] = &[
        "allow",
        "cfg",
        "clippy",
        "cold",
        "deny",
        "deprecated",
        "diagnostic",
        "doc",
        "expect",
        "forbid",
        "inline",
        "rustfmt",
        "track_caller",
        "warn",
    ];
    attributes.iter().all(|attribute| {
        let first = attribute.path().segments.first();
        first.is_some_and(|first| INERT.iter().any(|name| first.ident == name))
    })
}

/// The function around another body, on the user's own braces: what the compiler says of it points there.
fn item(function: &Function, sig: &Signature, body: TokenStream) -> TokenStream {
    let Function { attrs, vis, default, .. } = function;
    let body = function.body.with(body);
    // Lints about a function point at its head, which must not end in tokens of ours: then they would point at the
    // attribute. A `where` on the user's last token ends it.
    let no_predicates = sig.generics.where_clause.as_ref().is_none_or(|clause| clause.predicates.is_empty());
    let end = (no_predicates && function.sig.asyncness.is_some() && sig.asyncness.is_none()).then(|| {
        let last = function.sig.output.to_token_stream().into_iter().last();
        let last = last.map_or_else(|| function.sig.paren_token.span.close(), |token| token.span());
        quote_spanned!(last=> where)
    });
    quote!(#(#attrs)* #vis #default #sig #end #body)
}

/// All that is known at compile time. Literals only: a static can name neither `Self` nor a type parameter.
fn call_site(options: &Options, function: &Function, hooks: &TokenStream) -> TokenStream {
    let ident = function.sig.ident.unraw().to_string();
    let name = options.name.as_ref().map_or_else(|| quote!(#ident), |name| quote!(#name));
    let line = quote_spanned!(function.sig.ident.span().resolved_at(Span::call_site())=> ::core::line!());
    // On the expression's span: if it is no chance, that is where the error belongs.
    let rate = options.log_sample_rate.as_ref().map(|rate| quote_spanned!(rate.span()=> .sampled(#rate)));
    quote! {
        static __PAREA_SITE: #hooks::CallSite =
            #hooks::CallSite::new(#name, #ident, ::core::module_path!(), ::core::file!(), #line)#rate;
    }
}

/// The block of the user's statements, behind what captures the inputs and moves the arguments in.
fn body(options: &Options, function: &Function, hooks: &TokenStream) -> TokenStream {
    let edge = return_edge(function);
    let record = record(options, function, hooks);
    let arguments = function.arguments.iter().map(|argument| rebind(options, argument));
    let statements = &function.body.statements;
    let braced = |content: TokenStream| function.body.with(content);
    if function.arguments.is_empty() {
        return braced(quote!(#edge #record #statements));
    }
    let statements = braced(quote!(#statements));
    // Arguments outlive all of the body, the temporaries of its last expression too. Before edition 2024 those live as
    // long as the block around them has locals, but never longer than a match arm.
    braced(quote!(#edge #record #(#arguments)* match () { () => #statements }))
}

/// A return that never runs. With it the type of an async body is the written one from its first statement on, so
/// that coercions work and a mismatch is reported where it is. A closure has its return type written instead.
fn return_edge(function: &Function) -> Option<TokenStream> {
    function.sig.asyncness?;
    let output = match function.output() {
        Some(output) if has_never(output) => return None,
        Some(output) => repeated(output),
        None => quote!(()),
    };
    let never = local("never");
    Some(quote! {
        #[allow(unreachable_code, clippy::all, clippy::pedantic, clippy::nursery)]
        if let ::core::option::Option::Some(#never) = ::core::option::Option::None::<#output> {
            return #never;
        }
    })
}

/// A type of the user's in a place of ours, which lints about what the user wrote leave alone.
fn repeated(output: &Type) -> TokenStream {
    fn ours(tokens: TokenStream) -> TokenStream {
        let ours = |token: TokenTree| match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), ours(group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            // It means the crate of the macro that wrote it.
            TokenTree::Ident(name) if name == "$crate" => TokenTree::Ident(name),
            mut token => {
                token.set_span(token.span().resolved_at(Span::call_site()));
                token
            }
        };
        tokens.into_iter().map(ours).collect()
    }
    ours(inferable(output).into_token_stream())
}

/// Binds an argument again, inside: it is moved in even if the body never names it, and is dropped in the order and
/// at the time of a plain function.
fn rebind(options: &Options, argument: &Argument) -> TokenStream {
    let Argument { cfg, lints, outer, pattern, plain, names } = argument;
    // The moved whole comes first, so that what the pattern leaves of it is dropped at the end.
    let mutable = argument.borrows_mutably().then(|| quote!(mut));
    let whole = (!plain).then(|| quote!(#(#cfg)* let #mutable #outer = #outer;));
    // An argument that only an option names is used all the same.
    let used =
        names.iter().filter(|name| options.name_in_expression(name)).map(|name| quote!(#(#cfg)* let _ = &#name;));
    let used = quote!(#(#used)*);
    let quiet = underscored(names);
    quote!(#whole #(#cfg)* #(#lints)* #quiet let #pattern = #outer; #used)
}

/// An argument whose name says that the body does not use it is used by us all the same.
fn underscored(names: &[Ident]) -> Option<TokenStream> {
    names
        .iter()
        .any(|name| name.to_string().starts_with('_'))
        .then(|| quote!(#[allow(clippy::used_underscore_binding, clippy::no_effect_underscore_binding)]))
}

/// Captures inputs and options, if the span is live.
fn record(options: &Options, function: &Function, hooks: &TokenStream) -> TokenStream {
    let recorder = local("recorder");
    let skipped = |name: &Ident| {
        options.log_omit_inputs
            || options.skip.iter().any(|skip| skip.unraw() == name.unraw())
            // Captured by its own expression instead.
            || options.inputs.iter().any(|(key, _)| name.unraw() == key)
    };
    let moved_in = moved_in(options, function, &skipped);
    let mut statements = TokenStream::new();
    if let Some(receiver) = function.receiver.as_ref().filter(|receiver| !skipped(&receiver.token)) {
        let (cfg, this) = (&receiver.cfg, &receiver.token);
        let capture = input(this, &quote!(&#this), &recorder, hooks);
        statements.extend(quote!(#(#cfg)* #capture));
    }
    for argument in &function.arguments {
        let captures: Vec<_> = argument.names.iter().filter(|name| !skipped(name)).collect();
        if captures.is_empty() {
            continue;
        }
        let Argument { cfg, outer, .. } = argument;
        if argument.plain {
            let quiet = underscored(&argument.names);
            let captures = captures.iter().map(|name| input(name, &quote!(&#name), &recorder, hooks));
            statements.extend(quote!(#(#cfg)* #quiet #(#captures)*));
        } else {
            // A look at the parts where they are, before the body's own pattern takes them.
            let look = argument.look(&skipped);
            let captures = captures.iter().map(|name| input(name, &name.to_token_stream(), &recorder, hooks));
            let quiet = underscored(&argument.names);
            statements.extend(quote!(#(#cfg)* #quiet { let #look = &#outer; #(#captures)* }));
        }
    }
    for (key, expression) in &options.inputs {
        let value = local("value");
        let capture = capture(&value, &slot_for(key, &recorder, hooks), hooks);
        statements.extend(quote!(match &(#expression) { #value => { #capture } }));
    }
    statements.extend(settings(options, &recorder, hooks));
    if statements.is_empty() {
        return moved_in;
    }
    let rungs = rungs(hooks);
    quote! {
        #moved_in
        // Asked here: what the closure borrows is not even noted down while nobody listens.
        if #hooks::is_listening() {
            #hooks::record(&__PAREA_SITE, &mut |#recorder| {
                #rungs
                #statements
            });
        }
    }
}

/// Names what is not captured. `self` is moved in so, and all arguments in their order: that in which those of a future
/// are dropped that is never polled.
fn moved_in(options: &Options, function: &Function, skipped: &impl Fn(&Ident) -> bool) -> TokenStream {
    let this = function.receiver.as_ref().map(|receiver| (&receiver.cfg, &receiver.token, skipped(&receiver.token)));
    let others =
        function.arguments.iter().map(|argument| (&argument.cfg, &argument.outer, argument.names.iter().all(skipped)));
    let mut all: Vec<_> = this.into_iter().chain(others).collect();
    let later = options.expressions().next().is_some();
    // The last one that has to be named before what is captured behind it.
    let named =
        (0..all.len()).rev().find(|&at| all[at].2 && (later || all[at..].iter().any(|(.., left_out)| !left_out)));
    let is_async = function.sig.asyncness.is_some();
    let this = usize::from(this.is_some_and(|(.., left_out)| left_out));
    all.truncate(named.filter(|_| is_async).map_or(this, |at| at + 1));
    all.iter().map(|(cfg, outer, _)| quote!(#(#cfg)* let _ = &#outer;)).collect()
}

fn input(name: &Ident, reference: &TokenStream, recorder: &Ident, hooks: &TokenStream) -> TokenStream {
    capture(reference, &slot_for(&name.unraw().to_string(), recorder, hooks), hooks)
}

/// Room for the input of that name, which is escaped and judged at compile time.
fn slot_for(key: &str, recorder: &Ident, hooks: &TokenStream) -> TokenStream {
    quote!(#recorder.input(const { &#hooks::Key::new(#key) }))
}

/// Writes the value behind a reference into a slot, by the ladder of its type.
fn capture(value: &impl ToTokens, slot: &TokenStream, hooks: &TokenStream) -> TokenStream {
    // One reference more than the first rung has.
    quote!((&&&&&&&#hooks::Wrap(#value)).parea_value().write(#value, #slot);)
}

fn settings(options: &Options, recorder: &Ident, hooks: &TokenStream) -> TokenStream {
    let mut statements = TokenStream::new();
    // On the expression's span: if its type does not fit, that is where the error belongs.
    let mut plain = |method: &str, expression: &Expr| {
        let span = expression.span().resolved_at(Span::mixed_site());
        let (method, reference) = (Ident::new(method, span), quote_spanned!(span=> &(#expression)));
        statements.extend(quote!(#recorder.#method(#reference);));
    };
    for tag in &options.tags {
        plain("tag", tag);
    }
    if let Some(session) = &options.session_id {
        plain("session_id", session);
    }
    if let Some(user) = &options.end_user_identifier {
        plain("end_user_identifier", user);
    }
    if let Some(deployment) = &options.deployment_id {
        plain("deployment_id", deployment);
    }
    for name in &options.evaluation_metric_names {
        plain("evaluation_metric_name", name);
    }
    if let Some(fraction) = &options.apply_eval_frac {
        plain("apply_eval_frac", fraction);
    }
    for eval in &options.evals {
        let span = eval.span().resolved_at(Span::mixed_site());
        let evaluator = quote_spanned!(span=> #hooks::evaluator(#eval));
        statements.extend(quote!(#recorder.evaluator(#evaluator);));
    }
    for (key, expression) in &options.metadata {
        let write = writer(expression, hooks);
        statements.extend(quote!(#recorder.metadata(#key, #write);));
    }
    if let Some(target) = &options.target {
        let write = writer(target, hooks);
        statements.extend(quote!(#recorder.target(#write);));
    }
    statements
}

fn writer(expression: &Expr, hooks: &TokenStream) -> TokenStream {
    let (value, slot) = (local("value"), local("slot"));
    let capture = capture(&value, &slot.to_token_stream(), hooks);
    // A match keeps what the expression borrows alive.
    quote!(|#slot| match &(#expression) { #value => { #capture } })
}

/// Tells success from failure by the type, and captures either. Of what an item of a flow is, or the value of a future.
fn outcome(
    options: &Options,
    flow: Option<&Returned<'_>>,
    value_of: Option<&Type>,
    hooks: &TokenStream,
) -> TokenStream {
    let (output, end, value) = (local("output"), local("end"), local("value"));
    let captured = success(options, &value, &end, hooks);
    // Where no success is looked at, the runtime is told by type whether there can be a failure.
    let told = (flow.is_none() && captured.is_empty()).then(|| local("kind"));
    let judged = judged(&output, &value, &captured, &end, told.as_ref(), hooks);
    let of = flow.map_or(value_of, |flow| flow.item).map(inferable).map(|of| quote!(: &#of));
    quote!(|#output #of, #end| { #judged })
}

/// Captures the error, or does with the value what `taken` says. Ends in the kind of the result, if that is to be told.
fn judged(
    output: &Ident,
    value: &Ident,
    taken: &TokenStream,
    end: &Ident,
    told: Option<&Ident>,
    hooks: &TokenStream,
) -> TokenStream {
    let error = local("error");
    let success = if taken.is_empty() { quote!(_) } else { quote!(#value) };
    let failed = capture_error(&error, end, hooks);
    let rungs = rungs(hooks);
    let kind = quote!((&&#hooks::Wrap(#output)).parea_outcome());
    let (bound, kind) = match told {
        Some(told) => (quote!(let #told = #kind;), told.to_token_stream()),
        None => (TokenStream::new(), kind),
    };
    quote! {
        #rungs
        #bound
        match #kind.split(#output) {
            ::core::result::Result::Ok(#success) => { #taken }
            ::core::result::Result::Err(#error) => { #failed }
        }
        #told
    }
}

/// Captures a value that is a success, as the options say; nothing if they say so.
fn success(options: &Options, value: &Ident, end: &Ident, hooks: &TokenStream) -> TokenStream {
    // What is left out is not looked at, unless an option asks for it.
    let shown = match (&options.output, options.log_omit_outputs) {
        (_, true) => None,
        (None, false) => Some(capture(value, &quote!(#end.output()), hooks)),
        (Some(closure), false) => Some(shown_by(closure, value, &quote!(#end.output()), hooks)),
    };
    let for_evals = options
        .output_for_eval_metrics
        .as_ref()
        .map(|closure| shown_by(closure, value, &quote!(#end.output_for_eval_metrics()), hooks));
    quote!(#shown #for_evals)
}

/// The rungs of all ladders, in scope.
fn rungs(hooks: &TokenStream) -> TokenStream {
    quote!(use #hooks::rungs::*;)
}

/// Captures what the user's closure makes of the value.
fn shown_by(closure: &Expr, value: &Ident, slot: &TokenStream, hooks: &TokenStream) -> TokenStream {
    let made = local("made");
    let capture = capture(&made, slot, hooks);
    // Through a function, so that the closure knows the type of what it is given.
    quote!(match &#hooks::apply(#value, #closure) { #made => { #capture } })
}

fn capture_error(error: &Ident, end: &Ident, hooks: &TokenStream) -> TokenStream {
    // One reference more than the first rung has.
    quote!((&&&&&&&#hooks::Wrap(#error)).parea_error().write(#error, #end.error());)
}

/// A local of ours, which no name of the user's can be or see.
fn local(name: &str) -> Ident {
    Ident::new(&format!("__parea_{name}"), Span::mixed_site())
}
