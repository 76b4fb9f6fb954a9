//! One way to take a mutex.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock, also after a panic of another holder: a node whose thread panicked answers every call with
/// [`NodeError::Closed`](crate::NodeError::Closed) before it looks at what the lock guards.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
