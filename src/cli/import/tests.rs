//! Whole files: the result passes the real check, contains what it should, and contains no secrets.

use base64::Engine as _;

use crate::cli::import::*;
use crate::snapshot::Snapshot;

const DEX: &str = include_str!("../../../tests/fixtures/import/dex.yaml");
const DEX_SMALL: &str = include_str!("../../../tests/fixtures/import/dex-small.yaml");
const REALM: &str = include_str!("../../../tests/fixtures/import/realm.json");
const REALM_SMALL: &str = include_str!("../../../tests/fixtures/import/realm-small.json");

/// The file, and the generation that the real check makes of it without any problem or warning.
fn imported(import: Importer, text: &str) -> (String, Snapshot) {
    let (toml, problems) = finish(&import(text, None).unwrap());
    assert!(problems.is_empty(), "{problems:#?}\n{toml}");
    let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
    let files = Memory::of([("broker.toml", toml.as_str())]);
    let prepared = prepare(&inputs, &files, Options { number: 1, without_secrets: true, now: 0 }).unwrap();
    let shown: Vec<String> = prepared.problems.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{shown:#?}\n{toml}");
    (toml, prepared.snapshot.unwrap())
}

/// The comments of one kind in a file, unwrapped.
fn told(toml: &str, prefix: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let marks = ["Not supported: ", "Not built yet: ", "Changed: ", "To do: "];
    let mut open = false;
    for line in toml.lines() {
        let text = line.strip_prefix("# ");
        match text {
            Some(text) if marks.iter().any(|mark| text.starts_with(mark)) => {
                all.push(text.to_owned());
                open = true;
            }
            Some(text) if open && !text.starts_with('[') && !text.starts_with('`') && !text.contains(" = ") => {
                let last = all.last_mut().unwrap();
                last.push(' ');
                last.push_str(text);
            }
            _ => open = false,
        }
    }
    all.retain(|line| line.starts_with(prefix));
    all
}

fn assert_told(toml: &str, expected: &[(&str, &str)]) {
    for (mark, part) in expected {
        let all = told(toml, &format!("{mark}: "));
        assert!(all.iter().any(|line| line.contains(part)), "nothing is told as {mark:?} of {part:?}:\n{all:#?}");
    }
}

/// No line of the file, including comments, contains any of these.
fn assert_absent(toml: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!toml.contains(secret), "{secret} was written");
    }
}

fn at<'v>(toml: &'v toml::Table, path: &[&str]) -> &'v toml::Value {
    let mut value = toml.get(path[0]).unwrap_or_else(|| panic!("no {path:?}"));
    for step in &path[1..] {
        value = value.get(step).unwrap_or_else(|| panic!("no {path:?} at {step}"));
    }
    value
}

fn assert_values(toml: &str, expected: &[(&[&str], &str)]) {
    let parsed: toml::Table = toml.parse().unwrap();
    for (path, value) in expected {
        let wanted: toml::Table = format!("x = {value}").parse().unwrap();
        assert_eq!(Some(at(&parsed, path)), wanted.get("x"), "{path:?}");
    }
}

