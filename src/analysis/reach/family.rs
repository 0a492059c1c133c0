//! Inverts role rules with `each`: finds the names of groups for which such a rule gives a role.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use regex::Regex;
use regex_syntax::ast::AssertionKind::{EndLine, EndText, StartLine, StartText};
use regex_syntax::ast::{Ast, GroupKind};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Capture, Hir, HirKind, Look, Repetition};

use crate::decision::policy::{Pattern, RoleRule};
use crate::decision::roles::{fill, made};

/// The names for which a rule gives a role.
pub(crate) enum Family {
    /// Exactly these names.
    Listed(Vec<String>),
    /// Those that match a regular expression as a whole.
    Matching(String),
}

/// The maximum number of names that are listed individually.
const LISTED: usize = 16;
/// The maximum length of a name that is listed, in bytes.
const LISTED_BYTES: usize = 1024;

/// Values by the name of their capture.
type Values<'v> = BTreeMap<&'v str, &'v str>;

/// The names for which `template`, one of the roles of `rule`, becomes `role`; `None` if there are none.
pub(crate) fn family(rule: &RoleRule, pattern: &Pattern, template: &str, role: &str) -> Option<Family> {
    let reader = reader(pattern.syntax(), template)?;
    let found = reader.captures(role)?;
    let mut values: Values<'_> =
        reader.capture_names().flatten().filter_map(|name| Some((name, found.name(name)?.as_str()))).collect();
    if fill(template, &values).as_deref() != Some(role) {
        if values.values().any(|value| value.is_empty()) {
            return None;
        }
        // A placeholder that occurs twice in the template was read as two values, and either may be the right one.
        values.clear();
    }
    let narrowed = narrow(pattern.syntax(), &values)?;
    let Some(names) = listed(&narrowed) else { return Some(Family::Matching(shown(pattern.text(), &values))) };
    // Empty groups are left out when groups are mapped.
    let gives = |name: &String| !name.is_empty() && made(rule, name).iter().any(|made| made == role);
    let names: Vec<String> = names.into_iter().filter(gives).collect();
    (!names.is_empty()).then_some(Family::Listed(names))
}

/// A regular expression for the roles that a template can become, with a capture for each placeholder. `None` if a
/// placeholder is not a capture of the pattern, because then the template never becomes a role.
fn reader(syntax: &Hir, template: &str) -> Option<Regex> {
    let mut parts = vec![Hir::look(Look::Start)];
    let mut seen = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        parts.push(Hir::literal(before.as_bytes()));
        let sub = without_anchors(&group(syntax, name)?.sub, false);
        if seen.contains(&name) {
            parts.push(sub);
        } else {
            seen.push(name);
            let index = u32::try_from(seen.len()).ok()?;
            parts.push(Hir::capture(Capture { index, name: Some(name.into()), sub: Box::new(sub) }));
        }
        rest = tail;
    }
    parts.push(Hir::literal(rest.as_bytes()));
    parts.push(Hir::look(Look::End));
    Regex::new(&Hir::concat(parts).to_string()).ok()
}

/// The capture with this name.
fn group<'h>(hir: &'h Hir, name: &str) -> Option<&'h Capture> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(name) => Some(capture),
        kind => kind.subs().iter().find_map(|sub| group(sub, name)),
    }
}

