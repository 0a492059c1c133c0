//! Users, the decisions on them, and sessions.

use serde_json::Value;

use crate::analysis::explain;
use crate::op::account::device::Browser;
use crate::op::administration::people::{Access, access};
use crate::op::console::{users, why};
use crate::op::error::PageError;
use crate::op::validity;
use crate::pages::{
    AppRow, ConsentRow, ConsoleSession, ConsoleSessions, ConsoleUser, ConsoleUsers, ConsoleWhy, LinkRow, NearUser,
    Obstacle, Paging, TraceLine, UnmatchedRow, UserRow,
};
use crate::protocol::console_paths::ConsolePage;
use crate::store::model::{Consent, Link, Session, User};
use crate::store::{Person, SessionView};
use crate::web::console::{Built, Desk};
use crate::web::views::value_text;

/// The most sessions on a user's page, and on a page of sessions.
const FEW_SESSIONS: u32 = 10;
const SESSIONS: u32 = 25;
/// The most consents on a user's page.
const CONSENTS: usize = 100;

impl Desk<'_> {
    /// Users that a search finds.
    pub(crate) async fn users(&self) -> Built<ConsoleUsers> {
        let query = self.parameter("q").unwrap_or_default().trim();
        let page = self.parameter("page");
        let found = users::search(&self.exchange.context, query, page).await?;
        let parameters = [("q", query)];
        let paging = self.paging(ConsolePage::Users, &parameters, ("page", page), found.next.as_deref());
        let near = found
            .near
            .into_iter()
            .map(|username| NearUser { path: self.path(ConsolePage::Users, &[("q", &username)]), username });
        let near = near.collect();
        let users = found.hits.into_iter().map(|hit| self.user_row(&hit.person, hit.address)).collect();
        Ok(ConsoleUsers { shell: self.shell("users"), query: query.to_owned(), users, near, paging })
    }

    fn user_row(&self, person: &Person, address: Option<String>) -> UserRow {
        let Person { user, links } = person;
        let mut providers: Vec<String> = links.iter().map(|link| self.provider_name(&link.key.provider)).collect();
        providers.sort();
        providers.dedup();
        UserRow {
            username: user.username.clone(),
            sub: user.sub.clone(),
            access: match access(&self.exchange.context, user) {
                Access::Enabled => "enabled",
                Access::DisabledAtRuntime => "disabled_at_runtime",
                Access::DisabledInFile => "disabled_in_file",
            },
            providers,
            address,
            created_at: user.created_at,
            path: self.user_path(user),
        }
    }

    /// The path of a user's page.
    pub(super) fn user_path(&self, user: &User) -> String {
        self.path(ConsolePage::User, &[("sub", &user.sub)])
    }

    /// One user.
    pub(crate) async fn user(&self) -> Built<ConsoleUser> {
        let context = &self.exchange.context;
        let person = users::by_sub(context, self.needed("sub")?).await?;
        let store = context.store();
        let mut sessions = store.sessions_before(Some(&person.user.id), None, FEW_SESSIONS + 1).await?;
        let more = sessions.len() > FEW_SESSIONS as usize;
        sessions.truncate(FEW_SESSIONS as usize);
        let consents = store.consents(&person.user.id).await?;
        let row = self.user_row(&person, None);
        let sub = [("sub", person.user.sub.as_str())];
        let declared = context.snapshot.policy.declared(&person.user.username);
        let attribute = |(name, value): (&String, &Value)| (name.clone(), value_text(value));
        Ok(ConsoleUser {
            shell: self.shell("users"),
            place: declared.map(|declared| declared.source.to_string()),
            attributes: person.user.profile.iter().map(attribute).collect(),
            links: person.links.iter().map(|link| self.link_row(&person.user, link)).collect(),
            end_sessions_path: (!sessions.is_empty()).then(|| self.path(ConsolePage::EndSessions, &sub)),
            sessions: sessions.iter().filter_map(|(_, view)| self.session(view)).collect(),
            sessions_path: more.then(|| self.path(ConsolePage::Sessions, &sub)),
            more_consents: consents.len().saturating_sub(CONSENTS),
            consents: consents.iter().take(CONSENTS).map(|consent| self.consent(&person.user, consent)).collect(),
            events_path: self.path(ConsolePage::Audit, &[("user", &person.user.sub)]),
            access_path: match row.access {
                "enabled" => Some(self.path(ConsolePage::DisableUser, &sub)),
                "disabled_at_runtime" => Some(self.path(ConsolePage::EnableUser, &sub)),
                _ => None,
            },
            user: row,
        })
    }

    fn link_row(&self, user: &User, link: &Link) -> LinkRow {
        LinkRow {
            provider_name: self.provider_name(&link.key.provider),
            issuer: link.key.issuer.clone(),
            subject: link.key.subject.clone(),
            verified_email: link.verified_email.clone(),
            claims_at: link.claims_at,
            created_at: link.created_at,
            valid: validity::provider(&self.exchange.context, &link.key).is_ok(),
            why_path: self.path(ConsolePage::Why, &why_of(user, link)),
        }
    }

    fn consent(&self, user: &User, consent: &Consent) -> ConsentRow {
        let parameters = [("sub", user.sub.as_str()), ("client", consent.client.as_str())];
        ConsentRow {
            client_name: self.client_name(&consent.client),
            scopes: consent.scopes.clone(),
            granted_at: consent.granted_at,
            revoke_path: self.path(ConsolePage::RevokeConsent, &parameters),
        }
    }

    /// A session that has not ended.
    fn session(&self, view: &SessionView) -> Option<ConsoleSession> {
        let SessionView { session, user, .. } = view;
        session.is_live(self.exchange.context.now).then(|| ConsoleSession {
            id: session.id.to_string(),
            username: user.username.clone(),
            user_path: self.user_path(user),
            device: device(session),
            provider_name: self.provider_name(&session.link.provider),
            created_at: session.created_at,
            last_active: session.last_active,
            expires_at: session.expires_at,
            own: session.id == self.operator.session.id,
            end_path: self.path(ConsolePage::EndSession, &[("id", session.id.as_str())]),
        })
    }

    /// Sessions, of one user where the request names one.
    pub(crate) async fn sessions(&self) -> Built<ConsoleSessions> {
        let context = &self.exchange.context;
        let person = match self.parameter("sub") {
            Some(sub) => Some(users::by_sub(context, sub).await?),
            None => None,
        };
        let before = self.parameter("before");
        let unknown = |_| PageError::new(400, "invalid_request", "the page of the list is not known");
        let from = before.map(str::parse::<i64>).transpose().map_err(unknown)?;
        let user_id = person.as_ref().map(|person| &person.user.id);
        let mut found = context.store().sessions_before(user_id, from, SESSIONS + 1).await?;
        let more = found.len() > SESSIONS as usize;
        found.truncate(SESSIONS as usize);
        let next = found.last().filter(|_| more).map(|(position, _)| position.to_string());
        let sub: Vec<(&str, &str)> = person.iter().map(|person| ("sub", person.user.sub.as_str())).collect();
        Ok(ConsoleSessions {
            shell: self.shell("sessions"),
            paging: self.paging(ConsolePage::Sessions, &sub, ("before", before), next.as_deref()),
            sessions: found.iter().filter_map(|(_, view)| self.session(view)).collect(),
            user: person.map(|person| self.user_row(&person, None)),
        })
    }

    /// The decision on a user, for an app where the request names one.
    pub(crate) async fn why(&self) -> Built<ConsoleWhy> {
        let context = &self.exchange.context;
        let person = users::by_sub(context, self.needed("sub")?).await?;
        let link = why::link(&person, self.needed("provider")?, self.needed("subject")?)?;
        let app = self.parameter("app");
        let unknown = || PageError::new(404, "not_found", "no such client");
        let client = app.map(|key| context.snapshot.clients.get(key).ok_or_else(unknown)).transpose()?;
        let explanation = why::explained(context, &person.user, link, client);
        let refused = explanation.refused();
        let (apps, paging) = match (client, refused) {
            (None, None) => self.apps(&person.user, link),
            _ => (Vec::new(), Paging::default()),
        };
        let admitted = explanation.person;
        let granted =
            |list: fn(&explain::Person) -> &Vec<String>| admitted.as_ref().map(list).cloned().unwrap_or_default();
        Ok(ConsoleWhy {
            shell: self.shell("users"),
            user: self.user_row(&person, None),
            provider_name: self.provider_name(&link.key.provider),
            claims_at: link.claims_at,
            app_name: app.map(|key| self.client_name(key)),
            refused: refused.map(|reason| reason.code().to_owned()),
            steps: TraceLine::of(&explanation.trace),
            refused_by: explanation.refused_by.map(Obstacle::from),
            change: explanation.change,
            unmatched: explanation.unmatched.into_iter().map(UnmatchedRow::from).collect(),
            groups: granted(|person| &person.groups),
            roles: granted(|person| &person.roles),
            permissions: granted(|person| &person.permissions),
            claims: explanation.app.map(|app| Value::Object(app.id_token)),
            apps,
            paging,
            path: self.path(ConsolePage::Why, &why_of(&person.user, link)),
        })
    }

    /// Whether a user may enter each app.
    fn apps(&self, user: &User, link: &Link) -> (Vec<AppRow>, Paging) {
        let context = &self.exchange.context;
        let parameters = why_of(user, link);
        let (entries, paging) = self.entries(&context.snapshot.clients, ConsolePage::Why, &parameters);
        // An API that only introspects has no users.
        let apps = entries.into_iter().filter(|(_, client)| !client.redirect_uris.is_empty()).map(|(key, client)| {
            let refusal = why::decide(context, user, link, Some(client)).err();
            let with_app: Vec<(&str, &str)> = parameters.iter().copied().chain([("app", key.as_str())]).collect();
            AppRow {
                name: self.client_name(key),
                key: key.clone(),
                refused: refusal.map(|refusal| refusal.reason.code().to_owned()),
                path: self.path(ConsolePage::Why, &with_app),
            }
        });
        (apps.collect(), paging)
    }
}

/// The parameters of the decision on a user through an upstream account.
fn why_of<'a>(user: &'a User, link: &'a Link) -> [(&'a str, &'a str); 3] {
    [("sub", &user.sub), ("provider", &link.key.provider), ("subject", &link.key.subject)]
}

/// The browser of a session, its system and its address, as far as they are known.
fn device(session: &Session) -> Option<String> {
    let Browser { name, system } = Browser::of(session.device.user_agent.as_deref().unwrap_or_default());
    let words: Vec<&str> = [name, system, session.device.address.as_deref()].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" · "))
}
