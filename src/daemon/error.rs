//! Why the daemon stopped.

use crate::connector::ConnectorError;
use crate::engine::ViewError;
use crate::store::StoreError;

/// Why the daemon stopped.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds something that the engine cannot use.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A remote, after it was tried again.
    #[error(transparent)]
    Remote(#[from] ConnectorError),
    /// All remotes disagree with our clock.
    #[error("this machine's clock is {seconds} s away from that of every system")]
    Clock {
        /// By how much, at least.
        seconds: i64,
    },
    /// There is no finished backfill.
    #[error("there is no finished backfill")]
    NoBackfill,
    /// The store was made with another mapping.
    #[error("the store was made with another mapping of fields")]
    Mapping,
    /// The change of the mapping cannot be taken in.
    #[error(transparent)]
    MappingChange(#[from] crate::rules::MappingChange),
    /// A cursor of ours cannot be read.
    #[error("the cursor `{name}` cannot be read")]
    Cursor {
        /// Its name.
        name: String,
    },
    /// A plan.
    #[error(transparent)]
    Plan(#[from] super::plan::PlanError),
    /// The driver has ended.
    #[error("the sync has ended")]
    Ended,
}
