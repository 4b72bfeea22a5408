//! The files that `init` writes: nothing is overwritten unasked, and secrets are born closed.

use crate::cli::CliError;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a config; without `force` only where nothing is.
pub(super) fn write_config(path: &Path, text: &str, force: bool) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, &error))
}

/// Writes a secret, readable by its owner alone from its first byte on.
pub(super) fn write_secret(folder: &Path, name: &str, secret: &str) -> Result<PathBuf, CliError> {
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    // So that no commit takes them along by accident.
    let ignore = folder.join(".gitignore");
    fs::write(&ignore, "*\n").map_err(|error| failed(&ignore, &error))?;
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&path, &error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&path).map_err(|error| failed(&path, &error))?;
    writeln!(file, "{secret}").map_err(|error| failed(&path, &error))?;
    Ok(path)
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    let message = format!("{} cannot be written: {error}", path.display());
    CliError::usage("write", message, "name another place with --out")
}
