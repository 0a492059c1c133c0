//! Security event tokens that a provider posts (RFC 8417; Shared Signals Framework 1.0, CAEP 1.0, RISC 1.0): the checks, and
//! what they say.
//!
//! The caller decides what follows from an event, and acts on each `jti` once. An event says when it happened, and what was
//! made here later is not affected by it: a token that comes late or once more ends nothing that it should not.

use serde_json::{Map, Value};

use crate::jose::{Check, Claims, Jws, Problem, SKEW};
use crate::protocol::{Algorithm, Signal};
use crate::upstream::RelyingParty;
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Document, UpstreamError};
use crate::upstream::gather::PROTOCOL;
use crate::upstream::settings::{ProviderSettings, SignalSettings};

/// The oldest token that is accepted, in seconds. Transmitters try again for hours or days after an outage.
const OLDEST: i64 = 7 * 86_400;
/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 1024;
/// Times beyond this are in milliseconds, as drafts of CAEP had them.
const MILLISECONDS: i64 = 100_000_000_000;

/// What a verified security event token says.
#[derive(Clone, Debug)]
pub struct SecurityEvents {
    /// Its id, to be acted upon once.
    pub jti: String,
    /// When it can no longer be used.
    pub expires_at: i64,
    /// Its events.
    pub events: Vec<SecurityEvent>,
}

/// A security event.
#[derive(Clone, Debug)]
pub struct SecurityEvent {
    /// Its type identifier.
    pub uri: String,
    /// Which one it is; `None` for one that is not known.
    pub signal: Option<Signal>,
    /// Whom it is about.
    pub subjects: Vec<SignalSubject>,
    /// When it happened.
    pub at: i64,
    /// What it says besides.
    pub details: Map<String, Value>,
}

impl SecurityEvent {
    /// The claims that changed, with their new values; `null` for one that is gone (CAEP §3.2). Protocol claims are left out.
    pub fn changed_claims(&self) -> impl Iterator<Item = (&String, &Value)> {
        let claims = self.details.get("claims").and_then(Value::as_object);
        claims.into_iter().flatten().filter(|(name, _)| !PROTOCOL.contains(&name.as_str()))
    }
}

/// Whom an event is about (RFC 9493, SSF §3): at least one member is there, and all that are must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalSubject {
    /// The upstream `sub`.
    pub subject: Option<String>,
    /// A verified address.
    pub email: Option<String>,
    /// The upstream session.
    pub sid: Option<String>,
}

impl RelyingParty {
    /// Verifies a security event token that the provider posted.
    ///
    /// # Errors
    /// When it fails a check, or the provider's keys are not available.
    pub async fn security_events(
        &self,
        settings: &ProviderSettings,
        signals: &SignalSettings,
        token: &str,
        now: i64,
    ) -> Result<SecurityEvents, UpstreamError> {
        let document = Document::SecurityEventToken;
        let invalid = |check| UpstreamError::invalid(document, check);
        let upstream = &self.upstream(settings);
        let metadata = &*upstream.metadata(now).await?;
        let jws = Jws::parse(token).map_err(invalid)?;
        // SSF §4.1.1: no other token may pass for one.
        if jws.typ.as_deref() != Some("secevent+jwt") {
            return Err(invalid(Check::Form("its typ is not secevent+jwt")));
        }
        let claims = Claims(&jws.claims);
        let issuer = signals.issuer.as_deref().unwrap_or(&metadata.issuer);
        claims.issuer(issuer).map_err(invalid)?;
        let own: Vec<Algorithm> =
            Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::HS256).collect();
        let configured = settings.id_token_alg.as_slice();
        let algorithms = match (&settings.source.signals_jwks, configured.is_empty()) {
            (Some(_), _) => own.as_slice(),
            (None, true) => metadata.id_token_algs.as_slice(),
            (None, false) => configured,
        };
        let provider = ProviderContext { upstream, settings, metadata, key: None, now };
        provider.verify(document, &jws, algorithms, true).await?;
        let issuers = [issuer, metadata.issuer.as_str(), settings.issuer()];
        read(&jws.claims, &signals.audience, &issuers, now).map_err(invalid)
    }
}

