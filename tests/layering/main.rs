//! Tests of the architecture that `src/lib.rs` describes.
//!
//! Reads the sources of the crate and fails when a module imports from a higher layer, when files import each other in a
//! circle, when a crate is used outside the modules to which it is confined, or when a file is too long. There are no
//! exceptions: what two modules share moves to a lower layer, or is passed in from above.
#![expect(clippy::unwrap_used, reason = "tests")]

mod imports;
mod sources;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use imports::Imports;
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use sources::Source;

/// The modules of the crate, from the top down. A module may import from those in the rows below its own.
const LAYERS: &[&[&str]] = &[
    &["main", "lib"],
    &["cli"],
    &["dev", "import"],
    &["app"],
    &["admin"],
    &["web"],
    &["op"],
    &["snapshot"],
    &["keys", "pages", "throttle", "upstream"],
    &["analysis", "jose", "store", "x509"],
    &["decision"],
    &["expression"],
    &["config"],
    &["metrics", "telemetry"],
    &["audit", "outbound"],
    &["digest", "env", "excerpt", "protocol"],
];

/// Crates that only some places may use: the crate, the places, and the reason.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("argon2", &["snapshot/password_hash.rs"], "passwords are hashed in one place"),
    ("axum", &["web/", "admin/", "app.rs", "cli/", "dev/"], "HTTP is the web edge's"),
    ("flate2", &["outbound/"], "answers are unzipped where their size is bounded"),
    ("governor", &["throttle/"], "what is counted is counted in one place"),
    ("hyper", &["web/listener/"], "connections are the listeners'"),
    ("jsonwebtoken", &["jose/"], "JWS are made and read in one place"),
    ("prometheus_client", &["metrics/"], "what is measured is declared in one place"),
    ("reqwest", &["outbound/", "cli/"], "calls to other hosts go through one guarded client"),
    (
        "rustix",
        &["web/listener/", "cli/break_glass.rs", "env.rs"],
        "descriptors are the listeners', the terminal the prompt's, the clock and the host's name the environment's",
    ),
    ("webpki", &["x509/"], "certificates are verified in one place"),
    ("x509_parser", &["x509/"], "certificates are parsed in one place"),
    ("rusqlite", &["store/sqlite/"], "SQL is the store's"),
    ("tokio_postgres", &["store/postgres/"], "SQL is the store's"),
    ("deadpool_postgres", &["store/postgres/"], "SQL is the store's"),
    ("tokio_rustls", &["web/listener/", "store/postgres/"], "connections are the listeners' and the store's"),
    (
        "tokio",
        &[
            "admin/",
            "app.rs",
            "cli/",
            "dev/",
            "keys/",
            "op/",
            "outbound/",
            "snapshot/reload/",
            "store/",
            "telemetry/",
            "upstream/",
            "web/",
        ],
        "from the decision down, and in a snapshot, nothing waits",
    ),
];

/// The most lines that a file may have, without its tests.
const LONGEST_FILE: usize = 400;

/// The row of a module in [`LAYERS`], from the top.
fn row(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn every_module_has_its_place_in_the_layers() {
    let found: BTreeSet<String> = sources::read().into_iter().map(|source| source.module().to_owned()).collect();
    let known: BTreeSet<String> = LAYERS.iter().copied().flatten().map(|&module| module.to_owned()).collect();
    assert_eq!(found, known, "the modules of src/ and LAYERS in tests/layering/main.rs must be the same");
}

#[test]
fn modules_name_only_those_below_them() {
    let sources = sources::read();
    let mut wrong = String::new();
    for (from, targets) in Imports::of(&sources).resolved() {
        for to in targets {
            let (upper, lower) = (sources::module(from), sources::module(to));
            if upper != lower && row(upper) >= row(lower) {
                writeln!(wrong, "src/{from} names src/{to}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "imports point downwards in LAYERS (tests/layering/main.rs):\n{wrong}");
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let sources = sources::read();
    let imports = Imports::of(&sources);
    let mut graph: DiGraphMap<&str, ()> = DiGraphMap::default();
    for (from, targets) in imports.resolved() {
        for to in targets {
            graph.add_edge(*from, *to, ());
        }
    }
    let mut wrong = String::new();
    for circle in tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1) {
        writeln!(wrong, "a circle of {} files:", circle.len()).unwrap();
        for from in &circle {
            let within: Vec<&str> = graph.neighbors(from).filter(|to| circle.contains(to)).collect();
            writeln!(wrong, "  src/{from} → {}", within.join(", ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "move what the files share into one below them:\n{wrong}");
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = String::new();
    for source in sources::read() {
        for name in imports::crates(&source) {
            for (krate, places, why) in CONFINED.iter().filter(|(krate, ..)| *krate == name) {
                if !places.iter().any(|place| source.path.starts_with(place)) {
                    writeln!(wrong, "src/{} uses {krate}, but {why}", source.path).unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a crate is used where it may not be:\n{wrong}");
}

#[test]
fn files_can_be_read_at_once() {
    let long = |source: &&Source| source.lines > LONGEST_FILE;
    let long: Vec<String> =
        sources::read().iter().filter(long).map(|source| format!("src/{}: {}", source.path, source.lines)).collect();
    assert!(
        long.is_empty(),
        "a file has at most {LONGEST_FILE} lines without its tests; split by responsibility:\n{}",
        long.join("\n")
    );
}
