//! Functions as evaluations: of a log or of values, sync or async.

use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    sync::{Arc, OnceLock},
};

use parea_runtime::{
    evaluation::{Evaluation, Evaluator},
    types::{EvaluationScore, TraceLog},
};

use crate::{
    IntoScores, Log,
    described::{EvalSite, listening},
};

/// What can score a finished log.
///
/// Any function or closure, plain or `async`, that takes
/// - `&Log`: the whole log; or
/// - `&str, &str`: the output and the target; logs without a target get no score;
///
/// and returns what [`IntoScores`] allows. `Form` tells these apart and is always inferred. A future need not be `Send`:
/// evaluations run on a thread of their own. One that computes for long holds up the others; one that waits does not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an evaluation",
    note = "an evaluation is a function of `&Log`, or of output and target as `&str, &str`, plain or async, that returns a \
            number, a bool, a `Score`, or an `Option`, `Result`, `Vec` or tuple of these"
)]
pub trait Evaluate<Form>: Sized {
    /// The evaluation under that name.
    fn under(self, name: &str) -> Eval;

    /// The evaluation under its function's name, or that of its `#[parea::eval]`.
    fn eval(self) -> Eval;
}

/// An evaluation with its name, ready to run.
///
/// ```
/// use parea_eval::{Eval, Log, Score};
/// let short = Eval::new("short", |log: &Log| log.judged().len() < 100);
/// # let _ = short;
/// ```
#[derive(Clone)]
pub struct Eval(Arc<dyn Evaluator>);

impl fmt::Debug for Eval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Eval").field(&self.name()).finish()
    }
}

impl Eval {
    /// An evaluation under a name of its own: for closures, and to have one function twice.
    pub fn new<Form>(name: &str, evaluation: impl Evaluate<Form>) -> Self {
        evaluation.under(name)
    }

    /// Its name. That of a function under `#[parea::eval]` is known from its first call on, and its function's before.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// What it tells, if somebody said.
    pub fn description(&self) -> Option<&str> {
        self.0.description()
    }

    /// The same evaluation with a sentence on what it tells: reports and its spans show it.
    #[must_use]
    pub fn described(self, description: impl Into<String>) -> Self {
        let description = description.into();
        if description.is_empty() { self } else { Self(Arc::new(Labelled::of(self, None, Some(description)))) }
    }

    /// Runs it on a log.
    pub async fn run(&self, log: &Log) -> Result<Vec<EvaluationScore>, String> {
        self.0.evaluate(log).await
    }

    /// As the runtime runs it.
    #[doc(hidden)]
    pub fn into_evaluator(self) -> Arc<dyn Evaluator> {
        self.0
    }
}

/// The last part of a function's path that is a name: `my::evals::near::{{closure}}` is `near`.
pub(crate) fn function_name(path: &str) -> String {
    let mut depth = 0;
    let plain: String = path
        .chars()
        .filter(|letter| {
            depth += i32::from(*letter == '<');
            let keep = depth == 0;
            depth -= i32::from(*letter == '>');
            keep
        })
        .collect();
    let name = plain.rsplit("::").find(|part| !part.is_empty() && !part.starts_with('{'));
    name.unwrap_or("evaluation").to_owned()
}

/// A function of one of the forms.
struct Function<F, Form> {
    /// Asked for by the user.
    given: Option<String>,
    /// That of its type.
    own: String,
    /// What it says of itself when it is called, if it is under `#[parea::eval]`.
    known: OnceLock<&'static EvalSite>,
    call: F,
    form: PhantomData<fn() -> Form>,
}

impl<F, Form> Function<F, Form>
where
    Self: Evaluator,
{
    fn eval(name: Option<&str>, function: F) -> Eval {
        let (given, own) = (name.map(str::to_owned), function_name(type_name::<F>()));
        Eval(Arc::new(Self { given, own, known: OnceLock::new(), call: function, form: PhantomData }))
    }
}

impl<F, Form> Function<F, Form> {
    fn label(&self) -> &str {
        let known = || self.known.get().map(|site| site.name());
        self.given.as_deref().or_else(known).unwrap_or(&self.own)
    }
}

/// The form of an [`Eval`] itself.
#[derive(Debug)]
pub struct Ready;

impl Evaluate<Ready> for Eval {
    fn under(self, name: &str) -> Eval {
        if name == self.name() { self } else { Self(Arc::new(Labelled::of(self, Some(name.to_owned()), None))) }
    }

    fn eval(self) -> Eval {
        self
    }
}

/// An evaluation under another name, or with another description.
struct Labelled {
    name: String,
    description: Option<String>,
    eval: Eval,
}

impl Labelled {
    fn of(eval: Eval, name: Option<String>, description: Option<String>) -> Self {
        let name = name.unwrap_or_else(|| eval.name().to_owned());
        let description = description.or_else(|| eval.description().map(str::to_owned));
        Self { name, description, eval }
    }
}

