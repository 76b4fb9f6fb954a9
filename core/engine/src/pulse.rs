//! A silent relay is asked for a sign of life.
//!
//! QUIC's own probes are put off for twice as long each time (RFC 9002, section 6.2.1), and a window full of what was
//! lost lets out nothing else: after seconds without a path the next probe may be seconds away, longer than it takes
//! until a second connection is dialled. So a link that waits for an answer sends a PING at a steady pace, beyond the
//! window, as probes may be (section 7.5): some forty bytes ten times a second, until anything is heard. Behind another
//! port of a NAT's it is what tells the relay where its client is now.

use crate::api::{LinkId, Time};
use crate::Engine;

/// A link that hears nothing for so long is looked at.
const QUIET: Time = 1_000_000;
/// How often it then is.
const EVERY: Time = 100_000;
/// How long an answer may take: longer than most round trips.
const PATIENCE: Time = 250_000;

/// What was seen of a quiet link.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    looked: Time,
    /// Since when something is known to wait for an answer.
    waiting: Option<Time>,
}

impl Pulse {
    /// When the link is to be looked at, its connection having been heard last at `heard`.
    pub(crate) fn due(&self, heard: Time) -> Time {
        (heard + QUIET).max(self.looked + EVERY)
    }

    /// Whether to ask: something was in flight all the while, and nothing was heard.
    fn look(&mut self, heard: Time, in_flight: bool, now: Time) -> bool {
        if now < self.due(heard) {
            return false;
        }
        let waiting = self.waiting.filter(|_| self.looked > heard);
        self.looked = now;
        self.waiting = in_flight.then(|| waiting.unwrap_or(now));
        self.waiting.is_some_and(|since| since + PATIENCE <= now)
    }
}

impl Engine {
    /// Looks at a link that is up, and sends a PING that the window does not hold back if it is time to.
    pub(crate) fn pulse_due(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some((at, conn)) = link.conn.and_then(|at| Some((at, self.conns.get_mut(at)?))) else { return };
        if !link.pulse.look(conn.heard, conn.readings.in_flight() > 0, now) {
            return;
        }
        conn.exceed_window(2);
        let Some(quic) = conn.carrier.quic() else { return };
        quic.ping();
        self.ready.want_service(at, conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each millisecond of four seconds; when it asked, ms. Whether something is in flight, and what was heard
    /// last, at these times.
    fn asked(in_flight: impl Fn(Time) -> bool, heard: impl Fn(Time) -> Time) -> Vec<Time> {
        let mut pulse = Pulse::default();
        (0..4000).filter(|ms| pulse.look(heard(*ms) * 1000, in_flight(*ms), ms * 1000)).collect()
    }

    #[test]
    fn who_is_silent_is_asked_at_a_steady_pace() {
        assert_eq!(asked(|_| true, |_| 0), (1300..4000).step_by(100).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_asks_who_waits_for_nothing_or_has_just_sent() {
        assert_eq!(asked(|_| false, |_| 0), [0_u64; 0]);
        // A keep-alive each second, answered after 200 ms.
        assert_eq!(asked(|ms| ms % 1200 >= 1000, |ms| ms / 1200 * 1200), [0_u64; 0]);
    }

    #[test]
    fn whatever_is_heard_begins_the_silence_anew() {
        assert_eq!(asked(|_| true, |ms| if ms < 1350 { 0 } else { 1350 })[..3], [1300, 2650, 2750]);
    }
}
