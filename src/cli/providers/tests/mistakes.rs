//! The commonest mistakes of each product's administrators: `check` or `providers probe` reports each with the way out.
//!
//! A product has at least seven. Each is made here, alone, in a file or at a provider that is otherwise right: then its text is
//! printed, and without it, it is not. The errors of products are worded as the products word them.

use super::*;
use crate::cli::check::{self, CheckArgs};
use crate::support::provider::Answer;
use Wrong::{Claims, Issuer, Lines, Lost, NoLogout, Page, Redirect, Returned, Secretive, Token};

/// Where a mistake is made.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// In the file: these lines replace those of the same keys; `-key` removes one.
    Lines(&'static str),
    /// The token endpoint refuses: status, `error` and its description.
    Token(u16, &'static str, &'static str),
    /// The authorization endpoint sends the browser back with this `error` and description.
    Returned(&'static str, &'static str),
    /// It shows a page with this status and text.
    Page(u16, &'static str),
    /// It sends the browser to another page.
    Redirect(&'static str),
    /// `claims_supported` has no groups.
    Claims,
    /// The discovery document names this issuer.
    Issuer(&'static str),
    /// There is no discovery document.
    Lost,
    /// It signs ID tokens with the client secret, and has no keys.
    Secretive,
    /// The discovery document has no `end_session_endpoint`.
    NoLogout,
}

type Mistakes = &'static [(Wrong, &'static str)];

/// What is wrong, and what the command prints about it.
const PRESETS: &[(&str, Mistakes)] = &[
    (
        "entra",
        &[
            (Lines("tenants = [\"corp.onmicrosoft.com\"]"), "must be the id of a tenant (a UUID)"),
            (Lines("scopes = [\"openid\", \"email\"]"), "without it tokens lack `oid`"),
            (Lines("issuer = \"https://login.microsoftonline.com/9f3c/\""), "let it end with /v2.0"),
            (Lines("issuer = \"https://login.microsoftonline.com/common/v2.0\""), "`tenants` must be set"),
            (Lines("on_refresh = { claims = \"upstream\" }"), "add \"offline_access\" to `scopes`"),
            (Token(401, "invalid_client", "AADSTS7000215: Invalid client secret provided."), "not its Secret ID"),
            (Token(400, "unauthorized_client", "AADSTS700016: Application was not found"), "Application (client) ID"),
            (
                Token(401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired."),
                "has expired",
            ),
            (
                Page(200, "$Config={\"strServiceExceptionMessage\":\"AADSTS50011: The redirect URI does not match\"}"),
                "add it under Authentication, platform Web",
            ),
        ],
    ),
    (
        "google",
        &[
            (Lines("client_id = \"1234567890\""), "write the whole ID"),
            (Lines("hosted_domains = [\"gmail.com\"]"), "are of no organisation"),
            (Lines("scopes = [\"openid\", \"groups\"]"), "Google has no scope \"groups\""),
            (Lines("-create_users"), "would admit everyone in the world"),
            (Lines("on_refresh = { claims = \"upstream\" }"), "add \"offline_access\" to `scopes`"),
            (Token(401, "invalid_client", "The OAuth client was not found."), "must be the whole client ID"),
            (Token(401, "invalid_client", "The provided client secret is invalid."), "is not that of this client"),
            (
                // What the error page is given: an error in Protocol Buffers.
                Redirect("/signin/oauth/error?authError=ChVyZWRpcmVjdF91cmlfbWlzbWF0Y2gSIw%3D%3D&client_id=1"),
                "add it to the client's Authorized redirect URIs",
            ),
        ],
    ),
    (
        "okta",
        &[
            (Lines("issuer = \"https://acme-admin.okta.com\""), "write \"https://acme.okta.com\""),
            (Lines("on_refresh = { claims = \"upstream\" }"), "add \"offline_access\" to `scopes`"),
            (
                Token(401, "invalid_client", "The client secret supplied for a confidential client is invalid."),
                "copy the client secret from the tab General again",
            ),
            (Page(400, "Invalid value for &#39;client_id&#39; parameter."), "must be the Client ID on the tab General"),
            (
                Page(
                    400,
                    "The &#39;redirect_uri&#39; parameter must be a Login redirect URI in the client app settings",
                ),
                "add it to Sign-in redirect URIs",
            ),
            (
                Returned(
                    "invalid_scope",
                    "One or more scopes are not configured for the authorization server resource.",
                ),
                "a custom one has `groups` only if it is made",
            ),
            (Returned("access_denied", "Policy evaluation failed for this request"), "no access policy"),
            (Issuer("https://idp.example/oauth2/default"), "issuer is the Issuer URI of the authorization server"),
            (Claims, "add a groups claim"),
        ],
    ),
    (
        "keycloak",
        &[
            (Page(400, "<p>Invalid parameter: redirect_uri</p>"), "add it to Valid redirect URIs"),
            (Page(400, "<p>Client not found.</p>"), "client_id is of no client of this realm"),
            (Returned("unauthorized_client", "Standard flow is disabled for the client."), "switch on Standard flow"),
            (Returned("invalid_scope", "Invalid scopes: openid groups"), "a scope is not assigned to the client"),
            (Token(401, "unauthorized_client", "Invalid client or Invalid client credentials"), "the tab Credentials"),
            (Lost, "before Keycloak 17, /auth comes before"),
            (Issuer("http://keycloak:8080/realms/staff"), "Keycloak's option hostname"),
            (Claims, "add the mapper Group Membership"),
        ],
    ),
    (
        "authentik",
        &[
            (Lines("issuer = \"https://id.corp.example\""), "names no application"),
            (Lines("issuer = \"https://id.corp.example/application/o/authorize/\""), "is an endpoint of authentik"),
            (Lines("scopes = [\"openid\", \"email\"]"), "`scopes` lacks \"profile\""),
            (
                Lines("link_by = \"verified_email\"\nlink_with = [\"other\"]"),
                "of every address that it is not verified",
            ),
            (Lines("on_refresh = { claims = \"upstream\" }"), "add \"offline_access\" to `scopes`"),
            (
                Page(
                    400,
                    "The request fails due to a missing, invalid, or mismatching redirection URI (redirect_uri).",
                ),
                "Redirect URIs/Origins of the provider, with the mode Strict",
            ),
            (Page(400, "The client identifier (client_id) is missing or invalid."), "client_id is of no provider"),
            (Token(400, "invalid_client", "Client authentication failed"), "Client type must be Confidential"),
            (Issuer("https://idp.example/"), "Issuer mode"),
            (Secretive, "choose a signing key there"),
            (Claims, "the scope mapping for profile has them"),
        ],
    ),
    (
        "auth0",
        &[
            (Lines("issuer = \"https://manage.auth0.com/dashboard/eu/corp\""), "is the address of Auth0's dashboard"),
            (Lines("issuer = \"https://corp.eu.auth0.com/api/v2/\""), "write \"https://corp.eu.auth0.com/\""),
            (Lines("on_refresh = { claims = \"upstream\" }"), "add \"offline_access\" to `scopes`"),
            (Page(403, "<p>Callback URL mismatch.</p>"), "add it to Allowed Callback URLs"),
            (Page(400, "<p>Unknown client: broker</p>"), "client_id is of no application of this tenant"),
            (Token(401, "access_denied", "Unauthorized"), "must be a Regular Web Application"),
            (
                Token(403, "unauthorized_client", "Grant type 'authorization_code' not allowed for the client."),
                "under Advanced Settings, Grant Types",
            ),
            (Returned("access_denied", "Service not found: https://api.corp.example"), "of no API of this tenant"),
            (Secretive, "Auth0: RS256"),
            (NoLogout, "sign-out at the provider: it has no end_session_endpoint"),
            (Claims, "an Action of the Login flow sets them"),
        ],
    ),
    (
        "gitlab",
        &[
            (Lines("base_url = \"https://git.corp.example/oauth/authorize\""), "write \"https://git.corp.example\""),
            (Lines("-create_users\n-base_url"), "would admit everyone in the world"),
            (Lines("groups_from = \"gitlab\"\nscopes = [\"openid\", \"profile\"]"), "add \"read_api\""),
            (
                Page(401, "<h2>The redirect URI included is not valid.</h2>"),
                "add it to the application, one on each line",
            ),
            (
                Returned("invalid_scope", "The requested scope is invalid, unknown, or malformed."),
                "tick all of `scopes` in the application",
            ),
            (
                Token(
                    401,
                    "invalid_client",
                    "Client authentication failed due to unknown client, no client authentication",
                ),
                "compare client_id with Application ID",
            ),
            (Issuer("http://gitlab.internal"), "base_url is GitLab's external_url"),
            (Lost, "base_url is GitLab's external_url"),
        ],
    ),
    (
        "github",
        &[
            (Lines("client_id = \"123456\""), "`client_id` is the App ID"),
            (Lines("organizations = [\"acme/sre\"]"), "teams are groups"),
            (Lines("organizations = [\"https://github.com/acme\"]"), "the login of an organisation"),
            (Lines("base_url = \"https://github.corp.example/api/v3\""), "write \"https://github.corp.example\""),
            (Lines("issuer = \"https://github.com\""), "which knows it from `base_url`"),
            (Lines("-create_users\n-base_url"), "would admit everyone in the world"),
            (Lines("organizations = [\"acme\"]\nscopes = [\"read:user\"]"), "add \"read:org\""),
            (
                Token(200, "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."),
                "generate a new client secret on the app's page",
            ),
        ],
    ),
    (
        "apple",
        &[
            (Lines("team_id = \"ACME Inc\""), "it is at Membership details"),
            (Lines("key_id = \"AuthKey_ABC123DEFG\""), "it is on the key's page"),
            (Lines("client_id = \"A1B2C3D4E5.com.example.sso\""), "make a Services ID for the web"),
            (Lines("-key_id"), "with team_id, key_id and client_key the broker signs its secret"),
            (Lines("client_secret = { env = \"SECRET\" }"), "a secret of your own expires within six months"),
            (Lines("token_endpoint_auth_method = \"client_secret_basic\""), "\"client_secret_post\" for Apple"),
            (Lines("-create_users"), "would admit everyone in the world"),
            (Token(400, "invalid_client", "no"), "must be the Services ID and not the App ID"),
            (Page(200, "<p>invalid_request</p><p>Invalid web redirect url.</p>"), "the Return URLs of the Services ID"),
        ],
    ),
    (
        "adfs",
        &[
            (
                Lines("issuer = \"http://adfs.corp.example/adfs/services/trust\""),
                "write \"https://adfs.corp.example/adfs\"",
            ),
            (Lines("issuer = \"https://adfs.corp.example\""), "the discovery document of AD FS is below /adfs"),
            (Token(401, "invalid_client", "MSIS9622: Client authentication failed."), "reset it there"),
            (Page(400, "MSIS9223: Received invalid OAuth authorization request. The client_id"), "is unknown there"),
            (
                Page(400, "MSIS9224: Received invalid OAuth authorization request. The redirect_uri"),
                "add it to the server application",
            ),
            (
                Returned("access_denied", "MSIS9605: The client is not allowed to access the requested resource."),
                "may not use the resource",
            ),
            (
                Returned("invalid_grant", "MSIS9321: Received invalid OAuth request."),
                "has no permission for the web API",
            ),
            (Lost, "Get-AdfsEndpoint shows"),
        ],
    ),
    (
        "pingfederate",
        &[
            (Lines("issuer = \"https://ping.corp.example:9999\""), "is the address of the administrative console"),
            (
                Lines("issuer = \"https://ping.corp.example/as/authorization.oauth2\""),
                "write \"https://ping.corp.example\"",
            ),
            (
                Lines("claims = { groups = \"claims.memberof.map(dn, dn.after('CN=').before(','))\" }"),
                "the preset has read the distinguished names",
            ),
            (Page(400, "<p>Invalid redirect_uri</p>"), "the redirect URI is not registered"),
            (Page(400, "<p>Unknown or invalid client_id</p>"), "client_id is of no enabled OAuth client"),
            (Token(401, "invalid_client", "Invalid client or client credentials."), "reset the secret"),
            (Token(400, "unauthorized_client", "not allowed"), "allow the grant type Authorization Code"),
            (
                Returned("invalid_scope", "The requested scope(s) must be blank or a subset of the provided scopes."),
                "a scope is not allowed to the client",
            ),
            (Issuer("https://ping.internal:9031"), "issuer is the Base URL under System, Protocol Settings"),
            (Claims, "add memberof to the attribute contract"),
        ],
    ),
    (
        "linkedin",
        &[
            (Lines("scopes = [\"openid\", \"r_liteprofile\"]"), "is a scope of LinkedIn's former sign-in"),
            (Lines("scopes = [\"openid\", \"offline_access\"]"), "LinkedIn has no scope \"offline_access\""),
            (Lines("issuer = \"https://www.linkedin.com\""), "remove it: the preset knows it"),
            (Lines("client_id = \"226987654\""), "it is on the tab Auth of the app"),
            (Lines("claims = { username = \"claims.preferred_username\" }"), "LinkedIn sends no `preferred_username`"),
            (Lines("-create_users"), "would admit everyone in the world"),
            (
                Page(200, "<h1>Bummer, something went wrong.</h1>The redirect_uri does not match the registered value"),
                "add it to Authorized redirect URLs for your app",
            ),
            (Page(200, "The passed in client_id is invalid &quot;broker&quot;"), "and not the App ID"),
            (
                Returned("unauthorized_scope_error", "Scope &quot;openid&quot; is not authorized for your application"),
                "add the product Sign In with LinkedIn using OpenID Connect",
            ),
            (Token(401, "invalid_client", "Client authentication failed"), "Primary Client Secret"),
        ],
    ),
    (
        "oauth2",
        &[
            (Lines("-subject"), "plain OAuth 2.0 does not define a subject"),
            (Lines("subject = \"claims.login\""), "they would get the account"),
            (Lines("-userinfo_endpoint"), "`userinfo_endpoint` must be set"),
            (Lines("groups_from = \"userinfo\""), "this preset's groups are in its profile"),
            (Lines("jwks_uri = \"https://idp.example/jwks\""), "it is OAuth 2.0 without ID tokens"),
            (Token(401, "invalid_client", "no"), "the secret or key, and token_endpoint_auth_method"),
            (Token(404, "", ""), "status 404"),
            (Page(400, "no"), "register the redirect URI https://sso.example.com/callback/corp"),
        ],
    ),
];

/// The lines of `[providers.corp]` with which sign-ins work at the provider of [`provider`].
fn right(preset: &str) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("create_users", "false".to_owned()),
        ("client_id", "\"broker\"".to_owned()),
        ("client_secret", "{ env = \"SECRET\" }".to_owned()),
        ("issuer", format!("\"{}\"", issuer(preset))),
    ];
    let mut set = |key: &'static str, value: &str| {
        lines.retain(|(known, _)| *known != key);
        lines.extend((!value.is_empty()).then(|| (key, value.to_owned())));
    };
    match preset {
        "github" | "gitlab" => {
            set("issuer", "");
            set("base_url", "\"https://idp.example\"");
        }
        "google" => set("client_id", "\"1-a.apps.googleusercontent.com\""),
        "apple" => {
            set("client_secret", "");
            set("team_id", "\"A1B2C3D4E5\"");
            set("key_id", "\"ABC123DEFG\"");
            set("client_key", "{ file = \"key.p8\" }");
        }
        "oauth2" => {
            set("issuer", "");
            set("authorization_endpoint", "\"https://idp.example/authorize\"");
            set("token_endpoint", "\"https://idp.example/token\"");
            set("userinfo_endpoint", "\"https://idp.example/userinfo\"");
            set("subject", "\"string(claims.id)\"");
        }
        _ => {}
    }
    lines
}

