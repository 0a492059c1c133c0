//! The client certificates of a visitor: which there are, attaching the one that the browser presents, and detaching one.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::audit::Kind;
use crate::decision::policy::Attached;
use crate::decision::username;
use crate::op::RequestContext;
use crate::op::authorize::stage::Admitted;
use crate::op::certificate;
use crate::op::error::PageError;
use crate::op::logout::backchannel;
use crate::protocol::CERTIFICATE;
use crate::store::Ended;
use crate::store::model::Link;
use crate::x509::Certificate;

/// The most certificates that a person may attach.
const MOST: usize = 20;

/// A certificate of the visitor.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its facts, as expressions read them; empty for one that the file names and that nobody has presented yet.
    pub facts: Map<String, Value>,
    /// How it came to be theirs.
    pub attached: Attached,
    /// When it came to be theirs, where that is known.
    pub since: Option<i64>,
    /// Whether it counts: it has not expired, and the file does not say otherwise.
    pub counts: bool,
    /// Whether the visitor may detach it.
    pub detachable: bool,
}

impl Held {
    /// The subject's common name, else its whole name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        name(&self.facts)
    }

    /// The whole name of its issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.facts.get("issuer").and_then(|issuer| issuer.get("dn")).and_then(Value::as_str)
    }

    /// When it expires, in seconds since the Unix epoch.
    #[must_use]
    pub fn not_after(&self) -> Option<i64> {
        self.facts.get("not_after").and_then(Value::as_i64)
    }
}

/// The common name of a certificate's subject, else its whole name.
#[must_use]
pub fn name(facts: &Map<String, Value>) -> Option<&str> {
    let member = |name: &str| facts.get("subject").and_then(|subject| subject.get(name)).and_then(Value::as_str);
    member("cn").or_else(|| member("dn")).filter(|name| !name.is_empty())
}

/// What came of attaching a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attaching {
    /// It is the visitor's now.
    Done,
    /// It was before.
    OwnAlready,
    /// It is somebody's already, or the file names it for somebody.
    Taken,
    /// The visitor has too many.
    TooMany,
}

/// Whether people may attach and detach certificates.
#[must_use]
pub fn is_self_service(context: &RequestContext<'_>) -> bool {
    context.snapshot.policy.self_service_certificates
}

/// The certificates of the visitor: in the order in which they were attached, then those of the file that are not used yet.
///
/// # Errors
/// When the store is not available.
pub async fn list(context: &RequestContext<'_>, visitor: &Admitted) -> Result<Vec<Held>, PageError> {
    let policy = &context.snapshot.policy;
    let links = context.store().links_at(&visitor.user.id, CERTIFICATE).await?;
    let mut all: Vec<Held> = links.into_iter().map(|link| held(context, visitor, link)).collect();
    let own = username::key(&visitor.user.username);
    let named = policy.links_by_sub.iter().filter(|((provider, _), owner)| provider == CERTIFICATE && **owner == own);
    let mut unused: Vec<&String> = named.map(|((_, fingerprint), _)| fingerprint).collect();
    unused.retain(|fingerprint| !all.iter().any(|held| held.fingerprint == **fingerprint));
    unused.sort();
    all.extend(unused.into_iter().map(|fingerprint| Held {
        fingerprint: fingerprint.clone(),
        facts: Map::new(),
        attached: Attached::ByFile,
        since: None,
        counts: true,
        detachable: false,
    }));
    Ok(all)
}

fn held(context: &RequestContext<'_>, visitor: &Admitted, link: Link) -> Held {
    let policy = &context.snapshot.policy;
    let named = owner(context, &link.key.subject).is_some();
    let attached = if named { Attached::ByFile } else { certificate::attached(&link) };
    let kept = policy.keeps_certificate(&link.key.subject, &visitor.user.username, attached);
    Held {
        counts: kept && !certificate::has_expired(&link, context.now),
        // What the file names, and what made the account, is not the person's to give away.
        detachable: is_self_service(context) && attached == Attached::ByUser,
        attached,
        since: Some(link.created_at),
        fingerprint: link.key.subject,
        facts: link.claims,
    }
}

/// The key of the user for whom the file names a certificate.
fn owner<'c>(context: &'c RequestContext<'_>, fingerprint: &str) -> Option<&'c String> {
    context.snapshot.policy.links_by_sub.get(&(CERTIFICATE.to_owned(), fingerprint.to_owned()))
}

/// Attaches a certificate, which was verified, to the visitor.
///
/// # Errors
/// When the store is not available.
pub async fn attach(
    context: &RequestContext<'_>,
    visitor: &Admitted,
    certificate: &Certificate,
) -> Result<Attaching, PageError> {
    let key = certificate::link_key(&certificate.fingerprint());
    let held = list(context, visitor).await?;
    if held.iter().any(|held| held.fingerprint == key.subject) {
        return Ok(Attaching::OwnAlready);
    }
    if owner(context, &key.subject).is_some() {
        return Ok(Attaching::Taken);
    }
    if held.iter().filter(|held| held.attached == Attached::ByUser).count() >= MOST {
        return Ok(Attaching::TooMany);
    }
    let event = context.event_about(Kind::CertificateAttached, &visitor.user).provider(CERTIFICATE);
    let event = event.detail(key.subject.clone());
    let link = Link {
        key,
        user_id: visitor.user.id.clone(),
        claims: certificate::kept(certificate.facts(), Attached::ByUser),
        claims_at: context.now,
        verified_email: None,
        refresh_token: None,
        created_at: context.now,
    };
    if !context.store().attach_certificate(link, event.clone()).await? {
        return Ok(Attaching::Taken);
    }
    context.announce(&[event]);
    Ok(Attaching::Done)
}

/// A certificate of the visitor that they may detach, by its fingerprint.
///
/// # Errors
/// When the store is not available.
pub async fn find(
    context: &RequestContext<'_>,
    visitor: &Admitted,
    fingerprint: &str,
) -> Result<Option<Held>, PageError> {
    let held = list(context, visitor).await?;
    Ok(held.into_iter().find(|held| held.detachable && held.fingerprint == fingerprint))
}

/// Detaches a certificate from the visitor: the sessions that it made end, and the grants that rest on it. `None` when it is
/// not theirs any more.
///
/// # Errors
/// When the store is not available.
pub async fn detach(context: &RequestContext<'_>, visitor: &Admitted, held: &Held) -> Result<Option<Ended>, PageError> {
    let (user, key) = (&visitor.user, certificate::link_key(&held.fingerprint));
    let event = context.event_about(Kind::CertificateDetached, user).provider(CERTIFICATE);
    let event = event.detail(key.subject.clone());
    let tell = backchannel::tell(context);
    let detached = context.store().detach_certificate(&user.id, &key, context.now, event.clone(), &tell).await?;
    if let Some(ended) = &detached {
        context.announce(&[event.ended(ended.sessions, ended.grants)]);
        backchannel::session_ended(context, user, &ended.apps, Duration::ZERO);
    }
    Ok(detached)
}
