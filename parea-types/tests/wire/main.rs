//! What goes over the wire: our types against the published schema, the payloads of real clients, and bad weather.

#![expect(clippy::expect_used, reason = "the functions that tests call may fail like tests")]
#![expect(clippy::float_cmp, reason = "what is read is what was written, to the bit")]

mod deep_trees;
mod document;
mod openapi;
mod payloads;
mod samples;
mod scores;
mod timestamps;
mod updates;
