//! A draft of a change to the configuration: what somebody typed into a form, as a changed file and a patch. Nothing is
//! written; git applies it.
//!
//! [`fields`] says which settings the forms have, [`presets`] which of them a provider has, [`form`] what they show, `typed`
//! turns what was typed into edits, and [`difference`] shows them without secrets. Secrets are only ever named by the file that
//! holds them. The caller loads the files, checks the changed ones, and plans the effects.

pub mod difference;
pub mod fields;
pub mod form;
pub mod presets;
mod short;
#[cfg(test)]
mod tests;
mod typed;

use std::path::{Path, PathBuf};

pub use fields::{Field, Group, Input, Kind};
pub use form::{Filled, Form, Held, NoForm, Posted};
pub use presets::{Need, Only};
pub use typed::{Fault, SHOWN, What};

use crate::config::diagnostics::locate::Layers;
use crate::config::edit::{Edit, EditError, Written, apply};

/// What is to happen to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new entry is added, to this file if one is named.
    Create {
        /// The file.
        file: Option<PathBuf>,
    },
    /// The entry with this id is changed.
    Edit {
        /// The id that it has.
        id: String,
    },
    /// The entry with this id is deleted.
    Delete {
        /// Its id.
        id: String,
    },
}

/// A draft.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is about.
    pub kind: Kind,
    /// What is to happen.
    pub action: Action,
    /// What was typed, by key. `id` is the id that the entry gets.
    pub posted: Posted,
}

/// A changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The file.
    pub file: PathBuf,
    /// Its text as it is, without a byte order mark.
    pub old: String,
    /// Its text as it would be.
    pub new: String,
}

impl Changed {
    /// What the file would hold; `mark` says whether it begins with a byte order mark.
    #[must_use]
    pub fn content(&self, mark: bool) -> Vec<u8> {
        let mark = if mark { BYTE_ORDER_MARK } else { "" };
        format!("{mark}{}", self.new).into_bytes()
    }
}

/// What begins a UTF-8 file that some editors write.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Why there is no changed file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The files have no entry to change.
    #[error(transparent)]
    NoForm(#[from] NoForm),
    /// Fields have to be corrected.
    #[error("fields have to be corrected")]
    Faults(Vec<Fault>),
    /// The file can't be edited.
    #[error("{}: {why}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        why: EditError,
    },
}

impl Draft {
    /// The form that the draft was typed into, as the files say now.
    ///
    /// # Errors
    /// When the files have no entry to change.
    pub fn form(&self, layers: &Layers, main: &Path) -> Result<Form, NoForm> {
        match &self.action {
            Action::Create { .. } => Ok(Form::blank(layers, self.kind, main)),
            Action::Edit { id } | Action::Delete { id } => Form::of(layers, self.kind, id),
        }
    }

    /// The id that the entry has or gets.
    #[must_use]
    pub fn id(&self) -> &str {
        let typed = self.posted.get("id").map(|id| id.trim()).filter(|id| !id.is_empty());
        match &self.action {
            Action::Create { .. } => typed.unwrap_or_default(),
            Action::Edit { id } => typed.unwrap_or(id),
            Action::Delete { id } => id,
        }
    }

    /// The file as it would be.
    ///
    /// # Errors
    /// When a field has to be corrected, or the file can't be edited.
    pub fn change(&self, layers: &Layers, main: &Path) -> Result<Changed, Refused> {
        let form = self.form(layers, main)?;
        let (file, edits) = match &self.action {
            Action::Create { file } => self.create(&form, layers, file.as_deref())?,
            Action::Edit { id } => (form.file.clone(), self.edit(&form, layers, id)?),
            Action::Delete { id } => {
                let delete = Edit::Delete { section: self.kind.section().to_owned(), id: id.clone() };
                (form.file.clone(), vec![delete])
            }
        };
        let old = layers.text_of(&file).unwrap_or_default().to_owned();
        let new = apply(&old, &edits).map_err(|why| Refused::File { file: file.clone(), why })?;
        Ok(Changed { file, old, new })
    }

    fn create(&self, form: &Form, layers: &Layers, file: Option<&Path>) -> Result<(PathBuf, Vec<Edit>), Refused> {
        let mut faults: Vec<Fault> = self.id_fault(layers, None).into_iter().collect();
        let changes = typed::changes(form, layers, &self.posted).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        if !faults.is_empty() {
            return Err(Refused::Faults(faults));
        }
        let settings: Vec<(Vec<String>, Written)> =
            changes.into_iter().filter_map(|(path, value)| Some((path, value?))).collect();
        let add = Edit::Add { section: self.kind.section().to_owned(), id: self.id().to_owned(), settings };
        let chosen = file.and_then(|file| form.files.iter().find(|known| *known == file));
        Ok((chosen.unwrap_or(&form.file).clone(), vec![add]))
    }

    fn edit(&self, form: &Form, layers: &Layers, id: &str) -> Result<Vec<Edit>, Refused> {
        let mut faults: Vec<Fault> = self.id_fault(layers, Some(id)).into_iter().collect();
        let changes = typed::changes(form, layers, &self.posted).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        if !faults.is_empty() {
            return Err(Refused::Faults(faults));
        }
        let whole = |path: Vec<String>| [self.kind.section(), id].map(str::to_owned).into_iter().chain(path).collect();
        let mut edits: Vec<Edit> = changes
            .into_iter()
            .map(|(path, value)| match value {
                Some(value) => Edit::Set(whole(path), value),
                None => Edit::Remove(whole(path)),
            })
            .collect();
        if self.id() != id {
            let section = self.kind.section().to_owned();
            edits.push(Edit::Rename { section, from: id.to_owned(), to: self.id().to_owned() });
        }
        Ok(edits)
    }

    /// What is wrong with the id. An entry that an overlay adds to can't be renamed in the file alone.
    fn id_fault(&self, layers: &Layers, known: Option<&str>) -> Option<Fault> {
        let id = self.id();
        if known == Some(id) {
            return None;
        }
        let section = self.kind.section();
        let fault = |what| Some(Fault { key: "id".to_owned(), what });
        if let Some(above) = known.and_then(|known| layers.set_above(&[section, known])) {
            return fault(What::Locked(typed::place(&above)));
        }
        if layers.in_force(&[section, id]).is_some() {
            return fault(What::Taken);
        }
        self.kind.misnamed(id).and_then(|expected| fault(What::Misnamed(expected.to_owned())))
    }
}
