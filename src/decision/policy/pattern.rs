//! Patterns of role rules with `each`: regular expressions against whole items.

use std::collections::BTreeMap;

use regex::Regex;

/// The pattern of a role rule with `each`, against whole items.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As written, without what makes it match whole items.
    pub text: String,
    regex: Regex,
    /// What every item that matches begins with: most items of most users fall at this.
    prefix: String,
}

impl Pattern {
    /// # Errors
    /// When the text is no regular expression.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        Ok(Self { text: text.to_owned(), regex: whole_value(text)?, prefix: literal_prefix(text) })
    }

    /// Whether an item begins as every match does. The first and last byte of that tell most others apart without a call.
    #[inline]
    #[must_use]
    pub fn may_match(&self, item: &str) -> bool {
        let (item, prefix) = (item.as_bytes(), self.prefix.as_bytes());
        let (Some(first), Some(last)) = (prefix.first(), prefix.last()) else { return true };
        item.first() == Some(first) && item.get(prefix.len() - 1) == Some(last) && item.starts_with(prefix)
    }

    /// The named captures of an item that matches from its first to its last character.
    #[must_use]
    pub fn captures<'i>(&'i self, item: &'i str) -> Option<BTreeMap<&'i str, &'i str>> {
        if !self.may_match(item) || !self.regex.is_match(item) {
            return None;
        }
        let found = self.regex.captures(item)?;
        let names = self.regex.capture_names().flatten();
        Some(names.filter_map(|name| Some((name, found.name(name)?.as_str()))).collect())
    }
}

/// The literal text that a pattern begins with, as far as that is plain to see; empty where it is not.
fn literal_prefix(pattern: &str) -> String {
    let text = pattern.strip_prefix('^').unwrap_or(pattern);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | '@');
    let end = text.find(|c| !plain(c)).unwrap_or(text.len());
    let (literal, rest) = text.split_at(end);
    // An alternation anywhere may offer another beginning; a quantifier is about the character before it.
    if pattern.contains('|') && !alternates_only_in_groups(pattern) {
        return String::new();
    }
    let mut literal = literal.to_owned();
    if rest.starts_with(['?', '*', '{', '+']) {
        literal.pop();
    }
    literal
}

fn alternates_only_in_groups(pattern: &str) -> bool {
    let (mut depth, mut escaped) = (0_usize, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // A bracket in a class can't be told from a group here: then nothing is assumed.
            '[' if pattern.contains("[(") || pattern.contains("[)") => return false,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return false,
            _ => {}
        }
    }
    true
}

/// A pattern that must match a value from its first to its last character.
///
/// # Errors
/// When the pattern is no regular expression.
pub fn whole_value(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(pattern)?;
    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(1 << 20).build()
}
