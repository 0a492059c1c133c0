//! Spans, as they are sent.

use std::fmt::Write as _;

use crate::digest::sha256;

/// The id of a trace (W3C Trace Context §3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// The trace of what logs and pages show this id for, so that everything that shows it finds the trace without being told.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let digest = sha256(format!("countersign trace {id}").as_bytes());
        let (half, _) = digest.split_first_chunk::<16>().unwrap_or((&[1; 16], &[]));
        Self(*half)
    }

    /// In lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Whether the trace is among this part of all traces. Every service that samples by the id comes to the same answer
    /// (OpenTelemetry, TraceIdRatioBased).
    #[must_use]
    pub fn is_sampled(&self, ratio: f64) -> bool {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        let point = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        // Sixty-three bits do not fit a float exactly, which moves the border by less than a trace in a billion.
        #[expect(clippy::cast_precision_loss, reason = "a border between samples need not be exact")]
        let part = point as f64 / (1_u64 << 63) as f64;
        part < ratio
    }
}

/// Bytes in lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that is answered.
    Server,
    /// A call to somebody else.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// A span that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: [u8; 8],
    /// The span that it is a part of.
    pub parent: Option<[u8; 8]>,
    /// Another trace that belongs to it: the caller's, where the span belongs to the trace of a sign-in.
    pub link: Option<(TraceId, [u8; 8])>,
    /// Its name, one of few.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// When it began, in nanoseconds since the Unix epoch.
    pub from: u64,
    /// When it ended.
    pub to: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Whether it failed.
    pub failed: bool,
}
