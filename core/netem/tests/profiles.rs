//! Profiles and traces as files: the shipped ones are sound, and mistakes are answered by file, field or line.

use std::fs;
use std::path::PathBuf;

use cc_netem::{Cause, Direction, Opaque, Path, Profile, Trace};

const NAMES: [&str; 9] = [
    "3g",
    "conference-hotel",
    "cross-pacific",
    "home-broadband",
    "lan",
    "lte-train",
    "perfect",
    "satellite",
    "wifi-microwave",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../harness/profiles")
}

fn shipped(name: &str) -> Profile {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    Profile::parse(&format!("{name}.json"), &text, &mut |_| None).unwrap_or_else(|error| panic!("{error}"))
}

/// The answer to a profile whose `up` is this.
fn answer(up: &str) -> String {
    let text = format!(r#"{{"name": "n", "description": "d", "sources": ["s"], "up": {up}, "down": {{}}}}"#);
    match Profile::parse("bad.json", &text, &mut |_| None) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_shipped_profile_is_sound_and_names_its_sources() {
    let mut found: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
    for name in NAMES {
        let profile = shipped(name);
        assert_eq!(profile.name(), name);
        assert!(!profile.description().is_empty() && profile.sources().iter().all(|source| source.len() > 20));
    }
}

/// A game of 60 packets a second and direction for two minutes: (share lost, median delay in ms) each way.
fn game(name: &str) -> [(f64, f64); 2] {
    let profile = shipped(name);
    let mut path: Path<Opaque> = Path::new(profile.plan("player"), 1, "game", 0);
    let mut delays = [Vec::new(), Vec::new()];
    let mut binding = 0;
    for tick in 0..7200u64 {
        let now = tick * 16_667;
        path.push_up(now, Opaque::new(tick, 200));
        path.push_down(now, binding, Opaque::new(tick, 400));
        while let Some(one) = path.pop(now) {
            delays[one.direction as usize].push(one.packet.due - one.packet.sent);
            if one.direction == Direction::Up {
                binding = one.binding;
            }
        }
    }
    [Direction::Up, Direction::Down].map(|way| {
        let times = &mut delays[way as usize];
        times.sort_unstable();
        let lost = path.counters(way).lost_in_all() as f64 / path.counters(way).pushed as f64;
        (lost * 100.0, times[times.len() / 2] as f64 / 1000.0)
    })
}

#[test]
fn the_shipped_profiles_do_what_their_names_say() {
    // (name, percent lost, median delay in ms): both directions lie within.
    let wanted = [
        ("perfect", 0.0..=0.0, 0.0..=0.001),
        ("lan", 0.0..=0.0, 0.1..=0.4),
        ("home-broadband", 0.0..=0.5, 9.0..=12.0),
        ("wifi-microwave", 0.3..=4.0, 3.0..=12.0),
        ("lte-train", 1.0..=6.0, 30.0..=60.0),
        ("3g", 0.1..=2.0, 60.0..=110.0),
        ("satellite", 0.5..=2.0, 270.0..=300.0),
        ("conference-hotel", 1.0..=6.0, 18.0..=45.0),
        ("cross-pacific", 0.02..=0.6, 62.0..=65.0),
    ];
    for (name, lost, delay) in wanted {
        for (share, median) in game(name) {
            assert!(lost.contains(&share) && delay.contains(&median), "{name}: {share} % lost, {median} ms");
        }
    }
}

#[test]
fn impossible_values_are_one_line_naming_file_and_field() {
    for (up, said) in [
        (r#"{"loss": {"independent": 140}}"#, "up.loss.independent is 140, must be 0..=100 percent"),
        (r#"{"delay_ms": -1}"#, "up.delay_ms is -1, must be 0..=60000 ms"),
        (r#"{"rate_kbit": 0}"#, "up.rate_kbit is 0, must be 1..=1000000000 kbit/s"),
        (r#"{"duplicate": 100.5}"#, "up.duplicate is 100.5, must be 0..=100 percent"),
        (r#"{"corrupt": {"share": 1, "bits": 1.5}}"#, "up.corrupt.bits is 1.5, must be whole, 1..=64"),
        (r#"{"queue": {"packets": 0}}"#, "up.queue.packets is 0, must be whole, 1..=65536 packets"),
        (r#"{"mtu": {"bytes": 20}}"#, "up.mtu.bytes is 20, must be whole, 68..=66535 bytes"),
        (
            r#"{"queue": {"codel": {"target_ms": 100}}}"#,
            "up.queue.codel.target_ms is 100, must be below interval_ms (100)",
        ),
        (
            r#"{"outages": [{"at_ms": 0, "for_ms": 5, "every_ms": 5}]}"#,
            "up.outages[0].every_ms is 5, must be at least 1 and above for_ms (5)",
        ),
        (
            r#"{"jitter": {"pareto": {"scale_ms": 1, "shape": 1, "max_ms": 9}}}"#,
            "up.jitter.pareto.shape is 1, must be above 1, up to 100",
        ),
        (
            r#"{"loss": {"gilbert_elliott": {"to_bad": 1, "to_good": 101}}}"#,
            "up.loss.gilbert_elliott.to_good is 101, must be 0..=100 percent",
        ),
        (r#"{"loss": {"pattern": "x-"}}"#, "up.loss.pattern has '-', must be of `x` and `.`"),
        (
            r#"{"script": [{"at_ms": 1}, {"at_ms": 2, "loss": 101}]}"#,
            "up.script[1].loss is 101, must be 0..=100 percent",
        ),
        (
            r#"{"script": [{"at_ms": 1, "over_ms": 10, "rate_kbit": 50}]}"#,
            "up.script[0].rate_kbit needs a value to begin with",
        ),
        (
            r#"{"script": [{"at_ms": 5, "loss": 1}, {"at_ms": 4, "loss": 2}]}"#,
            "up.script[1].loss must not begin before the change before it has ended",
        ),
        (r#"{"trace": "gone.csv"}"#, "up.trace names `gone.csv`, which is not there"),
    ] {
        assert_eq!(answer(up), format!("bad.json: {said}"));
    }
}

#[test]
fn malformed_text_names_the_field_or_the_line() {
    let starts = |up: &str, begin: &str| {
        let said = answer(up);
        assert!(said.starts_with(begin) && !said.contains('\n'), "{said}");
    };
    starts(r#"{"los": {}}"#, "bad.json: up.los: unknown field `los`, expected one of");
    starts(r#"{"delay_ms": "5"}"#, "bad.json: up.delay_ms: invalid type: string \"5\", expected f64");
    starts(r#"{"loss": {"packets": [1, -2]}}"#, "bad.json: up.loss.packets[1]: invalid value: integer `-2`");
    starts(r#"{"jitter": {"gauss": {}}}"#, "bad.json: up.jitter: unknown variant `gauss`");
    starts(r#"{"jitter": {"normal": {}}}"#, "bad.json: up.jitter.normal: missing field `sd_ms`");
    starts(r#"{"delay_ms": 1, "delay_ms": 2}"#, "bad.json: up: duplicate field `delay_ms`");
    starts(r#"{"a\n\u0007b": 1}"#, r"bad.json: up.a\n\u{7}b: unknown field `a\n\u{7}b`");
    starts("{", "bad.json: up");
    let long = answer(&format!(r#"{{"{}": 1}}"#, "a".repeat(100_000)));
    assert!(long.len() < 600 && long.ends_with("..."));
    for text in ["", "[]", "nonsense", "{}", r#"{"name": 1}"#, &"[".repeat(100_000), &" ".repeat(2 << 20)] {
        let said = Profile::parse("bad.json", text, &mut |_| None).unwrap_err().to_string();
        assert!(said.starts_with("bad.json: ") && !said.contains('\n'), "{said}");
    }
    let bare = r#"{"name": "n", "description": "d", "sources": [], "up": {}, "down": {}}"#;
    let said = Profile::parse("n.json", bare, &mut |_| None).unwrap_err().to_string();
    assert_eq!(said, "n.json: sources is empty, must say where the figures are from");
}

#[test]
fn single_clients_have_exceptions() {
    let text = |clients: &str| {
        format!(
            r#"{{"name": "n", "description": "d", "sources": ["s"], "up": {{"delay_ms": 10, "loss": {{"pattern": "x"}}}},
                "down": {{"delay_ms": 10}}, "nat": {{}}, "clients": {clients}}}"#
        )
    };
    let clients = r#"{
        "bot-*": {"up": {"loss": {"pattern": ""}}},
        "bot-7": {"up": {"delay_ms": 70, "loss": null}, "nat": null},
        "bot-7*": {"up": {"delay_ms": 700, "loss": {"pattern": ""}}}}"#;
    let profile = Profile::parse("n.json", &text(clients), &mut |_| None).unwrap();
    let due = |name: &str| {
        let mut path: Path<Opaque> = Path::new(profile.plan(name), 1, name, 0);
        path.push_up(0, Opaque::new(0, 1));
        path.pop(1_000_000).map(|one| one.packet.due)
    };
    assert_eq!(due("human"), None);
    assert_eq!([due("bot-1"), due("bot-7"), due("bot-71")], [Some(10_000), Some(70_000), Some(700_000)]);
    assert!(profile.plan("bot-7").nat.is_none() && profile.plan("bot-1").nat.is_some());
    for (clients, said) in [
        (
            r#"{"a": {"up": {"loss": {"independent": 140}}}}"#,
            "clients.a.up.loss.independent is 140, must be 0..=100 percent",
        ),
        (r#"{"a": {"name": "x"}}"#, "clients.a must be an object of up, down and nat"),
        (r#"{"a": 5}"#, "clients.a must be an object of up, down and nat"),
        (r#"{"a": {"up": {"delay_ms": []}}}"#, "clients.a.up.delay_ms: invalid type: sequence, expected f64"),
    ] {
        let error = Profile::parse("n.json", &text(clients), &mut |_| None).unwrap_err();
        assert_eq!(error.to_string(), format!("n.json: {said}"));
    }
}

#[test]
fn profiles_load_their_traces_once_each() {
    let text = r#"{"name": "n", "description": "d", "sources": ["s"], "up": {"trace": "a.csv"}, "down": {"trace": "b"},
        "clients": {"x": {"up": {"delay_ms": 3}}}}"#;
    let mut asked = Vec::new();
    let profile = Profile::parse("n.json", text, &mut |name| {
        asked.push(name.to_owned());
        Some(if name == "b" { "5\n" } else { "time_ms,delay_ms,loss\n0,4,0\n10,4,100\n" }.to_owned())
    })
    .unwrap();
    assert_eq!(asked, ["a.csv", "b"]);
    let mut path: Path<Opaque> = Path::new(profile.plan("x"), 1, "x", 0);
    path.push_up(0, Opaque::new(0, 1));
    path.push_up(10_000, Opaque::new(1, 1));
    path.push_down(11_000, 0, Opaque::new(2, 1));
    let out: Vec<_> = std::iter::from_fn(|| path.pop(1_000_000)).map(|one| one.packet.due).collect();
    assert_eq!((out, path.counters(Direction::Up).lost(Cause::Trace)), (vec![7_000, 15_000], 1));

    let bad = Profile::parse("n.json", text, &mut |_| Some("1\nx\n".to_owned())).unwrap_err();
    assert_eq!(
        bad.to_string(),
        "n.json: up.trace names `a.csv`, whose line 1: column `1` is none of time_ms, delay_ms, loss, rate"
    );
}

#[test]
fn malformed_trace_lines_are_answered_with_their_number() {
    for (name, text, said) in [
        ("t", "", "no delivery opportunity in it"),
        ("t", "0\n0\n", "the last time is 0, so the trace never ends"),
        ("t", "1\n2\nthree\n", "line 3: `three` is not a whole number of milliseconds"),
        ("t", "1\n\n# a note\n-2\n", "line 4: `-2` is not a whole number of milliseconds"),
        ("t", "5\n4\n", "line 2: 4 ms is before the line before it"),
        ("t", "99999999999\n", "line 1: 99999999999 ms is more than a day"),
        ("t", "18446744073709551615\n", "line 1: 18446744073709551615 ms is more than a day"),
        ("t.csv", "", "no line of column names in it"),
        ("t.csv", "delay_ms\n1\n", "line 1: column `time_ms` is missing"),
        ("t.csv", "time_ms,time_ms\n", "line 1: column `time_ms` is there twice"),
        ("t.csv", "time_ms,loss\n", "no row of data in it"),
        ("t.csv", "time_ms,loss\n0,1\n1,101\n", "line 3: loss is 101, must be 0..=100 percent"),
        ("t.csv", "time_ms,loss\n0,nan\n", "line 2: loss `nan` is not a number"),
        ("t.csv", "time_ms,loss\n0,1,2\n", "line 2: 3 fields, must be 2"),
        ("t.csv", "time_ms,loss\n0\n", "line 2: 1 fields, must be 2"),
        ("t.csv", "time_ms\n5\n5.5\n", "line 3: time_ms 5.5 is not at least 1 ms after the row before"),
        ("t.csv", "time_ms,rate\n0,0.5\n", "line 2: rate is 0.5, must be 0 or 1..=1000000000 kbit/s"),
        ("t.csv", "time_ms,rate\n0,0\n10,0\n", "the mean of rate is below 1 kbit/s"),
        ("t.csv", "time_ms,delay_ms\n0,1e300\n", "line 2: delay_ms is 1e300, must be 0..=60000 ms"),
    ] {
        let answer = Trace::parse(name, text).map(|_| ()).unwrap_err();
        let shown = answer.to_string().replace(&format!("{}", 1e300), "1e300");
        assert_eq!(shown, said, "{text:?}");
    }
}
