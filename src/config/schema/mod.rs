//! The JSON Schema of the language, generated from the types. Editors read it, `countersign schema` prints it, and the
//! structure check walks it.
//!
//! Extensions, all of which begin with `x-`: `x-expected` (how a value is described to people), `x-path` (a relative path is
//! resolved against the file that contains it; `"sqlite"`: after `sqlite:`), `x-secret`, `x-connection-url` (a URL that may
//! contain a password), `x-expression`, `x-claims` (a table of claims, where a key with the name of a setting beside the table
//! is a mistake).

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::Config;

/// The schema as generated from the types: an optional value may also be null.
pub(crate) fn with_nulls() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>().to_value()
}

/// The JSON Schema (draft 2020-12), without null, which TOML does not have.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = with_nulls();
    strip_nulls(&mut schema);
    schema
}

/// The committed form of the JSON Schema: pretty-printed, with a newline at the end.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&json_schema()).unwrap_or_default();
    text.push('\n');
    text
}

fn strip_nulls(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        Value::Object(object) => {
            if object.get("default").is_some_and(Value::is_null) {
                object.shift_remove("default");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            let is_null = |alternative: &Value| alternative.get("type").is_some_and(|name| name == "null");
            if let Some(Value::Array(alternatives)) = object.get_mut("anyOf") {
                alternatives.retain(|alternative| !is_null(alternative));
                if let [Value::Object(only)] = alternatives.as_slice() {
                    let only = only.clone();
                    object.shift_remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            object.values_mut().for_each(strip_nulls);
        }
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_what_the_types_say() {
        let committed = std::fs::read_to_string("schemas/broker.schema.json").unwrap_or_default();
        assert!(committed == text(), "stale: run `countersign schema > schemas/broker.schema.json`");
    }

    #[test]
    fn it_has_no_null_and_knows_defaults() {
        let schema = json_schema();
        let text = schema.to_string();
        assert!(!text.contains("null"), "{text}");
        let tokens = schema.pointer("/$defs/Tokens/properties/authorization_code").unwrap();
        assert_eq!(tokens.get("default").unwrap(), "1m");
        let pkce = schema.pointer("/$defs/Client/properties/pkce/default").unwrap();
        assert_eq!(pkce, "auto");
    }
}
