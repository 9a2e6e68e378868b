//! `parea serve` and `parea config`: the settings, and the server that is run by them.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{ArgAction, ArgMatches, FromArgMatches};
use parea_server::{
    Config, ServeError, Server,
    config::{ConfigError, Loaded, SETTINGS, Setting, Sources},
    show_logs,
};

use crate::tell;

/// The exit code of a command that was called in a way that makes no sense.
const MISUSED: u8 = 2;

#[derive(clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    settings: Given,
}

#[derive(clap::Args)]
pub(crate) struct ConfigCommand {
    #[command(flatten)]
    settings: Given,
    /// Print a file with all settings, explained, at their defaults
    #[arg(long)]
    template: bool,
}

/// The settings that flags gave.
#[derive(clap::Args)]
pub(crate) struct Given {
    /// File with settings; `parea.toml` in the data folder when absent [env: PAREA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl Given {
    pub(super) fn load(self) -> Result<Loaded, ConfigError> {
        let loaded = Sources::new(self.config, self.flags.0).load()?;
        for warning in &loaded.warnings {
            tell(format_args!("parea: {warning}"));
        }
        Ok(loaded)
    }
}

/// One flag for each setting of the table.
struct Flags(BTreeMap<String, String>);

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter_map(|setting| {
            let value = matches.get_one::<String>(setting.name)?;
            Some((setting.name.to_owned(), value.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl clap::Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        SETTINGS.iter().fold(command, |command, setting| command.arg(flag(setting)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> clap::Arg {
    let default = setting.value(&Config::default());
    let default =
        if default.is_empty() || setting.is_switch() { String::new() } else { format!(" [default: {default}]") };
    let help = format!("{}{default} [env: {}]", setting.about, setting.variable());
    let flag = clap::Arg::new(setting.name).long(setting.flag()).help(help).action(ArgAction::Set);
    if setting.is_switch() {
        flag.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
    } else {
        flag.value_name(setting.unit.to_ascii_uppercase()).allow_hyphen_values(true)
    }
}

impl ConfigCommand {
    pub(crate) fn run(self) -> ExitCode {
        let text = if self.template {
            Loaded::template()
        } else {
            match self.settings.load() {
                Ok(loaded) => loaded.to_string(),
                Err(error) => return misused(&error),
            }
        };
        // A reader that went away has read what it wanted.
        let _ = io::stdout().write_all(text.as_bytes());
        ExitCode::SUCCESS
    }
}

impl Serve {
    pub(crate) async fn run(self) -> ExitCode {
        let config = match self.settings.load() {
            Ok(loaded) => loaded.config,
            Err(error) => return misused(&error),
        };
        show_logs(config.log_format);
        match serve(config).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error @ ServeError::NeedsKey(_)) => misused(&error),
            Err(error) => {
                tell(format_args!("parea: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

pub(super) fn misused(error: &dyn std::error::Error) -> ExitCode {
    tell(format_args!("parea: {error}"));
    ExitCode::from(MISUSED)
}

async fn serve(config: Config) -> Result<(), ServeError> {
    let mut signals = Signals::listen();
    let server = Server::bind(config).await?;
    // Whoever started the server may have closed its output; that is no reason not to serve.
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "listening on {}, data in {}", server.url(), server.data().display());
    let _ = stdout.flush();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        let _ = stop.send(());
        signals.next().await;
        std::process::exit(130);
    });
    server
        .run(async {
            let _ = stopped.await;
        })
        .await;
    Ok(())
}

/// The signals that stop a server.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
            signal(kind).inspect_err(|error| tell(format_args!("parea: cannot wait for a signal: {error}"))).ok()
        }))
    }

    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            Some(()) = received(interrupt) => {}
            Some(()) = received(terminate) => {}
            else => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

/// The signals that stop a server.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
