//! What every evaluation of a configuration generation shares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cel::Context;

/// Lookup tables by id: what `lookup('id')` reads.
pub type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// What every evaluation of a generation shares: functions, tables, regular expressions.
pub struct Engine {
    pub(crate) context: Context<'static, 'static>,
    pub(crate) tables: Arc<Tables>,
}

impl Engine {
    /// The lookup tables of this generation.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}
