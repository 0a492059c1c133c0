//! `[account]`: the pages where people see and change what the broker has of them.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[account]`: the users' own pages, below `/account`. Without this table there are none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Users may attach certificates themselves.
    #[serde(default)]
    pub self_service_certificates: bool,
}
