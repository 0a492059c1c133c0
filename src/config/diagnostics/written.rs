//! What the files say as they are written, below overlays and environment variables.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::config::diagnostics::locate::{Layers, Origin, SourceKind, guessed};
use crate::config::diagnostics::tree::{Data, Entry, Node, Span, Table};
use crate::config::language::redact::MASK;

impl Layers {
    /// The main file with its includes, put together.
    pub(crate) fn base(&self) -> Option<&Table> {
        self.trees.first()
    }

    /// How many files were read as configuration.
    #[must_use]
    pub fn files(&self) -> usize {
        self.sources.iter().filter(|source| matches!(source.kind, SourceKind::File(_))).count()
    }

    /// How many entries a section of the merged configuration has.
    #[must_use]
    pub fn count(&self, section: &str) -> usize {
        let mut keys = BTreeSet::new();
        let mut items = 0;
        for entry in self.trees.iter().filter_map(|tree| tree.get(section)) {
            match &entry.value.data {
                Data::Table(table) => keys.extend(table.keys()),
                // An array of a later layer replaces the one before.
                Data::Array(array) => items = array.len(),
                _ => {}
            }
        }
        keys.len().max(items)
    }

    /// The file of a place; none for an environment variable.
    pub(crate) fn file_of(&self, span: Span) -> Option<&Path> {
        match &self.sources.get(span.source as usize)?.kind {
            SourceKind::File(path) => Some(path),
            SourceKind::Environment(_) => None,
        }
    }

    /// The text of a file, without its byte order mark.
    pub(crate) fn text_of(&self, file: &Path) -> Option<&str> {
        self.source_of(file).map(|(_, text)| text)
    }

    /// What a table of the main file and its includes has at a path of keys.
    pub(crate) fn in_base(&self, path: &[&str]) -> Option<&Entry> {
        below(self.base()?, path)
    }

    /// Where an overlay or an environment variable sets a path of keys, or something below it.
    pub(crate) fn set_above(&self, path: &[&str]) -> Option<Origin> {
        let upper = self.trees.get(1..)?;
        let found = upper.iter().rev().find_map(|tree| below(tree, path))?;
        Some(self.origin_at_span(found.value.span))
    }

    /// The value in force at a path of keys.
    pub(crate) fn in_force(&self, path: &[&str]) -> Option<&Node> {
        self.trees.iter().rev().find_map(|tree| below(tree, path)).map(|entry| &entry.value)
    }

    fn origin_at_span(&self, span: Span) -> Origin {
        match self.sources.get(span.source as usize).map(|source| &source.kind) {
            Some(SourceKind::Environment(name)) => Origin::Environment(name.clone()),
            _ => {
                let place = self.describe(span);
                let (file, line) = place.rsplit_once(':').unwrap_or((&place, "1"));
                Origin::File { file: file.to_owned(), line: line.parse().unwrap_or(1), column: 1 }
            }
        }
    }

    fn source_of(&self, file: &Path) -> Option<(usize, &str)> {
        let is = |kind: &SourceKind| matches!(kind, SourceKind::File(path) if path == file);
        let index = self.sources.iter().position(|source| is(&source.kind))?;
        Some((index, self.sources.get(index)?.text.as_str()))
    }

    /// The files that were read, in this order, each with its lines without their line ends; secrets, and passwords in URLs, are
    /// masked.
    #[must_use]
    pub fn shown(&self) -> Vec<(String, Vec<String>)> {
        let files = self.sources.iter().filter_map(|source| match &source.kind {
            SourceKind::File(path) => Some(path),
            SourceKind::Environment(_) => None,
        });
        let lines = |path: &PathBuf| {
            let lines = self.masked_lines(path).unwrap_or_default();
            lines.iter().map(|line| line.trim_end_matches(['\n', '\r']).to_owned()).collect()
        };
        files.map(|path| (path.display().to_string(), lines(path))).collect()
    }

    /// The lines of a file with their line ends; secrets, and passwords in URLs, are masked.
    pub(crate) fn masked_lines(&self, file: &Path) -> Option<Vec<String>> {
        let (index, text) = self.source_of(file)?;
        let broken = self.sources.get(index)?.broken;
        let masks: Vec<Range<usize>> =
            self.masks.iter().filter(|mask| mask.source as usize == index).map(|mask| mask.range()).collect();
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let mut hidden: Vec<Range<usize>> = guessed(line, broken).collect();
            let here = start..start + line.trim_end_matches(['\n', '\r']).len();
            let within = |mask: &Range<usize>| mask.start.max(here.start)..mask.end.min(here.end);
            let inside = masks.iter().map(within).filter(|mask| mask.start < mask.end);
            hidden.extend(inside.map(|mask| mask.start - start..mask.end - start));
            lines.push(hide(line, hidden));
            start += line.len();
        }
        Some(lines)
    }
}

fn below<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Entry> {
    let (first, rest) = path.split_first()?;
    let entry = table.get(*first)?;
    match (rest.is_empty(), &entry.value.data) {
        (true, _) => Some(entry),
        (false, Data::Table(table)) => below(table, rest),
        (false, _) => None,
    }
}

/// A line with stretches hidden, which may overlap.
fn hide(line: &str, mut hidden: Vec<Range<usize>>) -> String {
    hidden.sort_by_key(|range| range.start);
    let mut out = String::new();
    let mut at = 0;
    for range in hidden.into_iter().filter(|range| range.start < range.end) {
        if range.start >= at {
            out.push_str(line.get(at..range.start).unwrap_or(""));
            out.push_str(MASK);
        }
        at = at.max(range.end);
    }
    let end = line.trim_end_matches(['\n', '\r']).len();
    out.push_str(line.get(at..).unwrap_or_else(|| line.get(end..).unwrap_or("")));
    out
}
