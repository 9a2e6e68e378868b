//! The options in the parentheses.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens as _;
use syn::{
    Error, Expr, LitStr, Path, Result, Token, ext::IdentExt as _, parenthesized, parse::ParseStream,
    parse::Parser as _, punctuated::Punctuated,
};

use crate::{
    item::Function,
    setting::{self, Setting, Settings},
    suggest,
};

/// What the user asked for.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Path of the crate `parea` where it is renamed or re-exported.
    pub(crate) krate: Option<Path>,
    pub(crate) name: Option<LitStr>,
    pub(crate) tags: Vec<Expr>,
    pub(crate) metadata: Vec<(String, Expr)>,
    pub(crate) session_id: Option<Expr>,
    pub(crate) end_user_identifier: Option<Expr>,
    pub(crate) target: Option<Expr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) log_omit_inputs: bool,
    pub(crate) log_omit_outputs: bool,
    /// What is captured in place of an argument of that name, or beside the arguments.
    pub(crate) inputs: Vec<(String, Expr)>,
    /// A closure of the value; what it returns is captured in its place.
    pub(crate) output: Option<Expr>,
    pub(crate) output_for_eval_metrics: Option<Expr>,
    pub(crate) deployment_id: Option<Expr>,
    pub(crate) evaluation_metric_names: Vec<Expr>,
    /// Functions that score the log once the span has ended.
    pub(crate) evals: Vec<Expr>,
    pub(crate) apply_eval_frac: Option<Expr>,
    /// A constant: the static of the function holds it.
    pub(crate) log_sample_rate: Option<Expr>,
    pub(crate) stream: Option<Flow>,
    /// The future is boxed, so that callers do not hold it within theirs.
    pub(crate) boxed: bool,
}

/// The option `stream`.
#[derive(Clone)]
pub(crate) struct Flow {
    /// The name of the option, for errors.
    pub(crate) name: Ident,
    pub(crate) keep: Keep,
}

/// How the items become the output.
#[derive(Clone)]
pub(crate) enum Keep {
    /// Texts joined, others as an array.
    Fitting,
    /// The name of one of the runtime's ways.
    Way(&'static str),
    /// A function that takes each item into a value of the user's.
    With(Expr),
}

impl Options {
    /// A method's own options, with those of its block where it has none. What the block skips is skipped where there
    /// is such an argument.
    pub(crate) fn over(self, block: &Self, function: &Function) -> Self {
        let block = block.clone();
        let unset = |key: &str| self.metadata.iter().all(|(own, _)| own != key);
        let metadata = block.metadata.into_iter().filter(|(key, _)| unset(key)).collect::<Vec<_>>();
        let has = |name: &Ident| function.input_names().any(|input| input.unraw() == name.unraw());
        let log_omit_inputs = self.log_omit_inputs || block.log_omit_inputs;
        let skip = block.skip.into_iter().filter(|name| !log_omit_inputs && has(name));
        Self {
            krate: self.krate.or(block.krate),
            name: self.name,
            tags: block.tags.into_iter().chain(self.tags).collect(),
            session_id: self.session_id.or(block.session_id),
            end_user_identifier: self.end_user_identifier.or(block.end_user_identifier),
            target: self.target.or(block.target),
            skip: skip.chain(self.skip).collect(),
            log_omit_inputs,
            log_omit_outputs: self.log_omit_outputs || block.log_omit_outputs,
            metadata: metadata.into_iter().chain(self.metadata).collect(),
            inputs: self.inputs,
            output: self.output,
            output_for_eval_metrics: self.output_for_eval_metrics,
            deployment_id: self.deployment_id.or(block.deployment_id),
            evaluation_metric_names: block
                .evaluation_metric_names
                .into_iter()
                .chain(self.evaluation_metric_names)
                .collect(),
            evals: block.evals.into_iter().chain(self.evals).collect(),
            apply_eval_frac: self.apply_eval_frac.or(block.apply_eval_frac),
            log_sample_rate: self.log_sample_rate.or(block.log_sample_rate),
            stream: self.stream,
            boxed: self.boxed || block.boxed && function.sig.asyncness.is_some(),
        }
    }

    /// The option expressions, which are evaluated in the closure of a live span.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.tags
            .iter()
            .chain(self.metadata.iter().map(|(_, value)| value))
            .chain(&self.session_id)
            .chain(&self.end_user_identifier)
            .chain(&self.target)
            .chain(self.inputs.iter().map(|(_, value)| value))
            .chain(&self.deployment_id)
            .chain(&self.evaluation_metric_names)
            .chain(&self.evals)
            .chain(&self.apply_eval_frac)
    }

    /// Whether an option mentions the name, if only in the text of a format string.
    pub(crate) fn name_in_expression(&self, name: &Ident) -> bool {
        let name = name.to_string();
        self.expressions().any(|expression| {
            let tokens = expression.to_token_stream().to_string();
            tokens
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '#')
                .any(|word| word == name)
        })
    }
}

