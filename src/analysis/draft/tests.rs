#![expect(clippy::unwrap_used, reason = "tests")]

mod presets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::difference::{Difference, Sides};
use super::*;
use crate::config::check::check;
use crate::config::load::files::{Files as _, Memory, Replaced};
use crate::config::load::{Inputs, load};

const MAIN: &str = r#"issuer = "https://sso.example.com"
include = ["teams/*.toml"]

# The staff directory.
[providers.corp]
issuer = "https://id.corp.example" # the realm
client_id = "countersign"
client_secret = { file = "/run/secrets/corp" }
scopes = ["openid", "email"]

[roles.admin]
permissions = ["users:write"]
"#;
const TEAM: &str = r#"# Team red
[clients.red]
redirect_uris = ["https://red.example/cb"]
client_secret = { file = "red.secret" }
providers = ["corp"]
"#;

/// A configuration in memory.
struct World {
    inputs: Inputs,
    files: Memory,
}

impl World {
    fn of(files: &[(&str, &str)], overlays: &[&str], environment: &[(&str, &str)]) -> Self {
        let inputs = Inputs {
            main: PathBuf::from("etc/broker.toml"),
            overlays: overlays.iter().map(PathBuf::from).collect(),
            environment: environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        };
        Self { inputs, files: Memory::of(files.iter().copied()) }
    }

    fn usual() -> Self {
        Self::of(&[("etc/broker.toml", MAIN), ("etc/teams/red.toml", TEAM)], &[], &[])
    }

    fn loaded(&self) -> crate::config::load::Loaded {
        load(&self.inputs, &self.files).unwrap()
    }

    fn change(&self, draft: &Draft) -> Result<Changed, Refused> {
        draft.change(&self.loaded().layers, &self.inputs.main)
    }

    /// The changed file, its difference, and what `check` then says.
    fn drafted(&self, draft: &Draft) -> (Changed, Difference, Vec<String>) {
        let old = self.loaded();
        let changed = draft.change(&old.layers, &self.inputs.main).unwrap();
        let mark = self.files.read(&changed.file).unwrap().starts_with("\u{feff}".as_bytes());
        let files = Replaced { files: &self.files, path: changed.file.clone(), content: changed.content(mark) };
        let new = load(&self.inputs, &files).unwrap();
        let sides = Sides { old: &old.layers, new: &new.layers, mark };
        let difference = Difference::of(&changed, sides, &self.inputs.main);
        let mut problems = check(&new, &mut |_, _, _| Vec::new()).problems;
        problems.append(new.problems.clone());
        let problems = problems.iter().map(|problem| format!("{problem}")).collect();
        (changed, difference, problems)
    }
}

/// The form as it is shown, with some fields typed over.
fn posted(world: &World, kind: Kind, id: &str, typed: &[(&str, &str)]) -> Draft {
    let form = Form::of(&world.loaded().layers, kind, id).unwrap();
    let mut posted: Posted =
        form.fields.iter().map(|field| (field.field.key.to_owned(), field.value.clone())).collect();
    posted.extend(typed.iter().map(|(key, value)| (key.to_string(), value.to_string())));
    Draft { kind, action: Action::Edit { id: id.to_owned() }, posted }
}

fn created(kind: Kind, typed: &[(&str, &str)]) -> Draft {
    let mut posted: Posted = BTreeMap::from([("enabled".to_owned(), "on".to_owned())]);
    posted.extend(typed.iter().map(|(key, value)| (key.to_string(), value.to_string())));
    for on in ["create_users", "logout"].iter().filter(|_| kind == Kind::Provider) {
        posted.entry((*on).to_owned()).or_insert_with(|| "on".to_owned());
    }
    Draft { kind, action: Action::Create { file: None }, posted }
}

fn deleted(kind: Kind, id: &str) -> Draft {
    Draft { kind, action: Action::Delete { id: id.to_owned() }, posted: Posted::new() }
}

