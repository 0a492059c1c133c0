//! Sign-in by client certificate in a browser: on the listener that reads certificates, without a page. What a certificate says
//! takes the place of what a provider answers; the decision, and what is written, are the same.

use crate::config::language::scalar::SecretValue;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::authorize::stage::{Flow, Stage};
use crate::op::callback::admit::admit;
use crate::op::callback::write::Facts;
use crate::op::certificate;
use crate::op::certificate::Unusable;
use crate::op::error::PageError;
use crate::op::outcome::{SetCookie, Stop};
use crate::op::session;
use crate::protocol::{CERTIFICATE, CERTIFICATE_AMR};
use crate::upstream::UpstreamIdentity;
use crate::x509::Certificate;

/// Signs in the user whose certificate the request has. `None` if it has none, or if the app or its request wants another way.
///
/// # Errors
/// A page when the certificate is not valid; what a sign-in can fail with.
pub(crate) async fn sign_in(
    flow: &Flow<'_>,
    request: &AuthorizeRequest,
) -> Result<Option<(Stage, Vec<SetCookie>)>, Stop> {
    let context = flow.context;
    if !is_wanted(flow, request) {
        return Ok(None);
    }
    let certificate = match certificate::of_user(context, request.to.client()).await {
        Ok(certificate) => certificate,
        Err(Unusable::NotRead | Unusable::Absent) => return Ok(None),
        Err(unusable) => {
            let announced = matches!(unusable, Unusable::Flawed(_));
            let page = PageError::new(403, certificate::INVALID, unusable.to_string());
            return Err(PageError { announced, ..page }.into());
        }
    };
    let identity = identity(certificate, context.now);
    let key = certificate::link_key(&identity.subject);
    let previous = session::live(context, flow.browser).await?;
    let facts = Facts { request, identity: &identity, key, previous };
    Ok(Some(admit(flow, &facts).await?.into_stage()))
}

/// Whether the client takes certificates, and the request asks for no other way and no other account.
fn is_wanted(flow: &Flow<'_>, request: &AuthorizeRequest) -> bool {
    let snapshot = flow.context.snapshot;
    let another_way = request.provider_hint.as_ref().is_some_and(|hint| hint != CERTIFICATE);
    let another_account = request.prompt.select_account || request.prompt.another_account;
    let others = snapshot.accepted(flow.client).next().is_some();
    snapshot.accepts(flow.client, CERTIFICATE) && !(others && (another_way || another_account))
}

/// Whom a certificate identifies. The client proved to the proxy, when it connected, that it has the key.
fn identity(certificate: &Certificate, now: i64) -> UpstreamIdentity {
    UpstreamIdentity {
        provider: CERTIFICATE.to_owned(),
        issuer: CERTIFICATE.to_owned(),
        subject: certificate.fingerprint(),
        claims: certificate.facts().clone(),
        auth_time: Some(now),
        acr: None,
        amr: vec![CERTIFICATE_AMR.to_owned()],
        sid: None,
        id_token: SecretValue::new(String::new()),
        refresh_token: None,
        access_token_expires_at: Some(certificate.not_after()),
    }
}
