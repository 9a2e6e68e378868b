//! All rules that options and function must meet together.

use quote::ToTokens;
use syn::{Error, Result, ext::IdentExt as _, visit::Visit};

use crate::{
    args::{Flow, Keep, Options},
    item::Function,
    returns::{self, What},
    suggest,
};

/// Errors as they are found, to be shown all at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// The value, if nothing was found.
    pub(crate) fn or<T>(self, value: T) -> Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

/// Both, or the errors of both.
pub(crate) fn both<A, B>(one: Result<A>, other: Result<B>) -> Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut errors), Err(more)) => {
            errors.combine(more);
            Err(errors)
        }
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

pub(crate) fn check(options: &Options, function: Function) -> Result<Function> {
    let mut errors = Errors::default();
    if let Some(token) = function.sig.constness {
        errors.at(
            token,
            "`#[trace]` cannot trace a `const fn`: a span has a clock and an id; remove `const` or `#[trace]`",
        );
    }
    if let Some(token) = &function.sig.variadic {
        errors.at(token, "`#[trace]` cannot trace a function with C variadic arguments");
    }
    for name in &options.skip {
        if !function.input_names().any(|input| input.unraw() == name.unraw()) {
            let written = name.to_string();
            let inputs: Vec<String> = function.input_names().map(ToString::to_string).collect();
            let hint = match suggest::nearest(&written, inputs.iter().map(String::as_str)) {
                Some(meant) => format!(": did you mean `{meant}`?"),
                None if inputs.is_empty() => "; the function has no arguments".to_owned(),
                None => format!("; the arguments are `{}`", inputs.join("`, `")),
            };
            errors.at(name, format!("no argument `{written}` to skip{hint}"));
        }
    }
    if options.log_omit_inputs
        && let Some(name) = options.skip.first()
    {
        errors.at(name, "`skip` has nothing to leave out beside `log_omit_inputs`; remove one of them");
    }
    if options.boxed && function.sig.asyncness.is_none() {
        errors.at(function.sig.fn_token, "`boxed` is for `async fn`: nothing else has a future of ours to box");
    }
    if options.log_omit_inputs && !options.inputs.is_empty() {
        errors.at(
            &options.inputs[0].1,
            "`inputs` beside `log_omit_inputs`: one says what to capture, the other that nothing is",
        );
    }
    if options.log_omit_outputs
        && let Some(closure) = &options.output
    {
        errors.at(closure, "`output` beside `log_omit_outputs`: one says what to capture, the other that nothing is");
    }
    if let Some(stream) = &options.stream {
        check_stream(stream, options, &function, &mut errors);
    }
    for expression in options.expressions() {
        Escapes(&mut errors).visit_expr(expression);
    }
    errors.or(function)
}

fn check_stream(stream: &Flow, options: &Options, function: &Function, errors: &mut Errors) {
    match function.output().map(|output| (output, returns::told(output))) {
        Some((_, Some(told))) if told.what != What::Future => {}
        Some((_, Some(future))) if function.sig.asyncness.is_none() && returns::ready_with(&future, true).is_some() => {}
        // The type that is meant may be behind an alias, which is told by the type itself.
        Some((output, _)) if returns::forced(output).is_some() => {}
        Some((output, _)) => errors.at(
            output,
            "`stream` cannot trace this: it takes `impl Stream` or `impl Iterator` (with no bounds besides but `Send`, \
             `Sync`, `Unpin` and those of iterators), a box of either, or an alias of such a box, plain or in a `Result`",
        ),
        None => errors.at(&stream.name, "`stream` is for functions that return a stream or an iterator; this one returns nothing"),
    }
    if options.log_omit_outputs && !matches!(stream.keep, Keep::Fitting) {
        errors.at(
            &stream.name,
            "`stream(..)` beside `log_omit_outputs`: one says what to capture, the other that nothing is",
        );
    }
}

/// Options that make no sense on a whole block.
pub(crate) fn check_block(defaults: &Options, errors: &mut Errors) {
    if let Some(name) = &defaults.name {
        errors.at(name, "a block has no name of its own; put `name` on its methods");
    }
    if let Some((_, first)) = defaults.inputs.first() {
        errors.at(first, "`inputs` is about the arguments of one method: put it there");
    }
    for closure in defaults.output.iter().chain(&defaults.output_for_eval_metrics) {
        errors.at(closure, "this closure is about what one method returns: put it there");
    }
    if let Some(stream) = &defaults.stream {
        errors.at(&stream.name, "`stream` is about what one method returns: put it there");
    }
}

/// Finds what would leave the closure in which an option's expression is evaluated.
struct Escapes<'a>(&'a mut Errors);

impl Escapes<'_> {
    fn refuse(&mut self, tokens: impl ToTokens, what: &str) {
        let message = format!(
            "`{what}` cannot be used in an option: its value is computed aside from the function; compute it in the body and use `parea::current()`"
        );
        self.0.at(tokens, message);
    }
}

impl<'ast> Visit<'ast> for Escapes<'_> {
    fn visit_expr_return(&mut self, expression: &'ast syn::ExprReturn) {
        self.refuse(expression.return_token, "return");
    }

    fn visit_expr_try(&mut self, expression: &'ast syn::ExprTry) {
        self.refuse(expression.question_token, "?");
        syn::visit::visit_expr_try(self, expression);
    }

    fn visit_expr_await(&mut self, expression: &'ast syn::ExprAwait) {
        self.refuse(expression.await_token, ".await");
        syn::visit::visit_expr_await(self, expression);
    }

    // These have their own flow of control.
    fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
    fn visit_item(&mut self, _: &'ast syn::Item) {}
}
