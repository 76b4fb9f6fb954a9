//! Connection ids: fully random, from the engine's own seeded generator. A shard draws until one is its own.

use std::time::Duration;

use quinn_proto::{ConnectionId, ConnectionIdGenerator};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::siblings::OwnIds;

/// Bytes of a connection id. Eight keep short headers small and are what steering hashes.
pub(crate) const LENGTH: usize = 8;

/// Draws ids from a seed.
pub(crate) struct SeededIds {
    rng: StdRng,
    own: Option<OwnIds>,
}

impl SeededIds {
    pub(crate) fn new(seed: [u8; 32], own: Option<OwnIds>) -> Self {
        SeededIds { rng: StdRng::from_seed(seed), own }
    }
}

impl ConnectionIdGenerator for SeededIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; LENGTH];
        loop {
            self.rng.fill_bytes(&mut id);
            if self.own.as_ref().is_none_or(|own| own.0(&id)) {
                return ConnectionId::new(&id);
            }
        }
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
