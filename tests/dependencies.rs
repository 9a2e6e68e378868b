//! What `parea` pulls into its users' programs, and who may know whom in this workspace.
//!
//! Trees come from `cargo tree`, which resolves features for the one package that it is asked about; `cargo metadata`
//! would count what other members of the workspace switch on.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// The promise to users: so many crates at most that reqwest does not bring.
const MOST: usize = 25;

/// What cargo prints for these arguments.
fn cargo(arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments.split(' ')).arg("--locked").current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A line of a tree: how deep the package stands, and its name and version.
fn tree(arguments: &str) -> Vec<(usize, String)> {
    let printed = cargo(&format!("tree --edges normal --prefix depth --no-dedupe {arguments}"));
    let line = |line: &str| {
        let digits = line.find(|character: char| !character.is_ascii_digit()).unwrap();
        let package: Vec<&str> = line[digits..].split(' ').take(2).collect();
        (line[..digits].parse().unwrap(), package.join(" "))
    };
    printed.lines().filter(|line| !line.is_empty()).map(line).collect()
}

/// All packages below those that `is_root` names, and these themselves.
fn reachable(tree: &[(usize, String)], is_root: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut inside = None;
    for (depth, package) in tree {
        if inside.is_some_and(|root| *depth <= root) {
            inside = None;
        }
        if inside.is_none() && is_root(package) {
            inside = Some(*depth);
        }
        if inside.is_some() {
            found.insert(&**package);
        }
    }
    found
}

fn is(name: &str) -> impl Fn(&str) -> bool {
    move |package| package.split(' ').next() == Some(name)
}

#[test]
fn the_client_adds_few_crates_to_those_of_reqwest() {
    let tree = tree("--package parea");
    let all = reachable(&tree, is("parea"));
    let of_reqwest = reachable(&tree, is("reqwest"));
    assert!(of_reqwest.iter().any(|package| is("hyper")(package)), "reqwest's tree was not found in {tree:#?}");
    let ours: Vec<_> = all.difference(&of_reqwest).filter(|package| !is("parea")(package)).collect();
    assert!(ours.len() <= MOST, "{} crates beyond reqwest's own, {MOST} were promised: {ours:#?}", ours.len());
}

#[test]
fn a_library_that_is_annotated_pulls_in_no_network() {
    let tree = tree("--package parea --no-default-features");
    let network = ["reqwest", "hyper", "rustls", "ring", "mio", "socket2"];
    for (_, package) in &tree {
        assert!(!network.iter().any(|name| is(name)(package)), "{package} without default features");
    }
    assert!(tree.iter().any(|(_, package)| is("parea-runtime")(package)));
}

#[test]
fn no_part_of_the_workspace_needs_openssl() {
    let metadata: Value = serde_json::from_str(&cargo("metadata --format-version 1 --all-features")).unwrap();
    let packages: BTreeSet<_> =
        metadata["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert!(packages.contains("rustls"));
    let banned = BTreeSet::from(["openssl", "openssl-sys", "openssl-src", "native-tls", "boring", "boring-sys"]);
    assert!(packages.is_disjoint(&banned), "{:?}", packages.intersection(&banned));
}

/// What `deny.toml` allows holds wherever the tests run; cargo-deny, which takes minutes to build, may be absent.
#[test]
fn every_licence_is_one_that_is_allowed() {
    let rules: toml::Table = include_str!("../deny.toml").parse().unwrap();
    let allowed = rules["licenses"]["allow"].as_array().unwrap().iter();
    let allowed: Vec<_> = allowed.map(|name| spdx::Licensee::parse(name.as_str().unwrap()).unwrap()).collect();
    let metadata: Value = serde_json::from_str(&cargo("metadata --format-version 1 --all-features")).unwrap();
    let refused = metadata["packages"].as_array().unwrap().iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none is named");
        let fits = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).is_ok_and(|expression| {
            expression.evaluate(|asked| allowed.iter().any(|licensee| licensee.satisfies(asked)))
        });
        (!fits).then(|| format!("{} {}: {licence}", package["name"], package["version"]))
    });
    let refused: Vec<_> = refused.collect();
    assert!(refused.is_empty(), "not among those that deny.toml allows: {refused:#?}");
}

/// Our packages: each with its version and its dependencies on one another, tests aside.
fn workspace() -> BTreeMap<String, (String, Vec<Value>)> {
    let metadata: Value = serde_json::from_str(&cargo("metadata --format-version 1 --no-deps")).unwrap();
    let package = |package: &Value| {
        let ours = package["dependencies"].as_array().unwrap().iter().filter(|it| it["path"].is_string());
        let dependencies = ours.filter(|it| it["kind"] != "dev").cloned().collect();
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        (text("name"), (text("version"), dependencies))
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

#[test]
fn client_and_server_meet_in_the_wire_types_alone() {
    let packages = workspace();
    let knows = |package: &str| -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        let mut todo = vec![package.to_owned()];
        while let Some(next) = todo.pop() {
            for dependency in &packages[&next].1 {
                let name = dependency["name"].as_str().unwrap().to_owned();
                if known.insert(name.clone()) {
                    todo.push(name);
                }
            }
        }
        known
    };
    let expect = |package: &str, known: &[&str]| {
        assert_eq!(knows(package), known.iter().map(|&name| name.to_owned()).collect(), "what {package} depends on");
    };
    expect("parea-types", &[]);
    expect("parea-macros", &[]);
    expect("parea-runtime", &["parea-types"]);
    expect("parea-eval", &["parea-runtime", "parea-stats", "parea-types"]);
    expect("parea", &["parea-eval", "parea-macros", "parea-runtime", "parea-stats", "parea-types"]);
    expect("parea-stats", &["parea-types"]);
    expect("parea-store", &["parea-types"]);
    expect("parea-server", &["parea-stats", "parea-store", "parea-types"]);
    expect("xtask", &[]);
    assert_eq!(packages.len(), 9, "a new package needs its line above: {:?}", packages.keys());
}

#[test]
fn all_parts_share_one_version_and_pin_one_another_to_it() {
    let packages = workspace();
    let version = &packages["parea"].0;
    for (name, (own, dependencies)) in &packages {
        assert_eq!(own, version, "{name}");
        for dependency in dependencies {
            assert_eq!(dependency["req"], format!("={version}"), "{} as {name} names it", dependency["name"]);
        }
    }
}
