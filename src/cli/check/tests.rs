#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use super::*;
use crate::config::load::files::{Disk, Memory};

const SMALLEST: &str = "tests/fixtures/smallest.toml: no problems; checked 1 file, 2 providers, 1 app, 0 tests, without \
                        secrets\n";

#[test]
fn the_file_can_be_an_argument_and_is_not_named_twice() {
    let with = |file: &str, config: &str| CheckArgs { file: Some(PathBuf::from(file)), ..args(config) };
    assert_eq!(run_on(&with("tests/fixtures/smallest.toml", "broker.toml"), &Disk), (Exit::Fine, SMALLEST.to_owned()));
    let (exit, out) = run_on(&with("a.toml", "b.toml"), &Disk);
    assert_eq!(
        (exit, out.as_str()),
        (Exit::Usage, "error: two files are named, a.toml and --config b.toml: leave one of them out\n")
    );
}

fn args(config: &str) -> CheckArgs {
    CheckArgs {
        file: None,
        source: ConfigArgs { config: PathBuf::from(config), overlay: Vec::new() },
        origins: false,
        without_secrets: true,
        strict: false,
        format: Format::Human,
        json: false,
    }
}

fn run_on(args: &CheckArgs, files: &dyn Files) -> (Exit, String) {
    let mut out = Vec::new();
    let exit = run(args, &Environment::new(), files, 0, &mut out, false).unwrap();
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn the_reference_and_all_examples_pass() {
    let mut paths = vec![PathBuf::from("broker.toml")];
    for folder in ["examples/apps", "examples/upstreams", "examples/policies"] {
        paths.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    assert!(paths.len() >= 10, "{paths:?}");
    for path in paths {
        let strict = CheckArgs { strict: true, ..args(path.to_str().unwrap()) };
        let (exit, out) = run_on(&strict, &Disk);
        assert_eq!(exit, Exit::Fine, "{out}");
    }
}

/// The whole sample of the language's own page passes, with its tests; and the tests are run.
#[test]
fn the_language_s_own_samples_pass() {
    let strict = CheckArgs { strict: true, ..args("tests/fixtures/smallest.toml") };
    assert_eq!(run_on(&strict, &Disk), (Exit::Fine, SMALLEST.to_owned()));
    let (exit, out) = run_on(&args("tests/fixtures/everything.toml"), &Disk);
    assert_eq!(exit, Exit::Fine, "{out}");
    let sample = std::fs::read_to_string("tests/fixtures/everything.toml").unwrap();
    let alone = sample.replacen("templates = \"looks\"", "", 1);
    let wrong = alone.replacen("claims = { grafana_role = \"Admin\" }", "claims = { grafana_role = \"Viewer\" }", 1);
    assert!(wrong != alone && alone != sample);
    let (exit, out) = run_on(&args("broker.toml"), &Memory::of([("broker.toml", wrong.as_str())]));
    assert!(exit != Exit::Fine && out.contains("grafana_role"), "{out}");
}

#[test]
fn every_toml_block_of_the_readme_passes() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2, "the README shows configurations");
    for block in blocks {
        let strict = CheckArgs { strict: true, ..args("broker.toml") };
        let (exit, out) = run_on(&strict, &Memory::of([("broker.toml", block)]));
        assert_eq!(exit, Exit::Fine, "{out}");
    }
}

