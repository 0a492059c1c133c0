//! Whether an app may be used, and which claims it gets.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::config::language::client::IdTokenClaims;
use crate::decision::account::AccountIds;
use crate::decision::claims::{OwnClaim, app_claims, unmet};
use crate::decision::policy::{BreakGlassPolicy, ClaimRule, ClientPolicy, Policy, ProviderPolicy};
use crate::decision::reason::Reason;
use crate::decision::subject;
use crate::decision::trace::{Refusal, Source, Stage, Trace};
use crate::expression::{Bindings, Reads, Variable};
use crate::protocol::{PROTOCOL_CLAIMS, is_absent};

/// Initial capacity for the claims that scopes release to an app.
const USUAL_CLAIMS: usize = 12;

/// The request of an app.
#[derive(Clone, Debug, Default)]
pub struct AppRequest<'a> {
    /// Key of the client.
    pub client: &'a str,
    /// Requested scopes.
    pub scopes: &'a [String],
    /// The `claims` parameter (OIDC Core §5.5).
    pub claims_request: Option<&'a Value>,
    /// Authentication context class of the session.
    pub acr: Option<&'a str>,
    /// Authentication methods of the session.
    pub amr: &'a [String],
    /// No access token is issued: the claims of the scopes are in the ID token (OIDC Core §5.4).
    pub id_token_alone: bool,
}

/// What an app gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Release {
    /// Granted scopes, in the order of the request.
    pub scopes: Vec<String>,
    /// Claims of the ID token, without those of the protocol.
    pub id_token: Map<String, Value>,
    /// Claims of userinfo, without `sub`.
    pub userinfo: Map<String, Value>,
    /// Claims of the access token, without those of RFC 9068 §2.2.
    pub access_token: Map<String, Value>,
}

/// The facts about the user that may be released to apps.
pub struct Subject<'a> {
    /// Stored attributes, after synchronisation.
    pub profile: &'a Map<String, Value>,
    /// The account's username.
    pub username: &'a str,
    /// What the account's subjects are made of.
    pub ids: &'a AccountIds,
    /// Upstream and local groups.
    pub groups: &'a [String],
    /// Granted roles.
    pub roles: &'a [String],
    /// Permissions of those roles.
    pub permissions: &'a [String],
}

impl Subject<'_> {
    /// A claim, by the name that scopes use. A claim without a value is omitted (OIDC Core §5.3.2), even if it was stored.
    fn claim(&self, name: &str) -> Option<Value> {
        let stored = || self.profile.get(name).filter(|value| !is_absent(value)).cloned();
        match name {
            "groups" => Some(self.groups.to_vec().into()),
            "roles" => Some(self.roles.to_vec().into()),
            "permissions" => Some(self.permissions.to_vec().into()),
            "preferred_username" => Some(stored().unwrap_or_else(|| self.username.into())),
            "username" => Some(self.username.into()),
            _ => stored(),
        }
    }
}

/// What upstream claims say about how the user signed in: `acr` and `amr` (OIDC Core §2).
#[must_use]
pub fn authentication(claims: &Map<String, Value>) -> (Option<String>, Vec<String>) {
    let acr = claims.get("acr").and_then(Value::as_str).map(str::to_owned);
    let amr = match claims.get("amr") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    (acr, amr)
}

