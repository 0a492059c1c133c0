//! Where every value came from: a dotted path to file, line and column, an environment variable, or the default.
//!
//! Owns the texts that were read, and the layers in their order ([`Layers`]). It does not own merging the values: figment does
//! that, by the same rule (the key of the later layer counts, arrays as a whole).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::config::diagnostics::path::{At, Step, parse_path};
use crate::config::diagnostics::problem::{Problem, Severity, redacted};
use crate::config::diagnostics::tree::{Data, Node, Span, Table, token_offset};
use crate::config::language::redact::{self, MASK, sounds_secret};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File {
        /// The file, as it was named on the command line or by `include`.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// It is not set.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The kind of a source.
#[derive(Clone, Debug)]
pub(crate) enum SourceKind {
    File(PathBuf),
    Environment(String),
}

/// A text that was read.
#[derive(Debug)]
pub(crate) struct Source {
    pub(super) kind: SourceKind,
    pub(super) text: String,
    lines: OnceLock<Vec<usize>>,
    /// The text is not TOML, so that its secrets can only be guessed.
    pub(super) broken: bool,
}

impl Source {
    fn name(&self) -> String {
        match &self.kind {
            SourceKind::File(path) => path.display().to_string(),
            SourceKind::Environment(name) => format!("${name}"),
        }
    }

    /// Line and column, both from 1, of a byte.
    fn position(&self, offset: usize) -> (usize, usize) {
        let starts = self.lines.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
        });
        let line = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// The bytes of the line that contains a byte, without its line end.
    fn line_range(&self, offset: usize) -> std::ops::Range<usize> {
        let offset = offset.min(self.text.len());
        let start = self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        let rest = self.text.get(start..).unwrap_or("");
        let end = start + rest.find('\n').unwrap_or(rest.len());
        start..if self.text.get(start..end).is_some_and(|line| line.ends_with('\r')) { end - 1 } else { end }
    }
}

/// The layers of a configuration, with every text that was read.
#[derive(Debug, Default)]
pub struct Layers {
    pub(super) sources: Vec<Source>,
    pub(super) trees: Vec<Table>,
    pub(super) masks: Vec<Span>,
}

