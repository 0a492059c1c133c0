//! The parameters of a provider's callback (OIDC Core §3.1.2.5, §3.1.2.6, RFC 9207 §2; `user`: Sign in with Apple).

use crate::op::params::{Duplicate, Form, Params};
use crate::upstream::CallbackParams;

/// A provider's callback.
pub(super) struct CallbackForm<'p> {
    /// `state`, which finds the sign-in; `None` when it came more than once, too.
    pub(super) state: Option<&'p str>,
    /// The provider's response, which counts only once the sign-in is found.
    pub(super) response: Result<CallbackParams<'p>, Duplicate>,
}

impl<'p> Form<'p> for CallbackForm<'p> {
    fn read(params: &'p Params) -> Self {
        let response = match params.duplicate(Self::MAY_REPEAT) {
            Some(duplicate) => Err(duplicate),
            None => Ok(CallbackParams {
                code: params.text("code"),
                iss: params.text("iss"),
                error: params.text("error"),
                error_description: params.text("error_description"),
                user: params.text("user"),
            }),
        };
        Self { state: params.text("state"), response }
    }
}
