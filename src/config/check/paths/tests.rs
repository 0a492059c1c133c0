//! The paths of a configuration, and conflicts between them.

use std::path::PathBuf;

use super::*;
use crate::config::load::files::Memory;
use crate::config::load::{Inputs, load};

/// A file with an issuer, whose last table is a provider; added lines begin at line 11.
fn file(issuer: &str, lines: &str) -> String {
    format!(
        r#"issuer = "{issuer}"
[clients.app]
client_secret = {{ file = "app" }}
redirect_uris = ["https://app.example/cb"]
[providers.staff]
issuer = "https://id.example"
client_id = "x"
client_secret = {{ file = "staff" }}
asserted_roles = []
name = "Staff"
{lines}
"#
    )
}

fn found(text: &str) -> (Vec<String>, Option<Config>) {
    let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
    let loaded = load(&inputs, &Memory::of([("broker.toml", text)])).unwrap();
    let problems = crate::config::check::check(&loaded, &mut |_, _, _| Vec::new()).problems;
    let line = |p: &crate::config::diagnostics::problem::Problem| {
        let way_out = p.suggestion.as_deref().unwrap_or_default();
        format!("{}:{} {} {} [{way_out}]", p.line, p.column, p.severity, p.message)
    };
    (problems.iter().map(line).collect(), loaded.config)
}

const ISSUER: &str = "https://sso.example.com";

/// Each case: an issuer, lines, and the beginning and parts of the only expected problem.
#[track_caller]
fn assert_refused(cases: &[(&str, &str, &[&str])]) {
    for (issuer, lines, parts) in cases {
        let (problems, _) = found(&file(issuer, lines));
        assert_eq!(problems.len(), 1, "{lines}: {problems:#?}");
        assert!(problems[0].starts_with(parts[0]), "{lines}: {problems:#?}");
        assert!(parts.iter().all(|part| problems[0].contains(part)), "{lines}: {problems:#?}");
    }
}

#[test]
fn an_endpoint_may_not_have_a_path_of_the_broker_itself() {
    assert_refused(&[
        (
            ISSUER,
            "[endpoints]\ntoken = \"/sign-in\"",
            &[
                "12:9 error `token` must be",
                "(/sign-in: the form of the sign-in page)",
                "its default, \"/oauth2/token\"",
            ],
        ),
        (
            ISSUER,
            "[endpoints]\njwks = \"/logout/confirm\"",
            &["12:8 error `jwks`", "the form that confirms a sign-out"],
        ),
        (ISSUER, "[endpoints]\njwks = \"/logout/done\"", &["12:8 error", "the signed-out page"]),
        (ISSUER, "[endpoints]\njwks = \"/logout/callback/staff\"", &["12:8 error", "a provider's logout"]),
        (ISSUER, "[endpoints]\njwks = \"/backchannel-logout/staff\"", &["12:8 error", "the logout tokens"]),
        (ISSUER, "[endpoints]\njwks = \"/callback/okta\"", &["12:8 error", "the callbacks of providers"]),
        (ISSUER, "[endpoints]\njwks = \"/static/x\"", &["12:8 error", "static files"]),
        (ISSUER, "[endpoints]\njwks = \"/static\"", &["12:8 error", "static files"]),
        (ISSUER, "[endpoints]\njwks = \"/.well-known/jwks.json\"", &["12:8 error", "well-known documents"]),
        (ISSUER, "[endpoints]\njwks = \"/account\"", &["12:8 error", "the account page"]),
        (ISSUER, "[endpoints]\njwks = \"/console/users\"", &["12:8 error", "the console"]),
        (ISSUER, "[endpoints]\njwks = \"/login\"", &["12:8 error", "the break-glass page"]),
        (ISSUER, "[endpoints]\njwks = \"/device\"", &["12:8 error", "device codes"]),
        ("https://h.example/a", "[endpoints]\njwks = \"/consent\"", &["12:8 error", "the consent page"]),
    ]);
}