fn keys<V>(map: &std::collections::BTreeMap<String, V>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

#[test]
fn dex_becomes_a_file_that_passes_the_check() {
    let (toml, snapshot) = imported(dex::import, DEX);
    assert_eq!(keys(&snapshot.config.providers), ["certificate-2", "entra", "gl", "google", "hub", "okta"]);
    assert_eq!(keys(&snapshot.config.clients), ["argo-cd", "argo-cd-2", "cli", "grafana", "portal-one-admin"]);
    let scopes = "[\"openid\", \"profile\", \"email\", \"groups\", \"offline_access\"]";
    assert_values(
        &toml,
        &[
            (&["issuer"], "\"https://login.corp.example/dex\""),
            (&["server", "listen"], "[\"0.0.0.0:5554\"]"),
            (&["server", "tls"], "{ cert = \"/etc/dex/tls.crt\", key = \"/etc/dex/tls.key\" }"),
            (&["server", "trusted_proxies"], "[\"10.4.0.0/16\"]"),
            (&["admin", "listen"], "\"127.0.0.1:5558\""),
            (&["endpoints", "jwks"], "\"/keys\""),
            (&["tokens", "id_token"], "\"1d\""),
            (
                &["tokens", "refresh_token"],
                "{ max_inactive = \"90d\", max_lifetime = \"165d\", reuse_grace = \"3s\", rotate = false }",
            ),
            (&["providers", "okta", "client_secret"], "{ env = \"OKTA_SECRET\" }"),
            (&["providers", "okta", "token_endpoint_auth_method"], "\"client_secret_post\""),
            (&["providers", "okta", "email_verified"], "\"always\""),
            (&["providers", "okta", "allow"], r#""user.groups.intersects(['staff', 'it\\'s'])""#),
            (
                &["providers", "okta", "claims", "username"],
                "[\"claims.preferred_username\", \"claims.nick\", \"claims.email\", \"claims.sub\"]",
            ),
            (&["providers", "okta", "claims", "name"], "\"claims['full-name']\""),
            (&["providers", "certificate-2", "claims", "groups"], "\"[]\""),
            (&["providers", "certificate-2", "name"], "\"OK sign-in\""),
            (&["providers", "certificate-2", "client_secret"], "{ file = \"secrets/provider-certificate-2\" }"),
            (&["providers", "google", "allow"], "\"claims.hd in ['corp.example', 'corp.test']\""),
            (&["providers", "gl", "allow"], "\"false\""),
            (&["providers", "gl", "name"], "\"okta (gl)\""),
            (&["clients", "grafana", "scopes"], scopes),
            (&["clients", "grafana", "pkce"], "\"required\""),
            (&["clients", "grafana", "consent"], "\"explicit\""),
            (&["clients", "grafana", "redirect_uris"], "[\"https://grafana.corp.example/login/generic_oauth\"]"),
            (&["clients", "argo-cd-2", "client_secret"], "{ env = \"ARGOCD_CLIENT_SECRET\" }"),
            (&["clients", "argo-cd-2", "providers"], "[\"okta\", \"hub\"]"),
            (&["providers", "hub", "preset"], "\"github\""),
            (&["providers", "hub", "organizations"], "[\"corp\"]"),
            (&["providers", "hub", "allow"], "\"claims.groups.intersects(['corp/dev'])\""),
            (&["clients", "cli", "token_endpoint_auth_method"], "\"none\""),
            (&["clients", "cli", "application_type"], "\"native\""),
            (&["clients", "cli", "tokens", "refresh_token", "rotate"], "true"),
        ],
    );
    assert_absent(&toml, &["password-9d1", "-secret-", "bind-password", "$2a$10$", "hashhash"]);
    assert!(toml.contains("# sub = \"CiQwOGE4Njg0Yi1kYjg4LTRiNzMtOTBhOS0zY2QxNjYxZjU0NjYSBWxvY2Fs\""));
}

#[test]
fn what_dex_has_and_countersign_has_not_is_told_at_its_place() {
    let (toml, _) = imported(dex::import, DEX);
    assert_told(
        &toml,
        &[
            ("Changed", "every person gets a new `sub`"),
            ("Changed", "storage was `postgres`"),
            ("Changed", "`web.http` \"0.0.0.0:5556\" is not listened on"),
            ("To do", "the store can be on PostgreSQL"),
            ("To do", "`frontend`"),
            ("Not built yet", "`[device]`"),
            ("To do", "the response types token, id_token"),
            ("Not built yet", "the device flow, for `/device/callback`"),
            ("Changed", "teams are named by their slug"),
            ("To do", "accounts of several tenants"),
            ("Not supported", "`grpc`"),
            ("Not supported", "the grant type password"),
            ("Not supported", "PKCE with `plain`"),
            ("Not supported", "`https://*.preview.corp.example/login`"),
            ("Not supported", "`http://grafana.corp.example/login/generic_oauth`"),
            ("Not supported", "`trustedPeers` cli"),
            ("Not supported", "`web.allowedOrigins` *"),
            ("Not supported", "`insecureSkipVerify`"),
            ("Not supported", "`userIDKey`"),
            ("Not supported", "`promptType`"),
            ("To do", "`serviceAccountFilePath`"),
            ("Not supported", "Put an OpenID provider that speaks this protocol in between"),
            ("Not supported", "connectors for tests"),
            ("Not supported", "`enablePasswordDB`"),
            ("Changed", "the client id was Argo CD"),
            ("To do", "anyone can have an account"),
            ("To do", "the variable IDP_CLIENT"),
            ("To do", "the variable PORTAL_ID"),
            ("To do", "no redirect URI of this client could be kept"),
            ("To do", "register the redirect URI https://login.corp.example/dex/callback/okta"),
            ("To do", "`rootCAs`"),
            ("To do", "plain http"),
        ],
    );
    assert!(toml.contains("# [clients.anywhere]\n"));
}

#[test]
fn a_small_dex_needs_no_new_registration() {
    let (toml, snapshot) = imported(dex::import, DEX_SMALL);
    let corp = snapshot.providers.get("corp").unwrap();
    assert_eq!(corp.redirect_uri, "http://127.0.0.1:5556/dex/callback");
    assert_values(&toml, &[(&["providers", "corp", "claims_from"], "[\"id_token\"]")]);
    assert!(!toml.contains("consent"));
    let at_all: Vec<String> =
        ["Not supported: ", "Not built yet: "].iter().flat_map(|mark| told(&toml, mark)).collect();
    assert_eq!(at_all.len(), 1, "{at_all:#?}");
}

#[test]
fn a_realm_becomes_a_file_that_passes_the_check() {
    let (toml, snapshot) = imported(keycloak::import, REALM);
    assert_eq!(keys(&snapshot.config.providers), ["google", "partner", "sister"]);
    assert_eq!(keys(&snapshot.config.clients), ["batch", "desktop", "orders-api", "shop", "signed"]);
    assert_eq!(keys(&snapshot.config.roles), ["admin", "auditor", "member", "shop:clerk", "shop:manager"]);
    assert_eq!(keys(&snapshot.config.scopes), ["badge:read", "department"]);
    assert_eq!(keys(&snapshot.config.users), ["alice"]);
    let partner = snapshot.providers.get("partner").unwrap();
    assert_eq!(partner.redirect_uri, "https://sso.corp.example/auth/realms/corp/broker/partner/endpoint");
    assert_values(
        &toml,
        &[
            (&["issuer"], "\"https://sso.corp.example/auth/realms/corp\""),
            (&["endpoints", "token"], "\"/protocol/openid-connect/token\""),
            (&["tokens", "access_token"], "\"5m\""),
            (&["session"], "{ max_inactive = \"30m\", max_lifetime = \"10h\" }"),
            (&["providers", "partner", "client_secret"], "{ file = \"secrets/provider-partner\" }"),
            (&["providers", "partner", "email_verified"], "\"always\""),
            (&["providers", "partner", "asserted_roles"], "[\"admin\", \"auditor\", \"shop:clerk\", \"shop:manager\"]"),
            (&["providers", "partner", "claims", "given_name"], "\"claims.first_name\""),
            (&["providers", "partner", "claims", "user_domains"], "\"claims['odd-name']\""),
            (&["providers", "sister", "preset"], "\"keycloak\""),
            (&["providers", "sister", "issuer"], "\"https://kc.sister.example/realms/main\""),
            (&["providers", "sister", "create_users"], "false"),
            (&["providers", "google", "allow"], "\"false\""),
            (&["users", "alice", "sub"], "\"0b6f9a3c-1111-4222-8333-444455556666\""),
            (&["users", "alice", "links"], "[{ provider = \"partner\", sub = \"p-17\" }]"),
            (&["users", "alice", "roles"], "[\"admin\", \"auditor\", \"shop:manager\"]"),
            (&["clients", "shop", "redirect_uris"], "[\"https://shop.corp.example/login/callback\"]"),
            (&["clients", "shop", "allowed_origins"], "[\"https://admin.shop.corp.example\"]"),
            (&["clients", "shop", "backchannel_logout_uri"], "\"https://shop.corp.example/logout\""),
            (&["clients", "shop", "pkce"], "\"required\""),
            (&["clients", "shop", "consent"], "\"explicit\""),
            (&["clients", "shop", "tokens", "access_token"], "\"15m\""),
            (&["clients", "shop", "dpop_bound_access_tokens"], "true"),
            (&["clients", "shop", "claims", "cost.centre"], "\"user.costCentre\""),
            (&["clients", "shop", "claims", "shop"], "\"{'tier': 3}\""),
            (&["clients", "shop", "claims", "badge"], "\"('badge:read' in scopes ? user.badge : null)\""),
            (&["clients", "batch", "grant_types"], "[\"client_credentials\"]"),
            (&["clients", "orders-api", "grant_types"], "[]"),
            (&["clients", "desktop", "enabled"], "false"),
            (&["clients", "signed", "token_endpoint_auth_method"], "\"private_key_jwt\""),
            (&["clients", "signed", "jwks_uri"], "\"https://signed.corp.example/jwks\""),
        ],
    );
    let secrets = ["-secret-", "-password-", "hash-value", "salt-b2e"];
    assert_absent(&toml, &secrets);
}

#[test]
fn what_keycloak_has_and_countersign_has_not_is_told_at_its_place() {
    let (toml, _) = imported(keycloak::import, REALM);
    assert_told(
        &toml,
        &[
            ("Not supported", "`registrationAllowed`, `resetPasswordAllowed`, `bruteForceProtected`, `passwordPolicy`"),
            ("Not supported", "`smtpServer`"),
            ("Not supported", "user federation corp-ldap (ldap)"),
            ("To do", "`loginTheme`"),
            ("Changed", "refresh tokens rotate"),
            ("Not supported", "`storeToken`"),
            ("Not supported", "the flow our first login"),
            ("Not supported", "the mapper pattern (oidc-advanced-group-idp-mapper)"),
            ("Not supported", "the mapper note (hardcoded-user-session-attribute-idp-mapper)"),
            ("Changed", "`linkOnly`"),
            ("To do", "the preset is for this provider"),
            ("Not supported", "Most SAML providers speak OpenID Connect too"),
            ("To do", "users who have a password in this realm"),
            ("Not supported", "the attributes of the group /staff"),
            ("Not supported", "`credentials`"),
            ("Not supported", "roles of service accounts (service-account-batch)"),
            ("Not supported", "`directAccessGrantsEnabled`"),
            ("To do", "`implicitFlowEnabled`"),
            ("Not supported", "`https://shop.corp.example/*`"),
            ("Not supported", "`webOrigins` *"),
            ("To do", "`fullScopeAllowed` is off"),
            ("To do", "no provider fills the attribute costCentre"),
            ("Not supported", "the mapper orders puts orders-api into `aud`"),
            ("Not supported", "the mapper script (script-custom.js)"),
            ("Not supported", "the claim aud can't be set"),
            ("Changed", "realm_access, resource_access stood in the access token only"),
            ("Not supported", "the client https://saml.corp.example/metadata speaks saml"),
        ],
    );
    assert!(toml.contains("# [clients.spa-app]\n") && toml.contains("# [users.bob]\n"));
}

/// The effect of the realm's mappers, checked with a mapping test in the file itself.
#[test]
fn mappers_do_what_they_did() {
    let (toml, _) = imported(keycloak::import, REALM);
    let tests = r#"
[[tests]]
name = "groups, roles and claims"
provider = "partner"
claims = { sub = "p-99", login = "Dora", first_name = "D", groups = ["corp-admins"], org = { unit = "Sales", kind = "staff" }, roles = ["member", "shop:clerk"] }
client = "shop"
scopes = ["openid", "profile", "department"]
expect = { username = "partner.dora", groups = ["/staff", "/guests"], roles = ["admin", "auditor", "member", "shop:clerk", "shop:manager"], claims = { department = "Sales", first = "D", groups = ["staff", "guests"], shop = { tier = 3 } }, absent = ["badge", "cost.centre"] }

[[tests]]
name = "what the provider says of itself counts for nothing"
provider = "partner"
claims = { sub = "p-98", login = "eve", groups = ["/staff/leads"], roles = ["admin"] }
client = "shop"
scopes = ["openid"]
expect = { username = "partner.eve", groups = ["/guests"], roles = ["member", "shop:clerk"] }

[[tests]]
name = "a person who was in the realm keeps the sub"
provider = "partner"
claims = { sub = "p-17", login = "alice" }
client = "shop"
scopes = ["openid"]
expect = { sub = "0b6f9a3c-1111-4222-8333-444455556666", username = "alice" }

[[tests]]
name = "nobody comes in from the whole world"
provider = "google"
claims = { sub = "1", email = "x@gmail.example" }
client = "shop"
expect = { refused = "not_allowed" }
"#;
    assert_eq!(problems(&format!("{toml}{tests}")), [""; 0]);
}

#[test]
fn a_realm_without_providers_and_host_says_what_to_do() {
    let (text, problems) = finish(&keycloak::import(REALM_SMALL, None).unwrap());
    assert_eq!(problems, [""; 0]);
    assert_values(&text, &[(&["issuer"], "\"https://sso.example.com/realms/my%20realm\"")]);
    assert_told(
        &text,
        &[
            ("To do", "write the URL at which users and apps reach the broker"),
            ("To do", "users who have a password in this realm"),
            ("Not supported", "`authorizationSettings`"),
            ("Not supported", "`http://localhost:8080/sample/*`"),
        ],
    );
    assert!(text.contains("# [clients.sample]\n") && text.contains("[roles.user_premium]\n"));
    let given = keycloak::import(REALM_SMALL, Some("https://id.corp.example")).unwrap().render();
    assert_values(&given, &[(&["issuer"], "\"https://id.corp.example\"")]);
}

#[test]
fn what_is_neither_is_refused_with_the_reason_and_without_the_content() {
    for (import, text, expected) in [
        (dex::import as Importer, "", "is empty"),
        (dex::import, "# only a comment\n", "is empty"),
        (dex::import, "a: [1, 2\nsecret: hunter2", "is not YAML: line"),
        (dex::import, "just words", "is not a configuration of Dex"),
        (dex::import, "apiVersion: v1\nkind: ConfigMap\ndata: {}", "is a Kubernetes object"),
        (dex::import, "- issuer: x", "is not a configuration of Dex"),
        (keycloak::import, "", "is empty"),
        (keycloak::import, "{ \"realm\": \"hunter2\",", "is not JSON: line 1"),
        (keycloak::import, "{}", "is not the export of a Keycloak realm"),
        (keycloak::import, "{ \"realm\": \"x\" }", "is not the export of a Keycloak realm"),
        (keycloak::import, "{ \"clientId\": \"x\" }", "is one client"),
        (keycloak::import, "[{\"realm\": \"a\", \"clients\": []}, {\"realm\": \"b\"}]", "several realms"),
        (keycloak::import, "\"text\"", "is not the export of a Keycloak realm"),
        (keycloak::import, "{ \"realm\": \"x\", \"clients\": {} }", "`clients` is not a list"),
        (keycloak::import, "{ \"realm\": \"x\", \"users\": [], \"groups\": \"a\" }", "`groups` is not a list"),
    ] {
        let problem = import(text, None).unwrap_err();
        assert!(problem.contains(expected) && !problem.contains("hunter2"), "{text:?}: {problem}");
    }
}

/// Dex's configuration as charts and ConfigMaps hold it.
#[test]
fn dex_is_found_inside_what_deploys_it() {
    let dex = "issuer: https://dex.corp.example\nconnectors:\n- type: oidc\n  id: okta\n  config: { issuer: https://corp.okta.example, clientID: c, clientSecret: $OKTA }\nstaticClients:\n- { id: grafana, secret: s, redirectURIs: [https://grafana.corp.example/cb] }\n";
    let indented = |spaces: usize| {
        let space = " ".repeat(spaces);
        dex.lines().map(|line| format!("{space}{line}\n")).collect::<String>()
    };
    for text in [
        format!("replicaCount: 2\nconfig: |\n{}", indented(2)),
        format!("config:\n{}ingress: {{ enabled: true }}\n", indented(2)),
        format!("dex:\n  image: x\n  config: |\n{}", indented(4)),
        format!("dex:\n  config:\n{}", indented(4)),
        format!("data:\n  url: https://argocd.corp.example\n  dex.config: |\n{}", indented(4)),
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: dex }}\ndata:\n  config.yaml: |\n{}", indented(4)),
        format!("configs:\n  cm:\n    dex.config: |\n{}", indented(6)),
        format!("server:\n  config:\n    dex.config: |\n{}", indented(6)),
        format!("kind: HelmRelease\nspec:\n  values:\n    config:\n{}", indented(6)),
        format!("kind: Application\nspec:\n  source:\n    helm:\n      values: |\n        config:\n{}", indented(10)),
        format!("kind: Namespace\n---\nkind: ConfigMap\ndata:\n  config.yaml: |\n{}---\nkind: Service\n", indented(4)),
        format!("kind: List\nitems:\n- kind: Service\n- kind: ConfigMap\n  data:\n    config.yaml: |\n{}", indented(6)),
        format!("kind: Secret\ndata:\n  config.yaml: {}\n", base64::engine::general_purpose::STANDARD.encode(dex)),
    ] {
        let (toml, snapshot) = imported(dex::import, &text);
        assert_eq!(keys(&snapshot.config.providers), ["okta"], "{text}");
        assert_eq!(keys(&snapshot.config.clients), ["grafana"], "{text}");
        assert!(toml.contains("# It was below `"), "{toml}");
    }
    let (toml, _) = imported(dex::import, &format!("replicaCount: 2\nconfig: |\n{}ingress: {{}}\n", indented(2)));
    assert_told(&toml, &[("Not supported", "beside it in the file: `replicaCount`, `ingress`")]);
    let manifests =
        format!("kind: Namespace\n---\nkind: ConfigMap\ndata:\n  config.yaml: |\n{}---\n---\nname: x\n", indented(4));
    let (toml, _) = imported(dex::import, &manifests);
    assert_told(&toml, &[("Not supported", "beside it in the file: `kind`, `document 1, a Namespace`, `document 3`")]);
    let twice = dex::import(&format!("{dex}---\n{dex}"), None).unwrap_err();
    assert!(twice.contains("has 2 configurations of Dex"), "{twice}");
    let broken = dex::import("config: |\n  issuer: [hunter2\n", None).unwrap_err();
    assert!(broken.contains("has a `config` that is not YAML") && !broken.contains("hunter2"), "{broken}");
}

