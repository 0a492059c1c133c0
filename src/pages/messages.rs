//! The texts of the pages: one catalogue for each language, with named placeholders such as `{client}`.
//!
//! The value of a placeholder is untrusted text: it is escaped and isolated from the text around it, by `<bdi>` in HTML and by
//! U+2068 and U+2069 in plain text, so that a name in another direction can't reorder a sentence.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use serde::Deserialize;

use crate::pages::html::escape;
use crate::pages::lang::Lang;

/// A built-in catalogue can't be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the texts in {lang} can't be read: {problem}")]
pub struct CatalogueError {
    lang: &'static str,
    problem: String,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Segment<'t> {
    /// Literal text.
    Text(&'t str),
    /// A placeholder, by its name.
    Placeholder(&'t str),
}

/// A text as it is written in a catalogue: borrowed from the binary, unless JSON escapes a character of it.
#[derive(Debug, Deserialize)]
struct Written<'t>(#[serde(borrow)] Cow<'t, str>);

/// The built-in texts of a language, by their keys. They borrow from the binary, because all languages stay in memory.
type Texts<'t> = HashMap<&'t str, Written<'t>, RandomState>;

/// The texts of one language: the built-in ones, and those of the file that replace them.
#[derive(Debug)]
pub(crate) struct Catalogue {
    lang: Lang,
    built_in: &'static Texts<'static>,
    own: BTreeMap<String, String>,
}

impl Catalogue {
    /// The built-in texts of `lang`, which are parsed once per process.
    pub(crate) fn load(lang: Lang) -> Result<Self, CatalogueError> {
        static PARSED: [OnceLock<Result<Texts<'static>, CatalogueError>>; Lang::ALL.len()] =
            [const { OnceLock::new() }; Lang::ALL.len()];
        let (_, parsed) = Lang::ALL
            .iter()
            .zip(&PARSED)
            .find(|(of, _)| **of == lang)
            .ok_or_else(|| CatalogueError { lang: lang.tag(), problem: "there are none".to_owned() })?;
        let built_in = parsed.get_or_init(|| parse(lang, source(lang))).as_ref().map_err(Clone::clone)?;
        Ok(Self { lang, built_in, own: BTreeMap::new() })
    }

    /// Replaces a text. The new one may have the placeholders of the built-in English text and no others, since pages have
    /// values for these alone.
    ///
    /// # Errors
    /// What is wrong with the new text.
    pub(crate) fn replace(&mut self, built_in: &Self, key: &str, text: &str) -> Result<(), String> {
        let Some(replaced) = built_in.text(key) else { return Err("there is no such text".to_owned()) };
        if text.trim().is_empty() {
            return Err("must not be empty: screen readers need a name for every control".to_owned());
        }
        let given = placeholders(text).ok_or("has an unbalanced brace: placeholders are written {client}")?;
        let known = placeholders(replaced).unwrap_or_default();
        if let Some(name) = given.into_iter().find(|name| !known.contains(name)) {
            let named = known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
            let has =
                if named.is_empty() { "there is none in this text".to_owned() } else { format!("it has {named}") };
            return Err(format!("has the placeholder {{{name}}}, which the built-in text does not have: {has}"));
        }
        self.own.insert(key.to_owned(), text.to_owned());
        Ok(())
    }

    /// The text as it is written, with its placeholders.
    fn text(&self, key: &str) -> Option<&str> {
        let own = if self.own.is_empty() { None } else { self.own.get(key).map(String::as_str) };
        own.or_else(|| self.built_in.get(key).map(|written| &*written.0))
    }

    /// Whether there is such a text.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.built_in.contains_key(key)
    }

    /// The language of the texts.
    pub(crate) const fn lang(&self) -> Lang {
        self.lang
    }

    /// The text as HTML, values escaped and in `<bdi>`. `None` for a text or a value that is not there.
    pub(crate) fn html(&self, key: &str, values: &[(String, String)]) -> Option<String> {
        self.fill(key, values, escape, ("<bdi>", "</bdi>"))
    }

    /// The text as plain text, to be escaped where it is put. `None` for a text or a value that is not there.
    pub(crate) fn plain(&self, key: &str, values: &[(String, String)]) -> Option<String> {
        self.fill(key, values, |out, text| out.push_str(text), ("\u{2068}", "\u{2069}"))
    }

