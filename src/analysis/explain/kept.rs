//! A decision as it was stored when it was made.

use serde::{Deserialize, Deserializer};

use crate::analysis::explain::condition::Condition;
use crate::decision::trace::{Source, Stage, Step};

/// A decision that was stored when it was made.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Kept {
    /// Its steps.
    #[serde(deserialize_with = "steps")]
    pub steps: Vec<Step>,
    /// The reason code, if it was a refusal, or a failure of the provider.
    pub refused: Option<String>,
    /// Id of the provider.
    #[serde(default)]
    pub provider: String,
    /// The configuration generation that decided.
    #[serde(default)]
    pub generation: u64,
    /// The condition that refused, with the values that it read.
    #[serde(default)]
    pub refused_by: Option<Condition>,
    /// What would have to change, if exactly one condition stood in the way.
    #[serde(default)]
    pub change: Option<String>,
    /// How the provider failed.
    #[serde(default)]
    pub failure: Option<String>,
}

/// A step, in the form in which [`Step`] is serialized.
#[derive(Debug, Deserialize)]
struct KeptStep {
    stage: Stage,
    text: String,
    path: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

impl From<KeptStep> for Step {
    fn from(kept: KeptStep) -> Self {
        let source = kept.path.map(|path| Source {
            path: path.into(),
            file: kept.file.unwrap_or_default().into(),
            line: kept.line.unwrap_or_default(),
        });
        Self { stage: kept.stage, text: kept.text.into(), source, gives: None }
    }
}

fn steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Step>, D::Error> {
    Ok(Vec::<KeptStep>::deserialize(deserializer)?.into_iter().map(Step::from).collect())
}

impl Kept {
    /// Reads the data of a stored trace.
    ///
    /// # Errors
    /// When it is not such data.
    pub fn read(data: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(data)
    }
}
