//! Steps: whether the user must be asked for consent, and the page that asks (OIDC Core §3.1.2.4).

use crate::config::language::client::Consent;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Admitted, Flow};
use crate::op::error::OAuthError;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::{ConsentPage, Next, Outcome, Stop};
use crate::protocol::ErrorCode;

/// Whether the user must be asked: the request has `prompt=consent`, or the client's `consent` is `explicit` and what the
/// user agreed to before does not cover the scopes. Not where the user has just agreed.
///
/// # Errors
/// `consent_required` where no page may be shown; when the store can't be read.
pub(super) async fn is_due(flow: &Flow<'_>, request: &AuthorizeRequest, admitted: &Admitted) -> Result<bool, Stop> {
    let Admitted { user, decision, .. } = admitted;
    let due = if admitted.agreed {
        false
    } else if request.prompt.consent {
        true
    } else if flow.client.consent == Consent::Implicit {
        false
    } else {
        let remembered = flow.context.store().consent(&user.id, &flow.client.key).await?;
        let granted = decision.release.as_ref().map(|release| release.scopes.as_slice()).unwrap_or_default();
        !remembered.is_some_and(|consent| granted.iter().all(|scope| consent.scopes.contains(scope)))
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
    let pending = Pending::Consent { request: Box::new(request), session: session.id.clone() };
    let (interaction, cookies) = interaction::keep(context, &pending, browser).await?;
    let scopes = decision.release.iter().flat_map(|release| &release.scopes);
    let described = |name: &String| {
        let description = context.snapshot.policy.scopes.get(name).and_then(|scope| scope.description.clone());
        (name.clone(), description)
    };
    let name = decision.profile.get("name").and_then(|name| name.as_str());
    let page = ConsentPage {
        client: client.key.clone(),
        user: name.unwrap_or(&decision.account.username).to_owned(),
        scopes: scopes.map(described).collect(),
        ui_locales,
        interaction,
    };
    Ok(Outcome { next: Next::Consent(page), cookies })
}
