//! What whoever runs the server is told.

use std::{
    fmt,
    io::{self, Write as _},
};

use crate::config::LogFormat;

/// Tells a line.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    if tracing::event_enabled!(tracing::Level::WARN) {
        let line = line.to_string();
        let line = line.strip_prefix("parea: ").unwrap_or(&line);
        tracing::warn!("{line}");
    } else {
        // Nobody listens to events: a program that holds a server inside itself still shall know.
        // Where stderr is full or gone the line is lost and nothing else: `eprintln!` would panic.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Shows on stderr what servers of this process tell, for programs that do not collect events of `tracing` themselves.
pub fn listen(format: LogFormat) {
    let events = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        // A reader that is gone is no reason to panic.
        .log_internal_errors(false);
    // An error means that somebody listens already.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(events.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(events.json().flatten_event(true).finish()),
    };
}