#[test]
fn two_endpoints_may_not_have_one_path() {
    assert_refused(&[
        (
            ISSUER,
            "[endpoints]\njwks = \"/oauth2/token\"",
            &["12:8 error `endpoints.token` and `endpoints.jwks` must be different", "its default is \"/oauth2/jwks\""],
        ),
        // The path that is set is at fault, even if the other one comes later.
        (ISSUER, "[endpoints]\ntoken = \"/oauth2/jwks\"", &["12:9 error", "give `token` another path"]),
        (ISSUER, "[endpoints]\njwks = \"/oauth2/device\"", &["12:8 error", "endpoints.device_authorization"]),
        (ISSUER, "[endpoints]\njwks = \"/oauth2/register\"", &["12:8 error", "endpoints.registration"]),
        (ISSUER, "[endpoints]\njwks = \"/x\"\ntoken = \"/x\"", &["12:8 error", "endpoints.token"]),
    ]);
}

#[test]
fn a_callback_may_not_have_a_path_of_anything_else() {
    assert_refused(&[
        (
            ISSUER,
            "redirect_path = \"/sign-in\"",
            &["11:17 error `redirect_path` must be", "(/sign-in: the form", "its default, \"/callback/staff\""],
        ),
        (
            ISSUER,
            "redirect_uri = \"https://sso.example.com/oauth2/token\"",
            &["11:16 error `redirect_uri` must be", "the path of `endpoints.token`", "[register another address"],
        ),
        (ISSUER, "redirect_path = \"/x\"\n[endpoints]\njwks = \"/x\"", &["11:17 error", "`endpoints.jwks`"]),
        (ISSUER, "redirect_path = \"/oauth2/par\"", &["11:17 error", "`endpoints.pushed_authorization_request`"]),
        (ISSUER, "redirect_path = \"/oauth2/register\"", &["11:17 error", "`endpoints.registration`"]),
        (ISSUER, "redirect_path = \"/logout/callback/staff\"", &["11:17 error", "a provider's logout"]),
        (ISSUER, "redirect_path = \"/account/callback\"", &["11:17 error", "the account page"]),
        (ISSUER, "redirect_uri = \"https://sso.example.com\"", &["11:16 error", "the start page"]),
        (ISSUER, "redirect_uri = \"https://sso.example.com/\"", &["11:16 error", "the start page"]),
        (ISSUER, "redirect_uri = \"https://sso.example.com/static/x\"", &["11:16 error", "static files"]),
        (ISSUER, "redirect_uri = \"https://sso.example.com/oauth2/tok%65n\"", &["11:16 error", "`endpoints.token`"]),
        (ISSUER, "redirect_uri = \"https://sso.example.com/oauth2/token?x=1\"", &["11:16 error", "`endpoints.token`"]),
        // Regardless of the host: requests are distinguished only by their path.
        (ISSUER, "redirect_uri = \"https://old.example.com/oauth2/token\"", &["11:16 error", "`endpoints.token`"]),
        ("https://h.example/a", "redirect_uri = \"https://h.example/a\"", &["11:16 error", "the start page"]),
        ("https://h.example/a", "redirect_uri = \"https://h.example/a/oauth2/token\"", &["11:16 error", "endpoint"]),
        (
            "https://h.example/a",
            "redirect_uri = \"https://h.example/.well-known/oauth-authorization-server/a\"",
            &["11:16 error", "well-known documents"],
        ),
    ]);
}

