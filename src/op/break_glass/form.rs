//! The form of the break-glass page, and its CSRF token: a tag over the browser's binding secret, so that showing the page
//! stores nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::resolved::BreakGlass;
use crate::decision::username;
use crate::op::RequestContext;
use crate::op::outcome::Browser;
use crate::op::params::{Form, Params};

/// What the tags are for.
const PURPOSE: &str = "break-glass form";

/// The fields of the form.
pub(super) struct BreakGlassForm<'p> {
    /// The CSRF token.
    pub(super) csrf: &'p str,
    username: &'p str,
    /// The password.
    pub(super) password: &'p str,
    /// Secret id of the request that waits.
    pub(super) waiting: Option<&'p str>,
}

impl<'p> Form<'p> for BreakGlassForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self {
            csrf: params.text("csrf").unwrap_or_default(),
            username: params.text("username").unwrap_or_default(),
            password: params.text("password").unwrap_or_default(),
            waiting: params.text("waiting"),
        }
    }
}

impl BreakGlassForm<'_> {
    /// Whether the username is that of the account, in any case, composition and width, and with white space around it: who may
    /// have to type it in a hurry is not told that only a capital is wrong.
    pub(super) fn names(&self, account: &BreakGlass) -> bool {
        let given = username::normalize(self.username);
        given.is_some_and(|given| username::key(&given) == username::key(&account.username))
    }
}

/// The CSRF token for the browser with this binding secret; `None` where there is no signing key.
pub(super) fn csrf(context: &RequestContext<'_>, binding: &str) -> Option<String> {
    let tag = context.services.keys.set().tag(PURPOSE, binding.as_bytes())?;
    Some(URL_SAFE_NO_PAD.encode(tag))
}

/// Whether a form was shown to this browser.
pub(super) fn is_own(context: &RequestContext<'_>, csrf: &str, browser: &Browser) -> bool {
    let Ok(tag) = URL_SAFE_NO_PAD.decode(csrf) else { return false };
    let keys = context.services.keys.set();
    browser.bindings.iter().any(|binding| keys.tagged(PURPOSE, binding.as_bytes(), &tag))
}
