//! `cargo xtask fuzz`: odd input at length, first for the parsers, then for a server by its own document.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Chore,
    step::{self, Failure, cargo, program},
};

pub(crate) const CHORE: Chore = Chore {
    name: "fuzz",
    about: "Sends odd input for a while: SECONDS of schemathesis, after 200,000 cases for the parsers",
    run,
};

/// The package that makes requests out of an OpenAPI document, as the registry names it.
const SCHEMATHESIS: &str = "schemathesis";

fn run(arguments: &[String]) -> Result<(), Failure> {
    let usage = || Failure::Usage("usage: cargo xtask fuzz [SECONDS]".to_owned());
    let seconds: u32 = match arguments {
        [] => 60,
        [seconds] => seconds.parse().map_err(|_| usage())?,
        _ => return Err(usage()),
    };
    let mut parsers = cargo("test -p parea-server --lib body::fuzz");
    step::run("parsers", parsers.env("PAREA_FUZZ_CASES", "200000"))?;
    step::run("server", &mut cargo("build -p parea-server --bin parea"))?;
    let tool = schemathesis()?;
    let data = env::temp_dir().join(format!("parea-fuzz-{}", std::process::id()));
    let outcome = against_a_server(&tool, &data, seconds);
    let _ = fs::remove_dir_all(&data);
    outcome
}

fn against_a_server(tool: &Path, data: &Path, seconds: u32) -> Result<(), Failure> {
    let binary = env::current_exe().map(|this| this.with_file_name("parea").with_extension(env::consts::EXE_EXTENSION));
    let start = |source| Failure::Start { command: "parea serve".to_owned(), source };
    let mut server = Command::new(binary.map_err(start)?);
    let server = server.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped());
    let mut server = server.spawn().map_err(start)?;
    let mut line = String::new();
    if let Some(stdout) = server.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(start)?;
    }
    let url = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let mut fuzz = Command::new(tool);
    // What it keeps for a next run goes with the server's folder.
    fuzz.current_dir(data).arg("run").arg(format!("{url}/api/openapi.json"));
    fuzz.args(["--checks", checks, "--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
    // What is not offered yet answers 501, which counts as a fault of servers.
    for name in ["completion", "stream_completion", "fetch_deployed_prompt"] {
        fuzz.args(["--exclude-operation-id", name]);
    }
    fuzz.args(["--max-time", &seconds.to_string()]);
    let outcome = step::run("schemathesis", &mut fuzz);
    let _ = server.kill();
    let _ = server.wait();
    outcome
}

/// The program, put into an environment of its own below `target` if it is not there.
fn schemathesis() -> Result<PathBuf, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/schemathesis");
    let tool = folder.join("bin").join(SCHEMATHESIS);
    if !tool.exists() {
        if !step::succeeds(&mut program("python3", "--version")) {
            return Err(Failure::Missing("this needs python3, with its module venv".to_owned()));
        }
        step::run("environment", program("python3", "-m venv").arg(&folder))?;
        step::run("schemathesis", program(folder.join("bin/pip"), "install --quiet").arg(SCHEMATHESIS))?;
    }
    Ok(tool)
}
