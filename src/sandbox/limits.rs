//! Rate limits on demand: what `--limits` says.

use serde::{Deserialize, Serialize};

/// The limits of an emulated account. A limit that is not given does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// HubSpot: calls in any ten seconds, searches excepted.
    pub per_10s: Option<u64>,
    /// HubSpot: searches in any second.
    pub per_s_search: Option<u64>,
    /// Calls a day, on each server for itself.
    pub daily: Option<u64>,
}

impl Limits {
    /// Reads the JSON of `--limits`.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_unknown_ones_refused() {
        let limits = Limits::parse(r#"{"per_10s":100,"per_s_search":4}"#);
        assert_eq!(limits, Ok(Limits { per_10s: Some(100), per_s_search: Some(4), daily: None }));
        assert!(Limits::parse(r#"{"per_minute":1}"#).is_err_and(|error| error.contains("per_minute")));
    }
}