impl Layers {
    /// Adds a text and returns its number.
    pub(crate) fn add_source(&mut self, kind: SourceKind, text: String) -> u32 {
        self.sources.push(Source { kind, text, lines: OnceLock::new(), broken: false });
        u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX)
    }

    /// Records that a text is not TOML.
    pub(crate) fn mark_broken(&mut self, source: u32) {
        if let Some(source) = self.sources.get_mut(source as usize) {
            source.broken = true;
        }
    }

    /// Adds a layer above the existing ones.
    pub(crate) fn add_tree(&mut self, tree: Table) {
        self.trees.push(tree);
    }

    /// The trees, lowest first.
    pub(crate) fn trees(&self) -> &[Table] {
        &self.trees
    }

    /// Masks the text at these places.
    pub(crate) fn mask(&mut self, spans: Vec<Span>) {
        self.masks.extend(spans);
    }

    /// The text of a source.
    pub(crate) fn text(&self, source: u32) -> &str {
        self.sources.get(source as usize).map_or("", |source| source.text.as_str())
    }

    /// The folder to which relative paths at a place are relative. Empty, that is, the working folder, for an environment
    /// variable.
    pub(crate) fn folder(&self, span: Span) -> &Path {
        match self.sources.get(span.source as usize).map(|source| &source.kind) {
            Some(SourceKind::File(path)) => path.parent().unwrap_or(Path::new("")),
            _ => Path::new(""),
        }
    }

    fn lookup<'l>(&'l self, steps: &[Step<'_>]) -> Option<(Option<Span>, &'l Node)> {
        let mut found = None;
        for tree in self.trees.iter().rev() {
            match descend(tree, steps) {
                Descent::Found(key, node) if matches!(node.data, Data::Table(_)) => found = Some((key, node)),
                Descent::Found(key, node) => return found.or(Some((key, node))),
                // A value that is replaced as a whole hides everything below it.
                Descent::Blocked => return found,
                Descent::Absent => {}
            }
        }
        found
    }

    /// The place of a value in the latest layer that sets it; for a table, its header in the earliest.
    pub(crate) fn value_span(&self, at: &At<'_>) -> Option<Span> {
        self.lookup(&at.steps()).map(|(_, node)| node.span)
    }

    /// The place of a key.
    pub(crate) fn key_span(&self, at: &At<'_>) -> Option<Span> {
        self.lookup(&at.steps()).map(|(key, node)| key.unwrap_or(node.span))
    }

    /// Whether any layer sets it.
    pub(crate) fn is_set(&self, at: &At<'_>) -> bool {
        self.lookup(&at.steps()).is_some()
    }

    /// The place of a value, or of the nearest table around it.
    pub(crate) fn nearest_span(&self, at: &At<'_>) -> Span {
        let mut steps = at.steps();
        while !steps.is_empty() {
            if let Some((_, node)) = self.lookup(&steps) {
                return node.span;
            }
            steps.pop();
        }
        Span { source: 0, start: 0, end: 0 }
    }

    /// Where the value at a path such as `providers.corp.claims.username` came from.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        let steps = parse_path(path).unwrap_or_default();
        self.origin_of(self.lookup(&steps).filter(|_| !steps.is_empty()).map(|(_, node)| node.span))
    }

    /// Where the value at a path came from.
    #[must_use]
    pub fn origin_at(&self, at: &At<'_>) -> Origin {
        self.origin_of(self.value_span(at))
    }

    /// The place, and the path, that figment identifies by keys and positions.
    pub(crate) fn place_of_steps(&self, names: &[&str]) -> (Span, String) {
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut span = Span { source: 0, start: 0, end: 0 };
        for name in names {
            let index = name.parse().ok().map(Step::Index);
            steps.push(Step::Key((*name).into()));
            if self.lookup(&steps).is_none()
                && let (Some(index), Some(last)) = (index, steps.last_mut())
            {
                *last = index;
            }
            span = self.lookup(&steps).map_or(span, |(_, node)| node.span);
        }
        let path = steps.iter().fold(String::new(), |path, step| match step {
            Step::Index(index) => format!("{path}[{index}]"),
            Step::Key(key) if path.is_empty() => key.to_string(),
            Step::Key(key) => format!("{path}.{key}"),
        });
        (span, path)
    }

    fn origin_of(&self, span: Option<Span>) -> Origin {
        let Some(span) = span else { return Origin::Default };
        let Some(source) = self.sources.get(span.source as usize) else { return Origin::Default };
        match &source.kind {
            SourceKind::Environment(name) => Origin::Environment(name.clone()),
            SourceKind::File(_) => {
                let (line, column) = source.position(span.start as usize);
                Origin::File { file: source.name(), line, column }
            }
        }
    }

    /// `file:line` of a place, for messages that name another place.
    pub(crate) fn describe(&self, span: Span) -> String {
        match self.origin_of(Some(span)) {
            Origin::File { file, line, .. } => format!("{file}:{line}"),
            other => other.to_string(),
        }
    }

    /// The place of a part of a TOML string, given in bytes of the decoded string.
    pub(crate) fn inside(&self, string: Span, offset: usize, len: usize) -> Span {
        let token = self.text(string.source).get(string.range()).unwrap_or("");
        let start = token_offset(token, offset);
        let end = token_offset(token, offset + len.max(1)).max(start + 1);
        let base = string.start as usize;
        Span::new(string.source, base + start..base + end.min(token.len()).max(start))
    }

    /// An error in a file that the configuration names, such as a page template, at a line counted from 1.
    #[must_use]
    pub fn error_in_file(&mut self, file: &Path, text: &str, line: usize, message: String) -> Problem {
        let known = self.sources.iter().position(|known| matches!(&known.kind, SourceKind::File(path) if path == file));
        let source = match known.and_then(|index| u32::try_from(index).ok()) {
            Some(source) => source,
            None => self.add_source(SourceKind::File(file.to_owned()), text.to_owned()),
        };
        let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let line = text.get(before..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let span = Span::new(source, before + indent..before + line.trim_end().len().max(indent));
        self.problem_at(Severity::Error, span, String::new(), message)
    }

    /// An error at a path that passed the check, found when the value is used.
    #[must_use]
    pub fn error_at_path(&self, path: &str, message: String) -> Problem {
        self.problem_at_path(Severity::Error, path, message)
    }

    /// A problem at a path that passed the check.
    #[must_use]
    pub fn problem_at_path(&self, severity: Severity, path: &str, message: String) -> Problem {
        let span = self.lookup(&parse_path(path).unwrap_or_default()).map(|(_, node)| node.span);
        let span = span.unwrap_or(Span { source: 0, start: 0, end: 0 });
        self.problem_at(severity, span, path.to_owned(), message)
    }

    /// A problem at a place.
    pub(crate) fn problem_at(&self, severity: Severity, span: Span, path: String, message: String) -> Problem {
        let source = self.sources.get(span.source as usize);
        let (line, column) = source.map_or((1, 1), |source| source.position(span.start as usize));
        let file = source.map(Source::name).unwrap_or_default();
        let message = redacted(message);
        let (found, expected, suggestion) = (None, None, None);
        Problem {
            severity,
            file,
            line,
            column,
            path,
            message,
            found,
            expected,
            suggestion,
            because: Vec::new(),
            span: Some(span),
        }
    }

    /// The line of a place, in three parts: before it, the place itself, after it. Secrets are masked, long lines are cut.
    pub(crate) fn snippet(&self, span: Span) -> Option<(String, String, String)> {
        const BEFORE: usize = 90;
        const AFTER: usize = 60;
        let source = self.sources.get(span.source as usize)?;
        let line = source.line_range(span.start as usize);
        let mut masks: Vec<_> =
            self.masks.iter().filter(|mask| mask.source == span.source).map(|mask| mask.range()).collect();
        masks.extend(
            guessed(source.text.get(line.clone())?, source.broken)
                .map(|mask| line.start + mask.start..line.start + mask.end),
        );
        let show = |from: usize, to: usize| show_masked(&source.text, from..to.max(from), &masks);
        let start = (span.start as usize).clamp(line.start, line.end);
        let end = (span.end as usize).clamp(start, line.end);
        let (before, marked, after) = (show(line.start, start), show(start, end), show(end, line.end));
        let surplus = before.chars().count().saturating_sub(BEFORE);
        let before =
            if surplus > 0 { format!("...{}", before.chars().skip(surplus).collect::<String>()) } else { before };
        let cut = |text: String| match text.char_indices().nth(AFTER) {
            Some((at, _)) => format!("{}...", text.get(..at).unwrap_or("")),
            None => text,
        };
        Some((before, cut(marked), cut(after)))
    }
}

