//! The queue of events, and which of them still concern anyone when their turn comes.

use std::collections::VecDeque;

use bytes::Bytes;
use cc_wire::{DatagramHeader, ObjectHeader};

use crate::api::{DataKey, Event, RequestKey};
use crate::requests::End;
use crate::session::Session;

/// Objects are many and small; everything else is rare and large, and boxed.
#[derive(Debug)]
pub(crate) enum Queued {
    Datagram(RequestKey, DatagramHeader, Bytes),
    Object(DataKey, ObjectHeader, Bytes),
    Other(Box<Event>),
}

#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<Queued>,
    /// The fatal event is queued: nothing comes after it.
    over: bool,
}

/// A queue that has grown beyond this is given back when it is empty.
const KEEP: usize = 256;

impl Events {
    pub fn push(&mut self, event: Event) {
        let fatal = matches!(event, Event::Fatal { .. });
        self.add(Queued::Other(Box::new(event)));
        self.over |= fatal;
    }

    pub fn datagram(&mut self, key: RequestKey, header: DatagramHeader, payload: Bytes) {
        self.add(Queued::Datagram(key, header, payload));
    }

    pub fn object(&mut self, data: DataKey, header: ObjectHeader, payload: Bytes) {
        self.add(Queued::Object(data, header, payload));
    }

    fn add(&mut self, event: Queued) {
        if !self.over {
            self.queue.push_back(event);
        }
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Gives back what an empty queue holds.
    pub fn release(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    pub fn pop(&mut self) -> Option<Queued> {
        let event = self.queue.pop_front();
        if event.is_none() && self.queue.capacity() > KEEP {
            self.queue = VecDeque::new();
        }
        event
    }
}

impl Session {
    /// Turns a queued event into one for the owner, unless the owner has ended what it is about.
    pub(crate) fn deliver(&mut self, queued: Queued) -> Option<Event> {
        match queued {
            Queued::Datagram(key, header, payload) => {
                self.wanted(key).then_some(Event::Datagram { key, header, payload })
            }
            Queued::Object(data, header, payload) => {
                self.wanted_data(data).then_some(Event::Object { data, header, payload })
            }
            Queued::Other(event) => self.deliver_other(*event),
        }
    }

    fn deliver_other(&mut self, event: Event) -> Option<Event> {
        let wanted = match &event {
            Event::Setup(_) => {
                // Many a session says nothing more for long.
                self.events.release();
                true
            }
            Event::Goaway { .. } | Event::Fatal { .. } => true,
            Event::Request { key, .. }
            | Event::Accepted { key, .. }
            | Event::Update { key, .. }
            | Event::UpdateAnswered { key, .. }
            | Event::Notify { key, .. }
            | Event::Namespace { key, .. }
            | Event::NamespaceDone { key, .. }
            | Event::TrackBlocked { key, .. }
            | Event::RequestGoaway { key, .. }
            | Event::Datagram { key, .. }
            | Event::Whole { key, .. } => self.wanted(*key),
            Event::Refused { key, .. } | Event::Done { key, .. } | Event::Ended { key, .. } => self.end_delivered(*key),
            Event::SubgroupStart { data, key, .. } | Event::FetchStart { data, key } => {
                self.start_delivered(*data, *key)
            }
            Event::Object { data, .. } | Event::FetchItem { data, .. } => self.wanted_data(*data),
            Event::SubgroupEnd { data, .. } => self.data.remove(data.0).is_some_and(|state| state.told),
        };
        wanted.then_some(event)
    }

    pub(crate) fn wanted(&self, key: RequestKey) -> bool {
        self.requests.get(key.0).is_some_and(|state| state.end != End::Here)
    }

    fn wanted_data(&self, data: DataKey) -> bool {
        let state = self.data.get(data.0);
        state.is_some_and(|state| !state.given_up && state.request.is_some_and(|key| self.wanted(key)))
    }

    fn end_delivered(&mut self, key: RequestKey) -> bool {
        match self.requests.get_mut(key.0) {
            Some(state) if state.end == End::Queued => {
                state.end = End::Known;
                self.free_if_over(key);
                true
            }
            _ => false,
        }
    }

    /// Whether a start is still worth telling. If not, neither is what follows.
    fn start_delivered(&mut self, data: DataKey, key: RequestKey) -> bool {
        let wanted = self.wanted(key);
        let Some(state) = self.data.get_mut(data.0) else { return false };
        if state.given_up {
            // No end is queued for a stream given up before its start was told.
            self.data.remove(data.0);
            return false;
        }
        state.told = wanted;
        wanted
    }
}