const OPTIONS: &[Setting<Options>] = &[
    ("crate", |options, name, input| setting::krate(&mut options.krate, name, input)),
    ("name", |options, name, input| setting::text(&mut options.name, name, input)),
    ("tags", |options, name, input| texts(&mut options.tags, name, input)),
    ("metadata", |options, name, input| pairs(&mut options.metadata, name, input)),
    ("inputs", |options, name, input| pairs(&mut options.inputs, name, input)),
    ("output", |options, name, input| closure(&mut options.output, name, input)),
    ("output_for_eval_metrics", |options, name, input| closure(&mut options.output_for_eval_metrics, name, input)),
    ("deployment_id", |options, name, input| value(&mut options.deployment_id, name, input)),
    ("evaluation_metric_names", |options, name, input| texts(&mut options.evaluation_metric_names, name, input)),
    ("evals", |options, name, input| evals(&mut options.evals, name, input)),
    ("apply_eval_frac", |options, name, input| value(&mut options.apply_eval_frac, name, input)),
    ("log_sample_rate", |options, name, input| sample_rate(&mut options.log_sample_rate, name, input)),
    ("stream", |options, name, input| {
        let alone = input.is_empty() || input.peek(Token![,]);
        let keep = if alone { Keep::Fitting } else { keep(name, list(name, input, STREAM)?)? };
        options.stream = Some(Flow { name: name.clone(), keep });
        Ok(())
    }),
    ("boxed", |options, name, input| flag(&mut options.boxed, name, input)),
    ("session_id", |options, name, input| value(&mut options.session_id, name, input)),
    ("end_user_identifier", |options, name, input| value(&mut options.end_user_identifier, name, input)),
    ("target", |options, name, input| value(&mut options.target, name, input)),
    ("skip", |options, name, input| {
        let content = list(name, input, "skip(argument, other)")?;
        let names = Punctuated::<Ident, Token![,]>::parse_terminated_with;
        let names = (|input: ParseStream<'_>| names(input, Ident::parse_any)).parse2(content);
        let form = "`skip` takes names of arguments: `skip(argument, other)`";
        options.skip.extend(names.map_err(|error| Error::new(error.span(), form))?);
        Ok(())
    }),
    ("log_omit_inputs", |options, name, input| flag(&mut options.log_omit_inputs, name, input)),
    ("log_omit_outputs", |options, name, input| flag(&mut options.log_omit_outputs, name, input)),
];

/// Reads all options.
pub(crate) fn parse(args: TokenStream) -> Result<Options> {
    let example = "`name = \"…\"` or `skip(argument)`";
    Settings { all: OPTIONS, many: &[], example, foreign: suggest::foreign }.read(args)
}

/// The `=` behind a name, and the promise of something behind it.
pub(crate) fn equals(name: &Ident, input: ParseStream<'_>, form: &str) -> Result<()> {
    // What is missing at the end has no token of its own: the name stands for it.
    if !input.peek(Token![=]) {
        let at = if input.is_empty() || input.peek(Token![,]) { name.span() } else { input.span() };
        return Err(Error::new(at, format!("`{name}` takes a value: `{form}`")));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new_spanned(name, format!("`{name}` lacks its value: `{form}`")));
    }
    Ok(())
}

/// `= expression`
fn value(into: &mut Option<Expr>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    equals(name, input, &format!("{name} = expression"))?;
    *into = Some(expression(input)?);
    Ok(())
}

/// An expression, without the groups that nobody sees and that `macro_rules` put around what they pass on.
pub(crate) fn expression(input: ParseStream<'_>) -> Result<Expr> {
    let mut expression = input.parse()?;
    while let Expr::Group(group) = expression {
        expression = *group.expr;
    }
    Ok(expression)
}

/// `= 0.1`, or a constant
fn sample_rate(into: &mut Option<Expr>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    equals(name, input, &format!("{name} = 0.1"))?;
    *into = Some(expression(input)?);
    let refused = |written: &Expr| {
        let message = format!("`{name}` is a chance: from `0.0` (no trace) to `1.0` (every trace)");
        Err(Error::new_spanned(written, message))
    };
    match into {
        Some(Expr::Lit(literal)) => {
            let rate = match &literal.lit {
                syn::Lit::Float(rate) => rate.base10_parse::<f64>()?,
                syn::Lit::Int(rate) => rate.base10_parse::<u8>().map_or(f64::NAN, f64::from),
                _ => f64::NAN,
            };
            if !(0.0..=1.0).contains(&rate) {
                return refused(&Expr::Lit(literal.clone()));
            }
            // `1` is as good as `1.0`.
            let mut rate = proc_macro2::Literal::f64_suffixed(rate);
            rate.set_span(literal.lit.span());
            literal.lit = syn::Lit::new(rate);
            Ok(())
        }
        Some(written @ Expr::Unary(_)) => refused(written),
        _ => Ok(()),
    }
}

const STREAM: &str = "stream(join)`, `stream(collect)`, `stream(last)` or `stream(with = path)";

