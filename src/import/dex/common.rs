//! Helpers for several sections of a Dex configuration.

use serde_json::Value;

use crate::config::language::address::is_loopback;
use crate::import::read::{below, flag};

/// Whether an http URL refers to this machine.
pub(crate) fn plain_http_off_loopback(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.scheme() == "http" && url.host().is_some_and(|host| !is_loopback(&host)))
}

/// Whether Dex asks for approval, which is its default.
pub(crate) fn asks_for_approval(dex: &Value) -> bool {
    flag(below(dex, "oauth2"), "skipApprovalScreen") != Some(true)
}
