//! Where traces are sent, with the secrets in its headers.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::config::Config;
use crate::config::load::secrets::Secrets;
use crate::decision::policy::key_segment;
use crate::outbound::OutboundPolicy;
use crate::telemetry::Settings;

/// The settings of `[telemetry]`; none without it. What can't be sent goes to the problems: its path, and what is wrong.
pub(super) fn settings(
    config: &Config,
    secrets: &Secrets,
    problems: &mut Vec<(String, String)>,
) -> Option<Arc<Settings>> {
    let declared = config.telemetry.as_ref()?;
    let url = declared.traces();
    let parsed = Url::parse(&url).ok()?;
    let mut headers = HeaderMap::new();
    for name in declared.headers.keys() {
        let path = format!("telemetry.headers.{}", key_segment(name));
        // Secrets that were left unread have no value.
        let Some(secret) = secrets.get(&path).first() else { continue };
        match (name.parse::<HeaderName>(), HeaderValue::from_str(secret.expose())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => problems.push((path, format!("`{name}` must be a header with a value of printable ASCII"))),
        }
    }
    Some(Arc::new(Settings {
        policy: OutboundPolicy::trusting([&parsed]).allow_http(true),
        url,
        headers,
        ratio: declared.sample_ratio,
        service: declared.service_name.clone(),
    }))
}
