//! One seed, one outcome: whoever else is in the network, and whenever it is asked.

mod common;

use cc_netem::{Address, Cause, Network, Node, Opaque, Path, PathPlan, Profile};

const ROUGH: &str = r#"{
  "name": "rough", "description": "everything at once", "sources": ["made up for a test"],
  "up": {
    "rate_kbit": 800, "queue": {"packets": 30, "codel": {"target_ms": 5, "interval_ms": 50}},
    "loss": {"independent": 1, "gilbert_elliott": {"to_bad": 2, "to_good": 20}}, "duplicate": 2,
    "corrupt": {"share": 2, "bits": 2}, "delay_ms": 30,
    "jitter": {"pareto_normal": {"scale_ms": 4, "shape": 2, "max_ms": 300, "sd_ms": 4}}, "jitter_may_reorder": true,
    "reorder": {"share": 3, "distance": 2, "hold_ms": 60},
    "outages": [{"at_ms": 700, "for_ms": 60, "every_ms": 900, "packets": "held"}],
    "script": [{"at_ms": 1000, "over_ms": 1000, "rate_kbit": 300, "loss": 4}]
  },
  "down": {"rate_kbit": 200, "delay_ms": 20, "jitter": {"normal": {"sd_ms": 5}}, "loss": {"independent": 3}},
  "nat": {"rebind_at_ms": [1200, 2500], "idle_ms": 80}
}"#;

fn rough() -> PathPlan {
    Profile::parse("rough.json", ROUGH, &mut |_| None).unwrap().plan("anyone").clone()
}

/// A server that answers each packet of `clients` clients, for 4 s; when `asks`, it is also asked at odd times.
fn play(seed: u64, clients: u64, asks: bool) -> (Network<Vec<u8>>, Vec<Vec<u8>>) {
    let mut network = Network::new(seed);
    network.keep_events(true);
    let server = network.add("server").unwrap();
    let nodes: Vec<Node> = (0..clients).map(|id| network.add(&format!("client-{id}")).unwrap()).collect();
    for &node in &nodes {
        network.connect(0, node, server, &rough()).unwrap();
    }
    let mut seen = Vec::new();
    for tick in 0..400u64 {
        let now = tick * 10_000;
        while let Some(at) = network.next_timeout().filter(|&at| at <= now) {
            if asks {
                assert_eq!(network.pop(at - 1), None);
            }
            while let Some(one) = network.pop(at) {
                assert_eq!(one.packet.due, at);
                if one.to == server {
                    network.send(at, server, one.from, one.packet.payload).unwrap();
                } else {
                    seen.push(one.packet.payload);
                }
            }
        }
        if asks {
            assert_eq!(network.pop(now), None);
        }
        for (id, &node) in nodes.iter().enumerate() {
            // The second client keeps silent now and then, longer than its NAT waits.
            if id != 1 || tick % 40 < 25 {
                network.send(now, node, server.into(), vec![tick as u8; 90 + id]).unwrap();
            }
        }
    }
    (network, seen)
}

#[test]
fn the_same_seed_gives_byte_equal_logs_and_packets() {
    let (one, first) = play(42, 3, false);
    let (two, second) = play(42, 3, false);
    assert!(one.log().lines().count() > 2000);
    assert_eq!(one.log().as_bytes(), two.log().as_bytes());
    assert_eq!((one.digest(), first), (two.digest(), second));
}

#[test]
fn other_seeds_differ() {
    let logs: Vec<String> = (1..6).map(|seed| play(seed, 2, false).0.log()).collect();
    for (index, log) in logs.iter().enumerate() {
        assert!(logs[index + 1..].iter().all(|other| other != log));
    }
}

#[test]
fn asking_at_other_times_changes_nothing() {
    let (plain, first) = play(7, 3, false);
    let (asked, second) = play(7, 3, true);
    assert_eq!((plain.log(), plain.digest(), first), (asked.log(), asked.digest(), second));
}

#[test]
fn a_late_caller_finds_the_same_events() {
    let run = |step: u64| {
        let mut path: Path<Opaque> = Path::new(&rough(), 5, "late", 0);
        let mut all = Vec::new();
        for tick in 0..300u64 {
            path.push_up(tick * 10_000, Opaque::new(tick, 100));
            path.push_down(tick * 10_000, (tick / 100) as u32, Opaque::new(tick, 100));
            if tick % step == 0 {
                for part in 0..10 {
                    all.extend(std::iter::from_fn(|| path.pop(tick * 10_000 + part * 1000)));
                }
            }
        }
        while let Some(at) = path.next_timeout() {
            all.extend(std::iter::from_fn(|| path.pop(at)));
        }
        let digests = [cc_netem::Direction::Up, cc_netem::Direction::Down].map(|way| path.digest(way));
        assert!(all.windows(2).all(|pair| pair[0].packet.due <= pair[1].packet.due));
        (all, digests)
    };
    assert_eq!(run(1), run(1000));
    assert_eq!(run(1), run(7));
}

