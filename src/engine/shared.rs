//! What is copied when it is first changed, so that looking at a record costs no copy of it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value and, beside it, what it was.
#[derive(Debug, Clone)]
pub(super) struct Shared<T>(Arc<T>);

impl<T: Clone> Shared<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// What a view holds, too.
    pub fn of(value: Arc<T>) -> Self {
        Self(value)
    }

    pub fn into_shared(self) -> Arc<T> {
        self.0
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}
