//! Nodes of several shards over real sockets: where packets arrive, what crosses, and what a fault leaves alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cc_engine::{
    Command, Config, Congestion, Event, Limits, LinkConfig, Place, RelayConfig, ShardConfig, SubscribeConfig,
    TrackConfig, TrackKind, Trust,
};
use cc_shard::{Drive, Fate, Fault, Feed, Frame, Node, NodeConfig, NodeEvent, OpenError, Publication, Setting};
use cc_udp::{SocketOptions, Way};
use cc_wire::{Namespace, Profile, TrackName};

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clients among whom every shard finds some.
const MANY: usize = 40;

struct Identity {
    pem: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    fn new() -> Identity {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        Identity { pem: made.cert.pem().into_bytes(), key: made.signing_key.serialize_pem().into_bytes() }
    }
}

fn config(seed: u8, relay: Option<RelayConfig>, shards: usize) -> NodeConfig {
    NodeConfig {
        bind: "127.0.0.1:0".parse().unwrap(),
        socket: SocketOptions::default(),
        engine: Config {
            epoch: Instant::now(),
            unix_us: 0,
            seed: [seed; 32],
            state_key: [2; 32],
            relay,
            profiles: Profile::PREFERRED.to_vec(),
            idle_timeout: 30_000_000,
            keep_alive: 5_000_000,
            congestion: Congestion::Realtime,
            limits: Limits::default(),
            max_segments: 1,
        },
        drive: Drive::Thread,
        shards,
    }
}

fn role(identity: &Identity) -> RelayConfig {
    RelayConfig {
        certificate_pem: identity.pem.clone(),
        key_pem: identity.key.clone(),
        open: Some(Namespace::default()),
        max_sessions: 1000,
        auth_timeout: 5_000_000,
    }
}

/// A node, what it has told, and what came for its one subscription.
struct Party {
    node: Node,
    events: Vec<Event>,
    feed: Option<Arc<Feed>>,
    texts: Vec<String>,
}

impl Party {
    fn new(node: Node) -> Party {
        Party { node, events: Vec::new(), feed: None, texts: Vec::new() }
    }

    fn look(&mut self) {
        let mut news = Vec::new();
        self.node.poll(10_000, &mut news);
        for event in news {
            match event {
                NodeEvent::Engine(event) => self.events.push(event),
                NodeEvent::Failed(why) => panic!("{why}"),
            }
        }
        if let Some(feed) = &self.feed {
            feed.drain(|records, data, _| {
                for record in records {
                    let payload = &data[record.payload_at as usize..][..record.payload_len as usize];
                    self.texts.push(String::from_utf8_lossy(payload).into_owned());
                }
            });
        }
    }

    #[track_caller]
    fn until(&mut self, what: &str, done: impl Fn(&Party) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.look();
            if done(self) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {:?} {:?}", self.events, self.texts);
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn subscribe(&mut self, place: Place, namespace: &str) {
        let config = SubscribeConfig {
            namespace: Namespace::parse(namespace).unwrap(),
            name: None,
            capability: Bytes::new(),
            priority: 128,
            order: None,
            rendezvous_ms: 0,
            token: None,
        };
        self.feed = Some(self.node.subscribe(20, place, config, 8 << 20).unwrap());
        self.until("a subscription", |party| {
            party.events.iter().any(|event| matches!(event, Event::SubscribeOk { .. }))
        });
    }

    fn publish(&self, place: Place, namespace: &str, name: &str) -> Publication {
        let config = TrackConfig {
            name: TrackName::new(Namespace::parse(namespace).unwrap(), Bytes::copy_from_slice(name.as_bytes()))
                .unwrap(),
            kind: TrackKind::Text,
            capability: Bytes::new(),
            properties: Bytes::new(),
            priority: 128,
            latest_wins: false,
            datagram: false,
            microsecond_groups: false,
            ttl: None,
            object_timeout_ms: 0,
            subgroup_timeout_ms: 0,
            window_messages: 10_000,
            queue_bytes: 4 << 20,
            token: None,
        };
        self.node.publish(10, place, config).unwrap()
    }

    fn say(&self, publication: &Publication, text: &str) {
        let frame = Frame {
            publication,
            payload: text.as_bytes(),
            properties: &[],
            priority: None,
            ttl: None,
            new_group: false,
            end_group: false,
        };
        let mut fates = [Fate::Closed];
        self.node.send(&[frame], &mut fates);
        assert_eq!(fates, [Fate::Queued]);
    }

    fn is_up(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::LinkUp { .. }))
    }

    fn peer_id(&self) -> String {
        let id = self.events.iter().find_map(|event| match event {
            Event::LinkUp { peer_id, .. } => Some(peer_id.clone()),
            _ => None,
        });
        id.unwrap()
    }

    fn downs(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::LinkDown { .. })).count()
    }
}

