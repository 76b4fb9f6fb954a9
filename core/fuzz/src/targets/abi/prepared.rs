//! Where a run begins: with nothing, or with a relay, a client and what they have of each other, so that most of its
//! calls are on handles that live.

use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;

use super::{identity, told, Caller};

/// Rounds that are given to each step: on one machine a handshake takes some ten.
const ROUNDS: usize = 200;
/// What passes in a round, us.
const ROUND: u64 = 1000;

impl Caller<'_> {
    /// Prepares one of the situations: 0 nothing; 1 a relay; 2 a client's link to it; 3 a publication of the client's, and
    /// a subscription of another link's to it, with a frame on its way. False if it did not come about.
    pub(super) fn prepare(&mut self, situation: usize) -> bool {
        if situation == 0 {
            return true;
        }
        let relay = self.plain_node(true);
        if situation == 1 {
            return relay != 0;
        }
        let client = self.plain_node(false);
        let link = self.plain_link(client, relay);
        if !self.comes(event::LINK_UP) || situation == 2 {
            return link != 0;
        }
        let publication = self.plain_publication(link);
        let reader = self.plain_link(client, relay);
        if !self.comes(event::PUBLISH_OK) {
            return false;
        }
        let subscription = self.plain_subscription(reader);
        if subscription == 0 || !self.comes(event::TRACK_ADDED) {
            return false;
        }
        let payload = [7; 100];
        let frame = CcSend { publication, payload: payload.as_ptr() as u64, payload_len: 100, ..CcSend::EMPTY };
        // SAFETY: one frame, whose payload is as long as it says, and no place for a fate.
        told("cc_send", unsafe { cc_send(&frame, 1, std::ptr::null_mut()) });
        self.round();
        true
    }

    fn plain_node(&mut self, relay: bool) -> u64 {
        let made = identity();
        let mut config = CcNodeConfig {
            flags: node_flags::THREADLESS,
            bind: self.point(b"127.0.0.1:0"),
            linger_ms: 1,
            seed: 7,
            ..CcNodeConfig::EMPTY
        };
        if relay {
            config.flags |= node_flags::RELAY | node_flags::OPEN;
            config.certificate_pem = self.point(made.pem.as_bytes());
            config.key_pem = self.point(made.key.as_bytes());
        }
        let mut node = 0;
        // SAFETY: a struct of the size that it says, whose texts live, and a place for the answer.
        let answer = unsafe { cc_node_open(&config, &mut node) };
        self.opened("cc_node_open", answer, node);
        self.nodes.extend((node != 0).then_some(node));
        node
    }

    fn plain_link(&mut self, node: u64, relay: u64) -> u64 {
        let (mut buf, mut len) = ([0; 64], 0);
        // SAFETY: a buffer and its length.
        told("cc_node_address", unsafe { cc_node_address(relay, buf.as_mut_ptr(), 64, &mut len) });
        let url = [&b"moqt://"[..], buf.get(..len as usize).unwrap_or_default(), &b"/main"[..]].concat();
        let config = CcLinkConfig {
            url: self.point(&url),
            trust_sha256: self.point(identity().sha256.as_bytes()),
            ..CcLinkConfig::EMPTY
        };
        let mut link = 0;
        // SAFETY: a struct of the size that it says, whose texts live, and a place for the answer.
        let answer = unsafe { cc_link_open(node, &config, &mut link) };
        self.opened("cc_link_open", answer, link);
        link
    }

    fn plain_publication(&mut self, link: u64) -> u64 {
        let config = CcTrackConfig {
            kind: KIND_FRAME_STREAM,
            ns: self.point(b"g/r"),
            name: self.point(b"t"),
            ..CcTrackConfig::EMPTY
        };
        let mut publication = 0;
        // SAFETY: a struct of the size that it says, whose texts live, and a place for the answer.
        let answer = unsafe { cc_publish(link, &config, &mut publication) };
        self.opened("cc_publish", answer, publication);
        publication
    }

    fn plain_subscription(&mut self, link: u64) -> u64 {
        let config = CcSubscribeConfig {
            flags: subscribe_flags::EXACT,
            ns: self.point(b"g/r"),
            name: self.point(b"t"),
            ..CcSubscribeConfig::EMPTY
        };
        let mut subscription = 0;
        // SAFETY: a struct of the size that it says, whose texts live, and a place for the answer.
        let answer = unsafe { cc_subscribe(link, &config, &mut subscription) };
        self.opened("cc_subscribe", answer, subscription);
        subscription
    }

    /// All nodes work, and send what they have.
    fn round(&mut self) {
        self.now += ROUND;
        for node in self.nodes.clone() {
            let mut next = 0;
            // SAFETY: a place for the answer.
            told("cc_node_drive", unsafe { cc_node_drive(node, self.now, &mut next) });
        }
    }

    /// Waits for an event of this kind, and takes those before it.
    fn comes(&mut self, kind: u32) -> bool {
        for _ in 0..ROUNDS {
            self.round();
            for node in self.nodes.clone() {
                let (mut events, mut count) = ([CcEvent::EMPTY; 16], 0);
                // SAFETY: as many places as it is told.
                told("cc_node_poll", unsafe { cc_node_poll(node, events.as_mut_ptr(), 16, &mut count) });
                let came = events.iter().take(count as usize);
                let sessions = came.clone().map(|event| event.handle).filter(|handle| !self.handles.contains(handle));
                let sessions: Vec<u64> = sessions.filter(|handle| *handle != 0).collect();
                self.handles.extend(sessions);
                if came.into_iter().any(|event| event.kind == kind) {
                    return true;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::SITUATIONS;
    use super::*;
    use crate::Input;

    #[test]
    fn each_situation_comes_about() {
        for situation in 0..SITUATIONS {
            let mut caller = Caller::new(Input::new(&[]));
            assert!(caller.prepare(situation), "situation {situation}");
            assert_eq!(caller.nodes.len(), situation.min(2));
            caller.close();
        }
    }
}