#[test]
fn claims_whose_expression_gives_another_type_are_refused() {
    let file = |provider: &str, client: &str| {
        format!(
            "issuer = \"https://sso.example.com\"\n[providers.corp]\nissuer = \"https://id.corp.example\"\n\
             client_id = \"c\"\nclient_secret = {{ env = \"C\" }}\n[providers.corp.claims]\n{provider}\n[clients.app]\n\
             client_secret = {{ env = \"C\" }}\nredirect_uris = [\"https://app.example/cb\"]\n[clients.app.claims]\n{client}\n"
        )
    };
    let checked = |text: &str| run_on(&args("broker.toml"), &Memory::of([("broker.toml", text)]));
    for (provider, client, expected) in [
        (
            "groups = \"size(claims.groups)\"",
            "",
            "this claim is a string or a list of strings, and the expression gives an int",
        ),
        ("email_verified = [\"claims.x\", \"'true'\"]", "", "this claim is a bool, and the expression gives a string"),
        ("username = \"['a', claims.b].join(1)\"", "", "join() is given an int where it takes a string"),
        ("shoe = \"true ? claims.size : ['x'].lower()\"", "", "lower() takes a string"),
        (
            "",
            "groups = \"size(roles)\"",
            "this claim is a string or a list of strings, and the expression gives an int",
        ),
        ("", "level = \"type(roles)\"", "this claim is a JSON value, and the expression gives a type"),
    ] {
        let (exit, out) = checked(&file(provider, client));
        assert_eq!((exit, out.contains(expected)), (Exit::Problem, true), "{expected}\n{out}");
    }
    let fine = [
        "groups = \"claims.teams.map(t, t.name).distinct()\"",
        "roles = \"claims.?roles.orValue('none')\"",
        "updated_at = \"int(claims.changed)\"",
        "birthdate = \"timestamp(claims.born)\"",
        "address = \"{'country': claims.c}\"",
        "nickname = \"null\"",
    ];
    let (exit, out) = checked(&file(&fine.join("\n"), "groups = \"roles\"\nlevel = \"size(groups)\""));
    assert_eq!(exit, Exit::Fine, "{out}");
}

const WARNS: &str = "issuer = \"https://x.example\"\n[providers.idp]\nissuer = \"https://idp.example\"\nclient_id = \"c\"\nclient_secret = \"canary\"\n";

#[test]
fn exit_codes_tell_problems_from_failures() {
    let files = Memory::of([("warns.toml", WARNS), ("wrong.toml", "issuer = 1\n"), ("o.toml", "issuer = \"ftp://x\"")]);
    assert_eq!(run_on(&args("warns.toml"), &files).0, Exit::Fine);
    assert_eq!(run_on(&CheckArgs { strict: true, ..args("warns.toml") }, &files).0, Exit::Problem);
    assert_eq!(run_on(&args("wrong.toml"), &files).0, Exit::Problem);
    let (exit, out) = run_on(&args("gone.toml"), &files);
    assert_eq!(exit, Exit::CouldNotRun);
    let folder = std::env::current_dir().unwrap();
    let said = format!("error: gone.toml can't be read: it does not exist in {}; ", folder.display());
    assert!(out.starts_with(&said), "{out}");
    for way_out in ["--config FILE", "`countersign init`", "`countersign dev`"] {
        assert!(out.contains(way_out), "{out}");
    }
    let mut overlaid = args("warns.toml");
    overlaid.source.overlay = vec![PathBuf::from("o.toml")];
    let (exit, out) = run_on(&overlaid, &files);
    assert_eq!(exit, Exit::Problem);
    assert!(out.contains("--> o.toml:1:10\n  |\n1 | issuer = \"ftp://x\"\n  |          ^^^^^^^^^"), "{out}");
}

#[test]
fn json_has_every_field_of_every_problem() {
    let files = Memory::of([("b.toml", "issuer = \"https://x.example\"\n[server]\ntrusted_proxies = 5\n")]);
    let (_, out) = run_on(&CheckArgs { format: Format::Json, ..args("b.toml") }, &files);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let problem = document.pointer("/problems/1").unwrap();
    let expected = json!({
        "severity": "error", "file": "b.toml", "line": 3, "column": 19, "path": "server.trusted_proxies",
        "message": "`trusted_proxies` must be an array of strings but is the integer 5",
        "found": "the integer 5", "expected": "an array of strings", "suggestion": null,
    });
    assert_eq!(problem, &expected);
}

