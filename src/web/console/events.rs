//! Refusals, the audit trail, and single decisions.

use crate::analysis::explain::Kept;
use crate::audit::{Event, Kind};
use crate::decision::reason::Reason;
use crate::op::administration::audit::trace;
use crate::op::administration::{Failure, people};
use crate::op::console::events;
use crate::op::error::PageError;
use crate::pages::{ConsoleEvents, ConsoleTrace, EventFilter, EventRow, Obstacle, Options, TraceLine};
use crate::protocol::console_paths::ConsolePage;
use crate::store::audit::EventQuery;
use crate::web::console::{Built, Desk};

impl Desk<'_> {
    /// The refusals, or the whole audit trail.
    pub(crate) async fn events(&self, page: ConsolePage) -> Built<ConsoleEvents> {
        let refusals = page == ConsolePage::Refusals;
        let mut filter = self.filter(page)?;
        let before = self.parameter("before");
        let unknown = |_| PageError::new(400, "invalid_request", "the page of the list is not known");
        let from = before.map(str::parse::<u64>).transpose().map_err(unknown)?;
        let text = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        let kind = filter.kind.as_ref().and_then(|kind| Kind::from_name(&kind.chosen));
        let mut query = EventQuery {
            kinds: if refusals { vec![Kind::Refusal] } else { kind.into_iter().collect() },
            reason: text(&filter.reason.chosen),
            provider: text(&filter.provider.chosen),
            client: text(&filter.client),
            address: text(&filter.address),
            before: from,
            ..EventQuery::default()
        };
        let mut found = crate::store::audit::EventPage::default();
        match self.account(&filter.user).await? {
            Some(account) => {
                query.account = account;
                found = events::list(&self.exchange.context, query).await?;
            }
            None => filter.unknown_user = true,
        }
        let counted = if refusals { Some(events::refusals(&self.exchange.context).await?) } else { None };
        let counted = counted.unwrap_or_default();
        let next = found.next.map(|next| next.to_string());
        let parameters = parameters(&filter);
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(ConsoleEvents {
            shell: self.shell(if refusals { "refusals" } else { "audit" }),
            refusals,
            counts: self.refusal_counts("reason", &counted.by_reason),
            counted_at_most: counted.more.then_some(u64::from(events::COUNTED)),
            events: found.events.into_iter().map(|recorded| self.event_row(&recorded.event)).collect(),
            paging: self.paging(page, &parameters, ("before", before), next.as_deref()),
            filter,
        })
    }

    /// The filters of the request.
    fn filter(&self, page: ConsolePage) -> Built<EventFilter> {
        let snapshot = self.exchange.context.snapshot;
        let word = |name: &str| self.parameter(name).unwrap_or_default().trim().to_owned();
        // Events of the past name providers and reasons that are no longer there.
        let options = |name: &str, mut values: Vec<String>| {
            let chosen = word(name);
            if !chosen.is_empty() && !values.contains(&chosen) {
                values.push(chosen.clone());
            }
            Options { chosen, values }
        };
        let kinds = || Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
        let reasons = Reason::ALL.iter().map(|reason| reason.code().to_owned()).collect();
        let kind = (page == ConsolePage::Audit).then(|| options("kind", kinds()));
        if kind.as_ref().is_some_and(|kind| !kind.chosen.is_empty() && Kind::from_name(&kind.chosen).is_none()) {
            return Err(PageError::new(400, "invalid_request", "no kind of event is called so"));
        }
        Ok(EventFilter {
            action: self.path(page, &[]),
            kind,
            reason: options("reason", reasons),
            provider: options("provider", snapshot.resolved.providers.keys().cloned().collect()),
            client: word("client"),
            user: word("user"),
            address: word("address"),
            unknown_user: false,
        })
    }

    /// The account of the person that a filter names: `Some(None)` where it names nobody, `None` where nobody is called so.
    async fn account(&self, name: &str) -> Built<Option<Option<crate::store::ids::UserId>>> {
        if name.is_empty() {
            return Ok(Some(None));
        }
        match people::find(&self.exchange.context, name).await {
            Ok(person) => Ok(Some(Some(person.user.id))),
            Err(Failure::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    fn event_row(&self, event: &Event) -> EventRow {
        let text = |text: &Option<crate::audit::Text>| text.as_ref().map(ToString::to_string);
        let decided = matches!(event.kind, Kind::SignIn | Kind::Refusal)
            || event.action == Some(crate::audit::Action::ConsoleRefused);
        let trace = event.trace_id.as_ref().filter(|_| decided);
        let trace_path = |id: &crate::audit::Text| format!("{}{}", self.path(ConsolePage::Trace, &[]), encoded(id));
        EventRow {
            at: event.at,
            name: event.action.map_or(event.kind.name(), crate::audit::Action::name).to_owned(),
            message: event.message().to_owned(),
            reason: text(&event.reason),
            user: text(&event.user).or_else(|| text(&event.sub)),
            user_path: event.sub.as_ref().map(|sub| self.path(ConsolePage::User, &[("sub", sub)])),
            client: text(&event.client),
            provider: text(&event.provider),
            address: text(&event.address),
            actor: text(&event.actor),
            detail: text(&event.detail),
            trace_path: trace.map(trace_path),
            bad: matches!(event.kind, Kind::Refusal | Kind::UpstreamFailure | Kind::ReloadFailed | Kind::Suspicious),
        }
    }

    /// A decision, by the id at the end of the path.
    pub(crate) async fn trace(&self, id: &str) -> Built<ConsoleTrace> {
        let context = &self.exchange.context;
        let gone = || PageError::new(404, "not_found", "no decision has this id, or it is no longer kept");
        let stored = trace(context.store(), id, context.now).await?.ok_or_else(gone)?;
        let kept = Kept::read(&stored.data).map_err(|_| gone())?;
        let user = match &stored.user_id {
            Some(id) => context.store().user_by_id(id).await?,
            None => None,
        };
        Ok(ConsoleTrace {
            shell: self.shell("refusals"),
            id: stored.id,
            at: stored.at,
            client: stored.client,
            provider: kept.provider,
            generation: kept.generation,
            user_path: user.as_ref().map(|person| self.user_path(&person.user)),
            user: user.map(|person| person.user.username),
            refused: kept.refused,
            steps: TraceLine::of_steps(&kept.steps),
            refused_by: kept.refused_by.map(Obstacle::from),
            change: kept.change,
            failure: kept.failure,
        })
    }
}

/// The parameters that the filters are.
fn parameters(filter: &EventFilter) -> Vec<(&'static str, String)> {
    let kind = filter.kind.as_ref().map(|kind| kind.chosen.clone()).unwrap_or_default();
    let all = [
        ("kind", kind),
        ("reason", filter.reason.chosen.clone()),
        ("provider", filter.provider.chosen.clone()),
        ("client", filter.client.clone()),
        ("user", filter.user.clone()),
        ("address", filter.address.clone()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// An id as a segment of a path.
fn encoded(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
