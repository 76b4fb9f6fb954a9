//! Which of several sockets on one port gets a packet.
//!
//! Each shard has a socket of its own on the same address (SO_REUSEPORT), and draws the connection ids that it hands
//! out until [`Steering::of_id`] says that they are its own. The same hash then finds the shard of every later packet
//! by the packet's destination connection id, wherever its sender has moved to:
//!
//! | way | where the hash runs | needs |
//! |---|---|---|
//! | [`Way::Ebpf`] | in the kernel, a program over a table of sockets | Linux 4.19, CAP_BPF |
//! | [`Way::Classic`] | in the kernel, a classic filter that gives the socket's number | Linux 4.5, no privilege |
//! | [`Way::UserSpace`] | in the shard that got the packet, which hands it over | several sockets on a port |
//!
//! The hash is multiply-shift over the id's first eight bytes in 32-bit arithmetic, the common ground of both kernel
//! dialects, with a secret key: a stranger can't choose ids that fall on one shard. A client's first packets carry an
//! id of its own choosing (8 bytes at least, RFC 9000, section 7.2) and hash the same way, so that a flight stays
//! together.

mod group;

#[cfg(target_os = "linux")]
mod classic;
#[cfg(target_os = "linux")]
mod ebpf;

pub use group::{Group, GroupError, Way};

/// Most shards on one port.
pub const MAX_SHARDS: usize = 256;

/// Bytes of a connection id that are hashed.
const HASHED: usize = 8;
/// Where a short header's destination connection id begins (RFC 9000, section 17.3).
const SHORT_ID: usize = 1;
/// And a long header's, behind flags, version and the id's length (RFC 8999, section 5.1).
const LONG_ID: usize = 6;
/// The first byte's bit that tells a long header.
const LONG: u8 = 0x80;

/// The keyed hash that tells a packet's shard. The same key and count everywhere give the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steering {
    /// Two odd factors and a summand.
    pub(crate) key: [u32; 3],
    pub(crate) shards: u32,
}

impl Steering {
    /// With a secret key, and 1 to [`MAX_SHARDS`] shards (a count beyond is brought within).
    pub fn new(key: [u8; 12], shards: usize) -> Steering {
        let word = |at: usize| u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
        Steering { key: [word(0) | 1, word(4) | 1, word(8)], shards: shards.clamp(1, MAX_SHARDS) as u32 }
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards as usize
    }

    /// The shard of a connection id: 0 for one shorter than eight bytes, which no shard hands out.
    pub fn of_id(&self, id: &[u8]) -> usize {
        let Some(&[a, b, c, d, e, f, g, h]) = id.first_chunk::<HASHED>() else { return 0 };
        let [x, y, z] = self.key;
        let first = u32::from_be_bytes([a, b, c, d]).wrapping_mul(x);
        let second = u32::from_be_bytes([e, f, g, h]).wrapping_mul(y);
        let mixed = first.wrapping_add(second).wrapping_add(z);
        (((mixed >> 16) * self.shards) >> 16) as usize
    }

    /// The shard of a QUIC packet, or of the first in a datagram: all in a datagram are of one connection. 0 for one
    /// that is too short to be a packet.
    pub fn of_packet(&self, datagram: &[u8]) -> usize {
        let at = match datagram.first() {
            None => return 0,
            Some(flags) if flags & LONG != 0 => LONG_ID,
            Some(_) => SHORT_ID,
        };
        datagram.get(at..).map_or(0, |id| self.of_id(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(flags: u8, id: [u8; 8]) -> Vec<u8> {
        let head: &[u8] = if flags & LONG != 0 { &[flags, 0, 0, 0, 1, 8] } else { &[flags] };
        [head, &id, &[0; 20]].concat()
    }

    #[test]
    fn an_id_and_its_packets_have_one_shard() {
        let steering = Steering::new(*b"twelve bytes", 5);
        for n in 0..1_000_u64 {
            let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let shard = steering.of_id(&id);
            assert!(shard < 5);
            assert_eq!(steering.of_packet(&packet(0x40, id)), shard);
            assert_eq!(steering.of_packet(&packet(0xc0, id)), shard);
        }
    }

    #[test]
    fn shards_get_equal_shares_also_of_ids_that_differ_little() {
        for shards in [1, 2, 3, 7, 16] {
            let steering = Steering::new([0x5b; 12], shards);
            let mut counts = vec![0_usize; shards];
            for n in 0..60_000_u64 {
                counts[steering.of_id(&n.to_be_bytes())] += 1;
            }
            let fair = 60_000 / shards;
            assert!(counts.iter().all(|&count| count.abs_diff(fair) <= fair / 4), "{shards}: {counts:?}");
        }
    }

    #[test]
    fn what_is_no_packet_goes_to_the_first() {
        let steering = Steering::new([7; 12], 4);
        for short in [&[][..], &[0x40], &[0x40, 1, 2, 3, 4, 5, 6, 7], &[0xc0; 13]] {
            assert_eq!(steering.of_packet(short), 0);
        }
        assert_eq!(steering.of_id(&[1, 2, 3]), 0);
    }

    #[test]
    fn counts_are_brought_within_bounds() {
        assert_eq!(Steering::new([1; 12], 0).shards(), 1);
        assert_eq!(Steering::new([1; 12], 100_000).shards(), MAX_SHARDS);
    }
}
