//! Programs that are frozen between two calls.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::guard::{Flushing, flush_at_deadline};

/// Wraps the handler of a serverless function: each invocation's logs are delivered before it returns, for at most the
/// [`deadline`](crate::Builder::deadline), because the platform may freeze or end the process right after.
///
/// The handler is called as it is; panics and cancellation pass through. Where only some folder can be written, such as
/// `/tmp`, say so with [`Builder::folder`](crate::Builder::folder).
///
/// ```
/// #[parea::trace]
/// async fn answer(question: String) -> Result<String, std::io::Error> {
///     Ok(format!("{question}? Yes."))
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let handler = parea::serverless(answer); // lambda_runtime::run(service_fn(handler)).await
/// assert_eq!(handler("Ready".to_owned()).await.unwrap(), "Ready? Yes.");
/// # }
/// ```
pub fn serverless<E, F: Future>(handler: impl Fn(E) -> F) -> impl Fn(E) -> Invocation<F> {
    move |event| Invocation { stage: Stage::Handling { handling: handler(event) } }
}

pin_project! {
    /// One call of a [`serverless`] function.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Invocation<F: Future> {
        #[pin]
        stage: Stage<F>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F: Future> {
        Handling {
            #[pin]
            handling: F,
        },
        Flushing {
            output: Option<F::Output>,
            #[pin]
            flushing: Flushing,
        },
    }
}

impl<F: Future> Future for Invocation<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let StageProjection::Handling { handling } = this.stage.as_mut().project() {
            let output = Some(ready!(handling.poll(context)));
            // The handler's future is gone before the flush: what it still held may record as it is dropped.
            this.stage.set(Stage::Flushing { output, flushing: flush_at_deadline() });
        }
        let StageProjection::Flushing { output, flushing } = this.stage.project() else { return Poll::Pending };
        // How it stands is in the report that the program may ask for.
        let _ = ready!(flushing.poll(context));
        match output.take() {
            Some(output) => Poll::Ready(output),
            None => panic!("`async fn` polled after completion"),
        }
    }
}
