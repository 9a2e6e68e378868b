//! Where Chromium is on this machine. `cargo xtask test`, which installs it where it is missing, reads this file too.

use std::{env, path::PathBuf};

/// What a browser's package calls it.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Where macOS keeps programs that are not on the path.
const PLACES: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// The browser that `CHROME` names, else the first that is found on `PATH`.
pub(crate) fn chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROME").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name).with_extension(env::consts::EXE_EXTENSION)));
    on_path.chain(PLACES.map(PathBuf::from)).find(|program| program.is_file())
}