/// Decides whether the app may be used and what it gets.
///
/// # Errors
/// The client is disabled or does not accept this provider, its `require` does not hold, or one of its claims fails.
pub fn release(
    policy: &Policy,
    provider: &ProviderPolicy,
    subject: &Subject<'_>,
    request: &AppRequest<'_>,
    mut trace: Trace,
) -> Result<(Release, Trace), Refusal> {
    let Some(client) = policy.clients.get(request.client).filter(|client| client.enabled) else {
        let source = policy.clients.get(request.client).map(|client| client.source.clone());
        return Err(trace.refuse(Stage::Client, source.as_ref(), Reason::ClientDisabled, "the client is disabled"));
    };
    let break_glass = policy.break_glass.as_ref().filter(|account| account.provider.id == provider.id);
    if let Some((source, text)) = not_accepted(client, provider, break_glass) {
        return Err(trace.refuse(Stage::Client, Some(source), Reason::ClientProviderNotAllowed, text));
    }
    let mut scopes = granted_scopes(policy, client, request.scopes, &mut trace);
    if let Some(account) = break_glass {
        trace.add(Stage::Client, Some(&account.clients.1), "the break-glass account may enter the client");
        without_offline_access(&mut scopes, &account.source, &mut trace);
    }
    let sub = subject::subject(client.sector.as_deref(), subject.ids);
    let bindings = app_bindings(policy, &client.reads, &provider.id, subject, request, &scopes);
    let bindings = bindings.with("sub", Variable::text(&sub));
    if let Some(require) = client.require.as_ref().filter(|_| break_glass.is_none()) {
        match require.expression.holds(&bindings) {
            Ok(true) => trace.add(Stage::Client, Some(&require.source), "require holds"),
            outcome => {
                let reason = Reason::ClientRequirementNotMet;
                return Err(trace.refuse(Stage::Client, Some(&require.source), reason, unmet("require", outcome)));
            }
        }
    }
    let own = match app_claims(&client.claims, &bindings) {
        Ok(own) => own,
        Err((source, text)) => {
            return Err(trace.refuse(Stage::Release, Some(&source), Reason::AppClaimFailed, text));
        }
    };
    drop(bindings);
    let release = assemble(policy, client, subject, request, scopes, own, &mut trace);
    Ok((release, trace))
}

/// Why the client does not accept this provider, or the break-glass account; `None` where it does.
fn not_accepted<'p>(
    client: &'p ClientPolicy,
    provider: &'p ProviderPolicy,
    break_glass: Option<&'p BreakGlassPolicy>,
) -> Option<(&'p Source, String)> {
    if let Some(account) = break_glass {
        let (clients, source) = &account.clients;
        let text = || "the client is not one that the break-glass account may enter".to_owned();
        return (!clients.contains(&client.key)).then(|| (source, text()));
    }
    if client.accepts(provider) {
        return None;
    }
    Some(match &client.providers {
        Some((_, source)) => (source, format!("the client does not accept provider {}", provider.id)),
        None => (&provider.source, format!("provider {} is hidden, and the client does not name it", provider.id)),
    })
}

/// What the break-glass account gets ends with its session.
fn without_offline_access(scopes: &mut Vec<String>, source: &Source, trace: &mut Trace) {
    let asked = scopes.len();
    scopes.retain(|scope| scope != "offline_access");
    if scopes.len() < asked {
        let text = "scope offline_access is left out: what the break-glass account gets ends with its session";
        trace.add(Stage::Release, Some(source), text);
    }
}

/// The requested scopes that exist and that the client may request.
fn granted_scopes(policy: &Policy, client: &ClientPolicy, asked: &[String], trace: &mut Trace) -> Vec<String> {
    let mut granted: Vec<String> = Vec::new();
    for scope in asked {
        if granted.contains(scope) {
            continue;
        }
        if policy.may_have(client, scope) {
            granted.push(scope.clone());
        } else {
            trace.add(
                Stage::Release,
                Some(&client.source),
                format!("scope {scope} is left out: the client may not ask for it"),
            );
        }
    }
    granted
}

/// What the conditions and claims of an app may read.
pub(crate) fn app_bindings<'v>(
    policy: &'v Policy,
    reads: &'v Reads,
    provider: &'v str,
    subject: &Subject<'v>,
    request: &AppRequest<'v>,
    scopes: &'v [String],
) -> Bindings<'v> {
    let groups = || Variable::strings(subject.groups);
    let user =
        Variable::object(subject.profile).with("username", Variable::text(subject.username)).with("groups", groups());
    Bindings::read_by(&policy.engine, reads)
        .with("user", user)
        .with("groups", groups())
        .with("roles", Variable::strings(subject.roles))
        .with("permissions", Variable::strings(subject.permissions))
        .with("provider", Variable::text(provider))
        .with("client", Variable::text(request.client))
        .with("scopes", Variable::strings(scopes))
        .with("acr", Variable::text(request.acr.unwrap_or_default()))
        .with("amr", Variable::strings(request.amr))
}

