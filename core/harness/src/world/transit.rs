//! How a datagram goes: from a node up through the networks of its places, across, and down to another node.

use std::net::SocketAddr;

use cc_netem::Direction;
use cc_sim::Record;

use super::{Due, World, LEAST};
use crate::place::{self, Parcel};
use crate::recorder::PlaceId;

impl World {
    /// A node sends a datagram.
    pub(super) fn send(&mut self, number: usize, to: SocketAddr, bytes: Vec<u8>) {
        let node = &self.nodes[number];
        let (leaf, port) = (node.place, node.port);
        let place = &mut self.places[leaf];
        let from = SocketAddr::new(place.address, port);
        let own = to.ip().is_loopback() || to.ip() == place.address;
        let target = if own { Some(leaf) } else { place::at(to.ip()).filter(|at| *at < self.places.len()) };
        {
            let mut recorder = self.recorder.lock();
            let name = &self.places[leaf].label;
            match target {
                Some(at) => {
                    let to = &self.places[at].label;
                    recorder.log.add(self.now, name, Record::Send { to, bytes: &bytes });
                }
                None => recorder.log.add(self.now, name, Record::Stray { bytes: &bytes }),
            }
        }
        if target.is_none() {
            return self.keep(bytes);
        }
        let parcel = Parcel { from, to, leaf, bytes };
        if own {
            // Loopback is seen as it was dialled.
            let from = SocketAddr::new(to.ip(), port);
            let parcel = Parcel { from, ..parcel };
            return self.hand_over(leaf, to.port(), parcel);
        }
        let place = &mut self.places[leaf];
        place.traffic.packets_up += 1;
        place.traffic.bytes_up += parcel.bytes.len() as u64;
        self.ascend(leaf, parcel);
    }

    /// A packet enters a place's network from inside.
    fn ascend(&mut self, at: PlaceId, parcel: Parcel) {
        let now = self.now;
        let place = &mut self.places[at];
        if now < place.out_until {
            place.lose(true, "outage");
            return self.keep(parcel.bytes);
        }
        match &mut place.path {
            Some(path) => {
                path.push_up(now, parcel);
                self.plan_path(at);
            }
            None => self.leave(at, 0, parcel),
        }
    }

    /// A packet leaves a place's network on the outside.
    fn leave(&mut self, at: PlaceId, binding: u32, mut parcel: Parcel) {
        let place = &mut self.places[at];
        if parcel.leaf == at {
            parcel.from = place.seen_as(parcel.from.port(), binding);
        }
        match place.behind {
            Some(router) => self.ascend(router, parcel),
            None => self.cross(parcel),
        }
    }

    /// A packet is in the core, and goes to its receiver's network.
    fn cross(&mut self, mut parcel: Parcel) {
        let Some(leaf) = place::at(parcel.to.ip()).filter(|leaf| *leaf < self.places.len()) else { return };
        parcel.leaf = leaf;
        let outermost = self.places[leaf].behind.unwrap_or(leaf);
        self.descend(outermost, parcel);
    }

    /// A packet enters a place's network from outside.
    fn descend(&mut self, at: PlaceId, parcel: Parcel) {
        let now = self.now;
        let place = &mut self.places[at];
        if now < place.out_until {
            place.lose(false, "outage");
            return self.keep(parcel.bytes);
        }
        let binding = if parcel.leaf == at { place.binding(parcel.to.port()) } else { 0 };
        match &mut place.path {
            Some(path) => {
                path.push_down(now, binding, parcel);
                self.plan_path(at);
            }
            None => self.emerge(at, parcel),
        }
    }

    /// A packet leaves a place's network on the inside.
    fn emerge(&mut self, at: PlaceId, parcel: Parcel) {
        if parcel.leaf != at {
            return self.descend(parcel.leaf, parcel);
        }
        let place = &mut self.places[at];
        match place.inside_port(parcel.to.port()) {
            Some(port) => self.hand_over(at, port, parcel),
            None => {
                place.lose(false, "stale_binding");
                self.keep(parcel.bytes);
            }
        }
    }

    /// A packet is at its receiver's machine, and a moment later at the node: so that nothing takes no time at all.
    fn hand_over(&mut self, at: PlaceId, port: u16, parcel: Parcel) {
        match self.places[at].ports.get(&port).copied() {
            Some(number) => {
                self.planned += 1;
                let key = (self.now + LEAST, self.planned);
                self.local.insert(key, (number, parcel));
                self.plan(key.0, Due::Local);
            }
            None => {
                let label = &self.places[at].label;
                self.recorder.lock().log.add(self.now, label, Record::Stray { bytes: &parcel.bytes });
                self.keep(parcel.bytes);
            }
        }
    }

    pub(super) fn plan_path(&mut self, at: PlaceId) {
        let place = &mut self.places[at];
        let Some(due) = place.path.as_ref().and_then(|path| path.next_timeout()) else { return };
        if place.due.is_none_or(|planned| due < planned) {
            place.due = Some(due);
            self.plan(due, Due::Path(at));
        }
    }

    pub(super) fn arrive(&mut self, at: PlaceId) {
        if self.places[at].due != Some(self.now) {
            return;
        }
        self.places[at].due = None;
        let now = self.now;
        while let Some(received) = self.places[at].path.as_mut().and_then(|path| path.pop(now)) {
            let parcel = received.packet.payload;
            match received.direction {
                Direction::Up => self.leave(at, received.binding, parcel),
                Direction::Down => self.emerge(at, parcel),
            }
        }
        self.plan_path(at);
    }

    pub(super) fn arrive_locally(&mut self) {
        while let Some(entry) = self.local.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (number, parcel) = entry.remove();
            self.receive(number, parcel);
        }
    }

    /// A node's arrivals of one time are taken in together, as from a socket that is read until it is empty.
    fn receive(&mut self, number: usize, parcel: Parcel) {
        let node = &mut self.nodes[number];
        let traffic = &mut self.places[node.place].traffic;
        traffic.packets_down += 1;
        traffic.bytes_down += parcel.bytes.len() as u64;
        node.arrivals.push((parcel.from, parcel.bytes));
        if !node.woken {
            node.woken = true;
            self.woken.push(number);
        }
    }
}
