//! Decides on the person whom a provider vouches for, with what is stored, and has the sign-in written. Both are repeated if
//! another sign-in has changed what the decision was based on.

use serde_json::{Map, Value};

use crate::analysis::explain::{Condition, refusing};
use crate::decision::account::{AccountFacts, AccountIds};
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::trace::Refusal;
use crate::excerpt::excerpt;
use crate::op::authorize::stage::{Flow, Refused, Stage};
use crate::op::callback::shadow;
use crate::op::callback::write::{Facts, Written, write};
use crate::op::certificate_withdrawn;
use crate::op::decide;
use crate::op::error::PageError;
use crate::op::outcome::{SetCookie, Stop};
use crate::op::session;
use crate::op::upstream_claims;
use crate::protocol::CERTIFICATE;
use crate::store::ids::UserId;
use crate::store::model::{Link, User};
use crate::store::{AccountQuery, AccountView, StoreError};

/// How often a sign-in is decided anew when others take its username in between.
const ATTEMPTS: usize = 4;

/// Characters of the name of somebody without an account that a page shows.
const LONGEST_NAME: usize = 100;

/// The outcome of a sign-in.
pub(super) enum Admission {
    /// The policy admits the user, and the sign-in is written.
    Written(Box<Written>),
    /// The policy refuses, and nothing is written.
    Refused(Box<Refused>),
}

impl Admission {
    /// The stage that it brings the request to, with the cookies to set.
    pub(super) fn into_stage(self) -> (Stage, Vec<SetCookie>) {
        let written = match self {
            Self::Refused(refused) => return (Stage::Refused(refused), Vec::new()),
            Self::Written(written) => written,
        };
        let admitted = Box::new(written.admitted);
        let stage = match written.prepared {
            Some(prepared) => Stage::Answerable(admitted, Box::new(prepared)),
            None => Stage::ConsentDue(admitted),
        };
        (stage, written.cookies)
    }
}

/// Decides and writes.
///
/// # Errors
/// A page after too many attempts; when the store or the generator is not available; an error for the app when what it
/// asked for is not met.
pub(super) async fn admit(flow: &Flow<'_>, facts: &Facts<'_>) -> Result<Admission, Stop> {
    let random = flow.context.random();
    let new = AccountIds { id: UserId::random(random)?.as_str().to_owned(), sub: random.id()? };
    for _ in 0..ATTEMPTS {
        let (view, decision) = match decide(flow, facts, &new).await? {
            Ok(decided) => decided,
            Err(refused) => return Ok(Admission::Refused(Box::new(refused))),
        };
        if let Some(written) = write(flow, facts, &view, decision).await? {
            return Ok(Admission::Written(Box::new(written)));
        }
    }
    Err(PageError::new(503, "store_unavailable", "too many sign-ins for this username at once").into())
}

/// The policy's decision, with the accounts that it was made on.
async fn decide(
    flow: &Flow<'_>,
    facts: &Facts<'_>,
    new: &AccountIds,
) -> Result<Result<(AccountView, Decision), Refused>, StoreError> {
    let (context, identity, key) = (flow.context, facts.identity, &facts.key);
    let evidence = Evidence {
        provider: &key.provider,
        issuer: Some(&key.issuer),
        subject: &key.subject,
        claims: &identity.claims,
    };
    let mapped = match begin(&context.snapshot.policy, &evidence) {
        Ok(mapped) => mapped,
        Err(refusal) => {
            let query = AccountQuery { key: Some(key.clone()), ..AccountQuery::default() };
            let linked = context.store().accounts(query).await?.linked;
            let refused_by = refusing(&context.snapshot.policy, &evidence, AccountFacts::default(), None, &refusal);
            return Ok(Err(refused(flow, facts, refusal, refused_by, linked).await?));
        }
    };
    let query = decide::query(key.clone(), mapped.question());
    let mut view = context.store().accounts(query.clone()).await?;
    if certificate_withdrawn::detach(context, &view).await? {
        view = context.store().accounts(query).await?;
    }
    let app = facts.request.app_request(identity.acr.as_deref(), &identity.amr);
    let decided = mapped.decide(decide::facts(&view, new.clone()), app.as_ref());
    if let Some(shadow) = &context.services.shadow {
        let known = decide::facts(&view, new.clone());
        for difference in
            shadow::differences(&shadow.current().policy, &evidence, known, app.as_ref(), decided.as_ref())
        {
            let (provider, client) = (key.provider.as_str(), facts.request.to.client());
            let difference = excerpt(&difference);
            tracing::info!(event = "shadow_difference", provider, client, trace_id = %context.trace_id, difference = &*difference, "the shadow configuration decides otherwise");
        }
    }
    Ok(match decided {
        Ok(decision) => Ok((view, decision)),
        Err(refusal) => {
            let (policy, known) = (&context.snapshot.policy, decide::facts(&view, new.clone()));
            let refused_by = refusing(policy, &evidence, known, app.as_ref(), &refusal);
            Err(refused(flow, facts, refusal, refused_by, view.linked).await?)
        }
    })
}

/// A refusal. For a known account, what the provider says now is stored: what was taken away there is gone from every app at
/// its next decision.
async fn refused(
    flow: &Flow<'_>,
    facts: &Facts<'_>,
    refusal: Refusal,
    refused_by: Option<Condition>,
    linked: Option<(User, Link)>,
) -> Result<Refused, StoreError> {
    let provider = facts.key.provider.clone();
    let Some((user, link)) = linked else {
        let (name, names) = (name(&facts.identity.claims), names(facts));
        return Ok(Refused { refusal, provider, user: None, refused_by, names, name });
    };
    if provider != CERTIFICATE {
        upstream_claims::keep(flow.context, link, facts.identity).await?;
    }
    let name = Some(session::shown_name(&user.profile, &user.username).to_owned());
    let (user, names) = (Some(Box::new(user)), Vec::new());
    Ok(Refused { refusal, provider, user, refused_by, names, name })
}

/// The names that an administrator may know somebody by who has no account here.
fn names(facts: &Facts<'_>) -> Vec<String> {
    let texts = ["preferred_username", "email", "upn", "nickname"].map(|name| facts.identity.claims.get(name));
    let texts = texts.into_iter().flatten().filter_map(Value::as_str).chain([facts.key.subject.as_str()]);
    let mut names: Vec<String> = texts.filter(|text| !text.is_empty()).map(|text| excerpt(text).into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name by which the provider knows somebody who has no account here, shortened.
fn name(claims: &Map<String, Value>) -> Option<String> {
    let texts = ["name", "preferred_username", "email"].map(|name| claims.get(name).and_then(Value::as_str));
    texts.into_iter().flatten().find(|text| !text.is_empty()).map(|text| text.chars().take(LONGEST_NAME).collect())
}
