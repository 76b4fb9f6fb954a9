//! A relay, a publisher of one track, and subscribers to it.

use cc_session::{Event, Reply, Request, RequestKey, StreamId};
use cc_wire::{
    DatagramHeader, Filter, Location, Namespace, Params, Profile, Properties, Range, RangeFilter, RangeKind, RangeRule,
    TrackName,
};

use crate::common::{relay, Identity, World};

pub const DRAFTS: [Profile; 4] = [Profile::D18, Profile::D20, Profile::D21, Profile::D22];
pub const LATER: [Profile; 3] = [Profile::D20, Profile::D21, Profile::D22];
/// Group and object ids.
pub type Places = &'static [(u64, u64)];
pub const ALIAS: u64 = 77;
pub const RELAY: usize = 0;
pub const PUBLISHER: usize = 1;

pub fn name() -> TrackName {
    TrackName::new(Namespace::parse("g/r").unwrap(), &b"t"[..]).unwrap()
}

pub fn at(group: u64, object: u64) -> Location {
    Location { group, object }
}

/// A relay, a publisher of one track, and what it has published so far.
pub struct Room {
    pub world: World,
    pub identity: Identity,
    pub profile: Profile,
    pub publication: RequestKey,
}

impl Room {
    pub fn new(profile: Profile, properties: Properties) -> Room {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, true));
        world.add_peer(RELAY, &identity, profile);
        let now = world.now;
        let publish = Request::Publish { track: name(), alias: ALIAS, params: Params::default(), properties };
        let publication = world.peer(PUBLISHER).ask(publish, now);
        let mut room = Room { world, identity, profile, publication };
        room.run();
        room
    }

    pub fn plain(profile: Profile) -> Room {
        Room::new(profile, Properties::default())
    }

    pub fn run(&mut self) {
        self.world.run(200_000);
        for node in 1..self.world.nodes.len() {
            assert_eq!(self.world.peer(node).lost, None);
        }
    }

    pub fn subscriber(&mut self) -> usize {
        self.world.add_peer(RELAY, &self.identity, self.profile)
    }

    pub fn subscribe(&mut self, node: usize, params: Params) -> RequestKey {
        let now = self.world.now;
        let key = self.world.peer(node).ask(Request::Subscribe { track: name(), params }, now);
        self.run();
        key
    }

    pub fn group(&mut self, group: u64, objects: &[u64]) -> StreamId {
        let id = self.world.peer(PUBLISHER).subgroup(ALIAS, group, 0, 9, objects, true);
        self.run();
        id
    }

    pub fn open(&mut self, group: u64, objects: &[u64]) -> StreamId {
        let id = self.world.peer(PUBLISHER).subgroup(ALIAS, group, 0, 9, objects, false);
        self.run();
        id
    }

    pub fn more(&mut self, id: StreamId, previous: u64, objects: &[u64], fin: bool) {
        self.world.peer(PUBLISHER).more(id, previous, objects, fin);
        self.run();
    }

    pub fn datagram(&mut self, group: u64, object: u64, priority: u8, end: bool) {
        let header = DatagramHeader {
            alias: ALIAS,
            group,
            object,
            priority: Some(priority),
            end_of_group: end,
            status: None,
            properties: Default::default(),
        };
        self.world.peer(PUBLISHER).datagram(&header, b"datagram");
        self.run();
    }

    pub fn objects(&mut self, node: usize, key: RequestKey) -> Vec<(u64, u64)> {
        self.world.peer(node).objects(key).iter().map(|l| (l.group, l.object)).collect()
    }

    pub fn fetched(&mut self, node: usize, key: RequestKey) -> Vec<(u64, u64)> {
        self.world.peer(node).fetched(key).iter().map(|o| (o.location.group, o.location.object)).collect()
    }

    pub fn refused(&mut self, node: usize, of: RequestKey) -> Option<u64> {
        self.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Refused { key, refusal } if *key == of => Some(refusal.code),
            _ => None,
        })
    }

    pub fn done(&mut self, node: usize, of: RequestKey) -> Option<(u64, Option<u64>)> {
        self.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Done { key, code, stream_count, .. } if *key == of => Some((*code, *stream_count)),
            _ => None,
        })
    }

    pub fn largest(&mut self, node: usize, of: RequestKey) -> Option<Location> {
        self.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Accepted { key, reply: Reply::SubscribeOk { params, .. } } if *key == of => params.largest,
            _ => None,
        })
    }
}

pub fn filtered(filter: Filter) -> Params {
    Params { filter: Some(filter), ..Params::default() }
}

pub fn keep(kind: RangeKind, set: u8, property: Option<u64>, ranges: &[(u64, Option<u64>)]) -> RangeFilter {
    let ranges = ranges.iter().map(|(start, end)| Range { start: *start, end: *end }).collect();
    RangeFilter { kind, rule: RangeRule::Keep { set, property, ranges } }
}

/// What a fill asks for: the newest group.
pub fn newest() -> Option<Box<Params>> {
    Some(Box::new(filtered(Filter::GroupsBack(1))))
}
