//! Reads files with their includes and combines them: each keyed entry is in one file, and arrays of tables are appended, those
//! of the including file first, then by path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::diagnostics::locate::{Layers, SourceKind};
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problems, Severity, did_you_mean, list, quote};
use crate::config::diagnostics::tree::{Damage, Data, Entry, Node, Span, Table, parse};
use crate::config::load::encoding::decode;
use crate::config::load::files::{Files, tidy, why};
use crate::config::load::foreign;
use crate::config::load::inputs::{Involved, Unreadable};
use crate::config::load::masks;
use crate::config::load::shape::{Shape, Types};

/// Reads files; collects texts, problems and the files involved.
pub(crate) struct Reader<'f> {
    files: &'f dyn Files,
    pub(crate) layers: Layers,
    pub(crate) problems: Problems,
    pub(crate) involved: Involved,
    /// Places that are not TOML, and how much each of them makes unreadable.
    pub(crate) syntax: Vec<(Span, Damage)>,
    /// Files that were read, with the place that includes them.
    seen: BTreeMap<PathBuf, Option<Span>>,
    base: Table,
}

/// One entry of `include`.
struct Wanted {
    pattern: String,
    place: Span,
    only: Option<Vec<String>>,
}

/// The sections that a file may set, according to each include above it.
type Limits<'l> = Vec<(&'l [String], Span)>;

impl<'f> Reader<'f> {
    pub(crate) fn new(files: &'f dyn Files) -> Self {
        Self {
            files,
            layers: Layers::default(),
            problems: Problems::default(),
            involved: Involved::default(),
            syntax: Vec::new(),
            seen: BTreeMap::new(),
            base: Table::new(),
        }
    }

    /// The main file with everything that it includes.
    pub(crate) fn main(&mut self, path: &Path) -> Result<Table, Unreadable> {
        let table = self.read(path).map_err(|reason| Unreadable::new(path, reason))?;
        let identity = tidy(path);
        self.seen.insert(identity.clone(), None);
        self.take_in(path, table, &mut vec![identity], &mut Limits::new());
        Ok(std::mem::take(&mut self.base))
    }

    /// An overlay, which includes nothing.
    pub(crate) fn overlay(&mut self, path: &Path) -> Result<Table, Unreadable> {
        let mut table = self.read(path).map_err(|reason| Unreadable::new(path, reason))?;
        if let Some(include) = table.remove("include") {
            let message = "`include` must be in the main file or a file that it includes, not in an overlay".to_owned();
            self.error(include.key, "include".to_owned(), message, None);
        }
        Ok(table)
    }

    fn read(&mut self, path: &Path) -> Result<Table, String> {
        self.involved.files.insert(path.to_path_buf());
        let bytes = self.files.read(path).map_err(|error| why(&error))?;
        let text = decode(bytes)?;
        let source = self.layers.add_source(SourceKind::File(path.to_path_buf()), text);
        let (mut table, mut errors) = parse(self.layers.text(source), source);
        if !errors.is_empty()
            && let Some(error) = foreign::recognise(self.layers.text(source), path, source)
        {
            (table, errors) = (Table::new(), vec![error]);
        }
        self.layers.mask(masks::secrets(&table, &self.layers));
        for error in errors {
            if error.damage != Damage::Nothing {
                self.layers.mark_broken(source);
            }
            self.syntax.push((error.span, error.damage));
            let problem = self.layers.problem_at(Severity::Error, error.span, String::new(), error.message);
            self.problems.push(problem.suggest_maybe(error.suggestion));
        }
        Ok(table)
    }

    fn error(&mut self, span: Span, path: String, message: String, suggestion: Option<String>) {
        let problem = self.layers.problem_at(Severity::Error, span, path, message);
        self.problems.push(problem.suggest_maybe(suggestion));
    }

    /// Adds a file's entries to the base, then those of its includes.
    fn take_in(&mut self, path: &Path, mut table: Table, chain: &mut Vec<PathBuf>, limits: &mut Limits<'_>) {
        let wanted = table.get("include").map(|entry| wanted(&entry.value)).unwrap_or_default();
        self.enforce(&mut table, limits);
        self.combine(table);
        for entry in &wanted {
            self.check_sections(entry);
            let mut limits = limits.clone();
            limits.extend(entry.only.as_deref().map(|only| (only, entry.place)));
            for file in self.expand(path, entry) {
                self.include(&file, entry.place, chain, &mut limits);
            }
        }
    }

    fn include(&mut self, path: &Path, place: Span, chain: &mut Vec<PathBuf>, limits: &mut Limits<'_>) {
        let identity = tidy(path);
        let name = path.display();
        if chain.contains(&identity) {
            let message = format!("{name} includes itself: `include` must not lead back to a file above it");
            return self.error(
                place,
                "include".to_owned(),
                message,
                Some("name the files with a narrower pattern".to_owned()),
            );
        }
        if let Some(first) = self.seen.insert(identity.clone(), Some(place)) {
            let first = first.map(|span| self.layers.describe(span)).unwrap_or_default();
            let message = format!("{name} is included twice: at {first} and here");
            return self.error(place, "include".to_owned(), message, Some("keep one of them".to_owned()));
        }
        match self.read(path) {
            Ok(table) => {
                chain.push(identity);
                self.take_in(path, table, chain, limits);
                chain.pop();
            }
            Err(reason) => self.error(place, "include".to_owned(), format!("{name} can't be read: {reason}"), None),
        }
    }

