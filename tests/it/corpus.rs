//! What providers really send, replayed: each document in `tests/fixtures/idps/` is signed in with, and what an app then gets
//! is compared with the outcome beside it. `COUNTERSIGN_UPDATE=1` writes the outcomes anew, for their difference to be read.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::harness::recorded::Recorded;
use crate::harness::{Authorize, BASE, Browser, TestApp};

/// Claims of the broker's own ID token that say nothing of what was mapped.
const OWN: [&str; 11] = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "jti", "azp"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/idps")
}

/// The names of all documents.
fn documents() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = files.filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".expected")).collect();
    names.sort_unstable();
    names
}

fn read(name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The configuration for a document.
fn config(document: &Value) -> String {
    let apps = BASE.split_once("[clients.app]").unwrap().1;
    let text = |name: &str| document[name].as_str().unwrap_or_default();
    let (own, tables) = text("provider").split_once("\n[").unwrap_or((text("provider"), ""));
    let tables = if tables.is_empty() { String::new() } else { format!("[{tables}") };
    let credentials = if document["client_key"] == true {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        format!("client_key = \"\"\"\n{key}\"\"\"")
    } else {
        "client_secret = \"the-brokers-secret-at-the-provider\"".to_owned()
    };
    format!(
        "issuer = \"https://sso.example.com\"\nstore.url = \"sqlite::memory:\"\n[providers.idp]\n{own}\nclient_id = \"{}\"\n\
         {credentials}\n{tables}\n[roles.auditor]\n[roles.viewer]\n[clients.app.claims]\n{}\n[clients.app]{apps}",
        text("client_id"),
        text("app_claims"),
    )
}

/// The account and the claims that a sign-in with a document leads to, and the calls that it takes.
async fn outcome(document: &Value) -> Value {
    let app = TestApp::from(&config(document)).await;
    let provider = Recorded::at(&app, document);
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid profile email groups roles");
    let leaving = browser.open(&app, &request.url(&app)).await;
    let back = provider.sign_in(&app, &mut browser, &leaving).await;
    let claims: Map<String, Value> = app.tokens("app", &back).await.claims();
    let claims: Map<String, Value> = claims.into_iter().filter(|(name, _)| !OWN.contains(&name.as_str())).collect();
    let people = app.broker.store.people(None, 10).await.unwrap();
    let link = &people[0].links[0];
    let scope = url::Url::parse(&leaving.location()).unwrap();
    let scope = scope.query_pairs().find(|(name, _)| name == "scope").map(|(_, value)| value.into_owned());
    json!({
        "account": { "issuer": link.key.issuer, "subject": link.key.subject },
        "asked_scope": scope,
        "calls": provider.asked(),
        "claims": sorted(claims.into()),
    })
}

/// The same with the members of objects in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[tokio::test]
async fn what_providers_send_becomes_what_is_written_beside_it() {
    let mut differences = Vec::new();
    for name in documents() {
        let document = read(&name).unwrap();
        assert!(
            document["documentation"].as_str().is_some_and(|title| title.len() > 10),
            "{name}: where is its form from?"
        );
        let found = outcome(&document).await;
        if std::env::var_os("COUNTERSIGN_UPDATE").is_some() {
            let text = format!("{}\n", serde_json::to_string_pretty(&found).unwrap());
            std::fs::write(folder().join(format!("{name}.expected.json")), text).unwrap();
        }
        if read(&format!("{name}.expected")) != Some(found.clone()) {
            differences.push(format!("{name}:\n{found:#}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn every_preset_has_a_document_and_none_has_a_person_in_it() {
    let all: Vec<(String, String)> =
        documents().into_iter().map(|name| (name.clone(), read(&name).unwrap().to_string())).collect();
    assert!(all.len() >= 20, "{}", all.len());
    let schema =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/broker.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let presets = schema["$defs"]["Preset"]["oneOf"].as_array().unwrap();
    for preset in presets.iter().map(|preset| preset["const"].as_str().unwrap()).filter(|preset| *preset != "generic") {
        let line = format!("preset = \\\"{preset}\\\"");
        assert!(all.iter().any(|(_, text)| text.contains(&line)), "{preset}");
    }
    assert!(all.iter().any(|(_, text)| !text.contains("preset = ")), "and the generic one");
    for (name, text) in &all {
        for address in
            text.split(['"', ' ', '\\']).filter(|word| word.find('@').is_some_and(|at| at > 0) && word.contains('.'))
        {
            let made_up = [
                ".example",
                "example.com",
                "privaterelay.appleid.com",
                "noreply.github.com",
                ".sandbox",
                "zitadel.cloud",
            ];
            assert!(made_up.iter().any(|end| address.ends_with(end)), "{name}: {address}");
        }
    }
}
