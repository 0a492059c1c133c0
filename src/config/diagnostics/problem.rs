//! Problems of a configuration: what is wrong, where, what was found, what is expected, how to correct it.
//!
//! Owns their collection, their order and their JSON form; `render` prints them for people. It does not own finding them.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::config::diagnostics::tree::Span;
use crate::config::language::redact;

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is accepted; `--strict` refuses it.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One problem. Serializes as `check --format json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The severity.
    pub severity: Severity,
    /// The file, as it was named; an environment variable as `$NAME`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The setting, such as `clients.grafana.redirect_uris[0]`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, as a whole sentence without its place.
    pub message: String,
    /// What was found there.
    pub found: Option<String>,
    /// What is expected instead.
    pub expected: Option<String>,
    /// How to correct it.
    pub suggestion: Option<String>,
    /// The steps that led to it, a line each. The JSON form has them in `suggestion`.
    #[serde(skip)]
    pub because: Vec<String>,
    /// What the carets underline.
    #[serde(skip)]
    pub(crate) span: Option<Span>,
}

impl Problem {
    /// The same problem with what was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(redacted(found.into()));
        self
    }

    /// The same problem with what is expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(redacted(expected.into()));
        self
    }

    /// The same problem with how to correct it.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(redacted(suggestion.into()));
        self
    }

    /// The same problem with the steps that led to it.
    #[must_use]
    pub fn because(mut self, steps: &[String]) -> Self {
        self.because = steps.iter().cloned().map(redacted).collect();
        self.suggestion = self.suggestion.or((!steps.is_empty()).then(|| self.because.join("\n")));
        self
    }

    /// The same problem with how to correct it, if that is known.
    #[must_use]
    pub fn suggest_maybe(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion.map(redacted).or(self.suggestion);
        self
    }
}

/// The text of a problem, with passwords in URLs masked.
pub(crate) fn redacted(text: String) -> String {
    match redact::text(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: {}", self.file, self.line, self.column, self.severity, self.message)
    }
}

/// All problems of a configuration; [`Problems::sort`] puts them in the order of its text.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Problems {
    pub(crate) problems: Vec<Problem>,
}

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds the problems of another list.
    pub fn append(&mut self, mut other: Self) {
        self.problems.append(&mut other.problems);
    }

    /// Whether the configuration must be refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The number of problems of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|p| p.severity == severity).count()
    }

    /// The problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// Puts them in the order of the text and removes duplicates.
    pub fn sort(&mut self) {
        self.problems.sort_by(|a, b| {
            let key = |p: &Problem| p.span.map_or((u32::MAX, 0), |span| (span.source, span.start));
            key(a).cmp(&key(b)).then(a.severity.cmp(&b.severity)).then_with(|| a.message.cmp(&b.message))
        });
        self.problems.dedup();
    }

    /// `{"problems": [...]}`, pretty-printed.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// `2 errors, 1 warning`
    #[must_use]
    pub fn summary(&self) -> String {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// "1 test", "2 tests".
pub(crate) fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// A text that is safe to print on a terminal: without control characters, which begin the sequences that move the cursor and
/// more, and without the characters that reorder the text around them.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect()
}

/// Whether a character is printed unchanged.
pub(crate) fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A value in double quotes, shortened if it is long, with passwords in URLs masked.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    let text = &*redact::value(text);
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let short: String = text.chars().take(LONGEST).collect();
    format!("{short:?}...")
}

/// Names in the form `` `a`, `b` ``, for messages that list them.
pub(crate) fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// The candidate nearest to a misspelt word, if one is near enough.
pub(crate) fn nearest<'n>(word: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let fold = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = fold(word);
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let distance = strsim::damerau_levenshtein(&word, &folded);
            let begins =
                word.len() >= 4 && (folded.starts_with(&word) || word.starts_with(&folded)) && folded.len() >= 4;
            (distance <= allowed || begins).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// ``did you mean `x`?`` for the nearest candidate.
pub(crate) fn did_you_mean<'n>(word: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}
