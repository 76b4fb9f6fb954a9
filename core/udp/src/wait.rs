//! The one place that sleeps, and how another thread ends the sleep.

use std::io;
use std::time::Duration;

use crate::{sys, Socket};

/// What to wait for besides readability and the waker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Also return when the socket can take more: set after a send that
    /// reported `WouldBlock` or took only a part.
    pub writable: bool,
}

/// Why [`wait`] returned; all false means the time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// A receive will find something (a datagram or an error).
    pub socket_readable: bool,
    /// A send may be taken; only reported when asked for.
    pub socket_writable: bool,
    /// The waker is set. It stays set until [`Waker::clear`].
    pub woken: bool,
}

/// Sleeps until the socket is ready, the waker is set or the time is up.
/// `None` has no limit; `Some(ZERO)` only looks. On Linux the time-out has the
/// kernel timer's resolution (tens of microseconds); elsewhere it is rounded up
/// to a millisecond. A signal ends it early, with nothing ready.
///
/// # Errors
/// The operating system's; none is a matter of the network.
pub fn wait(socket: &Socket, waker: &Waker, interest: Interest, timeout: Option<Duration>) -> io::Result<Ready> {
    sys::wait(socket.udp(), &waker.0, interest, timeout)
}

/// Ends a [`wait`] from another thread. Any number of wakes before a clear
/// count as one: clear first, then look at what the wake was about.
pub struct Waker(sys::Waker);

impl Waker {
    /// An unset waker.
    ///
    /// # Errors
    /// The operating system's, when the process is out of descriptors.
    pub fn new() -> io::Result<Waker> {
        sys::Waker::new().map(Waker)
    }

    /// Sets it. Never blocks.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// Unsets it.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// The descriptor that becomes readable when set.
    #[cfg(unix)]
    pub fn raw_fd(&self) -> std::os::fd::RawFd {
        self.0.raw_fd()
    }

    /// The socket that becomes readable when set.
    #[cfg(windows)]
    pub fn raw_socket(&self) -> std::os::windows::io::RawSocket {
        self.0.raw_socket()
    }
}

/// User and system time that the calling thread has used since it began.
pub fn thread_cpu_time() -> Duration {
    sys::thread_cpu_time()
}
