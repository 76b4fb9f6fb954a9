//! GOAWAY on a single request's stream, and redirects: asked again here, or told with the place where it is to be asked.

use cc_engine::{Event, Place, Reason, Time, TrackKind};
use cc_session::{Event as Said, Refusal, Reply, Request, RequestKey};
use cc_wire::codes::{publish_done, request_error};
use cc_wire::{Params, Profile, Properties, Redirect, TrackName};

use crate::common::{client, track, Identity, World};
use crate::door::{drafts, name, ns, subscribe, Door};

const SECOND: Time = 1_000_000;
const SERVER: usize = 0;
const CLIENT: usize = 1;
const THERE: &str = "moqt://there:7777/main";

/// A server without an engine, and a client of ours with link 1 to it.
struct Room {
    world: World,
}

impl Room {
    fn new(profile: Profile) -> Room {
        let identity = Identity::new();
        let mut world = World::new();
        world.add_server(&identity, profile);
        world.add(client(7));
        world.open_link(CLIENT, 1, SERVER, &identity, Some(profile));
        let mut room = Room { world };
        room.run();
        room
    }

    fn run(&mut self) {
        self.world.run(SECOND / 2);
    }

    /// What the server was asked, and which of its requests ended, in order.
    fn asked(&mut self) -> Vec<Result<(RequestKey, Request), RequestKey>> {
        let heard = self.world.peer(SERVER).take().into_iter();
        heard
            .filter_map(|event| match event {
                Said::Request { key, request } => Some(Ok((key, request))),
                Said::Ended { key, .. } => Some(Err(key)),
                _ => None,
            })
            .collect()
    }

    /// The one request that the server was asked.
    fn one(&mut self) -> (RequestKey, Request) {
        let mut asked = self.asked();
        match (asked.pop(), asked.pop()) {
            (Some(Ok(one)), None) => one,
            other => panic!("{other:?}"),
        }
    }

    /// The request is ended by the client, and made again; each has a stream of its own.
    fn again(&mut self, before: RequestKey) -> (RequestKey, Request) {
        let (mut made, ended): (Vec<_>, Vec<_>) = self.asked().into_iter().partition(Result::is_ok);
        assert!(matches!(ended[..], [Err(key)] if key == before), "{ended:?}");
        assert_eq!(made.len(), 1, "{made:?}");
        made.remove(0).unwrap()
    }

    fn accept(&mut self, key: RequestKey, reply: Reply) {
        self.world.peer(SERVER).session.accept(key, reply).unwrap();
        self.run();
    }

    fn goaway(&mut self, key: RequestKey, uri: &str) {
        self.world.peer(SERVER).session.request_goaway(key, uri, 0).unwrap();
        self.run();
    }

    fn events(&mut self) -> Vec<Event> {
        self.world.events(CLIENT)
    }
}

fn subscribe_ok(alias: u64) -> Reply {
    Reply::SubscribeOk { alias, params: Params::default(), properties: Properties::default() }
}

fn ok() -> Reply {
    Reply::Ok { params: Params::default(), properties: Properties::default() }
}

fn there(track: TrackName) -> Option<Box<Redirect>> {
    Some(Box::new(Redirect { uri: THERE.into(), track }))
}

#[test]
fn a_subscription_without_a_place_is_asked_again_here() {
    for profile in drafts() {
        let mut room = Room::new(profile);
        room.world.subscribe_exact(CLIENT, 20, Place::Link(1), "g", "t");
        room.run();
        let (key, request) = room.one();
        room.accept(key, subscribe_ok(3));
        room.world.peer(SERVER).subgroup(3, 1, 0, 9, &[0], true);
        room.run();
        room.goaway(key, "");
        let (mut again, mut asked) = room.again(key);
        if profile == Profile::D18 {
            // The end of the first may come after it.
            let twice = Refusal::new(request_error::DUPLICATE_SUBSCRIPTION, "it is subscribed to");
            room.world.peer(SERVER).session.refuse(again, twice).unwrap();
            room.run();
            (again, asked) = room.one();
        }
        assert_eq!(asked, request, "{profile:?}");
        room.accept(again, subscribe_ok(4));
        room.world.peer(SERVER).subgroup(4, 2, 0, 9, &[0], true);
        room.run();
        let groups: Vec<u64> = room.world.frames(CLIENT).iter().map(|frame| frame.group).collect();
        assert_eq!(groups, [1, 2], "{profile:?}");
        let events = room.events();
        let over = |event: &&Event| matches!(event, Event::SubscribeRefused { .. } | Event::TrackEnded { .. });
        assert_eq!(events.iter().find(over), None, "{profile:?}");
        assert_eq!(events.iter().filter(|event| matches!(event, Event::SubscribeOk { .. })).count(), 1, "{profile:?}");
    }
}

