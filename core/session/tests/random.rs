//! The same events however the bytes arrive, and order kept whatever the owners do.

mod util;

use std::collections::BTreeMap;

use cc_session::{CommandError, DataKey, Dir, Event, Refusal, Request, RequestKey, Transport};
use cc_wire::{Params, Profile};
use proptest::prelude::*;
use util::*;

fn script(pair: &mut Pair) -> [Vec<Event>; 2] {
    let mut all = [Vec::new(), Vec::new()];
    let (ours, theirs) = pair.subscription();
    let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"one", b"", &[3; 300]]));
    pair.finish(SERVER, id);
    pair.run();
    let request = Request::SubscribeNamespace { prefix: namespace("a"), params: Params::default() };
    all[CLIENT].extend(pair.take(CLIENT));
    let (_, names) = pair.granted(CLIENT, request, ok());
    for n in 0..20 {
        pair.sessions[SERVER].namespace(names, namespace(&format!("n{n}"))).unwrap();
        pair.sessions[SERVER].namespace_done(names, namespace(&format!("n{n}"))).unwrap();
    }
    pair.run();
    for _ in 0..5 {
        pair.sessions[CLIENT].update(ours, Params::default()).unwrap();
    }
    pair.run();
    for _ in 0..5 {
        pair.sessions[SERVER].answer_update(theirs, Ok(Params::default())).unwrap();
    }
    pair.run();
    pair.sessions[SERVER].done(theirs, 2, Some(1), "over").unwrap();
    pair.sessions[SERVER].goaway("moqt://next", 9).unwrap();
    pair.run();
    for side in [CLIENT, SERVER] {
        all[side].extend(pair.take(side));
    }
    all
}

/// What was told, in words. The key of the one data stream may be another: a control stream that is found at once takes
/// none.
fn texts(told: &[Vec<Event>; 2]) -> [Vec<String>; 2] {
    let text = |event: &Event| format!("{event:?}").replace("data 0.1", "data 0.0");
    told.each_ref().map(|events| events.iter().map(text).collect())
}