#[test]
fn origins_name_the_place_of_each_value_and_hide_secrets() {
    let files = Memory::of([("b.toml", WARNS), ("o.toml", "[session]\nmax_inactive = \"10m\"")]);
    let mut with_origins = CheckArgs { origins: true, ..args("b.toml") };
    with_origins.source.overlay = vec![PathBuf::from("o.toml")];
    let environment = Environment::from([("COUNTERSIGN__ADMIN__LISTEN".to_owned(), "localhost:1".to_owned())]);
    let mut out = Vec::new();
    run(&with_origins, &environment, &files, 0, &mut out, false).unwrap();
    let out = String::from_utf8(out).unwrap();
    let row = |path: &str| {
        let line = out.lines().find(|line| line.starts_with(path)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("issuer"), ["issuer", "\"https://x.example\"", "b.toml:1:10"]);
    assert_eq!(row("session.max_inactive"), ["session.max_inactive", "\"10m\"", "o.toml:2:16"]);
    assert_eq!(row("session.max_lifetime"), ["session.max_lifetime", "\"12h\"", "default"]);
    assert_eq!(row("admin.listen"), ["admin.listen", "\"localhost:1\"", "$COUNTERSIGN__ADMIN__LISTEN"]);
    assert_eq!(row("providers.idp.client_secret"), ["providers.idp.client_secret", "***", "b.toml:5:17"]);
    assert!(!out.contains("canary"), "{out}");
}

/// The parts of the result that all output formats show.
fn shown(files: &Memory, environment: &Environment) -> String {
    let mut shown = String::new();
    for (format, origins) in [(Format::Human, false), (Format::Human, true), (Format::Json, true)] {
        let mut args = CheckArgs { format, origins, ..args("b.toml") };
        args.source.overlay = files.0.keys().filter(|path| !path.ends_with("b.toml")).cloned().collect();
        let mut out = Vec::new();
        let exit = run(&args, environment, files, 0, &mut out, false).unwrap();
        shown += &String::from_utf8(out).unwrap();
        assert_eq!(exit, Exit::Problem, "{shown}");
    }
    shown
}

#[test]
fn the_password_of_a_url_is_never_shown() {
    const HEAD: &str = "issuer = \"https://x.example\"\nbad = 1\n";
    for lines in [
        "[store]\nurl = \"postgres://u:canary@h/db\"",
        "store = { url = \"postgres://u:canary@h/db\", bad = 1 }",
        "[store]\nurl = \"postgres://u:can/ary@h/db\"",
        "[store]\nurl = \"postgres://u:can@ary@h/db\"",
        "[store]\nurl = 'postgres://u:can\"ary@h/db'",
        "[store]\nurl = \"postgres://u:can\\\"ary@h/db\"",
        "[store]\nurl = \"postgres://u:%63anary@h/db\"",
        "[store]\nurl = \"postgres://h/db?sslmode=require&password=canary\"",
        "[store]\nurl = \"postgres://h/db?sslpassword=canary\"",
        "[store]\nurl = \"postgres:u:canary@h\"",
        "[store]\nurl = \"host=h password=canary\"",
        "[store]\nurl = [\"postgres://u:canary@h/db\"]",
        "[store]\nulr = \"postgres://u:canary@h\"",
        "[store]\nulr = \"u:canary@h\"",
        "[stor]\nurl = \"postgres://u:canary@h\"",
        "stor = { url = \"postgres://u:canary@h\" }",
        "[store]\nurl = \"postgres://u:canary@h",
        "[store]\nurl = postgres://u:canary@h",
        "[store]\nurl = \"postgres://u:can\"ary@h\"",
        "[store]\nbad = 1 # postgres://u:canary@h/db",
        "[server]\nlisten = [\"https://u:canary@h\"]",
        "[providers.a]\nissuer = \"https://a.example\"\nclient_id = \"c\"\nproxy = \"http://u:canary@proxy:3128\"",
        "[providers.a]\nissuer = \"https://a.example\"\nclient_id = \"c\"\nproxy = \"u:canary@proxy:3128\"",
        "providers.a = { issuer = \"https://u:canary@a.example\", client_id = \"c\", bad = 1 }",
        "[clients.a]\nredirect_uris = [\"https://a.example\", \"https://u:canary@a.example\"]",
    ] {
        let shown = shown(&Memory::of([("b.toml", format!("{HEAD}{lines}\n").as_str())]), &Environment::new());
        for part in ["canary", "can/ary", "ary@", "can\"", "%63anary"] {
            assert!(!shown.contains(part), "{lines}\n{shown}");
        }
    }
}

#[test]
fn what_a_start_would_refuse_of_a_postgresql_url_is_reported_in_its_place() {
    const HEAD: &str =
        "issuer = \"https://x.example\"\nstore.encryption_keys = [\"0123456789abcdef0123456789abcdef\"]\n";
    for (url, said) in [
        ("postgres://u:canary@h/db?sslmode=verify", "`url` has sslmode=verify: it must be disable, prefer, require"),
        ("postgres://u:canary@h/db?sslmode=verify-ca", "`url` has sslmode=verify-ca without sslrootcert"),
        (
            "postgres://h/db?sslmode=verify-ca&sslrootcert=ca.pem",
            "`url` has sslrootcert=ca.pem: it must be the absolute",
        ),
        ("postgres://h/db?sslcert=/a.pem", "`url` has only one of sslcert and sslkey"),
        ("postgres://h/db?statement_timeout=0", "`url` has statement_timeout=0: it must be a positive number"),
        ("postgres://h/db?pool_max_conns=many", "`url` has pool_max_conns=many: it must be a positive number"),
        ("postgres://h/db?target_session_attrs=any", "`url` has target_session_attrs=any"),
        ("postgres://u:canary@h/db?channel_binding=require", "`url` has channel_binding=require"),
        ("postgres:///db", "`url` names no host"),
        ("postgres://h/db?sslpassword=canary", "`url` can't be read: invalid connection string: unknown option"),
        ("postgres://u:canary@h:port/db", "`url` can't be read: invalid connection string: invalid value for option"),
        ("postgres://u:can?ary@h/db", "`url` can't be read: a \"?\" in its password must be written as %3F"),
    ] {
        let files = Memory::of([("b.toml", format!("{HEAD}store.url = \"{url}\"\n").as_str())]);
        let shown = shown(&files, &Environment::new());
        assert!(shown.contains(said) && shown.contains("b.toml:3:"), "{url}\n{shown}");
        for part in ["canary", "ary@"] {
            assert!(!shown.contains(part), "{url}\n{shown}");
        }
    }
    // The files that it names may be on another machine.
    let url = "postgres://h/db?sslmode=verify-full&sslcert=/no/a.pem&sslkey=/no/a.key&passfile=/no/pgpass";
    let text = format!("{HEAD}store.url = \"{url}\"\n");
    let mut out = Vec::new();
    run(&args("b.toml"), &Environment::new(), &Memory::of([("b.toml", text.as_str())]), 0, &mut out, false).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("`url`"), "{out}");
}

