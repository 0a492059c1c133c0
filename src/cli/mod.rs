//! The commands, one file each: plain functions that take their arguments and a writer and return an exit code.

pub mod check;
pub mod schema;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::config::check::{ExpressionPlace, ExpressionProblem};
use crate::config::load::Inputs;
use crate::core::expression::{Compiler, Place};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// A problem was found.
    Problem = 1,
    /// The command was used wrongly.
    Usage = 2,
    /// It could not run.
    CouldNotRun = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Which configuration a command works on.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "broker.toml", env = "COUNTERSIGN_CONFIG")]
    pub config: PathBuf,
    /// A file whose keys replace those of the configuration; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
}

impl ConfigArgs {
    /// What the loader reads.
    #[must_use]
    pub fn inputs(&self, environment: &BTreeMap<String, String>) -> Inputs {
        Inputs { main: self.config.clone(), overlays: self.overlay.clone(), environment: environment.clone() }
    }
}

/// Compiles the expressions that `config::check` meets.
pub fn expression_check(
    compiler: &mut Compiler,
) -> impl FnMut(ExpressionPlace, &str, &str) -> Vec<ExpressionProblem> + '_ {
    |place, _path, text| {
        let place = match place {
            ExpressionPlace::Claims | ExpressionPlace::Subject => Place::Claims,
            ExpressionPlace::Allow => Place::Allow,
            ExpressionPlace::When => Place::When,
            ExpressionPlace::Certificate => Place::Certificate,
            ExpressionPlace::App => Place::App,
        };
        let problems = compiler.compile(place, text).err().unwrap_or_default();
        let problem = |it: crate::core::expression::Problem| {
            let suggestion = it.suggestion.map(|name| format!("did you mean `{name}`?"));
            ExpressionProblem { offset: it.offset, len: it.len, message: it.message, suggestion }
        };
        problems.into_iter().map(problem).collect()
    }
}
