//! Plans: an exact dry run of the whole job, and the means to carry out exactly that.
//!
//! A [`Rehearsal`] lets the real driver run a backfill over a scratch mirror (`scratch`) and over connectors that read but do
//! not write (`dry`): what they would have written stands in an overlay (`overlay`), over which everything is read, and what
//! their schemas refuse is refused (`foresee`). What leaves is counted and written down (`collect`, `file`). [`Gates`] stand in
//! front of the real connectors when a plan is carried out, and let through what is in it. [`from_mirror`] asks the mirror
//! alone.

mod collect;
mod dry;
mod file;
mod foresee;
mod gate;
mod mirror;
mod overlay;
mod refer;
mod report;
mod scratch;

pub use collect::{Conflict, EntityPlan, LinkSample, Sample};
pub use file::{PlanError, PlanFile};
pub use foresee::Schemas;
pub use gate::{Applied, Gates, HeldBack, Selection};
pub use mirror::from_mirror;
pub use report::{PlanReport, SystemPlan};
pub use scratch::{copy as scratch_copy, new as scratch_new};

use super::connect::Connectors;
use super::driver::{Driver, Handle, OnProgress};
use super::{BackfillReport, DaemonError};
use crate::connector::Connector;
use crate::rules::Rules;
use crate::store::Store;
use collect::Collector;
use dry::Dry;
use overlay::Overlay;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A dry run that is about to begin.
pub struct Rehearsal {
    driver: Driver,
    overlay: Arc<Overlay>,
    collector: Arc<Collector>,
    connectors: Connectors,
    rules: Rules,
    began: Instant,
}

impl Rehearsal {
    /// Over a scratch mirror (a copy of the real one, or a new one). The schemas tell what will be refused. What is written
    /// down goes to `out`; the overlay into a nameless file beside `store`.
    ///
    /// # Errors
    /// The mirror was made with another mapping, or a file cannot be made.
    pub fn new(
        rules: &Rules,
        connectors: &Connectors,
        schemas: Schemas,
        mirror: Store,
        store: &Path,
        out: Option<&Path>,
    ) -> Result<Self, DaemonError> {
        let overlay = Arc::new(Overlay::new(scratch::new(store)?));
        let schemas = Arc::new(schemas);
        let dry = connectors.iter().map(|(id, real)| {
            let dry: Arc<dyn Connector> =
                Arc::new(Dry::new(rules, (*id, real.clone()), schemas.clone(), overlay.clone()));
            (*id, dry)
        });
        let connectors: Connectors = dry.collect();
        let collector = Arc::new(Collector::new(rules, schemas.clone(), out)?);
        let mut driver = Driver::new(rules.clone(), &connectors, mirror)?;
        driver.on_write(collector.clone());
        Ok(Self { driver, overlay, collector, connectors, rules: rules.clone(), began: Instant::now() })
    }

    /// Tells `progress` what happens.
    pub fn on_progress(&mut self, progress: OnProgress) {
        self.driver.on_progress(progress);
    }

    /// To stop it.
    pub fn handle(&self) -> Handle {
        self.driver.handle()
    }

    /// Runs it to its end. None = it was told to stop.
    ///
    /// # Errors
    /// As a backfill; or the plan cannot be written down.
    pub async fn run(mut self) -> Result<Option<PlanReport>, DaemonError> {
        let backfill: BackfillReport = self.driver.backfill().await?;
        self.overlay.check()?;
        if backfill.stopped {
            return Ok(None);
        }
        let report = PlanReport::new(&self.rules, &self.connectors, &backfill, &self.collector, self.began.elapsed());
        self.collector.finish()?;
        Ok(Some(report))
    }
}
