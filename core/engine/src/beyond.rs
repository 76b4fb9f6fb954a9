//! What matters most leaves beyond a window that is full of what may be lost.
//!
//! A burst of losses can take all of a small window. Nothing is acknowledged then, so nothing is known to be lost, and
//! the window lets nothing out until one of QUIC's probes is answered, each of which is put off for twice as long as the
//! one before (RFC 9002, section 6.2.1). So while frames wait, and nothing has been acknowledged for longer than an
//! answer takes, a small packet of the most important leaves every [`EVERY`] beyond the window, as probes may (section
//! 7.5): 16 kB/s, inputs and a voice, which is what a standing queue leaves as well (`RealtimeConfig::yield_rate`). The
//! first that is acknowledged tells QUIC what was lost before it.

use std::time::Duration;

use crate::api::Time;
use crate::conn::Conn;

/// Between two packets.
const EVERY: Time = 20_000;
/// What each has of frames, bytes; a larger frame goes alone, and the next packet the later.
pub(crate) const BYTES: usize = 320;
/// The largest frame that goes, bytes: its packet fits every path that carries QUIC (RFC 9000, section 14). Those that
/// do not fit a path which became narrower would be lost one after the other, and each puts QUIC's probe off, by which
/// that is found out.
pub(crate) const LARGEST: usize = 1_100;
/// What an acknowledgement may be late by, beside the round trip and four times what that deviates by: the peer's
/// scheduling.
const LATE: Time = 5_000;
/// How long they leave in one silence: whoever is gone is not sent to for as long as the idle time-out lasts.
const MOST: Time = 1_000_000;

/// What is known of a window that lets nothing out.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    /// Since when nothing was acknowledged, with something in flight.
    silent: Time,
    /// When the last packet left beyond the window.
    left: Time,
    /// When the next may.
    due: Option<Time>,
}

impl Beyond {
    /// Something was acknowledged, or nothing is in flight.
    pub(crate) fn is_heard(&mut self, now: Time) {
        self.silent = now;
    }

    /// Nothing waits for a packet beyond the window, as far as is known.
    pub(crate) fn rest(&mut self) {
        self.due = None;
    }

    /// When the next packet may leave, if one waits for it.
    pub(crate) fn due(&self) -> Option<Time> {
        self.due
    }

    /// So many bytes of frames leave.
    pub(crate) fn took(&mut self, bytes: usize, now: Time) {
        self.left = now + EVERY * bytes.saturating_sub(BYTES) as Time / BYTES as Time;
        self.due = Some(self.left + EVERY);
    }

    /// The window is full and something waits: whether a packet may leave beyond it now.
    fn is_full(&mut self, rtt: Duration, deviation: Duration, now: Time) -> bool {
        let answer = (rtt + deviation * 4).as_micros() as Time + LATE;
        let due = (self.silent + answer).max(self.left + EVERY);
        if due > self.silent + answer + MOST {
            return false;
        }
        if due <= now {
            self.took(0, now);
            return true;
        }
        self.due = Some(due);
        false
    }
}

impl Conn {
    /// The window is full: if it is time to, has QUIC let a packet out beyond it.
    pub(crate) fn may_go_beyond(&mut self, now: Time) -> bool {
        let Some(quic) = self.carrier.quic() else { return false };
        let rtt = quic.rtt();
        if self.readings.needs_more() || !self.beyond.is_full(rtt, self.readings.rtt_deviation(), now) {
            return false;
        }
        // QUIC sends nothing that would not leave room for a whole packet.
        self.exceed_window(2);
        true
    }

    /// Has QUIC let so many packets out beyond the window, until something is acknowledged.
    pub(crate) fn exceed_window(&mut self, packets: u64) {
        let Some(quic) = self.carrier.quic() else { return };
        let over = self.readings.in_flight().saturating_sub(self.readings.window());
        self.readings.grant(over + packets * u64::from(quic.current_mtu()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a packet may leave, ms, of four seconds in which a full window is looked at each millisecond; what was
    /// acknowledged last, ms, at each time.
    fn leaves(heard: impl Fn(Time) -> Time) -> Vec<Time> {
        let (rtt, deviation) = (Duration::from_millis(40), Duration::from_millis(5));
        let mut beyond = Beyond::default();
        let mut last = Time::MAX;
        let look = |ms: &Time| {
            if heard(*ms) != last {
                last = heard(*ms);
                beyond.is_heard(last * 1000);
            }
            beyond.rest();
            let may = beyond.is_full(rtt, deviation, ms * 1000);
            assert!(beyond.due().is_none_or(|due| due > ms * 1000), "a timer in the past");
            may
        };
        (0..4000).filter(look).collect()
    }

    #[test]
    fn after_an_answers_time_they_leave_at_a_steady_pace_for_a_second() {
        assert_eq!(leaves(|_| 0), (65..=1065).step_by(20).collect::<Vec<_>>());
    }

    #[test]
    fn a_large_frame_puts_the_next_off() {
        let mut beyond = Beyond::default();
        let mut looks =
            |ms: Time| beyond.is_full(Duration::ZERO, Duration::ZERO, ms * 1000).then(|| beyond.took(960, ms * 1000));
        assert_eq!((0..200).filter(|ms| looks(*ms).is_some()).collect::<Vec<_>>(), [20, 80, 140]);
    }

    #[test]
    fn an_acknowledgement_ends_the_silence() {
        assert_eq!(leaves(|ms| ms), [0_u64; 0]);
        assert_eq!(leaves(|ms| if ms < 100 { 0 } else { 100 })[..4], [65, 85, 165, 185]);
    }
}