/// Reads the claims of a token whose signature and issuer are right. `issuers` are those whose subjects are the provider's.
fn read(claims: &Map<String, Value>, audience: &[String], issuers: &[&str], now: i64) -> Result<SecurityEvents, Check> {
    let checked = Claims(claims);
    if !audience.iter().any(|one| checked.audience(one).is_ok()) {
        return Err(Check::Claim("aud", Problem::Differs));
    }
    // It has no `exp` (SSF §4.1.7); one that is there counts.
    if checked.time("exp")?.is_some() {
        checked.not_expired(now)?;
    }
    let issued_at = checked.has_come("iat", now)?.ok_or(Check::Claim("iat", Problem::Missing))?;
    if now.saturating_sub(issued_at) > OLDEST {
        return Err(Check::Claim("iat", Problem::Time));
    }
    let jti = checked.filled("jti")?.ok_or(Check::Claim("jti", Problem::Missing))?;
    if jti.len() > LONGEST_ID {
        return Err(Check::Claim("jti", Problem::Type));
    }
    let events = match claims.get("events") {
        None | Some(Value::Null) => return Err(Check::Claim("events", Problem::Missing)),
        Some(Value::Object(events)) if !events.is_empty() => events,
        Some(_) => return Err(Check::Claim("events", Problem::Type)),
    };
    let happened = checked.time("toe")?.unwrap_or(issued_at);
    let event = |(uri, details): (&String, &Value)| {
        let details = details.as_object().ok_or(Check::Claim("events", Problem::Type))?;
        let at = Claims(details).time("event_timestamp")?.unwrap_or(happened);
        let at = if at > MILLISECONDS { at / 1000 } else { at };
        // Where the subject is in the event, as drafts of SSF had it, it counts too.
        let about = claims.get("sub_id").or_else(|| details.get("subject"));
        Ok(SecurityEvent {
            uri: uri.clone(),
            signal: Signal::from_uri(uri),
            subjects: about.map(|about| subjects(about, issuers)).unwrap_or_default(),
            at: at.min(now),
            details: details.clone(),
        })
    };
    Ok(SecurityEvents {
        jti: jti.to_owned(),
        expires_at: issued_at.saturating_add(OLDEST + SKEW),
        events: events.iter().map(event).collect::<Result<_, Check>>()?,
    })
}

/// The subjects that an identifier names. Those of formats that say nothing here are left out.
fn subjects(about: &Value, issuers: &[&str]) -> Vec<SignalSubject> {
    match format(about).as_str() {
        "aliases" => {
            let each = about.get("identifiers").and_then(Value::as_array);
            each.into_iter().flatten().filter_map(|one| simple(one, issuers)).collect()
        }
        "complex" | "" => complex(about, issuers).into_iter().collect(),
        _ => simple(about, issuers).into_iter().collect(),
    }
}

/// `format` (RFC 9493 §3), or `subject_type`, as drafts had it, with hyphens.
fn format(about: &Value) -> String {
    let format = about.get("format").or_else(|| about.get("subject_type")).and_then(Value::as_str);
    format.unwrap_or_default().replace('-', "_")
}

/// A person (RFC 9493 §3.2).
fn simple(about: &Value, issuers: &[&str]) -> Option<SignalSubject> {
    let text = |name: &str| about.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match format(about).as_str() {
        "iss_sub" | "id_token_claims" => {
            let known = text("iss").is_some_and(|iss| issuers.contains(&iss));
            let subject = text("sub").filter(|_| known)?.to_owned();
            Some(SignalSubject { subject: Some(subject), ..SignalSubject::default() })
        }
        "opaque" => Some(SignalSubject { subject: Some(text("id")?.to_owned()), ..SignalSubject::default() }),
        "email" => Some(SignalSubject { email: Some(text("email")?.to_lowercase()), ..SignalSubject::default() }),
        _ => None,
    }
}

