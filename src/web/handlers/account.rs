//! The pages below `/account`.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::account::{about, activity, apps, consents, sessions};
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::pages::{Action, Did, Shell};
use crate::protocol::own_paths::AccountPage;
use crate::store::self_service::OwnSessions;
use crate::web::account_views as views;
use crate::web::exchange::Exchange;
use crate::web::handlers::account_certificates;

/// A page, or the form of an action there.
pub(crate) async fn serve(exchange: &Exchange<'_>, page: AccountPage, posted: bool) -> Response {
    if posted && !page.acts() {
        return exchange.method_not_allowed();
    }
    let served = match (page, posted) {
        (AccountPage::Overview, _) => overview(exchange).await,
        (AccountPage::Apps, _) => list_apps(exchange).await,
        (AccountPage::Consents, _) => list_consents(exchange).await,
        (AccountPage::RevokeConsent, false) => ask_to_revoke(exchange).await,
        (AccountPage::RevokeConsent, true) => revoke(exchange).await,
        (AccountPage::Certificates, _) => account_certificates::list(exchange).await,
        (AccountPage::AttachCertificate, false) => account_certificates::ask_to_attach(exchange).await,
        (AccountPage::AttachCertificate, true) => account_certificates::attach(exchange).await,
        (AccountPage::DetachCertificate, false) => account_certificates::ask_to_detach(exchange).await,
        (AccountPage::DetachCertificate, true) => account_certificates::detach(exchange).await,
        (AccountPage::Activity, _) => list_activity(exchange).await,
        (AccountPage::Sessions, _) => list_sessions(exchange).await,
        (AccountPage::EndSession, false) => ask_to_end_session(exchange).await,
        (AccountPage::EndSession, true) => end_session(exchange).await,
        (AccountPage::EndOtherSessions, false) => ask_to_end_others(exchange).await,
        (AccountPage::EndOtherSessions, true) => end_others(exchange).await,
    };
    served.unwrap_or_else(|response| response)
}

fn shell(exchange: &Exchange<'_>, visitor: &Admitted, section: &'static str) -> Shell {
    exchange.shell(visitor, "_account.html", section)
}

async fn overview(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::Overview.path()).await?;
    let about = about::about(&exchange.context, &visitor).await.map_err(|failure| exchange.error(&failure))?;
    let view = views::overview(exchange, &visitor, shell(exchange, &visitor, "overview"), &about);
    Ok(exchange.page(StatusCode::OK, &view))
}

async fn list_apps(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::Apps.path()).await?;
    let link = about::link(&exchange.context, &visitor).await.map_err(|failure| exchange.error(&failure))?;
    let after = exchange.incoming.query.text("after");
    let found = apps::list(&exchange.context, &visitor, &link, after);
    let shell = shell(exchange, &visitor, "apps");
    let view = views::apps(exchange, &visitor, shell, (&link, &found), after.is_some());
    Ok(exchange.page(StatusCode::OK, &view))
}

async fn list_consents(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::Consents.path()).await?;
    let after = exchange.incoming.query.text("after");
    let found = consents::list(&exchange.context, &visitor, after).await;
    let found = found.map_err(|failure| exchange.error(&failure))?;
    let view = views::consents(exchange, shell(exchange, &visitor, "consents"), &found, after.is_some());
    Ok(exchange.page(StatusCode::OK, &view))
}

/// The app that the query names.
fn named_app<'e>(exchange: &'e Exchange<'_>) -> Result<&'e str, PageError> {
    let missing = || PageError::new(400, "invalid_request", "the request names no app");
    exchange.incoming.query.text("app").ok_or_else(missing)
}

async fn ask_to_revoke(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::RevokeConsent.path()).await?;
    let app = named_app(exchange).map_err(|failure| exchange.error(&failure))?;
    let found = exchange.context.store().consent(&visitor.user.id, app).await;
    let found = found.map_err(|failure| exchange.error(&failure.into()))?;
    let back = AccountPage::Consents.path();
    if found.is_none() {
        return Ok(exchange.done(&visitor, back, Did::ConsentNotThere, ""));
    }
    let about = views::app_name(exchange, app);
    let shell = shell(exchange, &visitor, "consents");
    Ok(exchange.confirm(&visitor, shell, (Action::TakeBackConsent, &about), (&views::revoke_path(app), back)))
}

