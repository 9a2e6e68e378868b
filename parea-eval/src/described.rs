//! Functions that know their name and what they tell: what `#[parea::eval]` makes of them.
//!
//! The function stays a function, of whose type nothing can be asked. So it says who it is when it is called: an evaluation
//! that calls it listens, and has the name before anyone sees a score.

use std::{
    any::type_name,
    cell::Cell,
    fmt,
    ops::Deref,
    pin::pin,
    sync::OnceLock,
    task::{Context, Poll},
};

use crate::{Eval, Evaluate, evaluation::function_name};

/// What `#[parea::eval]` says of a function.
#[derive(Debug)]
pub struct EvalSite {
    name: &'static str,
    description: &'static str,
    function: &'static str,
    module: &'static str,
}

impl EvalSite {
    /// A name and a description for the function of that name in that module.
    pub const fn new(
        name: &'static str,
        description: &'static str,
        function: &'static str,
        module: &'static str,
    ) -> Self {
        Self { name, description, function, module }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn description(&self) -> Option<&'static str> {
        Some(self.description).filter(|description| !description.is_empty())
    }

    /// Whether the function has that type.
    fn is_of(&self, type_name: &str) -> bool {
        type_name.contains(self.module) && function_name(type_name).trim_start_matches("r#") == self.function
    }
}

/// Who is asked on this thread, and what it said.
#[derive(Clone, Copy)]
struct Asked {
    type_name: &'static str,
    answer: Option<&'static EvalSite>,
}

thread_local! {
    static ASKED: Cell<Option<Asked>> = const { Cell::new(None) };
}

/// What a function under `#[parea::eval]` says first of all. Evaluations that it calls say so as well, and are not meant.
pub fn evaluated_as(site: &'static EvalSite) {
    let Some(asked) = ASKED.get() else { return };
    if asked.answer.is_none() && site.is_of(asked.type_name) {
        ASKED.set(Some(Asked { answer: Some(site), ..asked }));
    }
}

/// Runs a function of type `F`, and keeps what it says of itself.
pub(crate) async fn listening<F, R>(known: &OnceLock<&'static EvalSite>, call: impl Future<Output = R>) -> R {
    let mut call = pin!(call);
    std::future::poll_fn(|task| poll::<F, R>(known, task, |task| call.as_mut().poll(task))).await
}

fn poll<F, R>(
    known: &OnceLock<&'static EvalSite>,
    task: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
) -> Poll<R> {
    /// Puts back who was asked before, also when the function panics.
    struct Before<'a>(Option<Asked>, &'a OnceLock<&'static EvalSite>);
    impl Drop for Before<'_> {
        fn drop(&mut self) {
            if let Some(answer) = ASKED.replace(self.0).and_then(|asked| asked.answer) {
                // It says the same each time.
                let _ = self.1.set(answer);
            }
        }
    }
    if known.get().is_some() {
        return poll(task);
    }
    let _before = Before(ASKED.replace(Some(Asked { type_name: type_name::<F>(), answer: None })), known);
    poll(task)
}

/// A function as an evaluation with a name and a description, called like the function: what a function under
/// `#[parea::eval]` returns that makes evaluations.
#[derive(Clone, Copy)]
pub struct EvalFn<F> {
    name: &'static str,
    description: &'static str,
    function: F,
}

impl<F> EvalFn<F> {
    /// What the expansion of `#[parea::eval]` calls.
    #[doc(hidden)]
    pub const fn new<Form>(name: &'static str, description: &'static str, function: F) -> Self
    where
        F: Evaluate<Form>,
    {
        Self { name, description, function }
    }
}

impl<F> Deref for EvalFn<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.function
    }
}

impl<F> fmt::Debug for EvalFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvalFn")
            .field("name", &self.name)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

/// The form of an [`EvalFn`] around a function of another form.
#[derive(Debug)]
pub struct Described<Form>(std::marker::PhantomData<Form>);

impl<F, Form> Evaluate<Described<Form>> for EvalFn<F>
where
    F: Evaluate<Form>,
{
    fn under(self, name: &str) -> Eval {
        self.function.under(name).described(self.description)
    }

    fn eval(self) -> Eval {
        let name = self.name;
        self.under(name)
    }
}