#[test]
fn a_subscription_with_a_place_is_told_of_it_and_ends() {
    for profile in drafts() {
        for answered in [false, true] {
            let mut room = Room::new(profile);
            room.world.subscribe_exact(CLIENT, 20, Place::Link(1), "g", "t");
            room.run();
            let (key, _) = room.one();
            if answered {
                room.accept(key, subscribe_ok(3));
            }
            room.goaway(key, THERE);
            let asked = room.asked();
            assert!(matches!(asked[..], [Err(ended)] if ended == key), "{profile:?} {asked:?}");
            let told = room.events().into_iter().find_map(|event| match event {
                Event::SubscribeRefused { subscription: 20, reason, redirect, .. } => Some((reason, redirect)),
                _ => None,
            });
            assert_eq!(told, Some((Reason::Redirected, there(name("g", "t")))), "{profile:?} {answered}");
        }
    }
}

#[test]
fn a_prefix_is_asked_again_here_or_told_with_its_place() {
    for profile in drafts() {
        let mut room = Room::new(profile);
        room.world.subscribe(CLIENT, 20, Place::Link(1), "g", "");
        room.run();
        let (key, request) = room.one();
        room.accept(key, ok());
        room.goaway(key, "");
        let (again, asked) = room.again(key);
        assert_eq!(asked, request, "{profile:?}");
        room.accept(again, ok());
        assert!(!room.events().iter().any(|event| matches!(event, Event::SubscribeRefused { .. })), "{profile:?}");
        room.goaway(again, THERE);
        let asked = room.asked();
        assert!(matches!(asked[..], [Err(ended)] if ended == again), "{profile:?} {asked:?}");
        let told = room.events().into_iter().find_map(|event| match event {
            Event::SubscribeRefused { subscription: 20, reason, redirect, .. } => Some((reason, redirect)),
            _ => None,
        });
        // The names are the same there.
        assert_eq!(told, Some((Reason::Redirected, there(TrackName::default()))), "{profile:?}");
    }
}

