//! The outcome of a logout request, as data.

use url::Url;

use crate::op::error::PageError;
use crate::op::outcome;

/// What comes next, with the cookies to set.
pub type Outcome = outcome::Outcome<Next>;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask the user.
    Confirm {
        /// Key of the client that asks, where one is known.
        client: Option<String>,
        /// The user's name.
        user: String,
        /// Secret id of the interaction, for the form.
        interaction: String,
    },
    /// Go to the provider's logout, or back to the app.
    Redirect {
        /// Where.
        to: String,
        /// Pages of apps that the browser loads in frames before it redirects (OIDC Front-Channel Logout 1.0).
        frames: Vec<Url>,
    },
    /// The user stays signed in.
    Stay,
    /// Show that the user is signed out, or was not signed in.
    Done {
        /// Key of the client that asked, where one is known.
        client: Option<String>,
        /// Pages of apps that the browser loads in frames.
        frames: Vec<Url>,
        /// Whether a session ended; otherwise nobody was signed in.
        ended: bool,
    },
    /// Show an error.
    Error(PageError),
}

impl Next {
    /// Pages of apps that the browser loads in frames.
    #[must_use]
    pub fn frames(&self) -> &[Url] {
        match self {
            Self::Redirect { frames, .. } | Self::Done { frames, .. } => frames,
            Self::Confirm { .. } | Self::Stay | Self::Error(_) => &[],
        }
    }
}
