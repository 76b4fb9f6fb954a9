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

#[derive(Debug, Default)]
pub(crate) struct Early {
    datagrams: VecDeque<(Time, u64, Bytes)>,
    datagram_cost: usize,
    streams: VecDeque<(Time, u64, Key)>,
}

impl Early {
    /// False: no room within `limit` bytes.
    pub fn keep_datagram(&mut self, until: Time, alias: u64, bytes: Bytes, limit: usize) -> bool {
        let cost = bytes.len() + DATAGRAM_OVERHEAD;
        if self.datagram_cost + cost > limit {
            return false;
        }
        self.datagram_cost += cost;
        self.datagrams.push_back((until, alias, bytes));
        true
    }

    /// False: as many as `limit` wait already.
    pub fn keep_stream(&mut self, until: Time, alias: u64, data: Key, limit: usize) -> bool {
        if self.streams.len() >= limit {
            return false;
        }
        self.streams.push_back((until, alias, data));
        true
    }

    /// What waited for this alias, in order of arrival.
    pub fn take(&mut self, alias: u64) -> (Vec<Bytes>, Vec<Key>) {
        let mut datagrams = Vec::new();
        self.datagrams.retain_mut(|(_, a, bytes)| {
            if *a == alias {
                datagrams.push(std::mem::take(bytes));
            }
            *a != alias
        });
        self.datagram_cost -= datagrams.iter().map(|b| b.len() + DATAGRAM_OVERHEAD).sum::<usize>();
        let mut streams = Vec::new();
        self.streams.retain(|(_, a, key)| {
            if *a == alias {
                streams.push(*key);
            }
            *a != alias
        });
        (datagrams, streams)
    }

    pub fn len(&self) -> usize {
        self.datagrams.len() + self.streams.len()
    }

    /// When the oldest has waited long enough.
    pub fn deadline(&self) -> Option<Time> {
        let datagram = self.datagrams.front().map(|entry| entry.0);
        let stream = self.streams.front().map(|entry| entry.0);
        datagram.into_iter().chain(stream).min()
    }

    /// A datagram whose time is up.
    pub fn expired_datagram(&mut self, now: Time) -> Option<(u64, Bytes)> {
        self.datagrams.front().filter(|entry| entry.0 <= now)?;
        let (_, alias, bytes) = self.datagrams.pop_front()?;
        self.datagram_cost -= bytes.len() + DATAGRAM_OVERHEAD;
        Some((alias, bytes))
    }

    /// A stream whose time is up.
    pub fn expired_stream(&mut self, now: Time) -> Option<(u64, Key)> {
        self.streams.front().filter(|entry| entry.0 <= now)?;
        self.streams.pop_front().map(|(_, alias, key)| (alias, key))
    }
}
