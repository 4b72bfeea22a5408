//! Whose token it is: asked for once, however many listings begin beside each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Own {
    /// This user's.
    User(String),
    /// The org does not say.
    Unknown,
}

/// What is known of it so far.
#[derive(Debug, Default)]
pub(super) struct User(Mutex<State>);

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unasked,
    Asked,
    Known(Own),
}

/// Whose turn it is.
pub(super) enum TakenUp<'a> {
    /// Nobody's: it is known.
    Known(Own),
    /// The caller's.
    Asking(Asking<'a>),
    /// Somebody else is asking.
    Elsewhere,
}

/// The right to ask; given back when dropped without an answer.
pub(super) struct Asking<'a>(&'a User);

impl Own {
    pub fn user(self) -> Option<String> {
        match self {
            Self::User(id) => Some(id),
            Self::Unknown => None,
        }
    }
}

impl User {
    pub fn take_up(&self) -> TakenUp<'_> {
        let mut state = self.state();
        match &*state {
            State::Known(own) => TakenUp::Known(own.clone()),
            State::Asked => TakenUp::Elsewhere,
            State::Unasked => {
                *state = State::Asked;
                TakenUp::Asking(Asking(self))
            }
        }
    }

    /// The user's id, if it has been asked for and said.
    pub fn known(&self) -> Option<String> {
        match &*self.state() {
            State::Known(own) => own.clone().user(),
            State::Unasked | State::Asked => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asking<'_> {
    pub fn done(self, own: Own) {
        *self.0.state() = State::Known(own);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if *state == State::Asked {
            *state = State::Unasked;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_and_whoever_gives_up_lets_the_next() {
        let user = User::default();
        let TakenUp::Asking(asking) = user.take_up() else { panic!("the first asks") };
        assert!(matches!(user.take_up(), TakenUp::Elsewhere));
        drop(asking);
        let TakenUp::Asking(asking) = user.take_up() else { panic!("the next asks") };
        asking.done(Own::Unknown);
        assert!(matches!(user.take_up(), TakenUp::Known(Own::Unknown)));
    }
}
