//! Keys of the null crypto: a checksum for a tag, and headers as they are.

use bytes::BytesMut;
use quinn_proto::crypto::{CryptoError, HeaderKey, KeyPair, Keys, PacketKey};
use quinn_proto::{ConnectionId, Side};

/// Length of a tag, as all of TLS 1.3's AEADs have it.
const TAG: usize = 16;
/// Bytes of a packet that header protection looks at (RFC 9001, 5.4).
const SAMPLE: usize = 16;
/// Packets under one AES-128-GCM key (RFC 9001, 6.6): keys are updated as often as TLS's are.
const CONFIDENTIALITY_LIMIT: u64 = 1 << 23;
/// Forged packets that a connection may see (RFC 9001, 6.6).
const INTEGRITY_LIMIT: u64 = 1 << 52;

/// Two odd constants with their bits well spread; multiplying by them is a bijection.
const SPREAD: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];

/// Bytes that `checksum` takes at once: a word a lane, in as many lanes as a processor multiplies side by side.
const BLOCK: usize = 8 * LANES;
const LANES: usize = 4;

/// A checksum under a key. Every bit counts, and a change within one word shows for certain; it stops no attacker.
pub fn checksum(key: u64, parts: &[&[u8]]) -> u128 {
    let mut lanes = [key ^ SPREAD[1], key ^ SPREAD[0], key.rotate_left(32) ^ SPREAD[1], !key];
    for part in parts {
        let mut blocks = part.chunks_exact(BLOCK);
        for block in &mut blocks {
            absorb(&mut lanes, block);
        }
        // The rest is padded, and the length keeps paddings apart.
        let rest = blocks.remainder();
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        absorb(&mut lanes, &last);
        lanes[0] ^= part.len() as u64;
    }
    let [a, b, c, d] = lanes.map(mix);
    let (low, high) = (a ^ c.rotate_left(17), b ^ d.rotate_left(29));
    u128::from(mix(high)) << 64 | u128::from(mix(low ^ high.rotate_left(41)))
}

fn absorb(lanes: &mut [u64; LANES], block: &[u8]) {
    for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(8)) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        *lane = (*lane ^ u64::from_le_bytes(bytes)).wrapping_mul(SPREAD[0]).rotate_left(29);
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 32)).wrapping_mul(SPREAD[0]);
    x = (x ^ (x >> 29)).wrapping_mul(SPREAD[1]);
    x ^ (x >> 32)
}

/// A key from another.
pub(super) fn derive(key: u64, label: &str, number: u64) -> u64 {
    checksum(key, &[label.as_bytes(), &number.to_le_bytes()]) as u64
}

/// Keys of one packet space for `side`; `generation` counts key updates.
pub(super) fn space(secret: u64, side: Side, generation: u64) -> Keys {
    Keys {
        header: KeyPair { local: Box::new(PlainHeader), remote: Box::new(PlainHeader) },
        packet: packets(secret, side, generation),
    }
}

/// The packet keys alone, as a key update brings them (RFC 9001, 6).
pub(super) fn packets(secret: u64, side: Side, generation: u64) -> KeyPair<Box<dyn PacketKey>> {
    let [client, server] = ["client", "server"].map(|label| SumKey(derive(secret, label, generation)));
    match side {
        Side::Client => KeyPair { local: Box::new(client), remote: Box::new(server) },
        Side::Server => KeyPair { local: Box::new(server), remote: Box::new(client) },
    }
}

/// Keys of the Initial space: of the id alone (RFC 9001, 5.2).
pub(super) fn initial(id: &ConnectionId, side: Side) -> Keys {
    space(checksum(0, &[b"initial", id]) as u64, side, 0)
}

/// The integrity tag of a Retry packet (RFC 9001, 5.8).
pub(super) fn retry_tag(id: &ConnectionId, packet: &[&[u8]]) -> [u8; TAG] {
    // One string whatever the pieces: the two ends cut the packet in different places.
    let whole = packet.concat();
    checksum(0, &[b"retry", id, &whole]).to_le_bytes()
}

/// Whether a Retry's payload ends with its tag.
pub(super) fn is_valid_retry(id: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
    payload.split_last_chunk::<TAG>().is_some_and(|(token, tag)| retry_tag(id, &[header, token]) == *tag)
}

/// Puts a checksum at a packet's end.
struct SumKey(u64);

impl SumKey {
    fn tag(&self, packet: u64, header: &[u8], payload: &[u8]) -> [u8; TAG] {
        checksum(self.0 ^ packet.wrapping_mul(SPREAD[0]), &[header, payload]).to_le_bytes()
    }
}

impl PacketKey for SumKey {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        let (header, rest) = buf.split_at_mut(header_len);
        if let Some((payload, tag)) = rest.split_last_chunk_mut::<TAG>() {
            *tag = self.tag(packet, header, payload);
        }
    }

    fn decrypt(&self, packet: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        let (plain, tag) = payload.split_last_chunk::<TAG>().ok_or(CryptoError)?;
        if self.tag(packet, header, plain) != *tag {
            return Err(CryptoError);
        }
        let len = plain.len();
        payload.truncate(len);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        TAG
    }

    fn confidentiality_limit(&self) -> u64 {
        CONFIDENTIALITY_LIMIT
    }

    fn integrity_limit(&self) -> u64 {
        INTEGRITY_LIMIT
    }
}

/// Leaves headers as they are; the tag covers them.
struct PlainHeader;

impl HeaderKey for PlainHeader {
    fn decrypt(&self, _pn_offset: usize, _packet: &mut [u8]) {}

    fn encrypt(&self, _pn_offset: usize, _packet: &mut [u8]) {}

    fn sample_size(&self) -> usize {
        SAMPLE
    }
}
