//! Every metric: its name, type, labels and meaning. The exposition registers metrics from this list only, and the reference in
//! `docs/operations.md` is generated from it.

use std::fmt::Write as _;

/// The prefix of all names.
pub const PREFIX: &str = "countersign";

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows. The exposition appends `_total` to its name.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Durations in seconds, by buckets. The exposition appends `_bucket`, `_sum` and `_count` to its name.
    Histogram,
}

impl Kind {
    /// Its name in the exposition formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name, without the prefix and without what the exposition appends.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels, in the order of their values.
    pub labels: &'static [&'static str],
    /// Its meaning, without a full stop.
    pub help: &'static str,
}

impl Description {
    /// The name by which queries find it: for a histogram without what the exposition appends.
    #[must_use]
    pub fn exposed(&self) -> String {
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{PREFIX}_{}{suffix}", self.name)
    }
}

/// The labels of one series.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// The values of a metric's labels, with their names.
pub(crate) fn labels<const N: usize>(metric: &Description, values: [String; N]) -> Labels {
    metric.labels.iter().copied().zip(values).collect()
}

macro_rules! catalogue {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Description =
                Description { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*

        /// All metrics, in the order of the reference.
        pub const ALL: &[Description] = &[$($constant),*];
    };
}

catalogue! {
    SIGN_INS = Counter "sign_ins" ["provider", "client", "outcome", "reason"]
        "Sign-ins through a provider: `success`, `refused` by the policy, or `failed` at the provider; the reason of the last two";
    TOKENS_ISSUED = Counter "tokens_issued" ["client", "grant"]
        "Responses with tokens: `refresh` for those that a refresh token obtained, `first` for all others";
    SESSIONS = Gauge "sessions_active" [] "Sessions that have not expired, as of the last housekeeping";
    EVENTS = Counter "events" ["event", "detail"] "Audit events by kind, and by action or pattern where there is one";
    SUSPICIOUS = Counter "suspicious" ["pattern"] "Suspicious behaviour by pattern; alert on this";
    BREAK_GLASS = Counter "break_glass_attempts" ["outcome"]
        "Attempts to sign in by the break-glass account: `signed_in`, `refused` or `delayed`; alert on all of them";
    REQUEST_SECONDS = Histogram "request_duration_seconds" ["endpoint"]
        "How long requests to the public listeners took to answer";
    RESPONSES = Counter "responses" ["endpoint", "status"] "Responses of the public listeners by class of status, such as `2xx`";
    UPSTREAM_SECONDS = Histogram "upstream_request_duration_seconds" ["provider", "document"]
        "How long calls to providers took, by what was asked for";
    UPSTREAM_FAILURES = Counter "upstream_failures" ["provider", "document"]
        "Calls to providers without a usable answer, those that refused the broker's credentials included";
    JWKS_REFRESHES = Counter "upstream_jwks_refreshes" ["provider"] "Fetches of providers' key sets";
    SIGNALS = Counter "signals" ["provider", "event", "outcome"]
        "Security events of providers: `applied`, `unknown_subject`, `ignored`, `duplicate`, or `refused` for tokens that fail a check";
    PROVIDER_HEALTHY = Gauge "provider_healthy" ["provider"]
        "1 if the last call succeeded and the provider accepts the broker's credentials, 0 if not; absent before the first call";
    STORE_SECONDS = Histogram "store_operation_duration_seconds" ["operation"]
        "How long operations of the store took, waiting included: `read` or `write`";
    STORE_WAITING = Gauge "store_writes_waiting" [] "Writes that wait in the store's queue";
    KEYS = Gauge "signing_keys" ["algorithm", "state"] "Signing keys by state: `current`, `next` or `retired`";
    KEY_ROTATION_DUE = Gauge "signing_key_rotation_due_timestamp_seconds" ["algorithm"]
        "When the current signing key is due to be replaced, in seconds since the Unix epoch";
    CONFIG_GENERATION = Gauge "config_generation" [] "Number of the configuration generation in force";
    CONFIG_INFO = Gauge "config_info" ["hash"] "Hash of the configuration in force; equal on all replicas that run the same files";
    CONFIG_RELOAD_FAILED = Gauge "config_reload_failed" []
        "Whether the files have problems and an older generation is in force; alert on 1";
    CONFIG_RELOADS = Counter "config_reloads" ["outcome"] "Reloads: `applied` or `refused`";
    AUTHENTICATION_FAILURES = Counter "authentication_failures" []
        "Authentications of clients and administrators that failed";
    LIMIT_REFUSALS = Counter "limit_refusals" ["limit"]
        "Requests answered with 429, by `per_address` and `failed_authentication`";
    LIMIT_BURSTS = Counter "limit_bursts" ["limit"]
        "How often an address, or a client and address, began to exceed a limit; alert on this";
    LOG_LINES_LEFT_OUT = Counter "log_lines_left_out" [] "Log lines that were left out because one address caused too many";
    AUDIT_EVENTS_LEFT_OUT = Counter "audit_events_left_out" []
        "Events of strangers that were left out of the audit trail because there were too many";
    AUDIT_OUTPUT_FAILED = Gauge "audit_output_failed" [] "1 while audit events can't be written to `file` or `stdout`";
    TELEMETRY_SENT = Counter "telemetry_spans_sent" [] "Spans that the collector of `[telemetry]` took";
    TELEMETRY_DROPPED = Counter "telemetry_spans_dropped" []
        "Spans that were dropped: the collector did not take them, or too many waited";
    TELEMETRY_FAILURES = Counter "telemetry_export_failures" [] "Exports of spans that failed";
    CONNECTIONS = Gauge "connections" [] "Open connections of the public listeners";
    CONNECTIONS_LIMIT = Gauge "connections_limit" [] "The most connections that the public listeners have";
    CONNECTIONS_CLOSED = Counter "connections_closed_for_room" [] "Connections that were closed to make room for others";
}

/// The reference of all metrics, as a table in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut table = "| metric | type | meaning |\n| --- | --- | --- |\n".to_owned();
    for metric in ALL {
        let labels = if metric.labels.is_empty() { String::new() } else { format!("{{{}}}", metric.labels.join(",")) };
        // Writing to a text does not fail.
        let _ = writeln!(table, "| `{}{labels}` | {} | {} |", metric.exposed(), metric.kind.name(), metric.help);
    }
    table
}
