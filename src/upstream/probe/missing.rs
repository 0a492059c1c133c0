//! What sign-ins through a provider would lack.

use crate::config::language::groups_from::{GroupSource, GroupsWhen};
use crate::config::language::provider::{ClaimsSource, Provider, ProviderResponseMode};
use crate::upstream::client_auth::auth_method;
use crate::upstream::hints::groups_hint;
use crate::upstream::metadata::Metadata;
use crate::upstream::settings::ProviderSettings;

/// What a sign-in through the provider would lack, according to its metadata.
pub(super) fn missing(settings: &ProviderSettings, declared: &Provider, metadata: &Metadata) -> Vec<String> {
    let mut missing = Vec::new();
    let lacks =
        |list: &Option<Vec<String>>, name: &str| list.as_ref().is_some_and(|list| !list.iter().any(|n| n == name));
    for scope in settings.scopes.iter().filter(|scope| lacks(&metadata.scopes, scope)) {
        missing.push(format!("scope {scope}: the provider's scopes_supported does not have it"));
    }
    let username = ["username", "preferred_username"];
    if !declared.claims.contains_key("username") && username.iter().all(|name| lacks(&metadata.claims, name)) {
        missing.push(
            "a username: the provider's claims_supported has neither username nor preferred_username; map one with \
             claims.username"
                .to_owned(),
        );
    }
    missing.extend(missing_groups(settings, declared, metadata));
    let from_userinfo = settings.claims_from.contains(&ClaimsSource::Userinfo);
    if from_userinfo && metadata.userinfo_endpoint.is_none() {
        missing.push("userinfo: the provider has no userinfo endpoint; claims come from the ID token alone".to_owned());
    }
    if settings.logout && metadata.end_session_endpoint.is_none() {
        missing.push("sign-out at the provider: it has no end_session_endpoint; sessions end here only".to_owned());
    }
    if settings.response_mode == Some(ProviderResponseMode::FormPost) && lacks(&metadata.response_modes, "form_post") {
        missing
            .push("response_mode = \"form_post\": the provider's response_modes_supported does not have it".to_owned());
    }
    if settings.response_mode != Some(ProviderResponseMode::FormPost) && lacks(&metadata.response_modes, "query") {
        missing.push(
            "an answer in the query: the provider's response_modes_supported does not have it; set response_mode = \
             \"form_post\""
                .to_owned(),
        );
    }
    // Where nothing is configured, the method is one that the metadata lists, or the best guess where it lists no fitting one.
    let method = auth_method(settings, metadata);
    if lacks(&metadata.auth_methods, method.name()) {
        let name = method.name();
        missing.push(format!("{name}: the provider's token_endpoint_auth_methods_supported does not have it"));
    }
    if !settings.uses_pkce(metadata) {
        missing.push("PKCE: the provider does not support S256, so codes are bound by the nonce alone".to_owned());
    }
    match (settings.dpop, &metadata.dpop_algs) {
        (true, None) => missing.push(
            "DPoP: the provider's metadata does not have dpop_signing_alg_values_supported; if it gives bearer tokens, \
             sign-ins fail"
                .to_owned(),
        ),
        (false, Some(_)) => missing.push(
            "tokens that are bound to a key: the provider supports DPoP; set dpop_bound_access_tokens = true"
                .to_owned(),
        ),
        _ => {}
    }
    for unusable in &metadata.unusable {
        missing.push(format!("{}: {}", unusable.endpoint, unusable.problem));
    }
    missing
}

/// The groups that a sign-in through the provider would lack.
fn missing_groups(settings: &ProviderSettings, declared: &Provider, metadata: &Metadata) -> Option<String> {
    let from = &settings.groups_from;
    if from.source == GroupSource::Graph && from.when == GroupsWhen::Overage {
        let missing = "groups, unless the app registration emits them (Token configuration, Add groups claim): Graph is asked \
                       only for those for whom a token has no room";
        return Some(missing.to_owned());
    }
    let sent = ["groups", "groups_direct", "group", "memberof", "memberOf"];
    let listed =
        metadata.claims.as_ref().is_none_or(|claims| claims.iter().any(|claim| sent.contains(&claim.as_str())));
    let lacks = from.source == GroupSource::Token && !declared.claims.contains_key("groups") && !listed;
    let way_out = groups_hint(declared.preset).filter(|_| lacks)?;
    Some(format!("groups: the provider's claims_supported does not have them; {way_out}"))
}