    /// The files that an entry names, by path.
    fn expand(&mut self, including: &Path, entry: &Wanted) -> Vec<PathBuf> {
        let folder = including.parent().unwrap_or(Path::new(""));
        if !entry.pattern.contains(['*', '?', '[']) {
            return vec![folder.join(&entry.pattern)];
        }
        let fixed = entry.pattern.split('/').take_while(|part| !part.contains(['*', '?', '[']));
        let fixed = fixed.fold(PathBuf::new(), |path, part| path.join(if part.is_empty() { "/" } else { part }));
        self.involved.folders.insert(folder.join(fixed));
        match self.files.glob(folder, &entry.pattern) {
            Ok(found) if found.is_empty() => {
                let message = format!("{} matches no file", quote(&entry.pattern));
                let problem = self.layers.problem_at(Severity::Warning, entry.place, "include".to_owned(), message);
                self.problems.push(problem.expected("a pattern that matches a file"));
                Vec::new()
            }
            Ok(found) => found,
            Err(reason) => {
                let message = format!("{} must be a file pattern but is malformed: {reason}", quote(&entry.pattern));
                self.error(entry.place, "include".to_owned(), message, None);
                Vec::new()
            }
        }
    }

    fn check_sections(&mut self, entry: &Wanted) {
        let known = &Shape::root().properties;
        for section in entry.only.iter().flatten().filter(|section| !known.contains_key(*section)) {
            let message = format!("`only` must name sections but names {}", quote(section));
            let suggestion = did_you_mean(section, known.keys().map(String::as_str));
            self.error(entry.place, "include".to_owned(), message, suggestion);
        }
    }

    /// Removes from a file what the includes above it do not allow.
    fn enforce(&mut self, table: &mut Table, limits: &Limits<'_>) {
        for (only, place) in limits {
            let (allowed, refused) = std::mem::take(table).into_iter().partition(|(key, _)| only.contains(key));
            *table = allowed;
            let refused: Table = refused;
            for (key, entry) in refused {
                let allowed = list(only.iter().map(String::as_str));
                let message =
                    format!("`{key}` must not be set here: {} allows only {allowed}", self.layers.describe(*place));
                let problem = self.layers.problem_at(Severity::Error, entry.key, key.clone(), message);
                self.problems.push(problem.found(quote(&key)).expected(format!("one of {allowed}")));
            }
        }
    }

    fn combine(&mut self, table: Table) {
        let mut base = std::mem::take(&mut self.base);
        for (key, entry) in table {
            let shape = Shape::root().properties.get(&key);
            self.add(&mut base, &At::Root.key(&key), entry, shape);
        }
        self.base = base;
    }

    /// Adds an entry to a table; `shape` is its schema, if the language allows it in several files.
    fn add(&mut self, base: &mut Table, at: &At<'_>, entry: Entry, shape: Option<&Shape>) {
        let At::Key(_, key) = at else { return };
        let Some(existing) = base.get_mut(*key) else {
            base.insert((*key).to_owned(), entry);
            return;
        };
        let appends = shape.is_some_and(|shape| shape.items.as_deref().is_some_and(|item| item.accepts(Types::TABLE)));
        match (&mut existing.value, entry.value) {
            (Node { data: Data::Array(items), .. }, Node { data: Data::Array(more), .. }) if appends => {
                items.extend(more);
            }
            (Node { data: Data::Table(below), .. }, Node { data: Data::Table(more), .. }) if shape.is_some() => {
                for (child, entry) in more {
                    // An entry of a keyed section must be in one file; the settings of a plain section may be in several.
                    let child_shape =
                        shape.filter(|shape| !shape.is_keyed()).and_then(|shape| shape.properties.get(&child));
                    self.add(below, &at.key(&child), entry, child_shape);
                }
            }
            (first, second) => {
                let (first, second) = (first.span, Node { span: entry.key, ..second }.span);
                let message = format!(
                    "`{at}` is set in {} and again here: it must be in one file only",
                    self.layers.describe(first)
                );
                self.error(second, at.to_string(), message, Some("keep one of them".to_owned()));
            }
        }
    }
}

/// The entries of an `include` value. Malformed ones are left to the structure check.
fn wanted(include: &Node) -> Vec<Wanted> {
    let Data::Array(items) = &include.data else { return Vec::new() };
    items.iter().filter_map(wanted_one).collect()
}

fn wanted_one(item: &Node) -> Option<Wanted> {
    match &item.data {
        Data::String(pattern) => Some(Wanted { pattern: pattern.clone(), place: item.span, only: None }),
        Data::Table(table) => {
            let Data::String(pattern) = &table.get("path")?.value.data else { return None };
            let Data::Array(only) = &table.get("only")?.value.data else { return None };
            let only = only.iter().filter_map(|section| match &section.data {
                Data::String(section) => Some(section.clone()),
                _ => None,
            });
            Some(Wanted { pattern: pattern.clone(), place: item.span, only: Some(only.collect()) })
        }
        _ => None,
    }
}
