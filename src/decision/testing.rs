//! For tests of the core: a compiled policy from a text, without the loader. Every place is `broker.toml:7`.
#![expect(clippy::panic, reason = "tests")]

use crate::config::Config;
use crate::config::resolved::Resolved;
use crate::decision::policy::Policy;
use crate::decision::trace::Source;
use crate::expression::Compiler;

/// A configuration with its policy.
pub(crate) fn compiled(text: &str) -> (Config, Policy) {
    let config: Config = toml::from_str(text).unwrap_or_else(|e| panic!("{e}"));
    let tables = config.tables.iter().map(|(id, table)| (id.clone(), table.entries.clone().unwrap_or_default()));
    let line = |path: &str| Some(Source { path: path.into(), file: "broker.toml".into(), line: 7 });
    let mut compiler = Compiler::new(tables.collect());
    let policy =
        Policy::compile(&config, &Resolved::of(&config), &mut compiler, &line).unwrap_or_else(|e| panic!("{e:?}"));
    (config, policy)
}
