//! What an examination of a provider found.

use std::fmt;

use serde::Serialize;

use crate::outbound::{OutboundError, OutboundPolicy};
use crate::upstream::error::{Unavailable, UnavailableProblem};
use crate::upstream::settings::ProviderSettings;

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// What was asked, in order. Without a usable discovery document nothing else is asked.
    pub steps: Vec<Step>,
    /// What a sign-in would lack. None of it is an error.
    pub missing: Vec<String>,
    /// What the provider says of itself.
    #[serde(skip)]
    pub offers: Offers,
}

/// What a provider's metadata says that lines of the file can be proposed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// `issuer`
    pub issuer: Option<String>,
    /// `claims_supported`
    pub claims: Option<Vec<String>>,
    /// `scopes_supported`
    pub scopes: Option<Vec<String>>,
}

/// One thing that the provider was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was asked.
    pub asked: Asked,
    /// Where; `None` if nothing was sent.
    pub url: Option<String>,
    /// What it means.
    pub outcome: Outcome,
    /// What the provider answered, in words.
    pub answer: String,
}

/// What a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Its discovery document (OIDC Discovery §4).
    Discovery,
    /// Its key set (RFC 7517 §5).
    Keys,
    /// Its endpoint for pushed authorization requests (RFC 9126 §2).
    Push,
    /// Its authorization endpoint (RFC 6749 §3.1).
    Authorize,
    /// Its token endpoint (RFC 6749 §4.1.3).
    Token,
    /// The API that groups come from (`groups_from`).
    Groups,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Push => "push",
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Groups => "groups",
        })
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As a sign-in needs it.
    Fine,
    /// It does not say.
    Unclear,
    /// Sign-ins would fail.
    Trouble,
    /// It was not asked.
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "ok",
            Self::Unclear => "unclear",
            Self::Trouble => "trouble",
            Self::Skipped => "skipped",
        })
    }
}

/// Whether the broker's credentials are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They are.
    Send,
    /// They are not: the reason.
    Withhold(&'static str),
}

impl Examination {
    /// Whether sign-ins would fail.
    #[must_use]
    pub fn has_trouble(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == Outcome::Trouble)
    }

    /// Notes why there is no usable answer. An address that only the operator may call was not called.
    pub(super) fn failed(
        &mut self,
        asked: Asked,
        url: Option<&url::Url>,
        error: &Unavailable,
        settings: &ProviderSettings,
    ) {
        let guarded = settings.source.policy == OutboundPolicy::strangers();
        let not_ours = matches!(
            error.problem,
            UnavailableProblem::Outbound(OutboundError::ForbiddenAddress(_) | OutboundError::NotHttps(_))
        );
        if guarded && not_ours {
            const WAY_OUT: &str = "it is not at a public https address: `countersign providers probe` asks it";
            return self.note(asked, url, Outcome::Skipped, WAY_OUT);
        }
        self.note(asked, url, Outcome::Trouble, error.problem.to_string());
    }

    /// Adds what to do about the trouble that was noted last.
    pub(super) fn add_way_out(&mut self, way_out: Option<&str>) {
        let last = self.steps.last_mut().filter(|step| step.outcome == Outcome::Trouble);
        if let Some((step, way_out)) = last.zip(way_out) {
            step.answer = format!("{}; {way_out}", step.answer);
        }
    }

    pub(super) fn note(&mut self, asked: Asked, url: Option<&url::Url>, outcome: Outcome, answer: impl Into<String>) {
        let url = url.map(ToString::to_string);
        self.steps.push(Step { asked, url, outcome, answer: answer.into() });
    }
}
