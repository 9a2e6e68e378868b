//! What whoever runs the server is told.

use std::{
    fmt,
    io::{self, Write},
};

/// Writes a line on stderr. Where that is impossible, the disk of its file being full or its reader gone, the line is
/// lost and nothing else: `eprintln!` would panic, and take with it the request that it tells of.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