#[test]
fn byte_by_byte_is_the_same_as_whole() {
    for profile in Profile::PREFERRED {
        let whole = script(&mut Pair::at(profile));
        for (window, step) in [(1 << 20, 1), (1000, 7), (1 << 20, 100)] {
            let mut pair = Pair::up(Options { profile, window, step, ..Options::default() });
            let mut pieces = script(&mut pair);
            // GOAWAY and PUBLISH_DONE are on two streams and may overtake each other.
            let last = pieces[CLIENT].len() - 2;
            if pieces[CLIENT][last..] != whole[CLIENT][last..] {
                pieces[CLIENT][last..].reverse();
            }
            assert_eq!(texts(&pieces), texts(&whole), "{profile:?}, {step} at a time");
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Ask {
        side: usize,
        kind: u8,
    },
    Accept {
        side: usize,
        at: usize,
    },
    Refuse {
        side: usize,
        at: usize,
    },
    Update {
        side: usize,
        at: usize,
    },
    AnswerUpdate {
        side: usize,
        at: usize,
        yes: bool,
    },
    Done {
        side: usize,
        at: usize,
        count: Option<u64>,
    },
    Namespace {
        side: usize,
        at: usize,
    },
    Cancel {
        side: usize,
        at: usize,
    },
    Stream {
        side: usize,
        alias: u64,
        objects: usize,
        fin: bool,
    },
    End {
        at: usize,
        fin: bool,
    },
    StopData {
        side: usize,
        at: usize,
    },
    Datagram {
        to: usize,
        alias: u64,
    },
    Turns(usize),
    /// The same, with events left unpolled until the next operation is done.
    Unpolled(usize),
    Wait(u64),
    Credit {
        side: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let side = 0..2usize;
    let at = 0..24usize;
    let key = || (side.clone(), at.clone());
    prop_oneof![
        4 => (side.clone(), 0..7u8).prop_map(|(side, kind)| Op::Ask { side, kind }),
        4 => key().prop_map(|(side, at)| Op::Accept { side, at }),
        1 => key().prop_map(|(side, at)| Op::Refuse { side, at }),
        2 => key().prop_map(|(side, at)| Op::Update { side, at }),
        2 => (key(), any::<bool>()).prop_map(|((side, at), yes)| Op::AnswerUpdate { side, at, yes }),
        2 => (key(), prop::option::of(0..4u64)).prop_map(|((side, at), count)| Op::Done { side, at, count }),
        1 => key().prop_map(|(side, at)| Op::Namespace { side, at }),
        2 => key().prop_map(|(side, at)| Op::Cancel { side, at }),
        4 => (side.clone(), 0..12u64, 0..4usize, any::<bool>())
            .prop_map(|(side, alias, objects, fin)| Op::Stream { side, alias, objects, fin }),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, fin)| Op::End { at, fin }),
        1 => key().prop_map(|(side, at)| Op::StopData { side, at }),
        2 => (side.clone(), 0..12u64).prop_map(|(to, alias)| Op::Datagram { to, alias }),
        6 => (1..6usize).prop_map(Op::Turns),
        4 => (1..6usize).prop_map(Op::Unpolled),
        1 => (0..3_000_000u64).prop_map(Op::Wait),
        1 => side.prop_map(|side| Op::Credit { side }),
    ]
}

/// What an owner knows from commands and events alone.
#[derive(Default)]
struct Owner {
    /// Requests in order of appearance, and whether they live.
    keys: Vec<(RequestKey, bool)>,
    /// Whose stream, and whether it goes on.
    data: BTreeMap<DataKey, (RequestKey, bool)>,
    /// Kinds that a refused update ends.
    of_names: Vec<RequestKey>,
}

impl Owner {
    fn live(&mut self, key: RequestKey) -> &mut bool {
        let entry = self.keys.iter_mut().find(|entry| entry.0 == key);
        &mut entry.expect("an event about a request that nobody made").1
    }

    fn end(&mut self, key: RequestKey) {
        let live = self.live(key);
        assert!(*live, "{key:?} ends twice");
        *live = false;
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Fatal { code, reason } => panic!("fatal without a breach: {code:#x} {reason}"),
            Event::Request { key, request } => {
                assert!(self.keys.iter().all(|entry| entry.0 != *key), "{key:?} again");
                self.keys.push((*key, true));
                self.note(*key, request);
            }
            Event::Refused { key, .. } | Event::Done { key, .. } | Event::Ended { key, .. } => {
                self.end(*key);
                assert!(self.data.values().all(|(of, open)| of != key || !open), "streams after their request");
            }
            Event::SubgroupStart { data, key, .. } => {
                assert!(*self.live(*key), "a stream for a dead request");
                assert!(self.data.insert(*data, (*key, true)).is_none(), "{data:?} again");
            }
            Event::Object { data, .. } => assert!(self.data[data].1, "an object after the end"),
            Event::SubgroupEnd { data, .. } => {
                let entry = self.data.get_mut(data).expect("an end without a start");
                assert!(entry.1, "{data:?} ends twice");
                entry.1 = false;
            }
            Event::Accepted { key, .. }
            | Event::Update { key, .. }
            | Event::UpdateAnswered { key, .. }
            | Event::Namespace { key, .. }
            | Event::NamespaceDone { key, .. }
            | Event::Whole { key, .. }
            | Event::Datagram { key, .. } => assert!(*self.live(*key), "{event:?} of a dead request"),
            other => panic!("not to be expected: {other:?}"),
        }
    }

    fn note(&mut self, key: RequestKey, request: &Request) {
        use Request::{PublishNamespace, SubscribeNamespace, SubscribeTracks};
        if matches!(request, PublishNamespace { .. } | SubscribeNamespace { .. } | SubscribeTracks { .. }) {
            self.of_names.push(key);
        }
    }
}

struct World {
    pair: Pair,
    owners: [Owner; 2],
    streams: Vec<(usize, cc_session::StreamId)>,
    made: u64,
}

impl World {
    fn observe(&mut self) {
        for side in [CLIENT, SERVER] {
            for event in self.pair.take(side) {
                self.owners[side].event(&event);
            }
        }
    }

