//! Whole files: many mistakes at once, nothing reported twice, no secret shown.

use crate::config::check::tests::*;

#[test]
fn what_was_reported_is_not_reported_again() {
    // The provider is declared, though not as a table: references to it are not at fault.
    assert_problems(
        "issuer = \"https://x.example\"\nproviders.staff = 5\n[clients.app]\nclient_secret = { file = \"a\" }\nredirect_uris = [\"https://a.example\"]\nproviders = [\"staff\"]\n[users.bob]\nlinks = [{ provider = \"staff\", sub = \"1\" }]",
        &["2:19 error `staff` must be a table but is the integer 5"],
    );
    // A misspelt grant type says nothing about the response types.
    assert_all([added(
        "[clients.b]\nclient_secret = { file = \"b\" }\ngrant_types = [\"authorisation_code\"]\nresponse_types = [\"code\"]",
        &["3:16 error ~ [did you mean `authorization_code`?]"],
    )]);
}

#[test]
fn twenty_mistakes_are_reported_at_once() {
    let text = r#"issuer = "http://sso.example.com"
[server]
listen = ["8080"]
[admin]
lisen = "127.0.0.1:9464"
[endpoints]
token = "/static/token"
[keys]
algorithms = ["ES256", "HS256"]
[tokens]
authorization_code = "1h"
access_token = 3600
[policy]
default_roles = ["untrusted"]
[providers.corp]
issuer = "https://id.example"
client_id = "x"
scopes = ["profile"]
on_refresh = { claims = "never" }
[providers.corp.claims]
username = 5
a.b = "claims.x"
[clients.grafana]
client_secret = "hunter2"
redirect_uris = ["https://*.example.com/cb", 7]
scopes = ["openid", "grups"]
providers = ["corpp"]
[clients.grafana.claims]
pkce = "required"
iss = "'me'"
[[role_rules]]
each = "group"
matches = "("
roles = ["boss"]
[users.alice]
links = [{ provider = "corp" }]
[device]
"#;
    assert_problems(
        text,
        &[
            "1:10 error `issuer` must be an https URL",
            "3:11 error `listen[0]` must be an address",
            "5:1 error unknown key `lisen`",
            "7:9 error `token` must be a path that the broker does not use itself (/static: static files)",
            "9:24 error `algorithms[1]` must be one of",
            "11:22 error `authorization_code` must be at most",
            "12:16 error `access_token` must be a duration",
            "14:18 error `default_roles[0]` must be a declared role",
            "15:1 error `client_secret` must be set in `providers.corp`",
            "18:10 error `scopes` must be a list with \"openid\"",
            "19:25 error `claims` must be one of",
            "21:12 error `username` must be an expression",
            "22:1 error `a` must be an expression ~ quote the key",
            "24:17 warning `client_secret` is written into the file",
            "25:18 error `redirect_uris[0]` must be one whole URI",
            "25:46 error `redirect_uris[1]` must be a string",
            "26:21 error `scopes[1]` must be a declared scope",
            "27:14 error `providers[0]` must be a declared provider",
            "29:1 error `pkce` is a setting",
            "30:1 error the claim `iss` can't be set",
            "32:8 error `each` must be one of",
            "33:12 error `matches` must be a regular expression",
            "36:10 error a link must have",
            "37:2 error `device` is not built yet",
        ],
    );
}

#[test]
fn expressions_are_placed_inside_their_string() {
    let text = format!(
        "{BASE}[clients.app.claims]\nx = [\"user.a\", \"user.\\\"é\\\" + bad\"]\n[[role_rules]]\nwhen = \"\"\"\n  'a' in groups &&\n  bad\"\"\"\nroles = [\"admin\"]"
    );
    let loaded = loaded(&text);
    let mut places = Vec::new();
    let problems = check(&loaded, &mut |place, path, text| {
        places.push(format!("{place:?} {path}"));
        let bad = text.find("bad").map(|offset| ExpressionProblem {
            offset,
            len: 3,
            message: "unknown name".to_owned(),
            suggestion: Some("did you mean `had`?".to_owned()),
        });
        bad.into_iter().collect()
    })
    .problems;
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.path.as_str(), p.found.as_deref())).collect();
    assert_eq!(found, [(11, 30, "clients.app.claims.x[1]", Some("bad")), (15, 3, "role_rules[0].when", Some("bad"))]);
    assert_eq!(
        places,
        ["When role_rules[0].when", "App(Any) clients.app.claims.x[0]", "App(Any) clients.app.claims.x[1]"]
    );
    let text = problems.render(&loaded.layers, false);
    assert!(
        text.contains("11 | x = [\"user.a\", \"user.\\\"é\\\" + bad\"]\n   |                              ^^^\n"),
        "{text}"
    );
    assert!(text.contains("15 |   bad\"\"\"\n   |   ^^^\n"), "{text}");
}

#[test]
fn secrets_are_never_shown() {
    for text in [
        BASE.replace("{ file = \"app\" }", "\"canary-1\""),
        BASE.replace("{ file = \"app\" }", "[\"canary-1\", \"canary-1\", \"canary-1\"]"),
        BASE.replace("client_secret = { file = \"app\" }", "client_secrett = \"canary-1\""),
        BASE.replace("client_secret = { file = \"app\" }", "client_secret = \"canary-1"),
        BASE.replace("client_secret = { file = \"app\" }", "client_secret = canary-1"),
        BASE.replace("client_secret = { file = \"app\" }", "client_secret = { value = \"canary-1\" }"),
        format!("{BASE}[admin]\ntoken = \"\"\"\ncanary-1\"\"\"\n"),
        format!("{BASE}[clientss]\nx = {{ client_secret = \"canary-1\", bad = 1 }}\n"),
        format!("{BASE}[store]\nurl = \"postgres://u:canary-1@h/db\"\n"),
    ] {
        let mut loaded = loaded(&text);
        let mut problems = check(&loaded, &mut |_, _, _| Vec::new()).problems;
        problems.append(std::mem::take(&mut loaded.problems));
        assert!(problems.iter().next().is_some(), "{text}");
        let shown = format!("{}{}{:?}", problems.render(&loaded.layers, false), problems.json(), loaded.config);
        assert!(!shown.contains("canary-1"), "{shown}");
        let origins = loaded.origins();
        assert!(!format!("{origins:?}").contains("canary-1"), "{origins:?}");
    }
}
