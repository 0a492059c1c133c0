//! The pages below `/console`, and the forms of its actions.

use axum::http::StatusCode;
use axum::response::Response;

use crate::analysis::draft::Kind;
use crate::op::administration::{Failure, revocations, users as access};
use crate::op::console::users;
use crate::op::error::PageError;
use crate::pages::{Action, Did, View};
use crate::protocol::console_paths::ConsolePage;
use crate::store::Person;
use crate::store::ids::SessionId;
use crate::web::console::Desk;
use crate::web::exchange::Exchange;
use crate::web::handlers::drafts;
use crate::web::own::own_path;

/// A page, or the form of an action there.
pub(crate) async fn serve(exchange: &Exchange<'_>, page: ConsolePage, posted: bool) -> Response {
    if let Some(kind) = page.drafts().and_then(Kind::named) {
        return drafts::serve(exchange, page.path(), kind, posted).await;
    }
    if posted && !page.acts() {
        return exchange.method_not_allowed();
    }
    let served = match (page.acts(), posted) {
        (false, _) => show(exchange, page).await,
        (true, false) => ask(exchange, page).await,
        (true, true) => act(exchange, page).await,
    };
    served.unwrap_or_else(|response| response)
}

/// The path of the request below the issuer's.
fn own<'e>(exchange: &'e Exchange<'_>) -> &'e str {
    let base = &exchange.context.snapshot.issuer.path;
    exchange.incoming.path.strip_prefix(base.trim_end_matches('/')).unwrap_or(&exchange.incoming.path)
}

async fn show(exchange: &Exchange<'_>, page: ConsolePage) -> Result<Response, Response> {
    let path = own(exchange);
    let desk = Desk::open(exchange, path).await?;
    Ok(match page {
        ConsolePage::Overview => write(exchange, desk.overview().await),
        ConsolePage::Users => write(exchange, desk.users().await),
        ConsolePage::User => write(exchange, desk.user().await),
        ConsolePage::Why => write(exchange, desk.why().await),
        ConsolePage::Sessions => write(exchange, desk.sessions().await),
        ConsolePage::Refusals | ConsolePage::Audit => write(exchange, desk.events(page).await),
        ConsolePage::Trace => {
            write(exchange, desk.trace(path.strip_prefix(ConsolePage::Trace.path()).unwrap_or_default()).await)
        }
        ConsolePage::Providers => write(exchange, Ok(desk.providers())),
        ConsolePage::Provider => write(exchange, desk.provider()),
        ConsolePage::Clients => write(exchange, Ok(desk.clients())),
        ConsolePage::Client => write(exchange, desk.client()),
        ConsolePage::Roles => write(exchange, desk.roles().await),
        ConsolePage::Role => write(exchange, desk.role().await),
        ConsolePage::Configuration => write(exchange, desk.configuration().await),
        // Actions have pages of their own.
        _ => exchange.method_not_allowed(),
    })
}

fn write<V: View>(exchange: &Exchange<'_>, built: Result<V, PageError>) -> Response {
    match built {
        Ok(view) => exchange.page(StatusCode::OK, &view),
        Err(failure) => exchange.error(&failure),
    }
}

/// What an action is about.
enum Target {
    User(Box<Person>),
    Session { id: SessionId, person: Box<Person> },
    Consent { person: Box<Person>, client: String },
    Client(String),
}

/// An action, with everything that its page says of it.
struct RequestedAction {
    target: Target,
    action: Action,
    /// What the texts name.
    about: String,
    /// The path of the action with its parameters.
    path: String,
    /// The path of the page that led to it.
    back: String,
    section: &'static str,
}

