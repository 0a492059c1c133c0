//! Reads the templates of the folder that `ui.templates` names. `pages` compiles them.

use std::path::PathBuf;

use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problems, Severity};
use crate::config::load::Loaded;
use crate::config::load::encoding::decode;
use crate::config::load::files::{Files, why};

/// A template file of the folder that `ui.templates` names.
#[derive(Clone, Debug)]
pub struct TemplateFile {
    /// Its name without the folder, such as `sign_in.html`.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// Reads the templates, sorted by name, and adds the folder and its files to those that a reload watches. A folder without
/// templates, and a file that can't be read, are problems at the place that names the folder.
pub fn read_templates(loaded: &mut Loaded, files: &dyn Files) -> (Vec<TemplateFile>, Problems) {
    let (mut found, mut problems) = (Vec::new(), Problems::default());
    let Some(folder) = loaded.config.as_ref().and_then(|config| config.ui.templates.clone()) else {
        return (found, problems);
    };
    let section = At::Root.key("ui");
    let at = section.key("templates");
    let span = loaded.layers.nearest_span(&at);
    let mut report = |message: String, way_out: &str| {
        let problem =
            loaded.layers.problem_at(Severity::Error, span, at.to_string(), format!("`templates`: {message}"));
        problems.push(problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    };
    let paths = files.glob(&folder, "*.html").unwrap_or_else(|reason| {
        report(format!("{} can't be read: {reason}", folder.display()), "");
        Vec::new()
    });
    if paths.is_empty() {
        let message = format!("the folder {} must hold templates but has no file *.html", folder.display());
        report(message, "put one there, such as base.html or sign_in.html, or leave the key out");
    }
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match files.read(&path).map_err(|error| why(&error)).and_then(decode) {
            Ok(text) => found.push(TemplateFile { name, path: path.clone(), text }),
            Err(reason) => report(format!("{} can't be read: {reason}", path.display()), ""),
        }
        loaded.involved.files.insert(path);
    }
    loaded.involved.folders.insert(folder);
    (found, problems)
}
