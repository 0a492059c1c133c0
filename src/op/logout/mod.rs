//! Sign-out: by an app (OIDC RP-Initiated Logout 1.0), and by a provider (OIDC Back-Channel Logout 1.0, OIDC Front-Channel
//! Logout 1.0).
//!
//! Owns which session a sign-out ends, and that the other apps of that session are notified. [`end_session`] is the endpoint,
//! [`confirmed`] the form of its page, [`returned`] the way back from the provider's own logout, [`upstream`] what a provider
//! posts, [`framed`] what it loads in a frame. [`backchannel`] and `frontchannel` notify apps, [`delivery`] delivers.

pub mod backchannel;
mod confirmation;
pub mod delivery;
mod end_session;
pub mod framed;
mod frontchannel;
pub mod logout_token;
mod outcome;
mod participants;
mod provider_return;
pub mod request;
mod sign_out;
pub mod upstream;

pub use confirmation::confirmed;
pub use end_session::end_session;
pub use outcome::{Next, Outcome};
pub use provider_return::{returned, signed_out};
