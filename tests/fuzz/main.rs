//! Fuzzing with the stable compiler: every target replays its corpus (`fuzz/corpus/TARGET`) and then gets mutated inputs for
//! some seconds. `fuzz/` has the same targets for cargo-fuzz, which is guided by coverage.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `COUNTERSIGN_FUZZ_SECONDS` | how long each target runs, 3 |
//! | `COUNTERSIGN_FUZZ_SEED` | where the random numbers begin, 1 |
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod mutate;
mod targets;

#[path = "../it/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/it, which uses the rest")]
mod harness;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with tests/it, which uses the rest")]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use countersign::env::Stopwatch;

use mutate::Mutator;
use targets::Check;

/// What one input may cost: seconds of processor time in a debug build.
const MOST: f64 = 1.0;

/// Seconds of processor time of this thread; wall time says little on a machine under load.
fn spent() -> f64 {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    figures.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect(variable))
}

/// The inputs in a target's folder, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.display().to_string(), std::fs::read(&path).unwrap())
    };
    let mut inputs: Vec<(String, Vec<u8>)> = entries.map(read).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// Gives a target one input, and returns whether it was accepted; a finding is reported with what is needed to repeat it.
fn give(check: &mut Check, target: &str, origin: &str, input: &[u8]) -> bool {
    let before = spent();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let seconds = spent() - before;
    if let (Ok(accepted), true) = (&outcome, seconds <= MOST) {
        return *accepted;
    }
    let path = std::env::temp_dir().join(format!("countersign-fuzz-{target}"));
    std::fs::write(&path, input).unwrap();
    let what = if outcome.is_err() { "an assertion failed".to_owned() } else { format!("it took {seconds:.1} s") };
    panic!(
        "{target}, {origin}: {what}. The input is in {} (add it to fuzz/corpus/{target}):\n{}",
        path.display(),
        input.escape_ascii()
    );
}

fn drive(target: &str) {
    let make = targets::TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
    let mut check = make();
    let corpus = corpus(target);
    for (file, input) in &corpus {
        let accepted = give(&mut check, target, file, input);
        assert!(
            accepted || !file.ends_with("-valid"),
            "{file} is meant to be accepted, and is the beginning of the others"
        );
    }
    let seeds: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let (seconds, seed) = (number("COUNTERSIGN_FUZZ_SECONDS", 3), number("COUNTERSIGN_FUZZ_SEED", 1));
    let mut mutator = Mutator::new(seed, &seeds);
    let watch = Stopwatch::start();
    let mut count = 0_u64;
    while watch.seconds() < f64::from(u32::try_from(seconds).unwrap()) {
        let input = mutator.next();
        give(&mut check, target, &format!("COUNTERSIGN_FUZZ_SEED={seed}, input {count}"), &input);
        count += 1;
    }
    assert!(count > 0);
}

macro_rules! driven {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            drive(stringify!($name));
        })*

        #[test]
        fn every_target_is_driven_and_is_one_of_cargo_fuzz() {
            let driven = [$(stringify!($name)),*];
            let known: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(driven.as_slice(), known.as_slice());
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
            let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
            for name in driven {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
                let file = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
                assert!(file.contains(&format!("check(\"{name}\"")), "{name}.rs");
            }
        }
    };
}

driven! {
    authorize,
    request_object,
    client_assertion,
    dpop,
    certificate_header,
    cookie,
    callback,
    logout_token,
    security_event,
    discovery,
    key_set,
    token_response,
    id_token,
    userinfo,
    graph,
    directory,
    github,
    expression,
    configuration,
    import_dex,
    import_keycloak,
}
