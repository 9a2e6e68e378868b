//! `cost`: what an annotation costs to compile, to store and to nest, beside the same functions with the annotations of
//! `tracing` and `fastrace`, and with none.
//!
//! Each variant is a program of [`FUNCTIONS`] functions that is written, built and thrown away.

use std::{
    env,
    fmt::{self, Write as _},
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    Chore, section,
    step::{Failure, cargo, program},
};

pub(crate) const CHORE: Chore =
    Chore { name: "cost", about: "measures what an annotation costs to compile and to store", run };

const FUNCTIONS: usize = 400;
/// The code of a function is what so many more of them add, so that what a library brings along once is left out.
const FEWER: usize = 200;
/// Depths of which the growth of the build is measured.
const CHAINS: [usize; 3] = [5, 10, 20];
/// No chain is tried that is deeper.
const DEEPEST: usize = 40;

/// A way to annotate a function.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    /// A line of the manifest; `ROOT` stands for this repository.
    dependency: &'static str,
    attribute: &'static str,
}

impl Variant {
    /// Its name as that of a package.
    fn folder(self) -> String {
        self.name.chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

const PLAIN: Variant = Variant { name: "plain", dependency: "", attribute: "" };
const OURS: Variant =
    Variant { name: "parea", dependency: "parea = { path = \"ROOT\" }", attribute: "#[parea::trace]" };
/// Where `async fn` has to stay.
const KEPT: Variant =
    Variant { name: "parea, `async fn` kept", dependency: OURS.dependency, attribute: "#[must_use]\n#[parea::trace]" };
const VARIANTS: [Variant; 5] = [
    PLAIN,
    OURS,
    KEPT,
    Variant { name: "tracing", dependency: "tracing = \"0.1\"", attribute: "#[tracing::instrument(err)]" },
    Variant {
        name: "fastrace",
        dependency: "fastrace = { version = \"0.7\", features = [\"enable\"] }",
        attribute: "#[fastrace::trace]",
    },
];

/// What was measured of one program.
struct Cost {
    future: Option<u64>,
    /// Bytes that one function adds.
    code: f64,
    rebuild: Duration,
    check: Duration,
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return Err(Failure::Usage("`cargo xtask cost` takes no arguments".to_owned()));
    }
    let folder = root().join("target/cost");
    let mut page = String::new();
    for form in [Form::Async, Form::Sync] {
        page += &table(&folder, form)?;
    }
    page += &chains(&folder)?;
    section::write("cost", &page)
}

fn table(folder: &Path, form: Form) -> Result<String, Failure> {
    let mut table =
        format!("| {form} | future | code per function | release rebuild | `cargo check` |\n|---|---|---|---|---|\n");
    let mut plain = None;
    for variant in VARIANTS.into_iter().filter(|variant| form == Form::Async || variant.name != KEPT.name) {
        let cost = measure(folder, variant, form)?;
        let base = *plain.get_or_insert(cost.code);
        let future = cost.future.map_or_else(|| "–".to_owned(), |bytes| format!("{bytes} B"));
        let code = if variant.name == PLAIN.name { "–".to_owned() } else { format!("{:.0} B", cost.code - base) };
        let (rebuild, check) = (cost.rebuild.as_secs_f64(), cost.check.as_secs_f64());
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {} | {future} | {code} | {rebuild:.1} s | {check:.2} s |", variant.name);
        println!("{} {form}: done", variant.name);
    }
    Ok(table + "\n")
}

fn chains(folder: &Path) -> Result<String, Failure> {
    let mut page =
        String::from("Chains of async functions that call one another, annotated with `#[parea::trace]`, build in");
    // What it depends on is built first.
    build_chain(folder, 1)?;
    for (depth, mark) in CHAINS.into_iter().zip([",", ",", "."]) {
        let took = build_chain(folder, depth)?
            .map_or_else(|| "no time, for it fails,".to_owned(), |took| format!("{:.2} s", took.as_secs_f64()));
        let _ = write!(page, " {took} at {depth} deep{mark}");
    }
    let mut deepest = CHAINS[2];
    while deepest < DEEPEST && build_chain(folder, deepest + 1)?.is_some() {
        deepest += 1;
    }
    let _ = writeln!(page, "\nThe deepest that compiles at the default recursion limit has {deepest}.");
    Ok(page)
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Async,
    Sync,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Async { "async" } else { "sync" })
    }
}

fn measure(folder: &Path, variant: Variant, form: Form) -> Result<Cost, Failure> {
    let fewer =
        Package::write(folder, &format!("{}-{form}-few", variant.folder()), variant, &functions(variant, form, FEWER))?;
    fewer.build("build --release")?;
    let package =
        Package::write(folder, &format!("{}-{form}", variant.folder()), variant, &functions(variant, form, FUNCTIONS))?;
    package.build("build --release")?;
    package.build("check")?;
    let rebuild = package.rebuild("build --release")?;
    let check = package.rebuild("check")?;
    let binary = package.binary();
    let mut command = program(&binary, "");
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| Failure::Start { command: binary.display().to_string(), source })?;
    let future = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    let code = (text_bytes(&binary)? as f64 - text_bytes(&fewer.binary())? as f64) / (FUNCTIONS - FEWER) as f64;
    Ok(Cost { future, code, rebuild, check })
}

