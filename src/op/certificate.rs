//! Client certificates of users: when one counts, and what is kept of it.
//!
//! Owns which certificates count, and how one is linked to an account. The pipeline decides whose it is and what its user may
//! do ([`decision`](crate::decision)); [`x509`](crate::x509) verifies it.

use serde_json::{Map, Value};

use crate::audit::Kind;
use crate::decision::account::LinkedBy;
use crate::decision::policy::Attached;
use crate::op::RequestContext;
use crate::protocol::CERTIFICATE;
use crate::store::model::{Link, LinkKey};
use crate::x509::{Certificate, Flaw, Reading};

/// The member of a link's claims that says how the certificate was attached.
const ATTACHED: &str = "attached";

/// Reason code of certificates that are not valid here.
pub const INVALID: &str = "certificate_invalid";

/// Why a request has no certificate that counts. The texts are ASCII and contain nothing of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The request came by a listener that reads no certificates, or not from a trusted proxy.
    #[error("no certificate is read here: use the endpoint that mtls_endpoint_aliases names in discovery")]
    NotRead,
    /// The client presented none.
    #[error("the request came without a client certificate")]
    Absent,
    /// `certificates.ca` is not declared.
    #[error("certificates of users are not accepted: no certificate authority is configured")]
    NoAuthority,
    /// Something is wrong with it.
    #[error(transparent)]
    Flawed(#[from] Flaw),
}

/// The certificate that was presented, verified or not.
///
/// # Errors
/// There is none, or it can't be read.
pub fn presented<'c>(context: &'c RequestContext<'_>) -> Result<&'c Certificate, Unusable> {
    match &context.client_certificate {
        Reading::NotRead => Err(Unusable::NotRead),
        Reading::Absent => Err(Unusable::Absent),
        Reading::Flawed(flaw) => Err(Unusable::Flawed(*flaw)),
        Reading::Presented(certificate) => Ok(certificate),
    }
}

/// The certificate that was presented, verified against `certificates.ca`.
///
/// # Errors
/// There is none, or it is not valid.
pub fn verified<'c>(context: &'c RequestContext<'_>) -> Result<&'c Certificate, Unusable> {
    let certificate = presented(context)?;
    let authorities = context.snapshot.client_authorities.as_ref().ok_or(Unusable::NoAuthority)?;
    authorities.verify(certificate, context.now)?;
    Ok(certificate)
}

/// The certificate of a user that was presented, verified against `certificates.ca`.
///
/// # Errors
/// There is none, or it is not valid, which is recorded.
pub async fn of_user<'c>(context: &'c RequestContext<'_>, client: Option<&str>) -> Result<&'c Certificate, Unusable> {
    let verified = verified(context);
    if let Err(unusable @ Unusable::Flawed(_)) = &verified {
        let event = context.event(Kind::Refusal).reason(INVALID).provider(CERTIFICATE);
        let event = client.into_iter().fold(event, |event, client| event.client(client));
        context.record_of_stranger(event.detail(unusable.to_string())).await;
    }
    verified
}

/// Records that a request to this listener had the header of a certificate where it counts for nothing.
pub async fn ignored(context: &RequestContext<'_>, listener: &str) {
    let event = context.event(Kind::CertificateIgnored).detail(format!("at {listener}"));
    context.record_of_stranger(event).await;
}

/// The key under which a certificate is linked to an account: its fingerprint takes the place of an upstream `sub`.
#[must_use]
pub fn link_key(fingerprint: &str) -> LinkKey {
    LinkKey { provider: CERTIFICATE.to_owned(), issuer: CERTIFICATE.to_owned(), subject: fingerprint.to_owned() }
}

/// How a certificate was attached to the account that it is linked to.
#[must_use]
pub fn attached(link: &Link) -> Attached {
    let stored = link.claims.get(ATTACHED).cloned();
    stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default()
}

/// What is kept of a certificate with its link: its facts, and how it came to be the user's.
#[must_use]
pub fn kept(facts: &Map<String, Value>, attached: Attached) -> Map<String, Value> {
    let mut kept = facts.clone();
    // A unit variant is a text.
    kept.insert(ATTACHED.to_owned(), serde_json::to_value(attached).unwrap_or_default());
    kept
}

/// How a certificate is attached by a decision: as it was before, by the file, or because it created the account.
#[must_use]
pub fn attached_by(known: Option<&Link>, linked_by: LinkedBy) -> Attached {
    match (known, linked_by) {
        (Some(link), _) => attached(link),
        (None, LinkedBy::Declared) => Attached::ByFile,
        (None, _) => Attached::AtCreation,
    }
}

/// Whether the certificate of a link has expired since it was presented.
#[must_use]
pub fn has_expired(link: &Link, now: i64) -> bool {
    let not_after = link.claims.get("not_after").and_then(Value::as_i64);
    link.key.provider == CERTIFICATE && not_after.is_some_and(|not_after| now > not_after)
}
