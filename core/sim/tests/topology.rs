//! A world of one's own: two relays, of which one dials the other, and a client of both.

mod common;

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_engine::{Delivery, Event, Place, TrackConfig, TrackKind};
use cc_netem::Config;
use cc_sim::{path, App, Ctx, NodeId, NodeSpec, Options, PathSpec, Role, Topology, World};
use cc_wire::{Namespace, TrackName};
use common::SECOND;

/// Dials some nodes, reads everything everywhere, and keeps what came with how it came.
struct Reader {
    dials: Vec<NodeId>,
    seen: Vec<(Bytes, u64)>,
    ups: u32,
}

impl App for Reader {
    fn start(&mut self, ctx: &mut Ctx<'_>) {
        ctx.subscribe(100, Place::Node, Namespace::parse("news").unwrap());
        for to in self.dials.clone() {
            ctx.dial(to as u64, to);
            ctx.subscribe(to as u64, Place::Link(to as u64), Namespace::parse("news").unwrap());
        }
        let name = ctx.name().to_owned();
        ctx.note(&format!("{name} dials {}", self.dials.len()));
    }

    fn tick(&mut self, _ctx: &mut Ctx<'_>, _number: u64) {
        panic!("no node here ticks");
    }

    fn event(&mut self, _ctx: &mut Ctx<'_>, event: &Event) {
        self.ups += u32::from(matches!(event, Event::LinkUp { .. }));
    }

    fn frame(&mut self, _ctx: &mut Ctx<'_>, frame: &Delivery) {
        self.seen.push((frame.payload.clone(), frame.subscription));
    }
}

fn news(from: &str) -> TrackConfig {
    TrackConfig {
        name: TrackName::new(Namespace::parse("news").unwrap(), from.to_owned()).unwrap(),
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
        window_messages: 64,
        queue_bytes: 1 << 20,
        token: None,
    }
}

#[test]
fn relays_dial_relays_and_clients_dial_both() {
    let node = |name: &str, role| NodeSpec { name: name.into(), role, tick: None, congestion: None };
    let [near, far] = [2.0, 30.0].map(|delay_ms| path(&Config { delay_ms, ..Config::default() }).unwrap());
    let topology = Topology {
        nodes: vec![node("hub", Role::Relay), node("edge", Role::Relay), node("player", Role::Client)],
        paths: vec![
            PathSpec { client: 1, beside: Vec::new(), server: 0, plan: far.clone() },
            PathSpec { client: 2, beside: Vec::new(), server: 1, plan: near },
            PathSpec { client: 2, beside: Vec::new(), server: 0, plan: far },
        ],
    };
    let options = Options { seed: 9, keep_log: true, ..Options::default() };
    let mut world = World::new(options, &topology, |_, spec| Reader {
        dials: match spec.name.as_str() {
            "edge" => vec![0],
            "player" => vec![0, 1],
            _ => vec![],
        },
        seen: Vec::new(),
        ups: 0,
    })
    .unwrap();
    world.run(SECOND);
    assert_eq!(world.apps().map(|app| app.ups).collect::<Vec<_>>(), [0, 1, 2]);
    world.with(0, |_, ctx| ctx.publish(7, Place::Node, news("hub"))).unwrap();
    world.with(1, |_, ctx| ctx.publish(7, Place::Node, news("edge"))).unwrap();
    world.run(SECOND);
    for at in [0, 1] {
        world.with(at, |_, ctx| ctx.send(7, Bytes::from(format!("from {}", ctx.name())))).unwrap();
    }
    world.run(SECOND);
    let seen = |at| -> BTreeMap<u64, Vec<String>> {
        let mut by_subscription = BTreeMap::<u64, Vec<String>>::new();
        for (payload, subscription) in &world.app(at).unwrap().seen {
            by_subscription.entry(*subscription).or_default().push(String::from_utf8_lossy(payload).into_owned());
        }
        by_subscription
    };
    let one = |subscription, text: &str| (subscription, vec![text.to_owned()]);
    // A relay reads its own tracks too, and a link leads to the other side's only.
    assert_eq!(seen(0), BTreeMap::from([one(100, "from hub")]));
    assert_eq!(seen(1), BTreeMap::from([one(0, "from hub"), one(100, "from edge")]));
    assert_eq!(seen(2), BTreeMap::from([one(0, "from hub"), one(1, "from edge")]));
    let log = world.log().text().unwrap();
    assert!(log.contains("0 edge note edge dials 1\n") && log.contains(" edge send hub "));
    assert!(world.with(9, |_, _| ()).is_none());
}
