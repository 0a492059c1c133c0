//! Sign-out at a provider that loads an address of the broker in a frame (OIDC Front-Channel Logout 1.0 §2, where the broker is
//! the relying party): the sessions that come from the provider's session end, and their apps are notified.
//!
//! A browser does not send its cookies to a frame of another site. The session is found by `iss` and `sid`, both of which must
//! be there; whoever knows them can do no more than end it.

use std::time::Duration;

use url::Url;

use crate::audit::Kind;
use crate::excerpt::excerpt;
use crate::op::RequestContext;
use crate::op::error::PageError;
use crate::op::logout::backchannel;
use crate::op::logout::frontchannel::frames;
use crate::op::params::{Form, Params};
use crate::store::{FromUpstream, UpstreamSessions};

/// What a provider appends to the address (§2).
struct FramedForm<'p> {
    iss: Option<&'p str>,
    sid: Option<&'p str>,
}

impl<'p> Form<'p> for FramedForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { iss: params.text("iss"), sid: params.text("sid") }
    }
}

/// The answer.
pub struct Framed {
    /// Pages of apps that the browser loads in frames.
    pub frames: Vec<Url>,
    /// Whose pages may frame it.
    pub parents: Vec<Url>,
}

/// Serves a frame of a provider's sign-out. A session that no longer exists has already ended, which is not an error.
///
/// # Errors
/// A page: `iss` or `sid` is missing, or `iss` is another provider's; the provider is not there; the store is not available.
pub async fn framed(context: &RequestContext<'_>, provider: &str, params: &Params) -> Result<Framed, PageError> {
    let invalid = |text: String| PageError::new(400, "invalid_request", text);
    let form = FramedForm::parse(params)?;
    let settings = context.snapshot.providers.get(provider);
    let settings = settings.ok_or_else(|| PageError::new(404, "not_found", "no such provider"))?;
    let missing = || {
        let text = "a front-channel logout needs iss and sid: the provider must be set to send them \
                    (frontchannel_logout_session_required)";
        invalid(text.to_owned())
    };
    let (Some(iss), Some(sid)) = (form.iss, form.sid) else { return Err(missing()) };
    if !settings.source.answers(settings.issuer(), iss) {
        return Err(invalid(format!("iss is {} and not the provider's issuer", excerpt(iss))));
    }
    let parents = context.services.upstreams.logout_page_origins(settings, context.now).await;
    let ended = UpstreamSessions {
        provider: provider.to_owned(),
        issuer: settings.issuer().to_owned(),
        subject: None,
        sid: Some(sid.to_owned()),
    };
    let (mut framed, tell) = (Vec::new(), backchannel::tell(context));
    for FromUpstream { view, .. } in context.store().sessions_of_upstream(ended).await? {
        let event = context.event_about(Kind::Logout, &view.user).provider(provider);
        let event = event.sid(Some(view.session.id.as_str())).detail("at the provider, in a frame");
        let events = vec![event];
        let apps = context.store().end_session(&view.session.id, context.now, events.clone(), &tell).await?;
        backchannel::session_ended(context, &view.user, &apps, Duration::ZERO);
        context.announce(&events);
        framed.extend(frames(context, &apps));
    }
    Ok(Framed { frames: framed, parents })
}