#[test]
fn a_password_in_an_overlay_or_a_variable_is_not_shown_nor_one_that_another_layer_replaces() {
    const HEAD: &str = "issuer = \"https://x.example\"\nstore = { url = \"postgres://u:canary@h\", bad = 1 }\n";
    let main = "issuer = \"https://x.example\"\nclients.a = { client_secret = \"canary\", bad = 1 }\n";
    let overlay = "store = { url = \"postgres://u:canary@g\", bad = 1 }\nclients.a.client_secret = \"canary\"\n";
    for (name, value) in [
        ("COUNTERSIGN__STORE__URL", "postgres://u:canary@e"),
        ("COUNTERSIGN__STORE__URL", "u:canary@e"),
        ("COUNTERSIGN__STORE__ULR", "postgres://u:canary@e"),
        ("COUNTERSIGN__STORE__URL", "\"postgres://u:canary@e"),
        ("COUNTERSIGN__STORE__ENCRYPTION_KEYS", "[\"canary"),
        ("COUNTERSIGN__STORE__", "postgres://u:canary@e"),
    ] {
        for main in [HEAD, main] {
            let environment = Environment::from([(name.to_owned(), value.to_owned())]);
            let shown = shown(&Memory::of([("b.toml", main), ("o.toml", overlay)]), &environment);
            assert!(!shown.contains("canary"), "{name}={value}\n{shown}");
        }
    }
}

