//! The language of `matches` in `[[role_rules]]`: regular expressions of the crate `regex` that match a whole item.
//!
//! A pattern is parsed once, by `regex-syntax`. Everything else (that it matches a whole item, its named captures, the text
//! that every match begins with) is derived from the parsed form, never from its text.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// A pattern that matches an item from its first to its last character.
#[derive(Clone, Debug)]
pub struct RolePattern {
    /// The parsed pattern, without the part that makes it match whole items.
    pub syntax: Hir,
    /// The compiled pattern.
    pub regex: Regex,
}

impl RolePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If the text is not a regular expression, or its compiled form would be too large; the text says why.
    pub fn read(text: &str) -> Result<Self, PatternProblem> {
        let syntax = syntax(text)?;
        let whole = Hir::concat(vec![Hir::look(Look::Start), syntax.clone(), Hir::look(Look::End)]);
        // The parsed form is printed and parsed again: brackets put around the text itself would be part of a comment if `(?x)`
        // is on.
        let regex = Regex::new(&whole.to_string()).map_err(|error| PatternProblem::whole(text, &error))?;
        Ok(Self { syntax, regex })
    }

    /// Whether every item that matches has a capital letter, so that an item in lower case never does.
    #[must_use]
    pub fn needs_capital(&self) -> bool {
        needs_capital(&self.syntax)
    }

    /// The names of its captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

/// Whether every text that matches has a capital letter.
fn needs_capital(syntax: &Hir) -> bool {
    match syntax.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).is_ok_and(|text| text.to_lowercase() != text),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            !ranges.is_empty() && ranges.iter().all(|range| range.start() >= 'A' && range.end() <= 'Z')
        }
        HirKind::Capture(capture) => needs_capital(&capture.sub),
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_capital(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_capital),
        HirKind::Alternation(branches) => branches.iter().all(needs_capital),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => false,
    }
}

/// Why a text is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PatternProblem {
    /// What is wrong.
    pub reason: String,
    /// Where, in bytes of the pattern.
    pub offset: usize,
    /// The length of the part that is wrong; at least 1.
    pub len: usize,
}

impl PatternProblem {
    /// A problem that the pattern has as a whole, such as its size.
    #[must_use]
    pub fn whole(pattern: &str, error: &regex::Error) -> Self {
        let text = error.to_string();
        // The lines before the last one show the place, in a form that needs a terminal of its own.
        let reason = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
        Self { reason, offset: 0, len: pattern.len().max(1) }
    }
}

/// Parses a regular expression.
///
/// # Errors
/// What is wrong with it, and where.
pub fn syntax(pattern: &str) -> Result<Hir, PatternProblem> {
    regex_syntax::parse(pattern).map_err(|error| {
        let (reason, span) = match &error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(*error.span())),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(*error.span())),
            _ => (error.to_string(), None),
        };
        let whole = (0, pattern.len());
        let (start, end) = span.map_or(whole, |span| (span.start.offset, span.end.offset));
        PatternProblem { reason, offset: start, len: end.saturating_sub(start).max(1) }
    })
}
