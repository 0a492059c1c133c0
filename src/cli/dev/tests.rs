#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use super::*;
use crate::config::load::Inputs;
use crate::config::load::files::Memory;
use crate::dev::idp::fault::Fault;
use crate::env::{Clock as _, SystemClock};
use crate::snapshot::generation::{Options, prepare};

fn dev(args: &DevArgs) -> (Exit, String) {
    let mut out = Vec::new();
    let exit = run(args, &BTreeMap::new(), &mut out).unwrap();
    (exit, String::from_utf8(out).unwrap())
}

fn args(once: &str) -> DevArgs {
    let once = Some(once.to_owned());
    DevArgs { file: None, config: None, overlay: Vec::new(), print: false, once, client: None }
}

/// The line of the built-in file that begins so.
fn line(of: &str, after: &str) -> usize {
    let mut lines = BUILT_IN.lines().enumerate().skip_while(|(_, line)| *line != after);
    lines.find(|(_, line)| line.starts_with(of)).unwrap().0 + 1
}

#[test]
fn who_is_let_in_sees_why_first_and_then_the_tokens() {
    let (exit, text) = dev(&args("alice"));
    assert_eq!(exit, Exit::Fine, "{text}");
    let (why, tokens) = text.split_once("ID token\n").unwrap();
    assert!(why.starts_with("alice may use demo, through corp:\n"), "{why}");
    let rule = format!("role admin: by rule  [broker.toml:{}]", line("[[role_rules]]", "[policy]"));
    for part in [&*rule, "'sre' in groups && provider == 'corp'", "groups = [\"sre\",", "= \"alice\"\n"] {
        assert!(why.contains(part), "{part}\n{why}");
    }
    assert!(tokens.contains("\"demo_role\": \"Admin\"") && tokens.contains("Userinfo"), "{tokens}");
}

#[test]
fn who_is_refused_sees_the_condition_its_line_and_the_value_and_nothing_else_is_printed() {
    let (exit, text) = dev(&args("mallory"));
    assert_eq!(exit, Exit::Problem, "{text}");
    assert!(text.starts_with("refused: not_allowed\n"), "{text}");
    let place = format!("[broker.toml:{}]", line("allow =", "[providers.corp]"));
    let condition = "claims.email.domain() in ['corp.example', 'contractors.example']";
    for part in [&*place, condition, "claims.email = \"mallory@elsewhere.example\""] {
        assert_eq!(text.matches(part).count(), 1, "{part}\n{text}");
    }
    assert!(!text.contains("ID token"), "{text}");
}

#[test]
fn a_simulated_keycloak_has_its_roles_in_the_access_token_as_the_real_one() {
    let (exit, text) = dev(&args("layla"));
    assert_eq!(exit, Exit::Fine, "{text}");
    assert!(text.contains("role viewer: asserted by the provider"), "{text}");
}

#[test]
fn nobody_is_a_mistake_that_names_the_people() {
    let (exit, text) = dev(&args("nobody"));
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("alice, bob, xiaoming, layla, mallory"), "{text}");
    let (exit, text) = dev(&DevArgs { client: Some("nothing".to_owned()), ..args("alice") });
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("demo, rust-app"), "{text}");
}

#[test]
fn the_built_in_file_is_printed_and_passes_a_strict_check() {
    let (exit, text) = dev(&DevArgs { print: true, once: None, ..args("") });
    assert_eq!((exit, &*text), (Exit::Fine, BUILT_IN));
    let inputs = Inputs { main: "broker.toml".into(), ..Inputs::default() };
    let options = Options { number: 1, without_secrets: true, now: SystemClock.now() };
    let prepared = prepare(&inputs, &Memory::of([("broker.toml", BUILT_IN)]), options).unwrap();
    assert_eq!(prepared.problems.render(&prepared.layers, false), "");
}

const OWN: &str = r#"
issuer = "https://sso.example.com/base"
[server]
listen = ["0.0.0.0:443"]
tls = { cert = "missing.pem", key = "missing.key" }
[endpoints]
token = "/t"
[providers.corp]
issuer = "https://id.corp.example"
backchannel_url = "http://10.0.0.1/corp"
allow_http = true
ca = "missing-ca.pem"
client_id = "c"
client_key = { file = "missing.key" }
domains = ["corp.example"]
claims = { username = "claims.preferred_username.before('@')" }
[clients.wiki]
client_id = "wiki:1%"
client_secret = { file = "missing" }
redirect_uris = ["https://wiki.example.com/cb"]
require = "'wiki' in groups"
pkce = "required"
dpop_bound_access_tokens = true
[[tests]]
name = "the right group enters"
provider = "corp"
client = "wiki"
claims = { sub = "1", preferred_username = "eve@corp.example", groups = ["wiki"] }
expect = { username = "eve" }
[[tests]]
name = "another group does not"
provider = "corp"
client = "wiki"
claims = { sub = "2", preferred_username = "dan@corp.example", groups = ["wikis"] }
expect = { refused = "client_requirement_not_met" }
"#;