fn issuer(preset: &str) -> &'static str {
    match preset {
        "authentik" => "https://idp.example/application/o/countersign",
        "adfs" => "https://idp.example/adfs",
        _ => "https://idp.example",
    }
}

fn file(preset: &str, wrong: Option<Wrong>) -> String {
    let mut lines = right(preset);
    let mut more = String::new();
    if let Some(Lines(text)) = wrong {
        for line in text.lines() {
            let key = line.trim_start_matches('-').split(" =").next().unwrap();
            lines.retain(|(known, _)| *known != key);
            more += if line.starts_with('-') { "" } else { line };
            more.push('\n');
        }
    }
    let lines: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!(
        "issuer = \"https://sso.example.com\"\n[providers.corp]\nname = \"Staff\"\npreset = \"{preset}\"\n{lines}{more}\
         [providers.other]\nissuer = \"https://other.example\"\nclient_id = \"x\"\nclient_secret = {{ env = \"SECRET\" }}\n"
    )
}

/// A provider that knows the broker, but for what is wrong.
fn provider(preset: &str, wrong: Option<Wrong>) -> Arc<Idp> {
    let idp = Arc::new(Idp::new(issuer(preset), ManualClock::at(0)));
    idp.authenticate(|_| true);
    let (authorize, token) = match preset {
        "github" => ("/login/oauth/authorize", "/login/oauth/access_token"),
        _ => ("/authorize", "token"),
    };
    if preset == "github" {
        idp.status(token, 200, json!({ "error": "bad_verification_code" }));
    }
    let back = |parameters: &[(&str, &str)]| {
        let url = url::Url::parse_with_params("https://sso.example.com/callback/corp", parameters).unwrap();
        Answer::Redirect(url.into())
    };
    match wrong {
        None | Some(Lines(_)) => {}
        Some(Token(status, "", "")) => {
            idp.answer(token, Answer::Raw(status, "text/html", b"<p>Not found</p>".to_vec()))
        }
        Some(Token(status, error, text)) => {
            idp.status(token, status, json!({ "error": error, "error_description": text }));
        }
        Some(Returned(error, text)) => idp.answer(authorize, back(&[("error", error), ("error_description", text)])),
        Some(Page(status, text)) => idp.answer(authorize, Answer::Raw(status, "text/html", text.as_bytes().to_vec())),
        Some(Redirect(target)) => idp.answer(authorize, Answer::Redirect(format!("https://idp.example{target}"))),
        Some(Claims) => idp.edit_discovery(|document| {
            document.insert("claims_supported".to_owned(), json!(["sub", "email", "preferred_username"]));
        }),
        Some(Issuer(issuer)) => idp.edit_discovery(move |document| {
            document.insert("issuer".to_owned(), json!(issuer));
        }),
        Some(Lost) => idp.status("discovery", 404, json!({})),
        Some(Secretive) => {
            idp.json("jwks", json!({ "keys": [] }));
            idp.edit_discovery(|document| {
                document.insert("id_token_signing_alg_values_supported".to_owned(), json!(["HS256"]));
            });
        }
        Some(NoLogout) => idp.edit_discovery(|document| {
            document.shift_remove("end_session_endpoint");
        }),
    }
    idp
}

