//! The secrets of one emulated system, derived from the seed so that a rehearsal can be repeated.

/// What a client needs to sign in.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The integration's access token.
    pub token: String,
    /// A person's access token.
    pub user_token: String,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret.
    pub client_secret: String,
    /// The integration's refresh token.
    pub refresh_token: String,
    /// The integration user's name.
    pub username: String,
    /// The integration user's password.
    pub password: String,
}

impl Tokens {
    /// The secrets of `system` under `seed`; the same arguments give the same secrets.
    pub fn derive(system: &str, seed: u64) -> Self {
        let secret = |name: &str| format!("{system}-{name}-{seed:016x}");
        Self {
            token: secret("token"),
            user_token: secret("user-token"),
            client_id: secret("client-id"),
            client_secret: secret("client-secret"),
            refresh_token: secret("refresh-token"),
            username: format!("integration@{system}.example"),
            password: secret("password"),
        }
    }
}
