//! Reads a configuration: the file, its includes, overlays and environment variables, merged by figment and turned into a typed
//! [`Config`].
//!
//! Owns the order of the layers and the list of files that are involved. It does no I/O of its own: files are read through
//! [`Files`], and the environment is a map. [`crate::config::check`] decides whether the values are valid.

pub(crate) mod encoding;
mod environment;
pub mod files;
mod foreign;
mod hints;
mod include;
mod inputs;
mod masks;
pub mod origins;
pub(crate) mod secret_places;
pub(crate) mod secret_text;
pub mod secrets;
pub(crate) mod shape;
pub(crate) mod structure;
pub mod templates;

use std::collections::BTreeSet;
use std::path::Path;

use figment::error::Kind;
use figment::value::{Dict, Map, Tag, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

pub use inputs::{Inputs, Involved, Unreadable};

use crate::config::Config;
use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problems, Severity, quote};
use crate::config::diagnostics::tree::{Damage, Span, Table, to_dict};
use crate::config::language::connection_url::ConnectionUrl;
use crate::config::load::files::Files;
use crate::config::load::include::Reader;
use crate::config::load::structure::{Broken, sqlite_below};

/// What was read, with all structural problems.
#[derive(Debug)]
pub struct Loaded {
    /// The typed configuration, if it could be constructed. It may be used only if no problem is an error.
    pub config: Option<Config>,
    /// Where every value came from.
    pub layers: Layers,
    /// Problems with the text, the layers and the structure.
    pub problems: Problems,
    /// What a reload must watch.
    pub involved: Involved,
    /// The paths that have already been reported.
    pub(crate) broken: Broken,
    /// The merged values.
    pub(crate) values: Dict,
}

/// A layer as figment reads it.
struct Layer<'t>(&'t Table);

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("layer")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, to_dict(self.0))]))
    }
}

/// Reads and merges all layers and checks their structure.
///
/// # Errors
/// If the main file or an overlay can't be read. All other problems are in [`Loaded::problems`].
pub fn load(inputs: &Inputs, files: &dyn Files) -> Result<Loaded, Unreadable> {
    let Read { layers, mut problems, mut involved, syntax } = read(inputs, files)?;
    let mut values = merge(&layers);
    let partial = syntax.iter().any(|(_, damage)| *damage != Damage::Nothing);
    let mut found = Problems::default();
    let outcome = structure::check(&mut values, &layers, &mut found, partial);
    problems.append(readable(found, &layers, &syntax));
    involved.files.extend(outcome.files);
    let mut loaded = Loaded { config: None, layers, problems, involved, broken: outcome.broken, values };
    if !partial && outcome.usable {
        loaded.config = typed(&mut loaded, &inputs.main);
    }
    let asked = loaded.config.as_ref().map(secret_places::variables).unwrap_or_default();
    environment::unread(&inputs.environment, &asked, &mut loaded.layers, &mut loaded.problems);
    loaded.problems.sort();
    Ok(loaded)
}

/// Reads all layers, for what they say and where. They are neither merged nor checked, which takes most of the time of [`load`].
///
/// # Errors
/// If the main file or an overlay can't be read.
pub fn layers(inputs: &Inputs, files: &dyn Files) -> Result<Layers, Unreadable> {
    read(inputs, files).map(|read| read.layers)
}

/// The layers, before they are merged.
struct Read {
    layers: Layers,
    problems: Problems,
    involved: Involved,
    /// What is not TOML.
    syntax: Vec<(Span, Damage)>,
}

fn read(inputs: &Inputs, files: &dyn Files) -> Result<Read, Unreadable> {
    let mut reader = Reader::new(files);
    let main = reader.main(&inputs.main)?;
    reader.layers.add_tree(main);
    for overlay in &inputs.overlays {
        let overlay = reader.overlay(overlay)?;
        reader.layers.add_tree(overlay);
    }
    let Reader { mut layers, mut problems, involved, syntax, .. } = reader;
    let environment = environment::layer(&inputs.environment, &mut layers, &mut problems);
    layers.add_tree(environment);
    Ok(Read { layers, problems, involved, syntax })
}

fn merge(layers: &Layers) -> Dict {
    let figment = layers.trees().iter().fold(Figment::new(), |figment, tree| figment.merge(Layer(tree)));
    figment.data().ok().and_then(|mut profiles| profiles.remove(&Profile::Default)).unwrap_or_default()
}

/// Removes problems with values from a text that is not TOML, which has already been reported.
fn readable(found: Problems, layers: &Layers, syntax: &[(Span, Damage)]) -> Problems {
    if syntax.is_empty() {
        return found;
    }
    let lines: BTreeSet<String> = syntax.iter().map(|(span, _)| layers.describe(*span)).collect();
    let lost = |span: Span| {
        let rest = syntax.iter().filter(|(_, damage)| *damage == Damage::Rest);
        rest.map(|(from, _)| from).any(|from| from.source == span.source && from.start <= span.start)
    };
    let mut kept = Problems::default();
    for problem in &found {
        let on_line = lines.contains(&format!("{}:{}", problem.file, problem.line));
        if !on_line && !problem.span.is_some_and(lost) {
            kept.push(problem.clone());
        }
    }
    kept
}

fn typed(loaded: &mut Loaded, main: &Path) -> Option<Config> {
    let value = Value::Dict(Tag::Default, std::mem::take(&mut loaded.values));
    let config = value.deserialize::<Config>();
    if let Value::Dict(_, values) = value {
        loaded.values = values;
    }
    match config {
        Ok(mut config) => {
            if !loaded.layers.is_set(&At::Root.key("store").key("url")) {
                let folder = main.parent().unwrap_or(Path::new(""));
                config.store.url = ConnectionUrl::new(sqlite_below(config.store.url.expose(), folder));
            }
            Some(config)
        }
        // Errors that no schema can express, such as a duration of a thousand years.
        Err(errors) => {
            for error in errors {
                let steps = error.path.iter().map(String::as_str).collect::<Vec<_>>();
                let (span, path) = loaded.layers.place_of_steps(&steps);
                let message = match &error.kind {
                    Kind::Message(expected) => format!("`{}` must be {expected}", steps.last().unwrap_or(&"")),
                    kind => format!("{} can't be read: {kind}", quote(&path)),
                };
                loaded.problems.push(loaded.layers.problem_at(Severity::Error, span, path, message));
            }
            None
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
