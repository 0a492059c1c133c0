//! Why a sign-in ended as it did: the steps of the decision with the expressions behind them and the values that these read.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::analysis::explain::{Condition, Kept, Read, Reading, Readings, Unmatched};
use crate::analysis::proposal::{Seen, propose};
use crate::app::App;
use crate::audit::Kind;
use crate::decision::account::AccountFacts;
use crate::decision::app::{AppRequest, authentication};
use crate::decision::pipeline::Evidence;
use crate::decision::trace::Step;
use crate::op::console::why;
use crate::op::{RequestContext, TraceId, decide};
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;
use crate::store::ids::SessionId;
use crate::store::{EventQuery, SessionView};
use crate::throttle::Source;
use crate::x509::Reading as CertificateReading;

/// A step, with the expression behind it.
#[derive(Clone, Debug)]
pub struct WhyStep {
    /// The step.
    pub step: Step,
    /// The expression; none for what no expression decides.
    pub reading: Option<Reading>,
}

/// Why a sign-in ended as it did.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// The reason code of a refusal or a failure.
    pub refused: Option<String>,
    /// Id of the provider.
    pub provider: String,
    /// The steps.
    pub steps: Vec<WhyStep>,
    /// The condition that refused.
    pub refused_by: Option<Condition>,
    /// How the provider failed.
    pub failure: Option<String>,
    /// Role rules that did not match.
    pub unmatched: Vec<Unmatched>,
    /// Lines of the file, TOML, for what the provider sends and the file does not map; empty if there is nothing to propose.
    pub proposal: String,
}

/// The context of a question that no request asks.
fn context<'a>(app: &'a App, snapshot: &'a Snapshot) -> RequestContext<'a> {
    let services = app.services();
    RequestContext {
        services,
        snapshot,
        now: services.clock.now(),
        trace_id: TraceId::new(String::new()),
        source: Source::Nameless,
        address: None,
        user_agent: None,
        client_certificate: CertificateReading::NotRead,
    }
}

/// Why the person of this session gets what they get at an app now.
pub async fn admitted(app: &App, sid: &str, client: &str) -> Option<Why> {
    let view = app.services().store.session_by_id(&SessionId::new(sid)).await.ok().flatten()?;
    let snapshot = app.snapshot().load_full();
    let client = snapshot.clients.get(client)?;
    let explained = why::explained(&context(app, &snapshot), &view.user, view.link.as_ref()?, Some(client));
    let readings = readings(&snapshot.policy, &view, client)?;
    let steps = explained.trace.steps.into_iter().map(|step| with_reading(step, &readings));
    let claims = view.link.as_ref().map(|link| &link.claims);
    Some(Why {
        proposal: proposal(&snapshot, &explained.provider, claims),
        refused: explained.trace.refused.map(|reason| reason.code().to_owned()),
        provider: explained.provider,
        steps: steps.collect(),
        refused_by: explained.refused_by,
        failure: None,
        unmatched: explained.unmatched,
    })
}

fn proposal(snapshot: &Snapshot, provider: &str, claims: Option<&Map<String, Value>>) -> String {
    let seen = Seen { claims, ..Seen::default() };
    propose(&snapshot.policy, &snapshot.config, provider, &seen).to_toml(provider)
}

fn readings(policy: &crate::decision::policy::Policy, view: &SessionView, client: &Client) -> Option<Readings> {
    let link = view.link.as_ref()?;
    let (acr, amr) = authentication(&link.claims);
    let request = request_of(client, acr.as_deref(), &amr);
    let facts = AccountFacts { linked: Some(decide::account(&view.user)), ..AccountFacts::default() };
    Some(Readings::of(policy, &decide::evidence(link), &facts, Some(&request)))
}

/// What an app asks for: all that it may ask for.
fn request_of<'a>(client: &'a Client, acr: Option<&'a str>, amr: &'a [String]) -> AppRequest<'a> {
    AppRequest { client: &client.key, scopes: &client.scopes, acr, amr, ..AppRequest::default() }
}

fn with_reading(step: Step, readings: &Readings) -> WhyStep {
    let reading = step.source.as_ref().and_then(|source| readings.at(source)).cloned();
    WhyStep { step, reading }
}

/// The trace id of the last refusal, or failure of a provider, at an app.
pub async fn last_refusal(app: &App, client: &str) -> Option<String> {
    let query = EventQuery { client: Some(client.to_owned()), limit: 5, ..EventQuery::default() };
    let page = app.services().store.events(query).await.ok()?;
    let refusal = |kind: Kind| matches!(kind, Kind::Refusal | Kind::UpstreamFailure);
    let last = page.events.into_iter().find(|recorded| refusal(recorded.event.kind))?;
    last.event.trace_id.as_deref().map(str::to_owned)
}

/// Why the request with this trace id was refused. `claims` are those that the provider was going to send.
pub async fn refused(app: &App, trace_id: &str, claims: Option<&Map<String, Value>>) -> Option<Why> {
    let services = app.services();
    let stored = services.store.trace(trace_id, services.clock.now()).await.ok().flatten()?;
    let kept = Kept::read(&stored.data).ok()?;
    let snapshot = app.snapshot().load_full();
    let client = stored.client.as_ref().and_then(|key| snapshot.clients.get(key));
    let readings = claims.map(|claims| {
        let evidence = Evidence { provider: &kept.provider, issuer: None, subject: "", claims };
        let (acr, amr) = authentication(claims);
        let request = client.map(|client| request_of(client, acr.as_deref(), &amr));
        Readings::of(&snapshot.policy, &evidence, &AccountFacts::default(), request.as_ref())
    });
    let readings = readings.unwrap_or_default();
    Some(Why {
        proposal: proposal(&snapshot, &kept.provider, claims),
        refused: kept.refused,
        provider: kept.provider,
        steps: kept.steps.into_iter().map(|step| with_reading(step, &readings)).collect(),
        refused_by: kept.refused_by,
        failure: kept.failure,
        unmatched: Vec::new(),
    })
}

impl Why {
    /// The explanation as text.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::new();
        for WhyStep { step, reading } in &self.steps {
            let _ = writeln!(out, "  {step}");
            let Some(reading) = reading else { continue };
            if let Some(result) = &reading.result {
                let _ = writeln!(out, "           = {result}");
            }
            let _ = writeln!(out, "           {}", reading.expression);
            reading.values.iter().for_each(|read| line(&mut out, read));
        }
        if let Some(failure) = &self.failure {
            let _ = writeln!(out, "  provider {failure}");
        }
        // The refusing step, which is the last, has its reading already where the claims are known.
        let told = self.steps.last().is_some_and(|step| step.reading.is_some());
        if let Some(by) = self.refused_by.as_ref().filter(|_| !told) {
            let _ = write!(out, "{by}");
        }
        for rule in &self.unmatched {
            let _ = write!(out, "{rule}");
        }
        if !self.proposal.is_empty() {
            let _ = write!(
                out,
                "\nLines for the file, for what the provider sends and the file does not map\n\n{}",
                self.proposal
            );
        }
        out
    }
}

fn line(out: &mut String, read: &Read) {
    let _ = writeln!(out, "           {read}");
}
