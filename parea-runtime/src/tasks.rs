//! Tokio's tasks with the current span carried along.

use std::ops::{Deref, DerefMut};

use tokio::task::{self, AbortHandle, JoinHandle};

use crate::carry::InCurrentSpan as _;

/// [`tokio::spawn`] with the current span carried along.
///
/// # Panics
///
/// Outside of a Tokio runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

/// [`tokio::task::spawn_blocking`] with the current span carried along.
///
/// # Panics
///
/// Outside of a Tokio runtime, as `tokio::task::spawn_blocking` does.
#[track_caller]
pub fn spawn_blocking<F, R>(body: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let here = crate::Context::current();
    task::spawn_blocking(move || here.enter(body))
}

/// [`tokio::task::spawn_local`] with the current span carried along.
///
/// # Panics
///
/// Outside of a `LocalSet` or a local runtime, as `tokio::task::spawn_local` does.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    task::spawn_local(future.in_current_span())
}

/// [`tokio::task::JoinSet`] whose tasks run in the span in which they are spawned.
///
/// ```
/// #[parea::trace]
/// async fn child(n: u32) -> u32 { n }
///
/// #[parea::trace]
/// async fn parent() -> u32 {
///     let mut tasks = parea::JoinSet::new();
///     tasks.spawn(child(1));
///     tasks.spawn_blocking(|| 2);
///     tasks.join_all().await.iter().sum()
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (sum, traces) = parea::testing::capture_async(parent()).await;
/// assert_eq!((sum, traces.tree().as_str()), (3, "parent (ok)\n└─ child (ok)\n"));
/// # }
/// ```
///
/// Everything else is done as with Tokio's, to which it dereferences; [`into_inner`](Self::into_inner) gives it away.
#[derive(Debug)]
pub struct JoinSet<T>(task::JoinSet<T>);

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self(task::JoinSet::default())
    }
}

impl<T> JoinSet<T> {
    /// A set without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokio's set, with the tasks in it.
    pub fn into_inner(self) -> task::JoinSet<T> {
        self.0
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task in the current span.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.0.spawn(future.in_current_span())
    }

    /// Spawns a task on the current `LocalSet` in the current span.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.0.spawn_local(future.in_current_span())
    }

    /// Runs a closure that blocks on the runtime's pool for them, in the current span.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, body: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let here = crate::Context::current();
        self.0.spawn_blocking(move || here.enter(body))
    }

    /// Waits for all tasks; see [`tokio::task::JoinSet::join_all`].
    ///
    /// # Panics
    ///
    /// When one of the tasks panics.
    pub async fn join_all(self) -> Vec<T> {
        self.0.join_all().await
    }
}

impl<T> Deref for JoinSet<T> {
    type Target = task::JoinSet<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> DerefMut for JoinSet<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<F> FromIterator<F> for JoinSet<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        for future in futures {
            set.spawn(future);
        }
        set
    }
}
