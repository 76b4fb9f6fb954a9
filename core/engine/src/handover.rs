//! From the sending queue to QUIC.
//!
//! Objects wait in the [`Queue`](cc_fanout::queue::Queue), where they can still be reordered, expired and replaced;
//! quinn's own buffers are first-in first-out. So as little as possible is handed over.
//!
//! - Datagrams: the room that the controller reports (window less what is in flight), at most [`BURST`] packets or a
//!   millisecond's worth at a time, and nothing while the last hand-over is still unsent.
//! - Streams: the send window of quinn is set so that unsent and unacknowledged stream bytes together stay within the
//!   congestion window.
//! - While nothing comes back, a small packet now and then beyond the window ([`beyond`]).
//! - quinn's own controllers get one packet more: a connection whose buffer is empty at each transmit counts as limited
//!   by its application, and their window would never grow. Ours does without, and must: while quinn has data that its
//!   window does not take, it holds back acknowledgements, too, and two ends whose windows are full of what an outage
//!   swallowed would hear nothing of each other.

use bytes::Bytes;
use cc_fanout::queue::{DropReason, Out, Part, SubgroupKey, TrackKey};
use cc_session::{Dir, StreamId, Transport};

use crate::api::Time;
use crate::beyond;
use crate::conn::{Conn, Sending, Stage};
use crate::crossing::PARCEL_BYTES;

/// Most packets handed over before a packet is written.
const BURST: u64 = 16;
/// What a data stream may have in quinn's buffer at most, whatever the congestion window says.
const STREAM_BUFFER_MAX: u64 = 4 << 20;
/// What a packet has beside its frames: header and tag.
const PACKET: u64 = 40;
/// Error code of a stream whose subscription is gone (draft -18, "Stream Reset Error Codes").
const CANCELLED: u64 = 1;

/// What a round of handing over came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handed {
    /// Something may be ready to be written into packets.
    Some,
    /// Nothing was handed over: the queue is empty, or has what fits no more.
    Nothing,
}

impl Conn {
    /// Whether something waits, and the window takes it all twice over.
    pub(crate) fn is_at_ease(&mut self) -> bool {
        !self.queue.is_empty() && self.queue.bytes() as u64 * 2 <= self.readings.room()
    }

    /// Moves the most important of what waits into quinn, as the module says. To be followed by `poll_transmit`
    /// until it gives nothing, and repeated while it says [`Handed::Some`].
    pub(crate) fn hand_over(&mut self, now: Time) -> Handed {
        self.beyond.rest();
        let Some(quic) = self.carrier.quic() else { return self.cross_over(now) };
        if self.stage != Stage::Up || quic.is_closed() {
            return Handed::Nothing;
        }
        let mtu = u64::from(quic.current_mtu());
        quic.set_send_window(self.readings.stream_window(mtu).min(STREAM_BUFFER_MAX));
        let waiting = self.datagrams_waiting();
        if waiting > 0 {
            // The pacer or the window holds back what was handed over; it is enough to keep the controller fed.
            return Handed::Nothing;
        }
        let batch = self.readings.batches();
        // A path whose packets become shorter makes quinn drop what it holds: it learns that by an acknowledgement, which
        // counts here, too.
        let acknowledged = self.handed.0 != batch;
        if acknowledged {
            self.handed = (batch, 0);
        }
        if acknowledged || self.readings.settled() + self.handed.1 == 0 {
            self.beyond.is_heard(now);
        }
        let free = match self.readings.needs_more() {
            true => self.readings.room() + mtu,
            // quinn sends nothing that would not leave room for a whole packet. What it has sent is not asked of the
            // controller, which counts bare acknowledgements, too: a window full of them would not empty.
            false => self.readings.window().saturating_sub(self.readings.settled() + self.handed.1 + mtu),
        };
        // Crumbs of a stream would each be a packet.
        if free < mtu / 4 {
            return self.hand_beyond(now);
        }
        // What is handed over can't be overtaken any more: a millisecond's worth of it at most.
        let burst = match self.readings.send_rate() {
            0 => BURST * mtu,
            rate => (rate / 1000).clamp(mtu, BURST * mtu),
        };
        let mut room = free.min(burst);
        // A peer that takes no datagrams: frames that need them are dropped as too large for it.
        let max_datagram = self.carrier.max_datagram();
        let mut handed = Handed::Nothing;
        while room > 0 {
            let Some(out) = self.queue.next(now, max_datagram, room as usize) else { break };
            let used = self.put(out);
            handed = Handed::Some;
            self.handed.1 += used as u64;
            room = room.saturating_sub(used as u64);
        }
        if handed == Handed::Some {
            self.handed.1 += PACKET;
        }
        handed
    }

    /// The window is full: if it is time to, the most important thing that waits, and what fits a small packet with it.
    fn hand_beyond(&mut self, now: Time) -> Handed {
        if self.queue.is_empty() || !self.may_go_beyond(now) {
            return Handed::Nothing;
        }
        let (max_datagram, mut used) = (self.carrier.max_datagram(), 0);
        loop {
            let most = if used == 0 { beyond::LARGEST } else { beyond::BYTES };
            if used >= most || !self.queue.fits(now, most - used) {
                break;
            }
            let Some(out) = self.queue.next(now, max_datagram, beyond::BYTES) else { break };
            used += self.put(out);
        }
        if used == 0 {
            return Handed::Nothing;
        }
        self.handed.1 += used as u64 + PACKET;
        self.beyond.took(used, now);
        Handed::Some
    }

