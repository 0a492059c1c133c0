//! Discovery (OIDC Discovery §3, RFC 8414 §2): what works with this configuration, and nothing else. Rendered once per
//! generation.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::decision::policy::Policy;
use crate::op::dpop;
use crate::protocol::paths::Endpoint;
use crate::protocol::{Algorithm, GrantType, ResponseType};
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;

/// The document of a generation, as JSON.
#[must_use]
pub fn document(snapshot: &Snapshot) -> &[u8] {
    snapshot.discovery(|snapshot| Value::Object(render(snapshot)).to_string().into_bytes())
}

fn render(snapshot: &Snapshot) -> Map<String, Value> {
    let Snapshot { config, policy, .. } = snapshot;
    let clients: Vec<&Client> = snapshot.clients.values().filter(|client| client.enabled).collect();
    let grants: BTreeSet<&str> = clients
        .iter()
        .flat_map(|client| client.grant_types.iter().map(|grant| grant.name()))
        .chain([GrantType::AuthorizationCode.name(), GrantType::RefreshToken.name()])
        .collect();
    let asks_for = |one: ResponseType| clients.iter().any(|client| client.may_ask_for(one));
    let response_types = ResponseType::ALL.into_iter().filter(|one| *one == ResponseType::Code || asks_for(*one));
    let response_types: Vec<&str> = response_types.map(ResponseType::name).collect();
    let scopes: BTreeSet<&str> =
        clients.iter().flat_map(|client| client.scopes.iter().map(String::as_str)).chain(["openid"]).collect();
    let scopes: Vec<&str> = scopes.into_iter().filter(|scope| policy.scopes.contains_key(*scope)).collect();
    let mut subject_types = BTreeSet::from([config.subject.kind.name()]);
    subject_types.extend(clients.iter().map(|client| client.subject_type.name()));
    let algorithms: Vec<&str> = config.keys.algorithms.iter().map(|alg| alg.name()).collect();
    let supported = json!({
        "response_types_supported": response_types,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": grants,
        "subject_types_supported": subject_types,
        "id_token_signing_alg_values_supported": algorithms,
        "userinfo_signing_alg_values_supported": algorithms,
        "scopes_supported": scopes,
        "claims_supported": claims(policy, &clients, &scopes),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": clients.iter().any(|client| !client.request_uris.is_empty()),
        "require_request_uri_registration": true,
        "request_object_signing_alg_values_supported": crate::op::authorize::request_object::algorithms(),
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(Algorithm::name),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": Snapshot::ui_locales(),
    });
    let mut document = endpoints(snapshot);
    document.extend(members(supported));
    document.extend(authentication(&clients));
    document.extend(logout_channels(&clients));
    document.extend(mutual_tls(snapshot));
    document.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    document
}

/// The members of an object.
fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The issuer and the endpoints that are served.
fn endpoints(snapshot: &Snapshot) -> Map<String, Value> {
    let served = Endpoint::ALL.into_iter().filter(|endpoint| endpoint.is_served());
    let url = |endpoint| snapshot.issuer.url_of(snapshot.config.endpoints.path(endpoint));
    let urls = served.map(|endpoint| (endpoint.metadata_name().to_owned(), Value::String(url(endpoint))));
    [("issuer".to_owned(), Value::String(snapshot.issuer.text.clone()))].into_iter().chain(urls).collect()
}

/// How clients authenticate (RFC 8414 §2).
fn authentication(clients: &[&Client]) -> Map<String, Value> {
    let methods: BTreeSet<&str> =
        clients.iter().flat_map(|client| client.auth_methods.iter().map(|method| method.name())).collect();
    let methods =
        if methods.is_empty() { BTreeSet::from(["client_secret_basic", "client_secret_post"]) } else { methods };
    let authenticated: Vec<&str> = methods.iter().copied().filter(|method| *method != "none").collect();
    let mut supported = members(json!({
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": authenticated,
        "revocation_endpoint_auth_methods_supported": methods,
    }));
    // Needed where a method signs.
    if methods.iter().any(|method| method.ends_with("_jwt")) {
        for endpoint in ["token", "introspection", "revocation"] {
            let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
            supported.insert(name, Algorithm::all_names().collect::<Vec<_>>().into());
        }
    }
    supported
}

/// What clients do at the proxy that forwards their certificates (RFC 8705 §3.3, §5).
fn mutual_tls(snapshot: &Snapshot) -> Map<String, Value> {
    let Some(section) = &snapshot.resolved.certificates else { return Map::new() };
    let mut document = members(json!({ "tls_client_certificate_bound_access_tokens": true }));
    if let Some(origin) = &section.origin {
        let url = |endpoint: Endpoint| {
            let path = snapshot.issuer.path_of(snapshot.config.endpoints.path(endpoint));
            (endpoint.metadata_name().to_owned(), Value::String(format!("{origin}{path}")))
        };
        let aliases: Map<String, Value> = WITH_CERTIFICATE.into_iter().map(url).collect();
        document.insert("mtls_endpoint_aliases".to_owned(), aliases.into());
    }
    document
}

/// The endpoints at which a client's certificate matters.
const WITH_CERTIFICATE: [Endpoint; 5] = [
    Endpoint::Token,
    Endpoint::Userinfo,
    Endpoint::Introspection,
    Endpoint::Revocation,
    Endpoint::PushedAuthorizationRequest,
];

/// OIDC Back-Channel Logout §2.1, Front-Channel Logout §3: each channel while a client uses it, always with `sid`.
fn logout_channels(clients: &[&Client]) -> Map<String, Value> {
    let back = clients.iter().any(|client| client.backchannel_logout_uri.is_some());
    let front = clients.iter().any(|client| client.frontchannel_logout_uri.is_some());
    [("backchannel", back), ("frontchannel", front)]
        .into_iter()
        .filter(|(_, used)| *used)
        .flat_map(|(channel, _)| [format!("{channel}_logout_supported"), format!("{channel}_logout_session_supported")])
        .map(|name| (name, Value::Bool(true)))
        .collect()
}

/// Every claim that some client can get.
fn claims(policy: &Policy, clients: &[&Client], scopes: &[&str]) -> Value {
    let mapped: BTreeSet<&str> = policy
        .providers
        .values()
        .filter(|provider| provider.enabled)
        .flat_map(|provider| provider.claims.iter().map(|rule| rule.name.as_str()))
        .chain(["preferred_username", "username", "permissions", "groups", "roles"])
        .collect();
    let by_scope = scopes.iter().filter_map(|scope| policy.scopes.get(*scope)).flat_map(|scope| &scope.claims);
    let own = clients.iter().filter_map(|client| policy.clients.get(&client.key)).flat_map(|client| &client.claims);
    let mut names: BTreeSet<&str> = by_scope.map(String::as_str).filter(|name| mapped.contains(name)).collect();
    names.extend(own.map(|rule| rule.name.as_str()));
    names.extend(["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"]);
    let hybrid = [ResponseType::CodeIdToken, ResponseType::CodeIdTokenToken];
    if clients.iter().any(|client| hybrid.into_iter().any(|one| client.may_ask_for(one))) {
        names.insert("c_hash");
    }
    names.into_iter().map(Value::from).collect()
}
