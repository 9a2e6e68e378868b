//! Is a run better than another, and how sure is that?
//!
//! Pure arithmetic, used by the client's experiments and by the command `parea compare` alike, so that both give the same
//! verdict. Everything random is drawn from a fixed seed: the same rows give the same figures.
//!
//! - [`compare`]: two runs, row by row, score by score, with a [`Verdict`] in plain words.
//! - [`interval`]: means by BCa bootstrap over rows, single proportions by Wilson, paired ones by their score test.
//! - [`mod@test`]: exact McNemar, sign flips, Holm.
//! - [`power`]: how many rows a difference needs to be seen.
//! - [`summary`] and [`correlation`]: what reports show.

mod bootstrap;
pub mod comparison;
pub mod correlation;
mod distribution;
mod flips;
pub mod interval;
mod key;
mod logged;
mod pairing;
pub mod power;
mod proportion;
pub mod summary;
pub mod test;
mod text;

pub use comparison::{CompareError, Comparison, Flip, Method, Row, Run, ScoreComparison, Settings, Verdict, compare};
pub use interval::Interval;
pub use key::{ROW_KEY, TRIAL, row_key};
pub use logged::run_of_logs;
