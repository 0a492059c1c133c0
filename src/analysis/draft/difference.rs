//! The difference that a draft makes, line by line, without the values of secrets, and as a patch.

use std::path::Path;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::analysis::draft::{BYTE_ORDER_MARK, Changed};
use crate::config::diagnostics::locate::Layers;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its lines; empty when nothing changes.
    pub lines: Vec<Line>,
    /// The same as a patch for `git apply`. `None` where it would hold a secret.
    pub patch: Option<String>,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its text without the sign and the line end; secrets are masked.
    pub text: String,
}

/// What a line of a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// The place of the lines that follow.
    Place,
    /// A line that stays.
    Same,
    /// A line that goes.
    Removed,
    /// A line that comes.
    Added,
}

impl LineKind {
    const fn sign(self) -> &'static str {
        match self {
            Self::Place => "",
            Self::Same => " ",
            Self::Removed => "-",
            Self::Added => "+",
        }
    }
}

/// Where the masks of the two texts come from.
#[derive(Clone, Copy)]
pub struct Sides<'l> {
    /// The files as they are.
    pub old: &'l Layers,
    /// The files as they would be.
    pub new: &'l Layers,
    /// Whether the file begins with a byte order mark.
    pub mark: bool,
}

impl Difference {
    /// The difference of a changed file. `main` is the main file: the patch names files as seen from its folder.
    #[must_use]
    pub fn of(changed: &Changed, sides: Sides<'_>, main: &Path) -> Self {
        let masked = |layers: &Layers| layers.masked_lines(&changed.file).unwrap_or_default();
        let (old_masked, new_masked) = (masked(sides.old), masked(sides.new));
        let whole = |text: &str| if sides.mark { format!("{BYTE_ORDER_MARK}{text}") } else { text.to_owned() };
        let (old, new) = (whole(&changed.old), whole(&changed.new));
        let diff = TextDiff::from_lines(old.as_str(), new.as_str());
        let mut lines = Vec::new();
        let mut hidden = false;
        for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
            lines.push(Line { kind: LineKind::Place, text: hunk.header().to_string() });
            for change in hunk.iter_changes() {
                let (kind, known) = match change.tag() {
                    ChangeTag::Equal => (LineKind::Same, change.old_index().and_then(|at| old_masked.get(at))),
                    ChangeTag::Delete => (LineKind::Removed, change.old_index().and_then(|at| old_masked.get(at))),
                    ChangeTag::Insert => (LineKind::Added, change.new_index().and_then(|at| new_masked.get(at))),
                };
                let line =
                    |text: &str| text.trim_start_matches(BYTE_ORDER_MARK).trim_end_matches(['\r', '\n']).to_owned();
                let (text, real) = (line(known.map_or("***", String::as_str)), line(change.value()));
                hidden |= text != real;
                lines.push(Line { kind, text });
            }
        }
        let name = name(&changed.file, main);
        let patch = || {
            let (old, new) = (format!("a/{name}"), format!("b/{name}"));
            diff.unified_diff().context_radius(CONTEXT).header(&old, &new).to_string()
        };
        let patch = (!hidden && !lines.is_empty()).then(patch);
        Self { lines, patch }
    }

    /// The difference as text; secrets are masked.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}{}\n", line.kind.sign(), line.text)).collect()
    }
}

/// The file's name as seen from the folder of the main file; git ends a name with spaces with a tab.
fn name(file: &Path, main: &Path) -> String {
    let below = main.parent().and_then(|folder| file.strip_prefix(folder).ok()).unwrap_or(file);
    let tidy = crate::config::load::files::tidy(below);
    let parts: Vec<String> = tidy
        .components()
        .filter_map(|part| match part {
            std::path::Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let name = parts.join("/");
    if name.contains(' ') { format!("{name}\t") } else { name }
}
