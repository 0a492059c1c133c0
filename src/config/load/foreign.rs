//! Files of other products that are given as `broker.toml`.

use std::path::Path;

use crate::config::diagnostics::tree::{Damage, Span, SyntaxError};

/// Keys at the beginning of a line by which the YAML of Dex is recognised.
const DEX: &[&str] = &["staticClients", "connectors", "staticPasswords", "enablePasswordDB"];
/// Members by which the export of a Keycloak realm is recognised.
const KEYCLOAK: &[&str] = &["\"realm\"", "\"identityProviders\"", "\"clientScopes\""];

/// The one error of a text that is another language, instead of one for each of its lines.
pub(crate) fn recognise(text: &str, path: &Path, source: u32) -> Option<SyntaxError> {
    let shown = path.display();
    let yaml_key = |line: &str, key: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let dex = text.lines().find(|line| DEX.iter().any(|key| yaml_key(line, key)));
    let json = text.trim_start().starts_with('{');
    let (message, suggestion, at) = if let Some(line) = dex {
        let message = "this is the YAML configuration of Dex, not a broker.toml";
        (message, format!("`countersign import dex {shown}` writes a broker.toml from it"), text.find(line))
    } else if json && KEYCLOAK.iter().any(|member| text.contains(member)) {
        let message = "this is the export of a Keycloak realm, not a broker.toml";
        (message, format!("`countersign import keycloak {shown}` writes a broker.toml from it"), text.find('{'))
    } else if json {
        (
            "this is JSON, not TOML",
            "write `key = value` lines, and a `[section]` for an object".to_owned(),
            text.find('{'),
        )
    } else {
        let line = text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
        if !is_yaml(line) {
            return None;
        }
        let message = "this is YAML, not TOML";
        (message, "write `key = \"value\"` instead of `key: value`".to_owned(), text.find(line))
    };
    let start = at.unwrap_or(0);
    let end = start + text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, |line| line.trim_end().len());
    Some(SyntaxError {
        span: Span::new(source, start..end),
        message: message.to_owned(),
        damage: Damage::Rest,
        suggestion: Some(suggestion),
    })
}

/// Whether the first line of a text is `---`, `key:` or `key: value`.
fn is_yaml(line: &str) -> bool {
    let key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    line.trim_end() == "---"
        || line.split_once(':').is_some_and(|(name, rest)| key(name) && (rest.is_empty() || rest.starts_with(' ')))
}

/// What to do about a key of Dex or Keycloak in a file that is TOML.
pub(crate) fn of_key(key: &str) -> Option<&'static str> {
    match key {
        "staticClients" | "staticPasswords" | "connectors" | "enablePasswordDB" => {
            Some("`countersign import dex FILE` writes a broker.toml from the configuration of Dex")
        }
        "realm" | "identityProviders" | "identityProviderMappers" | "clientScopes" | "protocolMappers" => {
            Some("`countersign import keycloak FILE` writes a broker.toml from the export of a realm")
        }
        _ => None,
    }
}
