//! What an answer to an app rests on, as data: the code, and the grant behind tokens of the authorization endpoint. It is
//! stored before anything of it is handed out.

use crate::audit::Event;
use crate::op::RequestContext;
use crate::store::StoreError;
use crate::store::model::{Code, Consent, Grant};

/// A code, and a grant, that are not stored yet.
pub struct Prepared {
    /// The code's secret; `None` for a response type without a code.
    pub(super) secret: Option<String>,
    /// The code's row, until it is taken or stored.
    pub(super) code: Option<Code>,
    /// The grant behind the tokens of the authorization endpoint; `None` for `response_type=code`.
    pub(super) grant: Option<Grant>,
}

impl Prepared {
    /// Nothing: a page of the broker's own needs neither code nor token.
    #[must_use]
    pub(super) const fn nothing() -> Self {
        Self { secret: None, code: None, grant: None }
    }

    /// The code's row, for a caller that stores it together with something else.
    pub fn take_code(&mut self) -> Option<Code> {
        self.code.take()
    }

    /// Stores what was not taken, with the consent that it rests on and the event of the tokens.
    ///
    /// # Errors
    /// When the store can't be written.
    pub(super) async fn save(
        &mut self,
        context: &RequestContext<'_>,
        mut consent: Option<Consent>,
        issued: Option<Event>,
    ) -> Result<(), StoreError> {
        if let Some(code) = self.take_code() {
            context.store().save_code(code, consent.take(), context.now).await?;
        }
        if let Some(grant) = &self.grant {
            context.store().save_grant(grant.clone(), consent, context.now, issued.into_iter().collect()).await?;
        }
        Ok(())
    }
}