    fn fill(
        &self,
        key: &str,
        values: &[(String, String)],
        put: impl Fn(&mut String, &str),
        (open, close): (&str, &str),
    ) -> Option<String> {
        let mut out = String::new();
        for segment in segments(self.text(key)?) {
            match segment? {
                Segment::Text(text) => put(&mut out, text),
                Segment::Placeholder(name) => {
                    let (_, value) = values.iter().find(|(given, _)| given == name)?;
                    out.push_str(open);
                    put(&mut out, value);
                    out.push_str(close);
                }
            }
        }
        Some(out)
    }

    /// The keys of all texts, sorted.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        let mut keys: Vec<&str> = self.built_in.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter()
    }
}

fn parse(lang: Lang, json: &str) -> Result<Texts<'_>, CatalogueError> {
    serde_json::from_str(json).map_err(|error| CatalogueError { lang: lang.tag(), problem: error.to_string() })
}

/// The catalogue's text, as built into the binary.
const fn source(lang: Lang) -> &'static str {
    match lang {
        Lang::En => include_str!("../../templates/messages/en.json"),
        Lang::De => include_str!("../../templates/messages/de.json"),
        Lang::Fr => include_str!("../../templates/messages/fr.json"),
        Lang::Es => include_str!("../../templates/messages/es.json"),
        Lang::Ja => include_str!("../../templates/messages/ja.json"),
        Lang::ZhHans => include_str!("../../templates/messages/zh-Hans.json"),
    }
}

/// Cuts a text at its `{placeholders}`. The last segment is `None` when a brace is unbalanced.
fn segments(text: &str) -> impl Iterator<Item = Option<Segment<'_>>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let Some(inside) = rest.strip_prefix('{') {
            let cut = inside.split_once('}');
            rest = cut.map_or("", |(_, after)| after);
            return Some(cut.map(|(name, _)| Segment::Placeholder(name)));
        }
        let (literal, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        rest = if literal.contains('}') { "" } else { after };
        (!literal.is_empty()).then(|| (!literal.contains('}')).then_some(Segment::Text(literal)))
    })
}

