//! Tests of `providers`.
#![expect(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

mod mistakes;

use super::*;
use crate::config::load::files::Memory;
use crate::env::ManualClock;
use crate::support::provider::Idp;

const FILE: &str = r#"issuer = "https://sso.example.com"
[providers.corp]
name = "Staff"
issuer = "https://idp.example"
client_id = "broker"
client_secret = { env = "SECRET" }
backchannel_url = "https://10.1.2.3"
create_users = false
"#;

#[test]
fn a_provider_is_shown_with_its_preset_s_quirks_and_where_each_is_from() {
    let file =
        FILE.replace("name = \"Staff\"", "name = \"Staff\"\npreset = \"entra\"\nquirks = { booleans = [\"flag\"] }");
    let files = Memory::of([("b.toml", file.as_str())]);
    let shown = |json| {
        let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: Vec::new() };
        let args = ProvidersArgs { command: ProvidersCommand::Show { id: "corp".to_owned() }, source, json };
        let mut out = Vec::new();
        run(&args, &Environment::new(), &files, idp() as _, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = shown(false);
    for line in [
        "preset        entra",
        "scopes        openid profile email User.Read",
        "quirk         subject_claims = [\"oid\",\"tid\"], by entra",
        "quirk         booleans = [\"flag\"], by the file",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let document: Value = serde_json::from_str(&shown(true)).unwrap();
    assert_eq!(document.pointer("/quirks/tenant_issuer"), Some(&json!(true)));
    assert_eq!(document.pointer("/preset"), Some(&json!("entra")));
}

fn ran(command: ProvidersCommand, json: bool, idp: &Arc<Idp>) -> (Exit, String) {
    ran_with(FILE, &[], command, json, idp)
}

fn ran_with(
    file: &str,
    more: &[(&str, &str)],
    command: ProvidersCommand,
    json: bool,
    idp: &Arc<Idp>,
) -> (Exit, String) {
    let files = Memory::of([("b.toml", file)].into_iter().chain(more.iter().copied()));
    let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: Vec::new() };
    let environment = Environment::from([("SECRET".to_owned(), "canary-secret-0123456789".to_owned())]);
    let args = ProvidersArgs { command, source, json };
    let mut out = Vec::new();
    let exit = run(&args, &environment, &files, Arc::clone(idp) as _, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("canary"), "{out}");
    (exit, out)
}

fn idp() -> Arc<Idp> {
    Arc::new(Idp::new("https://idp.example", ManualClock::at(0)))
}

#[test]
fn lists_have_the_addresses_and_the_two_flags_and_never_the_secret() {
    let (exit, out) = ran(ProvidersCommand::List, false, &idp());
    assert_eq!(exit, Exit::Fine);
    let cells: Vec<&str> = out.lines().nth(1).unwrap().split("  ").filter(|cell| !cell.is_empty()).collect();
    let cells: Vec<&str> = cells.into_iter().map(str::trim).collect();
    let expected = [
        "corp",
        "Staff",
        "yes",
        "broker",
        "https://idp.example",
        "https://10.1.2.3",
        "https://sso.example.com/callback/corp",
        "no",
        "no",
    ];
    assert_eq!(cells, expected);
    let (_, out) = ran(ProvidersCommand::List, true, &idp());
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document.pointer("/providers/0/create_users"), Some(&json!(false)));
    let (_, out) = ran(ProvidersCommand::Show { id: "corp".to_owned() }, false, &idp());
    assert!(
        out.contains("client_secret") && out.contains("{ env = \"SECRET\" }") && out.contains("b.toml:6:"),
        "{out}"
    );
    let (exit, out) = ran(ProvidersCommand::Show { id: "cop".to_owned() }, false, &idp());
    assert_eq!((exit, out.as_str()), (Exit::Problem, "error: there is no provider cop; the file declares corp\n"));
}

#[test]
fn a_probe_exits_with_1_when_sign_ins_would_fail() {
    let probe = |without_secrets| probing(without_secrets, None);
    let idp = idp();
    let (exit, out) = ran(probe(false), false, &idp);
    assert_eq!(exit, Exit::Problem, "the provider knows another secret: {out}");
    assert!(out.contains("refuses our credentials") && out.ends_with("corp: sign-ins would fail\n"), "{out}");
    let ours = STANDARD.encode("broker:canary-secret-0123456789");
    idp.authenticate(move |call| call.authorization == Some(format!("Basic {ours}")));
    let (exit, out) = ran(probe(false), true, &idp);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, document.pointer("/trouble")), (Exit::Fine, Some(&json!(false))), "{out}");
    let calls = idp.count("token");
    let (exit, out) = ran(probe(true), false, &idp);
    assert!(exit == Exit::Fine && out.contains("skipped"), "{out}");
    assert_eq!(idp.count("token"), calls);
}

