#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::cli::plan::tests::folder;
use crate::config::load::files::Disk;

#[test]
fn a_copy_ends_with_a_table_and_the_next_step() {
    let folder = folder();
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let source = ConfigArgs { config: folder.path().join("broker.toml"), overlay: Vec::new() };
    let copy = CopyArgs { from: url("broker.db"), to: url("new/broker.db"), source, json: false };
    let args = StoreArgs { command: StoreCommand::Copy(copy) };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&args, &Environment::new(), &Disk, &mut out, &mut err).unwrap();
    let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
    assert_eq!(exit, Exit::Fine, "{err}");
    let users: Vec<&str> = out.lines().find(|line| line.starts_with("users ")).unwrap().split_whitespace().collect();
    assert!(matches!(*users, ["users", "2", "2", a, b, "equal"] if a == b && a.len() == 16), "{out}");
    let lines: Vec<&str> = err.lines().collect();
    assert!(lines.contains(&"users: 2 of 2 rows") && lines.contains(&"comparing"), "{err}");
    let last = lines.last().unwrap();
    assert!(last.contains("Set store.url to it") && last.contains("new/broker.db.key"), "{last}");

    // The copy is not empty any more, and the file is needed.
    let mut err = Vec::new();
    assert_eq!(run(&args, &Environment::new(), &Disk, &mut Vec::new(), &mut err).unwrap(), Exit::CouldNotRun);
    assert!(String::from_utf8(err).unwrap().contains("is not empty"));
    let StoreCommand::Copy(mut copy) = args.command;
    copy.source.config = folder.path().join("none.toml");
    let args = StoreArgs { command: StoreCommand::Copy(copy) };
    let mut err = Vec::new();
    assert_eq!(run(&args, &Environment::new(), &Disk, &mut Vec::new(), &mut err).unwrap(), Exit::CouldNotRun);
    assert!(String::from_utf8(err).unwrap().contains("none.toml"));
}
