//! The page of a visitor's client certificates, and its actions. A certificate is presented where browsers reach the listener
//! for certificates; the rest is served anywhere.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::account::certificates;
use crate::op::account::certificates::{Attaching, Held};
use crate::op::authorize::own;
use crate::op::authorize::own::Arrival;
use crate::op::authorize::stage::Admitted;
use crate::op::certificate;
use crate::op::certificate::Unusable;
use crate::op::error::PageError;
use crate::pages::{Action, Did, Shell};
use crate::protocol::own_paths::AccountPage;
use crate::web::account_views as views;
use crate::web::exchange::Exchange;
use crate::web::own::own_path;
use crate::web::respond;

/// The parameter with the fingerprint that an action is about.
const CERTIFICATE: &str = "certificate";
/// The parameter that says that the browser was sent to the listener for certificates before.
const SENT: &str = "sent";

fn shell(exchange: &Exchange<'_>, visitor: &Admitted) -> Shell {
    exchange.shell(visitor, "_account.html", "certificates")
}

pub(super) async fn list(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::Certificates.path()).await?;
    let found = certificates::list(&exchange.context, &visitor).await;
    let found = found.map_err(|failure| exchange.error(&failure))?;
    let view = views::certificates(exchange, shell(exchange, &visitor), &found);
    Ok(exchange.page(StatusCode::OK, &view))
}

/// Back to the list, which says what was done.
fn done(exchange: &Exchange<'_>, visitor: &Admitted, did: Did, about: &str) -> Response {
    exchange.done(visitor, AccountPage::Certificates.path(), did, about)
}

/// The certificate as people read it on the pages that ask and tell.
fn title(name: Option<&str>, fingerprint: &str) -> String {
    name.map_or_else(|| fingerprint.to_owned(), |name| format!("{name} ({fingerprint})"))
}

/// The path, below the issuer's, of an action on the certificate with this fingerprint.
fn path_for(page: AccountPage, fingerprint: &str) -> String {
    own_path(page.path(), &[(CERTIFICATE, fingerprint)])
}

fn not_offered(exchange: &Exchange<'_>) -> Response {
    let text = "account.self_service_certificates is off: the file says which certificates are whose";
    exchange.error(&PageError::new(404, "not_found", text))
}

/// Asks whether the certificate that the browser presents is to be attached. Where none is read, the browser is sent to the
/// listener that reads them, once. Nobody signs in there: a certificate would do it, and make an account where the file says
/// so.
pub(super) async fn ask_to_attach(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let path = AccountPage::AttachCertificate.path();
    let list = AccountPage::Certificates.path();
    if !certificates::is_self_service(&exchange.context) {
        return Err(not_offered(exchange));
    }
    let arrival = own::arrive(&exchange.context, &exchange.browser, path).await;
    let Arrival::Visitor(visitor) = arrival.map_err(|failure| exchange.error(&failure))? else {
        return Err(respond::see_other(&exchange.context.snapshot.issuer.url_of(list)));
    };
    let certificate = match certificate::of_user(&exchange.context, None).await {
        Ok(certificate) => certificate,
        Err(unusable) => return Ok(without(exchange, &visitor, unusable)),
    };
    let fingerprint = certificate.fingerprint();
    let about = title(certificates::name(certificate.facts()), &fingerprint);
    let action = path_for(AccountPage::AttachCertificate, &fingerprint);
    Ok(exchange.confirm(&visitor, shell(exchange, &visitor), (Action::AttachCertificate, &about), (&action, list)))
}

/// The request has no certificate that could be attached.
fn without(exchange: &Exchange<'_>, visitor: &Admitted, unusable: Unusable) -> Response {
    let snapshot = exchange.context.snapshot;
    let origin = snapshot.resolved.certificates.as_ref().and_then(|section| section.origin.as_deref());
    match (unusable, origin) {
        (Unusable::NotRead, Some(origin)) if exchange.incoming.query.text(SENT).is_none() => {
            let path = own_path(AccountPage::AttachCertificate.path(), &[(SENT, "1")]);
            respond::see_other(&format!("{origin}{}", snapshot.issuer.path_of(&path)))
        }
        (Unusable::Flawed(_), _) => done(exchange, visitor, Did::CertificateInvalid, &unusable.to_string()),
        _ => done(exchange, visitor, Did::NoCertificate, ""),
    }
}

/// Attaches the certificate that the form names, if the browser still presents it.
pub(super) async fn attach(exchange: &Exchange<'_>) -> Result<Response, Response> {
    if !certificates::is_self_service(&exchange.context) {
        return Err(not_offered(exchange));
    }
    let named = named(exchange).map_err(|failure| exchange.error(&failure))?;
    let (visitor, _) = exchange.actor(&path_for(AccountPage::AttachCertificate, named)).await?;
    let certificate = match certificate::of_user(&exchange.context, None).await {
        Ok(certificate) => certificate,
        Err(unusable) => return Ok(without(exchange, &visitor, unusable)),
    };
    let fingerprint = certificate.fingerprint();
    if fingerprint != named {
        return Ok(done(exchange, &visitor, Did::NoCertificate, ""));
    }
    let attaching = certificates::attach(&exchange.context, &visitor, certificate).await;
    let did = match attaching.map_err(|failure| exchange.error(&failure))? {
        Attaching::Done => Did::CertificateAttached,
        Attaching::OwnAlready => Did::CertificateOwnAlready,
        Attaching::Taken => Did::CertificateTaken,
        Attaching::TooMany => Did::TooManyCertificates,
    };
    Ok(done(exchange, &visitor, did, &title(certificates::name(certificate.facts()), &fingerprint)))
}

/// The fingerprint that the query names.
fn named<'e>(exchange: &'e Exchange<'_>) -> Result<&'e str, PageError> {
    let missing = || PageError::new(400, "invalid_request", "the request names no certificate");
    exchange.incoming.query.text(CERTIFICATE).ok_or_else(missing)
}

/// The certificate that the query names, if the visitor may detach it.
async fn find(exchange: &Exchange<'_>, visitor: &Admitted, fingerprint: &str) -> Result<Held, Response> {
    let found = certificates::find(&exchange.context, visitor, fingerprint).await;
    let found = found.map_err(|failure| exchange.error(&failure))?;
    found.ok_or_else(|| done(exchange, visitor, Did::CertificateNotThere, ""))
}

pub(super) async fn ask_to_detach(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let visitor = exchange.visitor(AccountPage::DetachCertificate.path()).await?;
    let fingerprint = named(exchange).map_err(|failure| exchange.error(&failure))?;
    let held = find(exchange, &visitor, fingerprint).await?;
    let about = title(held.name(), fingerprint);
    let (path, back) = (path_for(AccountPage::DetachCertificate, fingerprint), AccountPage::Certificates.path());
    Ok(exchange.confirm(&visitor, shell(exchange, &visitor), (Action::DetachCertificate, &about), (&path, back)))
}

pub(super) async fn detach(exchange: &Exchange<'_>) -> Result<Response, Response> {
    let fingerprint = named(exchange).map_err(|failure| exchange.error(&failure))?;
    let (visitor, _) = exchange.actor(&path_for(AccountPage::DetachCertificate, fingerprint)).await?;
    let held = find(exchange, &visitor, fingerprint).await?;
    let detached = certificates::detach(&exchange.context, &visitor, &held).await;
    Ok(match detached.map_err(|failure| exchange.error(&failure))? {
        Some(_) => done(exchange, &visitor, Did::CertificateDetached, &title(held.name(), fingerprint)),
        None => done(exchange, &visitor, Did::CertificateNotThere, ""),
    })
}
