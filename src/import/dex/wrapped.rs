//! Finds Dex's configuration inside other documents: the values of a Helm chart, a ConfigMap or Secret, the manifests of a
//! deployment, a HelmRelease, Argo CD's settings and applications.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::import::read::{text, yaml};

/// Sections that identify a configuration of Dex.
const SURE: &[&str] = &["issuer", "connectors", "staticClients"];
/// Keys that contain a configuration, as a map or as text.
const HOLDERS: &[&str] = &[
    "config",
    "dex.config",
    "config.yaml",
    "config.yml",
    "dex",
    "data",
    "stringData",
    "configs",
    "cm",
    "server",
    "spec",
    "source",
    "helm",
    "values",
    "valuesObject",
];
/// The maximum depth of the search.
const DEEPEST: usize = 6;

/// A configuration, and where it was found.
pub(crate) struct Found {
    /// The configuration.
    pub(crate) config: Value,
    /// The keys that lead to it; none if it is the document itself.
    pub(crate) path: Vec<String>,
    /// Other keys next to that path, whose values are not imported.
    pub(crate) beside: Vec<String>,
}

/// Finds the configuration in documents: the first that has one. Without any, it is the first document itself.
///
/// # Errors
/// A text that must be the configuration is not valid YAML, or several documents have one.
pub(crate) fn find(documents: &[Value]) -> Result<Found, String> {
    let listed = |document: &Value| match document.get("items").and_then(Value::as_array) {
        Some(items) if document.get("kind").is_some() => items.clone(),
        _ => vec![document.clone()],
    };
    let documents: Vec<Value> = documents.iter().flat_map(listed).collect();
    let mut found = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let mut beside = Vec::new();
        if let Some((config, path)) = within(document, 0, &mut beside)? {
            found.push((index, Found { config, path, beside }));
        }
    }
    if found.len() > 1 {
        return Err(format!("has {} configurations of Dex: import one at a time", found.len()));
    }
    let Some((at, mut found)) = found.pop() else {
        let config = documents.first().cloned().unwrap_or_default();
        return Ok(Found { config, path: Vec::new(), beside: Vec::new() });
    };
    let others = documents.iter().enumerate().filter(|(index, _)| *index != at);
    found.beside.extend(others.map(|(index, other)| match text(other, "kind") {
        Some(kind) => format!("document {}, a {kind}", index + 1),
        None => format!("document {}", index + 1),
    }));
    Ok(found)
}

/// The texts of a Kubernetes Secret are base64.
fn decoded(holder: &Value, held: &str) -> Option<String> {
    let secret = holder.get("kind").and_then(Value::as_str) == Some("Secret");
    let bytes = secret.then(|| STANDARD.decode(held.split_whitespace().collect::<String>()).ok())??;
    String::from_utf8(bytes).ok()
}

type Inside = Option<(Value, Vec<String>)>;

fn within(outer: &Value, depth: usize, beside: &mut Vec<String>) -> Result<Inside, String> {
    if SURE.iter().any(|key| outer.get(key).is_some()) {
        return Ok(Some((outer.clone(), Vec::new())));
    }
    let Some(entries) = outer.as_object().filter(|_| depth < DEEPEST) else { return Ok(None) };
    for holder in HOLDERS {
        let Some(held) = entries.get(*holder) else { continue };
        let inside = match held {
            Value::Object(entries) if *holder == "data" => {
                let plain = |(key, value): (&String, &Value)| {
                    let text = value.as_str().and_then(|held| decoded(outer, held));
                    (key.clone(), text.map_or_else(|| value.clone(), Value::from))
                };
                Value::Object(entries.iter().map(plain).collect())
            }
            Value::String(held) => yaml(held).map_err(|problem| format!("has a `{holder}` that {problem}"))?,
            other => other.clone(),
        };
        let mut further = Vec::new();
        if let Some((config, mut path)) = within(&inside, depth + 1, &mut further)? {
            path.insert(0, (*holder).to_owned());
            beside.extend(entries.keys().filter(|key| key != holder).cloned());
            beside.extend(further.iter().map(|key| format!("{holder}.{key}")));
            return Ok(Some((config, path)));
        }
    }
    Ok(None)
}
