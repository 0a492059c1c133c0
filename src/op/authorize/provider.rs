//! Steps: which provider the user signs in at. Chosen by the app's hint, by an address, because there is only one, or by
//! the user on the sign-in page.

use crate::config::resolved::Provider;
use crate::op::RequestContext;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Flow, Stage};
use crate::op::error::PageError;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::{AccountChoice, Choice, Next, Outcome, SetCookie, SignInPage, Stop};
use crate::snapshot::client::Client;

/// The provider whose `domains` an address belongs to.
fn by_address<'p>(context: &'p RequestContext<'_>, client: &'p Client, address: &str) -> Option<&'p Provider> {
    let (_, domain) = address.trim().rsplit_once('@')?;
    let fitting =
        context.snapshot.accepted(client).filter_map(|provider| Some((provider.fits_domain(domain)?, provider)));
    // Of several that fit equally well, the first.
    let best = fitting.reduce(|best, other| if other.0 > best.0 { other } else { best });
    best.map(|(_, provider)| provider)
}

/// Chooses the provider that the request names, that its `login_hint` belongs to, or that is the only one; otherwise the
/// user chooses.
///
/// # Errors
/// A page when no provider is enabled for the client.
pub(super) fn choose(flow: &Flow<'_>, request: &AuthorizeRequest) -> Result<Stage, Stop> {
    let (context, client) = (flow.context, flow.client);
    let hinted =
        request.provider_hint.as_ref().and_then(|hint| context.snapshot.accepted(client).find(|p| p.id == *hint));
    let addressed = || request.login_hint.as_deref().and_then(|hint| by_address(context, client, hint));
    if let Some(provider) = hinted.or_else(addressed) {
        return Ok(Stage::ProviderChosen(provider.id.clone()));
    }
    match context.snapshot.accepted(client).collect::<Vec<_>>().as_slice() {
        [] => {
            let detail = match request.to.client() {
                Some(client) => format!("no provider is enabled for client {client}"),
                None => "no provider is enabled that is not hidden".to_owned(),
            };
            Err(PageError::new(503, "sign_in_unavailable", detail).into())
        }
        [only] => Ok(Stage::ProviderChosen(only.id.clone())),
        _ => Ok(Stage::ProviderDue { unknown_address: false, account: None }),
    }
}

/// Chooses the provider that the user picked on the sign-in page, or whose domain the address is in. A form with neither leads
/// there.
///
/// # Errors
/// A page when the provider is not one of those that the client accepts.
pub(super) fn picked(flow: &Flow<'_>, provider: Option<String>, email: Option<String>) -> Result<Stage, Stop> {
    let (context, client) = (flow.context, flow.client);
    let named = provider.as_ref().and_then(|id| context.snapshot.accepted(client).find(|known| known.id == *id));
    let addressed = || email.as_deref().and_then(|email| by_address(context, client, email));
    match named.or_else(addressed) {
        Some(known) => Ok(Stage::ProviderChosen(known.id.clone())),
        None if provider.is_none() && email.is_some() => {
            Ok(Stage::ProviderDue { unknown_address: true, account: None })
        }
        None if provider.is_none() => Ok(Stage::SignInDue),
        None => Err(PageError::new(403, "provider_removed", "the provider is not offered here").into()),
    }
}

/// Stores the request and shows the sign-in page.
///
/// # Errors
/// When the store or the generator is not available.
pub(super) async fn page(
    flow: &Flow<'_>,
    request: AuthorizeRequest,
    unknown_address: bool,
    account: Option<AccountChoice>,
) -> Result<Outcome, Stop> {
    let Flow { context, client, browser } = *flow;
    let mut choices: Vec<Choice> = context
        .snapshot
        .accepted(client)
        .map(|provider| Choice {
            id: provider.id.clone(),
            name: provider.name.clone(),
            last_used: browser.last_providers.of(request.to.client()) == Some(&provider.id),
        })
        .collect();
    choices.sort_by_key(|choice| !choice.last_used);
    let by_address = context.snapshot.accepted(client).any(|provider| !provider.domains.is_empty());
    let (login_hint, ui_locales) = (request.login_hint.clone(), request.ui_locales.clone());
    let to = request.to.client().map(str::to_owned);
    let (interaction, mut cookies) = interaction::keep(context, &Pending::SignIn(Box::new(request)), browser).await?;
    if context.break_glass_enters(client) {
        cookies.push(SetCookie::Waiting(interaction.clone()));
    }
    let page =
        SignInPage { client: to, account, choices, by_address, login_hint, ui_locales, interaction, unknown_address };
    Ok(Outcome { next: Next::SignIn(page), cookies })
}
