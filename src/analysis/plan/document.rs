//! A plan as JSON, in the form of `schemas/plan.schema.json`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::analysis::plan::Plan;

/// What `countersign plan --json` prints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Document<'a> {
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a Plan,
    /// Why nobody is known, where `people` is null.
    pub nobody_asked: Option<&'a str>,
    /// Names of the mapping tests that fail under the new configuration.
    pub failed_tests: Vec<&'a str>,
    /// Whether the change is refused: subjects change, or somebody loses their only way in, and that was not forced or accepted.
    pub refused: bool,
}

/// The JSON Schema of [`Document`].
#[must_use]
pub fn schema() -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Document<'_>>();
    // It contains only text and numbers, so serialising it can't fail.
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_what_the_types_say() {
        let committed = std::fs::read_to_string("schemas/plan.schema.json").unwrap_or_default();
        assert!(committed == schema(), "stale: run `countersign schema --plan > schemas/plan.schema.json`");
    }
}
