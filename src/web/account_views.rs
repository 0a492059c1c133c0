//! What `op::account` found, as the data of the pages below `/account`.

use crate::audit::Event;
use crate::decision::policy::Attached;
use crate::op::account::about;
use crate::op::account::about::About;
use crate::op::account::activity::Activity;
use crate::op::account::apps::{App, Apps, Asked, Unmet};
use crate::op::account::certificates;
use crate::op::account::certificates::Held;
use crate::op::account::consents::Consents;
use crate::op::account::device::Browser;
use crate::op::account::sessions::Sessions;
use crate::op::authorize::stage::Admitted;
use crate::op::validity;
use crate::pages::{
    AccountActivity, AccountApps, AccountCertificates, AccountConsents, AccountOverview, AccountSessions, AskedRow,
    ConditionRow, FactRow, Known, Lang, Linked, OwnApp, OwnCertificate, OwnConsent, OwnEvent, Paging, Scope,
    SessionRow, Shell, WebUri, Why, moment,
};
use crate::protocol::own_paths::AccountPage;
use crate::protocol::{BREAK_GLASS, CERTIFICATE};
use crate::store::model::{Consent, Link, Session};
use crate::web::exchange::Exchange;
use crate::web::own::own_path;
use crate::web::views;

/// Who the visitor is.
pub(super) fn overview(exchange: &Exchange<'_>, visitor: &Admitted, shell: Shell, about: &About) -> AccountOverview {
    let linked = |link: &Link| Linked {
        provider_name: provider_name(exchange, &link.key.provider),
        subject: link.key.subject.clone(),
        created_at: link.created_at,
        claims_at: link.claims_at,
        current: link.key == about.link.key,
        usable: validity::provider(&exchange.context, &link.key).is_ok(),
    };
    let nameless = |known: &about::Known| shown(known, None);
    AccountOverview {
        shell,
        username: visitor.user.username.clone(),
        sub: visitor.user.sub.clone(),
        provider_name: provider_name(exchange, &visitor.decision.provider),
        claims_at: about.link.claims_at,
        attributes: about.attributes.iter().map(|known| shown(known, Some(views::value_text(&known.value)))).collect(),
        groups: about.groups.iter().map(nameless).collect(),
        roles: about.roles.iter().map(nameless).collect(),
        links: about.links.iter().map(linked).collect(),
    }
}

fn shown<T>(known: &about::Known<T>, value: Option<String>) -> Known {
    let why =
        known.why.iter().map(|why| Why { origin: why.origin.key(), rule: why.rule.clone(), place: why.place.clone() });
    Known { name: known.name.clone(), value, why: why.collect() }
}