/// What is in the parentheses of `stream(..)`.
fn keep(stream: &Ident, content: TokenStream) -> Result<Keep> {
    const WAYS: &[(&str, &str)] = &[("join", "Join"), ("collect", "Collect"), ("last", "Last"), ("with", "")];
    let forms = |at: Span| Error::new(at, format!("`stream` takes one of these: `{STREAM}`"));
    if content.is_empty() {
        return Err(forms(stream.span()));
    }
    let keep = |input: ParseStream<'_>| {
        let name = input.call(Ident::parse_any).map_err(|error| forms(error.span()))?;
        let written = name.to_string();
        let Some((_, way)) = WAYS.iter().find(|(known, _)| written == *known) else {
            let Some(meant) = suggest::nearest(&written, WAYS.iter().map(|(known, _)| *known)) else {
                return Err(forms(name.span()));
            };
            let message = format!("unknown way to keep items `{written}`: did you mean `{meant}`?");
            return Err(Error::new_spanned(name, message));
        };
        let keep = if way.is_empty() { Keep::With(with(&name, input)?) } else { Keep::Way(way) };
        input.parse::<Option<Token![,]>>()?;
        if input.is_empty() { Ok(keep) } else { Err(forms(input.span())) }
    };
    keep.parse2(content)
}

/// `with = path`, or a closure
fn with(name: &Ident, input: ParseStream<'_>) -> Result<Expr> {
    equals(name, input, "with = path")?;
    match expression(input)? {
        with @ (Expr::Path(_) | Expr::Closure(_)) => Ok(with),
        other => Err(Error::new_spanned(
            other,
            "`with` is a function that takes an item in: `fn(&mut All, &Item)`, where `All: Default`",
        )),
    }
}

/// `= [function, other(0.9)]`
fn evals(into: &mut Vec<Expr>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    let form = "evals = [levenshtein, at_least(0.9)]";
    equals(name, input, form)?;
    let Expr::Array(functions) = expression(input)? else {
        return Err(Error::new_spanned(name, format!("`{name}` is an array of functions: `{form}`")));
    };
    for function in functions.elems {
        if matches!(function, Expr::Closure(_)) {
            let message = "a closure has no name for its score: write a function, or \
                           `parea::Eval::new(\"name\", |log: &parea::Log| ..)`";
            return Err(Error::new_spanned(function, message));
        }
        into.push(function);
    }
    Ok(())
}

/// `= [text, ..]`
fn texts(into: &mut Vec<Expr>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    let form = format!("{name} = [\"one\", other]");
    equals(name, input, &form)?;
    match expression(input)? {
        Expr::Array(texts) => into.extend(texts.elems),
        other => return Err(Error::new_spanned(other, format!("`{name}` is an array of texts: `{form}`"))),
    }
    Ok(())
}

/// `(key = value, ..)`
fn pairs(into: &mut Vec<(String, Expr)>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    let content = list(name, input, &format!("{name}(key = value, \"other key\" = value)"))?;
    let pairs = Punctuated::<Pair, Token![,]>::parse_terminated.parse2(content)?;
    into.extend(pairs.into_iter().map(|pair| (pair.key, pair.value)));
    Ok(())
}

/// `= |output| value`, or the path of a function
fn closure(into: &mut Option<Expr>, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    let form = format!("{name} = |output| output.len()");
    equals(name, input, &form)?;
    match expression(input)? {
        closure @ (Expr::Closure(_) | Expr::Path(_)) => *into = Some(closure),
        other => {
            let message = format!("`{name}` is a closure of the value that was returned: `{form}`");
            return Err(Error::new_spanned(other, message));
        }
    }
    Ok(())
}

/// The option alone, or with `= true` or `= false` as the SDKs of other languages have it.
fn flag(into: &mut bool, name: &Ident, input: ParseStream<'_>) -> Result<()> {
    *into = if input.parse::<Option<Token![=]>>()?.is_some() {
        match &expression(input)? {
            Expr::Lit(literal) if let syn::Lit::Bool(truth) = &literal.lit => truth.value,
            other => return Err(Error::new_spanned(other, format!("`{name}` is `true` or `false`"))),
        }
    } else {
        true
    };
    Ok(())
}

/// `(…)`
pub(crate) fn list(name: &Ident, input: ParseStream<'_>, form: &str) -> Result<TokenStream> {
    if !input.peek(syn::token::Paren) {
        return Err(Error::new_spanned(name, format!("`{name}` takes a list: `{form}`")));
    }
    let content;
    parenthesized!(content in input);
    content.parse()
}

/// `key = value` or `"key" = value`
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: Expr,
}

impl syn::parse::Parse for Pair {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = if input.peek(LitStr) {
            input.parse::<LitStr>()?.value()
        } else {
            input
                .call(Ident::parse_any)
                .map_err(|error| Error::new(error.span(), "expected a key: `key = value` or `\"key\" = value`"))?
                .unraw()
                .to_string()
        };
        let equals = input.parse::<Token![=]>();
        equals.map_err(|error| Error::new(error.span(), format!("expected `{key} = value`")))?;
        let value = input.parse();
        let value = value.map_err(|error| Error::new(error.span(), format!("expected `{key} = value`: {error}")))?;
        Ok(Self { key, value })
    }
}
