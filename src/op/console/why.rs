//! The decision on a user, made again with the claims of the last sign-in, as `countersign explain` makes it.

use crate::analysis::explain::{Asking, Explanation, explain};
use crate::analysis::known::{Known, KnownLink};
use crate::decision::app::{AppRequest, authentication};
use crate::decision::pipeline::Decision;
use crate::decision::trace::Refusal;
use crate::op::RequestContext;
use crate::op::decide;
use crate::op::error::PageError;
use crate::snapshot::client::Client;
use crate::store::Person;
use crate::store::model::{Link, User};

/// The upstream account of a user at a provider, with this subject there.
///
/// # Errors
/// A page when there is none.
pub fn link<'p>(person: &'p Person, provider: &str, subject: &str) -> Result<&'p Link, PageError> {
    let found = person.links.iter().find(|link| link.key.provider == provider && link.key.subject == subject);
    found.ok_or_else(|| PageError::new(404, "not_found", "the user has no such account at the provider"))
}

/// Explains the decision on a user through one upstream account, for a sign-in alone or for an app with all scopes that it may
/// ask for.
#[must_use]
pub fn explained(context: &RequestContext<'_>, user: &User, link: &Link, client: Option<&Client>) -> Explanation {
    let known = Known { account: decide::account(user), links: Vec::new() };
    let link = KnownLink {
        provider: link.key.provider.clone(),
        issuer: link.key.issuer.clone(),
        subject: link.key.subject.clone(),
        claims: link.claims.clone(),
        claims_at: link.claims_at,
    };
    let subject = client.map(|client| decide::subject(client, user)).unwrap_or_default();
    let asking = client.map(|client| Asking { client: &client.key, scopes: &[], subject: &subject });
    explain(&context.snapshot.policy, &known, &link, asking)
}

/// Decides as [`explained`] does, without the reasons.
///
/// # Errors
/// The refusal.
pub fn decide(
    context: &RequestContext<'_>,
    user: &User,
    link: &Link,
    client: Option<&Client>,
) -> Result<Decision, Refusal> {
    let (acr, amr) = authentication(&link.claims);
    let request = client.map(|client| AppRequest {
        client: &client.key,
        scopes: &client.scopes,
        acr: acr.as_deref(),
        amr: &amr,
        ..AppRequest::default()
    });
    decide::standing(context, user, link, request.as_ref())
}