    /// A key, live or not, with what it is known to be.
    fn key(&self, side: usize, at: usize) -> Option<(RequestKey, bool)> {
        let keys = &self.owners[side].keys;
        // Recent ones, or most are long dead.
        let recent = keys.len().min(8);
        (recent > 0).then(|| keys[keys.len() - 1 - at % recent])
    }

    fn command(
        &mut self,
        side: usize,
        at: usize,
        ends: bool,
        f: impl FnOnce(&mut cc_session::Session, RequestKey) -> Result<(), CommandError>,
    ) {
        let Some((key, live)) = self.key(side, at) else { return };
        let result = f(&mut self.pair.sessions[side], key);
        if !live {
            assert_eq!(result, Err(CommandError::Gone), "a command on a dead key");
        } else if result.is_ok() && ends {
            self.owners[side].end(key);
            // The end of its streams is told yet; nothing else is.
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Ask { side, kind } => {
                self.made += 1;
                let name = self.made.to_string();
                let request = match kind {
                    0 | 1 => subscribe("a", &name),
                    2 | 3 => publish("a", &name, self.made % 12),
                    4 => Request::PublishNamespace { namespace: namespace("a"), params: Params::default() },
                    5 => Request::SubscribeNamespace { prefix: namespace("a"), params: Params::default() },
                    _ => Request::TrackStatus { track: track("a", &name), params: Params::default() },
                };
                // An alias may be used for one track at a time.
                if matches!(kind, 2 | 3) && self.made >= 12 {
                    return;
                }
                if let Ok(key) = self.pair.sessions[side].request(request.clone(), self.pair.now) {
                    self.owners[side].keys.push((key, true));
                    self.owners[side].note(key, &request);
                }
            }
            Op::Accept { side, at } => {
                let Some((key, live)) = self.key(side, at) else { return };
                self.made += 1;
                let alias = 100 + self.made;
                for reply in [subscribe_ok(alias), ok()] {
                    let result = self.pair.sessions[side].accept(key, reply);
                    assert!(live || result == Err(CommandError::Gone));
                    let over = self.pair.sessions[side].request_id(key).is_none();
                    if live && result.is_ok() {
                        if over {
                            self.owners[side].end(key);
                        }
                        return;
                    }
                }
            }
            Op::Refuse { side, at } => {
                self.command(side, at, true, |s, k| s.refuse(k, Refusal::new(1, "no")));
            }
            Op::Update { side, at } => self.command(side, at, false, |s, k| s.update(k, Params::default())),
            Op::AnswerUpdate { side, at, yes } => {
                let Some((key, _)) = self.key(side, at) else { return };
                let ends = !yes && self.owners[side].of_names.contains(&key);
                let answer = if yes { Ok(Params::default()) } else { Err(Refusal::new(1, "no")) };
                self.command(side, at, ends, |s, k| s.answer_update(k, answer));
            }
            Op::Done { side, at, count } => self.command(side, at, true, |s, k| s.done(k, 2, count, "over")),
            Op::Namespace { side, at } => {
                let suffix = namespace(&format!("n{}", self.made));
                self.command(side, at, false, |s, k| {
                    s.namespace(k, suffix.clone())?;
                    s.namespace_done(k, suffix)
                });
            }
            Op::Cancel { side, at } => self.command(side, at, true, |s, k| s.cancel(k, 1)),
            Op::Stream { side, alias, objects, fin } => {
                // Aliases given by PUBLISH, by SUBSCRIBE_OK, and by nobody.
                let alias = if alias % 2 == 0 { alias } else { 100 + alias + self.made.saturating_sub(8) };
                let payloads = vec![&b"object"[..]; objects];
                let bytes = subgroup_bytes(alias, self.made, &payloads);
                let mut end = self.pair.net.end(side);
                let Some(id) = end.open(Dir::Uni) else { return };
                match end.write(id, &bytes) {
                    Ok(n) if n == bytes.len() && fin => end.finish(id),
                    Ok(n) if n == bytes.len() => self.streams.push((side, id)),
                    _ => end.reset(id, 2),
                }
            }
            Op::End { at, fin } => {
                if !self.streams.is_empty() {
                    let (side, id) = self.streams.swap_remove(at % self.streams.len());
                    let mut end = self.pair.net.end(side);
                    if fin {
                        end.finish(id);
                    } else {
                        end.reset(id, 2);
                    }
                }
            }
            Op::StopData { side, at } => {
                let owner = &mut self.owners[side];
                if let Some((data, entry)) = owner.data.iter_mut().rev().nth(at % 4) {
                    self.pair.sessions[side].stop_data(*data, 1);
                    entry.1 = false;
                }
            }
            Op::Datagram { to, alias } => self.pair.datagram(to, datagram_bytes(alias, 1, b"frame").1),
            Op::Turns(n) => (0..n).for_each(|_| {
                self.pair.turn();
            }),
            Op::Unpolled(n) => {
                self.pair.unpolled = true;
                (0..n).for_each(|_| {
                    self.pair.turn();
                });
                self.pair.unpolled = false;
                return;
            }
            Op::Wait(us) => self.pair.run_until(self.pair.now + us),
            Op::Credit { side } => {
                self.pair.net.grant(side, Dir::Bi, 5);
                self.pair.net.grant(side, Dir::Uni, 5);
            }
        }
        for side in [CLIENT, SERVER] {
            self.pair.poll(side);
        }
        self.observe();
    }

