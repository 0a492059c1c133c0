//! A draft put to the test: the files as they would be, prepared like a generation, and what the change means.
//!
//! Secrets are not read: a draft is for a pull request, and whoever drafts need not be one who may use them.

use std::convert::Infallible;

use crate::analysis::draft::difference::{Difference, Sides};
use crate::analysis::draft::{BYTE_ORDER_MARK, Changed, Draft, Refused};
use crate::analysis::known::Known;
use crate::analysis::plan::{Plan, plan};
use crate::config::diagnostics::problem::Problem;
use crate::config::edit;
use crate::config::load::files::{Files, Replaced};
use crate::config::load::{Inputs, Unreadable};
use crate::snapshot::compared::Compared;
use crate::snapshot::generation::{Options, Prepared, prepare, prepare_untested};

/// A draft, put to the test.
pub struct Drafted {
    /// The changed file.
    pub changed: Changed,
    /// What changes in it.
    pub difference: Difference,
    /// The files as they are.
    pub before: Prepared,
    /// The files as they would be.
    pub after: Prepared,
}

/// Why a draft can't be put to the test.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The files can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// There is no changed file.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Drafted {
    /// Puts a draft to the test.
    ///
    /// # Errors
    /// When the files can't be read, or there is no changed file.
    pub fn of(draft: &Draft, inputs: &Inputs, files: &dyn Files, now: i64) -> Result<Self, DraftError> {
        let options = Options { number: 0, without_secrets: true, now };
        let before = prepare_untested(inputs, files, options)?;
        let changed = draft.change(&before.layers, &inputs.main)?;
        let mark = files.read(&changed.file).is_ok_and(|bytes| bytes.starts_with(BYTE_ORDER_MARK.as_bytes()));
        let replaced = Replaced { files, path: changed.file.clone(), content: changed.content(mark) };
        let after = prepare(inputs, &replaced, options)?;
        let sides = Sides { old: &before.layers, new: &after.layers, mark };
        let difference = Difference::of(&changed, sides, &inputs.main);
        Ok(Self { changed, difference, before, after })
    }

    /// The entry in TOML as it would be; secrets are masked.
    #[must_use]
    pub fn entry(&self, section: &str, id: &str) -> String {
        let lines = self.after.layers.masked_lines(&self.changed.file).unwrap_or_default();
        let own = edit::lines(&self.changed.new, section, id);
        own.into_iter().filter_map(|line| lines.get(line).map(String::as_str)).collect()
    }

    /// The problems of the changed files, each with whether the files have it already.
    pub fn problems(&self) -> impl Iterator<Item = (&Problem, bool)> {
        let known = |problem: &Problem| {
            let same = |old: &&Problem| old.path == problem.path && old.message == problem.message;
            self.before.problems.iter().any(|old| same(&old))
        };
        self.after.problems.iter().map(move |problem| (problem, known(problem)))
    }

    /// What the change means, and for whom among these people. `None` while the files have errors, before or after.
    #[must_use]
    pub fn plan(&self, people: Vec<Known>) -> Option<Plan> {
        let (old, new) = (self.before.snapshot.as_ref()?, self.after.snapshot.as_ref()?);
        let (old, new) = (Compared::of(old, &self.before.origins), Compared::of(new, &self.after.origins));
        let people = people.into_iter().map(Ok::<_, Infallible>);
        plan(old.side(), new.side(), Some(people)).ok()
    }
}