fn assemble(
    policy: &Policy,
    client: &ClientPolicy,
    subject: &Subject<'_>,
    request: &AppRequest<'_>,
    scopes: Vec<String>,
    own: Vec<OwnClaim>,
    trace: &mut Trace,
) -> Release {
    let mut by_scope = Map::with_capacity(USUAL_CLAIMS);
    for scope in &scopes {
        for name in policy.scopes.get(scope).map(|scope| scope.claims.as_slice()).unwrap_or_default() {
            // Iterating over the user's claims is faster: most users have few of the claims that a scope could release.
            if let Some(value) = subject.claim(name)
                && !is_protocol(name)
                && !own.iter().any(|(own, ..)| own == name)
            {
                by_scope.insert(name.clone(), value);
            }
        }
    }
    let mut userinfo = by_scope.clone();
    let mut id_token = match client.id_token_claims {
        IdTokenClaims::Minimal if !request.id_token_alone => Map::new(),
        IdTokenClaims::All | IdTokenClaims::Minimal => by_scope,
    };
    for (target, member) in [(&mut id_token, "id_token"), (&mut userinfo, "userinfo")] {
        for name in requested_claims(policy, client, request.claims_request, member) {
            if let Some(value) = subject.claim(&name) {
                target.insert(name, value);
            }
        }
    }
    for (name, value, source) in own {
        if is_protocol(&name) {
            continue;
        }
        let verb = if value.is_some() { "set by the client's claims" } else { "removed by the client's claims" };
        trace.add(Stage::Release, Some(&source), format!("claim {name}: {verb}"));
        match value {
            Some(value) => {
                id_token.insert(name.clone(), value.clone());
                userinfo.insert(name, value);
            }
            None => {
                id_token.remove(&name);
                userinfo.remove(&name);
            }
        }
    }
    let access_token = access_token_claims(client, subject, &scopes, &userinfo, &client.claims);
    Release { scopes, id_token, userinfo, access_token }
}

fn is_protocol(name: &str) -> bool {
    PROTOCOL_CLAIMS.contains(&name)
}

/// The claims that the `claims` parameter requests, restricted to those that the client's scopes could release.
fn requested_claims(policy: &Policy, client: &ClientPolicy, request: Option<&Value>, member: &str) -> Vec<String> {
    let Some(asked) = request.and_then(|request| request.get(member)).and_then(Value::as_object) else {
        return Vec::new();
    };
    let releasable: BTreeSet<&str> = client
        .scopes
        .iter()
        .filter_map(|scope| policy.scopes.get(scope))
        .flat_map(|scope| scope.claims.iter().map(String::as_str))
        .collect();
    asked.keys().filter(|name| releasable.contains(name.as_str()) && !is_protocol(name)).cloned().collect()
}

/// The names of what an app may receive about a user beyond the claims of these scopes: what the `claims` parameter requests,
/// the client's own claims in the file, and those of its access tokens. Sorted; it does not matter whether the user has them.
#[must_use]
pub fn beyond_scopes(policy: &Policy, client: &str, scopes: &[String], request: Option<&Value>) -> Vec<String> {
    let Some(client) = policy.clients.get(client) else { return Vec::new() };
    let by_scope: BTreeSet<&String> =
        scopes.iter().filter_map(|scope| policy.scopes.get(scope)).flat_map(|scope| &scope.claims).collect();
    let asked =
        ["id_token", "userinfo"].into_iter().flat_map(|member| requested_claims(policy, client, request, member));
    let own = client.claims.iter().map(|rule| rule.name.clone());
    let more = own.chain(client.access_token_claims.iter().cloned()).filter(|name| !is_protocol(name));
    let names: BTreeSet<String> = asked.chain(more).filter(|name| !by_scope.contains(name)).collect();
    names.into_iter().collect()
}

/// `groups` and `roles` of the granted scopes (RFC 9068 §2.2.3.1), and the claims listed in `access_token_claims`.
fn access_token_claims(
    client: &ClientPolicy,
    subject: &Subject<'_>,
    scopes: &[String],
    released: &Map<String, Value>,
    own: &[ClaimRule],
) -> Map<String, Value> {
    let mut claims = Map::new();
    for name in ["groups", "roles"] {
        if scopes.iter().any(|scope| scope == name)
            && let Some(value) = released.get(name)
        {
            claims.insert(name.to_owned(), value.clone());
        }
    }
    for name in client.access_token_claims.iter().filter(|name| !is_protocol(name)) {
        let is_own = own.iter().any(|rule| rule.name == *name);
        let value = released.get(name).cloned().or_else(|| if is_own { None } else { subject.claim(name) });
        if let Some(value) = value {
            claims.insert(name.clone(), value);
        }
    }
    claims
}
