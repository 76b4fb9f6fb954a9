//! What is rung when there is something to do: a descriptor that a thread sleeps on, or a call of the owner's.

use std::fmt;
use std::io;
use std::sync::Arc;

use cc_udp::Waker;

/// Called when a node without a socket has something to do or to tell. From any thread, with no lock of the node held
/// that a later call on it would take; it must not call the node itself.
pub type Ring = Arc<dyn Fn() + Send + Sync>;

/// Either kind.
pub(crate) enum Bell {
    Waker(Waker),
    Ring(Ring),
}

impl Bell {
    /// A descriptor's.
    pub(crate) fn waker() -> io::Result<Bell> {
        Waker::new().map(Bell::Waker)
    }

    pub(crate) fn wake(&self) {
        match self {
            Bell::Waker(waker) => waker.wake(),
            Bell::Ring(ring) => ring(),
        }
    }

    pub(crate) fn clear(&self) {
        if let Bell::Waker(waker) = self {
            waker.clear();
        }
    }

    /// What a thread can sleep on.
    pub(crate) fn as_waker(&self) -> Option<&Waker> {
        match self {
            Bell::Waker(waker) => Some(waker),
            Bell::Ring(_) => None,
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bell::Waker(_) => "Waker",
            Bell::Ring(_) => "Ring",
        })
    }
}