#[test]
fn an_edit_is_a_patch_of_the_file_that_has_the_entry_and_nothing_else_moves() {
    let world = World::usual();
    let unchanged = posted(&world, Kind::Provider, "corp", &[]);
    let (changed, difference, _) = world.drafted(&unchanged);
    assert_eq!(changed.old, changed.new);
    assert_eq!(difference, Difference::default());

    let draft = posted(
        &world,
        Kind::Client,
        "red",
        &[("redirect_uris", " https://red.example/cb\r\n\r\nhttps://red.example/cb2 "), ("require", "'red' in groups")],
    );
    let (changed, difference, problems) = world.drafted(&draft);
    assert_eq!(changed.file, Path::new("etc/teams/red.toml"));
    let expected = "--- a/teams/red.toml\n+++ b/teams/red.toml\n@@ -1,5 +1,6 @@\n # Team red\n [clients.red]\n\
                    -redirect_uris = [\"https://red.example/cb\"]\n\
                    +redirect_uris = [\"https://red.example/cb\", \"https://red.example/cb2\"]\n \
                    client_secret = { file = \"red.secret\" }\n providers = [\"corp\"]\n+require = \"'red' in groups\"\n";
    assert_eq!(difference.patch.as_deref(), Some(expected));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn claims_come_and_go_one_by_one_and_flags_are_written_where_they_differ() {
    let world = World::usual();
    let draft = posted(
        &world,
        Kind::Provider,
        "corp",
        &[
            ("claims", "username = \"claims.upn\"\r\n'odd name' = [\"claims.a\", 'claims.b']"),
            ("create_users", ""),
            ("session.max_inactive", "30m"),
            ("client_secret", "/run/secrets/new"),
        ],
    );
    let (changed, _, problems) = world.drafted(&draft);
    let expected = MAIN
        .replace("/run/secrets/corp", "/run/secrets/new")
        .replace(
            "\"email\"]\n",
            "\"email\"]\ncreate_users = false\nsession.max_inactive = \"30m\"\n\n[providers.corp.claims]\n\"odd name\" = [\"claims.a\", \"claims.b\"]\nusername = \"claims.upn\"\n",
        );
    assert_eq!(changed.new, expected);
    assert_eq!(problems, [""; 0]);
    // And back, one claim less.
    let world = World::of(&[("etc/broker.toml", &expected), ("etc/teams/red.toml", TEAM)], &[], &[]);
    let form = Form::of(&world.loaded().layers, Kind::Provider, "corp").unwrap();
    assert_eq!(
        form.field("claims").unwrap().value,
        "\"odd name\" = [\"claims.a\", \"claims.b\"]\nusername = \"claims.upn\""
    );
    assert_eq!(form.field("create_users").unwrap().value, "");
    let draft =
        posted(&world, Kind::Provider, "corp", &[("claims", "username = 'claims.upn'"), ("create_users", "on")]);
    let (changed, _, _) = world.drafted(&draft);
    let expected = expected
        .replace("\"odd name\" = [\"claims.a\", \"claims.b\"]\n", "")
        .replace("create_users = false", "create_users = true");
    assert_eq!(changed.new, expected);
}

#[test]
fn a_new_entry_goes_to_the_file_that_has_its_kind() {
    let world = World::usual();
    let draft = created(
        Kind::Client,
        &[("id", "blue"), ("redirect_uris", "https://blue.example/cb"), ("client_secret", "/run/secrets/blue")],
    );
    let (changed, _, problems) = world.drafted(&draft);
    assert_eq!(changed.file, Path::new("etc/teams/red.toml"));
    let block = "\n[clients.blue]\nredirect_uris = [\"https://blue.example/cb\"]\nclient_secret = { file = \"/run/secrets/blue\" }\n";
    assert_eq!(changed.new, format!("{TEAM}{block}"));
    assert_eq!(problems, [""; 0]);

    let chosen = Draft { action: Action::Create { file: Some(PathBuf::from("etc/broker.toml")) }, ..draft };
    assert_eq!(world.change(&chosen).unwrap().file, Path::new("etc/broker.toml"));
    let stranger = Draft { action: Action::Create { file: Some(PathBuf::from("/etc/passwd")) }, ..chosen };
    assert_eq!(world.change(&stranger).unwrap().file, Path::new("etc/teams/red.toml"));

    let user = created(Kind::User, &[("id", "Zoë O'Hara"), ("links", "corp sub 4711\ncorp email z@corp.example")]);
    let (changed, _, problems) = world.drafted(&user);
    let links = "[{ provider = \"corp\", sub = \"4711\" }, { provider = \"corp\", email = \"z@corp.example\" }]";
    assert_eq!(changed.new, format!("{MAIN}\n[users.\"Zoë O'Hara\"]\nlinks = {links}\n"));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn deleting_what_others_refer_to_is_told_by_check() {
    let world = World::usual();
    let (changed, _, problems) = world.drafted(&deleted(Kind::Provider, "corp"));
    assert!(
        changed.new.starts_with("issuer = \"https://sso.example.com\"\ninclude = [\"teams/*.toml\"]\n\n[roles.admin]")
    );
    let told =
        |problem: &String| problem.starts_with("etc/teams/red.toml:5:14: error: ") && problem.contains("\"corp\"");
    assert!(problems.iter().any(told), "{problems:?}");
    // As is a rename.
    let draft = posted(&world, Kind::Provider, "corp", &[("id", "staff")]);
    let (changed, _, problems) = world.drafted(&draft);
    assert_eq!(changed.new, MAIN.replace("[providers.corp]", "[providers.staff]"));
    assert!(problems.iter().any(told), "{problems:?}");
}

#[test]
fn what_an_overlay_or_a_variable_sets_can_not_be_changed_in_the_file() {
    let overlay = "[providers.corp]\nname = \"Staging\"\nclaims.username = \"claims.x\"\n[roles.only_here]\n";
    let world = World::of(
        &[("etc/broker.toml", MAIN), ("etc/teams/red.toml", TEAM), ("env/staging.toml", overlay)],
        &["env/staging.toml"],
        &[("COUNTERSIGN__PROVIDERS__CORP__CLIENT_ID", "from-env")],
    );
    let form = Form::of(&world.loaded().layers, Kind::Provider, "corp").unwrap();
    let shown = |key: &str| {
        let field = form.field(key).unwrap();
        (field.value.clone(), field.locked.as_ref().map(typed::place))
    };
    assert_eq!(shown("name"), ("Staging".to_owned(), Some("env/staging.toml:2".to_owned())));
    let variable = "$COUNTERSIGN__PROVIDERS__CORP__CLIENT_ID";
    assert_eq!(shown("client_id"), ("from-env".to_owned(), Some(variable.to_owned())));
    assert_eq!(shown("issuer"), ("https://id.corp.example".to_owned(), None));
    let fault = |typed: &[(&str, &str)]| {
        let Err(Refused::Faults(faults)) = world.change(&posted(&world, Kind::Provider, "corp", typed)) else {
            return Vec::new();
        };
        faults.into_iter().map(|fault| (fault.key, fault.what)).collect::<Vec<_>>()
    };
    let locked = |key: &str, place: &str| (key.to_owned(), What::Locked(place.to_owned()));
    assert_eq!(
        fault(&[("name", "Other"), ("client_id", "x"), ("claims", "username = 'claims.y'"), ("id", "z")]),
        [
            locked("id", variable),
            locked("name", "env/staging.toml:2"),
            locked("client_id", variable),
            locked("claims", "env/staging.toml:3"),
        ]
    );
    assert_eq!(fault(&[("scopes", "openid")]), []);
    let only_above = Form::of(&world.loaded().layers, Kind::Role, "only_here").unwrap_err();
    assert_eq!(
        only_above.to_string(),
        "the entry is declared by env/staging.toml:4:1, which is not a file that a draft changes"
    );
    assert_eq!(Form::of(&world.loaded().layers, Kind::Role, "gone").unwrap_err(), NoForm::Unknown);
}

#[test]
fn what_is_typed_wrongly_is_told_at_its_field() {
    let world = World::usual();
    for (draft, key, what) in [
        (created(Kind::Provider, &[("id", "x"), ("issuer", "https://x.example")]), "client_id", What::Missing),
        (created(Kind::Role, &[("id", "admin")]), "id", What::Taken),
        (created(Kind::User, &[("id", "x"), ("links", "corp 4711")]), "links", What::Link("corp 4711".to_owned())),
        (posted(&world, Kind::Provider, "corp", &[("preset", "nope")]), "preset", What::Choice),
        (posted(&world, Kind::Provider, "corp", &[("name", "a\u{7}b")]), "name", What::Control),
        (posted(&world, Kind::Provider, "corp", &[("scopes", "openid\na\tb")]), "scopes", What::Control),
        (
            posted(&world, Kind::Provider, "corp", &[("claims", "a = \"b\"\nc = 5")]),
            "claims",
            What::Toml("2: c must be an expression in quotes, or a list of them".to_owned()),
        ),
    ] {
        let Err(Refused::Faults(faults)) = world.change(&draft) else { unreachable!("{draft:?}") };
        assert_eq!(faults, [Fault { key: key.to_owned(), what }]);
    }
    let misnamed = created(Kind::Client, &[("id", "Two Words")]);
    let Err(Refused::Faults(faults)) = world.change(&misnamed) else { unreachable!() };
    assert!(matches!(&faults[..], [Fault { what: What::Misnamed(expected), .. }] if expected.contains("a-z 0-9 _ -")));
    let broken = posted(&world, Kind::Provider, "corp", &[("claims", "a = \"b\nx = ")]);
    let Err(Refused::Faults(faults)) = world.change(&broken) else { unreachable!() };
    assert!(matches!(&faults[..], [Fault { what: What::Toml(text), .. }] if text.starts_with("1: ")), "{faults:?}");
}

#[test]
fn d40_no_secret_is_in_a_form_or_a_difference() {
    let main = "issuer = \"https://x.example\"\n[admin]\ntoken = \"canary-1\"\n[clients.a]\nclient_secret = \"canary-2\"\npkce = \"auto\" # postgres://u:canary-3@h/db\n[clients.b]\nclient_secret = { env = \"B\" }\n[clients.c]\nclient_secret = [{ file = \"x\" }, \"canary-4\"]\n";
    let world = World::of(&[("etc/broker.toml", main)], &[], &[]);
    for (id, held) in [("a", Held::Literal), ("b", Held::Env("B".to_owned())), ("c", Held::Several)] {
        let form = Form::of(&world.loaded().layers, Kind::Client, id).unwrap();
        assert!(!format!("{:?}", form.fields).contains("canary"));
        assert_eq!(form.field("client_secret").unwrap().held, Some(held));
        let (changed, _, _) = world.drafted(&posted(&world, Kind::Client, id, &[]));
        assert_eq!(changed.old, changed.new, "an empty field leaves the secret alone");
    }
    for draft in [
        posted(&world, Kind::Client, "a", &[("pkce", "required")]),
        posted(&world, Kind::Client, "a", &[("client_secret", "/run/a")]),
        deleted(Kind::Client, "c"),
    ] {
        let (changed, difference, _) = world.drafted(&draft);
        assert_ne!(changed.old, changed.new);
        assert!(!difference.text().contains("canary") && difference.text().contains("***"), "{}", difference.text());
        assert_eq!(difference.patch, None, "a patch would hold the secret");
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_stay() {
    let main = format!("\u{feff}{}", MAIN.replace('\n', "\r\n"));
    let world = World::of(&[("etc/broker.toml", &main), ("etc/teams/red.toml", TEAM)], &[], &[]);
    let draft = posted(&world, Kind::Role, "admin", &[("permissions", "users:write\nusers:read")]);
    let (changed, difference, _) = world.drafted(&draft);
    let expected = main.trim_start_matches('\u{feff}').replace("\"users:write\"]", "\"users:write\", \"users:read\"]");
    assert_eq!(changed.new, expected);
    let patch = difference.patch.unwrap();
    assert!(patch.contains("-permissions = [\"users:write\"]\r\n+permissions = [\"users:write\", \"users:read\"]\r\n"));
    let first = Draft { kind: Kind::Provider, action: Action::Create { file: None }, posted: Posted::new() };
    assert!(matches!(world.change(&first), Err(Refused::Faults(_))));
    let alone = World::of(&[("etc/broker.toml", "\u{feff}issuer = \"https://x.example\"")], &[], &[]);
    let (_, difference, _) = alone.drafted(&created(Kind::Role, &[("id", "r")]));
    let expected = "--- a/broker.toml\n+++ b/broker.toml\n@@ -1 +1,3 @@\n-\u{feff}issuer = \"https://x.example\"\n\\ No newline at end of file\n+\u{feff}issuer = \"https://x.example\"\n+\n+[roles.r]\n";
    assert_eq!(difference.patch.as_deref(), Some(expected));
}
