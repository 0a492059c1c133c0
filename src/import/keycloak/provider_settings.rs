//! Settings of an identity provider that determine who may sign in and which addresses are called, and unknown settings.

use serde_json::Value;

use crate::config::check::urls::{Http, web_url};
use crate::config::language::cel_source::{cel_list, cel_path, cel_text};
use crate::config::language::role_pattern::RolePattern;
use crate::import::document::{Mark, Table};
use crate::import::read::{is_set, on, text};
use crate::import::words::unknown_keys;

/// The conditions of `allow`: hosted domains, and the essential claim.
pub(crate) fn conditions(config: &Value, table: &mut Table) -> Vec<String> {
    let hosted: Vec<String> = text(config, "hostedDomain")
        .into_iter()
        .flat_map(|it| it.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    let mut conditions = match hosted.as_slice() {
        [] => vec![],
        [any] if any == "*" => vec!["has(claims.hd)".to_owned()],
        domains => vec![format!("claims.hd in {}", cel_list(domains))],
    };
    if on(config, "filteredByClaim") || on(config, "essentialClaim") {
        conditions.push(essential_claim(config, table));
    }
    conditions
}

/// Keycloak accepts a claim if a regular expression matches its whole value, or one item of a list.
fn essential_claim(config: &Value, table: &mut Table) -> String {
    let name = text(config, "claimFilterName").or_else(|| text(config, "essentialClaimName"));
    let pattern = text(config, "claimFilterValue").or_else(|| text(config, "essentialClaimValue"));
    let (Some(name), Some(pattern)) = (name, pattern) else {
        table.note(
            Mark::ToDo,
            "the essential claim (`filteredByClaim`) names no claim or no value: nobody is let in until `allow` says who.",
        );
        return "false".to_owned();
    };
    let claim = cel_path("claims", std::slice::from_ref(&name));
    let plain = pattern.chars().all(|c| c.is_alphanumeric() || " _-@:/,".contains(c));
    if plain {
        table.note(Mark::Plain, format!("the essential claim {name}"));
        return format!("[{claim}].flatten().exists(v, string(v) == {})", cel_text(&pattern));
    }
    if !reads_the_same(&pattern) {
        table.note(
            Mark::ToDo,
            format!(
                "the essential claim {name} has to match `{pattern}`, which reads differently here: nobody is let in until \
                 `allow` says who."
            ),
        );
        return "false".to_owned();
    }
    table.note(Mark::Plain, format!("the essential claim {name}, whose value matches `{pattern}` as a whole"));
    format!("[{claim}].flatten().exists(v, string(v).matches({}))", cel_text(&format!("^(?:{pattern})$")))
}

/// Whether a Java regular expression certainly has the same meaning here. Character classes by letter are ASCII in Java and
/// Unicode here, and groups with `?` differ.
fn reads_the_same(pattern: &str) -> bool {
    let mut escaped = false;
    for c in pattern.chars() {
        if escaped && c.is_ascii_alphanumeric() {
            return false;
        }
        escaped = c == '\\' && !escaped;
    }
    !pattern.contains("(?") && !pattern.contains("&&") && RolePattern::read(pattern).is_ok()
}

/// Endpoints that are not below the issuer. If the export has all that a sign-in needs, they are written and replace
/// discovery; otherwise a comment lists them.
pub(crate) fn endpoints(config: &Value, issuer: &str, table: &mut Table) {
    const NAMES: [(&str, &str); 5] = [
        ("authorizationUrl", "authorization_endpoint"),
        ("tokenUrl", "token_endpoint"),
        ("jwksUrl", "jwks_uri"),
        ("userInfoUrl", "userinfo_endpoint"),
        ("logoutUrl", "end_session_endpoint"),
    ];
    let base = format!("{}/", issuer.trim_end_matches('/'));
    let all: Vec<(&str, &str, String)> =
        NAMES.iter().filter_map(|(from, key)| Some((*from, *key, text(config, from)?))).collect();
    let outside: Vec<String> = all
        .iter()
        .filter(|(_, _, url)| !url.starts_with(&base))
        .map(|(from, _, url)| format!("`{from}` {url}"))
        .collect();
    if outside.is_empty() {
        return;
    }
    let usable = |key: &str| all.iter().any(|(_, known, url)| *known == key && web_url(url, Http::Loopback).is_ok());
    if ["authorization_endpoint", "token_endpoint", "jwks_uri"].into_iter().all(usable) {
        table.note(Mark::Plain, "endpoints as Keycloak had them, not below the issuer: discovery is not asked");
        for (_, key, url) in all.iter().filter(|(_, key, _)| usable(key) && *key != "end_session_endpoint") {
            table.set(key, url.as_str());
        }
        if let Some((_, _, url)) = all.iter().find(|(_, key, _)| *key == "end_session_endpoint") {
            let why = "sign-out at the provider needs its discovery document";
            table.note(Mark::NotSupported, format!("`logoutUrl` {url}: {why}."));
        }
        return;
    }
    table.note(
        Mark::ToDo,
        format!(
            "{}: not below the issuer. The endpoints of the provider's discovery document are called; where it has none, \
             write authorization_endpoint, token_endpoint and jwks_uri.",
            outside.join(", ")
        ),
    );
}

/// Comments on settings that behave differently and on unknown ones.
pub(crate) fn left_out(idp: &Value, config: &Value, table: &mut Table) {
    for (key, why) in [
        ("prompt", "`prompt` comes from the app's request and is passed on."),
        ("forwardParameters", "see `forward`."),
        ("allowedClockSkew", "the allowed clock skew is fixed."),
        ("publicKeySignatureVerifier", "keys are those of the provider's `jwks_uri`."),
        ("offlineAccess", "add offline_access to `scopes`."),
        ("uiLocales", "`ui_locales` of the app's request is passed on."),
        ("disableNonce", "the nonce is always sent and verified."),
        ("userIp", "people's addresses are not sent to the provider."),
        ("jwtX509HeadersEnabled", "keys are known by `kid`."),
    ] {
        if is_set(config, key) && text(config, key).as_deref() != Some("false") {
            table.note(Mark::NotSupported, format!("`{key}`: {why}"));
        }
    }
    if text(config, "validateSignature").as_deref() == Some("false") {
        table.note(Mark::Changed, "`validateSignature` was off: signatures are always verified.");
    }
    for key in ["storeToken", "addReadTokenRoleOnCreate", "authenticateByDefault"] {
        if on(idp, key) {
            table.note(
                Mark::NotSupported,
                format!("`{key}`: an app never receives the provider's tokens; `providers` of a client selects its providers."),
            );
        }
    }
    if text(config, "syncMode").as_deref() == Some("IMPORT") {
        table.note(Mark::Plain, "`syncMode` IMPORT: the profile of the first sign-in stays");
        table.set("sync", Vec::<String>::new());
    }
    let flow = text(idp, "firstBrokerLoginFlowAlias").filter(|flow| flow != "first broker login");
    for flow in flow.into_iter().chain(text(idp, "postBrokerLoginFlowAlias")) {
        table.note(Mark::NotSupported, format!("the flow {flow}: see `link_by`, `create_users` and `allow`."));
    }
    for note in unknown_keys(idp, KNOWN).into_iter().chain(unknown_keys(config, KNOWN_CONFIG)) {
        table.note(Mark::ToDo, note);
    }
}

/// Keys of an identity provider that are imported, are mentioned in a comment, or have no meaning here.
const KNOWN: &[&str] = &[
    "alias",
    "displayName",
    "internalId",
    "providerId",
    "enabled",
    "trustEmail",
    "storeToken",
    "addReadTokenRoleOnCreate",
    "authenticateByDefault",
    "linkOnly",
    "hideOnLogin",
    "firstBrokerLoginFlowAlias",
    "postBrokerLoginFlowAlias",
    "config",
    "mappers",
    "updateProfileFirstLoginMode",
    "updateProfileFirstLogin",
    "organizationId",
    "types",
];

const KNOWN_CONFIG: &[&str] = &[
    "issuer",
    "clientId",
    "clientSecret",
    "clientAuthMethod",
    "clientAssertionSigningAlg",
    "defaultScope",
    "hostedDomain",
    "filteredByClaim",
    "claimFilterName",
    "claimFilterValue",
    "essentialClaim",
    "essentialClaimName",
    "essentialClaimValue",
    "authorizationUrl",
    "tokenUrl",
    "jwksUrl",
    "userInfoUrl",
    "logoutUrl",
    "tokenIntrospectionUrl",
    "prompt",
    "forwardParameters",
    "allowedClockSkew",
    "publicKeySignatureVerifier",
    "publicKeySignatureVerifierKeyId",
    "offlineAccess",
    "uiLocales",
    "disableNonce",
    "userIp",
    "jwtX509HeadersEnabled",
    "validateSignature",
    "useJwksUrl",
    "syncMode",
    "hideOnLoginPage",
    "backchannelSupported",
    "disableUserInfo",
    "pkceEnabled",
    "pkceMethod",
    "loginHint",
    "passMaxAge",
    "guiOrder",
    "metadataDescriptorUrl",
    "sendIdTokenOnLogout",
    "sendClientIdOnLogout",
    "acceptsPromptNoneForwardFromClient",
    "tenant",
    "tenantId",
    "isAccessTokenJWT",
    "caseSensitiveOriginalUsername",
    "key",
    "showInAccountConsole",
];
