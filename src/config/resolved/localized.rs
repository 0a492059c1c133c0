//! Texts and addresses that a client has in several languages (OIDC Registration §2.1).

use std::collections::BTreeMap;

use crate::config::language::client::Client as Declared;

/// A value and its translations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Localized {
    default: Option<String>,
    /// By language tag, in lower case.
    translations: BTreeMap<String, String>,
}

impl Localized {
    /// The value of `key`, with those of `key#xx`.
    #[must_use]
    pub fn of(declared: &Declared, key: &str, default: Option<&String>) -> Self {
        let translations = declared.localized.iter().filter_map(|(name, text)| {
            let (base, tag) = name.split_once('#')?;
            (base == key).then(|| (tag.to_lowercase(), text.clone()))
        });
        Self { default: default.cloned(), translations: translations.collect() }
    }

    /// The value without a language tag.
    #[must_use]
    pub fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The value for a language tag in lower case.
    #[must_use]
    pub fn in_language(&self, tag: &str) -> Option<&str> {
        self.translations.get(tag).map(String::as_str)
    }
}
