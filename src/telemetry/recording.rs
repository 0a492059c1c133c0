//! What is recorded of one request while it is served.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::env::{Random, RandomUnavailable, Stopwatch};
use crate::telemetry::span::{Attribute, Kind, Span, TraceId};
use crate::telemetry::traceparent::TraceParent;

tokio::task_local! {
    static CURRENT: Option<Arc<Recording>>;
}

/// The most calls of one request that are recorded.
const MOST: usize = 64;

/// The recording of the request that this code runs for; `None` without one, and for what runs on its own.
#[must_use]
pub fn current() -> Option<Arc<Recording>> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// What is recorded of one request.
#[derive(Debug)]
pub struct Recording {
    from: u64,
    watch: Stopwatch,
    caller: Option<TraceParent>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The trace id that logs and pages show.
    id: String,
    trace: TraceId,
    /// What the caller, or the first request of the sign-in, decided on sampling.
    sampled: Option<bool>,
    /// Whether the trace is the caller's.
    callers: bool,
    calls: Vec<Call>,
}

/// A call to somebody else.
#[derive(Debug)]
pub struct Call {
    /// What was called, in one of few names.
    pub name: &'static str,
    /// When it began, in nanoseconds from the beginning of the request.
    pub began: u64,
    /// When it ended, counted in the same way.
    pub ended: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Whether it failed.
    pub failed: bool,
}

impl Recording {
    /// Begins a recording at `now` (nanoseconds since the Unix epoch). `id` is the trace id that logs show for the request.
    #[must_use]
    pub fn begin(now: u64, id: &str, caller: Option<TraceParent>) -> Arc<Self> {
        let (trace, sampled) = match caller {
            Some(caller) => (caller.trace, Some(caller.sampled)),
            None => (TraceId::of(id), None),
        };
        let state = State { id: id.to_owned(), trace, sampled, callers: caller.is_some(), calls: Vec::new() };
        Arc::new(Self { from: now, watch: Stopwatch::start(), caller, state: Mutex::new(state) })
    }

    /// Runs something for the request of this recording, or for none.
    pub fn scope<F: Future>(recording: Option<Arc<Self>>, serving: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(recording, serving)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the beginning of the request.
    #[must_use]
    pub fn elapsed(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a span of seconds, never negative"
        )]
        let elapsed = (self.watch.seconds() * 1e9) as u64;
        elapsed
    }

    /// The caller, whose trace the requests that follow this one go on with.
    #[must_use]
    pub const fn caller(&self) -> Option<TraceParent> {
        self.caller
    }

    /// The trace id that logs and pages show.
    #[must_use]
    pub fn shown(&self) -> String {
        self.state().id.clone()
    }

    /// Continues the trace of an earlier request, for which logs and pages show `id`.
    pub fn go_on(&self, id: &str, trace: TraceId, sampled: Option<bool>) {
        let mut state = self.state();
        id.clone_into(&mut state.id);
        state.callers = self.caller.is_some_and(|caller| caller.trace == trace);
        state.trace = trace;
        state.sampled = sampled;
    }

    /// Records a call.
    pub fn call(&self, call: Call) {
        let mut state = self.state();
        if state.calls.len() < MOST {
            state.calls.push(call);
        }
    }

    /// The spans of the request; none if it is not sampled.
    ///
    /// # Errors
    /// When the generator is not available.
    pub fn finish(
        &self,
        random: &dyn Random,
        ratio: f64,
        name: String,
        attributes: Vec<(&'static str, Attribute)>,
        failed: bool,
    ) -> Result<Vec<Span>, RandomUnavailable> {
        let mut state = self.state();
        let (trace, sampled, callers) = (state.trace, state.sampled, state.callers);
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        if !sampled.unwrap_or_else(|| trace.is_sampled(ratio)) {
            return Ok(Vec::new());
        }
        let mut ids = vec![[0_u8; 8]; calls.len() + 1];
        random.fill(ids.as_flattened_mut())?;
        let root = ids.pop().unwrap_or([1; 8]);
        let (parent, other) = match self.caller {
            Some(caller) if callers => (Some(caller.span), None),
            Some(caller) => (None, Some((caller.trace, caller.span))),
            None => (None, None),
        };
        let at = |offset: u64| self.from.saturating_add(offset);
        let parts = calls.into_iter().zip(ids).map(|(call, id)| Span {
            trace,
            id,
            parent: Some(root),
            link: None,
            name: call.name.to_owned(),
            kind: Kind::Client,
            from: at(call.began),
            to: at(call.ended),
            attributes: call.attributes,
            failed: call.failed,
        });
        let mut spans: Vec<Span> = parts.collect();
        let (from, to) = (self.from, at(self.elapsed()));
        spans.push(Span {
            trace,
            id: root,
            parent,
            link: other,
            name,
            kind: Kind::Server,
            from,
            to,
            attributes,
            failed,
        });
        Ok(spans)
    }
}