impl Evaluator for Labelled {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    fn evaluate<'a>(&'a self, log: &'a TraceLog) -> Evaluation<'a> {
        Box::pin(async move {
            let mut scores = self.eval.0.evaluate(log).await?;
            for score in scores.iter_mut().filter(|score| score.name == self.eval.name()) {
                score.name.clone_from(&self.name);
            }
            Ok(scores)
        })
    }
}

macro_rules! form {
    ($(#[$doc:meta])* $form:ident, [$($bound:tt)+], |$self:ident, $log:ident| $call:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $form<R>(PhantomData<R>);

        impl<F, R> Evaluate<$form<R>> for F
        where
            F: $($bound)+ -> R + Send + Sync + 'static,
            R: IntoScores + 'static,
        {
            fn under(self, name: &str) -> Eval {
                Function::<F, $form<R>>::eval(Some(name), self)
            }

            fn eval(self) -> Eval {
                Function::<F, $form<R>>::eval(None, self)
            }
        }

        impl<F, R> Evaluator for Function<F, $form<R>>
        where
            F: $($bound)+ -> R + Send + Sync + 'static,
            R: IntoScores + 'static,
        {
            fn name(&self) -> &str {
                self.label()
            }

            fn description(&self) -> Option<&str> {
                self.known.get().and_then(|site| site.description())
            }

            fn evaluate<'a>(&'a $self, log: &'a TraceLog) -> Evaluation<'a> {
                Box::pin(async move {
                    let $log = Log::from(log.clone());
                    match listening::<F, _>(&$self.known, async { $call }).await {
                        Some(result) => result.into_scores($self.label()),
                        None => Ok(Vec::new()),
                    }
                })
            }
        }
    };
}

form!(
    /// The form of a plain function of a log.
    OfLog, [Fn(&Log)], |self, log| Some((self.call)(&log))
);
form!(
    /// The form of an async function of a log.
    OfLogAsync, [AsyncFn(&Log)], |self, log| Some((self.call)(&log).await)
);
form!(
    /// The form of a plain function of output and target.
    OfValues, [Fn(&str, &str)], |self, log| log.expected().map(|target| (self.call)(log.judged(), target))
);
form!(
    /// The form of an async function of output and target.
    OfValuesAsync, [AsyncFn(&str, &str)], |self, log| match log.expected() {
        Some(target) => Some((self.call)(log.judged(), target).await),
        None => None,
    }
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Score;

    fn half(_: &str, _: &str) -> f64 {
        0.5
    }

    fn by_log(log: &Log) -> Option<bool> {
        (log.judged() == "out").then_some(true)
    }

    async fn slow(log: &Log) -> Result<Score, std::num::ParseIntError> {
        tokio::task::yield_now().await;
        log.judged().parse::<i32>().map(|n| Score::new(n.into()).because("it is"))
    }

    async fn slow_values(output: &str, target: &str) -> (bool, Score) {
        tokio::task::yield_now().await;
        (output == target, Score::named("length", output.len() as f64))
    }

    fn at_least(bar: f64) -> impl Fn(&Log) -> bool {
        move |log| log.judged().len() as f64 >= bar
    }

    async fn run(eval: &Eval, output: &str, target: Option<&str>) -> Result<Vec<(String, f64)>, String> {
        let scores = eval.run(&Log::of(output, target)).await?;
        Ok(scores.into_iter().map(|score| (score.name, score.score)).collect())
    }

    #[tokio::test]
    async fn every_form_of_function_is_an_evaluation_under_its_own_name() {
        let one = |name: &str, score| Ok(vec![(name.to_owned(), score)]);
        assert_eq!(run(&half.eval(), "a", Some("b")).await, one("half", 0.5));
        assert_eq!(run(&half.eval(), "a", None).await, Ok(vec![]), "no target, no score");
        assert_eq!(run(&by_log.eval(), "out", None).await, one("by_log", 1.0));
        assert_eq!(run(&by_log.eval(), "else", None).await, Ok(vec![]));
        assert_eq!(run(&slow.eval(), "3", None).await, one("slow", 3.0));
        assert_eq!(run(&slow.eval(), "x", None).await, Err("invalid digit found in string".to_owned()));
        let both = vec![("slow_values".to_owned(), 0.0), ("length".to_owned(), 1.0)];
        assert_eq!(run(&slow_values.eval(), "a", Some("b")).await, Ok(both));
        assert_eq!(run(&at_least(3.0).eval(), "abc", None).await, one("at_least", 1.0));
        let closure = Eval::new("short", |log: &Log| log.judged().len() < 3);
        assert_eq!(run(&closure, "abc", None).await, one("short", 0.0));
        assert_eq!(run(&Eval::new("other", closure), "ab", None).await, one("other", 1.0));
        let bad = Eval::new("bad", |_: &Log| f64::INFINITY);
        assert_eq!(run(&bad, "", None).await, Err("score `bad` is inf; a score must be a finite number".to_owned()));
    }
}
