//! The structure check: walks the merged values, compares them with the JSON Schema of the language, and reports all keys,
//! types and values that do not fit, at once.
//!
//! What does not fit is removed from the values, so that the rest can be typed and checked further; its path is remembered as
//! broken, so that nothing is reported twice. In the same walk, relative paths are resolved against the file that contains
//! them, and `"client_name#ja"` is moved to where the types expect it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Tag, Value};

use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problem, Problems, Severity, did_you_mean, list, nearest, quote};
use crate::config::diagnostics::tree::Span;
use crate::config::language::names::LOCALIZED;
use crate::config::language::redact::sounds_secret;
use crate::config::load::foreign;
use crate::config::load::hints::{
    choose, instead_of_flag, is_top_level, mixed, reordered, stand_in, type_hint, types_of,
};
use crate::config::load::shape::{Additional, PathKind, Shape};
use crate::protocol::STANDARD_CLAIMS;

/// The results of the walk.
pub(crate) struct Structure {
    /// Paths whose value did not fit, or is missing.
    pub(crate) broken: Broken,
    /// Files that settings name.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Whether the values can be turned into a [`crate::config::Config`].
    pub(crate) usable: bool,
}

/// Paths that have already been reported, so that consequences of the same mistake are not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(BTreeSet<String>);

impl Broken {
    fn add(&mut self, at: &At<'_>) {
        self.0.insert(at.to_string());
    }

    /// Whether the path itself, or something that contains it, was reported.
    pub(crate) fn covers(&self, at: &At<'_>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut here = at;
        loop {
            if self.0.contains(&here.to_string()) {
                return true;
            }
            here = match here {
                At::Root => return false,
                At::Key(parent, _) | At::Index(parent, _) => parent,
            };
        }
    }

