//! Parameters and filters written down byte by byte, what the drafts refuse of them, and how updates merge.

use bytes::Bytes;
use cc_wire::{Error, Filter, Location, Message, Params, Profile, Range, RangeFilter, RangeKind, RangeRule, Token};
use Profile::{D18, D20, D21, D22};

use crate::written::{framed, ns, refused, same, unwritable, ALL, NEW, TRACK};

#[test]
fn filters_at_each_draft() {
    let start = Location { group: 5, object: 6 };
    let end = Location { group: 7, object: 9 };
    type Form = Option<&'static [u8]>;
    let forms: [(Filter, Form, Form, &[u8]); 8] = [
        (Filter::NextGroup, Some(&[1, 1]), Some(&[1, 0]), &[1, 0]),
        (Filter::NextObject, Some(&[1, 2]), Some(&[2, 0, 0]), &[5]),
        (Filter::Unfiltered, None, Some(&[0]), &[0]),
        (Filter::GroupsBack(3), None, Some(&[1, 3]), &[1, 3]),
        (Filter::AbsoluteStart(start), Some(&[3, 3, 5, 6]), Some(&[2, 5, 6]), &[2, 5, 6]),
        (Filter::AbsoluteRange { start, end_group: 5 }, Some(&[4, 4, 5, 6, 0]), Some(&[3, 5, 6, 0]), &[3, 5, 6, 0]),
        (Filter::ObjectRange { start, end }, None, Some(&[4, 5, 6, 2, 9]), &[4, 5, 6, 2, 9]),
        (Filter::AbsoluteStart(Location::default()), Some(&[3, 3, 0, 0]), None, &[2, 0, 0]),
    ];
    for (filter, d18, d20, d22) in forms {
        let message =
            Message::RequestUpdate { request_id: 4, params: Params { filter: Some(filter), ..Params::default() } };
        for (profiles, form) in [(&[D18][..], d18), (&[D20, D21], d20), (&[D22], Some(d22))] {
            if let Some(form) = form {
                same(profiles, &framed(&[0x02], &[&[4, 1, 0x21], form]), &message);
            }
        }
    }
    let unfiltered = |filter, profile| {
        let params = Params { filter: Some(filter), ..Params::default() };
        let mut out = Vec::new();
        Message::RequestUpdate { request_id: 4, params }.encode(profile, &mut out).map(|()| out)
    };
    let at_18 = framed(&[0x02], &[&[4, 1, 0x21, 3, 3, 0, 0]]);
    assert_eq!(unfiltered(Filter::Unfiltered, D18), Ok(at_18));
    let at_20 = framed(&[0x02], &[&[4, 1, 0x21, 0]]);
    assert_eq!(unfiltered(Filter::AbsoluteStart(Location::default()), D20), Ok(at_20));
    assert!(matches!(unfiltered(Filter::GroupsBack(1), D18), Err(Error::Unencodable(_))));
    assert!(matches!(unfiltered(Filter::ObjectRange { start, end }, D18), Err(Error::Unencodable(_))));
    let backwards = Filter::AbsoluteRange { start, end_group: 4 };
    assert!(ALL.iter().all(|&profile| unfiltered(backwards, profile).is_err()));
}

#[test]
fn filters_refused() {
    let update = |filter: &[u8]| framed(&[0x02], &[&[4, 1, 0x21], filter]);
    let far = [3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1];
    let mut far_18 = vec![12, 4];
    far_18.extend_from_slice(&far[1..]);
    let mut far_20 = vec![11];
    far_20.extend_from_slice(&far[1..]);
    for (profiles, bad) in [(&[D18][..], &far_18[..]), (&[D20, D21], &far_20), (&[D22], &far)] {
        assert!(matches!(refused(profiles, &update(bad)), Error::Violation(_)));
    }
    assert!(matches!(refused(&[D18], &update(&[1, 5])), Error::Violation(_)));
    assert!(matches!(refused(&[D18], &update(&[1, 0])), Error::Violation(_)));
    assert!(matches!(refused(&[D22], &update(&[6])), Error::Violation(_)));
    assert!(matches!(refused(&[D18], &update(&[2, 3, 1])), Error::KeyValueFormatting(_)));
    assert!(matches!(refused(&[D18], &update(&[2, 1, 1])), Error::KeyValueFormatting(_)));
    assert!(matches!(refused(&[D20, D21], &update(&[5, 1, 2, 3, 4, 5])), Error::KeyValueFormatting(_)));
    assert_eq!(refused(&[D22], &update(&[2, 1])), Error::Truncated);
}

#[test]
fn prefix_with_and_without_its_length() {
    let update = |prefix: &str| Message::RequestUpdate {
        request_id: 4,
        params: Params { namespace_prefix: Some(ns(prefix)), ..Params::default() },
    };
    let head: &[u8] = &[4, 1, 0x34];
    same(ALL, &framed(&[0x02], &[head, &[2, 1, b'a', 1, b'b']]), &update("a/b"));
    for &profile in ALL {
        let with_length = framed(&[0x02], &[head, &[5, 2, 1, b'a', 1, b'b']]);
        assert_eq!(Message::decode(profile, &with_length), Ok(update("a/b")));
        let empty = framed(&[0x02], &[head, &[1, 0]]);
        assert_eq!(Message::decode(profile, &empty), Ok(update("")));
    }
    refused(ALL, &framed(&[0x02], &[head, &[2, 1, b'a', 0]]));
    refused(ALL, &framed(&[0x02], &[head, &[2, 1, b'a', 1, b'b', 9]]));
}

