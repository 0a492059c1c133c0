//! The language of `matches` in `[[role_rules]]`: regular expressions as crate `regex` reads them, against a whole item.
//!
//! A pattern is parsed once, by `regex-syntax`. What is wanted of it (that it matches a whole item, its named captures, the
//! text that every match begins with) is read off the parsed form, never off its text.

use regex::Regex;
use regex_syntax::hir::{Hir, Look};

/// A pattern that matches an item from its first to its last character.
#[derive(Clone, Debug)]
pub struct RolePattern {
    /// The pattern as parsed, without what makes it match whole items.
    pub syntax: Hir,
    /// The compiled pattern.
    pub regex: Regex,
}

impl RolePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why the text is not a regular expression, or that its compiled form would be too large.
    pub fn read(text: &str) -> Result<Self, String> {
        let syntax = regex_syntax::parse(text).map_err(|error| reason(&error.to_string()))?;
        let whole = Hir::concat(vec![Hir::look(Look::Start), syntax.clone(), Hir::look(Look::End)]);
        // The parsed form is printed and parsed again: brackets put around the text itself would be part of a comment
        // where `(?x)` is on.
        let regex = Regex::new(&whole.to_string()).map_err(|error| reason(&error.to_string()))?;
        Ok(Self { syntax, regex })
    }

    /// The names of its captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

/// The last line of an error, which says what is wrong; those before it show where.
fn reason(error: &str) -> String {
    error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}
