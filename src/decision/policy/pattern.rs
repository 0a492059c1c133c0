//! The pattern of a role rule with `each`: a fast test of the first bytes, then the regular expression.

use std::collections::BTreeMap;

use regex::Regex;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::Extractor;

use crate::config::language::role_pattern::RolePattern;

/// The pattern of a role rule with `each`, which must match whole items.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    syntax: Hir,
    regex: Regex,
    /// The bytes that every matching item begins with. They reject most items of most users without running the expression.
    prefix: Box<[u8]>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// The reason why the text is not a valid pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        let RolePattern { syntax, regex } = RolePattern::read(text).map_err(|problem| problem.reason)?;
        let prefix = Extractor::new().extract(&syntax).longest_common_prefix().unwrap_or_default().into();
        Ok(Self { text: text.to_owned(), syntax, regex, prefix })
    }

    /// The pattern as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parsed pattern, without the anchors that make it match whole items.
    #[must_use]
    pub fn syntax(&self) -> &Hir {
        &self.syntax
    }

    /// Whether an item begins with the bytes that every match begins with. Comparing the first and last byte rejects most items
    /// without a call.
    #[inline]
    #[must_use]
    pub fn may_match(&self, item: &str) -> bool {
        let (item, prefix) = (item.as_bytes(), &*self.prefix);
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn captures(pattern: &str, item: &str) -> Option<Vec<(String, String)>> {
        let pattern = Pattern::new(pattern).unwrap();
        let found = pattern.captures(item)?;
        Some(found.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn every_alternative_is_tried_whatever_stands_in_brackets() {
        for pattern in
            [r"x[a(]|y", r"x[a)]|y", r"[(]x|y", r"x\(|y", r"x[\]|(]|y", "(?x) x [(]  # ( a comment\n | y", "x(a|[(])|y"]
        {
            assert!(captures(pattern, "y").is_some(), "{pattern}");
        }
        assert!(captures(r"x[a(]|y", "x(").is_some());
        assert!(captures(r"x[a(]|y", "xy").is_none());
    }

    #[test]
    fn an_item_matches_as_a_whole() {
        for (pattern, matching, others) in [
            ("team", &["team"][..], &["teams", "a team", "team\n"][..]),
            ("^team|app$", &["team", "app"], &["teams", "my app"]),
            ("(?:^a$|b)c?", &["a", "b", "bc"], &["ac", "ab"]),
            ("a|ab", &["a", "ab"], &["abb"]),
            ("a??", &["a"], &["aa"]),
            ("(?m)^team$", &["team"], &["team\nx", "x\nteam"]),
            ("(?i)team", &["TEAM", "Team"], &["teams"]),
            ("te(?i:A)m", &["teAm", "team"], &["TEAM"]),
            ("(?x) te am # all of it", &["team"], &["te am"]),
            ("(?s)a.b", &["a\nb"], &["a\nbc"]),
            ("a||b", &["a", "b"], &["ab"]),
            (r"\Aa\z", &["a"], &["aa"]),
            (r"a\|b", &["a|b"], &["a", "b"]),
            (r"\bsre\b-\bx", &["sre-x"], &["sre-xy"]),
            (r"[a&&b]", &[], &["a", "b", ""]),
            ("é.", &["éa"], &["é", "e"]),
            (r"(?-u:\w)+", &["ab"], &["é"]),
        ] {
            for item in matching {
                assert!(captures(pattern, item).is_some(), "{pattern} {item:?}");
            }
            for item in others {
                assert!(captures(pattern, item).is_none(), "{pattern} {item:?}");
            }
        }
    }

    #[test]
    fn captures_have_their_names_and_values() {
        let named = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
        };
        for (pattern, item, expected) in [
            ("^app-(?<a>[a-z]+)$", "app-x", &[("a", "x")][..]),
            ("^app-(?P<a>[a-z]+)$", "app-x", &[("a", "x")]),
            ("app-(?<a>x(?<b>y*)(z|w))", "app-xyyz", &[("a", "xyyz"), ("b", "yy")]),
            ("(?<a>x)|(?<b>y)", "y", &[("b", "y")]),
            ("((?<a>x|y)-)+", "x-y-", &[("a", "y")]),
            ("(?x) app - (?<a> [a-z]+ ) # the app", "app-x", &[("a", "x")]),
            ("(?<a>[)(|]+)", "(|)", &[("a", "(|)")]),
            ("(?<a>a|ab)(?<b>c|bcd)?", "abcd", &[("a", "a"), ("b", "bcd")]),
        ] {
            assert_eq!(captures(pattern, item), named(expected), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for (pattern, expected) in [
            ("(", "unclosed group"),
            (r"\Qa.b\E", "unrecognized escape sequence"),
            ("(?<a>x)(?<a>y)", "duplicate capture group name"),
            (r"(?<a>x)\1", "backreferences are not supported"),
            ("(?=x)x", "look-around, including look-ahead and look-behind, is not supported"),
            (r"(\w{1000}){1000}", "Compiled regex exceeds size limit of 10485760 bytes."),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap_err(), expected, "{pattern}");
        }
        // Whatever `check` accepts is compiled, even if it needs much memory.
        assert!(captures(r"team-(?<name>\w{1,200})", "team-sre").is_some());
    }

    #[test]
    fn the_quick_look_never_changes_what_a_pattern_matches() {
        let patterns = [
            "^app-(?<a>[a-z]+)$",
            "app-?(?<a>[a-z]*)",
            "team|app-x",
            "^team|app-x$",
            "(team|app)-(?<a>x)",
            "app-(?<a>x|y)",
            "ab*c",
            "ab{0}c",
            "ab+c",
            "(?i)APP-X",
            "a\\.b",
            "[(]x|y",
            "x[a(]|y",
            "(?x) app-x",
            "",
            "é(?<a>.)",
            "^^app-x",
            "app-x$",
            "a/b:c@d_e-(?<a>.*)",
            "x\\|y|z",
            "app-(x|)",
            "(|app-)x",
            "(?:app-){2}x?",
            "[aA]pp-x",
            "(?i:a)pp-x",
            "é|è",
            "(?<a>^app)-x",
            "app\\b-x",
        ];
        let items = [
            "app-x",
            "app-y",
            "app",
            "app-",
            "team",
            "team-x",
            "ac",
            "abc",
            "abbc",
            "c",
            "APP-X",
            "App-x",
            "a.b",
            "axb",
            "(x",
            "x(",
            "y",
            "",
            "éa",
            "é",
            "è",
            "a/b:c@d_e-f",
            "x|y",
            "z",
            "xapp-x",
            "app-xx",
            "x",
            "app-app-x",
        ];
        for pattern in patterns {
            let (quick, whole) = (Pattern::new(pattern).unwrap(), RolePattern::read(pattern).unwrap().regex);
            for item in items {
                assert_eq!(quick.captures(item).is_some(), whole.is_match(item), "{pattern} {item}");
            }
        }
    }

    #[test]
    fn families_of_groups_are_told_apart_by_their_first_letters() {
        for (pattern, prefix) in [
            ("^team7-(?<team>[a-z]+)-admins$", "team7-"),
            ("app-(?<a>x|y)", "app-"),
            ("app-x?", "app-"),
            ("x[a(]|y", ""),
            ("(?x) app - .*", "app-"),
        ] {
            assert_eq!(&*Pattern::new(pattern).unwrap().prefix, prefix.as_bytes(), "{pattern}");
        }
    }
}
