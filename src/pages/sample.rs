//! What a sample of a page is, and the values that samples share.

use minijinja::Value;
use minijinja::value::Serde;

use crate::pages::views::{Field, PostForm, View};

/// In every text of a sample.
pub(crate) const MARKUP: &str = "<sample&";

/// What is looked for, what it is, how a template gets it.
pub(crate) type Need = (&'static str, &'static str, &'static str);

pub(crate) const CSRF: Need = (
    "sample-csrf",
    "the hidden fields of its form",
    "in each form: {{ parts.hidden(form) }}, after {% import \"_parts.html\" as parts %}",
);
/// Values for a page.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Its template.
    pub(crate) template: &'static str,
    /// The names of its values.
    pub(crate) names: Vec<String>,
    /// The values.
    pub(crate) values: Value,
    /// What must be in the page.
    pub(crate) needs: &'static [Need],
}

pub(crate) fn sample<V: View>(view: &V, needs: &'static [Need]) -> Sample {
    let values = Value::from(Serde(view));
    let names = values.try_iter().map(|names| names.map(|name| name.to_string()).collect()).unwrap_or_default();
    Sample { template: V::TEMPLATE, names, values, needs }
}

pub(crate) fn text(text: &str) -> String {
    format!("{text} {MARKUP}\"'>")
}

pub(crate) fn form() -> PostForm {
    let fields = vec![Field::new("interaction", text("i"))];
    PostForm { action: "/interaction".to_owned(), csrf: "sample-csrf".to_owned(), fields }
}
