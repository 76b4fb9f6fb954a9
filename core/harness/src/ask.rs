//! What a world's owner asks and orders beside letting time pass: one JSON object a question, one an answer.

use std::net::SocketAddr;
use std::path::Path;

use cc_netem::{Cause, Counters, Direction, Profile};
use serde::Deserialize;
use serde_json::{json, Value};

use crate::recorder::PlaceId;
use crate::world::World;

/// The most bytes of a trace's file.
const MAX_TRACE: u64 = 64 << 20;

/// A profile as the owner has read it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    /// How errors call it.
    file: String,
    text: String,
    /// Where its traces are.
    #[serde(default)]
    folder: String,
}

/// The questions and orders.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Ask {
    Place {
        name: String,
        network: Option<Network>,
        behind: Option<PlaceId>,
    },
    Network {
        place: PlaceId,
        network: Network,
    },
    Outage {
        place: PlaceId,
        us: u64,
    },
    Rebind {
        place: PlaceId,
    },
    Kill {
        place: PlaceId,
    },
    /// What is dialled there ends at this place.
    Learn {
        address: SocketAddr,
        place: PlaceId,
    },
    Note {
        place: Option<PlaceId>,
        text: String,
    },
    Traffic {
        place: PlaceId,
    },
    Drops,
    Latencies,
    Ages,
    Messages,
    Lost,
    Incomplete {
        within_us: u64,
    },
    Digest,
    Log,
    Qlog,
}

/// The answer.
///
/// # Errors
/// The question makes no sense; one line.
pub(crate) fn answer(world: &mut World, question: &str) -> Result<String, String> {
    let ask: Ask = serde_json::from_str(question).map_err(|error| format!("no such question: {error}"))?;
    world.look();
    let now = world.now;
    let value = match ask {
        Ask::Place { name, network, behind } => {
            let plan = network.map(|network| profile(&network)).transpose()?;
            let plan = plan.as_ref().map(|profile| profile.plan(&name).clone());
            let place = world.add(&name, behind)?;
            world.set_plan(place, plan.as_ref());
            json!({"place": place, "address": world.places[place].address.to_string()})
        }
        Ask::Network { place, network } => {
            check(world, place)?;
            let profile = profile(&network)?;
            let plan = profile.plan(&world.places[place].name).clone();
            world.set_plan(place, Some(&plan));
            world.note(Some(place), &format!("network {}", network.file));
            Value::Null
        }
        Ask::Outage { place, us } => {
            check(world, place)?;
            let until = &mut world.places[place].out_until;
            *until = now.saturating_add(us).max(*until);
            world.note(Some(place), &format!("outage {us}"));
            Value::Null
        }
        Ask::Rebind { place } => {
            check(world, place)?;
            world.places[place].rebind();
            world.note(Some(place), "rebind");
            Value::Null
        }
        Ask::Kill { place } => {
            check(world, place)?;
            world.kill(place);
            Value::Null
        }
        Ask::Learn { address, place } => {
            check(world, place)?;
            world.recorder.lock().learn_door(address, place);
            Value::Null
        }
        Ask::Note { place, text } => {
            world.note(place, &text);
            Value::Null
        }
        Ask::Traffic { place } => {
            check(world, place)?;
            let path = world.places[place].path.as_ref();
            let side = |direction| path.map(|path| counters(path.counters(direction)));
            json!({
                "beside": world.places[place].traffic,
                "up": side(Direction::Up),
                "down": side(Direction::Down),
            })
        }
        Ask::Drops => (0..world.places.len()).map(|place| json!(world.drops(place))).collect(),
        Ask::Latencies => {
            let recorder = world.recorder.lock();
            json!({"groups": recorder.latencies(), "unknown": recorder.unknown()})
        }
        Ask::Ages => json!(world.recorder.lock().ages(now)),
        Ask::Messages => json!(world.recorder.lock().messages()),
        Ask::Lost => json!(world.recorder.lock().lost()),
        Ask::Incomplete { within_us } => json!(world.recorder.lock().incomplete(now, within_us)),
        Ask::Digest => {
            let recorder = world.recorder.lock();
            json!({"digest": format!("{:016x}", recorder.log.digest()), "records": recorder.log.records()})
        }
        Ask::Qlog => world.book.told(),
        Ask::Log => json!(world.recorder.lock().log.text().unwrap_or_default()),
    };
    Ok(value.to_string())
}

fn check(world: &World, place: PlaceId) -> Result<(), String> {
    match world.places.get(place) {
        Some(_) => Ok(()),
        None => Err(format!("there is no place {place}")),
    }
}

fn counters(of: &Counters) -> Value {
    let lost: serde_json::Map<String, Value> = Cause::ALL
        .into_iter()
        .filter(|cause| of.lost(*cause) > 0)
        .map(|cause| (cause.name().to_owned(), json!(of.lost(cause))))
        .collect();
    json!({
        "packets": of.pushed,
        "bytes": of.pushed_bytes,
        "delivered": of.delivered,
        "delivered_bytes": of.delivered_bytes,
        "queued": of.queued,
        "queue_peak_bytes": of.queue_peak_bytes,
        "duplicated": of.duplicated,
        "corrupted": of.corrupted,
        "reordered": of.reordered,
        "lost": lost,
        "delay_mean_us": of.delay.mean(),
    })
}

fn profile(network: &Network) -> Result<Profile, String> {
    let folder = Path::new(&network.folder);
    let mut load = |trace: &str| {
        let path = folder.join(trace);
        let fits = std::fs::metadata(&path).is_ok_and(|data| data.len() <= MAX_TRACE);
        fits.then(|| std::fs::read_to_string(&path).ok()).flatten()
    };
    Profile::parse(&network.file, &network.text, &mut load).map_err(|error| error.to_string())
}
