//! What `op::account` found, as the data of the pages below `/account`.

use serde_json::Value;

use crate::op::account::device::Browser;
use crate::op::account::sessions::Sessions;
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::pages::{AccountOverview, AccountSessions, Attribute, Lang, Paging, SessionRow, Shell};
use crate::protocol::own_paths::AccountPage;
use crate::store::AccountQuery;
use crate::store::model::Session;
use crate::web::exchange::Exchange;
use crate::web::own::own_path;

/// Who the visitor is.
pub(super) async fn overview(
    exchange: &Exchange<'_>,
    visitor: &Admitted,
    shell: Shell,
) -> Result<AccountOverview, PageError> {
    let Admitted { user, session, decision, .. } = visitor;
    let query = AccountQuery { key: Some(session.link.clone()), ..AccountQuery::default() };
    let link = exchange.context.store().accounts(query).await?.linked.map(|(_, link)| link);
    let attribute = |(name, value): (&String, &Value)| Attribute { name: name.clone(), value: text(value) };
    Ok(AccountOverview {
        shell,
        username: user.username.clone(),
        provider_name: exchange.context.snapshot.provider_name(&decision.provider).to_owned(),
        claims_at: link.map_or(session.created_at, |link| link.claims_at),
        attributes: decision.profile.iter().map(attribute).collect(),
        groups: decision.groups.clone(),
        roles: decision.granted.roles.clone(),
    })
}

/// A value as people read it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The sessions of the visitor. `later` is whether this is not the first page of them.
pub(super) fn sessions(exchange: &Exchange<'_>, shell: Shell, found: &Sessions, later: bool) -> AccountSessions {
    let issuer = &exchange.context.snapshot.issuer;
    let path = AccountPage::Sessions.path();
    let last = found.others.last().filter(|_| found.more);
    AccountSessions {
        shell,
        current: (!later).then(|| row(exchange, &found.current)),
        others: found.others.iter().map(|session| row(exchange, session)).collect(),
        end_others_path: issuer.path_of(AccountPage::EndOtherSessions.path()),
        paging: Paging {
            first: later.then(|| issuer.path_of(path)),
            next: last.map(|last| issuer.path_of(&own_path(path, &[("after", last.id.as_str())]))),
        },
    }
}

/// The path, below the issuer's, of the action that ends a session.
pub(super) fn end_session_path(id: &str) -> String {
    own_path(AccountPage::EndSession.path(), &[("id", id)])
}

fn row(exchange: &Exchange<'_>, session: &Session) -> SessionRow {
    let said = session.device.user_agent.as_deref().unwrap_or_default();
    let Browser { name, system } = Browser::of(said);
    let unknown = name.is_none() && system.is_none() && !said.is_empty();
    SessionRow {
        browser: name.map(str::to_owned),
        system: system.map(str::to_owned),
        user_agent: unknown.then(|| said.to_owned()),
        address: session.device.address.clone(),
        provider_name: exchange.context.snapshot.provider_name(&session.link.provider).to_owned(),
        created_at: session.created_at,
        last_active: session.last_active,
        expires_at: session.expires_at,
        end_path: exchange.context.snapshot.issuer.path_of(&end_session_path(session.id.as_str())),
    }
}

/// A session in a few words: its browser, its system, its address, whatever of these is known; else when it was made.
pub(super) fn device_name(exchange: &Exchange<'_>, session: &Session) -> String {
    let Browser { name, system } = Browser::of(session.device.user_agent.as_deref().unwrap_or_default());
    let words = [name, system, session.device.address.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    if words.is_empty() {
        return crate::pages::moment(Lang::choose(&exchange.languages(None)), session.created_at);
    }
    words.join(" · ")
}
