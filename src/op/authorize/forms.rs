//! The forms of the sign-in page and of the consent page. Each is parsed once, and the stored request is resumed with the
//! stage that the user's answer brings it to.

use crate::excerpt;
use crate::op::RequestContext;
use crate::op::authorize;
use crate::op::authorize::repeatable;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Flow, Stage};
use crate::op::doubles::Turn;
use crate::op::error::PageError;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::outcome::{Browser, Next, Outcome};
use crate::op::params::{Form, Params};
use crate::store::ids::SessionId;
use crate::store::model::TokenHash;

/// The form of the sign-in page.
struct SignInForm<'p> {
    /// Id of what waits.
    csrf: &'p str,
    /// The provider that was picked.
    provider: Option<&'p str>,
    /// An address.
    email: Option<&'p str>,
    /// The session whose account was picked.
    account: Option<&'p str>,
}

impl<'p> Form<'p> for SignInForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self {
            csrf: params.text("csrf").unwrap_or_default(),
            provider: params.text("provider"),
            email: params.text("email"),
            account: params.text("account"),
        }
    }
}

/// The form of the consent page.
struct ConsentForm<'p> {
    /// Id of what waits.
    csrf: &'p str,
    /// The answer. A missing one counts as a refusal.
    decision: Option<&'p str>,
}

impl<'p> Form<'p> for ConsentForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { csrf: params.text("csrf").unwrap_or_default(), decision: params.text("decision") }
    }
}

/// Serves the sign-in page's form. The interaction stays stored, so that the user may come back and choose again.
pub async fn sign_in(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let (request, form) = match pending_sign_in(context, params, browser).await {
        Ok(found) => found,
        Err(error) => return Next::Error(error).into(),
    };
    if let Some(session) = form.account {
        return resume(context, browser, request, Stage::AccountPicked { session: SessionId::new(session) }).await;
    }
    let email = form.email.map(str::to_owned);
    let stage = Stage::ProviderPicked { provider: form.provider.map(str::to_owned), email: email.clone() };
    let login_hint = email.or(request.login_hint);
    resume(context, browser, AuthorizeRequest { login_hint, ..request }, stage).await
}

async fn pending_sign_in<'p>(
    context: &RequestContext<'_>,
    params: &'p Params,
    browser: &Browser,
) -> Result<(AuthorizeRequest, SignInForm<'p>), PageError> {
    let form = SignInForm::parse(params)?;
    if form.email.is_some_and(|email| email.len() > excerpt::LONGEST) {
        return Err(PageError::new(400, "invalid_request", "the address is too long"));
    }
    match interaction::find(context, form.csrf, browser).await? {
        Pending::SignIn(request) => Ok((*request, form)),
        _ => Err(interaction::other_form(context, form.csrf)),
    }
}

/// Serves the consent page's form. An answer is accepted once; a duplicate request gets the outcome of the first.
pub async fn consent(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let key = TokenHash::of(ConsentForm::read(params).csrf);
    let serving = match context.services.doubles.turn(key, context.now).await {
        Turn::First(serving) => Some(serving),
        Turn::Later(first) if first.is_of(browser) && repeatable(context, &first.outcome).await => {
            return first.outcome.clone();
        }
        Turn::Later(_) => None,
    };
    let (request, stage) = match pending_consent(context, params, browser).await {
        Ok(pending) => pending,
        Err(error) => return Next::Error(error).into(),
    };
    let outcome = resume(context, browser, request, stage).await;
    if let Some(serving) = serving {
        serving.ended(browser, outcome.clone());
    }
    outcome
}

async fn pending_consent(
    context: &RequestContext<'_>,
    params: &Params,
    browser: &Browser,
) -> Result<(AuthorizeRequest, Stage), PageError> {
    let form = ConsentForm::parse(params)?;
    let Pending::Consent { request, session } = interaction::find(context, form.csrf, browser).await? else {
        return Err(interaction::other_form(context, form.csrf));
    };
    interaction::take(context, form.csrf).await?;
    let mut request = *request;
    let stage = match form.decision {
        Some("allow") => Stage::Agreed { session },
        // Whoever is asked is not whom the session belongs to.
        Some("another_account") => {
            request.prompt.another_account = true;
            request.login_hint = None;
            Stage::SignInDue
        }
        _ => Stage::Declined,
    };
    Ok((request, stage))
}

async fn resume(context: &RequestContext<'_>, browser: &Browser, request: AuthorizeRequest, stage: Stage) -> Outcome {
    match Flow::resumed(context, browser, &request.to) {
        Ok(flow) => authorize::resume(&flow, request, stage).await,
        Err(error) => authorize::stopped(context, &request.to, error.into()),
    }
}
