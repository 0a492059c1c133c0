//! Test support for the decision and its analysis: a policy compiled from a text, whose places are the lines of that text.
#![expect(clippy::panic, reason = "tests")]

use crate::config::Config;
use crate::config::load::files::Memory;
use crate::config::load::{Inputs, load};
use crate::config::resolved::Resolved;
use crate::decision::policy::Policy;
use crate::decision::trace::Source;
use crate::expression::Compiler;

/// A configuration with its policy, read as `broker.toml` by the loader.
pub(crate) fn compiled(text: &str) -> (Config, Policy) {
    let inputs = Inputs { main: "broker.toml".into(), ..Inputs::default() };
    let loaded = load(&inputs, &Memory::of([("broker.toml", text)])).unwrap_or_else(|e| panic!("{e}"));
    let Some(config) = loaded.config else { panic!("{}", loaded.problems.render(&loaded.layers, false)) };
    let tables = config.tables.iter().map(|(id, table)| (id.clone(), table.entries.clone().unwrap_or_default()));
    let mut compiler = Compiler::new(tables.collect());
    let locate = |path: &str| Source::of(&loaded.layers, path);
    let resolved = Resolved::of(&config);
    let policy = Policy::compile(&config, &resolved, &mut compiler, &locate).unwrap_or_else(|e| panic!("{e:?}"));
    (config, policy)
}

/// The first line, from 1, that contains `part`.
pub(crate) fn line_of(text: &str, part: &str) -> usize {
    let Some(line) = text.lines().position(|line| line.contains(part)) else { panic!("{part} is not in the text") };
    line + 1
}
