//! The generations of the configuration, and what each process runs.

use crate::op::RequestContext;
use crate::snapshot::history::Summary;
use crate::store::{Replica, Result, StoredGeneration};

/// How many generations are shown.
const SHOWN: u32 = 20;

/// The history of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Configurations {
    /// The processes that were seen lately.
    pub replicas: Vec<Replica>,
    /// The generations, newest first, with what is remembered of them.
    pub generations: Vec<(StoredGeneration, Summary)>,
}

/// Reads it. A generation that another version of the broker remembered in another form is left out.
///
/// # Errors
/// When the store is not available.
pub async fn read(context: &RequestContext<'_>) -> Result<Configurations> {
    let rows = context.store().generations(SHOWN).await?;
    let generations = rows.into_iter().filter_map(|row| Summary::read(&row).map(|summary| (row, summary))).collect();
    Ok(Configurations { replicas: context.store().replicas().await?, generations })
}
