//! Names, watches, scopes: the rules, and a directory against lists that are searched through.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cc_fanout::directory::*;
use cc_wire::{Namespace, TrackName};
use proptest::prelude::*;

fn space(text: &str) -> Namespace {
    Namespace::parse(text).unwrap()
}

fn name(namespace: &str, name: &str) -> TrackName {
    TrackName { namespace: space(namespace), name: Bytes::copy_from_slice(name.as_bytes()) }
}

fn tag(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn capable(text: &str) -> Option<Capability> {
    Some(Capability { tag: tag(text), hash: cc_wire::capability_hash(text) })
}

fn want(text: &str) -> Want {
    Want { capability: (!text.is_empty()).then(|| tag(text)) }
}

fn names(directory: &Directory<u32>, ids: &[TrackId]) -> Vec<String> {
    ids.iter().map(|&id| directory.track(id).unwrap().name.to_string()).collect()
}

#[test]
fn a_name_belongs_to_one_owner_at_a_time() {
    let mut directory = Directory::new();
    let first = directory.add_track(name("a/b", "t"), None, 1u32).unwrap();
    assert_eq!(directory.add_track(name("a/b", "t"), None, 2), Err(Exists(first)));
    assert_eq!(directory.find(&name("a/b", "t")), Some(first));
    assert_eq!(directory.find(&name("a", "b")), None, "a field is no name");
    assert_eq!(directory.remove_track(first).map(|track| track.owner), Some(1));
    assert_eq!(directory.remove_track(first), None);
    let second = directory.add_track(name("a/b", "t"), None, 2).unwrap();
    assert_ne!(first, second);
    assert_eq!(directory.track(first), None);
}

#[test]
fn a_watch_matches_by_whole_fields_and_by_capability() {
    let mut directory = Directory::new();
    let game = directory.add_track(name("games/room1", "a"), capable("netcode.v1"), 1u32).unwrap();
    let other = directory.add_track(name("games/room10", "a"), capable("netcode.v1"), 1).unwrap();
    let plain = directory.add_track(name("games/room1/sub", "a"), None, 1).unwrap();
    let any = directory.add_watch(space("games/room1"), want(""), 10);
    let code = directory.add_watch(space("games"), want("netcode.v1"), 11);
    let voice = directory.add_watch(space(""), want("voice"), 12);
    assert_eq!(directory.tracks_for(any), [game, plain]);
    assert_eq!(directory.tracks_for(code), [game, other]);
    assert_eq!(directory.tracks_for(voice), []);
    assert_eq!(directory.watches_for(game), [(10, any), (11, code)]);
    assert_eq!(directory.watches_for(other), [(11, code)]);
    assert_eq!(directory.watches_for(plain), [(10, any)]);
}

#[test]
fn each_watcher_is_named_once_with_its_shortest_prefix() {
    let mut directory = Directory::new();
    let long = directory.add_watch(space("a/b"), want(""), 1u32);
    let short = directory.add_watch(space("a"), want("x"), 1);
    let again = directory.add_watch(space("a"), want("x"), 1);
    let track = directory.add_track(name("a/b", "t"), capable("x"), 9).unwrap();
    assert_eq!(directory.watches_for(track), [(1, short.min(again))]);
    assert!(directory.remove_watch(short) && directory.remove_watch(again));
    assert!(!directory.remove_watch(again));
    assert_eq!(directory.watches_for(track), [(1, long)]);
}

#[test]
fn tracks_come_in_name_order() {
    let mut directory = Directory::new();
    for (namespace, leaf) in [("b", "1"), ("a/c", "2"), ("a", "9"), ("a", "1"), ("", "z"), ("a/b", "3")] {
        directory.add_track(name(namespace, leaf), None, 1u32).unwrap();
    }
    let all = directory.tracks_under(&space(""));
    let mut sorted: Vec<TrackName> = all.iter().map(|&id| directory.track(id).unwrap().name.clone()).collect();
    let found = sorted.clone();
    sorted.sort();
    assert_eq!((found.len(), &found), (6, &sorted));
    assert_eq!(names(&directory, &directory.tracks_under(&space("a/b"))).len(), 1);
    assert_eq!(directory.tracks_under(&space("x")), []);
}

#[test]
fn namespaces_are_found_by_prefix_and_the_longest_announced_one_serves_a_track() {
    let mut directory = Directory::new();
    assert!(directory.announce(&space("games"), 1u32));
    assert!(!directory.announce(&space("games"), 1));
    assert!(directory.announce(&space("games"), 2));
    assert!(directory.announce(&space("games/room1"), 3));
    assert_eq!(directory.namespaces_under(&space("")), [space("games"), space("games/room1")]);
    assert_eq!(directory.announcers(&name("games/room1/up", "x")), Some((&space("games/room1"), vec![3])));
    assert_eq!(directory.announcers(&name("games/room2", "x")), Some((&space("games"), vec![1, 2])));
    assert_eq!(directory.announcers(&name("chat", "x")), None);
    assert!(directory.withdraw(&space("games"), 1) && !directory.withdraw(&space("games"), 1));
    assert_eq!(directory.owners(&space("games")), [2]);
    assert!(directory.withdraw(&space("games"), 2));
    assert_eq!(directory.announcers(&name("games/room2", "x")), None);
    assert_eq!(directory.namespaces_under(&space("games")), [space("games/room1")]);

    assert!(directory.watch_namespaces(&space("games"), 7) && !directory.watch_namespaces(&space("games"), 7));
    assert!(directory.watch_namespaces(&space("games/room1"), 7));
    assert!(directory.watch_namespaces(&space("games/room2"), 8));
    assert_eq!(directory.namespace_watchers(&space("games/room1")), [7]);
    assert!(directory.unwatch_namespaces(&space("games"), 7) && !directory.unwatch_namespaces(&space("games"), 7));
    assert_eq!(directory.namespace_watchers(&space("games/room2")), [8]);
}

#[test]
fn a_peer_that_leaves_takes_its_own_along() {
    let mut directory = Directory::new();
    for peer in [1u32, 2] {
        directory.add_track(name("a", &format!("{peer}")), None, peer).unwrap();
        directory.add_watch(space("a"), want(""), peer);
        directory.announce(&space("a"), peer);
        directory.watch_namespaces(&space("a"), peer);
    }
    assert_eq!(directory.tracks_of(1), [directory.find(&name("a", "1")).unwrap()]);
    directory.remove_peer(1);
    assert_eq!(directory.holdings(1), Holdings::default());
    assert_eq!(directory.holdings(2), Holdings { tracks: 1, watches: 1, namespaces: 1, namespace_watches: 1 });
    assert_eq!((directory.owners(&space("a")), directory.namespace_watchers(&space("a"))), (vec![2], vec![2]));
    assert_eq!(directory.namespaces_of(2), [space("a")]);
    let left = directory.tracks_under(&space(""));
    assert_eq!(directory.watches_for(left[0]).len(), 1);
    directory.remove_peer(1);
}

#[test]
fn few_answers_are_found_among_many_names() {
    let mut directory = Directory::new();
    for number in 0..10_000u32 {
        let capability = if number % 5_000 == 0 { capable("voice") } else { capable("netcode.v1") };
        directory
            .add_track(name(&format!("games/room{}", number % 100), &format!("{number}")), capability, number)
            .unwrap();
    }
    let watches: Vec<WatchId> = (0..1_000u32)
        .map(|number| directory.add_watch(space(&format!("games/room{}", number % 100)), want("voice"), number))
        .collect();
    // Ten million pairs a round: a scan of all tracks for each question would take minutes.
    let found: usize = (0..100).flat_map(|_| &watches).map(|&watch| directory.tracks_for(watch).len()).sum();
    assert_eq!(found, 100 * 20);
    let ids = directory.tracks_under(&space("games"));
    assert_eq!(ids.iter().map(|&id| directory.watches_for(id).len()).sum::<usize>(), 20);
}

#[test]
fn prefixes_overlap_if_one_begins_the_other() {
    for (a, b, expected) in [
        ("", "a", true),
        ("a", "a/b", true),
        ("a/b", "a", true),
        ("a/b", "a/c", false),
        ("a", "ab", false),
        ("a", "a", true),
    ] {
        assert_eq!(overlaps(&space(a), &space(b)), expected, "{a} {b}");
    }
}

#[test]
fn a_scope_covers_paths_of_whole_fields() {
    let scope = Scope::parse("games/room1\n\nchat/all/c7\n").unwrap();
    assert!(scope.allows_track(&name("games/room1", "x")));
    assert!(scope.allows_track(&name("games", "room1")), "the name is the path's last field");
    assert!(scope.allows_track(&name("chat/all", "c7")));
    assert!(!scope.allows_track(&name("chat/all", "c8")));
    assert!(!scope.allows_track(&name("games/room10", "x")));
    assert!(!scope.allows_track(&name("games", "")));
    for (prefix, expected) in [
        ("games/room1", Coverage::Whole),
        ("games/room1/up", Coverage::Whole),
        ("games", Coverage::Part),
        ("", Coverage::Part),
        ("chat/all", Coverage::Part),
        ("chat/all/c7", Coverage::Whole),
        ("games/room2", Coverage::None),
    ] {
        assert_eq!(scope.allows_prefix(&space(prefix)), expected, "{prefix}");
    }
    assert_eq!(Scope::default().allows_prefix(&space("")), Coverage::None);
    assert!(!Scope::default().allows_track(&name("a", "b")));
    assert_eq!(Scope::parse("/").unwrap(), Scope::everything());
    assert_eq!(Scope::everything().allows_prefix(&space("")), Coverage::Whole);
    assert!(Scope::parse("a%2Fb").unwrap().allows_track(&TrackName { namespace: space("a%2Fb"), name: tag("x") }));
    assert!(!Scope::parse("a%2Fb").unwrap().allows_track(&name("a/b", "x")));
}

#[test]
fn a_scope_that_is_wrong_says_where() {
    assert_eq!(Scope::parse("ok\na//b"), Err(ScopeError::EmptyField { line: 2 }));
    assert_eq!(Scope::parse("/a"), Err(ScopeError::EmptyField { line: 1 }));
    assert_eq!(Scope::parse("a/"), Err(ScopeError::EmptyField { line: 1 }));
    assert_eq!(Scope::parse("a/%zz"), Err(ScopeError::BadEscape { line: 1 }));
    assert_eq!(Scope::parse(&vec!["a"; 34].join("/")), Err(ScopeError::TooLong { line: 1 }));
    assert_eq!(Scope::parse(&"x".repeat(4097)), Err(ScopeError::TooLong { line: 1 }));
    assert!(Scope::parse(&vec!["a"; 33].join("/")).is_ok());
    assert_eq!(Scope::parse(&"a\n".repeat(65)), Err(ScopeError::TooManyGrants));
    assert!(Scope::parse(&"a\n".repeat(64)).is_ok());
    assert_eq!(
        Scope::parse("a//b").unwrap_err().to_string(),
        "grant 1 has an empty field; write a/b/c, or / for everything"
    );
    assert!(Grant::new(vec![Bytes::new()]).is_none());
    assert!(Grant::new(vec![tag("a"); 33]).is_some() && Grant::new(vec![tag("a"); 34]).is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Add { namespace: String, leaf: u8, capability: Option<u8>, owner: u32 },
    Remove { at: usize },
    Watch { prefix: String, capability: Option<u8>, watcher: u32 },
    Unwatch { at: usize },
    Announce { namespace: String, owner: u32 },
    Withdraw { namespace: String, owner: u32 },
    WatchSpaces { prefix: String, watcher: u32 },
    UnwatchSpaces { prefix: String, watcher: u32 },
    Leave { peer: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = || {
        prop::collection::vec(0u8..3, 0..4)
            .prop_map(|fields| fields.iter().map(u8::to_string).collect::<Vec<_>>().join("/"))
    };
    let tag = || prop::option::of(0u8..3);
    let step = prop_oneof![
        6 => (path(), 0u8..3, tag(), 0u32..4)
            .prop_map(|(namespace, leaf, capability, owner)| Step::Add { namespace, leaf, capability, owner }),
        3 => (0usize..30).prop_map(|at| Step::Remove { at }),
        4 => (path(), tag(), 0u32..4).prop_map(|(prefix, capability, watcher)| Step::Watch { prefix, capability, watcher }),
        2 => (0usize..30).prop_map(|at| Step::Unwatch { at }),
        4 => (path(), 0u32..4).prop_map(|(namespace, owner)| Step::Announce { namespace, owner }),
        3 => (path(), 0u32..4).prop_map(|(namespace, owner)| Step::Withdraw { namespace, owner }),
        3 => (path(), 0u32..4).prop_map(|(prefix, watcher)| Step::WatchSpaces { prefix, watcher }),
        2 => (path(), 0u32..4).prop_map(|(prefix, watcher)| Step::UnwatchSpaces { prefix, watcher }),
        1 => (0u32..4).prop_map(|peer| Step::Leave { peer }),
    ];
    prop::collection::vec(step, 1..80)
}

#[derive(Default)]
struct Lists {
    tracks: BTreeMap<TrackName, (TrackId, Option<u8>, u32)>,
    watches: BTreeMap<WatchId, (Namespace, Option<u8>, u32)>,
    announced: BTreeSet<(Namespace, u32)>,
    watched: BTreeSet<(Namespace, u32)>,
}

fn apply(directory: &mut Directory<u32>, lists: &mut Lists, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Add { namespace, leaf, capability, owner } => {
            let name = name(&namespace, &leaf.to_string());
            let added = directory.add_track(name.clone(), capability.and_then(|tag| capable(&tag.to_string())), owner);
            match lists.tracks.get(&name) {
                Some(taken) => prop_assert_eq!(added, Err(Exists(taken.0))),
                None => drop(lists.tracks.insert(name, (added.unwrap(), capability, owner))),
            }
        }
        Step::Remove { at } => {
            if let Some((name, track)) = lists.tracks.clone().into_iter().nth(at) {
                lists.tracks.remove(&name);
                prop_assert_eq!(directory.remove_track(track.0).map(|gone| gone.name), Some(name));
            }
        }
        Step::Watch { prefix, capability, watcher } => {
            let want = Want { capability: capability.map(|capability| tag(&capability.to_string())) };
            let id = directory.add_watch(space(&prefix), want, watcher);
            lists.watches.insert(id, (space(&prefix), capability, watcher));
        }
        Step::Unwatch { at } => {
            if let Some(&id) = lists.watches.keys().nth(at) {
                lists.watches.remove(&id);
                prop_assert!(directory.remove_watch(id));
            }
        }
        Step::Announce { namespace, owner } => {
            let new = lists.announced.insert((space(&namespace), owner));
            prop_assert_eq!(directory.announce(&space(&namespace), owner), new);
        }
        Step::Withdraw { namespace, owner } => {
            let known = lists.announced.remove(&(space(&namespace), owner));
            prop_assert_eq!(directory.withdraw(&space(&namespace), owner), known);
        }
        Step::WatchSpaces { prefix, watcher } => {
            let new = lists.watched.insert((space(&prefix), watcher));
            prop_assert_eq!(directory.watch_namespaces(&space(&prefix), watcher), new);
        }
        Step::UnwatchSpaces { prefix, watcher } => {
            let known = lists.watched.remove(&(space(&prefix), watcher));
            prop_assert_eq!(directory.unwatch_namespaces(&space(&prefix), watcher), known);
        }
        Step::Leave { peer } => {
            directory.remove_peer(peer);
            lists.tracks.retain(|_, track| track.2 != peer);
            lists.watches.retain(|_, watch| watch.2 != peer);
            lists.announced.retain(|entry| entry.1 != peer);
            lists.watched.retain(|entry| entry.1 != peer);
        }
    }
    Ok(())
}

fn compare(directory: &Directory<u32>, lists: &Lists) -> Result<(), TestCaseError> {
    for (id, (prefix, capability, _)) in &lists.watches {
        let expected: Vec<TrackId> = lists
            .tracks
            .iter()
            .filter(|(name, track)| {
                name.namespace.starts_with(prefix) && (capability.is_none() || *capability == track.1)
            })
            .map(|(_, track)| track.0)
            .collect();
        prop_assert_eq!(directory.tracks_for(*id), expected);
    }
    for (name, (id, capability, _)) in &lists.tracks {
        let expected: BTreeSet<u32> = lists
            .watches
            .values()
            .filter(|(prefix, want, _)| name.namespace.starts_with(prefix) && (want.is_none() || want == capability))
            .map(|watch| watch.2)
            .collect();
        let found: Vec<u32> = directory.watches_for(*id).into_iter().map(|(watcher, _)| watcher).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        let best = lists.announced.iter().filter(|entry| name.namespace.starts_with(&entry.0)).map(|entry| &entry.0);
        let best = best.max_by_key(|namespace| namespace.len());
        let expected = best
            .map(|best| (best, lists.announced.iter().filter(|entry| entry.0 == *best).map(|entry| entry.1).collect()));
        prop_assert_eq!(directory.announcers(name), expected);
    }
    for prefix in ["", "0", "1/2", "2/0/1"].map(space) {
        let tracks: Vec<TrackId> = lists
            .tracks
            .iter()
            .filter(|(name, _)| name.namespace.starts_with(&prefix))
            .map(|(_, track)| track.0)
            .collect();
        prop_assert_eq!(directory.tracks_under(&prefix), tracks);
        let mut spaces: Vec<Namespace> = lists
            .announced
            .iter()
            .map(|entry| entry.0.clone())
            .filter(|namespace| namespace.starts_with(&prefix))
            .collect();
        spaces.dedup();
        prop_assert_eq!(directory.namespaces_under(&prefix), spaces);
        let watchers: BTreeSet<u32> =
            lists.watched.iter().filter(|entry| prefix.starts_with(&entry.0)).map(|entry| entry.1).collect();
        prop_assert_eq!(directory.namespace_watchers(&prefix), watchers.into_iter().collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_directory_does_as_lists_do(steps in steps()) {
        let (mut directory, mut lists) = (Directory::new(), Lists::default());
        for step in steps {
            apply(&mut directory, &mut lists, step)?;
            compare(&directory, &lists)?;
        }
    }
}
