//! Pages of the broker's own for people who are signed in, as requests and responses: who is there, the forms of their actions,
//! and what the next page says of an action.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::authorize::own;
use crate::op::authorize::own::Arrival;
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::op::params::Params;
use crate::op::session::shown_name;
use crate::pages::{Action, CSRF_FIELD, ConfirmAction, Did, Notice, PostForm, Shell};
use crate::protocol::paths::Endpoint;
use crate::web::exchange::Exchange;
use crate::web::handlers::authorize;
use crate::web::respond;

/// The longest query, in bytes, that a sign-in brings back to the page.
const LONGEST_QUERY: usize = 512;

/// The parameter by which a page is told what has just been done: the key of a notice.
const NOTICE: &str = "notice";
/// What the notice is about.
const ABOUT: &str = "about";
/// That the broker made it.
const PROOF: &str = "proof";

/// A path of the broker's own with these parameters, added to those that it has.
pub(crate) fn own_path(path: &str, parameters: &[(&str, &str)]) -> String {
    if parameters.is_empty() {
        return path.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{query}")
}

impl Exchange<'_> {
    /// The visitor of a page, by its path. Somebody who is not signed in gets the response that leads through a sign-in, which
    /// comes back to the page with its query.
    pub(crate) async fn visitor(&self, path: &str) -> Result<Box<Admitted>, Response> {
        let query = self.incoming.query.encode();
        let to =
            if query.is_empty() || query.len() > LONGEST_QUERY { path.to_owned() } else { format!("{path}?{query}") };
        match own::arrive(&self.context, &self.browser, &to).await {
            Ok(arrival) => self.arrived(arrival).await,
            Err(failure) => Err(self.error(&failure)),
        }
    }

    async fn arrived(&self, arrival: Arrival) -> Result<Box<Admitted>, Response> {
        let due = match arrival {
            Arrival::Visitor(visitor) => return Ok(visitor),
            Arrival::Due(due) => due,
        };
        // A sign-in writes before anyone has signed in.
        if let Err(wait) = self.context.services.throttle.request(self.context.source) {
            return Err(self.too_many_requests(wait, false));
        }
        Err(authorize::write(self, &own::sign_in(&self.context, &self.browser, *due).await))
    }

    /// The visitor who posted a form that takes nothing away, with its fields. `path` is that of the form with its parameters.
    pub(crate) async fn poster(&self, path: &str) -> Result<(Box<Admitted>, Params), Response> {
        let form = self.own_form().map_err(|refused| self.error(&refused))?;
        let arrival = own::act(&self.context, &self.browser, path, form.text(CSRF_FIELD)).await;
        let visitor = self.arrived(arrival.map_err(|failure| self.error(&failure))?).await?;
        Ok((visitor, form))
    }

    /// The visitor who posted the form of an action, with its fields. `path` is that of the action with its parameters. Where
    /// the last sign-in is too long ago, the response leads to another one and back to the page that asks.
    pub(crate) async fn actor(&self, path: &str) -> Result<(Box<Admitted>, Params), Response> {
        let (visitor, form) = self.poster(path).await?;
        if own::is_recent(&self.context, &visitor.session) {
            return Ok((visitor, form));
        }
        Err(authorize::write(self, &own::sign_in_again(&self.context, &self.browser, &visitor, path).await))
    }

    /// The frame of a page: who is there, and what has just been done. `layout` is the template of the area, `section` the
    /// entry of its navigation.
    pub(crate) fn shell(&self, visitor: &Admitted, layout: &'static str, section: &'static str) -> Shell {
        let snapshot = self.context.snapshot;
        Shell {
            layout,
            section,
            user_name: shown_name(&visitor.user.profile, &visitor.user.username).to_owned(),
            sign_out_path: snapshot.issuer.path_of(snapshot.config.endpoints.path(Endpoint::EndSession)),
            certificates: snapshot.config.certificates.is_some(),
            notice: self.notice(visitor),
        }
    }

    /// What has just been done, where the broker itself says so.
    fn notice(&self, visitor: &Admitted) -> Option<Notice> {
        let query = &self.incoming.query;
        let (key, proof) = (query.text(NOTICE)?, query.text(PROOF)?);
        let about = query.text(ABOUT).unwrap_or_default();
        let ours = own::notice_is_ours(&self.context, &visitor.session.id, &format!("{key}\n{about}"), proof);
        if ours { Notice::of(key, about) } else { None }
    }

    /// On to a page after an action, which then says what was done.
    pub(crate) fn done(&self, visitor: &Admitted, path: &str, did: Did, about: &str) -> Response {
        let key = did.key();
        let proof = match own::notice_proof(&self.context, &visitor.session.id, &format!("{key}\n{about}")) {
            Ok(proof) => proof,
            Err(failure) => return self.error(&failure),
        };
        let path = own_path(path, &[(NOTICE, key), (ABOUT, about), (PROOF, &proof)]);
        respond::see_other(&self.context.snapshot.issuer.url_of(&path))
    }

    /// The form of an action, by its path and parameters: only this session can send it.
    pub(crate) fn action_form(&self, visitor: &Admitted, path: &str) -> Result<PostForm, PageError> {
        let csrf = own::form_token(&self.context, &visitor.session.id, path)?;
        Ok(PostForm { action: self.context.snapshot.issuer.path_of(path), csrf, fields: Vec::new() })
    }

    /// The page that asks before an action. `about` is what the action is about; `path` is that of the action with its
    /// parameters, `back` the one that leads back without it.
    pub(crate) fn confirm(
        &self,
        visitor: &Admitted,
        shell: Shell,
        (action, about): (Action, &str),
        (path, back): (&str, &str),
    ) -> Response {
        let form = match self.action_form(visitor, path) {
            Ok(form) => form,
            Err(failure) => return self.error(&failure),
        };
        let view = ConfirmAction {
            shell,
            action: action.key(),
            about: about.to_owned(),
            recent: own::is_recent(&self.context, &visitor.session),
            back: self.context.snapshot.issuer.path_of(back),
            form,
        };
        // Where a certificate is presented, the page has another origin than the one that its answer leads back to.
        let issuer = self.context.snapshot.issuer.origin.as_str();
        let elsewhere = if self.context.origin() == issuer { &[][..] } else { &[issuer][..] };
        self.page_with_form(StatusCode::OK, None, &view, elsewhere)
    }
}