/// A person, a session, or a session of a person (SSF §3.2). Other members, such as a device, are not known here: the event
/// then concerns more than it names, rather than less. `None` if one that is there can't be read.
fn complex(about: &Value, issuers: &[&str]) -> Option<SignalSubject> {
    let mut subject = match about.get("user") {
        Some(user) => simple(user, issuers)?,
        None => SignalSubject::default(),
    };
    if let Some(session) = about.get("session") {
        subject.sid = Some(simple(session, issuers)?.subject?);
    }
    (subject != SignalSubject::default()).then_some(subject)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn of(about: Value) -> Vec<(Option<String>, Option<String>, Option<String>)> {
        let found = subjects(&about, &["https://idp.example", "https://other.name.of.it"]);
        found.into_iter().map(|one| (one.subject, one.email, one.sid)).collect()
    }

    #[test]
    fn subjects_in_all_their_forms() {
        let text = |text: &str| Some(text.to_owned());
        let ours = json!({ "format": "iss_sub", "iss": "https://idp.example", "sub": "1" });
        let sub = || vec![(text("1"), None, None)];
        for (about, expected) in [
            (ours.clone(), sub()),
            (json!({ "subject_type": "iss-sub", "iss": "https://other.name.of.it", "sub": "1" }), sub()),
            (json!({ "subject_type": "id_token_claims", "iss": "https://idp.example", "sub": "1" }), sub()),
            (json!({ "format": "opaque", "id": "1" }), sub()),
            (json!({ "format": "email", "email": "A@B.example" }), vec![(None, text("a@b.example"), None)]),
            (json!({ "format": "complex", "user": ours, "device": { "format": "opaque", "id": "d" } }), sub()),
            (json!({ "session": { "format": "opaque", "id": "s" } }), vec![(None, None, text("s"))]),
            (
                json!({ "format": "complex", "user": ours, "session": { "format": "opaque", "id": "s" } }),
                vec![(text("1"), None, text("s"))],
            ),
            (
                json!({ "format": "aliases", "identifiers": [ours, { "format": "did", "url": "did:x" }] }),
                vec![(text("1"), None, None)],
            ),
        ] {
            assert_eq!(of(about.clone()), expected, "{about}");
        }
        for nobody in [
            json!({ "format": "iss_sub", "iss": "https://evil.example", "sub": "1" }),
            json!({ "format": "iss_sub", "sub": "1" }),
            json!({ "format": "iss_sub", "iss": "https://idp.example", "sub": 1 }),
            json!({ "format": "phone_number", "phone_number": "+1" }),
            json!({ "format": "opaque", "id": "" }),
            // A person who can't be read must not become everybody with that session.
            json!({ "format": "complex", "user": { "format": "did" }, "session": { "format": "opaque", "id": "s" } }),
            json!({ "format": "complex", "user": ours, "session": { "format": "jwt_id" } }),
            json!({ "format": "complex", "tenant": { "format": "opaque", "id": "t" } }),
            json!({ "format": "aliases" }),
            json!("1"),
            json!([]),
        ] {
            assert_eq!(of(nobody.clone()), [], "{nobody}");
        }
    }

    #[test]
    fn an_event_happened_when_it_says() {
        let now = 1_800_000_000;
        let claims = |change: Value| {
            let mut claims = json!({ "aud": ["x", "client"], "iat": now - 50, "jti": "1", "events": { "u": {} } });
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            read(claims.as_object().unwrap(), &["client".to_owned()], &[], now)
        };
        for (change, at) in [
            (json!({}), now - 50),
            (json!({ "toe": now - 90 }), now - 90),
            (json!({ "toe": now - 90, "events": { "u": { "event_timestamp": now - 120 } } }), now - 120),
            (json!({ "events": { "u": { "event_timestamp": (now - 120) * 1000 } } }), now - 120),
            (json!({ "events": { "u": { "event_timestamp": now + 3600 } } }), now),
        ] {
            let read = claims(change.clone()).unwrap();
            assert_eq!(read.events.iter().map(|event| event.at).collect::<Vec<_>>(), [at], "{change}");
            assert_eq!(read.expires_at, now - 50 + OLDEST + SKEW);
        }
        for wrong in [
            json!({ "aud": "other" }),
            json!({ "aud": null }),
            json!({ "iat": null }),
            json!({ "iat": now + 3600 }),
            json!({ "iat": now - OLDEST - 1 }),
            json!({ "iat": "1" }),
            json!({ "exp": now - 3600 }),
            json!({ "jti": "" }),
            json!({ "jti": "x".repeat(LONGEST_ID + 1) }),
            json!({ "events": {} }),
            json!({ "events": [] }),
            json!({ "events": null }),
            json!({ "events": { "u": [] } }),
            json!({ "events": { "u": { "event_timestamp": "now" } } }),
            json!({ "toe": "now" }),
        ] {
            assert!(claims(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