#[test]
fn a_key_that_nobody_knows_is_told_of() {
    let dex = r#"
issuer: https://dex.corp.example
conectors: [{ type: oidc }]
web: { http: 127.0.0.1:5556, alowedOrigins: ["https://a.example"] }
oauth2: { skipAprovalScreen: true }
expiry: { refreshTokens: { absoluteLifetme: 24h } }
storage: { typ: sqlite3 }
staticClients: [{ id: app, secret: hunter2, redirectURI: ["https://a.example"], redirectURIs: ["https://a.example/cb"] }]
staticPasswords: [{ email: a@corp.example, hsh: hunter2 }]
connectors:
- { type: oidc, id: okta, nam: Okta, config: { issuer: https://corp.okta.example, clientID: c, allowedGroup: [staff] } }
- { type: ldap, id: ldap, config: { host: ldap.corp.example, bindPW: hunter2 } }
"#;
    let (toml, _) = imported(dex::import, dex);
    assert_absent(&toml, &["hunter2"]);
    assert_told(
        &toml,
        &[
            ("To do", "the key conectors is not known, and nothing of it was imported; did you mean `connectors`?"),
            ("To do", "in `web`: the key alowedOrigins is not known"),
            ("To do", "in `oauth2`: the key skipAprovalScreen is not known"),
            ("To do", "in `expiry.refreshTokens`: the key absoluteLifetme is not known"),
            ("To do", "in `storage`: the key typ is not known"),
            ("To do", "in `staticClients` app: the key redirectURI is not known"),
            ("To do", "in `staticPasswords` a@corp.example: the key hsh is not known"),
            ("To do", "in `connectors` okta: the key nam is not known"),
            (
                "To do",
                "the key allowedGroup is not known, and nothing of it was imported; did you mean `allowedGroups`?",
            ),
            ("Not supported", "`host`, `bindPW` of its `config`: not imported"),
        ],
    );
}

#[test]
fn sections_of_another_type_are_told_of() {
    let dex = "issuer: https://dex.corp.example\nstaticClients: { app: { id: app } }\nconnectors: oidc\nweb: [http]\nstorage: { type: memory }\n";
    let (toml, _) = finish(&dex::import(dex, None).unwrap());
    assert_told(
        &toml,
        &[
            ("To do", "`staticClients` is not a list, and nothing of it was imported"),
            ("To do", "`connectors` is not a list"),
            ("To do", "`web` is not a table"),
        ],
    );
}

#[test]
fn a_client_of_dex_gets_no_more_scopes_and_grants_than_it_had() {
    let dex = |rest: &str| {
        format!(
            "issuer: https://dex.corp.example\nconnectors:\n- type: oidc\n  id: okta\n  config: {{ issuer: https://corp.okta.example, clientID: c, clientSecret: $OKTA }}\n\
             staticClients:\n- {{ id: app, secret: s, redirectURIs: [https://app.corp.example/cb], {rest} }}\n"
        )
    };
    let (toml, _) = imported(dex::import, &dex("allowedScopes: [email], allowedGrantTypes: [authorization_code]"));
    assert_values(
        &toml,
        &[
            (&["clients", "app", "scopes"], "[\"openid\", \"email\"]"),
            (&["clients", "app", "grant_types"], "[\"authorization_code\"]"),
        ],
    );
    let device = "allowedGrantTypes: [\"urn:ietf:params:oauth:grant-type:device_code\"]";
    let (toml, snapshot) = imported(dex::import, &dex(device));
    assert!(snapshot.config.clients.is_empty(), "{toml}");
    assert_told(&toml, &[("To do", "`allowedGrantTypes` has no authorization_code")]);
}

#[test]
fn no_key_of_a_realm_is_dropped_in_silence() {
    let realm = r#"{ "realm": "corp", "enabled": true, "displayName": "Corp", "regisrationAllowed": true, "localizationTexts": { "de": { "x": "hunter2" } },
      "otpPolicyDigits": 6, "failureFactor": 30, "id": "x", "attributes": { "frontendUrl": "https://sso.corp.example" },
      "roles": { "realm": [ { "name": "admin", "compositess": { "realm": ["hunter2"] }, "attributes": { "a": ["b"] } } ], "client": { "app": [ { "name": "clerk", "kind": "hunter2" } ] } },
      "groups": [ { "name": "staff", "subGroups": [ { "name": "it", "realmRole": ["admin"] } ] } ],
      "users": [ { "username": "bob", "federatedIdentity": [ { "userId": "hunter2" } ], "clientConsents": [ { "clientId": "app" } ] } ],
      "clientScopes": [ { "name": "extra", "protocolMapers": [] , "mappers": ["hunter2"] } ],
      "clients": [ { "clientId": "app", "secret": "hunter2", "redirectUris": ["https://app.corp.example/cb"], "consentRequird": true, "baseUrl": "/home",
          "description": "An app", "defaultClientScopes": [], "optionalClientScopes": [] } ],
      "identityProviders": [ { "alias": "up", "displayName": "Upstream", "providerId": "oidc", "linkonly": true, "config": { "issuer": "https://up.example", "clientId": "c" } } ] }"#;
    let (toml, _) = imported(keycloak::import, realm);
    assert_absent(&toml, &["hunter2"]);
    assert_told(
        &toml,
        &[
            ("To do", "the key regisrationAllowed is not known, and nothing of it was imported; did you mean"),
            ("Not supported", "`displayName`, `localizationTexts`: there is no equivalent here"),
            ("To do", "in the role admin: the key compositess is not known"),
            ("Not supported", "in the role admin: `attributes`: there is no equivalent here"),
            ("To do", "in the role clerk: the key kind is not known"),
            ("To do", "in the group it: the key realmRole is not known"),
            ("To do", "in the user bob: the key federatedIdentity is not known"),
            ("Not supported", "in the user bob: `clientConsents`"),
            ("To do", "in the client scope extra: the key mappers is not known"),
            (
                "To do",
                "the key consentRequird is not known, and nothing of it was imported; did you mean `consentRequired`?",
            ),
            ("Not supported", "`baseUrl`, `description`: there is no equivalent here"),
            ("To do", "the key linkonly is not known, and nothing of it was imported; did you mean `linkOnly`?"),
        ],
    );
    for silent in ["otpPolicyDigits", "failureFactor"] {
        assert!(!toml.contains(silent), "{silent} belongs to the provider, and is not worth a comment");
    }
}

/// The export of a realm with one identity provider.
fn realm_with(config: &str) -> String {
    format!(
        r#"{{ "realm": "corp", "enabled": true, "attributes": {{ "frontendUrl": "https://sso.corp.example" }}, "clients": [], "identityProviders": [
        {{ "alias": "up", "displayName": "Upstream", "providerId": "oidc", "config": {{ "issuer": "https://up.example", "clientId": "c", {config} }} }} ] }}"#
    )
}

