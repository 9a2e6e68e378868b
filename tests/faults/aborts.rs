//! Programs that are compiled with `panic = "abort"`, as services are that want small binaries or to be started anew.

use std::{fs, os::unix::process::ExitStatusExt as _, path::PathBuf, process::Command};

use crate::program::start_command;

/// Builds the program as a package of its own, for the profile of one is that of all its dependencies.
fn built() -> PathBuf {
    let here = env!("CARGO_MANIFEST_DIR");
    let package = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("aborts");
    let manifest = format!(
        r#"
        [package]
        name = "aborts"
        edition = "2024"
        [[bin]]
        name = "aborts"
        path = "{here}/tests/faults/aborts/program.rs"
        [dependencies]
        parea = {{ path = "{here}", default-features = false, features = ["enable"] }}
        [profile.dev]
        panic = "abort"
        debug = false
        [workspace]
        "#
    );
    fs::create_dir_all(&package).unwrap();
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::copy(format!("{here}/Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this test of itself is not meant for another cargo, nor how the test was built.
    cargo.env_remove("RUSTFLAGS");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            cargo.env_remove(name);
        }
    }
    let target = package.join("target");
    let output =
        cargo.args(["build", "--quiet", "--offline", "--target-dir"]).arg(&target).current_dir(&package).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/aborts")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_panic_ends_without_unwinding_is_in_the_spool() {
    let program = built();
    for how in ["main", "thread", "drop", "c"] {
        for durable in [false, true] {
            let home = tempfile::tempdir().unwrap();
            let mut command = Command::new(&program);
            command.arg(how).args(durable.then_some("durable"));
            let ran = start_command(command, home.path(), &[]).wait().await;
            assert_eq!(ran.status.signal(), Some(libc::SIGABRT), "{how}: {}", ran.stderr);
            assert!(ran.stderr.contains("with nowhere to go"), "{how}: {}", ran.stderr);
            let files = fs::read_dir(home.path().join(".parea/spool")).unwrap().map(|entry| entry.unwrap().path());
            let text: String = files.filter_map(|path| fs::read_to_string(path).ok()).collect();
            let lines = |name: &str| text.matches(&format!(r#""trace_name":"{name}""#)).count();
            let errors = text.matches(r#""error":"panicked: with nowhere to go""#).count();
            let found = [lines("call"), lines("fails"), lines("fails_inside"), errors];
            assert_eq!(found, [100, 1, 1, 2], "{how}, durable: {durable}: {text}");
        }
    }
}
