//! The hash chain of a replica: each event carries the hash of the one before.
//!
//! A link is one line of JSON: the event with `seq` and `replica` in front, and `previous` and `hash` at the end. `hash` is the
//! SHA-256, base64url, of the line without its last member, so that `sha256sum` can verify it; `previous` is the `hash` of the
//! event before, null for the first one. An event that is removed, altered or inserted later breaks the chain.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::digest::sha256;

/// The hash of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads a hash as it is displayed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The place of a link in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the event, from 1 without a gap.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// An event as it is kept and written out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Countersign audit event", rename = "AuditEvent")]
pub struct Recorded {
    /// Number of the event in its replica's chain, from 1 without a gap.
    pub seq: u64,
    /// Id of the replica that recorded it.
    pub replica: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// `hash` of the event before; null for the first one.
    pub previous: Option<String>,
    /// SHA-256, base64url, of the line without this member.
    pub hash: String,
}

/// What a link is made of before its place is known: the event as JSON, without its opening brace.
#[derive(Clone, Debug)]
pub struct Draft(String);

impl Draft {
    /// Of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        // It contains only text and numbers, so serialising it can't fail.
        let text = serde_json::to_string(event).unwrap_or_default();
        Self(text.trim_start_matches('{').to_owned())
    }

    /// The link after `previous`: its text without the hash, and its place.
    #[must_use]
    pub fn link(&self, replica: &str, previous: Option<Place>) -> (String, Place) {
        let seq = previous.map_or(1, |place| place.seq + 1);
        let event = self.0.strip_suffix('}').unwrap_or(&self.0);
        let before = previous.map_or_else(|| "null".to_owned(), |place| format!("\"{}\"", place.hash));
        let text = format!("{{\"seq\":{seq},\"replica\":\"{replica}\",{event},\"previous\":{before}}}");
        let hash = hash(&text);
        (text, Place { seq, hash })
    }
}

/// The line of a link: its text with the hash.
#[must_use]
pub fn line(text: &str, hash: Hash) -> String {
    format!("{},\"hash\":\"{hash}\"}}", text.strip_suffix('}').unwrap_or(text))
}

fn hash(text: &str) -> Hash {
    Hash(sha256(text.as_bytes()))
}

/// What is wrong with a line of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not an event.
    #[error("this is not an event: {0}")]
    NotAnEvent(String),
    /// The content does not have its hash.
    #[error("event {0} was altered: it does not have its hash")]
    Altered(u64),
    /// It does not follow the one before.
    #[error("event {found} does not follow event {before}: events are missing, or one was inserted")]
    Gap {
        /// The one before.
        before: u64,
        /// The one that does not follow.
        found: u64,
    },
    /// The one before has another hash.
    #[error("event {0} does not have the hash of the event before it")]
    OtherBefore(u64),
}

/// Verifies lines one after the other.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    last: Option<Place>,
    replica: Option<String>,
    /// How many were verified.
    pub count: u64,
}

impl Verifier {
    /// A chain whose beginning was removed by retention goes on after this place.
    #[must_use]
    pub const fn after(anchor: Option<Place>) -> Self {
        Self { last: anchor, replica: None, count: 0 }
    }

    /// The last place that was verified.
    #[must_use]
    pub const fn last(&self) -> Option<Place> {
        self.last
    }

    /// Verifies the next line. `begins` says that it may be any event of the chain: the first line of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn next(&mut self, line: &str, begins: bool) -> Result<Recorded, Broken> {
        let recorded: Recorded = serde_json::from_str(line).map_err(|error| Broken::NotAnEvent(error.to_string()))?;
        let member = format!(",\"hash\":\"{}\"}}", recorded.hash);
        let text = line.trim_end().strip_suffix(&member).map(|text| format!("{text}}}"));
        let hash = text.map(|text| hash(&text)).filter(|hash| hash.to_string() == recorded.hash);
        let hash = hash.ok_or(Broken::Altered(recorded.seq))?;
        let other_replica = self.replica.as_ref().is_some_and(|replica| *replica != recorded.replica);
        if !begins {
            let (before, expected) = self.last.map_or((0, None), |last| (last.seq, Some(last.hash.to_string())));
            if recorded.seq != before + 1 || other_replica {
                return Err(Broken::Gap { before, found: recorded.seq });
            }
            if recorded.previous != expected {
                return Err(Broken::OtherBefore(recorded.seq));
            }
        }
        self.last = Some(Place { seq: recorded.seq, hash });
        self.replica = Some(recorded.replica.clone());
        self.count += 1;
        Ok(recorded)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::audit::{Identify, Kind};

    fn lines(count: u64) -> Vec<String> {
        let mut previous = None;
        (0..count)
            .map(|n| {
                let event = Event::new(Kind::SignIn, 1_800_000_000, Identify::Username).client(&format!("app-{n}"));
                let (text, place) = Draft::of(&event).link("r", previous);
                previous = Some(place);
                line(&text, place.hash)
            })
            .collect()
    }

    fn verified(lines: &[String]) -> Result<u64, Broken> {
        let mut verifier = Verifier::default();
        lines.iter().try_for_each(|line| verifier.next(line, false).map(drop))?;
        Ok(verifier.count)
    }

    #[test]
    fn a_whole_chain_is_verified_and_every_change_is_found() {
        let whole = lines(5);
        assert_eq!(verified(&whole), Ok(5));
        let mut missing = whole.clone();
        missing.remove(2);
        assert_eq!(verified(&missing), Err(Broken::Gap { before: 2, found: 4 }));
        let mut altered = whole.clone();
        altered[3] = altered[3].replace("app-3", "app-9");
        assert_eq!(verified(&altered), Err(Broken::Altered(4)));
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        assert_eq!(verified(&swapped), Err(Broken::Gap { before: 1, found: 3 }));
        // An event that was replaced together with its hash is not the one that the next event names.
        let mut replaced = whole.clone();
        let place = Place { seq: 2, hash: Verifier::default_hash(&whole[1]) };
        let event = Event::new(Kind::Logout, 1_800_000_000, Identify::Username);
        let (text, forged) = Draft::of(&event).link("r", Some(place));
        replaced[2] = line(&text, forged.hash);
        assert_eq!(verified(&replaced), Err(Broken::OtherBefore(4)));
        assert!(matches!(verified(&["{}".to_owned()]), Err(Broken::NotAnEvent(_))));
    }

    #[test]
    fn what_a_stranger_sends_stays_within_its_field() {
        let odd = "\"},{\"hash\":\"x\"}\n,\"previous\":null";
        let event = Event::new(Kind::Refusal, 0, Identify::Username).detail(odd).reason(&"r".repeat(70_000));
        let (text, place) = Draft::of(&event).link("r", None);
        let whole = line(&text, place.hash);
        assert!(!whole.contains('\n') && whole.len() < 2048);
        let recorded = Verifier::default().next(&whole, false).unwrap();
        assert_eq!(recorded.event.detail.as_deref(), Some(odd));
    }

    impl Verifier {
        fn default_hash(line: &str) -> Hash {
            let mut verifier = Self::default();
            verifier.next(line, true).unwrap();
            verifier.last.unwrap().hash
        }
    }
}
