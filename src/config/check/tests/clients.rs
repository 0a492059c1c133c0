//! `[clients.X]`.

use crate::config::check::tests::*;

#[test]
fn clients() {
    let secret = "client_secret = { file = \"b\" }\n";
    let uris = "redirect_uris = [\"https://b.example/cb\"]\n";
    let cases = [
        (String::new(), &["1:1 error `client_secret` must be set in `clients.b`", "1:1 error `redirect_uris` must be set"][..]),
        (format!("{secret}{uris}"), &[]),
        (format!("{secret}grant_types = []"), &[]),
        (format!("token_endpoint_auth_method = \"none\"\n{uris}"), &[]),
        (format!("{secret}{uris}token_endpoint_auth_method = \"none\""), &["4:30 error ~ a method that uses the secret"]),
        (format!("{secret}redirect_uris = [\"https://*.example/cb\", \"http://b.example\", \"https://b.example/x\", \"https://b.example/x\"]"),
            &["3:18 error ~ wildcards", "3:42 error ~ https", "3:85 error `redirect_uris` lists \"https://b.example/x\" twice"]),
        (format!("{secret}redirect_uris = [\"com.example.b:/cb\"]"), &["3:18 error ~ application_type"]),
        (format!("{secret}redirect_uris = [\"com.example.b:/cb\"]\napplication_type = \"native\""), &[]),
        ("client_secret_hashes = [\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", \"md5:x\"]\ngrant_types = []".to_owned(),
            &["2:100 error `client_secret_hashes[1]` must be \"sha256:\" ~ countersign client secret b"]),
        (format!("{secret}{uris}client_secret_hashes = [\"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"]"), &["4:24 error ~ must not both be set"]),
        (format!("{secret}{uris}client_id = \"app\""), &["4:13 error the client id \"app\" must be unique but is that of `app` too"]),
        (format!("{secret}{uris}client_id = \"bé\""), &["4:13 error `client_id` must be 1 to 255 printable ASCII"]),
        (format!("{secret}{uris}scopes = [\"openid\", \"profil\"]"), &["4:21 error `scopes[1]` must be a declared scope ~ [did you mean `profile`?]"]),
        (format!("{secret}{uris}providers = [\"staff\", \"certificate\", \"nope\"]"), &["4:23 error \"certificate\" names sign-in by certificate, which needs [certificates]", "4:38 error ~ declared provider but is \"nope\" ~ [declare [providers.nope]]"]),
        (format!("{secret}{uris}grant_types = [\"client_credentials\"]\nresponse_types = [\"code\"]"), &["5:18 error `response_types` has \"code\", which needs \"authorization_code\" in `grant_types` too ~ [add \"authorization_code\" to grant_types]"]),
        (format!("{secret}{uris}response_types = []"), &["4:18 error ~ needs a response type"]),
        ("token_endpoint_auth_method = \"none\"\ngrant_types = [\"client_credentials\"]".to_owned(), &["3:15 error ~ must not be open to a public client"]),
        (format!("{secret}redirect_uris = [\"https://b.example/cb\", \"https://c.example/cb\"]\nsubject_type = \"pairwise\""), &["3:17 warning ~ several hosts ~ sector_identifier_uri"]),
        (format!("{secret}redirect_uris = [\"https://b.example/cb\", \"https://c.example/cb\"]\nsubject_type = \"pairwise\"\nsector_identifier_uri = \"https://b.example/s\""), &[]),
        (format!("{secret}{uris}sector_identifier_uri = \"https://b.example/s\""), &["4:25 warning `sector_identifier_uri` has no effect ~ subject_type"]),
        (format!("{secret}{uris}client_name = \"\""), &["4:15 error `client_name` must be a name that is not empty"]),
        (format!("{secret}grant_types = [\"refresh_token\"]"), &["3:15 error ~ none of its other grants issues refresh tokens"]),
        (format!("{secret}{uris}response_types = [\"code\", \"code id_token\"]"), &["4:18 error `response_types` has \"code id_token\", which needs \"implicit\" in `grant_types` too ~ [add \"implicit\" to grant_types]"]),
        (format!("{secret}{uris}grant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code\", \"code id_token\"]"), &[]),
        (format!("{secret}{uris}grant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code\", \"code token\"]"), &["5:27 warning the response type \"code token\" passes access tokens to the browser, which RFC 9700 §2.1.2 ~ with PKCE"]),
        (format!("{secret}{uris}grant_types = [\"authorization_code\", \"implicit\"]"), &["4:15 error `grant_types` has \"implicit\", which needs a response type ~ \"id_token\""]),
        (format!("{secret}{uris}grant_types = [\"implicit\"]\nresponse_types = [\"id_token\", \"code id_token\"]"), &["5:18 error `response_types` has \"code id_token\", which needs \"authorization_code\""]),
        (format!("{uris}grant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]"), &[]),
        (format!("{secret}{uris}security_profile = \"fapi2\"\ngrant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code id_token\"]"), &["4:20 error ~ not built yet", "6:19 error the response type \"code id_token\" must not be used under \"fapi2\""]),
        (format!("{uris}grant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]\nscopes = [\"email\"]"), &["4:19 error the response type \"id_token\" needs the scope \"openid\""]),
        (format!("{uris}grant_types = [\"implicit\", \"refresh_token\"]\nresponse_types = [\"id_token\"]"), &["1:1 error `client_secret` must be set", "3:15 error ~ none of its other grants issues refresh tokens"]),
        ("redirect_uris = [\"http://localhost/cb\"]\ngrant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]".to_owned(), &["2:18 warning ~ should use https and not localhost ~ application_type"]),
        ("application_type = \"native\"\nredirect_uris = [\"http://localhost/cb\"]\ngrant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]".to_owned(), &[]),
        (format!("{secret}{uris}id_token_signed_response_alg = \"EdDSA\""), &["4:32 error ~ one of the algorithms in [keys]"]),
        (format!("{secret}{uris}access_token_claims = [\"sub\", \"grups\", \"groups\"]"), &["4:24 error ~ RFC 9068", "4:31 warning nothing gives the claim \"grups\" ~ `groups`"]),
        (format!("{secret}{uris}[clients.b.claims]\naud = \"'x'\""), &["5:1 error the claim `aud` can't be set"]),
        (format!("{uris}token_endpoint_auth_method = \"none\"\ntokens = {{ refresh_token = {{ rotate = false }} }}"), &["4:39 error `rotate = false` must not apply to a public client"]),
        (format!("{secret}{uris}allowed_origins = [\"https://b.example\", \"https://b.example/\"]"), &["4:41 error `allowed_origins[1]` must be an origin"]),
        (format!("{secret}{uris}\"client_name#ja\" = \"アプリ\"\n\"logo_uri#ja\" = \"x\"\n\"scopes#ja\" = \"x\""), &["5:17 error `logo_uri#ja` must be an absolute URL", "6:1 error unknown key `scopes#ja` ~ language tag"]),
        (format!("{secret}{uris}tls_client_auth_subject_dn = \"CN=b\"\ntls_client_certificate_bound_access_tokens = true"), &["4:30 error ~ has no effect on a client that does not authenticate by", "4:30 error `tls_client_auth_subject_dn` must not be set without [certificates]", "5:46 error `tls_client_certificate_bound_access_tokens` must not be set without [certificates]"]),
        (format!("{secret}{uris}dpop_bound_access_tokens = true"), &[]),
        (format!("{secret}{uris}dpop_bound_access_tokens = true\ngrant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code\", \"code token\"]"),
            &["4:28 error ~ must not be combined with response types that have \"token\"", "6:27 warning ~ RFC 9700"]),
        (format!("{uris}token_endpoint_auth_method = \"client_secret_jwt\"\nclient_secret_hashes = [\"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"]"), &["3:30 error \"client_secret_jwt\" needs the secret itself"]),
        (format!("{secret}redirect_uris = [\"https://b.example/cb\", \"http://localhost:3000/cb\"]\nbackchannel_logout_uri = \"https://10.1.2.3/out?x=1\"\nfrontchannel_logout_uri = \"http://localhost:3000/out\""), &[]),
        (format!("{secret}{uris}backchannel_logout_uri = \"http://b.example/out\"\nfrontchannel_logout_uri = \"/out\""),
            &["4:26 error `backchannel_logout_uri` must be an https URL", "5:27 error `frontchannel_logout_uri` must be an absolute URL"]),
        (format!("{secret}{uris}backchannel_logout_uri = \"https://b.example/out#x\"\nfrontchannel_logout_uri = \"https://b.example:8443/out\""),
            &["4:26 error `backchannel_logout_uri` must be a URL without a fragment", "5:27 error `frontchannel_logout_uri` must be a URL with the scheme, host and port of one of"]),
        (format!("{secret}{uris}logo_uri = \"http://b.example/logo\""), &["4:12 error `logo_uri` must be an https URL"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(&format!("[clients.b]\n{lines}"), expected)));
    assert_all([added("client_secret = \"x\"", &["1:1 error unknown key `client_secret`"])]);
    let literal = BASE.replace("client_secret = { file = \"app\" }", "client_secret = \"hunter2\"");
    assert_problems(&literal, &["7:17 warning `client_secret` is written into the file"]);
    assert_problems(
        &literal.replace("hunter2", ""),
        &["7:17 error `client_secret` must be a secret that is not empty"],
    );
}

#[test]
fn what_an_app_says_of_itself() {
    let app = |lines: &str, expected: &[&str]| {
        mismatch(&BASE.replace("[roles.admin]", &format!("{lines}\n[roles.admin]")), expected)
    };
    assert_all([
        app("\"policy_uri#de\" = \"https://app.example/de\"\n\"tos_uri#pt-BR\" = \"https://app.example/br\"", &[]),
        app("\"client_uri#de\" = \"http://app.example\"", &["9:19 error `client_uri#de` must be an https URL"]),
        app(
            "\"policy_uri#de\" = \"https://app.example/de\"\n\"policy_uri#DE\" = \"https://app.example/at\"",
            &["9:1 error `policy_uri#de` is the same as `policy_uri#DE`: language tags are compared without case"],
        ),
        app("\"client_name#ja\" = \" \"", &["9:20 error `client_name#ja` must be a name"]),
        app("contacts = [\"helpdesk@app.example\", \"+1 555 0100\"]", &[]),
        app("contacts = [\"a@app.example\", \"\"]", &["9:30 error `contacts[1]` must be an email address"]),
        app("contacts = \"a@app.example\"", &["9:12 error `contacts` must be an array of strings"]),
    ]);
}

#[test]
fn an_algorithm_has_its_key() {
    let app = |lines: &str, expected: &[&str]| {
        mismatch(&BASE.replace("[roles.admin]", &format!("{lines}\n[roles.admin]")), expected)
    };
    assert_all([
        app(
            "userinfo_signed_response_alg = \"EdDSA\"",
            &[
                "9:32 error `userinfo_signed_response_alg` must be one of the algorithms in [keys] ~ add \"EdDSA\" to keys.algorithms",
            ],
        ),
        app("userinfo_signed_response_alg = \"ES256\"", &[]),
        app("id_token_signed_response_alg = \"PS256\"", &["9:32 error ~ one of the algorithms in [keys]"]),
        app(
            "request_object_signing_alg = \"XS256\"",
            &["9:30 error `request_object_signing_alg` must be one of none, HS256"],
        ),
        app("request_object_signing_alg = \"ES256\"", &["9:30 error ~ has no public keys ~ jwks_uri"]),
        app("request_object_signing_alg = \"ES256\"\njwks_uri = \"https://app.example/keys\"", &[]),
        app("request_object_signing_alg = \"HS256\"", &[]),
        app("request_object_signing_alg = \"none\"", &[]),
    ]);
}