#[test]
fn the_essential_claim_of_a_provider_stays_a_condition() {
    let tests = |claims: &str, expect: &str| {
        format!("[[tests]]\nname = {claims:?}\nprovider = \"up\"\nclaims = {claims}\nexpect = {expect}\n")
    };
    let (admitted, refused) = ("{ username = \"u\" }", "{ refused = \"not_allowed\" }");
    for (filter, yes, no) in [
        (
            r#""filteredByClaim": "true", "claimFilterName": "department", "claimFilterValue": "staff""#,
            &["department = \"staff\"", "department = [\"x\", \"staff\"]"][..],
            &["department = \"staffing\"", "other = 1", "department = []", "department = \"Staff\""][..],
        ),
        (
            r#""filteredByClaim": "true", "claimFilterName": "mail", "claimFilterValue": ".*@corp\\.example|ceo""#,
            &["mail = \"a@corp.example\"", "mail = \"ceo\""],
            &["mail = \"a@corp.example.evil\"", "mail = \"a@corpxexample\"", "mail = \"not-ceo\""],
        ),
        (
            r#""filteredByClaim": "true", "claimFilterName": "https://ns.example/tier", "claimFilterValue": "gold""#,
            &["\"https://ns.example/tier\" = \"gold\""],
            &["tier = \"gold\""],
        ),
    ] {
        let (toml, _) = imported(keycloak::import, &realm_with(filter));
        let claims = |claim: &str| format!("{{ sub = \"1\", preferred_username = \"u\", {claim} }}");
        let yes = yes.iter().map(|claim| tests(&claims(claim), admitted));
        let no = no.iter().map(|claim| tests(&claims(claim), refused));
        let all: String = yes.chain(no).collect();
        assert_eq!(problems(&format!("{toml}\n{all}")), [""; 0], "{toml}");
    }
    for filter in [
        r#""filteredByClaim": "true""#,
        r#""filteredByClaim": "true", "claimFilterName": "x", "claimFilterValue": "(?i)staff""#,
        r#""filteredByClaim": "true", "claimFilterName": "x", "claimFilterValue": "\\w+""#,
        r#""filteredByClaim": "true", "claimFilterName": "x", "claimFilterValue": "[""#,
    ] {
        let (toml, _) = imported(keycloak::import, &realm_with(filter));
        assert_values(&toml, &[(&["providers", "up", "allow"], "\"false\"")]);
        assert_told(&toml, &[("To do", "nobody is let in until")]);
    }
    let (toml, _) = imported(keycloak::import, &realm_with(r#""filteredByClaim": "false", "claimFilterName": "x""#));
    assert!(!toml.contains("allow ="), "{toml}");
}

#[test]
fn endpoints_elsewhere_are_written_or_told_of() {
    let all = r#""authorizationUrl": "https://login.up.example/a", "tokenUrl": "https://api.up.example/t", "jwksUrl": "https://up.example/keys", "userInfoUrl": "https://api.up.example/me", "logoutUrl": "https://login.up.example/out""#;
    let (toml, _) = imported(keycloak::import, &realm_with(all));
    assert_values(
        &toml,
        &[
            (&["providers", "up", "authorization_endpoint"], "\"https://login.up.example/a\""),
            (&["providers", "up", "token_endpoint"], "\"https://api.up.example/t\""),
            (&["providers", "up", "jwks_uri"], "\"https://up.example/keys\""),
            (&["providers", "up", "userinfo_endpoint"], "\"https://api.up.example/me\""),
        ],
    );
    assert_told(&toml, &[("Not supported", "`logoutUrl` https://login.up.example/out")]);
    let (toml, _) = imported(keycloak::import, &realm_with(r#""tokenUrl": "https://api.up.example/t""#));
    assert_told(&toml, &[("To do", "`tokenUrl` https://api.up.example/t: not below the issuer")]);
    let below = r#""authorizationUrl": "https://up.example/a", "tokenUrl": "https://up.example/t""#;
    let (toml, _) = imported(keycloak::import, &realm_with(below));
    assert!(!toml.contains("_endpoint"), "{toml}");
    let unknown = r#""claimFilterNam": "x", "validateSignature": "false", "syncMode": "IMPORT""#;
    let (toml, _) = imported(keycloak::import, &realm_with(unknown));
    assert_told(
        &toml,
        &[
            (
                "To do",
                "the key claimFilterNam is not known, and nothing of it was imported; did you mean `claimFilterName`?",
            ),
            ("Changed", "`validateSignature` was off"),
        ],
    );
    assert_values(&toml, &[(&["providers", "up", "sync"], "[]")]);
}

/// Names that could break out of their context, and values of the wrong type, produce a file that passes.
#[test]
fn odd_values_stay_where_they_are() {
    let dex_text = r#"
issuer: ["not", "a", "text"]
web: { http: ":5556" }
expiry: { idTokens: soon, refreshTokens: { validIfNotUsedFor: 9000h, absoluteLifetime: 24h, reuseInterval: 1h } }
oauth2: nonsense
staticClients:
  - { id: "a\"]\n[admin]\nlisten = \"0.0.0.0:1\"", secret: s, redirectURIs: ["https://a.example/cb"] }
  - { id: 7, secret: s, redirectURIs: "https://b.example/cb", name: "x\ny" }
  - { id: 7, secret: s, redirectURIs: ["https://c.example/cb"] }
  - { id: "日本", secret: s, redirectURIs: ["https://d.example/cb"], allowedConnectors: [gone] }
  - nothing
connectors:
  - { type: oidc, id: "日本", name: "\t", config: { issuer: "https://i.example", clientID: 1, claimMapping: { groups: "a'b\\c" }, insecureEnableGroups: true } }
  - { type: oidc, id: "日本", config: { issuer: "{{ .Env.ISSUER }}", clientID: x } }
  - { type: "ldap\n[admin]" }
  - { type: oidc }
"#;
    let (text, problems) = finish(&dex::import(dex_text, None).unwrap());
    assert_eq!(problems, [""; 0], "{text}");
    let parsed: toml::Table = text.parse().unwrap();
    assert!(parsed.get("admin").is_none());
    assert_values(
        &text,
        &[
            (&["issuer"], "\"https://sso.example.com\""),
            (&["tokens", "refresh_token"], "{ max_inactive = \"1d\", max_lifetime = \"1d\", reuse_grace = \"5m\" }"),
            (&["clients", "app", "providers"], "[]"),
            (&["providers", "provider", "claims", "groups"], r#""claims['a\\'b\\\\c']""#),
        ],
    );
    let realm = r#"{ "realm": "x\"\n[admin]", "enabled": true, "users": [
        { "username": "a\nb" }, { "username": "Carl", "realmRoles": ["r{x}", "new\nline"], "groups": "g" }, { "username": "carl" } ],
      "groups": [ { "name": "g{", "realmRoles": ["r{x}"] }, 3 ], "defaultGroups": ["/it's"],
      "clients": [ { "clientId": "c c", "redirectUris": ["https://c.example/cb"], "defaultClientScopes": ["it's", "a\"b"],
          "protocolMappers": [ { "name": "n\n[admin]", "protocolMapper": "oidc-hardcoded-claim-mapper",
            "config": { "claim.name": "a.b.c", "claim.value": "'\\", "id.token.claim": "true" } },
          { "protocolMapper": "oidc-hardcoded-claim-mapper", "config": { "claim.name": "a.b", "claim.value": "x", "id.token.claim": "true" } },
          { "protocolMapper": "oidc-hardcoded-claim-mapper", "config": { "claim.name": "scopes", "claim.value": "x", "id.token.claim": "true" } },
          { "protocolMapper": "oidc-hardcoded-claim-mapper", "config": { "claim.name": "j", "claim.value": "{\"k\":[1,true,null]}", "jsonType.label": "JSON", "id.token.claim": "true" } } ] } ],
      "identityProviders": [ { "alias": "a/../b", "providerId": "oidc", "config": { "issuer": "https://i.example", "clientId": "c" } },
        { "alias": "k", "providerId": "oidc", "config": { "issuer": "https://i.example?x", "clientId": "c" } } ],
      "identityProviderMappers": [ { "identityProviderAlias": "a/../b", "identityProviderMapper": "oidc-user-attribute-idp-mapper", "config": { "claim": "x.in.y", "user.attribute": "sub" } } ] }"#;
    let (text, problems) = finish(&keycloak::import(realm, None).unwrap());
    assert_eq!(problems, [""; 0], "{text}");
    let parsed: toml::Table = text.parse().unwrap();
    assert!(parsed.get("admin").is_none());
    assert_values(
        &text,
        &[
            (&["clients", "c-c", "claims", "a"], r#""{'b': {'c': '\\'\\\\'}}""#),
            (&["clients", "c-c", "claims", "j"], "\"{'k': [1, true, null]}\""),
            (&["providers", "a-b", "claims", "user_sub"], "\"claims.x['in'].y\""),
        ],
    );
}

fn command(source: ImportSource) -> (Exit, String, String) {
    let (mut out, mut messages) = (Vec::new(), Vec::new());
    let exit = run(&ImportArgs { source }, &mut out, &mut messages).unwrap();
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(messages).unwrap())
}

#[test]
fn the_command_writes_one_file_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("config.yaml"), folder.path().join("broker.toml"));
    let args = |out: Option<PathBuf>| ImportFile { file: file.clone(), out, issuer: None };
    let (exit, _, said) = command(ImportSource::Dex(args(None)));
    assert_eq!((exit, said.contains("can't be read")), (Exit::CouldNotRun, true), "{said}");
    std::fs::write(&file, DEX_SMALL).unwrap();
    let (exit, shown, said) = command(ImportSource::Dex(args(None)));
    assert_eq!(exit, Exit::Fine, "{said}");
    assert!(said.contains("providers: 1; clients: 1\n"), "{said}");
    let (exit, nothing, _) = command(ImportSource::Dex(args(Some(out.clone()))));
    assert_eq!((exit, nothing.as_str()), (Exit::Fine, ""));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), shown);
    let (exit, _, said) = command(ImportSource::Dex(args(Some(out))));
    assert_eq!((exit, said.contains("can't be written")), (Exit::CouldNotRun, true), "{said}");
    let (exit, _, said) = command(ImportSource::Keycloak(args(None)));
    assert_eq!((exit, said.contains("is not the export of a Keycloak realm")), (Exit::Problem, true), "{said}");
    let wrong = ImportFile { issuer: Some("sso.corp.example".to_owned()), ..args(None) };
    assert_eq!(command(ImportSource::Dex(wrong)).0, Exit::Usage);
}