#[test]
fn an_expression_is_shown_where_it_goes_wrong() {
    let text = format!(
        "{}allow = \"claims.grops.exists(g, g == 'x') && usr.a\"\n",
        WARNS.replace("\"canary\"", "{ env = \"S\" }")
    );
    let (exit, out) = run_on(&args("b.toml"), &Memory::of([("b.toml", text.as_str())]));
    assert_eq!(exit, Exit::Problem);
    assert!(out.contains("--> b.toml:6:46") && out.contains("^^^"), "{out}");
}

#[test]
fn origins_show_every_default_and_no_key_that_is_not_built() {
    let file = "issuer = \"https://sso.example.com\"\n[providers.corp]\nissuer = \"https://id.example\"\nclient_id = \"c\"\n\
                client_secret = { file = \"s\" }\n[clients.\"app\"]\nclient_secret_hashes = [\"sha256:\
                9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]\n\
                redirect_uris = [\"https://app.example/cb\"]\nscopes = [\"openid\"]\n";
    let args = CheckArgs { origins: true, json: true, ..args("b.toml") };
    let (exit, out) = run_on(&args, &Memory::of([("b.toml", file)]));
    assert_eq!(exit, Exit::Fine, "{out}");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let rows = document["origins"].as_array().unwrap();
    let of = |path: &str| {
        let mut rows = rows.iter().filter(|row| row["path"] == path);
        let row = rows.next().unwrap_or_else(|| panic!("{path} is missing: {out}"));
        assert!(rows.next().is_none(), "{path} is there twice");
        (row["value"].as_str().unwrap(), row["origin"].as_str().unwrap())
    };
    assert_eq!(of("clients.app.scopes"), ("[\"openid\"]", "b.toml:9:10"));
    for (path, value) in [
        ("clients.app.client_name", "\"app\""),
        ("clients.app.grant_types", "[\"authorization_code\", \"refresh_token\"]"),
        ("clients.app.token_endpoint_auth_method", "\"client_secret_basic\""),
        ("clients.app.tokens.access_token", "\"1h\""),
        ("providers.corp.scopes", "[\"openid\", \"profile\", \"email\"]"),
        ("providers.corp.redirect_uri", "\"https://sso.example.com/callback/corp\""),
        ("providers.corp.session.max_lifetime", "\"12h\""),
        ("limits.per_address.rate", "\"50/s\""),
        ("tokens.id_token", "\"1h\""),
    ] {
        assert_eq!(of(path), (value, "default"), "{path}");
    }
    let refused = rows.iter().filter(|row| crate::config::check::is_refused(row["path"].as_str().unwrap()));
    assert_eq!(refused.count(), 0, "{out}");
}

#[test]
fn a_secret_in_the_environment_is_not_in_the_file() {
    let text = "issuer = \"https://x.example\"\n[clients.app]\nclient_secret = \"in-the-file\"\ngrant_types = []\n";
    let files = Memory::of([("b.toml", text)]);
    let warned = |environment: &Environment| {
        let mut out = Vec::new();
        run(&args("b.toml"), environment, &files, 0, &mut out, false).unwrap();
        String::from_utf8(out).unwrap().contains("is written into the file")
    };
    assert!(warned(&Environment::new()));
    let variable = ("COUNTERSIGN__CLIENTS__APP__CLIENT_SECRET".to_owned(), "elsewhere".to_owned());
    assert!(!warned(&Environment::from([variable])));
}
