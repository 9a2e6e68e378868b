//! The server's binary, for tests that need it as a process of its own.

use std::{env, path::PathBuf, process::Command, sync::OnceLock};

use serde_json::Value;

/// Where the binary `parea` is.
///
/// Cargo tells a test only about binaries of its own package, and this one is `parea-server`'s. `cargo xtask test` says
/// where it is in `PAREA_SERVER_BIN`; otherwise it is built here, once, so that a plain `cargo test` passes as well and
/// never meets one of yesterday.
pub(crate) fn path() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    env::var_os("PAREA_SERVER_BIN").map_or_else(|| BUILT.get_or_init(build).clone(), PathBuf::from)
}

fn build() -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--package", "parea-server", "--bin", "parea", "--message-format", "json"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let executable = messages
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.unwrap_or_else(|| panic!("{command:?} named no executable"))
}