/// What a path leads to in one layer.
enum Descent<'t> {
    Found(Option<Span>, &'t Node),
    /// A value on the path is not a table, or the path leads past the end of an array.
    Blocked,
    Absent,
}

fn descend<'t>(tree: &'t Table, steps: &[Step<'_>]) -> Descent<'t> {
    let Some((Step::Key(first), rest)) = steps.split_first() else { return Descent::Absent };
    let Some(entry) = tree.get(first.as_ref()) else { return Descent::Absent };
    let (mut key, mut node) = (Some(entry.key), &entry.value);
    for step in rest {
        (key, node) = match (&node.data, step) {
            (Data::Table(table), Step::Key(name)) => match table.get(name.as_ref()) {
                Some(entry) => (Some(entry.key), &entry.value),
                None => return Descent::Absent,
            },
            (Data::Array(items), Step::Index(index)) => match items.get(*index) {
                Some(item) => (None, item),
                None => return Descent::Blocked,
            },
            _ => return Descent::Blocked,
        };
    }
    Descent::Found(key, node)
}

/// Secrets in a line outside of the values that were read, such as in a comment: passwords in URLs. In a text that is not TOML
/// the values are not known, so everything after the `=` of a key that is named like a secret is included, and URLs to the end
/// of the line.
pub(super) fn guessed(line: &str, broken: bool) -> impl Iterator<Item = std::ops::Range<usize>> {
    let key = line.split_once('=').map(|(key, _)| key).filter(|key| broken && sounds_secret(key));
    let urls = if broken { redact::in_value(line) } else { redact::in_text(line) };
    urls.into_iter().chain(key.map(|key| key.len() + 1..line.len()))
}

fn show_masked(text: &str, range: std::ops::Range<usize>, masks: &[std::ops::Range<usize>]) -> String {
    let mut out = String::new();
    let mut masked = false;
    for (offset, c) in text.get(range.clone()).unwrap_or("").char_indices() {
        let here = range.start + offset;
        let hide = masks.iter().any(|mask| mask.contains(&here));
        match (hide, masked) {
            (true, false) => out.push_str(MASK),
            (true, true) => {}
            (false, _) if c == '\t' => out.push(' '),
            (false, _) if c.is_control() => out.push('\u{fffd}'),
            (false, _) => out.push(c),
        }
        masked = hide;
    }
    out
}