    /// Whether anything at or below the path was reported.
    pub(crate) fn within(&self, at: &At<'_>) -> bool {
        let path = at.to_string();
        self.0.iter().any(|broken| {
            broken.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// Walks `values`. With `partial`, missing keys are not reported, because the file could not be read completely.
pub(crate) fn check(values: &mut Dict, layers: &Layers, problems: &mut Problems, partial: bool) -> Structure {
    let structure = Structure { broken: Broken::default(), files: BTreeSet::new(), usable: true };
    let mut walk = Walk { layers, problems, partial, hide: false, out: structure };
    let usable = walk.table(Shape::root(), values, &At::Root);
    walk.out.usable = usable;
    walk.out
}

struct Walk<'w> {
    layers: &'w Layers,
    problems: &'w mut Problems,
    partial: bool,
    /// Inside a secret: values are not shown.
    hide: bool,
    out: Structure,
}

impl Walk<'_> {
    fn report(&mut self, at: &At<'_>, span: Span, message: String) -> ProblemSlot<'_> {
        self.out.broken.add(at);
        let problem = self.layers.problem_at(Severity::Error, span, at.to_string(), message);
        ProblemSlot { problems: self.problems, problem: Some(problem) }
    }

    fn misfit(&mut self, at: &At<'_>, expected: &str, found: &str, suggestion: Option<String>) -> bool {
        let span = self.layers.nearest_span(at);
        let message = format!("`{}` must be {expected} but is {found}", at.name());
        self.report(at, span, message).with(|p| p.found(found).expected(expected).suggest_maybe(suggestion));
        false
    }

    /// Whether the value fits; parts of it may be changed.
    fn value(&mut self, shape: &Shape, value: &mut Value, at: &At<'_>) -> bool {
        let outer = self.hide;
        // A secret in place of a list or table of secrets.
        self.hide |= shape.secret || (shape.holds_secrets() && !shape.accepts(types_of(value)));
        let fits = self.visible_value(shape, value, at);
        self.hide = outer;
        fits
    }

    fn visible_value(&mut self, shape: &Shape, value: &mut Value, at: &At<'_>) -> bool {
        let types = types_of(value);
        if !shape.accepts(types) {
            let suggestion = type_hint(shape, value, at);
            return self.misfit(at, &shape.describe(), &self.found(value), suggestion);
        }
        if !shape.alternatives.is_empty() {
            return match choose(&shape.alternatives, types, value) {
                Some(alternative) => match mixed(shape, alternative, value) {
                    Some(keys) => self.misfit(at, &shape.describe(), &format!("a table with {keys}"), None),
                    None => self.value(alternative, value, at),
                },
                None => self.misfit(at, &shape.describe(), "a table of other keys", None),
            };
        }
        match value {
            Value::String(_, text) => self.string(shape, text, at),
            Value::Array(_, items) => self.array(shape, items, at),
            Value::Dict(_, dict) => self.table(shape, dict, at),
            Value::Num(_, number) => {
                let number = number.to_f64().or_else(|| number.to_i128().map(|n| n as f64)).unwrap_or(0.0);
                let low = shape.minimum.filter(|minimum| number < *minimum).map(|m| format!("at least {m}"));
                let high = shape.maximum.filter(|maximum| number > *maximum).map(|m| format!("at most {m}"));
                low.or(high).is_none_or(|bound| self.misfit(at, &bound, &number.to_string(), None))
            }
            _ => true,
        }
    }

    fn string(&mut self, shape: &Shape, text: &mut String, at: &At<'_>) -> bool {
        if !shape.values.is_empty() && !shape.values.contains(text) {
            let suggestion = reordered(text, &shape.values);
            let suggestion = suggestion.or_else(|| did_you_mean(text, shape.values.iter().map(String::as_str)));
            let suggestion = suggestion.or_else(|| text.parse().ok().and_then(|on| instead_of_flag(shape, on)));
            return self.misfit(at, &shape.describe(), &quote(text), suggestion);
        }
        let matches = shape.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
        if !matches || text.len() < shape.min_length {
            let found = if text.is_empty() { "empty".to_owned() } else { quote(text) };
            return self.misfit(at, &shape.describe(), &found, None);
        }
        match shape.path {
            Some(PathKind::File) => {
                let resolved = self.layers.folder(self.layers.nearest_span(at)).join(&*text);
                *text = resolved.to_string_lossy().into_owned();
                self.out.files.insert(resolved);
            }
            Some(PathKind::Sqlite) => *text = sqlite_below(text, self.layers.folder(self.layers.nearest_span(at))),
            None => {}
        }
        true
    }

    fn array(&mut self, shape: &Shape, items: &mut [Value], at: &At<'_>) -> bool {
        if items.len() < shape.min_items {
            return self.misfit(at, "a list of at least one value", "empty", None);
        }
        if items.len() > shape.max_items {
            let expected = format!("a list of at most {}", shape.max_items);
            return self.misfit(at, &expected, &format!("a list of {}", items.len()), None);
        }
        let Some(item_shape) = &shape.items else { return true };
        let mut usable = true;
        for (index, item) in items.iter_mut().enumerate() {
            if !self.value(item_shape, item, &at.index(index)) {
                // Removing the item would shift those after it, so a harmless value takes its place.
                match stand_in(item_shape) {
                    Some(value) => *item = value,
                    None => usable = false,
                }
            }
        }
        usable
    }

    fn table(&mut self, shape: &Shape, dict: &mut Dict, at: &At<'_>) -> bool {
        let mut usable = true;
        let mut meant = BTreeSet::new();
        let mut localized = Dict::new();
        dict.retain(|key, value| {
            let here = at.key(key);
            self.name(shape, key, &here);
            if let Some(known) = shape.properties.get(key) {
                return self.property(shape, known, value, &here, &mut usable);
            }
            if shape.localized.as_ref().is_some_and(|pattern| pattern.is_match(key)) {
                if self.value(&Shape::text(), value, &here) {
                    localized.insert(key.clone(), value.clone());
                }
                return false;
            }
            match &shape.additional {
                Additional::Any => true,
                Additional::Shaped(entry) => {
                    let outer = self.hide;
                    self.hide |= sounds_secret(key) && !entry.accepts(types_of(value));
                    let fits = self.value(entry, value, &here);
                    self.hide = outer;
                    fits
                }
                Additional::None => {
                    meant.extend(self.unknown(shape, key, &here));
                    false
                }
            }
        });
        for required in &shape.required {
            if !dict.contains_key(required) && !self.missing(shape, required, dict, at, &meant) {
                usable = false;
            }
        }
        if !localized.is_empty() {
            dict.insert("#localized".to_owned(), Value::Dict(Tag::Default, localized));
        }
        usable
    }

    /// Whether the setting is kept.
    fn property(&mut self, parent: &Shape, shape: &Shape, value: &mut Value, at: &At<'_>, usable: &mut bool) -> bool {
        if let (true, Value::Dict(_, claims)) = (shape.claims, &*value) {
            self.claim_slips(parent, claims, at);
        }
        if self.value(shape, value, at) {
            return true;
        }
        let At::Key(_, key) = at else { return false };
        if !parent.required.iter().any(|required| required == key) {
            return false;
        }
        match stand_in(shape) {
            Some(stand_in) => *value = stand_in,
            None => *usable = false,
        }
        *usable
    }

    fn name(&mut self, shape: &Shape, key: &str, at: &At<'_>) {
        let Some(names) = &shape.names else { return };
        let span = self.layers.key_span(at).unwrap_or_else(|| self.layers.nearest_span(at));
        if names.reserved.iter().any(|reserved| reserved == key) {
            let message = format!("{} is reserved: another id must be chosen", quote(key));
            self.report(at, span, message).with(|p| p.found(quote(key)).expected("an id that is not reserved"));
        } else if !names.pattern.is_match(key) {
            let message = format!("the key {} must be {}", quote(key), names.expected);
            self.report(at, span, message).with(|p| p.found(quote(key)).expected(&*names.expected));
        }
    }

    /// Reports an unknown key and returns the key that was probably intended.
    fn unknown(&mut self, shape: &Shape, key: &str, at: &At<'_>) -> Option<String> {
        let span = self.layers.key_span(at).unwrap_or_else(|| self.layers.nearest_span(at));
        let known = shape.properties.keys().map(String::as_str);
        let near = nearest(key, known.clone()).map(str::to_owned);
        let suggestion = if key == "disabled" && shape.properties.contains_key("enabled") {
            Some("write `enabled = false`".to_owned())
        } else if let Some(import) = foreign::of_key(key).filter(|_| near.is_none()) {
            Some(import.to_owned())
        } else if shape.localized.is_some() && key.contains('#') {
            Some(format!("only {} can carry a language tag", list(LOCALIZED.iter().copied())))
        } else if near.is_none() && is_top_level(key) {
            Some(format!("`{key}` is a top-level key: write it before the first `[table]`"))
        } else {
            near.as_ref().map(|near| format!("did you mean `{near}`?"))
        };
        let expected = if shape.properties.len() <= 12 {
            format!("one of {}", list(known))
        } else {
            "a key of this table".to_owned()
        };
        let message = format!("unknown key `{key}`");
        self.report(at, span, message).with(|p| p.found(quote(key)).expected(expected).suggest_maybe(suggestion));
        let At::Key(parent, _) = at else { return near };
        if let Some(near) = &near {
            self.out.broken.add(&parent.key(near));
        }
        near
    }

    /// Reports a missing key; returns whether a harmless value could take its place.
    fn missing(&mut self, shape: &Shape, key: &str, dict: &mut Dict, at: &At<'_>, meant: &BTreeSet<String>) -> bool {
        let here = at.key(key);
        let reported = meant.contains(key) || self.out.broken.covers(&here);
        let expected = shape.properties.get(key).map(Shape::describe).unwrap_or_default();
        if !reported && !self.partial {
            let span = self.layers.nearest_span(at);
            let place = if matches!(at, At::Root) { "the file".to_owned() } else { format!("`{at}`") };
            let message = format!("`{key}` must be set in {place}");
            self.report(&here, span, message).with(|p| p.found("nothing").expected(expected));
        }
        self.out.broken.add(&here);
        let stand_in = shape.properties.get(key).and_then(stand_in);
        stand_in.map(|value| dict.insert(key.to_owned(), value)).is_some()
    }

    /// A key of a claims table that has the name of a setting beside the table.
    fn claim_slips(&mut self, parent: &Shape, claims: &Dict, at: &At<'_>) {
        for key in claims.keys() {
            if parent.properties.contains_key(key) && !STANDARD_CLAIMS.contains(&key.as_str()) {
                let here = at.key(key);
                let span = self.layers.key_span(&here).unwrap_or_else(|| self.layers.nearest_span(&here));
                let At::Key(owner, _) = at else { continue };
                let message = format!("`{key}` is a setting of `{owner}`, not a claim");
                let way_out = format!("move `{key}` above `[{at}]`, or name the claim differently");
                self.report(&here, span, message).with(|p| p.suggest(way_out));
            }
        }
    }

    fn found(&self, value: &Value) -> String {
        match value {
            Value::String(..) if self.hide => "a string".to_owned(),
            Value::String(_, text) => format!("the string {}", quote(text)),
            Value::Bool(_, value) => format!("the boolean {value}"),
            Value::Num(_, _) if self.hide => "a number".to_owned(),
            Value::Num(_, number) => match number.to_i128() {
                Some(number) => format!("the integer {number}"),
                None => format!("the number {}", number.to_f64().unwrap_or_default()),
            },
            Value::Array(..) => "an array".to_owned(),
            Value::Dict(..) => "a table".to_owned(),
            _ => "nothing".to_owned(),
        }
    }
}

/// A reported problem that can still be completed.
struct ProblemSlot<'p> {
    problems: &'p mut Problems,
    problem: Option<Problem>,
}

impl ProblemSlot<'_> {
    fn with(mut self, complete: impl FnOnce(Problem) -> Problem) {
        if let Some(problem) = self.problem.take() {
            self.problems.push(complete(problem));
        }
    }
}

/// `sqlite:PATH` with the path resolved against a folder. A store in memory is not changed.
pub(crate) fn sqlite_below(url: &str, folder: &Path) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() && path != ":memory:" => format!("sqlite:{}", folder.join(path).display()),
        _ => url.to_owned(),
    }
}