/// An expression for the names in which each capture in `values` has that value. It may also match a few others. `None` if
/// there are no such names.
fn narrow(hir: &Hir, values: &Values<'_>) -> Option<Hir> {
    if !has_value(hir, values) {
        return Some(hir.clone());
    }
    match hir.kind() {
        HirKind::Capture(capture) => match capture.name.as_deref().and_then(|name| values.get(name)) {
            Some(value) => can_be(&capture.sub, value, values).then(|| Hir::literal(value.as_bytes())),
            None => narrow(&capture.sub, values),
        },
        HirKind::Repetition(repetition) => {
            let one = narrow(&repetition.sub, values)?;
            if repetition.max == Some(1) {
                return Some(one);
            }
            // If a capture is repeated, the last value counts; any repetition may be the last that captures.
            let max = repetition.max.map(|max| max.saturating_sub(1));
            let others = Hir::repetition(Repetition { min: 0, max, ..repetition.clone() });
            Some(Hir::concat(vec![others.clone(), one, others]))
        }
        HirKind::Concat(subs) => Some(Hir::concat(subs.iter().map(|sub| narrow(sub, values)).collect::<Option<_>>()?)),
        HirKind::Alternation(branches) => {
            // A capture is in only one branch; in the others it has no value, and the role is not given.
            let mut capturing = branches.iter().filter(|branch| has_value(branch, values));
            match (capturing.next(), capturing.next()) {
                (Some(branch), None) => narrow(branch, values),
                _ => None,
            }
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => Some(hir.clone()),
    }
}

/// Whether a capture that has a value is in the expression.
fn has_value(hir: &Hir, values: &Values<'_>) -> bool {
    let named = |capture: &Capture| capture.name.as_deref().is_some_and(|name| values.contains_key(name));
    matches!(hir.kind(), HirKind::Capture(capture) if named(capture))
        || hir.kind().subs().iter().any(|sub| has_value(sub, values))
}

/// Whether a capture of this expression can be `value` while its inner captures have `values`.
fn can_be(sub: &Hir, value: &str, values: &Values<'_>) -> bool {
    let sub = without_anchors(sub, true);
    let whole = Hir::concat(vec![Hir::look(Look::Start), sub, Hir::look(Look::End)]);
    let Ok(regex) = Regex::new(&whole.to_string()) else { return false };
    let Some(found) = regex.captures(value) else { return false };
    regex.capture_names().flatten().all(|name| {
        let wanted = values.get(name);
        wanted.is_none() || wanted.copied() == found.name(name).map(|found| found.as_str())
    })
}

/// The expression without anchors and word boundaries, which depend on the surrounding text; with or without its groups.
fn without_anchors(hir: &Hir, groups: bool) -> Hir {
    let inner = |sub: &Hir| without_anchors(sub, groups);
    match hir.kind() {
        HirKind::Look(_) => Hir::empty(),
        HirKind::Capture(capture) if groups => {
            Hir::capture(Capture { sub: Box::new(inner(&capture.sub)), ..capture.clone() })
        }
        HirKind::Capture(capture) => inner(&capture.sub),
        HirKind::Repetition(repetition) => Hir::repetition(repetition.with(inner(&repetition.sub))),
        HirKind::Concat(subs) => Hir::concat(subs.iter().map(inner).collect()),
        HirKind::Alternation(subs) => Hir::alternation(subs.iter().map(inner).collect()),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
    }
}

/// Every name that an expression matches, if they are few.
fn listed(hir: &Hir) -> Option<BTreeSet<String>> {
    let mut extractor = Extractor::new();
    extractor.limit_class(LISTED).limit_repeat(LISTED).limit_total(LISTED).limit_literal_len(LISTED_BYTES);
    let names = extractor.extract(hir);
    if !names.is_exact() {
        return None;
    }
    names.literals()?.iter().map(|name| String::from_utf8(name.as_bytes().to_vec()).ok()).collect()
}

/// The pattern as written, with captures replaced by their values, and without anchors, since it always matches whole
/// names.
fn shown(text: &str, values: &Values<'_>) -> String {
    let mut replaced = Vec::new();
    if let Ok(ast) = regex_syntax::ast::parse::Parser::new().parse(text) {
        replacements(&ast, values, &mut replaced);
    }
    let (mut shown, mut rest) = (String::new(), 0);
    for (range, replacement) in replaced {
        shown.push_str(text.get(rest..range.start).unwrap_or_default());
        shown.push_str(&replacement);
        rest = range.end;
    }
    shown.push_str(text.get(rest..).unwrap_or_default());
    shown
}

/// The parts of a pattern's text that are replaced when it is shown, in order.
fn replacements(ast: &Ast, values: &Values<'_>, replaced: &mut Vec<(Range<usize>, String)>) {
    match ast {
        Ast::Group(group) => {
            let inside = group.ast.span().start.offset;
            if let GroupKind::CaptureName { name, .. } = &group.kind {
                let (start, end) = (group.span.start.offset, group.span.end.offset);
                if let Some(value) = values.get(name.name.as_str()) {
                    replaced.push((start..end, regex::escape(value)));
                    return;
                }
                replaced.push((start..inside, "(?:".to_owned()));
            }
            replacements(&group.ast, values, replaced);
        }
        Ast::Assertion(anchor) => {
            let whole = [StartLine, EndLine, StartText, EndText].contains(&anchor.kind);
            replaced.extend(whole.then(|| (anchor.span.start.offset..anchor.span.end.offset, String::new())));
        }
        Ast::Repetition(repetition) => replacements(&repetition.ast, values, replaced),
        Ast::Concat(concat) => concat.asts.iter().for_each(|ast| replacements(ast, values, replaced)),
        Ast::Alternation(branches) => branches.asts.iter().for_each(|ast| replacements(ast, values, replaced)),
        _ => {}
    }
}
