//! The JSON Schema of an audit event, as `schemas/audit.schema.json` has it.

use schemars::generate::SchemaSettings;

use crate::audit::chain::Recorded;

/// The JSON Schema of a line of the audit trail.
#[must_use]
pub fn schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Recorded>();
    // It contains only text and numbers, so serialising it can't fail.
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_what_the_types_say() {
        let committed = std::fs::read_to_string("schemas/audit.schema.json").unwrap_or_default();
        assert!(committed == schema(), "stale: run `countersign schema --audit > schemas/audit.schema.json`");
    }
}