    /// Moves what waits towards another shard, as far as the ring has room.
    fn cross_over(&mut self, now: Time) -> Handed {
        if self.stage != Stage::Up {
            return Handed::Nothing;
        }
        let max_datagram = self.carrier.max_datagram();
        while self.carrier.crossing().is_some_and(|crossing| crossing.has_room()) {
            let Some(out) = self.queue.next(now, max_datagram, PARCEL_BYTES) else { break };
            self.put(out);
        }
        Handed::Nothing
    }

    /// Whether a datagram has gone to another shard past the queue: with nothing queued, and room in the ring, there is
    /// nothing that could go before it, or displace it.
    pub(crate) fn crosses_at_once(&mut self, key: TrackKey, part: &Part, now: Time) -> bool {
        let Some(crossing) = self.carrier.crossing() else { return false };
        crossing.has_room()
            && part.data.len() <= crossing.max_datagram()
            && self.queue.pass(key, part, now)
            && crossing.send_datagram(part.data.clone()).is_ok()
    }

    /// The same of a whole subgroup of one object. What it is as a stream is asked for only if it may go.
    pub(crate) fn crosses_whole(&mut self, key: TrackKey, len: usize, stream: impl FnOnce() -> Bytes) -> bool {
        let Some(crossing) = self.carrier.crossing() else { return false };
        if !crossing.has_room() || len > PARCEL_BYTES || !self.queue.pass_subgroup(key, len) {
            return false;
        }
        if let Some(sink) = self.sinks.get_mut(&key) {
            sink.streams += 1;
        }
        crossing.send_whole(stream());
        true
    }

    /// Bytes of datagrams that quinn holds unsent.
    pub(crate) fn datagrams_waiting(&mut self) -> usize {
        let Some(quic) = self.carrier.quic() else { return 0 };
        self.datagram_space.saturating_sub(quic.datagrams().send_buffer_space())
    }

    /// Hands one thing over; what it uses of the room, packet overhead included.
    fn put(&mut self, out: Out) -> usize {
        /// Frame header and, spread over a packet's frames, packet header and tag.
        const OVERHEAD: usize = 12;
        match out {
            Out::Datagram { bytes, .. } => {
                let len = bytes.len();
                // Refused if the path's datagrams shrank since they were measured.
                if self.carrier.send_datagram(bytes).is_err() {
                    self.drops.get_or_insert_default()[DropReason::TooLarge as usize] += 1;
                }
                len + OVERHEAD
            }
            Out::Stream { subgroup, track, header, data, fin, first } => {
                let stream = if first {
                    let Some(stream) = self.carrier.open(Dir::Uni) else {
                        self.queue.stream_refused(subgroup, data);
                        return 0;
                    };
                    self.opened(subgroup, track, stream);
                    stream
                } else {
                    match self.sending.get(subgroup) {
                        Some(stream) => stream,
                        None => return 0,
                    }
                };
                self.write(subgroup, stream, (header, data), fin) + OVERHEAD
            }
            Out::Reset { subgroup, code } => {
                if let Some(stream) = self.sending.remove(subgroup) {
                    self.sending_back.remove(&stream);
                    self.carrier.reset(stream, code);
                }
                0
            }
        }
    }

    fn opened(&mut self, subgroup: SubgroupKey, track: TrackKey, stream: StreamId) {
        let Some((subscriber, meta)) = self.queue.subgroup(subgroup) else { return };
        // Higher goes first in quinn; control and request streams are above all data.
        let priority = -((i32::from(subscriber) << 8) + i32::from(meta.priority)) - 1;
        self.carrier.set_priority(stream, priority);
        self.sending.insert(subgroup, stream);
        let Some(sink) = self.sinks.get_mut(&track) else { return };
        sink.streams += 1;
        let (of, fill_of) = (sink.track, sink.fill_of);
        self.sending_back.insert(stream, Sending { subgroup, queue: track, track: of, group: meta.group });
        // PUBLISH_DONE counts a subscription's fills with its subgroups.
        if let Some(subscription) = fill_of.and_then(|queue| self.sinks.get_mut(&queue)) {
            subscription.streams += 1;
        }
    }

    fn write(&mut self, subgroup: SubgroupKey, stream: StreamId, (header, data): (Bytes, Bytes), fin: bool) -> usize {
        let mut rest = [header, data];
        // Most writes have no header, and one without anything only ends the stream.
        let skip = usize::from(rest[0].is_empty());
        let Ok(taken) = (match rest[1].is_empty() && skip == 1 {
            true => Ok(0),
            false => self.carrier.write_pieces(stream, &mut rest[skip..]),
        }) else {
            self.stopped(stream);
            return 0;
        };
        let [header, data] = rest;
        if !header.is_empty() || !data.is_empty() {
            self.queue.unsent(subgroup, header, data);
            if taken == 0 {
                self.queue.block(subgroup);
            }
        } else if fin {
            self.carrier.finish(stream);
        }
        taken
    }

    /// The peer stopped a data stream: the rest of its subgroup is not sent.
    pub(crate) fn stopped(&mut self, stream: StreamId) {
        if let Some(sending) = self.sending_back.remove(&stream) {
            self.sending.remove(sending.subgroup);
            self.queue.reset_subgroup(sending.subgroup, CANCELLED);
            self.carrier.reset(stream, CANCELLED);
        }
    }

    /// A data stream takes bytes again.
    pub(crate) fn writable(&mut self, stream: StreamId) {
        if let Some(sending) = self.sending_back.get(&stream) {
            self.queue.unblock(sending.subgroup);
        }
    }
}
