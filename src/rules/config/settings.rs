//! The part of a config that only the daemon needs: addresses, secrets by reference, the store, the rhythm.

use crate::model::{Ability, BatchLimits, Creates, IdForm, SourceKind, SystemId};
use crate::rules::Mode;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where and how the job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The config's folder: relative paths begin here.
    pub folder: PathBuf,
    /// The store's file.
    pub store: PathBuf,
    /// The systems, in the order of the config.
    pub systems: Vec<SystemSettings>,
    /// The rhythm of the live run.
    pub run: RunSettings,
}

/// How one system is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemSettings {
    /// Its id.
    pub id: SystemId,
    /// Its name in the config.
    pub name: String,
    /// What it is.
    pub kind: SystemKind,
    /// Its address without a slash at the end.
    pub url: String,
    /// Where its token is.
    pub token: SecretRef,
    /// The version of its interface; none = the connector's own. Salesforce: `v62.0`, HubSpot: `2026-03`.
    pub version: Option<String>,
    /// The id under which the system marks our own writes (HubSpot: the app's id).
    pub app_id: Option<String>,
    /// Whether anything may be written there.
    pub mode: Mode,
    /// How far each poll looks back behind the last; none = the connector's own.
    pub overlap: Option<Duration>,
    /// HubSpot only: how often all associations are read, since a change of them alone moves no record's modified time.
    pub associations_every: Option<Duration>,
    /// Where people find a record, with `{object}` and `{id}`; none = as the system itself says.
    pub record_url: Option<String>,
    /// How many records may be deleted there in an hour.
    pub max_deletes: u32,
}

/// The rhythm of the live run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSettings {
    /// Between two polls of one system.
    pub interval: Duration,
    /// How far a remote's clock may be from ours, and a record or an edit be dated ahead of its clock.
    pub max_drift: Duration,
}

/// What a system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemKind {
    /// A HubSpot portal.
    HubSpot,
    /// A Salesforce org.
    Salesforce,
}

/// Where a secret is; never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In this environment variable.
    Env(String),
    /// In this file, as an absolute path or one relative to the working directory.
    File(PathBuf),
    /// On the standard output of this shell command.
    Exec(String),
}

impl Settings {
    /// The settings of a system.
    pub fn system(&self, id: SystemId) -> Option<&SystemSettings> {
        self.systems.iter().find(|system| system.id == id)
    }
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), max_drift: Duration::from_secs(60) }
    }
}

impl SystemKind {
    /// The kind that a config names.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "hubspot" => Some(Self::HubSpot),
            "salesforce" => Some(Self::Salesforce),
            _ => None,
        }
    }

    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
        }
    }

    /// What an object is called in the address of its records, if that differs from what a config may call it.
    pub fn object_in_url(self, object: &str) -> &str {
        match (self, &*object.to_ascii_lowercase()) {
            (Self::HubSpot, "contacts" | "contact") => "0-1",
            (Self::HubSpot, "companies" | "company") => "0-2",
            (Self::HubSpot, "deals" | "deal") => "0-3",
            (Self::HubSpot, "tickets" | "ticket") => "0-5",
            _ => object,
        }
    }

    /// The property that holds our external id unless the config names another.
    pub fn external_id(self) -> &'static str {
        match self {
            Self::HubSpot => "syncline_id",
            Self::Salesforce => "Syncline_Id__c",
        }
    }

    /// What counts as an id there, where another system keeps it as a text.
    pub fn id_form(self) -> IdForm {
        match self {
            Self::HubSpot => IdForm::Number,
            Self::Salesforce => IdForm::Checked,
        }
    }

    /// What such a system can do as long as its connector has not said so.
    pub fn ability(self) -> Ability {
        match self {
            Self::HubSpot => Ability {
                source: SourceKind::History,
                resolution_ms: 1,
                stray_ms: 600_000,
                lag_ms: 0,
                batch: BatchLimits { read: 100, read_history: 50, write: 100 },
                creates: Some(Creates::Upsert),
                lookups: Some(vec![("contacts".to_owned(), "email".to_owned())]),
                read_first: false,
            },
            Self::Salesforce => Ability {
                source: SourceKind::Polled,
                resolution_ms: 1_000,
                stray_ms: 600_000,
                lag_ms: 0,
                batch: BatchLimits { read: 200, read_history: 200, write: 200 },
                creates: Some(Creates::Insert),
                lookups: None,
                read_first: true,
            },
        }
    }
}