/// What `check` says of a file, without snippets of it.
fn checked(file: &str) -> String {
    let files = Memory::of([("b.toml", file)]);
    let source = ConfigArgs { config: PathBuf::from("b.toml"), overlay: Vec::new() };
    let args = CheckArgs { source, without_secrets: true, ..CheckArgs::default() };
    let mut out = Vec::new();
    check::run(&args, &Environment::new(), &files, 0, &mut out, false).unwrap();
    String::from_utf8(out).unwrap()
}

/// What both commands say.
fn told(preset: &str, wrong: Option<Wrong>) -> String {
    let file = file(preset, wrong);
    if let Some(Lines(_)) = wrong {
        return checked(&file);
    }
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let (_, out) = ran_with(&file, &[("key.p8", &key)], probing(false, None), false, &provider(preset, wrong));
    format!("{}{out}", checked(&file))
}

#[test]
fn the_seven_commonest_mistakes_with_every_product_are_reported_with_the_way_out() {
    let schema: Value = serde_json::from_str(include_str!("../../../../schemas/broker.schema.json")).unwrap();
    let presets = schema.pointer("/$defs/Preset/oneOf").and_then(Value::as_array).unwrap();
    let names: Vec<&str> = presets.iter().filter_map(|preset| preset.get("const")?.as_str()).collect();
    for name in names.iter().filter(|name| **name != "generic") {
        assert!(PRESETS.iter().any(|(preset, _)| preset == name), "{name} has no list of mistakes");
    }
    let mut wrong = Vec::new();
    for (preset, mistakes) in PRESETS {
        assert!(names.contains(preset) && mistakes.len() >= 7, "{preset}");
        let without = told(preset, None);
        assert!(!without.contains("sign-ins would fail"), "{preset}: {without}");
        for (mistake, text) in *mistakes {
            let with = told(preset, Some(*mistake));
            if !with.contains(text) || without.contains(text) {
                wrong.push(format!("{preset}: {mistake:?} {text:?}\n{with}\nwithout it:\n{without}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
