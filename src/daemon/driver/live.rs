//! The live run: poll, merge, write, until it is told to stop.

use super::{Driver, Mode};
use crate::daemon::DaemonError;
use crate::engine::Pass;
use std::time::Duration;

impl Driver {
    /// Keeps everything equal until it is told to stop through a [`Handle`](super::Handle); with `once` until everything
    /// that was there is read and nothing is left to do.
    ///
    /// # Errors
    /// There is no finished backfill, the store cannot be used, or, with `once`, a remote fails for good.
    pub async fn live(&mut self, interval: Duration, once: bool) -> Result<(), DaemonError> {
        if !self.is_backfilled()? {
            return Err(DaemonError::NoBackfill);
        }
        self.mode = Mode { pass: Pass::Changes, working: true, in_order: false, polling: Some(interval) };
        if once {
            self.until_quiet().await?;
        } else {
            while !self.stopping {
                self.turn().await?;
            }
        }
        self.drain().await
    }
}