#[test]
fn a_file_runs_without_its_secrets_keys_and_addresses_and_decides_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    std::fs::write(&file, OWN).unwrap();
    let own = |once: &str| DevArgs { config: Some(file.clone()), ..args(once) };
    let (exit, text) = dev(&own("eve"));
    assert_eq!(exit, Exit::Fine, "{text}");
    assert!(text.contains("require holds") && text.contains("'wiki' in groups"), "{text}");
    let (exit, text) = dev(&own("dan"));
    assert_eq!(exit, Exit::Problem, "{text}");
    assert!(text.starts_with("refused: client_requirement_not_met\n"), "{text}");
    assert!(text.contains("groups = [\"wikis\"]"), "{text}");
    std::fs::write(&file, OWN.replace("'wiki' in groups", "'wiki' in grups")).unwrap();
    let (exit, text) = dev(&own("eve"));
    assert_eq!(exit, Exit::Problem);
    assert!(text.contains("grups") && text.contains("broker.toml:"), "{text}");
    let (exit, text) = dev(&DevArgs { config: Some(folder.path().join("none.toml")), ..args("eve") });
    assert_eq!(exit, Exit::CouldNotRun);
    assert!(text.contains("none.toml can't be read"), "{text}");
}

#[test]
fn every_example_of_a_provider_runs_with_a_simulated_one_and_its_tests_people_sign_in() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/upstreams");
    let mut tried = 0;
    let others = ["github", "linkedin", "apple", "oauth2"];
    for name in ["generic", "keycloak", "okta", "auth0", "authentik", "adfs", "pingfederate"].into_iter().chain(others)
    {
        let config = Some(folder.join(format!("{name}.toml")));
        let (exit, text) = dev(&DevArgs { config: config.clone(), ..args("nobody") });
        assert_eq!(exit, Exit::Usage, "{name}: {text}");
        let people = text.trim().split_once("the people are ").unwrap().1;
        let first = people.split(", ").next().unwrap();
        let (exit, text) = dev(&DevArgs { config, ..args(first) });
        assert_eq!(exit, Exit::Fine, "{name}: {text}");
        tried += 1;
    }
    assert_eq!(tried, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_breaking_a_provider_is_told_apart() {
    let Ok(world) = start(None, false).await else { panic!("dev does not start") };
    // The discovery document is known from here on.
    assert!(matches!(once(&world, "alice", None, &mut Vec::new()).await, Ok(Exit::Fine)));
    let mut told = Vec::new();
    for fault in Fault::ALL {
        world.demo.faults.set("corp", fault.name());
        let mut out = Vec::new();
        let Ok(exit) = once(&world, "alice", None, &mut out).await else { panic!("{} ends in an error", fault.name()) };
        let text = String::from_utf8(out).unwrap();
        assert_eq!(exit, Exit::Problem, "{}: {text}", fault.name());
        let (reason, failure) = text.split_once("  provider ").unwrap();
        let reason = reason.lines().next().unwrap().trim_start_matches("refused: ").to_owned();
        assert!(!told.iter().any(|(_, before)| before == failure), "{text}");
        told.push((reason, failure.to_owned()));
    }
    let reasons: Vec<&str> = told.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, [&["provider_unavailable", "provider_error"][..], &["token_invalid"; 4]].concat());
    world.demo.faults.set("corp", "");
    assert!(matches!(once(&world, "alice", None, &mut Vec::new()).await, Ok(Exit::Fine)));
}

#[test]
fn what_a_provider_sends_and_the_file_does_not_map_comes_with_the_lines_to_paste() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let text = |claims: &str, expect: &str| {
        format!(
            "issuer = \"https://sso.example.com\"\n[providers.corp]\nissuer = \"https://idp.example\"\nclient_id = \"c\"\n\
             client_secret = \"0123456789abcdef0123456789abcdef\"\nasserted_roles = []\n{claims}\n[clients.app]\n\
             client_secret = \"0123456789abcdef0123456789abcdef\"\nredirect_uris = [\"https://app.example/cb\"]\n[[tests]]\n\
             name = \"dora\"\nprovider = \"corp\"\nclient = \"app\"\n\
             claims = {{ sub = \"dora\", mail = \"dora@corp.example\", \"https://corp.example/groups\" = [\"sre\"] }}\n\
             expect = {{ {expect} }}\n"
        )
    };
    let once = |person: &str| dev(&DevArgs { config: Some(file.clone()), ..args(person) });
    std::fs::write(&file, text("", "refused = \"username_missing\"")).unwrap();
    let (_, people) = once("nobody-of-this-name");
    let dora = people.trim().rsplit(' ').next().unwrap();
    let (exit, told) = once(dora);
    assert_eq!(exit, Exit::Problem, "{told}");
    let lines = "[providers.corp.claims]\nusername = \"claims.mail\"";
    assert!(told.starts_with("refused: username_missing") && told.contains(lines), "{told}");
    let groups = "groups = \"claims['https://corp.example/groups']\"";
    assert!(told.contains(groups), "{told}");
    std::fs::write(
        &file,
        text(
            &format!("[providers.corp.claims]\nusername = \"claims.mail\"\nemail = \"claims.mail\"\n{groups}"),
            "username = \"dora@corp.example\"",
        ),
    )
    .unwrap();
    let (exit, told) = once(dora);
    assert_eq!(exit, Exit::Fine, "{told}");
    assert!(!told.contains("Lines for the file") && told.contains("\"sre\""), "{told}");
}
