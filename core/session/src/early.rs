//! Data that overtook the message which names its alias: kept for a moment, within bounds.
//!
//! Datagrams are kept whole. Streams are left unread after their header, so that flow control
//! holds what follows. Both wait until the alias is known, until its PUBLISH is answered, or
//! until their time is up.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::api::Time;
use crate::slab::Key;

/// What a kept datagram costs besides its bytes.
const DATAGRAM_OVERHEAD: usize = 64;

/// What waits, if anything does.
#[derive(Debug, Default)]
pub(crate) struct Early(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    datagrams: VecDeque<(Time, u64, Bytes)>,
    datagram_cost: usize,
    streams: VecDeque<(Time, u64, Key)>,
}

impl Early {
    /// False: no room within `limit` bytes.
    pub fn keep_datagram(&mut self, until: Time, alias: u64, bytes: Bytes, limit: usize) -> bool {
        let cost = bytes.len() + DATAGRAM_OVERHEAD;
        if self.0.as_ref().map_or(0, |waiting| waiting.datagram_cost) + cost > limit {
            return false;
        }
        let waiting = self.0.get_or_insert_default();
        waiting.datagram_cost += cost;
        waiting.datagrams.push_back((until, alias, bytes));
        true
    }

    /// False: as many as `limit` wait already.
    pub fn keep_stream(&mut self, until: Time, alias: u64, data: Key, limit: usize) -> bool {
        if self.0.as_ref().map_or(0, |waiting| waiting.streams.len()) >= limit {
            return false;
        }
        self.0.get_or_insert_default().streams.push_back((until, alias, data));
        true
    }

    /// What waited for this alias, in order of arrival.
    pub fn take(&mut self, alias: u64) -> (Vec<Bytes>, Vec<Key>) {
        let (mut datagrams, mut streams) = (Vec::new(), Vec::new());
        let Some(waiting) = &mut self.0 else { return (datagrams, streams) };
        waiting.datagrams.retain_mut(|(_, a, bytes)| {
            if *a == alias {
                datagrams.push(std::mem::take(bytes));
            }
            *a != alias
        });
        waiting.datagram_cost -= datagrams.iter().map(|b| b.len() + DATAGRAM_OVERHEAD).sum::<usize>();
        waiting.streams.retain(|(_, a, key)| {
            if *a == alias {
                streams.push(*key);
            }
            *a != alias
        });
        self.release();
        (datagrams, streams)
    }

    /// Gives the memory back where nothing waits.
    fn release(&mut self) {
        if self.len() == 0 {
            self.0 = None;
        }
    }

    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.datagrams.len() + waiting.streams.len())
    }

    /// When the oldest has waited long enough.
    pub fn deadline(&self) -> Option<Time> {
        let waiting = self.0.as_ref()?;
        let datagram = waiting.datagrams.front().map(|entry| entry.0);
        let stream = waiting.streams.front().map(|entry| entry.0);
        datagram.into_iter().chain(stream).min()
    }

    /// A datagram whose time is up.
    pub fn expired_datagram(&mut self, now: Time) -> Option<(u64, Bytes)> {
        let waiting = self.0.as_mut()?;
        waiting.datagrams.front().filter(|entry| entry.0 <= now)?;
        let (_, alias, bytes) = waiting.datagrams.pop_front()?;
        waiting.datagram_cost -= bytes.len() + DATAGRAM_OVERHEAD;
        self.release();
        Some((alias, bytes))
    }

    /// A stream whose time is up.
    pub fn expired_stream(&mut self, now: Time) -> Option<(u64, Key)> {
        let waiting = self.0.as_mut()?;
        waiting.streams.front().filter(|entry| entry.0 <= now)?;
        let (_, alias, key) = waiting.streams.pop_front()?;
        self.release();
        Some((alias, key))
    }
}
