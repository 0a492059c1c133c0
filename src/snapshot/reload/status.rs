//! The outcome of the last reload, as the log, the metrics and `/status` report it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::problem::{Problem, Problems, Severity};

/// A problem of a reload, for `/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ReloadProblem {
    /// One of the configuration, in the form of `check --format json`.
    Configuration(Box<Problem>),
    /// Another one, such as a change that needs a restart.
    Other {
        /// What is wrong, and the way out.
        message: String,
    },
}

impl ReloadProblem {
    /// Writes its line in the log.
    pub(super) fn log(&self) {
        match self {
            Self::Configuration(problem) => {
                let Problem { file, line, column, path, message, suggestion, .. } = &**problem;
                let suggestion = suggestion.as_deref();
                tracing::error!(event = "reload_problem", file, line, column, path, suggestion, "{message}");
            }
            Self::Other { message } => tracing::error!(event = "reload_problem", "{message}"),
        }
    }
}

/// Why a reload was refused: each problem, and all of them as `check` prints them.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) problems: Vec<ReloadProblem>,
    pub(super) printed: String,
}

impl Refusal {
    /// That of a configuration with problems. Warnings refuse nothing.
    pub(super) fn of(problems: &Problems, layers: &Layers) -> Self {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let listed = errors.map(|problem| ReloadProblem::Configuration(Box::new(problem.clone()))).collect();
        Self { problems: listed, printed: problems.render(layers, false) }
    }

    /// One that has a single reason.
    pub(super) fn because(message: String) -> Self {
        Self { problems: vec![ReloadProblem::Other { message: message.clone() }], printed: message }
    }
}

/// The outcome of the last reload, for status and metrics.
#[derive(Debug, Default)]
pub struct ReloadStatus {
    failed: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
}

impl ReloadStatus {
    /// Whether the files differ from the generation in service, because they have problems.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The problems of the last reload, as `check` prints them.
    #[must_use]
    pub fn problems(&self) -> Option<String> {
        self.refusal().as_ref().map(|refusal| refusal.printed.clone())
    }

    /// The problems of the last reload, one by one; empty if it succeeded.
    #[must_use]
    pub fn list(&self) -> Vec<ReloadProblem> {
        self.refusal().as_ref().map(|refusal| refusal.problems.clone()).unwrap_or_default()
    }

    /// The first problem of the last reload in one line, with its place and the number of others; `None` if it succeeded.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let problems = self.list();
        let (first, others) = problems.split_first()?;
        let first = match first {
            ReloadProblem::Configuration(problem) => format!("{}:{}: {}", problem.file, problem.line, problem.message),
            ReloadProblem::Other { message } => message.clone(),
        };
        Some(if others.is_empty() { first } else { format!("{first} (and {} more)", others.len()) })
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, refusal: Option<Refusal>) {
        self.failed.store(refusal.is_some(), Ordering::Relaxed);
        *self.refusal() = refusal;
    }
}