    /// Everything is ended; then nothing is left.
    fn wind_up(mut self) {
        for (side, id) in std::mem::take(&mut self.streams) {
            self.pair.net.end(side).finish(id);
        }
        for side in [CLIENT, SERVER] {
            self.pair.net.grant(side, Dir::Bi, 1000);
            self.pair.net.grant(side, Dir::Uni, 1000);
        }
        self.pair.run();
        self.observe();
        for side in [CLIENT, SERVER] {
            for n in 0..self.owners[side].keys.len() {
                let (key, live) = self.owners[side].keys[n];
                let result = self.pair.sessions[side].cancel(key, 1);
                assert_eq!(result.is_ok(), live, "{key:?}: {result:?}");
                if live {
                    self.owners[side].end(key);
                }
            }
        }
        self.pair.run_until(self.pair.now + 60_000_000);
        self.observe();
        for owner in &self.owners {
            assert!(owner.keys.iter().all(|entry| !entry.1), "a request without an end");
            assert!(owner.data.values().all(|entry| !entry.1), "a stream without an end");
        }
        for session in &self.pair.sessions {
            assert_eq!((session.open_requests(), session.poll_timeout()), (0, None));
            assert_eq!(session.held(), Default::default());
        }
        assert_eq!(self.pair.net.unclosed(), 2, "streams left open");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_owners_do(
        ops in prop::collection::vec(op(), 1..120),
        newer in any::<bool>(),
        window in prop_oneof![Just(300usize), Just(1 << 20)],
        step in prop_oneof![Just(1usize), Just(20), Just(usize::MAX)],
        credit in prop_oneof![Just(2u64), Just(1000)],
    ) {
        let profile = if newer { Profile::D22 } else { Profile::D18 };
        let pair = Pair::up(Options { profile, window, step, credit, ..Options::default() });
        let mut world = World { pair, owners: Default::default(), streams: Vec::new(), made: 0 };
        for op in ops {
            world.apply(op);
        }
        world.wind_up();
    }

    /// What a stranger sends is answered by events or by a fatal error, never by a panic.
    #[test]
    fn whatever_a_stranger_sends(
        chunks in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60), any::<bool>()), 1..20),
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5),
        first in prop::sample::select(vec![0x03u8, 0x1d, 0x16, 0x0d, 0x06, 0x50, 0x51, 0x10, 0x30, 0x05]),
    ) {
        let mut pair = Pair::at(Profile::D22);
        pair.subscription();
        for (uni, mut bytes, fin) in chunks {
            bytes.insert(0, first);
            let dir = if uni { Dir::Uni } else { Dir::Bi };
            let id = pair.stream(SERVER, dir, &bytes);
            if fin {
                pair.finish(SERVER, id);
            }
            pair.run();
        }
        for bytes in datagrams {
            pair.datagram(CLIENT, bytes);
            pair.run();
        }
        let fatal = pair.take(CLIENT).iter().filter(|event| matches!(event, Event::Fatal { .. })).count();
        prop_assert!(fatal <= 1);
    }
}
