//! Problems in the form that people read.
//!
//! The layout is that of the Rust compiler, implemented here rather than by annotate-snippets, miette or ariadne. Those print
//! the complete text that they are given, and take line and column from it. Here the place and the text differ on purpose: a
//! masked secret is shorter than what it hides, so a renderer that sees the masked line prints a wrong column, and one that
//! sees the real line prints the secret. They also cut a long line to the width of the terminal, which a log and the status of
//! a refused reload do not have, and they do not support custom labelled notes (`setting`, `found`, `expected`).

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::problem::{Problem, Problems, Severity, printable};

impl Problems {
    /// For people: place, snippet with carets, found, expected, suggestion. Secrets in snippets are masked.
    #[must_use]
    pub fn render(&self, layers: &Layers, colour: bool) -> String {
        let mut out = String::new();
        for problem in self.iter() {
            render(problem, layers, colour, &mut out);
        }
        out
    }
}

fn render(problem: &Problem, layers: &Layers, colour: bool, out: &mut String) {
    let styled = |style: Style| if colour { style } else { Style::new() };
    let tint = styled(match problem.severity {
        Severity::Error => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
    });
    let (strong, dim) = (styled(Style::new().bold()), styled(AnsiColor::Blue.on_default()));
    let Problem { severity, file, line, column, message, .. } = problem;
    let _ = writeln!(out, "{tint}{severity}{tint:#}{strong}: {}{strong:#}", printable(message));
    let gutter = line.to_string().len();
    let _ = writeln!(out, "{:gutter$}{dim}-->{dim:#} {}:{line}:{column}", "", printable(file));
    if let Some((before, marked, after)) = problem.span.and_then(|span| layers.snippet(span)) {
        let _ = writeln!(out, "{:gutter$} {dim}|{dim:#}", "");
        let _ = writeln!(out, "{dim}{line} |{dim:#} {before}{marked}{after}");
        let carets = "^".repeat(marked.width().max(1));
        let _ = writeln!(out, "{:gutter$} {dim}|{dim:#} {:pad$}{tint}{carets}{tint:#}", "", "", pad = before.width());
    }
    for (label, text) in notes(problem) {
        let _ = writeln!(out, "{:gutter$} {dim}={dim:#} {label}: {}", "", printable(text));
    }
    out.push('\n');
}

/// What is printed below the snippet. What the message already says is not repeated; the JSON form has all of it.
fn notes(problem: &Problem) -> Vec<(&'static str, &str)> {
    let Problem { path, message, because, .. } = problem;
    let mut notes = Vec::new();
    if !path.is_empty() && !message.contains(&format!("`{path}`")) {
        notes.push(("setting", path.as_str()));
    }
    for (label, text) in [("found", &problem.found), ("expected", &problem.expected)] {
        notes.extend(text.as_deref().filter(|text| !says(message, text)).map(|text| (label, text)));
    }
    if because.is_empty() {
        notes.extend(problem.suggestion.as_deref().map(|text| ("help", text)));
    }
    notes.extend(because.iter().map(|step| ("because", step.as_str())));
    notes
}

/// Whether a message contains a text, with or without its quotes.
fn says(message: &str, text: &str) -> bool {
    let bare = text.trim_matches('"');
    message.contains(text)
        || (bare != text && [format!("`{bare}`"), format!("{bare:?}")].iter().any(|one| message.contains(one)))
}
