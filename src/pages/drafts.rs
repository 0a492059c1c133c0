//! What the pages for drafts of changes show: the form of an entry, and what a change would be and mean.
//!
//! Labels are texts with the key of the file beside them: whoever fills the form in finds the setting in the file. Problems of
//! `check`, answers of providers and warnings of `plan` are in English, as the commands print them.

use serde::Serialize;

use crate::pages::own::Shell;
use crate::pages::views::{PostForm, templates};

/// The form of an entry: a new one, a change, or a deletion. The form sends `id`, `file`, `probe` and each field by its key.
#[derive(Clone, Debug, Serialize)]
pub struct DraftForm {
    /// The frame.
    pub shell: Shell,
    /// `provider`, `client`, `role` or `user`.
    pub kind: &'static str,
    /// `create`, `edit` or `delete`.
    pub action: &'static str,
    /// The id as it is typed, or that of the entry.
    pub id: String,
    /// What is wrong with the id.
    pub id_fault: Option<DraftFault>,
    /// The file that has the entry.
    pub file: String,
    /// The files that a new entry can be written to.
    pub files: Vec<String>,
    /// The fields in their groups; none for a deletion.
    pub groups: Vec<DraftGroup>,
    /// Settings of the entry that have no field.
    pub others: Vec<String>,
    /// The presets that a new provider can have.
    pub presets: Vec<String>,
    /// The preset of a provider, whose fields the form has.
    pub preset: Option<&'static str>,
    /// Whether something has to be corrected.
    pub faulty: bool,
    /// Why the file can't be changed as it is.
    pub impossible: Option<String>,
    /// Whether the provider can be asked, and whether it is to be.
    pub probe: Option<bool>,
    /// The path that leads back.
    pub back: String,
    /// The path to the deletion of an entry that is changed.
    pub delete_path: Option<String>,
    /// Where the draft is sent.
    pub form: PostForm,
}

/// Fields with a heading.
#[derive(Clone, Debug, Serialize)]
pub struct DraftGroup {
    /// Key of the heading, below `draft.group.`.
    pub name: &'static str,
    /// Its fields.
    pub fields: Vec<DraftField>,
}

/// A field.
#[derive(Clone, Debug, Serialize)]
pub struct DraftField {
    /// The key of the setting, also of its texts below `draft.field.` and `draft.help.`.
    pub key: &'static str,
    /// How it is typed: `text`, `lines`, `choice`, `flag`, `condition`, `secret`, `claims`, `links`.
    pub input: &'static str,
    /// The ids of the notes on it, but for its help.
    pub notes: String,
    /// Whether the entry needs it.
    pub required: bool,
    /// What it shows.
    pub value: String,
    /// The values of a choice.
    pub choices: Vec<String>,
    /// Where an overlay or variable sets it.
    pub locked: Option<String>,
    /// A secret that is no file: `literal`, `env`, `several`; and the variable.
    pub held: Option<DraftFault>,
    /// What is wrong with it.
    pub fault: Option<DraftFault>,
}

impl DraftField {
    /// With the ids of its notes.
    #[must_use]
    pub fn noted(self) -> Self {
        let notes = [("fault", self.fault.is_some()), ("locked", self.locked.is_some()), ("held", self.held.is_some())];
        let ids = notes.into_iter().filter(|(_, has)| *has).map(|(note, _)| format!("{note}-{} ", self.key));
        Self { notes: ids.collect(), ..self }
    }
}

/// A text with what it is about: a key below `draft.fault.` or `draft.held.`.
#[derive(Clone, Debug, Serialize)]
pub struct DraftFault {
    /// The key.
    pub code: &'static str,
    /// What it is about.
    pub detail: String,
}

/// What a draft would change and mean.
#[derive(Clone, Debug, Serialize)]
pub struct DraftResult {
    /// The frame.
    pub shell: Shell,
    /// `provider`, `client`, `role` or `user`.
    pub kind: &'static str,
    /// `create`, `edit` or `delete`.
    pub action: &'static str,
    /// The id.
    pub id: String,
    /// The file that changes.
    pub file: String,
    /// The difference, line by line.
    pub lines: Vec<DraftLine>,
    /// The entry in TOML as it would be; empty for a deletion.
    pub toml: String,
    /// The file name of the patch, where there is one to download.
    pub patch: Option<String>,
    /// Whether the file has changed since the form was opened.
    pub stale: bool,
    /// Problems of the changed files.
    pub problems: Vec<DraftProblem>,
    /// Whom it affects; none while there are errors.
    pub plan: Option<DraftPlan>,
    /// What the provider answered.
    pub probe: Option<DraftProbe>,
    /// The form again: `again` leads back to it, `patch` downloads the patch.
    pub form: PostForm,
    /// The path of the console page that led here.
    pub back: String,
}

/// A line of a difference.
#[derive(Clone, Debug, Serialize)]
pub struct DraftLine {
    /// `place`, `same`, `removed` or `added`.
    pub kind: &'static str,
    /// Its text.
    pub text: String,
}

/// A problem of `check`.
#[derive(Clone, Debug, Serialize)]
pub struct DraftProblem {
    /// Whether it is an error; otherwise a warning.
    pub error: bool,
    /// Whether the files have it already.
    pub known: bool,
    /// `file:line:column`
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub suggestion: Option<String>,
}

/// Whom a change affects.
#[derive(Clone, Debug, Serialize)]
pub struct DraftPlan {
    /// How many people were considered.
    pub known: usize,
    /// Whether there are more.
    pub cut: bool,
    /// Those for whom something changes.
    pub people: Vec<DraftPerson>,
    /// How many more there are.
    pub more: usize,
    /// Warnings, in English.
    pub notices: Vec<String>,
    /// Settings whose change needs a restart.
    pub restart: Vec<&'static str>,
}

/// Somebody for whom something changes.
#[derive(Clone, Debug, Serialize)]
pub struct DraftPerson {
    /// The username.
    pub name: String,
    /// The provider that they come through.
    pub provider: String,
    /// What changes: a key below `draft.effect.`, and what it is about.
    pub effects: Vec<DraftEffect>,
}

/// What changes for somebody.
#[derive(Clone, Debug, Serialize)]
pub struct DraftEffect {
    /// Whether something is taken away.
    pub bad: bool,
    /// Key of the text.
    pub key: &'static str,
    /// The role, the app or the claim.
    pub about: String,
    /// The reason code of a refusal.
    pub reason: Option<&'static str>,
    /// The line that refuses.
    pub place: String,
}

/// What a provider answered.
#[derive(Clone, Debug, Serialize)]
pub struct DraftProbe {
    /// Step by step.
    pub steps: Vec<DraftStep>,
    /// What a sign-in would do without, in English.
    pub missing: Vec<String>,
}

/// One thing that a provider was asked.
#[derive(Clone, Debug, Serialize)]
pub struct DraftStep {
    /// `discovery`, `keys` or `token`.
    pub asked: &'static str,
    /// `fine`, `unclear`, `trouble` or `skipped`.
    pub outcome: &'static str,
    /// Where.
    pub url: Option<String>,
    /// The answer, in English.
    pub answer: String,
}

templates! {
    DraftForm => "draft_form.html",
    DraftResult => "draft_result.html",
}
