//! Inputs worth keeping: the golden vectors of `api/vectors/moqt.json`, as each target wants them, and
//! what coverage has found, a line of hexadecimal digits each in `corpus/TARGET.hex`.

use std::path::Path;

use serde_json::Value;

use crate::targets::wire::{BEGIN_WITH_ID, KINDS, PROFILES};
use crate::targets::PROFILE_MAX;

/// The golden vectors as inputs of the target `name`, or packets made for it; empty if it has nothing to do with them.
///
/// # Panics
/// When the file is missing or is not what `cargo run -p cc-wire --example vectors` writes.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    match name {
        "opus" => return crate::targets::opus::seeds(),
        "profile" => return profiles(),
        "trace" => return [OPPORTUNITIES, TABLE].map(|text| text.as_bytes().to_vec()).to_vec(),
        _ => {}
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../api/vectors/moqt.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let vectors = json["vectors"].as_array().expect("a list of vectors");
    let mut inputs: Vec<Vec<u8>> = vectors
        .iter()
        .filter_map(|vector| {
            let profile = vector["profile"].as_u64()?;
            let profile = PROFILES.iter().position(|known| u64::from(known.number()) == profile)?;
            let bytes = unhex(vector["hex"].as_str()?)?;
            seed(name, vector["kind"].as_str()?, profile as u8, bytes)
        })
        .collect();
    inputs.sort();
    inputs.dedup();
    inputs
}

const OPPORTUNITIES: &str = "# Mahimahi\n0\n1\n1\n5\n12\n";
const TABLE: &str = "time_ms,delay_ms,loss,rate\n0,10,0,1000\n100,20.5,1.5,0\n200,0,100,1000000\n";

/// The profiles of the network model.
fn profiles() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/profiles");
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut found: Vec<Vec<u8>> = files
        .filter_map(|file| std::fs::read(file.ok()?.path()).ok())
        .filter(|text| text.len() <= PROFILE_MAX)
        .collect();
    found.sort();
    found
}

fn seed(target: &str, kind: &str, profile: u8, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let with = |prefix: &[u8], bytes: &[u8]| Some([prefix, bytes].concat());
    match (target, kind) {
        ("integer", "varint") | ("datagram", "datagram") | ("stream", "stream" | "subgroup") => Some(bytes),
        ("message", "message") => with(&[profile], &bytes),
        ("fields", "message") => {
            let mut reader = cc_wire::Reader::new(&bytes);
            let kind = reader.varint().ok()?;
            let kind = KINDS.iter().position(|known| *known == kind)?;
            with(&[profile, kind as u8, 0], bytes.get(reader.position() + 2..)?)
        }
        ("objects", "subgroup") => {
            let (start, used) = cc_wire::UniStream::decode(&bytes).ok()??;
            let cc_wire::UniStream::Subgroup(header) = start else { return None };
            with(&[u8::from(header.has_properties)], &bytes[used..])
        }
        ("fetch", "fetch_ascending") => with(&[profile, 0], &bytes),
        ("fetch", "fetch_descending") => with(&[profile, 1], &bytes),
        ("properties" | "names" | "token", "message") => {
            let message = cc_wire::Message::decode(PROFILES[usize::from(profile)], &bytes).ok()?;
            part(target, &message)
        }
        ("session", "message") => stranger(profile, &bytes),
        ("session", "datagram") if bytes.len() < 256 => {
            // An established client; a datagram.
            with(&[1, profile, crate::targets::session::DATAGRAM, bytes.len() as u8], &bytes)
        }
        _ => None,
    }
}

/// The part of a message that a target is about.
fn part(target: &str, message: &cc_wire::Message) -> Option<Vec<u8>> {
    use cc_wire::Message::{Publish, Setup, Subscribe, SubscribeOk};
    match (target, message) {
        ("properties", Publish { properties, .. } | SubscribeOk { properties, .. }) => Some(properties.raw().to_vec()),
        ("names", Publish { track, .. } | Subscribe { track, .. }) => {
            let mut out = Vec::new();
            track.encode(&mut out).ok()?;
            Some(out)
        }
        ("token", Setup(options)) => {
            let mut out = Vec::new();
            options.tokens.first()?.encode(&mut out);
            Some(out)
        }
        _ => None,
    }
}

/// A request of a stranger's to an established server, or a message on a stream that is open.
fn stranger(profile: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = cc_wire::Reader::new(bytes);
    let kind = reader.varint().ok()?;
    let at = KINDS.iter().position(|known| *known == kind)?;
    let mut payload = bytes.get(reader.position() + 2..)?;
    let mut out = vec![3, profile];
    if BEGIN_WITH_ID.contains(&kind) && kind != 0x2 {
        // The target puts an id there that is right.
        reader = cc_wire::Reader::new(payload);
        reader.varint().ok()?;
        payload = &payload[reader.position()..];
        out.push(crate::targets::session::ASK);
    } else {
        out.extend_from_slice(&[crate::targets::session::SAY, at as u8 % 7]);
    }
    out.extend_from_slice(&[at as u8, u8::try_from(payload.len()).ok()?]);
    out.extend_from_slice(payload);
    Some(out)
}

/// What is kept for the target `name` in the crate's `corpus` folder.
///
/// # Panics
/// When a line is not an even number of hexadecimal digits.
pub fn committed(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{name}.hex"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| unhex(line).unwrap_or_else(|| panic!("corpus/{name}.hex: {line}"))).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(*pair.get(1)?)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_draft_of_the_vectors_is_a_target_s() {
        assert_eq!(PROFILES.map(cc_wire::Profile::number), [18, 20, 21, 22]);
        for target in crate::TARGETS.iter().filter(|target| target.decoder) {
            assert!(!seeds(target.name).is_empty(), "no golden vector is a seed of {}", target.name);
        }
    }
}
