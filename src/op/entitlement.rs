//! The part of a grant that its client may still have under the current file: the scopes and resources that were granted, less
//! those that the file has taken away since. Every endpoint at which a grant is used calls this module: redemption, refresh,
//! userinfo, introspection. The stored grant is not changed, so that whatever the file permits again works again.

use crate::op::RequestContext;
use crate::snapshot::client::Client;
use crate::store::{GrantView, StoreError};

/// Those of the scopes that exist and that the client may have.
#[must_use]
pub fn scopes(context: &RequestContext<'_>, client: &Client, scopes: &[String]) -> Vec<String> {
    let policy = &context.snapshot.policy;
    let Some(declared) = policy.clients.get(&client.key) else { return Vec::new() };
    scopes.iter().filter(|scope| policy.may_have(declared, scope)).cloned().collect()
}

/// Those of the resources (RFC 8707) that exist and whose tokens the client may have.
#[must_use]
pub fn resources(context: &RequestContext<'_>, client: &Client, resources: &[String]) -> Vec<String> {
    resources.iter().filter(|uri| may_reach(context, client, uri)).cloned().collect()
}

/// Whether the client may have tokens for a resource.
#[must_use]
pub fn may_reach(context: &RequestContext<'_>, client: &Client, uri: &str) -> bool {
    context.snapshot.resource(uri).is_some_and(|resource| resource.clients.contains(&client.key))
}

/// Whether the client still has what lets a grant outlive its session (OIDC Core §11). True of scopes without
/// `offline_access`, too.
#[must_use]
pub fn keeps_offline_access(context: &RequestContext<'_>, client: &Client, granted: &[String]) -> bool {
    let offline = |scopes: &[String]| scopes.iter().any(|scope| scope == "offline_access");
    !offline(granted) || offline(&scopes(context, client, granted))
}

/// The grant, bound again to the session that it was made in where its client lost `offline_access`.
///
/// # Errors
/// When the store can't be read.
pub async fn rebound(context: &RequestContext<'_>, mut view: GrantView) -> Result<GrantView, StoreError> {
    let client = context.snapshot.clients.get(&view.grant.client);
    let keeps = client.is_none_or(|client| keeps_offline_access(context, client, &view.grant.scopes));
    if keeps || view.grant.session_id.is_some() {
        return Ok(view);
    }
    view.grant.session_id = view.grant.sid.clone();
    view.session = match &view.grant.sid {
        Some(sid) => context.store().session_by_id(sid).await?.map(|found| found.session),
        None => None,
    };
    Ok(view)
}
