//! What `op::console` found, as the data of the console's pages.

mod configuration;
pub(super) mod drafts;
mod events;
mod people;

use std::collections::BTreeMap;
use std::ops::Bound;

use axum::response::Response;

use crate::op::authorize::stage::Admitted;
use crate::op::console::gate;
use crate::op::error::PageError;
use crate::pages::{Paging, Shell};
use crate::protocol::console_paths::ConsolePage;
use crate::web::exchange::Exchange;
use crate::web::own::own_path;
use crate::web::views;

/// How many entries of the configuration a page lists.
const ENTRIES: usize = 50;
/// The template of the console's frame.
const LAYOUT: &str = "_console.html";

/// A page, or why there is none.
pub(super) type Built<V> = Result<V, PageError>;

/// A request of an operator: what every page of the console is made from.
pub(super) struct Desk<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    pub(super) operator: Box<Admitted>,
}

impl<'a> Desk<'a> {
    /// The desk of whoever asks for a page, by its path below the issuer's.
    ///
    /// # Errors
    /// The response for somebody who has to sign in first, or may not open the console.
    pub(super) async fn open(exchange: &'a Exchange<'a>, path: &str) -> Result<Self, Response> {
        let operator = exchange.visitor(path).await?;
        Self::of(exchange, operator).await
    }

    /// The desk of somebody who is known, if the console is open to them.
    ///
    /// # Errors
    /// The response for somebody who may not open the console.
    pub(super) async fn of(exchange: &'a Exchange<'a>, operator: Box<Admitted>) -> Result<Self, Response> {
        gate::admit(&exchange.context, &operator).await.map_err(|failure| exchange.error(&failure))?;
        Ok(Self { exchange, operator })
    }

    /// The frame of a page in this section.
    pub(super) fn shell(&self, section: &'static str) -> Shell {
        self.exchange.shell(&self.operator, LAYOUT, section)
    }

    /// The path of a page with these parameters, the issuer's path included.
    pub(super) fn path(&self, page: ConsolePage, parameters: &[(&str, &str)]) -> String {
        self.exchange.context.snapshot.issuer.path_of(&own_path(page.path(), parameters))
    }

    /// A parameter of the request; one that is empty or longer than a name can be counts as absent.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.exchange.incoming.query.text(name).filter(|value| !value.is_empty() && value.len() <= 2048)
    }

    /// A parameter that the page can't do without.
    ///
    /// # Errors
    /// A page when it is missing.
    pub(super) fn needed(&self, name: &str) -> Built<&str> {
        let missing = || PageError::new(400, "invalid_request", format!("the request has no {name}"));
        self.parameter(name).ok_or_else(missing)
    }

    /// The name of a provider.
    fn provider_name(&self, id: &str) -> String {
        self.exchange.context.snapshot.provider_name(id).to_owned()
    }

    /// The name of a client, by its key.
    pub(super) fn client_name(&self, key: &str) -> String {
        views::client_name(self.exchange, key, None)
    }

    /// Some entries of a map behind the parameter `after`, with the way to the others.
    fn entries<'m, T>(
        &self,
        map: &'m BTreeMap<String, T>,
        page: ConsolePage,
        parameters: &[(&str, &str)],
    ) -> (Vec<(&'m String, &'m T)>, Paging) {
        let after = self.parameter("after");
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut entries: Vec<_> = map.range::<str, _>((from, Bound::Unbounded)).take(ENTRIES + 1).collect();
        let more = entries.len() > ENTRIES;
        entries.truncate(ENTRIES);
        let last = entries.last().filter(|_| more).map(|(key, _)| key.as_str());
        let paging = self.paging(page, parameters, ("after", after), last);
        (entries, paging)
    }

    /// The way through a list: `current` is the parameter that says where this page begins, with its value on any but the
    /// first; `next` is its value on the next one.
    fn paging(
        &self,
        page: ConsolePage,
        parameters: &[(&str, &str)],
        (name, current): (&str, Option<&str>),
        next: Option<&str>,
    ) -> Paging {
        let with = |value: &str| {
            let all: Vec<(&str, &str)> = parameters.iter().copied().chain([(name, value)]).collect();
            self.path(page, &all)
        };
        Paging { first: current.map(|_| self.path(page, parameters)), next: next.map(with) }
    }
}
