//! Values that several parts of a realm are read and written with.

use serde_json::Value;

use crate::config::check::urls::{Http, web_url};
use crate::import::document::{Toml, inline};
use crate::import::read::{below, texts};
use crate::import::words::{self, duration};

/// The scheme of a URL that the broker accepts off loopback, or in its own network.
pub(crate) fn plain_http(url: &str) -> bool {
    web_url(url, Http::Loopback).is_err() && web_url(url, Http::Anywhere).is_ok()
}

/// The entries of `attributes`, where a list of one counts as its item.
pub(crate) fn attribute(value: &Value, key: &str) -> Option<String> {
    texts(below(value, "attributes"), key).into_iter().next()
}

/// `tokens = { access_token = "..." }`
pub(crate) fn own_tokens(seconds: u64) -> Toml {
    inline([("access_token", duration(seconds.min(words::LONGEST)))])
}
