//! The span of a call to a provider, in the trace of the request that makes it.

use std::future::Future;
use std::sync::Arc;

use crate::outbound::OutboundError;
use crate::telemetry::{Attribute, Call, Recording, current};
use crate::upstream::error::Document;

/// The span of a call; nothing where no trace is recorded.
pub(super) struct SpanOfCall(Option<(Arc<Recording>, Call)>);

impl SpanOfCall {
    pub(super) fn begin(provider: &str, document: Document, request: &http::Request<Vec<u8>>) -> Self {
        Self(current().map(|recording| {
            let uri = request.uri();
            let host = uri.host().unwrap_or_default();
            let port = uri.port_u16();
            let authority = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            // Without the query, which a provider may have put anything into.
            let url = format!("{}://{authority}{}", uri.scheme_str().unwrap_or_default(), uri.path());
            let mut attributes = vec![
                ("countersign.provider", Attribute::Text(provider.to_owned())),
                ("http.request.method", Attribute::Text(request.method().to_string())),
                ("server.address", Attribute::Text(host.to_owned())),
                ("url.full", Attribute::Text(url.chars().take(256).collect())),
            ];
            attributes.extend(port.map(|port| ("server.port", Attribute::Number(i64::from(port)))));
            let began = recording.elapsed();
            let call = Call { name: document.name(), began, ended: began, attributes, failed: false };
            (recording, call)
        }))
    }

    pub(super) fn end(self, sent: &Result<http::Response<Vec<u8>>, OutboundError>) {
        let Some((recording, mut call)) = self.0 else { return };
        call.ended = recording.elapsed();
        let outcome = match sent {
            Ok(response) => {
                call.failed = response.status().is_client_error() || response.status().is_server_error();
                ("http.response.status_code", Attribute::Number(i64::from(response.status().as_u16())))
            }
            Err(error) => {
                call.failed = true;
                ("error.type", Attribute::Text(error.to_string().chars().take(128).collect()))
            }
        };
        call.attributes.push(outcome);
        recording.call(call);
    }
}

/// Something that goes on by itself, in the trace of the request that began it.
pub(super) fn in_request<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Recording::scope(current(), future)
}