/// A program of many functions that all run.
fn functions(variant: Variant, form: Form, count: usize) -> String {
    let mut source = String::from(HEAD);
    for n in 0..count {
        let attribute = variant.attribute;
        let function = match form {
            Form::Sync => format!(
                "{attribute}\nfn f{n}(x: u64, s: String) -> Result<String, Refused> {{\n    \
                 if x == {n} {{ return Err(Refused); }}\n    Ok(format!(\"{n} {{s}} {{x}}\"))\n}}\n"
            ),
            Form::Async => format!(
                "{attribute}\nasync fn f{n}(x: u64, s: String) -> Result<String, Refused> {{\n    \
                 YieldOnce(false).await;\n    if x == {n} {{ return Err(Refused); }}\n    Ok(format!(\"{n} {{s}} {{x}}\"))\n}}\n"
            ),
        };
        source.push_str(&function);
    }
    source += "fn main() {\n    let x = black_box(1_000);\n";
    if form == Form::Async {
        source += "    println!(\"{}\", std::mem::size_of_val(&f0(x, String::new())));\n";
    }
    for n in 0..count {
        let call = match form {
            Form::Sync => format!("    let _ = black_box(f{n}(x, String::new()));\n"),
            Form::Async => format!("    let _ = black_box(block_on(f{n}(x, String::new())));\n"),
        };
        source.push_str(&call);
    }
    source + "}\n"
}

/// How long it took to build, or nothing when the compiler gave up.
fn build_chain(folder: &Path, depth: usize) -> Result<Option<Duration>, Failure> {
    let mut source = String::from(HEAD);
    for n in 0..depth {
        let next = if n + 1 < depth { format!("f{}(x + 1).await", n + 1) } else { "x".to_owned() };
        // Writing to a string does not fail.
        let _ = writeln!(
            source,
            "{}\nasync fn f{n}(x: u64) -> u64 {{\n    YieldOnce(false).await;\n    {next}\n}}",
            OURS.attribute
        );
    }
    source += "fn main() {\n    let _ = Refused;\n    println!(\"{}\", block_on(f0(black_box(1))));\n}\n";
    let package = Package::write(folder, "chain", OURS, &source)?;
    let start = Instant::now();
    let built = package.command("build --release").stderr(Stdio::null()).status();
    let built = built.map_err(|source| Failure::Start { command: "cargo".to_owned(), source })?;
    Ok(built.success().then(|| start.elapsed()))
}

/// A package of one program, in a workspace of its own.
struct Package {
    name: String,
    folder: PathBuf,
    target: PathBuf,
}

impl Package {
    fn write(folder: &Path, name: &str, variant: Variant, source: &str) -> Result<Self, Failure> {
        let package = folder.join(name);
        let dependency = variant.dependency.replace("ROOT", &root().display().to_string());
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             {dependency}\n\n[profile.release]\nopt-level = 3\ncodegen-units = 1\n"
        );
        let write = |path: PathBuf, text: &str| {
            fs::write(&path, text).map_err(|source| Failure::Start { command: path.display().to_string(), source })
        };
        fs::create_dir_all(package.join("src"))
            .map_err(|source| Failure::Start { command: package.display().to_string(), source })?;
        write(package.join("Cargo.toml"), &manifest)?;
        write(package.join("src/main.rs"), source)?;
        Ok(Self { name: name.to_owned(), folder: package, target: folder.join("target") })
    }

    fn command(&self, what: &str) -> std::process::Command {
        let mut command = cargo(what);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target).arg("--quiet");
        // Where it is set, a rebuild in release would build nothing but what was touched: not what users wait for.
        command.env_remove("CARGO_INCREMENTAL");
        command
    }

    fn build(&self, what: &str) -> Result<(), Failure> {
        let command = format!("cargo {what} of {}", self.name);
        match self.command(what).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::Exit { command, status }),
            Err(source) => Err(Failure::Start { command, source }),
        }
    }

    /// The program alone: what it depends on is built already.
    fn rebuild(&self, what: &str) -> Result<Duration, Failure> {
        let main = self.folder.join("src/main.rs");
        let touched = fs::File::options()
            .append(true)
            .open(&main)
            .and_then(|file| file.set_modified(std::time::SystemTime::now()));
        touched.map_err(|source| Failure::Start { command: main.display().to_string(), source })?;
        let start = Instant::now();
        self.build(what)?;
        Ok(start.elapsed())
    }

    fn binary(&self) -> PathBuf {
        self.target.join("release").join(format!("{}{}", self.name, env::consts::EXE_SUFFIX))
    }
}

/// Bytes of the section `.text` of a 64-bit ELF file, the instructions alone.
fn text_bytes(binary: &Path) -> Result<u64, Failure> {
    let file = fs::read(binary).map_err(|source| Failure::Start { command: binary.display().to_string(), source })?;
    section_bytes(&file, b".text")
        .ok_or_else(|| Failure::Missing("the size of code is read from ELF files: run this on Linux".to_owned()))
}

fn section_bytes(file: &[u8], wanted: &[u8]) -> Option<u64> {
    let number = |at: u64, bytes: u64| {
        let field = file.get(usize::try_from(at).ok()?..usize::try_from(at + bytes).ok()?)?;
        Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    if file.get(..5)? != b"\x7fELF\x02" {
        return None;
    }
    // Offsets as the ELF-64 specification gives them.
    let (table, size, count, names) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?, number(0x3e, 2)?);
    let names = number(table + names * size + 0x18, 8)?;
    (0..count).map(|n| table + n * size).find_map(|header| {
        let name = file.get(usize::try_from(names + number(header, 4)?).ok()?..)?;
        let found = name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0));
        if found { number(header + 0x20, 8) } else { None }
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// What all programs begin with.
const HEAD: &str = r#"#![allow(dead_code)]
use std::{future::Future, hint::black_box, pin::Pin, task::{Context, Poll, Waker}};

#[derive(Debug)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}
"#;
