//! What the tests need beyond cargo, installed where that is allowed, else named with the command that does it.

use std::process::{Command, Stdio};

use crate::{
    find,
    step::{self, Failure, cargo, program},
};

/// How a package manager is asked for a browser.
struct Manager {
    name: &'static str,
    /// Brings its lists up to date, where it does not do so by itself.
    update: Option<&'static str>,
    install: &'static str,
    /// Whether only root may.
    root: bool,
}

const MANAGERS: &[Manager] = &[
    Manager {
        name: "apt-get",
        update: Some("update --quiet"),
        install: "install --quiet --yes --no-install-recommends chromium",
        root: true,
    },
    Manager { name: "dnf", update: None, install: "install --assumeyes chromium", root: true },
    Manager { name: "pacman", update: None, install: "-S --noconfirm --needed chromium", root: true },
    Manager { name: "zypper", update: None, install: "--non-interactive install chromium", root: true },
    Manager { name: "apk", update: None, install: "add --no-cache chromium", root: true },
    Manager { name: "brew", update: None, install: "install --cask google-chrome", root: false },
];

/// Makes sure of rustfmt and clippy.
pub(crate) fn components() -> Result<(), Failure> {
    let missing: Vec<&str> = [("rustfmt", "fmt --version"), ("clippy", "clippy --version")]
        .into_iter()
        .filter(|(_, probe)| !step::succeeds(&mut cargo(probe)))
        .map(|(component, _)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let add = format!("component add {}", missing.join(" "));
    if step::succeeds(&mut program("rustup", "--version")) {
        return step::run("install", &mut program("rustup", &add));
    }
    Err(Failure::Missing(format!(
        "{} missing; with rustup `rustup {add}` installs what is, else the package that cargo came with has a sibling",
        missing.join(" and ")
    )))
}

/// Makes sure of a Chromium.
pub(crate) fn chromium() -> Result<(), Failure> {
    if let Some(found) = find::chromium() {
        if step::succeeds(&mut program(&found, "--version")) {
            return Ok(());
        }
        return Err(Failure::Missing(format!(
            "`{} --version` fails, and the browser test needs a Chromium: name a working one in CHROME",
            found.display()
        )));
    }
    let on_path = |manager: &&Manager| step::succeeds(&mut program(manager.name, "--version"));
    let Some(manager) = MANAGERS.iter().find(on_path) else {
        return Err(Failure::Missing(
            "the browser test needs Chromium: install Chromium or Google Chrome, or name one in CHROME".to_owned(),
        ));
    };
    let prefix: &[&str] = match (manager.root, is_root()) {
        (true, false) if step::succeeds(&mut program("sudo", "-n true")) => &["sudo", "-n"],
        (true, false) => {
            return Err(Failure::Missing(format!(
                "the browser test needs Chromium, and only root may install it: `sudo {} {}`, or name one in CHROME",
                manager.name,
                manager.install.replace(" --quiet", "")
            )));
        }
        _ => &[],
    };
    for arguments in manager.update.into_iter().chain([manager.install]) {
        step::run("install", &mut unattended(prefix, manager.name, arguments))?;
    }
    match find::chromium() {
        Some(found) if step::succeeds(&mut program(&found, "--version")) => Ok(()),
        _ => Err(Failure::Missing(format!(
            "`{} {}` gave no Chromium that runs: install Chromium or Google Chrome, or name one in CHROME",
            manager.name, manager.install
        ))),
    }
}

/// A package manager that asks nothing, as root by the given prefix.
fn unattended(prefix: &[&str], name: &str, arguments: &str) -> Command {
    // sudo clears the environment; env(1) behind it does not.
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", name]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    let id = program("id", "-u").stderr(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