fn relay(identity: &Identity, shards: usize, way: Option<Way>, fault: &Fault) -> Result<Party, OpenError> {
    let setting = Setting { way, fault: Some(fault.clone()), ..Setting::default() };
    Node::open_in(config(1, Some(role(identity)), shards), setting).map(Party::new)
}

/// A client whose link is up.
fn client(number: usize, to: SocketAddr, identity: &Identity) -> Party {
    let mut party = Party::new(Node::open(config(100 + number as u8, None, 1)).unwrap());
    let link = LinkConfig {
        addresses: vec![to],
        server_name: "localhost".into(),
        authority: to.to_string(),
        path: "/main".into(),
        token: None,
        trust: Trust::Pem(identity.pem.clone()),
        resume_secret: Bytes::from(vec![number as u8; 16]),
        profiles: Vec::new(),
        reconnect: true,
        connect_timeout: 20_000_000,
        backoff: (10_000, 100_000),
        reconnect_limit: 0,
        uplink: false,
    };
    party.node.command(Command::OpenLink(1, Box::new(link))).unwrap();
    party.until("a link", Party::is_up);
    party
}

/// On which shard each peer is.
fn places(relay: &mut Party) -> BTreeMap<String, usize> {
    relay.look();
    let shards = relay.node.shards();
    let ups = relay.events.iter().filter_map(|event| match event {
        Event::SessionUp { session, peer_id, .. } => Some((peer_id.clone(), ShardConfig::of_session(*session, shards))),
        _ => None,
    });
    ups.collect()
}

/// Clients until there is one on each shard: the place of each.
fn clients_everywhere(relay: &mut Party, identity: &Identity) -> Vec<(usize, Party)> {
    let to = relay.node.local_addr();
    let mut found = Vec::new();
    for number in 0..MANY {
        let client = client(number, to, identity);
        let place = places(relay)[&client.peer_id()];
        found.push((place, client));
        let everywhere = (0..relay.node.shards()).all(|shard| found.iter().any(|(place, _)| *place == shard));
        if everywhere {
            return found;
        }
    }
    panic!("{MANY} clients, and not one on each shard");
}

