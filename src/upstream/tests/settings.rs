//! From the file to settings.

use crate::config::language::provider::ClaimsSource;
use crate::protocol::ClientAuthMethod;
use crate::upstream::settings::SettingsError;
use crate::upstream::tests::*;

fn settings(text: &str, secret: bool) -> Result<ProviderSettings, SettingsError> {
    let secret = secret.then(|| SecretValue::new("s3cret".to_owned()));
    let secrets = ResolvedSecrets { client_secret: secret.into_iter().collect(), ..ResolvedSecrets::default() };
    ProviderSettings::new("corp", &toml::from_str(text).unwrap(), secrets, "https://sso.example/base/")
}

#[test]
fn defaults_are_those_of_the_preset() {
    let generic = settings("issuer = \"https://idp.example\"\nclient_id = \"c\"", true).unwrap();
    assert_eq!(generic.claims_from, [ClaimsSource::IdToken, ClaimsSource::Userinfo]);
    assert_eq!(generic.scopes, ["openid", "profile", "email"]);
    assert_eq!(generic.redirect_uri, "https://sso.example/base/callback/corp");
    assert_eq!(generic.auth_method, None);
    let keycloak =
        settings("preset = \"keycloak\"\nissuer = \"https://idp.example\"\nclient_id = \"c\"", true).unwrap();
    assert_eq!(keycloak.claims_from, [ClaimsSource::IdToken, ClaimsSource::Userinfo, ClaimsSource::AccessToken]);
    assert_eq!(keycloak.quirks.unsupported_prompts, ["select_account"]);
    let authentik = "preset = \"authentik\"\nissuer = \"https://idp.example/application/o/app\"\nclient_id = \"c\"";
    let source = settings(authentik, true).unwrap().source;
    for (issuer, named) in
        [("/application/o/app", true), ("/application/o/app/", true), ("/application/o/app//", false)]
    {
        assert_eq!(source.may_be_named(&format!("https://idp.example{issuer}")), named, "{issuer}");
    }
    let public = "issuer = \"https://idp.example\"\nclient_id = \"c\"\ntoken_endpoint_auth_method = \"none\"";
    assert_eq!(settings(public, false).unwrap().auth_method, Some(ClientAuthMethod::None));
}

#[test]
fn the_callback_may_be_elsewhere() {
    let cases = [
        ("redirect_path = \"/cb\"", "https://sso.example/base/cb"),
        ("redirect_uri = \"https://old.example/cb\"", "https://old.example/cb"),
    ];
    for (extra, uri) in cases {
        let text = format!("issuer = \"https://idp.example\"\nclient_id = \"c\"\n{extra}");
        assert_eq!(settings(&text, true).unwrap().redirect_uri, uri);
    }
}

#[test]
fn what_cannot_work_is_refused_with_its_key_and_the_way_out() {
    let issuer = "issuer = \"https://idp.example\"";
    let with = |extra: &str| format!("{issuer}\n{extra}");
    let cases = [
        (String::new(), true, "providers.corp.issuer: is missing"),
        ("issuer = \"idp.example\"".to_owned(), true, "providers.corp.issuer: not a URL"),
        ("issuer = \"ftp://idp.example\"".to_owned(), true, "providers.corp.issuer: must be an https URL"),
        ("issuer = \"https://idp.example?x=1\"".to_owned(), true, "providers.corp.issuer: must not have a query"),
        ("issuer = \"https://idp.example#x\"".to_owned(), true, "providers.corp.issuer: must not have a fragment"),
        ("issuer = \"http://idp.example\"".to_owned(), true, "set allow_http = true"),
        (with("backchannel_url = \"http://10.0.0.1\""), true, "providers.corp.backchannel_url: 10.0.0.1 is not https"),
        (with("scopes = [\"email\"]"), true, "providers.corp.scopes: \"openid\" is not among them"),
        (with("redirect_path = \"cb\""), true, "providers.corp.redirect_path: must start with"),
        (with("redirect_path = \"/a\"\nredirect_uri = \"https://a/b\""), true, "keep one of them"),
        (with("token_endpoint_auth_method = \"private_key_jwt\""), true, "needs a client_key or a client_assertion"),
        (with("token_endpoint_auth_method = \"tls_client_auth\""), true, "needs a client_certificate, and its key"),
        (with("token_endpoint_auth_method = \"client_secret_post\""), false, "needs a client_secret"),
        (with("token_endpoint_auth_method = \"none\""), true, "would never be sent"),
        (with("id_token_signed_response_alg = \"none\""), true, "must be one of RS256"),
        (with("id_token_signed_response_alg = \"HS256\""), false, "needs a client_secret"),
    ];
    for (text, secret, message) in cases {
        let error = settings(&format!("client_id = \"c\"\n{text}"), secret).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn loopback_and_private_issuers_are_the_operators_choice() {
    for issuer in ["http://127.0.0.1:8080/a", "http://localhost:8080", "http://[::1]:1", "https://10.1.2.3/realms/a"] {
        assert!(settings(&format!("issuer = \"{issuer}\"\nclient_id = \"c\""), true).is_ok(), "{issuer}");
    }
}
