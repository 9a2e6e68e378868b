//! Lets go of old logs in the background, by the rules of the configuration.

use std::time::Duration;

use parea_store::{SqliteStore, StoreError};
use tokio::task::JoinHandle;

use crate::{config::Config, operate, operator};

/// From the end of a round to the next.
const EVERY: Duration = Duration::from_secs(600);

/// At work until it is stopped.
pub(crate) struct Keeper(Option<JoinHandle<()>>);

impl Keeper {
    /// Begins, if there is any rule.
    pub(crate) fn start(store: &SqliteStore, config: &Config) -> Self {
        let rules = config.retention();
        if rules.is_empty() {
            return Self(None);
        }
        let store = store.clone();
        Self(Some(tokio::spawn(async move {
            loop {
                match operate::retain_in(&store, &rules, true).await {
                    Ok(done) => {
                        let (traces, logs) = done.total();
                        if logs > 0 {
                            operator::tell(format_args!(
                                "parea: retention let go of {traces} traces, {logs} logs, in steps of {:.1} ms at most",
                                done.longest.as_secs_f64() * 1e3
                            ));
                        }
                    }
                    Err(StoreError::Closed) => return,
                    Err(error) => operator::tell(format_args!("parea: retention will try again: {error}")),
                }
                tokio::time::sleep(EVERY).await;
            }
        })))
    }

    /// Breaks off between two steps.
    pub(crate) async fn stop(self) {
        if let Some(task) = self.0 {
            task.abort();
            let _ = task.await;
        }
    }
}