#[test]
fn a_path_is_plain() {
    assert_refused(&[
        (ISSUER, "[endpoints]\njwks = \"/\"", &["12:8 error"]),
        (ISSUER, "[endpoints]\njwks = \"/jwks/\"", &["12:8 error", "without empty"]),
        (ISSUER, "[endpoints]\njwks = \"//jwks\"", &["12:8 error", "without empty"]),
        (ISSUER, "[endpoints]\njwks = \"/a/../sign-in\"", &["12:8 error", "`..` segments"]),
        (ISSUER, "[endpoints]\njwks = \"/sign%2Din\"", &["12:8 error", "a plain path"]),
        (ISSUER, "redirect_path = \"/cb/\"", &["11:17 error", "without empty"]),
        (ISSUER, "redirect_path = \"/\"", &["11:17 error"]),
        (ISSUER, "redirect_path = \"/c%62\"", &["11:17 error", "a plain path"]),
        ("https://h.example//a", "", &["1:10 error `issuer`", "without empty segments"]),
        ("https://h.example//", "", &["1:10 error `issuer`", "without empty segments"]),
    ]);
}

#[test]
fn callbacks_may_be_shared_with_a_warning() {
    let second = "[providers.okta]\nissuer = \"https://okta.example\"\nclient_id = \"x\"\n\
                      client_secret = { file = \"s\" }\nasserted_roles = []";
    assert_refused(&[
        (ISSUER, &format!("redirect_path = \"/callback/okta\"\n{second}"), &["11:17 warning", "with `okta`"]),
        (
            ISSUER,
            &format!("redirect_uri = \"https://sso.example.com/callback/okta\"\n{second}"),
            &["11:16 warning `redirect_uri` is shared with `okta`"],
        ),
    ]);
}

#[test]
fn what_is_accepted_leads_where_it_says() {
    for (issuer, lines, path, route) in [
        (ISSUER, "", "/oauth2/token", Some(Route::Endpoint(Endpoint::Token))),
        (ISSUER, "[endpoints]\ntoken = \"/Sign-In\"", "/Sign-In", Some(Route::Endpoint(Endpoint::Token))),
        (ISSUER, "[endpoints]\ntoken = \"/Sign-In\"", "/sign-in", Some(Route::Page(Page::SignIn))),
        (ISSUER, "[endpoints]\nend_session = \"/logout\"", "/logout", Some(Route::Endpoint(Endpoint::EndSession))),
        (ISSUER, "[endpoints]\nend_session = \"/logout\"", "/logout/done", Some(Route::Page(Page::SignedOut))),
        (ISSUER, "[endpoints]\njwks = \"/callbacks\"", "/callbacks", Some(Route::Endpoint(Endpoint::Jwks))),
        (ISSUER, "", "/oauth2/device", None),
        (ISSUER, "", "/account", None),
        (ISSUER, "", "/callback/staff", Some(Route::Callback(vec!["staff".to_owned()]))),
        (ISSUER, "redirect_path = \"/callback\"", "/callback", Some(Route::Callback(vec!["staff".to_owned()]))),
        (ISSUER, "redirect_path = \"/callback\"", "/callback/staff", None),
        (
            ISSUER,
            "redirect_uri = \"https://old.example.com/login/cb\"",
            "/login/cb",
            Some(Route::Callback(vec!["staff".to_owned()])),
        ),
        (
            "https://h.example/a",
            "redirect_uri = \"https://h.example/elsewhere\"",
            "/elsewhere",
            Some(Route::Callback(vec!["staff".to_owned()])),
        ),
        ("https://h.example/a/", "", "/a", Some(Route::Page(Page::Home))),
        ("https://h.example/a", "", "/a/", Some(Route::Page(Page::Home))),
        ("https://h.example/a", "", "/a/static/style.css", Some(Route::Static)),
        ("https://h.example/a", "", "/static/style.css", None),
        ("https://h.example/a", "", "/.well-known/oauth-authorization-server/a", Some(Route::Discovery)),
    ] {
        let (problems, config) = found(&file(issuer, lines));
        assert!(problems.is_empty(), "{lines}: {problems:#?}");
        let config = config.unwrap();
        let paths = Paths::of(&config, &Resolved::of(&config));
        assert_eq!(paths.route(path), route.as_ref(), "{issuer} {lines} {path}");
    }
}
