//! The `traceparent` header (W3C Trace Context §3.2).

use std::fmt;

use crate::telemetry::span::{TraceId, hex};

/// Whom a request is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The caller's trace.
    pub trace: TraceId,
    /// The caller's span.
    pub span: [u8; 8],
    /// Whether the caller records it.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads the header's value: `00-TRACE-SPAN-FLAGS`. A later version may have more behind it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let [version, trace, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let [version] = bytes::<1>(version)?;
        let [flags] = bytes::<1>(flags)?;
        let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
        let whole = version != 0 || parts.next().is_none();
        let valid = version != 0xff && whole && trace != [0; 16] && span != [0; 8];
        valid.then_some(Self { trace: TraceId(trace), span, sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-0{}", self.trace.hex(), hex(&self.span), u8::from(self.sampled))
    }
}

/// Lower-case hexadecimal digits, exactly as many as the bytes need.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0_u8, |byte, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            Some(byte << 4 | value)
        })?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_traceparent_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceParent::parse(good).map(|parent| (parent.trace.hex(), parent.sampled));
        assert_eq!(read, Some(("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), true)));
        assert_eq!(TraceParent::parse(good).map(|parent| parent.to_string()).as_deref(), Some(good));
        assert!(TraceParent::parse(&good.replace("-01", "-00")).is_some_and(|parent| !parent.sampled));
        assert!(TraceParent::parse(&good.replacen("00", "cc", 1).replace("-01", "-01-what-comes")).is_some());
        for bad in [
            "",
            "00",
            &good.replacen("00", "ff", 1),
            &good.to_uppercase(),
            &format!("{good}-more"),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            &good.replace("00f067aa0ba902b7", "0000000000000000"),
            &good.replace("00f067aa0ba902b7", "00f067aa0ba902b"),
            &good.replace("4736", "47é"),
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }
}
