//! Arguments that most commands share: the configuration that they read, and the process's environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::load::Inputs;

/// The variables of the process's environment that are valid UTF-8.
pub type Environment = BTreeMap<String, String>;

/// The environment of this process.
#[must_use]
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The file that is read if none is named.
const DEFAULT: &str = "broker.toml";
/// The variable that names it.
const VARIABLE: &str = "COUNTERSIGN_CONFIG";

/// The configuration that a command reads.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT, env = VARIABLE)]
    pub config: PathBuf,
    /// A file whose keys replace those of the configuration; can be given several times.
    #[arg(long, global = true, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
}

impl ConfigArgs {
    /// The same with a file that is an argument of the command, if there is one.
    ///
    /// # Errors
    /// Another file is named by `--config`.
    pub(crate) fn with_file(&self, file: Option<&PathBuf>, environment: &Environment) -> Result<Self, String> {
        let Some(file) = file else { return Ok(self.clone()) };
        let by_default = self.config == Path::new(DEFAULT)
            || environment.get(VARIABLE).is_some_and(|named| self.config == Path::new(named));
        if !by_default && self.config != *file {
            let (file, config) = (file.display(), self.config.display());
            return Err(format!("two files are named, {file} and --config {config}: leave one of them out"));
        }
        Ok(Self { config: file.clone(), ..self.clone() })
    }

    /// The input of the loader.
    #[must_use]
    pub fn inputs(&self, environment: &Environment) -> Inputs {
        Inputs { main: self.config.clone(), overlays: self.overlay.clone(), environment: environment.clone() }
    }
}
