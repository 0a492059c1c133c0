//! Steps: whether the user must be asked for consent, and the page that asks (OIDC Core §3.1.2.4).
//!
//! Owns what a consent covers: scopes, and the individual claims that an app may receive beyond them, by the `claims`
//! parameter (§5.5) or by its own entry in the file. A consent covers exactly what the user agreed to.

use crate::config::language::client;
use crate::decision::app::beyond_scopes;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Admitted, Flow};
use crate::op::error::OAuthError;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::{ConsentPage, Next, Outcome, Stop};
use crate::op::session;
use crate::protocol::ErrorCode;
use crate::store::model::Consent;

/// What the user agrees to by a consent now.
pub(super) fn asked(flow: &Flow<'_>, request: &AuthorizeRequest, admitted: &Admitted) -> Consent {
    let Flow { context, client, .. } = *flow;
    let scopes = admitted.decision.release.as_ref().map(|release| release.scopes.clone()).unwrap_or_default();
    let claims = beyond_scopes(&context.snapshot.policy, &client.key, &scopes, request.claims.as_ref());
    Consent { user_id: admitted.user.id.clone(), client: client.key.clone(), scopes, claims, granted_at: context.now }
}

/// Whether a remembered consent covers the current request. A claim is covered by its own name, or by an agreed scope that
/// contains it.
fn covers(flow: &Flow<'_>, remembered: &Consent, asked: &Consent) -> bool {
    let by_scope = |claim: &String| {
        let scopes = remembered.scopes.iter().filter_map(|scope| flow.context.snapshot.policy.scopes.get(scope));
        scopes.flat_map(|scope| &scope.claims).any(|known| known == claim)
    };
    asked.scopes.iter().all(|scope| remembered.scopes.contains(scope))
        && asked.claims.iter().all(|claim| remembered.claims.contains(claim) || by_scope(claim))
}

/// Whether the user must be asked: the request has `prompt=consent`, or the client's `consent` is `explicit` and what the user
/// agreed to before does not cover what the app would get. A user who has just agreed is not asked.
///
/// # Errors
/// `consent_required` where no page may be shown; when the store can't be read.
pub(super) async fn is_due(flow: &Flow<'_>, request: &AuthorizeRequest, admitted: &Admitted) -> Result<bool, Stop> {
    let due = if admitted.agreed || request.to.client().is_none() {
        false
    } else if request.prompt.consent {
        true
    } else if flow.client.consent == client::Consent::Implicit {
        false
    } else {
        let remembered = flow.context.store().consent(&admitted.user.id, &flow.client.key).await?;
        !remembered.is_some_and(|remembered| covers(flow, &remembered, &asked(flow, request, admitted)))
    };
    if due && request.prompt.none {
        return Err(OAuthError::new(
            ErrorCode::ConsentRequired,
            "Your consent is needed, and this request does not let us ask for it.",
        )
        .into());
    }
    Ok(due)
}

/// Stores the request and shows the consent page.
///
/// # Errors
/// When the store or the generator is not available.
pub(super) async fn page(flow: &Flow<'_>, request: AuthorizeRequest, admitted: &Admitted) -> Result<Outcome, Stop> {
    let Flow { context, client, browser } = *flow;
    let Admitted { session, decision, .. } = admitted;
    let ui_locales = request.ui_locales.clone();
    let Consent { scopes, claims, .. } = asked(flow, &request, admitted);
    let pending = Pending::Consent { request: Box::new(request), session: session.id.clone() };
    let (interaction, cookies) = interaction::keep(context, &pending, browser).await?;
    let described = |name: String| {
        let description = context.snapshot.policy.scopes.get(&name).and_then(|scope| scope.description.clone());
        (name, description)
    };
    let page = ConsentPage {
        client: client.key.clone(),
        user: session::shown_name(&decision.profile, &decision.account.username).to_owned(),
        scopes: scopes.into_iter().map(described).collect(),
        claims,
        ui_locales,
        interaction,
    };
    Ok(Outcome { next: Next::Consent(page), cookies })
}
