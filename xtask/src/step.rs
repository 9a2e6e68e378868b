//! One command of a chore: announced, run, timed.

use std::{
    env,
    ffi::OsStr,
    fmt,
    io::{self, BufRead, BufReader, Write},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Why a chore ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The chore was called with arguments that it does not have.
    Usage(String),
    /// The machine lacks something; the text says what, and how to get it.
    Missing(String),
    /// A program could not be started or listened to.
    Start { command: String, source: io::Error },
    /// A program ended badly.
    Exit { command: String, status: ExitStatus },
    /// A program ended well without doing what it was called for.
    Empty(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Missing(text) | Self::Empty(text) => f.write_str(text),
            Self::Start { command, source } => write!(f, "cannot run `{command}`: {source}"),
            Self::Exit { command, status } => write!(f, "`{command}` failed ({status})"),
        }
    }
}

/// The cargo that runs this program, so that a toolchain chosen with `cargo +NAME` holds for everything.
pub(crate) fn cargo(arguments: &str) -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// A program with arguments that hold no spaces.
pub(crate) fn program(name: impl AsRef<OsStr>, arguments: &str) -> Command {
    let mut command = Command::new(name);
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs the command under a heading.
pub(crate) fn run(title: &str, command: &mut Command) -> Result<(), Failure> {
    announced(title, command, Command::status)
}

/// Runs the command under a heading and has each line that it prints heard.
pub(crate) fn run_heard(title: &str, command: &mut Command, mut hear: impl FnMut(&str)) -> Result<(), Failure> {
    announced(title, command, |command| {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let echoed = child.stdout.take().map_or(Ok(()), |output| echo(BufReader::new(output), &mut hear));
        // The child has ended or cannot be heard any more; either way it is waited for.
        let status = child.wait()?;
        echoed.map(|()| status)
    })
}

/// Passes on what a program says, line by line.
fn echo(mut output: impl BufRead, hear: &mut impl FnMut(&str)) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        stdout.write_all(&line)?;
        stdout.flush()?;
        hear(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

/// Whether the command can be run and ends well; what it says is of no interest.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn announced(
    title: &str,
    command: &mut Command,
    run: impl FnOnce(&mut Command) -> io::Result<ExitStatus>,
) -> Result<(), Failure> {
    let text = spelled(command);
    println!("\n== {title}: {text}");
    let begun = Instant::now();
    match run(command) {
        Ok(status) if status.success() => {
            println!("== {title}: done in {}", duration(begun.elapsed()));
            Ok(())
        }
        Ok(status) => {
            println!("== {title}: failed after {}", duration(begun.elapsed()));
            Err(Failure::Exit { command: text, status })
        }
        Err(source) => Err(Failure::Start { command: text, source }),
    }
}

/// The command as one would type it.
fn spelled(command: &Command) -> String {
    let name = std::path::Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let words: Vec<_> = [name].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// `0.4 s`, `12.0 s`, `3 min 5 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    format!("{} min {} s", seconds / 60, seconds % 60)
}
