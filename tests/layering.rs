//! The guard of the module map: who may name whom.
//!
//! Direction: `web → op, rp → store, keys → core → config`. Everything else follows the table below. `core` and `config`
//! are pure: no web framework, no runtime, no HTTP client, no database, no clock. Read from the sources, so that a
//! violation fails before anyone has to find it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Module → the modules of this crate that it may name, beside itself.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("env", &[]),
    ("config", &[]),
    ("core", &["config"]),
    ("outbound", &[]),
    ("jose", &["config"]),
    ("store", &["env"]),
    ("keys", &["config", "env", "store"]),
    ("rp", &["config", "env", "jose", "outbound"]),
    ("pages", &["config", "core"]),
    ("snapshot", &["config", "core", "jose", "pages", "rp"]),
    ("op", &["config", "core", "env", "jose", "keys", "outbound", "rp", "snapshot", "store"]),
    ("generation", &["config", "core", "pages", "snapshot"]),
    ("web", &["config", "core", "op", "pages", "rp", "snapshot"]),
    ("app", &["config", "core", "env", "keys", "op", "outbound", "rp", "snapshot", "store", "web"]),
    ("reload", &["app", "config", "generation", "snapshot"]),
];

/// Single uses against the table: file, module, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("snapshot/mod.rs", "op", "discovery is rendered once a generation, by the leg that knows what it serves"),
    ("web/admin.rs", "app", "the admin listener reports on the whole process"),
];

/// At the top of the map: commands, and the world of `countersign dev`, may name anything.
const TOP: &[&str] = &["cli", "dev", "lib", "main"];

/// Crates and names that only some places may use: text, the places, why.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("axum", &["web/", "app.rs", "cli/", "dev/"], "HTTP is the web edge's"),
    ("reqwest", &["outbound/client.rs", "cli/dev.rs"], "calls leave through one guarded client; `dev` plays the app"),
    ("hyper", &["web/listener/"], "connections are the listeners'"),
    ("tokio_rustls", &["web/listener/"], "connections are the listeners'"),
    ("rusqlite", &["store/sqlite/"], "SQL is the store's"),
    ("jsonwebtoken", &["keys/", "dev/"], "JWS are made and read in one place"),
    ("openidconnect", &["rp/"], "upstream tokens are the relying-party leg's"),
    (
        "tokio",
        &["app.rs", "cli/", "dev/", "keys/", "op/", "outbound/", "reload.rs", "rp/", "store/", "web/"],
        "core, config and snapshots are pure",
    ),
];

/// Ways to read a clock, and the only places that may.
const CLOCKS: &[&str] = &["SystemTime::now", "Instant::now", "Utc::now", "Local::now"];
const MAY_READ_CLOCKS: &[&str] = &["env.rs", "outbound/client.rs"];

/// A source file without comments and test modules.
struct Source {
    /// Path below `src`, with forward slashes.
    path: String,
    /// Top-level module.
    module: String,
    /// Line number and text.
    lines: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().filter(|path| !is_test(&root, path)).map(|path| read(&root, path)).collect()
}

/// `tests.rs` beside a module and everything in a folder `tests`; `config/tests.rs` is the section of that name.
fn is_test(root: &Path, path: &Path) -> bool {
    let below = below(root, path);
    below != "config/tests.rs" && (below.ends_with("/tests.rs") || below.contains("/tests/"))
}

fn below(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap().components();
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

fn read(root: &Path, path: &PathBuf) -> Source {
    let path_below = below(root, path);
    let module = path_below.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
    let text = std::fs::read_to_string(path).unwrap();
    // By this tree's habit a test module is the last item of its file.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default().to_owned()))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    Source { path: path_below, module, lines }
}

/// The modules that a line names: `crate::op::...`, `use crate::{op, rp::x}`.
fn named(line: &str) -> BTreeSet<String> {
    let identifier = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        text.split_at(end).0.to_owned()
    };
    let mut names = BTreeSet::new();
    for rest in line.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            names.extend(list.split(',').map(|item| identifier(item.trim())));
        } else {
            names.insert(identifier(rest));
        }
    }
    names.remove("");
    names
}

/// Whether a line uses a crate: `use axum::...`, `axum::Router`.
fn uses(line: &str, krate: &str) -> bool {
    line.match_indices(&format!("{krate}::")).any(|(at, _)| {
        let before = line.split_at(at).0.chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    })
}

fn permitted(source: &Source, target: &str) -> bool {
    let known = MAY_NAME.iter().any(|(module, _)| *module == target) || TOP.contains(&target);
    let allowed = MAY_NAME.iter().find(|(module, _)| *module == source.module).map(|(_, targets)| *targets);
    !known
        || source.module == target
        || TOP.contains(&source.module.as_str())
        || allowed.is_some_and(|targets| targets.contains(&target))
        || EXCEPTIONS.iter().any(|(path, module, _)| *path == source.path && *module == target)
}

#[test]
fn modules_name_only_those_below_them() {
    let mut wrong = String::new();
    for source in sources() {
        for (number, line) in &source.lines {
            for target in named(line).into_iter().filter(|target| !permitted(&source, target)) {
                let (path, module) = (&source.path, &source.module);
                writeln!(wrong, "src/{path}:{number}: `{module}` may not name `{target}`: {}", line.trim()).unwrap();
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the direction is web → op, rp → store, keys → core → config (see src/lib.rs):\n{wrong}move what is shared \
         down, hand it in from above, or change the table in tests/layering.rs with its reason"
    );
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = String::new();
    for source in sources() {
        for (number, line) in &source.lines {
            for (krate, places, why) in CONFINED {
                if uses(line, krate) && !places.iter().any(|place| source.path.starts_with(place)) {
                    writeln!(wrong, "src/{}:{number}: {krate} ({why}): {}", source.path, line.trim()).unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a crate is used where it may not be:\n{wrong}");
}

#[test]
fn clocks_are_read_in_one_place() {
    let mut wrong = String::new();
    for source in sources().iter().filter(|source| !MAY_READ_CLOCKS.contains(&source.path.as_str())) {
        let pure = ["core", "config"].contains(&source.module.as_str());
        for (number, line) in &source.lines {
            if CLOCKS.iter().any(|clock| line.contains(clock)) || (pure && line.contains("SystemTime")) {
                writeln!(wrong, "src/{}:{number}: {}", source.path, line.trim()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "the time is handed in as `now` (src/env.rs), never read:\n{wrong}");
}

#[test]
fn the_table_is_the_tree() {
    let modules: BTreeSet<String> = sources().into_iter().map(|source| source.module).collect();
    let known = MAY_NAME.iter().map(|(module, _)| *module).chain(TOP.iter().copied());
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    assert_eq!(modules, known, "every top-level module has its line in tests/layering.rs");
    for (path, module, why) in EXCEPTIONS {
        let source = sources().into_iter().find(|source| source.path == *path);
        let used = source.is_some_and(|source| source.lines.iter().any(|(_, line)| named(line).contains(*module)));
        assert!(used, "the exception for {path} → {module} ({why}) is not needed any more");
    }
}
