//! The texts of the pages: one catalogue a language, with named places such as `{client}`.
//!
//! The value of a place is untrusted text: it is escaped and isolated from the text around it, by `<bdi>` in HTML and by
//! U+2068 and U+2069 in plain text, so that a name in another direction can't reorder a sentence.

use std::collections::BTreeMap;

use crate::pages::html::escape;
use crate::pages::lang::Lang;

/// A catalogue does not fit.
#[derive(Debug, thiserror::Error)]
#[error("the texts in {lang} do not fit: {problem}")]
pub struct CatalogueError {
    lang: &'static str,
    problem: String,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
enum Segment {
    /// Literal text.
    Text(String),
    /// The place of a value, by its name.
    Place(String),
}

/// The texts of one language.
#[derive(Debug)]
pub(crate) struct Catalogue {
    lang: Lang,
    texts: BTreeMap<String, Vec<Segment>>,
}

impl Catalogue {
    /// The built-in texts of `lang`.
    pub(crate) fn load(lang: Lang) -> Result<Self, CatalogueError> {
        Self::parse(lang, source(lang))
    }

    fn parse(lang: Lang, json: &str) -> Result<Self, CatalogueError> {
        let problem = |problem: String| CatalogueError { lang: lang.tag(), problem };
        let raw: BTreeMap<String, String> = serde_json::from_str(json).map_err(|error| problem(error.to_string()))?;
        let mut texts = BTreeMap::new();
        for (key, text) in raw {
            let segments = segments(&text).ok_or_else(|| problem(format!("{key} has an unbalanced brace")))?;
            texts.insert(key, segments);
        }
        Ok(Self { lang, texts })
    }

    /// Checks that the keys, and the places in each text, are those of `reference`.
    pub(crate) fn same_shape_as(&self, reference: &Self) -> Result<(), CatalogueError> {
        let problem = |problem: String| CatalogueError { lang: self.lang.tag(), problem };
        if let Some(key) = self.texts.keys().find(|key| !reference.texts.contains_key(*key)) {
            return Err(problem(format!("{key} is not a text of the {} catalogue", reference.lang.tag())));
        }
        for (key, wanted) in &reference.texts {
            let text = self.texts.get(key).ok_or_else(|| problem(format!("{key} is missing")))?;
            if places(text) != places(wanted) {
                return Err(problem(format!("{key} must have the places {:?}", places(wanted))));
            }
        }
        Ok(())
    }

    /// Replaces a text. The new one may have the places that the text has in `built_in` and no others, since pages have values
    /// for these alone.
    ///
    /// # Errors
    /// What is wrong with the new text.
    pub(crate) fn replace(&mut self, built_in: &Self, key: &str, text: &str) -> Result<(), String> {
        let Some(replaced) = built_in.texts.get(key) else { return Err("there is no such text".to_owned()) };
        if text.trim().is_empty() {
            return Err("must not be empty: screen readers need a name for every control".to_owned());
        }
        let segments = segments(text).ok_or("has an unbalanced brace: places are written {client}")?;
        let known = places(replaced);
        if let Some(place) = places(&segments).into_iter().find(|place| !known.contains(place)) {
            let named = known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
            let has =
                if named.is_empty() { "there is none in this text".to_owned() } else { format!("it has {named}") };
            return Err(format!("has the place {{{place}}}, which the built-in text does not have: {has}"));
        }
        self.texts.insert(key.to_owned(), segments);
        Ok(())
    }

    /// Whether there is such a text.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.texts.contains_key(key)
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
        for segment in self.texts.get(key)? {
            match segment {
                Segment::Text(text) => put(&mut out, text),
                Segment::Place(name) => {
                    let (_, value) = values.iter().find(|(given, _)| given == name)?;
                    out.push_str(open);
                    put(&mut out, value);
                    out.push_str(close);
                }
            }
        }
        Some(out)
    }

    /// The keys of all texts.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }
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

/// Cuts a text at its `{places}`. `None` when a brace is unbalanced.
fn segments(text: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        segments.push(Segment::Text(before.to_owned()));
        segments.push(Segment::Place(name.to_owned()));
        rest = after;
    }
    segments.push(Segment::Text(rest.to_owned()));
    let stray = |segment: &Segment| matches!(segment, Segment::Text(text) if text.contains('}'));
    (!segments.iter().any(stray)).then_some(segments)
}

/// The names of a text's places, sorted.
fn places(text: &[Segment]) -> Vec<&str> {
    let mut names: Vec<&str> = text
        .iter()
        .filter_map(|segment| match segment {
            Segment::Text(_) => None,
            Segment::Place(name) => Some(name.as_str()),
        })
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::analysis::draft::Kind;
    use crate::pages::own::{Action, Did};
    use crate::pages::reasons::REASONS;
    use crate::protocol::built_in_scopes;

    #[test]
    fn every_catalogue_has_the_texts_and_places_of_the_english_one() {
        let english = Catalogue::load(Lang::En).unwrap();
        for &lang in Lang::ALL {
            Catalogue::load(lang).unwrap().same_shape_as(&english).unwrap();
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
                assert_ne!(catalogue.texts.get(key), english.texts.get(key), "{key} in {}", lang.tag());
            }
        }
    }

    #[test]
    fn a_catalogue_that_does_not_fit_says_where() {
        let reference = Catalogue::parse(Lang::En, r#"{"a": "to {client}", "b": "b"}"#).unwrap();
        for (json, said) in [
            (r#"{"a": "zu {klient}", "b": "b"}"#, r#"the texts in de do not fit: a must have the places ["client"]"#),
            (r#"{"a": "zu {client}"}"#, "the texts in de do not fit: b is missing"),
            (
                r#"{"a": "{client}", "b": "", "c": ""}"#,
                "the texts in de do not fit: c is not a text of the en catalogue",
            ),
        ] {
            let catalogue = Catalogue::parse(Lang::De, json).unwrap();
            assert_eq!(catalogue.same_shape_as(&reference).unwrap_err().to_string(), said);
        }
        for json in [r#"{"a": "to {client"}"#, r#"{"a": "to client}"}"#] {
            let said = Catalogue::parse(Lang::De, json).unwrap_err().to_string();
            assert_eq!(said, "the texts in de do not fit: a has an unbalanced brace");
        }
    }

    #[test]
    fn values_are_escaped_and_kept_apart() {
        let catalogue = Catalogue::parse(Lang::En, r#"{"a": "R&D asks {client} twice, {client}"}"#).unwrap();
        let values = [("client".to_owned(), "<b>{client}\u{202e}".to_owned())];
        assert_eq!(
            catalogue.html("a", &values).unwrap(),
            "R&amp;D asks <bdi>&lt;b&gt;{client}\u{202e}</bdi> twice, <bdi>&lt;b&gt;{client}\u{202e}</bdi>"
        );
        assert!(catalogue.plain("a", &values).unwrap().starts_with("R&D asks \u{2068}<b>"));
        assert_eq!(catalogue.html("a", &[]), None);
        assert_eq!(catalogue.html("b", &values), None);
    }
}