#[test]
fn a_publication_is_published_again_here_or_told_with_its_place() {
    for profile in drafts() {
        let mut room = Room::new(profile);
        room.world.publish(CLIENT, 11, Place::Link(1), track("g", "t", TrackKind::Text, ""));
        room.run();
        let (key, _) = room.one();
        room.accept(key, ok());
        // Long enough for the link to be taken for one that has just come.
        room.world.run(20 * SECOND);
        room.goaway(key, "");
        let heard = room.world.peer(SERVER).take();
        let done = heard.iter().find_map(|event| match event {
            Said::Done { key: ended, code, .. } if *ended == key => Some(*code),
            _ => None,
        });
        assert_eq!(done, Some(publish_done::GOING_AWAY), "{profile:?} {heard:?}");
        let again = |heard: Vec<Said>| {
            heard.into_iter().find_map(|event| match event {
                Said::Request { key, request: Request::Publish { track, .. } } if track == name("g", "t") => Some(key),
                _ => None,
            })
        };
        // To a relay that is slow to forget it once more.
        let early = again(heard).unwrap();
        let no = Refusal::new(request_error::UNINTERESTED, "it is here already");
        room.world.peer(SERVER).session.refuse(early, no).unwrap();
        room.run();
        let later = again(room.world.peer(SERVER).take()).unwrap();
        room.accept(later, ok());
        assert!(!room.events().iter().any(|event| matches!(event, Event::PublishRefused { .. })), "{profile:?}");
        room.goaway(later, THERE);
        let told = room.events().into_iter().find_map(|event| match event {
            Event::PublishRefused { publication: 11, reason, redirect, .. } => Some((reason, redirect)),
            _ => None,
        });
        assert_eq!(told, Some((Reason::Redirected, there(name("g", "t")))), "{profile:?}");
        // A PUBLISH that is refused may say the same.
        room.world.publish(CLIENT, 12, Place::Link(1), track("g", "u", TrackKind::Text, ""));
        room.run();
        let (key, _) = room.world.peer(SERVER).take().into_iter().find_map(request).unwrap();
        let no = Refusal { redirect: there(name("h", "u")), ..Refusal::new(request_error::REDIRECT, "moved") };
        room.world.peer(SERVER).session.refuse(key, no).unwrap();
        room.run();
        let told = room.events().into_iter().find_map(|event| match event {
            Event::PublishRefused { publication: 12, reason, redirect, .. } => Some((reason, redirect)),
            _ => None,
        });
        assert_eq!(told, Some((Reason::Redirected, there(name("h", "u")))), "{profile:?}");
    }
}

/// A reader of a prefix that was too slow for a track asks for it by name, again where its relay has not yet forgotten it.
#[test]
fn a_track_of_a_prefix_that_is_asked_for_too_soon_is_asked_for_again() {
    let mut room = Room::new(Profile::D18);
    room.world.subscribe(CLIENT, 20, Place::Link(1), "g", "");
    room.run();
    let (watch, _) = room.one();
    room.accept(watch, ok());
    let mut properties = Properties::default();
    // Its kind.
    properties.insert(0x3804, TrackKind::Text as u64).unwrap();
    let publish = Request::Publish { track: name("g", "t"), alias: 3, params: Params::default(), properties };
    let now = room.world.now;
    let offered = room.world.peer(SERVER).ask(publish, now);
    room.run();
    room.world.peer(SERVER).session.done(offered, publish_done::TOO_FAR_BEHIND, Some(0), "").unwrap();
    room.run();
    for _ in 0..2 {
        let (key, asked) = room.one();
        assert!(matches!(asked, Request::Subscribe { track, .. } if track == name("g", "t")));
        let twice = Refusal::new(request_error::DUPLICATE_SUBSCRIPTION, "it is subscribed to");
        room.world.peer(SERVER).session.refuse(key, twice).unwrap();
        room.run();
    }
}

fn request(event: Said) -> Option<(RequestKey, Request)> {
    match event {
        Said::Request { key, request } => Some((key, request)),
        _ => None,
    }
}

/// What a relay asked of a publisher it asks again; its readers notice nothing.
#[test]
fn a_relay_asks_its_publisher_again() {
    for profile in drafts() {
        let mut door = Door::new(true);
        let (publisher, reader) = (door.stranger(profile), door.stranger(profile));
        door.ask(publisher, Request::PublishNamespace { namespace: ns("g"), params: Params::default() });
        let wanted = door.ask(reader, subscribe("g", "t", Params::default()));
        let (key, _) = door.world.peer(publisher).take().into_iter().find_map(request).unwrap();
        door.world.peer(publisher).session.accept(key, subscribe_ok(3)).unwrap();
        door.world.peer(publisher).subgroup(3, 1, 0, 9, &[0], true);
        door.world.run(SECOND / 10);
        door.world.peer(publisher).session.request_goaway(key, "", 0).unwrap();
        door.world.run(SECOND / 10);
        let heard = door.world.peer(publisher).take();
        assert!(heard.iter().any(|event| matches!(event, Said::Ended { key: ended, .. } if *ended == key)));
        let (again, asked) = heard.into_iter().find_map(request).unwrap();
        assert!(matches!(asked, Request::Subscribe { track, .. } if track == name("g", "t")), "{profile:?}");
        door.world.peer(publisher).session.accept(again, subscribe_ok(4)).unwrap();
        door.world.peer(publisher).subgroup(4, 2, 0, 9, &[0], true);
        door.world.run(SECOND / 10);
        let came: Vec<u64> = door.world.peer(reader).objects(wanted).iter().map(|place| place.group).collect();
        assert_eq!(came, [1, 2], "{profile:?}");
        let over = |event: &Said| matches!(event, Said::Done { .. } | Said::Ended { .. });
        assert!(!door.world.peer(reader).heard.iter().any(over), "{profile:?}");
    }
}

