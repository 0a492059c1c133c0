//! Helpers for reading and writing values in several sections of a realm.

use serde_json::Value;

use crate::config::check::urls::{Http, web_url};
use crate::import::document::{Toml, inline};
use crate::import::read::{below, texts};
use crate::import::words::{self, duration};

/// Whether a URL is a valid web address that uses plain http beyond loopback.
pub(crate) fn plain_http(url: &str) -> bool {
    web_url(url, Http::Loopback).is_err() && web_url(url, Http::Anywhere).is_ok()
}

/// The entries of `attributes`; a list with one item is treated as that item.
pub(crate) fn attribute(value: &Value, key: &str) -> Option<String> {
    texts(below(value, "attributes"), key).into_iter().next()
}

/// `tokens = { access_token = "..." }`
pub(crate) fn own_tokens(seconds: u64) -> Toml {
    inline([("access_token", duration(seconds.min(words::LONGEST)))])
}
