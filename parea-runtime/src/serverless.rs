//! Programs that are frozen between two calls.

use std::{
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use pin_project_lite::pin_project;

use crate::{
    drive::caught,
    guard::{Flushing, finish_async, flush},
};

/// Wraps the handler of a serverless function: each invocation's logs are delivered before it returns, as if the
/// [`Guard`](crate::Guard) was dropped, because the platform may freeze or end the process right after. What the server
/// has not taken within the [`deadline`](crate::Builder::deadline) is in the spool then.
///
/// The handler is called as it is; a panic goes on once the logs are delivered. A call that is cancelled cannot wait: its
/// logs are sent at once, and what the server has not taken by then is sent when the process goes on. Where only some folder can be written, such as
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

    impl<F: Future> PinnedDrop for Invocation<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut stage = this.project().stage;
            if matches!(*stage, Stage::Handling { .. }) {
                // What the handler still held may record as it is dropped.
                stage.set(Stage::Done);
                let _ = flush(Duration::from_nanos(1));
            }
        }
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
            output: Option<thread::Result<F::Output>>,
            #[pin]
            flushing: Flushing,
        },
        Done,
    }
}

impl<F: Future> Future for Invocation<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let StageProjection::Handling { handling } = this.stage.as_mut().project() {
            let output = match caught(|| handling.poll(context)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(output)) => Ok(output),
                Err(payload) => Err(payload),
            };
            // The handler's future is gone before the flush: what it still held may record as it is dropped.
            this.stage.set(Stage::Done);
            this.stage.set(Stage::Flushing { output: Some(output), flushing: finish_async() });
        }
        let StageProjection::Flushing { output, flushing } = this.stage.project() else { return Poll::Pending };
        // How it stands is in the report that the program may ask for.
        let _ = ready!(flushing.poll(context));
        match output.take() {
            Some(Ok(output)) => Poll::Ready(output),
            Some(Err(payload)) => resume_unwind(payload),
            None => panic!("`async fn` polled after completion"),
        }
    }
}
