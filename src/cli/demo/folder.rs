//! A folder for the demo's config and store, gone when it ends.

use crate::cli::CliError;
use std::path::{Path, PathBuf};

/// A folder that is removed when it is dropped, unless it is kept.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    pub fn new(keep: bool) -> Result<Self, CliError> {
        let base = std::env::temp_dir();
        let pid = std::process::id();
        for number in 0..100 {
            let path = base.join(format!("syncline-demo-{pid}-{number}"));
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => return Ok(Self { path, keep }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let message = format!("{} cannot be made: {error}", path.display());
                    return Err(CliError::world("folder", message, "set TMPDIR to a folder that you may write to"));
                }
            }
        }
        Err(CliError::world("folder", format!("{} is full of demos", base.display()), "remove its syncline-demo-*"))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