impl SecretRef {
    /// Reads `env:NAME`, `file:PATH` or `exec:COMMAND`; paths are relative to `folder`.
    ///
    /// # Errors
    /// (what is wrong, the mend), without the text itself, which may be a secret in the wrong place.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, (&'static str, &'static str)> {
        const MEND: &str = "write \"env:NAME\", \"file:PATH\" or \"exec:COMMAND\"";
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(("a secret stands here by itself, not by reference", MEND));
        };
        let rest = rest.trim();
        match scheme {
            "env" | "file" | "exec" if rest.is_empty() => Err(("the reference to the secret is cut short", MEND)),
            "env" if rest.contains(['=', '\0', ' ']) => {
                Err(("that is no name of an environment variable", "write \"env:NAME\""))
            }
            "env" => Ok(Self::Env(rest.to_owned())),
            "file" => Ok(Self::File(folder.join(rest))),
            "exec" => Ok(Self::Exec(rest.to_owned())),
            _ => Err(("a secret is not referred to like that", MEND)),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

/// Checks a system's address: `https`, or `http` on loopback; a host and nothing behind it.
///
/// # Errors
/// (what is wrong, the mend).
pub(super) fn check_url(text: &str) -> Result<String, (String, &'static str)> {
    const MEND: &str = "write an address like \"https://example.my.salesforce.com\"";
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        return Err(("that is no address".to_owned(), MEND));
    };
    let host_port = rest.trim_end_matches('/');
    let (host, port) = match host_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or(port.is_empty().then_some(""))),
        None => host_port.split_once(':').map_or((host_port, Some("")), |(host, port)| (host, Some(port))),
    };
    let is_v6 = host_port.starts_with('[');
    let host_ok = match is_v6 {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
    };
    let port_ok = port.is_some_and(|port| port.is_empty() && !host_port.ends_with(':') || port.parse::<u16>().is_ok());
    if !host_ok || !port_ok {
        return Err(("the address has no plain host, or something behind it".to_owned(), MEND));
    }
    match scheme {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return Err((format!("http would send the token to {host} unencrypted"), "use https")),
        _ => return Err((format!("`{scheme}` is no scheme for a system"), MEND)),
    }
    Ok(format!("{scheme}://{host_port}"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_loopback_only() {
        for (url, wanted) in [
            ("https://api.hubapi.com/", Some("https://api.hubapi.com")),
            ("http://127.0.0.1:4010", Some("http://127.0.0.1:4010")),
            ("http://localhost:1", Some("http://localhost:1")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://api.hubapi.com", None),
            ("http://127.0.0.1.evil.example", None),
            ("http://localhost@evil.example", None),
            ("https://a.example/path", None),
            ("https://a.example:", None),
            ("https://a.example:99999", None),
            ("https://", None),
            ("ftp://a.example", None),
            ("a.example", None),
        ] {
            assert_eq!(check_url(url).ok().as_deref(), wanted, "{url}");
        }
    }

    #[test]
    fn a_bare_secret_is_refused_without_being_repeated() {
        for text in ["pat-na1-1234", "bearer:pat-na1-1234", "env:", "env:A=b"] {
            let (message, mend) = SecretRef::parse(text, Path::new("")).unwrap_err();
            assert!(!message.contains("pat") && !mend.contains("pat"), "{message}");
        }
        assert_eq!(SecretRef::parse("file:secrets/a", Path::new("/x")), Ok(SecretRef::File("/x/secrets/a".into())));
    }
}
