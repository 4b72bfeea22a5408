//! From a reference in the config to the secret itself. A [`Secret`] cannot be printed, and no error repeats one.

use crate::rules::config::SecretRef;
use secrecy::{ExposeSecret, SecretString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A secret: `Debug` hides it, dropping wipes it.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Why a secret is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("environment variable {name} is not set")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error("secret file {} cannot be read: {cause}", .path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file can be read by others.
    #[error("secret file {} can be read by others (mode {mode:04o})", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The command failed.
    #[error("the command `{command}` {cause}")]
    Command {
        /// The command.
        command: String,
        /// What went wrong.
        cause: String,
    },
    /// There is something, but no secret.
    #[error("`{reference}` holds {what}")]
    Unfit {
        /// The reference.
        reference: String,
        /// What it holds instead.
        what: &'static str,
    },
}

impl SecretError {
    /// What to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::NoVariable { name } => format!("set it: export {name}=..."),
            Self::NoFile { path, .. } => format!("put the secret into {}, with mode 0600", path.display()),
            Self::Open { path, .. } => format!("run: chmod 600 {}", path.display()),
            Self::Command { .. } => "run it by hand; it must print the secret and end with 0".to_owned(),
            Self::Unfit { .. } => "let it hold the secret alone, on one line".to_owned(),
        }
    }
}

/// Gets a secret. May block: on a file, or up to 30 s on a command.
///
/// # Errors
/// It is not to be had.
pub fn resolve(reference: &SecretRef) -> Result<Secret, SecretError> {
    let text = match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(text) => text,
            Err(std::env::VarError::NotPresent) => return Err(SecretError::NoVariable { name: name.clone() }),
            Err(std::env::VarError::NotUnicode(_)) => return Err(unfit(reference, "bytes that are not UTF-8")),
        },
        SecretRef::File(path) => read_file(path, reference)?,
        SecretRef::Exec(command) => read_command(command, reference, LIMIT)?,
    };
    let text = text.trim();
    match text {
        "" => Err(unfit(reference, "nothing")),
        // It becomes a header, where a line break would begin another one.
        _ if text.chars().any(char::is_control) => Err(unfit(reference, "more than one line, or control characters")),
        _ => Ok(Secret(text.into())),
    }
}

fn unfit(reference: &SecretRef, what: &'static str) -> SecretError {
    SecretError::Unfit { reference: reference.to_string(), what }
}

fn read_file(path: &Path, reference: &SecretRef) -> Result<String, SecretError> {
    let no_file = |error: std::io::Error| SecretError::NoFile { path: path.to_owned(), cause: error.to_string() };
    // Permissions are asked of the open file: what was checked is what is read.
    let file = std::fs::File::open(path).map_err(no_file)?;
    let metadata = file.metadata().map_err(no_file)?;
    if !metadata.is_file() {
        return Err(unfit(reference, "no plain file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretError::Open { path: path.to_owned(), mode });
        }
    }
    text_of(file, reference, no_file)
}

fn read_command(command: &str, reference: &SecretRef, limit: Duration) -> Result<String, SecretError> {
    let failed = |cause: String| SecretError::Command { command: command.to_owned(), cause };
    let mut child = shell(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let (send, receive) = std::sync::mpsc::channel();
    if let Some(out) = child.stdout.take() {
        let reference = reference.clone();
        let lost = |error: std::io::Error| SecretError::Command {
            command: String::new(),
            cause: format!("broke off: {error}"),
        };
        std::thread::spawn(move || send.send(text_of(out, &reference, lost)));
    }
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < limit => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("did not end within {limit:?}")));
            }
            Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
        }
    };
    if !status.success() {
        return Err(failed(format!("failed ({status})")));
    }
    // A child of the command may hold the pipe open; the secret is not worth waiting for it.
    match receive.recv_timeout(limit.saturating_sub(began.elapsed())) {
        Ok(Err(SecretError::Command { cause, .. })) => Err(failed(cause)),
        Ok(result) => result,
        Err(_) => Err(failed("keeps its output open".to_owned())),
    }
}

fn text_of(
    from: impl Read,
    reference: &SecretRef,
    lost: impl Fn(std::io::Error) -> SecretError,
) -> Result<String, SecretError> {
    let mut bytes = Vec::new();
    from.take(LEN_MAX + 1).read_to_end(&mut bytes).map_err(lost)?;
    if bytes.len() as u64 > LEN_MAX {
        return Err(unfit(reference, "more than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| unfit(reference, "bytes that are not UTF-8"))
}

fn shell(command: &str) -> Command {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut shell = Command::new(shell);
    shell.arg(option).arg(command);
    shell
}

const LEN_MAX: u64 = 64 * 1024;
const LIMIT: Duration = Duration::from_secs(30);

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(folder: &Path, text: &str, mode: u32) -> SecretRef {
        let path = folder.join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        SecretRef::File(path)
    }

    #[test]
    fn a_secret_comes_from_its_place_and_does_not_print() {
        let folder = tempfile::tempdir().unwrap();
        for reference in [file(folder.path(), "tok-1\n", 0o600), SecretRef::Exec("echo tok-1".into())] {
            let secret = resolve(&reference).unwrap();
            assert_eq!(secret.expose(), "tok-1");
            assert!(!format!("{secret:?}").contains("tok-1"));
        }
    }

    #[test]
    fn each_failure_names_the_mend_and_not_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let open = file(folder.path(), "tok-1", 0o640);
        let missing = SecretRef::File(folder.path().join("none"));
        for (reference, cause, mend) in [
            (open, "mode 0640", "chmod 600"),
            (missing, "cannot be read", "mode 0600"),
            (SecretRef::File(folder.path().to_owned()), "no plain file", "on one line"),
            (SecretRef::Env("SYNCLINE_TEST_NOT_SET".into()), "is not set", "export SYNCLINE_TEST_NOT_SET"),
            (SecretRef::Exec("echo tok-1; exit 3".into()), "exit status: 3", "by hand"),
            (SecretRef::Exec("printf 'tok-1\\nX-Other: 1'".into()), "more than one line", "on one line"),
            (SecretRef::Exec("true".into()), "holds nothing", "on one line"),
        ] {
            let error = resolve(&reference).unwrap_err();
            assert!(error.to_string().contains(cause), "{error}");
            assert!(error.mend().contains(mend), "{}", error.mend());
            let shown = error.to_string().replace(&reference.to_string(), "");
            assert!(matches!(reference, SecretRef::Exec(_)) || !shown.contains("tok-1"), "{error}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let reference = SecretRef::Exec("sleep 20".into());
        let error = read_command("sleep 20", &reference, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
    }
}
