//! Credentials: tokens that stay, and tokens that are renewed.

use super::encode::form;
use super::transport::{Answer, Request};
use crate::model::Millis;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Called with a refresh token that replaces the one before: it must be kept, or the next start has none.
pub type OnRotate = Arc<dyn Fn(&SecretString) + Send + Sync>;

/// How a system lets us in.
#[derive(Clone)]
pub enum Credential {
    /// A bearer token that is valid until somebody revokes it.
    Static(SecretString),
    /// OAuth client credentials: a token as often as one is needed.
    ClientCredentials {
        /// The app's id.
        client_id: String,
        /// The app's secret.
        client_secret: SecretString,
    },
    /// An OAuth refresh token.
    RefreshToken {
        /// The app's id.
        client_id: String,
        /// The app's secret.
        client_secret: SecretString,
        /// The token to renew with.
        refresh_token: SecretString,
        /// Told when the system replaces it.
        on_rotate: Option<OnRotate>,
    },
}

impl Credential {
    /// Can it be renewed?
    pub fn renewable(&self) -> bool {
        !matches!(self, Self::Static(_))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static(_) => "Credential::Static(..)",
            Self::ClientCredentials { .. } => "Credential::ClientCredentials(..)",
            Self::RefreshToken { .. } => "Credential::RefreshToken(..)",
        })
    }
}

/// An access token and when to renew it.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub access: SecretString,
    /// Our clock; none where the system does not say.
    pub expires: Option<Millis>,
    /// The refresh token that replaces ours.
    pub refresh: Option<SecretString>,
}

/// The request for a token; none for a credential that needs none. `refresh` replaces the credential's own refresh token.
pub fn token_request(path: &str, credential: &Credential, refresh: Option<&SecretString>) -> Option<Request> {
    let body = match credential {
        Credential::Static(_) => return None,
        Credential::ClientCredentials { client_id, client_secret } => form(&[
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
        ]),
        Credential::RefreshToken { client_id, client_secret, refresh_token, .. } => form(&[
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
            ("refresh_token", refresh.unwrap_or(refresh_token).expose_secret()),
        ]),
    };
    Some(Request::form(path, body))
}

