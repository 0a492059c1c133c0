//! Arguments that most commands share: the configuration that they read, and the process's environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::config::load::Inputs;

/// The variables of the process's environment that are valid UTF-8.
pub type Environment = BTreeMap<String, String>;

/// The configuration that a command reads.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "broker.toml", env = "COUNTERSIGN_CONFIG")]
    pub config: PathBuf,
    /// A file whose keys replace those of the configuration; can be given several times.
    #[arg(long, global = true, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
}

impl ConfigArgs {
    /// The input of the loader.
    #[must_use]
    pub fn inputs(&self, environment: &Environment) -> Inputs {
        Inputs { main: self.config.clone(), overlays: self.overlay.clone(), environment: environment.clone() }
    }
}