/// The names of a text's placeholders, sorted. `None` when a brace is unbalanced.
fn placeholders(text: &str) -> Option<Vec<&str>> {
    let segments: Vec<Segment<'_>> = segments(text).collect::<Option<_>>()?;
    let mut names: Vec<&str> = segments
        .into_iter()
        .filter_map(|segment| match segment {
            Segment::Text(_) => None,
            Segment::Placeholder(name) => Some(name),
        })
        .collect();
    names.sort_unstable();
    Some(names)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::analysis::draft::Kind;
    use crate::pages::own::{Action, Did};
    use crate::pages::reasons::REASONS;
    use crate::protocol::built_in_scopes;

    /// The first key at which a catalogue differs from the English one: it is not in both, or has other placeholders.
    fn misfit(catalogue: &Catalogue, english: &Catalogue) -> Option<String> {
        let keys: BTreeSet<&str> = catalogue.keys().collect();
        let odd = keys.symmetric_difference(&english.keys().collect()).next().copied();
        odd.or_else(|| {
            let differs = |key: &&str| {
                let placeholders =
                    |of: &Catalogue| of.text(key).and_then(placeholders).map(|names| format!("{names:?}"));
                placeholders(catalogue).is_none() || placeholders(catalogue) != placeholders(english)
            };
            english.keys().find(differs)
        })
        .map(str::to_owned)
    }

    #[test]
    fn every_catalogue_has_the_texts_and_placeholders_of_the_english_one() {
        let english = Catalogue::load(Lang::En).unwrap();
        for &lang in Lang::ALL {
            assert_eq!(misfit(&Catalogue::load(lang).unwrap(), &english), None, "{}", lang.tag());
        }
    }

    #[test]
    fn every_text_is_on_some_page() {
        let templates: String = crate::pages::TEMPLATES.iter().map(|(_, source)| *source).collect();
        let advice: Vec<String> = REASONS.iter().map(|(_, advice)| format!("advice.{}", advice.key())).collect();
        let scopes: Vec<String> = built_in_scopes().map(|scope| format!("scope.{scope}")).collect();
        let notices = Did::ALL.iter().map(|did| format!("notice.{}", did.key()));
        let actions = Action::ALL
            .iter()
            .flat_map(|action| ["title", "message", "button"].map(|part| format!("action.{}.{part}", action.key())));
        // A field has a text, and may have a help; the other texts of drafts are named by what the pages show.
        let drafts = ["create", "edit", "delete"].map(|action| format!("draft.{action}"));
        let composed = [
            "draft.id_hint",
            "draft.held",
            "draft.fault",
            "draft.input",
            "draft.group",
            "draft.result",
            "draft.outcome",
            "draft.asked",
            "draft.effect",
            "demo.fault",
            "status.key",
        ];
        let composed: Vec<String> = drafts.into_iter().chain(composed.map(str::to_owned)).collect();
        let keys = |part: &str| {
            let fields = Kind::ALL.into_iter().flat_map(Kind::fields);
            fields.map(|field| format!("draft.{part}.{}", field.key)).collect::<Vec<_>>()
        };
        // The names of what is no provider are chosen by the handlers of the account pages.
        let named = ["account.by_certificate", "account.by_break_glass"].map(str::to_owned);
        let own: Vec<String> = notices.chain(actions).chain(keys("field")).chain(keys("help")).chain(named).collect();
        let composed = |key: &str| {
            key.rsplit_once('.').is_some_and(|(group, _)| {
                composed.iter().any(|known| known == group)
                    && (templates.contains(&format!("\"{group}.\"")) || templates.contains("\"draft.\" ~ action"))
            })
        };
        let used = |key: &str| {
            // The texts of reason codes have a test of their own.
            key.starts_with("reason.")
                || composed(key)
                || templates.contains(&format!("\"{key}\""))
                || advice.iter().chain(&scopes).chain(&own).any(|used| used == key)
        };
        let english = Catalogue::load(Lang::En).unwrap();
        let unused: Vec<&str> = english.keys().filter(|key| !used(key)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    #[test]
    fn the_translations_are_translated() {
        let english = Catalogue::load(Lang::En).unwrap();
        // Words that are the same word: names, and cognates.
        let same = [
            "demo.userinfo",
            "demo.place",
            "common.continue",
            "error.app",
            "error.status",
            "error.trace",
            "brand.name",
            "account.apps",
            "account.roles",
        ];
        for &lang in Lang::ALL.iter().filter(|lang| **lang != Lang::En) {
            let catalogue = Catalogue::load(lang).unwrap();
            for key in english.keys().filter(|key| !same.contains(key)) {
                assert_ne!(catalogue.text(key), english.text(key), "{key} in {}", lang.tag());
            }
        }
    }

    /// A catalogue of other texts than the built-in ones.
    fn catalogue(json: &'static str) -> Catalogue {
        let built_in = Box::leak(Box::new(parse(Lang::En, json).unwrap()));
        Catalogue { lang: Lang::En, built_in, own: BTreeMap::new() }
    }

    #[test]
    fn a_catalogue_that_does_not_fit_is_found() {
        let english = catalogue(r#"{"a": "to {client}", "b": "b"}"#);
        for (json, key) in [
            (r#"{"a": "zu {klient}", "b": "b"}"#, "a"),
            (r#"{"a": "zu {client}"}"#, "b"),
            (r#"{"a": "{client}", "b": "", "c": ""}"#, "c"),
            (r#"{"a": "{client}", "b": "b}"}"#, "b"),
        ] {
            assert_eq!(misfit(&catalogue(json), &english).as_deref(), Some(key), "{json}");
        }
    }

    #[test]
    fn texts_are_cut_at_their_placeholders() {
        assert_eq!(placeholders("{a} and {b}{a}, then"), Some(vec!["a", "a", "b"]));
        assert_eq!(placeholders(""), Some(vec![]));
        for text in ["to {client", "to client}", "{a} b} c", "}{"] {
            assert_eq!(placeholders(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_escaped_and_kept_apart() {
        let catalogue = catalogue(r#"{"a": "R&D \"asks\" {client} twice, {client}"}"#);
        let values = [("client".to_owned(), "<b>{client}\u{202e}".to_owned())];
        assert_eq!(
            catalogue.html("a", &values).unwrap(),
            "R&amp;D &quot;asks&quot; <bdi>&lt;b&gt;{client}\u{202e}</bdi> twice, <bdi>&lt;b&gt;{client}\u{202e}</bdi>"
        );
        assert!(catalogue.plain("a", &values).unwrap().starts_with("R&D \"asks\" \u{2068}<b>"));
        assert_eq!(catalogue.html("a", &[]), None);
        assert_eq!(catalogue.html("b", &values), None);
    }
}
