//! The body of an export: `ExportTraceServiceRequest` in the JSON encoding of OTLP, in which ids are hexadecimal and 64-bit
//! numbers are strings.

use serde_json::{Value, json};

use crate::telemetry::span::{Attribute, Kind, Span, hex};

/// The request that carries these spans of a service on a host.
pub(super) fn request(service: &str, host: &str, spans: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", service), ("service.version", version), ("service.instance.id", host)];
    let resource: Vec<Value> = resource.iter().map(|(key, text)| text_attribute(key, text)).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "countersign", "version": version },
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }] })
}

/// How many spans an answer with status 200 rejects: `partialSuccess` (OTLP 1.0, "Partial Success").
pub(super) fn rejected(answer: &[u8]) -> usize {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let rejected = answer.pointer("/partialSuccess/rejectedSpans").unwrap_or(&Value::Null);
    // A 64-bit number is a string in this encoding, and some receivers write a number.
    let number = rejected.as_str().and_then(|text| text.parse().ok()).or_else(|| rejected.as_u64());
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

fn span(span: &Span) -> Value {
    let kind = match span.kind {
        Kind::Server => 2,
        Kind::Client => 3,
    };
    let mut json = json!({
        "traceId": span.trace.hex(),
        "spanId": hex(&span.id),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": span.from.to_string(),
        "endTimeUnixNano": span.to.to_string(),
        "attributes": span.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
        "status": if span.failed { json!({ "code": 2 }) } else { json!({}) },
    });
    if let Value::Object(members) = &mut json {
        if let Some(parent) = &span.parent {
            members.insert("parentSpanId".to_owned(), hex(parent).into());
        }
        if let Some((trace, id)) = &span.link {
            members.insert("links".to_owned(), json!([{ "traceId": trace.hex(), "spanId": hex(id) }]));
        }
    }
    json
}

fn attribute(key: &str, value: &Attribute) -> Value {
    match value {
        Attribute::Text(text) => text_attribute(key, text),
        Attribute::Number(number) => json!({ "key": key, "value": { "intValue": number.to_string() } }),
    }
}

fn text_attribute(key: &str, text: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": text } })
}