/// The worked example in docs/migrating.md is the output of the command.
#[test]
fn the_documented_example_is_true() {
    let page = include_str!("../../../docs/migrating.md");
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let (toml, problems) = finish(&dex::import(&block("yaml"), None).unwrap());
    assert_eq!(problems, [""; 0]);
    for part in block("toml").split("\n\n") {
        assert!(toml.contains(part.trim()), "the result has no\n{part}\n\n{toml}");
    }
    assert_absent(&toml, &["kept-out-of-the-result"]);
}

/// Who comes in from GitHub, and the groups that apps get.
#[test]
fn a_github_connector_lets_in_whom_dex_let_in() {
    let connector = |config: &str| {
        let file = format!(
            "issuer: https://dex.corp.example\nconnectors:\n- type: github\n  id: github\n  name: GitHub\n  config:\n    clientID: g\n    clientSecret: $GITHUB_SECRET\n    redirectURI: https://dex.corp.example/callback\n{config}"
        );
        imported(dex::import, &file).0
    };
    let test = |name: &str, groups: &str, expect: &str| {
        format!(
            "[[tests]]\nname = \"{name}\"\nprovider = \"github\"\nclaims = {{ id = 7, login = \"dora\", organizations = [\"acme\", \"other\"], groups = {groups} }}\nexpect = {expect}\n"
        )
    };
    let refused = "{ refused = \"not_allowed\" }";
    let cases = [
        (
            "    orgs:\n    - name: acme\n      teams: [\"Platform Admins\", sre]\n    - name: open\n",
            vec![
                test(
                    "team",
                    "[\"acme\", \"acme/platform-admins\", \"acme/x\", \"else/y\"]",
                    "{ groups = [\"acme:platform-admins\"] }",
                ),
                test("other organisation", "[\"open\", \"open/z\"]", "{ groups = [\"open:z\"] }"),
                test("no team", "[\"acme\", \"acme/x\"]", refused),
                test("stranger", "[]", refused),
            ],
        ),
        (
            "    orgs:\n    - name: acme\n    teamNameField: slug\n",
            vec![
                test("member", "[\"acme\", \"acme/x\", \"else/y\"]", "{ groups = [\"acme:x\"] }"),
                test("without a team", "[\"acme\"]", "{ groups = [] }"),
            ],
        ),
        ("    org: acme\n", vec![test("the old key", "[\"acme\", \"acme/x\", \"else/y\"]", "{ groups = [\"x\"] }")]),
        ("", vec![test("the world", "[]", refused)]),
        ("    loadAllGroups: true\n", vec![test("the world", "[]", refused)]),
        ("    hostName: git.corp.example\n", vec![test("anybody there", "[\"a/b\"]", "{ groups = [] }")]),
        (
            "    hostName: git.corp.example\n    loadAllGroups: true\n",
            vec![test("all groups", "[\"a/b\"]", "{ groups = [\"acme\", \"other\", \"a:b\"] }")],
        ),
    ];
    for (config, tests) in cases {
        let toml = connector(config);
        assert_eq!(problems(&format!("{toml}{}", tests.concat())), [""; 0], "{toml}");
        assert_values(&toml, &[(&["providers", "github", "redirect_path"], "\"/callback\"")]);
    }
}