fn taken(found: &mut Vec<(usize, Party)>, shard: usize) -> Party {
    let at = found.iter().position(|(place, _)| *place == shard).unwrap();
    found.remove(at).1
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

#[test]
fn packets_find_their_shard_in_each_way_and_texts_cross() {
    let identity = Identity::new();
    for way in Way::ALL {
        let Ok(mut relay) = relay(&identity, 2, Some(way), &Fault::default()) else {
            eprintln!("{way:?} is refused here");
            continue;
        };
        let mut found = clients_everywhere(&mut relay, &identity);
        // Where the kernel knows nothing of connections, about every other client's packets are handed over.
        while way == Way::UserSpace && relay.node.stats().unwrap().handed_over == 0 {
            assert!(found.len() < 2 * MANY);
            let number = found.len();
            found.push((9, client(number, relay.node.local_addr(), &identity)));
        }
        let (publisher, mut reader) = (taken(&mut found, 0), taken(&mut found, 1));
        reader.subscribe(Place::Link(1), "g");
        let publication = publisher.publish(Place::Link(1), "g", "c1");
        for text in numbers(200) {
            publisher.say(&publication, &text);
        }
        reader.until("200 texts", |reader| reader.texts.len() >= 200);
        assert_eq!(reader.texts, numbers(200), "{way:?}");
        let stats = relay.node.stats().unwrap();
        let sum = |read: fn(&cc_shard::NodeStats) -> u64| -> u64 {
            (0..2).map(|shard| read(&relay.node.shard_stats(shard).unwrap())).sum()
        };
        assert!(stats.engine.crossed_out >= 200 && stats.engine.crossed_in >= 200, "{stats:?}");
        assert!(sum(|stats| stats.engine.packets_in) >= stats.engine.packets_in);
        assert_eq!((stats.handed_lost, stats.restarts), (0, 0));
        println!("{way:?}: {} of {} packets handed over", stats.handed_over, stats.engine.packets_in);
        if way != Way::UserSpace {
            assert_eq!(stats.handed_over, 0, "{way:?}: the kernel gives each packet to its shard");
        }
    }
}

#[test]
fn a_shard_that_fails_under_load_is_started_again_and_the_others_clients_notice_nothing() {
    let (identity, fault) = (Identity::new(), Fault::default());
    let mut relay = relay(&identity, 2, None, &fault).unwrap();
    let mut found = clients_everywhere(&mut relay, &identity);
    let (publisher, mut lost) = (taken(&mut found, 0), taken(&mut found, 1));
    // One more beside the publisher.
    let mut number = MANY;
    let mut beside = loop {
        number += 1;
        assert!(number < 3 * MANY);
        let client = client(number, relay.node.local_addr(), &identity);
        if places(&mut relay)[&client.peer_id()] == 0 {
            break client;
        }
    };
    lost.subscribe(Place::Link(1), "g");
    beside.subscribe(Place::Link(1), "g");
    let publication = publisher.publish(Place::Link(1), "g", "c1");
    let mut publisher = publisher;
    let mut said = 0;
    let mut say = |publisher: &Party, many: usize| {
        for _ in 0..many {
            publisher.say(&publication, &said.to_string());
            said += 1;
        }
    };
    say(&publisher, 100);
    lost.until("100 texts", |lost| lost.texts.len() >= 100);
    fault.strike(1);
    // Text goes on all the while.
    let end = Instant::now() + PATIENCE;
    while relay.node.stats().unwrap().restarts == 0 {
        assert!(Instant::now() < end);
        say(&publisher, 1);
        std::thread::park_timeout(Duration::from_millis(1));
    }
    say(&publisher, 200);
    lost.until("its link again", |lost| lost.downs() > 0);
    say(&publisher, 100);
    let all = numbers(said);
    beside.until("every text", |beside| beside.texts.len() >= all.len());
    assert_eq!(beside.texts, all);
    lost.until("every text", |lost| lost.texts.len() >= all.len());
    assert_eq!(lost.texts, all, "once each and in order, over the fault");
    publisher.look();
    assert_eq!((beside.downs(), publisher.downs()), (0, 0));
    relay.look();
    let told =
        |event: &&Event| matches!(event, Event::Warning { text } if text.contains("shard 1, which was started again"));
    assert_eq!(relay.events.iter().filter(told).count(), 1);
    assert!(relay.events.iter().any(|event| matches!(event, Event::SessionDown { .. })));
    let restarts: Vec<u64> = (0..2).map(|shard| relay.node.shard_stats(shard).unwrap().restarts).collect();
    assert_eq!(restarts, [0, 1]);
}

#[test]
fn what_the_node_publishes_and_reads_itself_outlives_a_fault_of_its_shard() {
    let (identity, fault) = (Identity::new(), Fault::default());
    let mut relay = relay(&identity, 2, None, &fault).unwrap();
    let mut found = clients_everywhere(&mut relay, &identity);
    let mut client = taken(&mut found, 1);
    relay.subscribe(Place::Node, "up");
    let down = relay.publish(Place::Node, "down", "all");
    client.subscribe(Place::Link(1), "down");
    let up = client.publish(Place::Link(1), "up", "c1");
    client.say(&up, "before");
    relay.say(&down, "welcome");
    relay.until("what was said before", |relay| relay.texts == ["before"]);
    client.until("a welcome", |client| client.texts == ["welcome"]);
    fault.strike(0);
    relay.say(&down, "again");
    client.until("what was said after", |client| client.texts.iter().any(|text| text == "again"));
    client.say(&up, "after");
    relay.until("what was said after", |relay| relay.texts.iter().any(|text| text == "after"));
    assert_eq!(client.downs(), 0);
    assert_eq!(relay.node.shard_stats(0).unwrap().restarts, 1);
    let tracks = relay.events.iter().filter(|event| matches!(event, Event::TrackAdded { .. })).count();
    let ends = relay.events.iter().filter(|event| matches!(event, Event::TrackEnded { .. })).count();
    assert_eq!((tracks, ends), (2, 1), "{:?}", relay.events);
}

#[test]
fn a_close_waits_for_what_has_to_cross() {
    let identity = Identity::new();
    let mut relay = relay(&identity, 2, None, &Fault::default()).unwrap();
    let mut found = clients_everywhere(&mut relay, &identity);
    let mut client = taken(&mut found, 1);
    client.subscribe(Place::Link(1), "down");
    let down = relay.publish(Place::Node, "down", "all");
    relay.say(&down, "0");
    client.until("the first", |client| client.texts == ["0"]);
    for text in &numbers(500)[1..] {
        relay.say(&down, text);
    }
    relay.node.close(20_000_000).unwrap();
    client.until("the last", |client| client.texts.len() >= 500);
    assert_eq!(client.texts, numbers(500));
}

#[test]
fn who_may_not_have_several_shards_is_told_why() {
    let identity = Identity::new();
    let refused = |config: NodeConfig| match Node::open(config) {
        Err(error @ OpenError::Config(_)) => error.to_string(),
        other => panic!("{:?}", other.map(|node| node.local_addr())),
    };
    assert!(refused(config(1, None, 2)).contains("no relay has one"));
    assert!(refused(config(1, Some(role(&identity)), 257)).contains("at most 256"));
    let driven = NodeConfig { drive: Drive::Caller, ..config(1, Some(role(&identity)), 2) };
    assert!(refused(driven).contains("its caller drives"));
}
