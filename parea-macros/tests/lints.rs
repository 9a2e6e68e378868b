//! No lint comes from the expansion, and none is lost: clippy and rustc judge the same programs with the attribute and
//! without it, and must say the same of the same lines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Beside these, `clippy::restriction` has opinions that exclude one another; some of them people do switch on.
const LINTS: &[&str] = &[
    "clippy::all",
    "clippy::pedantic",
    "clippy::nursery",
    "clippy::cargo",
    "unused",
    "future_incompatible",
    "nonstandard_style",
    "let_underscore",
    "missing_docs",
    "missing_debug_implementations",
    "elided_lifetimes_in_paths",
    "explicit_outlives_requirements",
    "redundant_lifetimes",
    "single_use_lifetimes",
    "trivial_casts",
    "trivial_numeric_casts",
    "unit_bindings",
    "unnameable_types",
    "unreachable_pub",
    "unsafe_code",
    "unused_lifetimes",
    "unused_qualifications",
    "unused_results",
    "variant_size_differences",
];

/// What is not seen of an annotated function, since its body is in another place than its signature, or since it is no
/// `async fn` any more. The macro's documentation says so.
const LOST: &[&str] = &[
    "async_fn_in_trait",
    "clippy::missing_const_for_fn",
    "clippy::needless_return",
    "clippy::ptr_arg",
    "clippy::unused_async",
    "clippy::unused_self",
    // Of the blanks that stand where an attribute was.
    "clippy::empty_line_after_doc_comments",
    "clippy::empty_line_after_outer_attr",
];

/// One remark: the program, the lint, the line.
type Remark = (String, String, u64);

#[test]
fn lints_say_the_same_with_and_without() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs: Vec<PathBuf> = sources(&here.join("tests/ui/pass"));
    let user = here.join("tests/lints/user.rs");
    programs.push(user);

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lints");
    fs::create_dir_all(folder.join("without/programs")).unwrap();
    fs::copy(here.join("tests/ui/off_and_on.rs"), folder.join("without/off_and_on.rs")).unwrap();
    fs::copy(here.join("../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut manifest = fs::read_to_string(here.join("tests/lints/Cargo.toml.in")).unwrap();
    manifest = manifest.replace("{parea}", here.parent().unwrap().to_str().unwrap());
    for program in &programs {
        let name = program.file_stem().unwrap().to_str().unwrap();
        let without = folder.join("without/programs").join(format!("{name}.rs"));
        fs::write(&without, without_attributes(&fs::read_to_string(program).unwrap())).unwrap();
        for (kind, path) in [("with", program), ("without", &without)] {
            writeln!(manifest, "\n[[bin]]\nname = \"{kind}-{name}\"\npath = {:?}", path.to_str().unwrap()).unwrap();
        }
    }
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();

    let remarks = clippy(&folder);
    let of = |kind: &str| -> BTreeSet<Remark> {
        let prefix = format!("{kind}-");
        let of_kind = remarks
            .iter()
            .filter_map(|(program, lint, line)| Some((program.strip_prefix(&prefix)?.to_owned(), lint.clone(), *line)));
        of_kind.collect()
    };
    let (with, without) = (of("with"), of("without"));
    let ours: Vec<_> = with.difference(&without).collect();
    assert!(ours.is_empty(), "these come from the expansion: {ours:#?}");
    // In the other programs, what only an option names is unused without it.
    let lost: Vec<_> = without.difference(&with).filter(|(program, ..)| program == "user").collect();
    let unknown: Vec<_> = lost.iter().filter(|(_, lint, _)| !LOST.contains(&lint.as_str())).collect();
    assert!(unknown.is_empty(), "these are lost by the attribute: {unknown:#?}");
    for lint in LOST {
        assert!(lost.iter().any(|(_, lost, _)| lost == lint), "{lint} is not lost any more; say so in trace.md");
    }
    for lint in ["dead_code", "missing_docs", "unused_must_use", "clippy::large_futures", "clippy::await_holding_lock"]
    {
        assert!(
            with.iter().any(|(program, found, _)| program == "user" && found == lint),
            "{lint} says nothing at all"
        );
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Everything that is remarked about the binaries of a package, however severe.
fn clippy(folder: &Path) -> BTreeSet<Remark> {
    // Beside the artifacts of the workspace, most of which serve here as well.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["clippy", "--offline", "--message-format=json", "--bins", "--", "--cap-lints=warn"]);
    command.args(LINTS.iter().flat_map(|lint| ["-W", lint]));
    let output = command.current_dir(folder).env("CARGO_TARGET_DIR", target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut remarks = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let (diagnostic, program) = (&message["message"], &message["target"]["name"]);
        let Some(lint) = diagnostic["code"]["code"].as_str() else { continue };
        let spans = diagnostic["spans"].as_array().unwrap();
        let primary = spans.iter().find(|span| span["is_primary"] == true);
        let line = primary.map_or(0, |span| span["line_start"].as_u64().unwrap());
        remarks.insert((program.as_str().unwrap().to_owned(), lint.to_owned(), line));
    }
    assert!(!remarks.is_empty(), "clippy saw nothing");
    remarks
}

/// The program with blanks in place of our attributes, so that its lines stay where they are.
fn without_attributes(program: &str) -> String {
    let mut text = program.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = program[from..].find("#[") {
        let start = from + found;
        let end = start + 1 + closing(&program[start + 1..]);
        let inner = &program[start + 2..end - 1];
        let path = inner.split('(').next().unwrap().trim();
        if path.ends_with("trace") || path == "cfg_attr" && inner.contains("parea::trace") {
            text[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        from = end;
    }
    String::from_utf8(text).unwrap()
}

/// Length of the group that opens with the first character.
fn closing(text: &str) -> usize {
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            '[' | '(' | '{' if !in_text => depth += 1,
            ']' | ')' | '}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    panic!("an attribute does not end: {text}");
}

/// In a crate of its own: the other programs are built with the feature.
#[test]
fn evals_without_their_feature_say_which_it_is() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without_eval");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(here.join("../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(here.join("tests/lints/Cargo.toml.in")).unwrap();
    let manifest = manifest.replace("{parea}", here.parent().unwrap().to_str().unwrap());
    let program = here.join("tests/lints/without_eval.rs");
    let bin = format!("{manifest}\n[[bin]]\nname = \"without-eval\"\npath = {:?}\n", program.to_str().unwrap());
    fs::write(folder.join("Cargo.toml"), bin).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["clippy", "--offline", "--message-format=short"]).current_dir(&folder);
    let output = command.env("CARGO_TARGET_DIR", target).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let wanted = "without_eval.rs:5:25: error[E0277]: the option `evals` needs the feature `eval` of the crate `parea`";
    assert!(said.contains(wanted), "{said}");
}
