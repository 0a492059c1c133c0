//! The trace id of a request: its own, until it turns out that it goes on with an earlier one. All requests of a sign-in, from
//! the authorization request to the last refresh, show the id of the first.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use crate::store::model::TraceContext;
use crate::telemetry::{TraceId as OpenTelemetryId, TraceParent, current};

/// The trace id of a request, as logs, pages and stored decisions show it.
#[derive(Debug)]
pub struct TraceId {
    own: String,
    earlier: OnceLock<TraceContext>,
}

impl TraceId {
    /// A request's own.
    #[must_use]
    pub const fn new(own: String) -> Self {
        Self { own, earlier: OnceLock::new() }
    }
}

impl Deref for TraceId {
    type Target = str;

    fn deref(&self) -> &str {
        self.earlier.get().map_or(&self.own, |earlier| &earlier.id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl TraceId {
    /// What later requests of the same sign-in go on with.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        self.earlier.get().cloned().unwrap_or_else(|| {
            let parent = current().and_then(|recording| recording.caller()).map(|caller| caller.to_string());
            TraceContext { id: self.own.clone(), parent }
        })
    }

    /// The request goes on with an earlier one, whose id logs show from now on. The first call decides.
    pub fn go_on(&self, earlier: Option<&TraceContext>) {
        let Some(earlier) = earlier.filter(|earlier| *earlier.id != **self) else { return };
        if self.earlier.set(earlier.clone()).is_err() {
            return;
        }
        if let Some(recording) = current() {
            let parent = earlier.parent.as_deref().and_then(TraceParent::parse);
            let trace = parent.map_or_else(|| OpenTelemetryId::of(&earlier.id), |parent| parent.trace);
            recording.go_on(&earlier.id, trace, parent.map(|parent| parent.sampled));
        }
    }
}
