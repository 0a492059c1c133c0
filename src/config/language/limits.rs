//! `[limits]`: limits on what strangers can make the broker do.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::config::language::scalar::Size;

/// `[limits]`: limits on what strangers can make the broker do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Maximum size of a request body; larger ones get 413.
    pub body: Size,
    /// Maximum length of a query, and so of a request to the authorization endpoint; longer ones get 414.
    pub query: Size,
    /// Maximum size of the header section; larger ones get 431. A change does not affect connections that are already open.
    pub headers: Size,
    /// Maximum number of connections to all public listeners together. If the process may open too few files for that, the
    /// number is smaller, which is logged at start. When all are in use, connections that wait for a request are closed, the
    /// oldest first.
    #[schemars(range(min = 1))]
    pub connections: u64,
    /// Maximum number of unfinished sign-ins, open pages and pushed requests; beyond it, the oldest are removed first.
    #[schemars(range(min = 1))]
    pub pending_sign_ins: u64,
    /// Requests from one address that write before anyone has signed in; further ones get 429 with `Retry-After`.
    pub per_address: PerAddress,
    /// Failed authentications of one client from one address; further ones get 429 with `Retry-After`. Correct credentials are
    /// never delayed.
    pub failed_authentication: FailedAuthentication,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Size::kib(64),
            query: Size::kib(16),
            headers: Size::kib(32),
            connections: 4096,
            pending_sign_ins: 100_000,
            per_address: PerAddress::default(),
            failed_authentication: FailedAuthentication::default(),
        }
    }
}

/// `limits.per_address`: `{ rate = "50/s", burst = 200 }`. Addresses are determined with `server.trusted_proxies`, IPv6
/// addresses by their /64.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerAddress {
    /// Average number in a period.
    pub rate: Rate,
    /// Number allowed at once after a pause.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: u64,
}

impl Default for PerAddress {
    fn default() -> Self {
        Self { rate: Rate { count: 50, unit: Unit::Second }, burst: 200 }
    }
}

/// `limits.failed_authentication`: `{ rate = "10/m", burst = 20 }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FailedAuthentication {
    /// Average number in a period.
    pub rate: Rate,
    /// Number allowed at once after a pause.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: u64,
}

impl Default for FailedAuthentication {
    fn default() -> Self {
        Self { rate: Rate { count: 10, unit: Unit::Minute }, burst: 20 }
    }
}

/// A number in a period, written as `"50/s"`, `"10/m"` or `"100/h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    unit: Unit,
}

/// The period of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Rate {
    const EXPECTED: &str = "a rate such as \"50/s\", \"10/m\" or \"100/h\", at least 1";

    /// So many a minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self { count, unit: Unit::Minute }
    }

    /// So many an hour.
    #[must_use]
    pub const fn per_hour(count: u32) -> Self {
        Self { count, unit: Unit::Hour }
    }

    /// The number allowed in [`Self::period`]; at least 1.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The period.
    #[must_use]
    pub const fn period(self) -> std::time::Duration {
        std::time::Duration::from_secs(match self.unit {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
        })
    }

    /// Parses `"50/s"`; the error says what is expected.
    ///
    /// # Errors
    /// If it is not a whole number from 1 to 999999999 followed by `/s`, `/m` or `/h`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (count, unit) = text.split_once('/').ok_or(Self::EXPECTED)?;
        let unit = match unit {
            "s" => Unit::Second,
            "m" => Unit::Minute,
            "h" => Unit::Hour,
            _ => return Err(Self::EXPECTED),
        };
        let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        let count =
            count.parse().ok().filter(|count| digits && (1..=999_999_999).contains(count)).ok_or(Self::EXPECTED)?;
        Ok(Self { count, unit })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => 's',
            Unit::Minute => 'm',
            Unit::Hour => 'h',
        };
        write!(f, "{}/{unit}", self.count)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^0*[1-9][0-9]{0,8}/[smh]$",
            "description": "A rate such as \"50/s\", \"10/m\" or \"100/h\".",
            "x-expected": Self::EXPECTED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, expected) in [
            ("50/s", Some((50, 1))),
            ("10/m", Some((10, 60))),
            ("100/h", Some((100, 3600))),
            ("1/s", Some((1, 1))),
            ("999999999/s", Some((999_999_999, 1))),
            ("0/s", None),
            ("-1/s", None),
            ("+1/s", None),
            ("1.5/s", None),
            ("10/d", None),
            ("10/sec", None),
            ("10 / s", None),
            ("10", None),
            ("/s", None),
            ("", None),
            ("10/", None),
            ("99999999999/s", None),
        ] {
            let parsed = Rate::parse(text).ok();
            assert_eq!(parsed.map(|rate| (rate.count(), rate.period().as_secs())), expected, "{text}");
            assert_eq!(parsed.map(|rate| rate.to_string()), expected.map(|_| text.to_owned()));
        }
    }
}
