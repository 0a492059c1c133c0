//! What is proposed for claims and discovery documents of several kinds. Each proposal is read again as a part of the file.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Map, Value, json};

use super::*;
use crate::decision::claims::attributes;
use crate::decision::testing::compiled;
use crate::decision::trace::Trace;

const FILE: &str = "issuer = \"https://sso.example.com\"\n[providers.corp]\nissuer = \"https://idp.example\"\nclient_id = \"broker\"\n";

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// The proposal for these claims, and what they map to with it.
fn sent(file: &str, claims: Value) -> (String, Value) {
    let claims = object(claims);
    let (config, policy) = compiled(file);
    let seen = Seen { claims: Some(&claims), ..Seen::default() };
    let proposal = propose(&policy, &config, "corp", &seen).to_toml("corp");
    let whole = format!("{file}\n{proposal}");
    let (config, policy) = compiled(&whole);
    let provider = policy.providers.get("corp").unwrap();
    let (mapped, _) = attributes(&policy, provider, &claims, Trace::default()).unwrap();
    let again = propose(&policy, &config, "corp", &seen);
    let told = again.to_toml("corp");
    assert!(told.lines().all(|line| line.starts_with('#') || line.is_empty()), "nothing is proposed twice: {told}");
    let email_verified = mapped.values.get("email_verified").cloned();
    let email = mapped.values.get("email").cloned();
    let found = json!({
        "username": mapped.username, "groups": mapped.groups, "roles": mapped.roles, "email": email,
        "email_verified": email_verified, "name": mapped.values.get("name"),
    });
    (proposal, found)
}

#[test]
fn nothing_is_proposed_for_what_the_file_maps() {
    let usual = json!({ "sub": "1", "preferred_username": "dora", "email": "d@x", "email_verified": true, "groups": ["a"], "roles": [] });
    assert_eq!(sent(FILE, usual).0, "");
    let mapped = format!("{FILE}[providers.corp.claims]\nusername = \"claims.mail\"\ngroups = \"claims.units\"\n");
    let (toml, _) = sent(&mapped, json!({ "sub": "1", "mail": "d@x", "email": "d@x", "group": "a", "units": [] }));
    assert_eq!(toml, "");
}

