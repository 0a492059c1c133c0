//! The form of the page that asks before a sign-out.

use crate::op::RequestContext;
use crate::op::doubles::Turn;
use crate::op::error::PageError;
use crate::op::interaction;
use crate::op::interaction::Pending;
use crate::op::logout::outcome::{Next, Outcome};
use crate::op::logout::sign_out::{after_sign_out, sign_out};
use crate::op::outcome::Browser;
use crate::op::params::{Form, Params};
use crate::op::session;
use crate::store::model::TokenHash;

/// The fields of the form.
struct ConfirmationForm<'p> {
    csrf: Option<&'p str>,
    decision: Option<&'p str>,
}

impl<'p> Form<'p> for ConfirmationForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { csrf: params.text("csrf"), decision: params.text("decision") }
    }
}

/// Serves the form that confirms a sign-out. A duplicate request gets the outcome of the first.
pub async fn confirmed(context: &RequestContext<'_>, params: &Params, browser: &Browser) -> Outcome {
    let form = ConfirmationForm::read(params);
    let key = TokenHash::of(form.csrf.unwrap_or_default());
    let serving = match context.services.logout_doubles.turn(key, context.now).await {
        Turn::First(serving) => Some(serving),
        Turn::Later(first) if first.is_of(browser) => return first.outcome.clone(),
        Turn::Later(_) => None,
    };
    match answer(context, &form, browser).await {
        Ok(outcome) => {
            if let Some(serving) = serving {
                serving.ended(browser, outcome.clone());
            }
            outcome
        }
        Err(error) => Next::Error(error).into(),
    }
}

async fn answer(
    context: &RequestContext<'_>,
    form: &ConfirmationForm<'_>,
    browser: &Browser,
) -> Result<Outcome, PageError> {
    let id = form.csrf.unwrap_or_default();
    let Pending::SignOut(request) = interaction::find(context, id, browser).await? else {
        return Err(interaction::other_form(context, id));
    };
    interaction::take(context, id).await?;
    if form.decision == Some("stay") {
        return Ok(Next::Stay.into());
    }
    match session::unexpired(context, browser).await? {
        Some(view) => sign_out(context, request, &view, browser).await,
        None => Ok(after_sign_out(&request, Vec::new(), false).into()),
    }
}
