//! Finds Dex's configuration inside another document: the values of a Helm chart, a ConfigMap, Argo CD's settings.

use serde_json::Value;

use crate::import::read::yaml;

/// Sections that identify a configuration of Dex.
const SURE: &[&str] = &["issuer", "connectors", "staticClients"];
/// Keys that contain a configuration, as a map or as text.
const HOLDERS: &[&str] =
    &["config", "dex.config", "config.yaml", "config.yml", "dex", "data", "stringData", "configs", "cm", "server"];
/// The maximum depth of the search.
const DEEPEST: usize = 4;

/// A configuration, and where it was found.
pub(crate) struct Found {
    /// The configuration.
    pub(crate) config: Value,
    /// The keys that lead to it; none if it is the document itself.
    pub(crate) path: Vec<String>,
    /// Other keys next to that path, whose values are not imported.
    pub(crate) beside: Vec<String>,
}

/// Finds the configuration in a document.
///
/// # Errors
/// A text that must be the configuration is not valid YAML.
pub(crate) fn find(document: &Value) -> Result<Found, String> {
    let mut beside = Vec::new();
    match within(document, 0, &mut beside)? {
        Some((config, path)) if !path.is_empty() => Ok(Found { config, path, beside }),
        _ => Ok(Found { config: document.clone(), path: Vec::new(), beside: Vec::new() }),
    }
}

type Inside = Option<(Value, Vec<String>)>;

fn within(value: &Value, depth: usize, beside: &mut Vec<String>) -> Result<Inside, String> {
    if SURE.iter().any(|key| value.get(key).is_some()) {
        return Ok(Some((value.clone(), Vec::new())));
    }
    let Some(entries) = value.as_object().filter(|_| depth < DEEPEST) else { return Ok(None) };
    for holder in HOLDERS {
        let Some(held) = entries.get(*holder) else { continue };
        let inside = match held {
            Value::String(text) => yaml(text).map_err(|problem| format!("has a `{holder}` that {problem}"))?,
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
