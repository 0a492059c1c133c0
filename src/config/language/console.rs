//! `[console]`: the operators' console.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Expression;

/// `[console]`: the operators' console at `/console`. Without this table there is none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Who may open it: a condition over the variables of `clients.X.require`. `client` is `"console"`, and `scopes` is empty.
    pub require: Expression,
}
