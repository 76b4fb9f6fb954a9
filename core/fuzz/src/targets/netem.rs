//! The files of the network model: profiles and recorded links, as text.

use cc_netem::{Direction, Opportunities, Path, Profile, Table, Verdict};

/// Packets that go through what was read.
const PACKETS: u64 = 64;

/// A profile's text. Refused in one line that names the file; or packets go through it, and none is lost sight of.
pub(crate) fn profile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut traces = 0;
    let mut load = |name: &str| {
        traces += 1;
        assert!(!name.is_empty(), "a trace without a name is asked for");
        Some(if name.ends_with(".csv") { "time_ms,rate\n0,100\n10,200\n" } else { "1\n3\n" }.to_owned())
    };
    let profile = match Profile::parse("made-up.json", &text, &mut load) {
        Ok(profile) => profile,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("made-up.json: ") && !told.contains('\n'), "{told:?}");
            return;
        }
    };
    for config in [profile.up(), profile.down()].into_iter().filter(|config| config.trace.is_none()) {
        // What was read can be written, and is the same then.
        let written = serde_json::to_string(config).expect("a checked config");
        assert_eq!(&serde_json::from_str::<cc_netem::Config>(&written).expect("what was written"), config);
    }
    let mut path: Path<Vec<u8>> = Path::new(profile.plan("c1"), 7, "c1", 0);
    let (mut passed, mut came) = (0_u64, 0_u64);
    for packet in 0..PACKETS {
        let now = packet * 1000;
        passed += u64::from(!matches!(path.push_up(now, vec![packet as u8; 200]), Verdict::Lost(_)));
        came += arrived(&mut path, now);
    }
    // A copy of each at most, and all of it within what the queue and the delays allow.
    let mut now = PACKETS * 1000;
    for _ in 0..4 * PACKETS {
        let Some(due) = path.next_timeout() else { break };
        assert!(due >= now || came < 4 * PACKETS, "time goes back");
        now = now.max(due);
        came += arrived(&mut path, now);
    }
    assert!(came <= 2 * PACKETS && passed <= PACKETS, "{came} of {passed}");
    let _ = path.counters(Direction::Up);
}

fn arrived(path: &mut Path<Vec<u8>>, now: u64) -> u64 {
    let mut count = 0;
    while path.pop(now).is_some() {
        count += 1;
        assert!(count <= 4 * PACKETS, "more than was sent");
    }
    count
}

/// A trace's text, read as either kind. Refused with the line that is wrong.
pub(crate) fn trace(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count();
    match Opportunities::parse(&text) {
        Ok(_) => {}
        Err(error) => assert!(error.line <= lines && !error.to_string().contains('\n'), "{error}"),
    }
    match Table::parse(&text) {
        Ok(table) => {
            assert!(table.rows().windows(2).all(|pair| pair[0].at < pair[1].at), "rows ascend");
            assert!(table.rows().iter().all(|row| (0.0..=100.0).contains(&row.loss)), "shares are percent");
        }
        Err(error) => assert!(error.line <= lines && !error.to_string().contains('\n'), "{error}"),
    }
}
