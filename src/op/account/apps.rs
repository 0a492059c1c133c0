//! Which apps a visitor may enter, and for those that they may not, why: the condition of the file, what it asks for, and what
//! the broker has of the person.

use serde_json::Value;

use crate::decision::app::AppRequest;
use crate::decision::policy::Condition;
use crate::decision::reason::Reason;
use crate::expression::Compiled;
use crate::op::RequestContext;
use crate::op::account::about::place;
use crate::op::authorize::stage::Admitted;
use crate::op::decide;
use crate::snapshot::client::Client;
use crate::store::model::Link;

/// Apps on one page.
const PAGE: usize = 25;

/// An app, and whether the visitor may enter it.
pub struct App<'s> {
    /// The app.
    pub client: &'s Client,
    /// Why not; `None` where they may.
    pub refused: Option<Refused>,
}

/// Why an app refuses a visitor.
pub struct Refused {
    /// The reason.
    pub reason: Reason,
    /// The condition that does not hold.
    pub condition: Option<Unmet>,
    /// Ids of the providers that the app accepts, where it does not accept this one.
    pub accepts: Vec<String>,
}

/// A condition that does not hold.
pub struct Unmet {
    /// The expression, as written.
    pub text: String,
    /// The line of the file, where there is one.
    pub place: Option<String>,
    /// What it asks for, as far as its text shows.
    pub asks: Vec<Asked>,
    /// What it reads of the visitor: names and values.
    pub values: Vec<(String, String)>,
}

/// Something that a condition asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The variable: `groups`, `roles`, `provider`.
    pub variable: String,
    /// The value.
    pub value: String,
    /// Whether the visitor has it.
    pub met: bool,
}

/// A page of apps.
pub struct Apps<'s> {
    /// The apps, in order of their keys.
    pub apps: Vec<App<'s>>,
    /// Whether there are more.
    pub more: bool,
}

/// The apps that people sign in to, after the one with the key `after`, each with what the policy decides for the visitor.
#[must_use]
pub fn list<'s>(context: &'s RequestContext<'_>, visitor: &Admitted, link: &Link, after: Option<&str>) -> Apps<'s> {
    let entered = |client: &&Client| client.enabled && !client.response_types.is_empty();
    let clients = context.snapshot.clients.values().filter(entered);
    let mut rest = clients.skip_while(|client| after.is_some_and(|after| client.key.as_str() <= after));
    let apps: Vec<App<'_>> = rest.by_ref().take(PAGE).map(|client| app(context, visitor, link, client)).collect();
    Apps { more: rest.next().is_some(), apps }
}

fn app<'s>(context: &RequestContext<'_>, visitor: &Admitted, link: &Link, client: &'s Client) -> App<'s> {
    let Admitted { user, session, .. } = visitor;
    let request = AppRequest {
        client: &client.key,
        scopes: &client.scopes,
        claims_request: None,
        acr: session.acr.as_deref(),
        amr: &session.amr,
        id_token_alone: false,
    };
    let refusal = decide::again(context, user, link, &request).err();
    App { client, refused: refusal.map(|refusal| refused(context, visitor, client, refusal.reason)) }
}

fn refused(context: &RequestContext<'_>, visitor: &Admitted, client: &Client, reason: Reason) -> Refused {
    let policy = context.snapshot.policy.clients.get(&client.key);
    let condition = policy.and_then(|policy| policy.require.as_ref());
    let by_condition = condition.filter(|_| reason == Reason::ClientRequirementNotMet);
    let accepts = match reason {
        Reason::ClientProviderNotAllowed => {
            // A hidden provider is named to nobody who has no account there.
            let shown = context.snapshot.accepted(client).filter(|provider| !provider.hidden);
            shown.map(|provider| provider.id.clone()).collect()
        }
        _ => Vec::new(),
    };
    Refused { reason, condition: by_condition.map(|condition| unmet(context, visitor, condition)), accepts }
}

fn unmet(context: &RequestContext<'_>, visitor: &Admitted, condition: &Condition) -> Unmet {
    let expression = &condition.expression;
    Unmet {
        text: expression.source().to_owned(),
        place: place(context, &condition.source),
        asks: asks(visitor, expression),
        values: values(visitor, expression),
    }
}

/// What a condition asks for, and which of it the visitor has.
fn asks(visitor: &Admitted, expression: &Compiled) -> Vec<Asked> {
    let facts = expression.facts();
    let mut asked: Vec<Asked> = Vec::new();
    for (variable, value) in facts.members.iter().chain(&facts.equals) {
        let Some(has) = read(visitor, variable) else { continue };
        let one = Asked { variable: variable.clone(), value: value.clone(), met: has.contains(value) };
        if !asked.contains(&one) {
            asked.push(one);
        }
    }
    asked
}

/// What a condition reads of the visitor.
fn values(visitor: &Admitted, expression: &Compiled) -> Vec<(String, String)> {
    let shown = |name: String| read(visitor, &name).map(|values| (name, values.join(", ")));
    expression.reads().paths().filter_map(shown).collect()
}

/// The values of a variable of conditions, by the name that the file uses; `None` for what is not about the person.
fn read(visitor: &Admitted, name: &str) -> Option<Vec<String>> {
    let Admitted { session, decision, .. } = visitor;
    let texts = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        other => vec![other.to_string()],
    };
    match name {
        "groups" => Some(decision.groups.clone()),
        "roles" => Some(decision.granted.roles.clone()),
        "permissions" => Some(decision.granted.permissions.clone()),
        "provider" => Some(vec![decision.provider.clone()]),
        "acr" => Some(session.acr.iter().cloned().collect()),
        "amr" => Some(session.amr.clone()),
        "user.username" => Some(vec![decision.account.username.clone()]),
        "user.groups" => Some(decision.groups.clone()),
        _ => {
            let attribute = name.strip_prefix("user.")?;
            Some(decision.profile.get(attribute).map(texts).unwrap_or_default())
        }
    }
}