#[test]
fn fill_and_range_filters() {
    let range = |start, end| Range { start, end };
    let params = Params {
        fill: Some(Box::new(Params {
            fill_timeout: Some(9),
            filter: Some(Filter::GroupsBack(1)),
            ..Params::default()
        })),
        range_filters: vec![
            RangeFilter {
                kind: RangeKind::Priority,
                rule: RangeRule::Keep {
                    set: 1,
                    property: None,
                    ranges: vec![range(3, Some(5)), range(10, Some(15)), range(200, None)],
                },
            },
            RangeFilter { kind: RangeKind::ObjectProperty, rule: RangeRule::Remove },
            RangeFilter {
                kind: RangeKind::TrackProperty,
                rule: RangeRule::Keep { set: 0, property: Some(0x3802), ranges: vec![range(4, Some(4))] },
            },
        ],
        ..Params::default()
    };
    let message = Message::RequestUpdate { request_id: 4, params };
    let filters: &[u8] = &[0x04, 7, 1, 3, 2, 5, 5, 0x80, 185, 0x01, 0, 0x01, 5, 0, 0xb8, 0x02, 4, 0];
    same(NEW, &framed(&[0x02], &[&[4, 4, 0x23, 6, 2, 0x0a, 9, 0x17, 1, 1], filters]), &message);
    unwritable(&[D18], &message);
    refused(&[D18], &framed(&[0x02], &[&[4, 1, 0x23, 1, 0]]));
    assert_eq!(
        Message::decode(D22, &framed(&[0x02], &[&[4, 1, 0x23, 1, 0]])),
        Ok(Message::RequestUpdate {
            request_id: 4,
            params: Params { fill: Some(Box::default()), ..Params::default() }
        })
    );
    refused(NEW, &framed(&[0x02], &[&[4, 1, 0x23, 2, 0, 0]]));
    refused(NEW, &framed(&[0x02], &[&[4, 1, 0x23, 3, 1, 0x10, 1]]));
}

#[test]
fn a_bad_range_filter_is_the_requests_matter() {
    let bad: [&[u8]; 5] = [
        &[0x28, 2, 0, 3],
        &[0x28, 1, 0],
        &[0x27, 4, 0, 1, 0x81, 0x00],
        &[0x25, 2, 0, 0x80],
        &[0x26, 11, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    ];
    for bytes in bad {
        let message = Message::decode(D22, &framed(&[0x02], &[&[4, 1], bytes])).unwrap();
        let Message::RequestUpdate { params, .. } = &message else { panic!() };
        assert!(matches!(params.range_filters[0].rule, RangeRule::Invalid(_)), "{bytes:?}");
        unwritable(NEW, &message);
    }
}

#[test]
fn parameters_refused() {
    let subscribe = |params: &[u8]| framed(&[0x03], &[&[2], TRACK, params]);
    let cases: [(&[u8], &str); 10] = [
        (&[2, 0x02, 1, 0x00, 1], "twice"),
        (&[1, 0x7f, 0], "unknown"),
        (&[1, 0x08, 0], "EXPIRES is not the subscriber's"),
        (&[1, 0x34, 0], "a prefix in a SUBSCRIBE"),
        (&[1, 0x10, 2], "FORWARD 2"),
        (&[1, 0x22, 0], "GROUP_ORDER 0"),
        (&[1, 0x22, 3], "GROUP_ORDER 3"),
        (&[0x81, 0x01], "257 parameters"),
        (&[2, 0x02, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], "a type beyond 64 bits"),
        (&[1, 0x03, 0xc1, 0, 0], "a token of 65536 bytes"),
    ];
    for (params, what) in cases {
        let error = refused(ALL, &subscribe(params));
        assert!(matches!(error, Error::Violation(_)), "{what}: {error}");
    }
    for token in [&[1, 0x03, 0][..], &[1, 0x03, 1, 4], &[1, 0x03, 3, 2, 1, 1], &[1, 0x03, 1, 1]] {
        assert!(matches!(refused(ALL, &subscribe(token)), Error::KeyValueFormatting(_)), "{token:?}");
    }
    let tokens: Vec<u8> = [&[65, 0x03, 2, 0, 1][..], &[0, 2, 0, 1].repeat(64)].concat();
    assert_eq!(refused(ALL, &subscribe(&tokens)), Error::Violation("more than 64 tokens"));
    assert_eq!(refused(ALL, &subscribe(&[1, 0x02])), Error::Truncated);
}

#[test]
fn updates_are_merged() {
    let keep = |kind, set| RangeFilter {
        kind,
        rule: RangeRule::Keep { set, property: None, ranges: vec![Range { start: 1, end: None }] },
    };
    let mut params = Params {
        forward: Some(true),
        subscriber_priority: Some(3),
        range_filters: vec![keep(RangeKind::Subgroup, 0), keep(RangeKind::ObjectId, 0), keep(RangeKind::Priority, 0)],
        ..Params::default()
    };
    params.merge(&Params {
        forward: Some(false),
        range_filters: vec![
            keep(RangeKind::Subgroup, 1),
            keep(RangeKind::Subgroup, 2),
            RangeFilter { kind: RangeKind::ObjectId, rule: RangeRule::Remove },
        ],
        ..Params::default()
    });
    assert_eq!((params.forward, params.subscriber_priority), (Some(false), Some(3)));
    let filters = [keep(RangeKind::Subgroup, 1), keep(RangeKind::Subgroup, 2), keep(RangeKind::Priority, 0)];
    assert_eq!(params.range_filters, filters);
}

#[test]
fn tokens_are_not_shown() {
    let token = Token::UseValue { kind: 0, value: Bytes::from_static(b"secret") };
    assert_eq!(format!("{token:?}"), "UseValue(type 0, 6 bytes)");
}
