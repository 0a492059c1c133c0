//! `store.url`: what a start would refuse of its form and its parameters.
//!
//! `config` knows the schemes; the parameters are those of the backend, which reads them.

use crate::config::Config;
use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::problem::Problems;
use crate::store::postgres::Target;

/// Reports what is wrong with the URL. The files that it names are not read: they may exist only where the broker runs.
pub(super) fn check(config: &Config, layers: &Layers, problems: &mut Problems) {
    if let Some(Err(said)) = Target::check(config.store.url.expose()) {
        problems.push(layers.error_at_path("store.url", format!("`url` {said}")));
    }
}