#[test]
fn others_in_the_network_change_nothing_for_a_pair() {
    let of_first = |clients| {
        let (network, _) = play(9, clients, false);
        let mut lines: Vec<String> =
            network.log().lines().filter(|line| line.contains("client-0")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(of_first(1), of_first(4));
}

#[test]
fn clients_of_one_profile_fare_differently() {
    let (network, _) = play(1, 2, false);
    let fates = |name: &str| {
        let prefix = format!("{name}>server ");
        let log = network.log();
        log.lines().filter_map(|line| line.strip_prefix(&prefix)).filter(|line| line.contains("lost")).count()
    };
    assert_ne!(fates("client-0"), fates("client-1"));
}

#[test]
fn a_nat_gives_new_ports_and_forgets_old_ones() {
    let mut network = Network::<Opaque>::new(1);
    let (client, server) = (network.add("c").unwrap(), network.add("s").unwrap());
    let text = r#"{"name": "n", "description": "d", "sources": ["test"], "up": {}, "down": {"delay_ms": 10},
        "nat": {"rebind_at_ms": [1000], "idle_ms": 300}}"#;
    let plan = Profile::parse("n.json", text, &mut |_| None).unwrap().plan("c").clone();
    network.connect(0, client, server, &plan).unwrap();
    let mut id = 0;
    let mut heard = |network: &mut Network<Opaque>, now| {
        id += 1;
        network.send(now, client, server.into(), Opaque::new(id, 10)).unwrap();
        network.pop(now).unwrap().from
    };
    // Nobody gets in before the client has sent.
    network.send(0, server, client.into(), Opaque::new(90, 10)).unwrap();
    assert_eq!(network.pop(20_000), None);
    let first = heard(&mut network, 100_000);
    assert_eq!(first, Address { node: client, binding: 0 });
    network.send(100_000, server, first, Opaque::new(91, 10)).unwrap();
    assert_eq!(network.pop(110_000).map(|one| one.packet.payload.id), Some(91));
    assert_eq!(heard(&mut network, 399_999), first);
    // Silent for 300 ms: another port, and the old one leads nowhere.
    let second = heard(&mut network, 700_000);
    assert_eq!(second.binding, 1);
    network.send(700_000, server, first, Opaque::new(92, 10)).unwrap();
    network.send(700_000, server, second, Opaque::new(93, 10)).unwrap();
    assert_eq!(network.pop(710_000).map(|one| one.packet.payload.id), Some(93));
    // The rebinding at 1 s catches what is still on its way.
    assert_eq!(heard(&mut network, 985_000), second);
    network.send(995_000, server, second, Opaque::new(94, 10)).unwrap();
    assert_eq!(network.pop(1_006_000), None);
    assert_eq!(heard(&mut network, 1_007_000).binding, 2);
    assert_eq!(network.counters(server, client).unwrap().lost(Cause::StaleBinding), 3);
    assert_eq!(network.counters(server, client).unwrap().delivered, 2);
}

#[test]
fn callers_mistakes_have_answers() {
    let mut network = Network::<Opaque>::new(1);
    let a = network.add("a").unwrap();
    let b = network.add("b").unwrap();
    let c = network.add("c").unwrap();
    let said = |error: cc_netem::NetworkError| error.to_string();
    assert_eq!(said(network.add("a").unwrap_err()), "a node is already called `a`");
    network.connect(0, a, b, &rough()).unwrap();
    assert_eq!(said(network.connect(0, b, a, &rough()).unwrap_err()), "nodes 1 and 0 are already connected");
    assert_eq!(said(network.connect(0, a, a, &rough()).unwrap_err()), "0 and 0 are no two nodes of this network");
    let lost = network.send(0, a, c.into(), Opaque::new(0, 1));
    assert_eq!(said(lost.unwrap_err()), "nodes 0 and 2 are not connected");
    network.send(0, a, b.into(), Opaque::new(0, 1)).unwrap();
    network.disconnect(b, a).unwrap();
    assert_eq!((network.next_timeout(), network.pop(u64::MAX)), (None, None));
    assert!(network.disconnect(a, b).is_err() && network.counters(a, b).is_err());
    assert_eq!((network.node("b"), network.name(c)), (Some(b), Some("c")));
}

#[test]
fn an_earlier_question_is_not_answered_with_later_packets() {
    let slow = cc_netem::Config { delay_ms: 50.0, ..cc_netem::Config::default() };
    let plan = std::sync::Arc::new(cc_netem::Plan::new(&slow).unwrap());
    let mut path = Path::new(&PathPlan { up: plan.clone(), down: plan, nat: None }, 1, "p", 0);
    path.push_down(0, 0, Opaque::new(1, 1));
    path.push_up(10_000, Opaque::new(2, 1));
    path.push_up(100_000, Opaque::new(3, 1));
    assert_eq!(path.pop(49_999), None);
    let ids: Vec<u64> = std::iter::from_fn(|| path.pop(149_999)).map(|one| one.packet.payload.id).collect();
    assert_eq!(ids, [1, 2]);
}