/// Reads a token answer; an error is (code, message) in the system's words.
pub fn token_answer(answer: &Answer) -> Result<Token, (String, String)> {
    #[derive(Deserialize)]
    struct Body {
        access_token: Option<SecretText>,
        refresh_token: Option<SecretText>,
        expires_in: Option<i64>,
        error: Option<String>,
        error_description: Option<String>,
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct SecretText(String);

    let status = format!("HTTP_{}", answer.status);
    // What cannot be read is not quoted: it may hold the token.
    let body: Body = serde_json::from_slice(&answer.body)
        .map_err(|_| (status.clone(), "the token endpoint answered with something unreadable".to_owned()))?;
    let secret = |text: SecretText| (!text.0.is_empty()).then(|| SecretString::from(text.0));
    match body.access_token.and_then(secret) {
        Some(access) if answer.status == 200 => Ok(Token {
            access,
            // A minute early: a token that expires under way costs a call.
            expires: body.expires_in.map(|s| answer.sent.plus(s.saturating_sub(60).saturating_mul(1000))),
            refresh: body.refresh_token.and_then(secret),
        }),
        _ => {
            let message = body.error_description.or(body.message).unwrap_or_else(|| "no reason was given".to_owned());
            Err((body.error.unwrap_or(status), message))
        }
    }
}

/// The token in use, shared by all calls of a connector. Only one of them renews it at a time: a system that rotates refresh
/// tokens would take a second renewal for theft.
#[derive(Debug)]
pub(crate) struct Session {
    credential: Credential,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    renewing: bool,
}

/// What a call does about its token.
pub(crate) enum Step {
    /// Use it.
    Use(SecretString),
    /// Send this and hand the answer to [`Session::renewed`]; nobody else does meanwhile.
    Renew(Request, Renewal),
    /// Somebody renews; ask again soon.
    Wait,
}

impl Session {
    pub fn new(credential: Credential) -> Self {
        Self { credential, state: Mutex::default() }
    }

    pub fn renewable(&self) -> bool {
        self.credential.renewable()
    }

    pub fn step(self: &Arc<Self>, token_path: &str, now: Millis) -> Step {
        if let Credential::Static(token) = &self.credential {
            return Step::Use(token.clone());
        }
        let mut state = self.lock();
        match &state.token {
            Some(token) if token.expires.is_none_or(|expires| now < expires) => Step::Use(token.access.clone()),
            _ if state.renewing => Step::Wait,
            token => {
                let refresh = token.as_ref().and_then(|token| token.refresh.clone());
                let Some(request) = token_request(token_path, &self.credential, refresh.as_ref()) else {
                    return Step::Wait;
                };
                state.renewing = true;
                Step::Renew(request, Renewal(Arc::clone(self)))
            }
        }
    }

    /// The system refused `token`: the next call renews it, unless another one has done so.
    pub fn refused(&self, token: &SecretString) {
        let mut state = self.lock();
        if let Some(current) = &mut state.token
            && current.access.expose_secret() == token.expose_secret()
        {
            current.expires = Some(Millis::MIN);
        }
    }

    fn renewed(&self, mut token: Token) {
        if let (Credential::RefreshToken { on_rotate: Some(tell), .. }, Some(refresh)) =
            (&self.credential, &token.refresh)
        {
            tell(refresh);
        }
        let mut state = self.lock();
        if token.refresh.is_none() {
            token.refresh = state.token.take().and_then(|old| old.refresh);
        }
        state.token = Some(token);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A renewal under way; dropping it, finished or not, lets others try.
pub(crate) struct Renewal(Arc<Session>);

impl Renewal {
    pub fn done(self, token: Token) {
        self.0.renewed(token);
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.lock().renewing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, headers: Vec::new(), body, sent: Millis(1000), received: Millis(1100) }
    }

    #[test]
    fn token_answers_are_read_and_never_quoted() {
        let hubspot =
            r#"{"token_type":"bearer","access_token":"canary-a","refresh_token":"canary-r","expires_in":1800}"#;
        let token = token_answer(&answer(200, hubspot)).unwrap();
        assert_eq!(token.expires, Some(Millis(1000 + 1_740_000)));
        assert!(!format!("{token:?}").contains("canary"));
        let salesforce = r#"{"access_token":"00D!x","instance_url":"https://x","issued_at":"1278448832702"}"#;
        assert_eq!(token_answer(&answer(200, salesforce)).unwrap().expires, None);
        let refused = r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#;
        let (code, message) = token_answer(&answer(400, refused)).unwrap_err();
        assert_eq!((code.as_str(), message.as_str()), ("invalid_grant", "expired access/refresh token"));
        for body in [r#"{"access_token":"canary","#, r#"{"access_token":["canary"]}"#] {
            assert!(!format!("{:?}", token_answer(&answer(200, body))).contains("canary"));
        }
    }

    #[test]
    fn only_one_call_renews_and_a_rotated_token_is_told_and_used() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let credential = Credential::RefreshToken {
            client_id: "app".into(),
            client_secret: "canary-secret".into(),
            refresh_token: "canary-first".into(),
            on_rotate: Some(Arc::new(move |token: &SecretString| {
                tell.lock().unwrap().push(token.expose_secret().to_owned());
            })),
        };
        assert!(!format!("{credential:?}").contains("canary"));
        let session = Arc::new(Session::new(credential));
        let Step::Renew(request, renewal) = session.step("/token", Millis(0)) else { panic!("no renewal") };
        assert!(String::from_utf8(request.body).unwrap().contains("canary-first"));
        assert!(matches!(session.step("/token", Millis(0)), Step::Wait));
        renewal.done(Token { access: "t1".into(), expires: Some(Millis(10)), refresh: Some("second".into()) });
        assert_eq!(*told.lock().unwrap(), ["second"]);
        assert!(matches!(session.step("/token", Millis(5)), Step::Use(token) if token.expose_secret() == "t1"));
        let Step::Renew(request, renewal) = session.step("/token", Millis(10)) else { panic!("no renewal") };
        assert!(String::from_utf8(request.body).unwrap().contains("refresh_token=second"));
        drop(renewal);
        assert!(
            matches!(session.step("/token", Millis(10)), Step::Renew(..)),
            "a renewal that broke off blocks nobody"
        );
    }
}