/// A publisher that has not heard yet that the SUBSCRIBE before is over refuses its repetition, as draft -18 has it.
#[test]
fn a_relay_s_repeated_subscribe_is_made_again_where_it_comes_too_soon() {
    for (times, code) in
        [(3, request_error::DUPLICATE_SUBSCRIPTION), (4, request_error::DUPLICATE_SUBSCRIPTION), (1, 0)]
    {
        let mut door = Door::new(true);
        let (publisher, reader) = (door.stranger(Profile::D18), door.stranger(Profile::D18));
        door.ask(publisher, Request::PublishNamespace { namespace: ns("g"), params: Params::default() });
        let wanted = door.ask(reader, subscribe("g", "t", Params::default()));
        let (key, asked) = door.world.peer(publisher).take().into_iter().find_map(request).unwrap();
        door.world.peer(publisher).session.accept(key, subscribe_ok(3)).unwrap();
        door.world.run(SECOND / 10);
        door.world.peer(publisher).session.request_goaway(key, "", 0).unwrap();
        door.world.run(SECOND / 10);
        for _ in 0..times {
            let (again, made) = door.world.peer(publisher).take().into_iter().find_map(request).unwrap();
            assert_eq!(made, asked);
            door.world.peer(publisher).session.refuse(again, Refusal::new(code, "not now")).unwrap();
            door.world.run(SECOND / 10);
        }
        let last = door.world.peer(publisher).take().into_iter().find_map(request);
        let over = door.world.peer(reader).heard.iter().find_map(|event| match event {
            Said::Done { key, code, .. } if *key == wanted => Some(*code),
            _ => None,
        });
        let Some((again, _)) = last else {
            // Its readers are told that the publisher is lost.
            assert_eq!((times == 3, over), (false, Some(0x3819)));
            continue;
        };
        assert_eq!((times, over), (3, None));
        door.world.peer(publisher).session.accept(again, subscribe_ok(4)).unwrap();
        door.world.peer(publisher).subgroup(4, 2, 0, 9, &[0], true);
        door.world.run(SECOND / 10);
        assert_eq!(door.world.peer(reader).objects(wanted).len(), 1);
    }
}

#[test]
fn a_prefix_that_the_relay_no_longer_serves_is_told_and_may_be_asked_for_again() {
    use cc_wire::codes::stream_reset;
    for profile in drafts() {
        for (code, why) in [
            (stream_reset::CANCELLED, Reason::Peer),
            (stream_reset::EXPIRED_AUTH_TOKEN, Reason::ExpiredToken),
            (stream_reset::GOING_AWAY, Reason::GoingAway),
        ] {
            let mut room = Room::new(profile);
            room.world.subscribe(CLIENT, 20, Place::Link(1), "g", "");
            room.run();
            let (key, request) = room.one();
            room.accept(key, ok());
            room.world.peer(SERVER).session.cancel(key, code).unwrap();
            room.run();
            let told = room.events().into_iter().find_map(|event| match event {
                Event::SubscribeRefused { subscription: 20, reason, redirect, .. } => Some((reason, redirect)),
                _ => None,
            });
            assert_eq!(told, Some((why, None)), "{profile:?}");
            room.world.subscribe(CLIENT, 21, Place::Link(1), "g", "");
            room.run();
            assert_eq!(room.one().1, request, "{profile:?}");
        }
    }
}