async fn revoke(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let app = named_app(exchange).map_err(|failure| exchange.error(&failure))?;
    let (visitor, _) = exchange.actor(&views::revoke_path(app)).await?;
    let revoked = consents::revoke(&exchange.context, &visitor, app).await;
    let revoked = revoked.map_err(|failure| exchange.error(&failure))?;
    let (did, about) = match revoked {
        true => (Did::ConsentTakenBack, views::app_name(exchange, app)),
        false => (Did::ConsentNotThere, String::new()),
    };
    Ok(exchange.done(&visitor, AccountPage::Consents.path(), did, &about))
}

async fn list_activity(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::Activity.path()).await?;
    let before = exchange.incoming.query.text("after").and_then(|text| text.parse().ok());
    let found = activity::list(&exchange.context, &visitor, before).await;
    let found = found.map_err(|failure| exchange.error(&failure))?;
    let view = views::activity(exchange, shell(exchange, &visitor, "activity"), &found, before.is_some());
    Ok(exchange.page(StatusCode::OK, &view))
}

async fn list_sessions(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::Sessions.path()).await?;
    let after = exchange.incoming.query.text("after");
    let found = sessions::list(&exchange.context, &visitor, after).await;
    let found = found.map_err(|failure| exchange.error(&failure))?;
    let view = views::sessions(exchange, shell(exchange, &visitor, "sessions"), &found, after.is_some());
    Ok(exchange.page(StatusCode::OK, &view))
}

/// The session that the query names, and the path of the action on it.
fn end_path(exchange: &Exchange<'_>) -> Result<(String, String), PageError> {
    let missing = || PageError::new(400, "invalid_request", "the request names no session");
    let id = exchange.incoming.query.text("id").ok_or_else(missing)?;
    Ok((id.to_owned(), views::end_session_path(id)))
}

async fn ask_to_end_session(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::EndSession.path()).await?;
    let (id, path) = end_path(exchange).map_err(|failure| exchange.error(&failure))?;
    let found = sessions::find(&exchange.context, &visitor, &id).await;
    let back = AccountPage::Sessions.path();
    let Some(session) = found.map_err(|failure| exchange.error(&failure))? else {
        return Ok(gone(exchange, &visitor));
    };
    let about = views::device_name(exchange, &session);
    let shell = shell(exchange, &visitor, "sessions");
    Ok(exchange.confirm(&visitor, shell, (Action::EndSession, &about), (&path, back)))
}

async fn end_session(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let (id, path) = end_path(exchange).map_err(|failure| exchange.error(&failure))?;
    let (visitor, _) = exchange.actor(&path).await?;
    let found = sessions::find(&exchange.context, &visitor, &id).await;
    let Some(session) = found.map_err(|failure| exchange.error(&failure))? else {
        return Ok(gone(exchange, &visitor));
    };
    let about = views::device_name(exchange, &session);
    let ended = sessions::end(&exchange.context, &visitor, OwnSessions::One(session.id.clone())).await;
    let ended = ended.map_err(|failure| exchange.error(&failure))?;
    if ended.sessions == 0 {
        return Ok(gone(exchange, &visitor));
    }
    Ok(done(exchange, &visitor, Did::SessionEnded, &about))
}

async fn ask_to_end_others(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let path = AccountPage::EndOtherSessions.path();
    let visitor = exchange.visitor(path).await?;
    let shell = shell(exchange, &visitor, "sessions");
    Ok(exchange.confirm(&visitor, shell, (Action::EndOtherSessions, ""), (path, AccountPage::Sessions.path())))
}

async fn end_others(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let (visitor, _) = exchange.actor(AccountPage::EndOtherSessions.path()).await?;
    let kept = visitor.session.id.clone();
    let ended = sessions::end(&exchange.context, &visitor, OwnSessions::AllBut(kept)).await;
    let ended = ended.map_err(|failure| exchange.error(&failure))?;
    Ok(match ended.sessions {
        0 => done(exchange, &visitor, Did::NoOtherSessions, ""),
        count => done(exchange, &visitor, Did::OtherSessionsEnded, &count.to_string()),
    })
}

/// Back to the list of sessions, which says what was done.
fn done(exchange: &Exchange<'_>, visitor: &Admitted, did: Did, about: &str) -> Response {
    exchange.done(visitor, AccountPage::Sessions.path(), did, about)
}

/// The session has ended already, in another tab or by itself, or was never the visitor's: which of them, nobody learns.
fn gone(exchange: &Exchange<'_>, visitor: &Admitted) -> Response {
    done(exchange, visitor, Did::SessionGone, "")
}
