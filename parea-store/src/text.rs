//! Search for words in what logs say: names, inputs, messages to models, outputs, errors and metadata.
//!
//! A query is a list of terms, all of which must occur in one log: words, `"phrases"`, beginnings (`refund*`), ends and
//! parts (`*fund*`). A word that is several to the tokenizer, such as `search_orders` or a UUID, is a phrase. Upper and
//! lower case are the same. What is written without spaces (Chinese, Japanese, Korean, Thai) is found by any part of
//! it.

mod hits;
mod pieces;
mod query;
mod tokens;

pub use hits::{Hit, Word};
pub use pieces::Field;
pub use query::{TextQuery, TextQueryError};

pub(crate) use pieces::{Pieces, Searchable};
pub(crate) use query::{Term, Token};
pub(crate) use tokens::{each_token, lowercase, pair};