#[test]
fn a_username_comes_from_what_names_people_best() {
    for (claims, username) in [
        (json!({ "sub": "1", "email": "d@x.example" }), "d@x.example"),
        (json!({ "sub": "1", "email": "d@x.example", "nickname": "dora" }), "dora"),
        (json!({ "sub": "1", "upn": "dora@corp", "email": "d@x.example" }), "dora@corp"),
        (json!({ "sub": "1", "preferred_username": "", "uid": "dora" }), "dora"),
        (json!({ "sub": "1", "cognito:username": "dora" }), "dora"),
        (json!({ "sub": "1", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": "d@x" }), "d@x"),
        (json!({ "sub": "s-1", "uid": 7, "nickname": ["x", 1] }), "x"),
        (json!({ "sub": "s-1", "preferred_username": null }), "s-1"),
    ] {
        let (toml, found) = sent(FILE, claims.clone());
        assert_eq!(found.get("username").unwrap(), username, "{claims}\n{toml}");
    }
}

#[test]
fn groups_are_found_wherever_they_are_and_whatever_they_look_like() {
    for (claims, groups) in [
        (json!({ "https://corp.example/claims/groups": ["a", "b"] }), json!(["a", "b"])),
        (json!({ "cognito:groups": ["a"] }), json!(["a"])),
        (json!({ "group": "a" }), json!(["a"])),
        (json!({ "it's\\/groups": ["a"] }), json!(["a"])),
        (json!({ "corp\n/groups": ["a"] }), json!(["a"])),
        (json!({ "in": { "groups": ["a"] } }), json!(["a"])),
        (json!({ "groups": [["a"], ["b", "c"]] }), json!(["a", "b", "c"])),
        (json!({ "groups": [{ "id": "1", "name": "a" }, { "id": "2", "name": "b" }] }), json!(["a", "b"])),
        (json!({ "groups": [{ "value": "1", "$ref": "x" }] }), json!(["1"])),
        (json!({ "memberOf": ["CN=a b,OU=x,DC=corp", "cn=b\\, c,dc=corp"] }), json!(["a b", "b, c"])),
        (json!({ "groups": ["CN=a,DC=corp"] }), json!(["a"])),
        (json!({ "ext": { "groups": ["CN=a,DC=corp"] } }), json!(["a"])),
        (json!({ "ismemberof": "cn=a,ou=groups" }), json!(["a"])),
        (json!({ "Groups": "a, b ,c" }), json!(["a", "b", "c"])),
        (json!({ "groups": "a,b" }), json!(["a", "b"])),
        (json!({ "groups": ["a, b"] }), json!(["a, b"])),
        (json!({ "teams": "a;b" }), json!(["a", "b"])),
        (json!({ "profile_data": { "org": { "groups": ["a"] } } }), json!(["a"])),
        (json!({ "group": [7, 8] }), json!(["7", "8"])),
        (json!({ "group": { "a": true, "b": false } }), json!(["a"])),
        (json!({ "it's": { "groups": ["a"] } }), json!(["a"])),
        (json!({ "in": { "groups": ["a"] } }), json!(["a"])),
        (json!({ "groups": [{ "name": "a" }, "b"] }), json!([])),
        (json!({ "groups": 7 }), json!([])),
    ] {
        let claims = with_name(claims);
        let (toml, found) = sent(FILE, claims.clone());
        assert_eq!(found.get("groups").unwrap(), &groups, "{claims}\n{toml}");
    }
    for name in ["group", "groups"] {
        let (toml, _) = sent(FILE, with_name(json!({ name: "[\"a\"]" })));
        assert!(toml.contains(&format!("# groups: claims.{name}: it is a text with JSON")), "{toml}");
    }
}

fn with_name(claims: Value) -> Value {
    let mut claims = object(claims);
    claims.insert("preferred_username".to_owned(), "dora".into());
    claims.into()
}

#[test]
fn roles_are_those_of_the_realm_or_of_the_broker_s_own_client() {
    let realm = json!({ "realm_access": { "roles": ["viewer"] }, "resource_access": { "account": { "roles": ["manage-account"] } } });
    assert_eq!(sent(FILE, with_name(realm)).1.get("roles").unwrap(), &json!(["viewer"]));
    let own =
        json!({ "resource_access": { "account": { "roles": ["manage-account"] }, "broker": { "roles": ["admin"] } } });
    let (toml, found) = sent(FILE, with_name(own));
    assert_eq!(found.get("roles").unwrap(), &json!(["admin"]), "{toml}");
    let other = json!({ "resource_access": { "account": { "roles": ["manage-account"] } } });
    assert_eq!(sent(FILE, with_name(other)).0, "");
    let zitadel = json!({ "urn:zitadel:iam:org:project:roles": { "admin": { "1": "corp.example" }, "viewer": {} } });
    assert_eq!(sent(FILE, with_name(zitadel)).1.get("roles").unwrap(), &json!(["admin", "viewer"]));
}

#[test]
fn addresses_and_whether_they_are_verified_come_in_many_forms() {
    for (claims, email, verified) in [
        (json!({ "email": "d@x", "email_verified": "true" }), json!("d@x"), json!(true)),
        (json!({ "email": "d@x", "email_verified": 0 }), json!("d@x"), json!(false)),
        (json!({ "mail": "d@x", "emailVerified": true }), json!("d@x"), json!(true)),
        (json!({ "emails": ["d@x", "e@x"] }), json!("d@x"), json!(null)),
        (json!({ "emails": [{ "value": "d@x", "primary": true }] }), json!("d@x"), json!(null)),
        (json!({ "email": "d@x", "email_verified": "yes" }), json!("d@x"), json!(null)),
    ] {
        let (toml, found) = sent(FILE, with_name(claims.clone()));
        assert_eq!(
            (found.get("email"), found.get("email_verified")),
            (Some(&email), Some(&verified)),
            "{claims}\n{toml}"
        );
    }
    let fixed = FILE.replace("client_id", "email_verified = \"never\"\nclient_id");
    assert!(!sent(&fixed, with_name(json!({ "email": "d@x", "email_verified": "true" }))).0.contains("booleans"));
    // A quirk of the file is not lost.
    let own = format!("{FILE}quirks = {{ booleans = [\"flag\"] }}\n");
    let (config, policy) = compiled(&own);
    let claims = object(with_name(json!({ "email": "d@x", "email_verified": "1" })));
    let seen = Seen { claims: Some(&claims), ..Seen::default() };
    let toml = propose(&policy, &config, "corp", &seen).to_toml("corp");
    assert!(toml.contains("booleans = [\"flag\", \"email_verified\"]"), "{toml}");
}

#[test]
fn a_discovery_document_tells_names_scopes_and_the_product() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let told = |file: &str, listed: &[&str], scopes: &[&str], issuer: &str| {
        let (config, policy) = compiled(file);
        let (listed, scopes) = (names(listed), names(scopes));
        let seen = Seen { claims: None, listed: Some(&listed), scopes: Some(&scopes), issuer: Some(issuer) };
        propose(&policy, &config, "corp", &seen).to_toml("corp")
    };
    let idp = "https://idp.example";
    assert_eq!(told(FILE, &["sub", "preferred_username", "email", "groups", "roles"], &["openid"], idp), "");
    let toml = told(FILE, &["sub", "email", "memberOf"], &["openid", "groups", "phone"], idp);
    for line in [
        "username = \"claims.email\"",
        "groups = \"claims.memberOf\"",
        "distinguished_names = [\"memberOf\"]",
        "\"email\", \"groups\"]",
    ] {
        assert!(toml.contains(line), "{line}: {toml}");
    }
    compiled(&format!(
        "issuer = \"https://x.example\"\n[providers.corp]\nissuer = \"{idp}\"\nclient_id = \"c\"\n{}",
        toml.replacen("[providers.corp]\n", "", 1)
    ));
    for (issuer, preset) in [
        ("https://id.corp.example/realms/main", "keycloak"),
        ("https://login.microsoftonline.com/9f3c/v2.0", "entra"),
        ("https://acme.okta.com/oauth2/default", "okta"),
        ("https://acme.eu.auth0.com/", "auth0"),
        ("https://accounts.google.com", "google"),
        ("https://auth.corp.example/application/o/broker/", "authentik"),
        ("https://adfs.corp.example/adfs", "adfs"),
    ] {
        let toml = told(FILE, &["sub", "preferred_username"], &["openid", "roles"], issuer);
        assert!(toml.contains(&format!("preset = \"{preset}\"")), "{issuer}: {toml}");
        assert_eq!(toml.contains("scopes = "), preset != "keycloak", "{toml}");
    }
    assert!(!told(FILE, &[], &[], "https://acme.okta.com.evil.example").contains("preset"));
    let set = FILE.replace("client_id", "preset = \"okta\"\nclient_id");
    assert_eq!(
        told(&set, &["sub", "preferred_username"], &["groups"], "https://acme.okta.com"),
        "",
        "the preset asks for it"
    );
}