#[test]
fn a_client_id_in_a_secret_of_argo_cd_is_not_taken_for_one() {
    let dex = "data:\n  dex.config: |\n    connectors:\n    - type: github\n      id: github\n      config: { clientID: $dex.github.clientId, clientSecret: $dex.github.clientSecret, orgs: [{ name: acme }] }\n";
    let (toml, _) = imported(dex::import, dex);
    assert_told(&toml, &[("To do", "the variable dex.github.clientId")]);
}

#[test]
fn merge_keys_are_followed() {
    let dex = "common: &c { clientID: merged, clientSecret: $A, scopes: [email] }\nissuer: https://dex.corp.example\nconnectors:\n- { type: oidc, id: okta, config: { <<: *c, issuer: https://a.example, scopes: [profile] } }\n";
    let (toml, _) = imported(dex::import, dex);
    assert_values(
        &toml,
        &[
            (&["providers", "okta", "client_id"], "\"merged\""),
            (&["providers", "okta", "client_secret"], "{ env = \"A\" }"),
            (&["providers", "okta", "scopes"], "[\"openid\", \"profile\"]"),
        ],
    );
}

/// How clients and providers authenticate in Keycloak, where it is built here.
#[test]
fn keys_instead_of_secrets_are_kept() {
    let client = |id: &str, rest: &str| {
        format!("{{ \"clientId\": \"{id}\", \"redirectUris\": [\"https://{id}.example/cb\"], {rest} }}")
    };
    let clients = [
        client(
            "keys",
            r#""clientAuthenticatorType": "client-jwt", "attributes": { "use.jwks.url": "true", "jwks.url": "https://keys.example/jwks", "require.pushed.authorization.requests": "true" }"#,
        ),
        client(
            "signs",
            r#""clientAuthenticatorType": "client-secret-jwt", "attributes": { "request.object.signature.alg": "ES256", "tls.client.certificate.bound.access.tokens": "true" }"#,
        ),
        client("cert", r#""clientAuthenticatorType": "client-x509""#),
    ];
    let idp = |alias: &str, method: &str| {
        format!(
            "{{ \"alias\": \"{alias}\", \"providerId\": \"oidc\", \"config\": {{ \"issuer\": \"https://{alias}.example\", \"clientId\": \"c\", \"clientSecret\": \"hunter2\", \"clientAuthMethod\": \"{method}\" }} }}"
        )
    };
    let providers = [idp("sealed", "private_key_jwt"), idp("mac", "client_secret_jwt")];
    let realm = format!(
        "{{ \"realm\": \"x\", \"eventsListeners\": [\"jboss-logging\"], \"clients\": [{}], \"identityProviders\": [{}] }}",
        clients.join(", "),
        providers.join(", ")
    );
    let (toml, _) = imported(keycloak::import, &realm);
    assert_absent(&toml, &["hunter2", "Not built yet"]);
    assert_values(
        &toml,
        &[
            (&["clients", "keys", "token_endpoint_auth_method"], "\"private_key_jwt\""),
            (&["clients", "keys", "jwks_uri"], "\"https://keys.example/jwks\""),
            (&["clients", "keys", "require_pushed_authorization_requests"], "true"),
            (&["clients", "signs", "token_endpoint_auth_method"], "\"client_secret_jwt\""),
            (&["providers", "sealed", "client_key"], "{ file = \"secrets/provider-sealed-key\" }"),
            (&["providers", "mac", "token_endpoint_auth_method"], "\"client_secret_jwt\""),
        ],
    );
    assert_told(
        &toml,
        &[
            ("To do", "the app authenticates by certificate"),
            ("To do", "Keycloak signed with a key of the realm"),
            ("To do", "only request objects signed so are accepted"),
            ("To do", "declare [certificates], and remove the `#`"),
        ],
    );
}

#[test]
fn a_realm_is_read_as_operators_and_tools_hold_it() {
    let realm = "realm: main\nidentityProviders:\n- { alias: corp, providerId: oidc, config: { issuer: https://id.corp.example, clientId: c } }\nclients:\n- clientId: app\n  redirectUris: [https://app.example/cb]\n";
    let below: String = realm.lines().map(|line| format!("    {line}\n")).collect();
    let operator = format!(
        "apiVersion: k8s.keycloak.org/v2alpha1\nkind: KeycloakRealmImport\nspec:\n  keycloakCRName: kc\n  realm:\n{below}"
    );
    for text in [realm, &operator, &format!("kind: Namespace\n---\n{operator}")] {
        let (_, snapshot) = imported(keycloak::import, text);
        assert_eq!(keys(&snapshot.config.clients), ["app"], "{text}");
    }
    let several = keycloak::import(&format!("{realm}---\n{realm}"), None).unwrap_err();
    assert!(several.contains("several realms"), "{several}");
}