/// The apps, with what the policy decides for the visitor. `later` is whether this is not the first page of them.
pub(super) fn apps(
    exchange: &Exchange<'_>,
    visitor: &Admitted,
    shell: Shell,
    (link, found): (&Link, &Apps<'_>),
    later: bool,
) -> AccountApps {
    let last = found.apps.last().map(|app| app.client.key.as_str());
    AccountApps {
        shell,
        apps: found.apps.iter().map(|app| app_row(exchange, app)).collect(),
        provider_name: provider_name(exchange, &visitor.decision.provider),
        claims_at: link.claims_at,
        paging: paging(exchange, AccountPage::Apps, last.filter(|_| found.more), later),
    }
}

fn app_row(exchange: &Exchange<'_>, app: &App<'_>) -> OwnApp {
    let snapshot = exchange.context.snapshot;
    let refused = app.refused.as_ref();
    let entry = || app.client.entry(&snapshot.issuer.text).as_deref().and_then(WebUri::parse);
    let named = |id: &String| provider_name(exchange, id);
    OwnApp {
        name: app.client.name_in(&exchange.languages(None)).to_owned(),
        open: if refused.is_none() { entry() } else { None },
        refused: refused.map(|refused| refused.reason.code().to_owned()),
        condition: refused.and_then(|refused| refused.condition.as_ref()).map(condition_row),
        accepts: refused.map(|refused| refused.accepts.iter().map(named).collect()).unwrap_or_default(),
        contacts: refused.map(|_| app.client.contacts.clone()).unwrap_or_default(),
    }
}

fn condition_row(unmet: &Unmet) -> ConditionRow {
    let ask = |asked: &Asked| AskedRow { variable: asked.variable.clone(), value: asked.value.clone(), met: asked.met };
    let read = |(name, value): &(String, String)| FactRow { name: name.clone(), value: value.clone() };
    ConditionRow {
        text: unmet.text.clone(),
        place: unmet.place.clone(),
        asks: unmet.asks.iter().map(ask).collect(),
        values: unmet.values.iter().map(read).collect(),
    }
}

/// What the visitor has allowed apps. `later` is whether this is not the first page of it.
pub(super) fn consents(exchange: &Exchange<'_>, shell: Shell, found: &Consents, later: bool) -> AccountConsents {
    let last = found.consents.last().map(|consent| consent.client.as_str());
    AccountConsents {
        shell,
        consents: found.consents.iter().map(|consent| consent_row(exchange, consent)).collect(),
        paging: paging(exchange, AccountPage::Consents, last.filter(|_| found.more), later),
    }
}

fn consent_row(exchange: &Exchange<'_>, consent: &Consent) -> OwnConsent {
    let snapshot = exchange.context.snapshot;
    let scope = |name: &String| Scope {
        name: name.clone(),
        description: snapshot.policy.scopes.get(name).and_then(|scope| scope.description.clone()),
    };
    OwnConsent {
        name: app_name(exchange, &consent.client),
        scopes: consent.scopes.iter().map(scope).collect(),
        claims: consent.claims.clone(),
        granted_at: consent.granted_at,
        revoke_path: snapshot.issuer.path_of(&revoke_path(&consent.client)),
    }
}

/// The client certificates of the visitor.
pub(super) fn certificates(exchange: &Exchange<'_>, shell: Shell, found: &[Held]) -> AccountCertificates {
    let issuer = &exchange.context.snapshot.issuer;
    let attach = || issuer.path_of(AccountPage::AttachCertificate.path());
    let detach = |held: &Held| {
        issuer.path_of(&own_path(AccountPage::DetachCertificate.path(), &[("certificate", &held.fingerprint)]))
    };
    let row = |held: &Held| OwnCertificate {
        name: held.name().map(str::to_owned),
        fingerprint: held.fingerprint.clone(),
        issuer: held.issuer().map(str::to_owned),
        attached: match held.attached {
            Attached::ByFile => "by_file",
            Attached::ByUser => "by_user",
            Attached::AtCreation => "at_creation",
        },
        since: held.since,
        until: held.not_after(),
        counts: held.counts,
        detach_path: held.detachable.then(|| detach(held)),
    };
    AccountCertificates {
        shell,
        certificates: found.iter().map(row).collect(),
        attach_path: certificates::is_self_service(&exchange.context).then(attach),
    }
}

/// What happened to the visitor lately. `later` is whether this is not the first page of it.
pub(super) fn activity(exchange: &Exchange<'_>, shell: Shell, found: &Activity, later: bool) -> AccountActivity {
    let next = found.next.map(|next| next.to_string());
    AccountActivity {
        shell,
        events: found.events.iter().map(|recorded| event_row(exchange, &recorded.event)).collect(),
        paging: paging(exchange, AccountPage::Activity, next.as_deref(), later),
    }
}

fn event_row(exchange: &Exchange<'_>, event: &Event) -> OwnEvent {
    OwnEvent {
        kind: event.kind.name(),
        at: event.at,
        app_name: event.client.as_deref().map(|client| app_name(exchange, client)),
        provider_name: event.provider.as_deref().map(|id| provider_name(exchange, id)),
        address: event.address.as_deref().map(str::to_owned),
        reason: event.reason.as_deref().map(str::to_owned),
        trace_id: event.trace_id.as_deref().map(str::to_owned),
    }
}

/// What vouched for somebody, in words: a provider, a certificate, the break-glass account.
fn provider_name(exchange: &Exchange<'_>, id: &str) -> String {
    let snapshot = exchange.context.snapshot;
    let key = match id {
        CERTIFICATE => "account.by_certificate",
        BREAK_GLASS => "account.by_break_glass",
        _ => return snapshot.provider_name(id).to_owned(),
    };
    snapshot.pages.text(Lang::choose(&exchange.languages(None)), key)
}

/// The name of an app, by its key; the key itself where the file has no such app any more.
pub(super) fn app_name(exchange: &Exchange<'_>, key: &str) -> String {
    views::client_name(exchange, key, None)
}

/// The path, below the issuer's, of the action that takes a consent back.
pub(super) fn revoke_path(client: &str) -> String {
    own_path(AccountPage::RevokeConsent.path(), &[("app", client)])
}

/// The rest of a list: what comes after `last`, where there is more.
fn paging(exchange: &Exchange<'_>, page: AccountPage, last: Option<&str>, later: bool) -> Paging {
    let issuer = &exchange.context.snapshot.issuer;
    let next = |last| issuer.path_of(&own_path(page.path(), &[("after", last)]));
    Paging { first: later.then(|| issuer.path_of(page.path())), next: last.map(next) }
}

/// The sessions of the visitor. `later` is whether this is not the first page of them.
pub(super) fn sessions(exchange: &Exchange<'_>, shell: Shell, found: &Sessions, later: bool) -> AccountSessions {
    let issuer = &exchange.context.snapshot.issuer;
    let last = found.others.last().filter(|_| found.more).map(|last| last.id.as_str());
    AccountSessions {
        shell,
        current: (!later).then(|| row(exchange, &found.current)),
        others: found.others.iter().map(|session| row(exchange, session)).collect(),
        end_others_path: issuer.path_of(AccountPage::EndOtherSessions.path()),
        paging: paging(exchange, AccountPage::Sessions, last, later),
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
        provider_name: provider_name(exchange, &session.link.provider),
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
        return moment(Lang::choose(&exchange.languages(None)), session.created_at);
    }
    words.join(" · ")
}
