//! State that all evaluations of a configuration generation share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cel::Context;

/// Lookup tables by id, as `lookup('id')` reads them.
pub type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// State that all evaluations of a generation share: functions, tables, regular expressions.
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