impl Desk<'_> {
    /// The action that the request names, if what it is about is there. `None` for a session that has ended meanwhile.
    async fn requested(&self, page: ConsolePage) -> Result<Option<RequestedAction>, PageError> {
        let context = &self.exchange.context;
        let person = async || users::by_sub(context, self.needed("sub")?).await.map(Box::new);
        let of_user = |person: Box<Person>, action| RequestedAction {
            action,
            about: person.user.username.clone(),
            path: own_path(page.path(), &[("sub", &person.user.sub)]),
            back: own_path(ConsolePage::User.path(), &[("sub", &person.user.sub)]),
            section: "users",
            target: Target::User(person),
        };
        Ok(Some(match page {
            ConsolePage::DisableUser => of_user(person().await?, Action::DisableUser),
            ConsolePage::EnableUser => of_user(person().await?, Action::EnableUser),
            ConsolePage::EndSessions => of_user(person().await?, Action::RevokeSessions),
            ConsolePage::RevokeConsent => {
                let (person, client) = (person().await?, self.needed("client")?.to_owned());
                let parameters = [("sub", person.user.sub.as_str()), ("client", client.as_str())];
                RequestedAction {
                    action: Action::RevokeConsent,
                    about: format!("{} · {}", person.user.username, self.client_name(&client)),
                    path: own_path(page.path(), &parameters),
                    back: own_path(ConsolePage::User.path(), &[("sub", &person.user.sub)]),
                    section: "users",
                    target: Target::Consent { person, client },
                }
            }
            ConsolePage::RevokeClient => {
                let key = self.needed("id")?;
                if !context.snapshot.clients.contains_key(key) {
                    return Err(PageError::new(404, "not_found", "no such client"));
                }
                RequestedAction {
                    action: Action::RevokeClient,
                    about: self.client_name(key),
                    path: own_path(page.path(), &[("id", key)]),
                    back: own_path(ConsolePage::Client.path(), &[("id", key)]),
                    section: "clients",
                    target: Target::Client(key.to_owned()),
                }
            }
            _ => {
                let id = self.needed("id")?;
                let found = context.store().session_by_id(&SessionId::new(id)).await?;
                let Some(view) = found.filter(|view| view.session.id.as_str() == id) else { return Ok(None) };
                let person = Box::new(users::by_sub(context, &view.user.sub).await?);
                RequestedAction {
                    action: Action::RevokeSession,
                    about: view.user.username.clone(),
                    path: own_path(page.path(), &[("id", id)]),
                    back: ConsolePage::Sessions.path().to_owned(),
                    section: "sessions",
                    target: Target::Session { id: view.session.id, person },
                }
            }
        }))
    }

    fn gone(&self) -> Response {
        self.exchange.done(&self.operator, ConsolePage::Sessions.path(), Did::SessionGone, "")
    }
}

/// The page that asks before an action.
async fn ask(exchange: &Exchange<'_>, page: ConsolePage) -> Result<Response, Response> {
    let desk = Desk::open(exchange, page.path()).await?;
    let requested = desk.requested(page).await.map_err(|failure| exchange.error(&failure))?;
    let Some(RequestedAction { action, about, path, back, section, .. }) = requested else { return Ok(desk.gone()) };
    Ok(exchange.confirm(&desk.operator, desk.shell(section), (action, &about), (&path, &back)))
}

/// The form of an action.
async fn act(exchange: &Exchange<'_>, page: ConsolePage) -> Result<Response, Response> {
    let query = exchange.incoming.query.encode();
    let (operator, _) = exchange.actor(&format!("{}?{query}", page.path())).await?;
    let desk = Desk::of(exchange, operator).await?;
    let failed = |failure: PageError| exchange.error(&failure);
    let Some(requested) = desk.requested(page).await.map_err(failed)? else { return Ok(desk.gone()) };
    let back = requested.back.clone();
    let (did, about) = perform(&desk, requested).await.map_err(|failure| failed(shown(failure)))?;
    Ok(exchange.done(&desk.operator, &back, did, &about))
}

/// Does it, and says what was done.
async fn perform(desk: &Desk<'_>, requested: RequestedAction) -> Result<(Did, String), Failure> {
    let context = &desk.exchange.context;
    let by = desk.operator.user.username.as_str();
    let RequestedAction { target, action, about, .. } = requested;
    Ok(match (target, action) {
        (Target::User(person), Action::DisableUser) => {
            match access::disable_user(context, &person.user, Some(by)).await? {
                Some(_) => (Did::UserDisabled, about),
                None => (Did::UserWasDisabled, about),
            }
        }
        (Target::User(person), Action::EnableUser) => {
            match access::enable_user(context, &person.user, Some(by)).await? {
                true => (Did::UserEnabled, about),
                false => (Did::UserWasEnabled, about),
            }
        }
        (Target::User(person), _) => {
            let report = revocations::sessions_of_user(context, &person.user, Some(by)).await?;
            (Did::SessionsRevoked, report.sessions_ended.to_string())
        }
        (Target::Session { id, person }, _) => match revocations::one_session(context, &id, Some(by)).await {
            Ok(_) => (Did::SessionRevoked, person.user.username),
            Err(Failure::NotFound(_)) => (Did::SessionGone, String::new()),
            Err(failure) => return Err(failure),
        },
        (Target::Consent { person, client }, _) => {
            match revocations::consent_of(context, &person.user, &client, Some(by)).await? {
                Some(_) => (Did::ConsentRevoked, about),
                None => (Did::ConsentGone, about),
            }
        }
        (Target::Client(key), _) => {
            let report = revocations::client_by(context, &key, Some(by)).await?;
            (Did::ClientRevoked, report.grants_revoked.to_string())
        }
    })
}

/// A failure as a page.
fn shown(failure: Failure) -> PageError {
    match failure {
        Failure::NotFound(text) => PageError::new(404, "not_found", text),
        Failure::Ambiguous(text) | Failure::Refused(text) => PageError::new(409, "invalid_request", text),
        Failure::Store(error) => error.into(),
    }
}