fn probing(without_secrets: bool, claims: Option<&str>) -> ProvidersCommand {
    let claims = claims.map(PathBuf::from);
    ProvidersCommand::Probe { id: "corp".to_owned(), without_secrets, person: None, claims, access_token: None }
}

#[test]
fn lines_are_proposed_by_what_the_provider_says_or_sends_and_pass_check_as_an_overlay() {
    let idp = idp();
    idp.edit_discovery(|document| {
        document.insert("claims_supported".to_owned(), json!(["sub", "email", "email_verified", "cognito:groups"]));
        document.insert("scopes_supported".to_owned(), json!(["openid", "profile", "email", "groups"]));
    });
    let (_, out) = ran(probing(true, None), false, &idp);
    for line in [
        "scopes = [\"openid\", \"profile\", \"email\", \"groups\"]",
        "username = \"claims.email\"",
        "groups = \"claims['cognito:groups']\"",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let sent = r#"{ "sub": "1", "mail": "dora@corp.example", "email_verified": "true", "realm_access": { "roles": ["viewer"] },
        "https://corp.example/groups": [{ "id": "g1", "name": "sre" }], "department": "Platform" }"#;
    let (_, out) = ran_with(FILE, &[("sent.json", sent)], probing(true, Some("sent.json")), true, &idp);
    let document: Value = serde_json::from_str(&out).unwrap();
    let toml = document.pointer("/proposal").and_then(Value::as_str).unwrap();
    let expected = "[providers.corp]\nscopes = [\"openid\", \"profile\", \"email\", \"groups\"]";
    assert!(!toml.contains(expected), "the groups come without the scope: {toml}");
    for line in [
        "username = \"claims.mail\"",
        "email = \"claims.mail\"",
        "groups = \"claims['https://corp.example/groups'].map(g, g.name)\"",
        "roles = \"claims.realm_access.roles\"",
        "booleans = [\"email_verified\"]",
    ] {
        assert!(toml.contains(line), "{line}: {toml}");
    }
    let sent_names: Vec<&str> =
        document.pointer("/sent").unwrap().as_object().unwrap().keys().map(String::as_str).collect();
    assert!(sent_names.contains(&"department"), "{sent_names:?}");
    assert!(!out.contains("Platform") && !out.contains("dora@"), "values are not shown: {out}");
    let files = Memory::of([("b.toml", FILE), ("proposal.toml", toml)]);
    let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: vec![PathBuf::from("proposal.toml")] };
    let args = ProvidersArgs { command: ProvidersCommand::List, source, json: false };
    let mut out = Vec::new();
    let exit = run(&args, &Environment::new(), &files, Arc::clone(&idp) as _, &mut out).unwrap();
    assert_eq!(exit, Exit::Fine, "{}", String::from_utf8_lossy(&out));
    // A JWT, and what is neither.
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwidXBuIjoiZG9yYUBjb3JwIn0.";
    let (_, out) = ran_with(FILE, &[("jwt", jwt)], probing(true, Some("jwt")), false, &idp);
    assert!(out.contains("username = \"claims.upn\""), "{out}");
    for (text, part) in [("[1]", "neither a JSON object nor a JWT"), ("a.b.c", "neither a JSON object nor a JWT")] {
        let (exit, out) = ran_with(FILE, &[("odd", text)], probing(true, Some("odd")), false, &idp);
        assert!(exit == Exit::Problem && out.contains(part), "{out}");
    }
    let (exit, out) = ran(probing(true, Some("none.json")), false, &idp);
    assert!(exit == Exit::CouldNotRun && out.contains("none.json"), "{out}");
    assert_eq!(idp.count("token"), 0);
}

#[test]
fn a_token_of_a_person_is_read_from_a_file_and_never_shown() {
    let file = FILE.replace("create_users", "groups_from = { source = \"gitlab\", url = \"https://git.example/api/v4\" }\nscopes = [\"openid\", \"read_api\"]\ncreate_users");
    let probe = |token: &str| {
        let access_token = Some(PathBuf::from("token"));
        let id = "corp".to_owned();
        let command = ProvidersCommand::Probe { id, without_secrets: true, person: None, claims: None, access_token };
        let idp = idp();
        idp.json("/api/v4/groups", json!([{ "full_path": "corp/platform" }]));
        ran_with(&file, &[("token", token)], command, false, &idp)
    };
    let (exit, out) = probe("canary-token\n");
    assert!(exit == Exit::Fine && out.contains("groups     it answers: 1 in claims.groups"), "{out}");
    for wrong in ["", "\n", "two words", "{\"access_token\": \"canary\"}"] {
        let (exit, out) = probe(wrong);
        assert!(exit == Exit::Problem && out.contains("token has no access token"), "{wrong:?}: {out}");
    }
}
