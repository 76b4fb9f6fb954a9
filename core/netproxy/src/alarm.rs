//! What the operating system gives beyond sockets: a sleep that ends on time, and room for many sockets.

use std::io;
use std::time::Duration;

use mio::{Events, Poll};

#[cfg(target_os = "linux")]
mod timer {
    //! `epoll` sleeps whole milliseconds; a timer descriptor beside the sockets ends it to the microsecond.

    use super::*;
    use mio::unix::SourceFd;
    use mio::{Interest, Token};
    use rustix::fd::{AsRawFd, OwnedFd};
    use rustix::time::{
        timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
    };

    /// The sleep's end.
    pub struct Alarm(OwnedFd);

    impl Alarm {
        pub fn new(poll: &Poll, token: Token) -> io::Result<Alarm> {
            let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Alarm(timer))
        }

        pub fn wait(&mut self, poll: &mut Poll, events: &mut Events, time: Duration) -> io::Result<()> {
            if time.is_zero() {
                return poll.poll(events, Some(time));
            }
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            let it_value = Timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos() as _ };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value })?;
            poll.poll(events, None)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    //! The poll's own time-out, rounded up to a millisecond.

    use super::*;
    use mio::Token;

    /// The sleep's end.
    pub struct Alarm;

    impl Alarm {
        pub fn new(_poll: &Poll, _token: Token) -> io::Result<Alarm> {
            Ok(Alarm)
        }

        pub fn wait(&mut self, poll: &mut Poll, events: &mut Events, time: Duration) -> io::Result<()> {
            poll.poll(events, Some(time))
        }
    }
}

pub use timer::Alarm;

/// Lets the process open as many sockets as the system's hard limit grants. Where it grants few, fewer clients fit,
/// and the first that does not is told.
pub fn allow_many_sockets() {
    #[cfg(unix)]
    {
        use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(65_536).min(65_536);
        if limit.current.is_some_and(|current| current < most) {
            // A refusal leaves the limit as it was.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum });
        }
    }
}
