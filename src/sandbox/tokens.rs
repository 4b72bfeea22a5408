//! The credentials of one emulated system, derived from the seed: a rehearsal that is run again finds the same ones.

use super::rng::Rng;

/// Everything a client may present to one emulated system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Bearer token of the integration under test.
    pub token: String,
    /// Bearer token of a person at their desk; what it writes counts as a person's edits.
    pub user_token: String,
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: String,
    /// OAuth refresh token of the integration.
    pub refresh_token: String,
    /// Salesforce login name of the integration; unused by HubSpot.
    pub username: String,
    /// Salesforce password of the integration; unused by HubSpot.
    pub password: String,
    /// HubSpot app id, as property history and webhooks name the integration; unused by Salesforce.
    pub app_id: String,
    /// HubSpot developer key for the webhook settings; unused by Salesforce.
    pub developer_key: String,
}

impl Tokens {
    /// The credentials of `system` (`hubspot`, `salesforce`) in the sandbox of this seed.
    pub fn derive(system: &str, seed: u64) -> Self {
        let mut rng = Rng::new(seed, &format!("tokens of {system}"));
        let mut secret = |prefix: &str| format!("{prefix}{:016x}{:016x}", rng.word(), rng.word());
        let prefix = if system == "hubspot" { "pat-na1-" } else { "00D5g0000000001!" };
        Self {
            token: secret(prefix),
            user_token: secret(&format!("{prefix}user-")),
            client_id: secret("client-"),
            client_secret: secret("secret-"),
            refresh_token: secret("refresh-"),
            username: format!("integration.{seed}@sandbox.example"),
            password: secret("password-"),
            app_id: (9_000_000 + rng.below(1_000_000)).to_string(),
            developer_key: format!("{:016x}", rng.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_and_seeds_have_tokens_of_their_own() {
        assert_eq!(Tokens::derive("hubspot", 1), Tokens::derive("hubspot", 1));
        let all = [Tokens::derive("hubspot", 1), Tokens::derive("salesforce", 1), Tokens::derive("hubspot", 2)];
        assert_ne!(all[0].token, all[1].token);
        assert_ne!(all[0].token, all[2].token);
        assert_ne!(all[0].token, all[0].user_token);
    }
}
