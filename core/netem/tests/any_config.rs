//! Whatever the config and the packets: no panic, nothing appears or vanishes uncounted, time runs forwards.

mod common;

use cc_netem::config::{
    Codel, Corrupt, During, GilbertElliott, Jitter, Loss, Mtu, Outage, Queue, Reorder, Step, TraceRef,
};
use cc_netem::{Config, Opaque, Pipe, Plan, Profile, Trace, MAX_BYTES, MAX_PACKETS};
use proptest::option::of;
use proptest::prelude::*;

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..=100.0, Just(100.0)]
}

fn jitter() -> impl Strategy<Value = Jitter> {
    let ms = || 0.0..500.0f64;
    prop_oneof![
        ms().prop_map(|ms| Jitter::Constant { ms }),
        ms().prop_map(|ms| Jitter::Uniform { ms }),
        ms().prop_map(|sd_ms| Jitter::Normal { sd_ms }),
        (ms(), 1.01..50.0, ms()).prop_map(|(scale_ms, shape, max_ms)| Jitter::Pareto { scale_ms, shape, max_ms }),
        (ms(), 1.01..50.0, ms(), ms()).prop_map(|(scale_ms, shape, max_ms, sd_ms)| Jitter::ParetoNormal {
            scale_ms,
            shape,
            max_ms,
            sd_ms
        }),
    ]
}

fn outage() -> impl Strategy<Value = Outage> {
    (0.0..200.0f64, 0.001..50.0, of(1.0..60.0f64), any::<bool>()).prop_map(|(at_ms, for_ms, pause, held)| Outage {
        at_ms,
        for_ms,
        every_ms: pause.map(|pause| for_ms + pause),
        packets: if held { During::Held } else { During::Lost },
    })
}

fn trace() -> impl Strategy<Value = TraceRef> {
    let parse = |name: &str, text: &str| TraceRef::from(Trace::parse(name, text).unwrap());
    prop_oneof![
        proptest::collection::vec(0u64..20, 1..20).prop_map(move |steps| {
            let mut at = 1;
            let lines: Vec<String> = steps
                .iter()
                .map(|step| {
                    at += step;
                    at.to_string()
                })
                .collect();
            parse("t", &lines.join("\n"))
        }),
        proptest::collection::vec((1u64..50, 0u64..30, 0u64..=100, 1u64..5000), 1..20).prop_map(move |rows| {
            let mut text = "time_ms,delay_ms,loss,rate\n".to_owned();
            let mut at = 0;
            for (step, delay, loss, rate) in rows {
                at += step;
                text += &format!("{at},{delay},{loss},{rate}\n");
            }
            parse("t.csv", &text)
        }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (1.0..100.0f64, 0.0..1.0f64, of(0.0..100.0f64), of(share()), of(share()), of(0.0..1000.0f64));
    proptest::collection::vec(step, 0..6).prop_map(|steps| {
        let mut at = 0.0;
        steps
            .into_iter()
            .map(|(gap, part, delay_ms, loss, duplicate, jitter)| {
                at += gap;
                let step = Step { at_ms: at, delay_ms, loss, duplicate, jitter, ..Step::default() };
                at += gap * part;
                Step { over_ms: gap * part, ..step }
            })
            .collect()
    })
}

fn config() -> impl Strategy<Value = Config> {
    let queue = (of(1u32..100_000), of(1u32..200), of(0.001..500.0f64), any::<bool>()).prop_map(
        |(bytes, packets, ms, codel)| Queue {
            bytes: bytes.map(f64::from),
            packets: packets.map(f64::from),
            ms,
            codel: codel.then(Codel::default),
        },
    );
    let loss =
        (share(), of((share(), share(), share(), share())), "[x.]{0,6}").prop_map(|(independent, model, pattern)| {
            Loss {
                independent,
                gilbert_elliott: model.map(|(to_bad, to_good, loss_good, loss_bad)| GilbertElliott {
                    to_bad,
                    to_good,
                    loss_good,
                    loss_bad,
                }),
                pattern,
                packets: vec![3],
            }
        });
    let link = (of(1.0..100_000.0f64), of(trace()), 0u32..1000, of((68u32..2000, 0.0..300.0f64)));
    let wire = (of((share(), 1u32..=64)), share(), 0.0..300.0f64, of(jitter()), any::<bool>());
    let late = of((share(), 1u32..40, 0.001..100.0f64));
    (queue, loss, link, wire, late, proptest::collection::vec(outage(), 0..3), steps()).prop_map(
        |(
            queue,
            loss,
            (rate, trace, overhead, mtu),
            (corrupt, duplicate, delay_ms, jitter, free),
            late,
            outages,
            script,
        )| Config {
            overhead_bytes: f64::from(overhead),
            mtu: mtu.map(|(bytes, from_ms)| Mtu { bytes: f64::from(bytes), from_ms }),
            rate_kbit: rate.filter(|_| trace.is_none()),
            trace,
            queue,
            outages,
            loss,
            corrupt: corrupt.map(|(share, bits)| Corrupt { share, bits: f64::from(bits) }),
            duplicate,
            delay_ms,
            jitter,
            jitter_may_reorder: free,
            reorder: late.map(|(share, distance, hold_ms)| Reorder { share, distance: f64::from(distance), hold_ms }),
            script,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn every_packet_is_accounted_for(
        config in config(),
        seed in any::<u64>(),
        start in prop_oneof![Just(0u64), 0..1u64 << 62, 0..u64::MAX],
        packets in proptest::collection::vec((0u64..20_000, 0usize..3000, any::<bool>()), 1..150),
    ) {
        let mut asked: Pipe<Opaque> = Pipe::new(&config, seed, "p", start).unwrap();
        let mut late: Pipe<Opaque> = Pipe::new(&config, seed, "p", start).unwrap();
        let (mut now, mut out) = (start, Vec::new());
        for (id, &(gap, len, ask)) in packets.iter().enumerate() {
            now = now.saturating_add(gap);
            if ask {
                out.extend(std::iter::from_fn(|| asked.pop(now)));
            }
            prop_assert_eq!(asked.push(now, Opaque::new(id as u64, len)), late.push(now, Opaque::new(id as u64, len)));
            prop_assert!(asked.in_flight().0 <= MAX_PACKETS && asked.in_flight().1 <= MAX_BYTES);
        }
        common::drain(&mut asked, &mut out);
        let all: Vec<_> = std::iter::from_fn(|| late.pop(u64::MAX)).collect();
        prop_assert_eq!(&out, &all);
        prop_assert_eq!(asked.digest(), late.digest());
        prop_assert!(out.windows(2).all(|pair| pair[0].due <= pair[1].due));
        prop_assert!(out.iter().all(|one| one.due >= one.sent));
        let counters = asked.counters();
        prop_assert_eq!(counters, late.counters());
        prop_assert_eq!(counters.pushed + counters.duplicated, counters.delivered + counters.lost_in_all());
        prop_assert_eq!((counters.delivered, counters.delay.count()), (out.len() as u64, out.len() as u64));
        prop_assert_eq!(asked.in_flight(), (0, 0));
    }

    #[test]
    fn any_numbers_are_planned_or_refused(
        values in proptest::collection::vec(any::<f64>(), 8),
    ) {
        let config = Config {
            overhead_bytes: values[0],
            rate_kbit: Some(values[1]),
            delay_ms: values[2],
            duplicate: values[3],
            queue: Queue { bytes: Some(values[4]), ms: Some(values[5]), ..Queue::default() },
            jitter: Some(Jitter::Pareto { scale_ms: values[6], shape: values[7], max_ms: values[0] }),
            ..Config::default()
        };
        if let Err(error) = Plan::new(&config) {
            prop_assert!(!error.field.is_empty() && !error.to_string().contains('\n'));
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[-0-9a-z.,\n \"{}:\\[\\]_]{0,200}", csv in any::<bool>()) {
        let _ = Trace::parse(if csv { "t.csv" } else { "t" }, &text);
        let _ = Trace::parse("t.csv", &format!("time_ms,delay_ms,loss,rate\n{text}"));
        let _ = Profile::parse("p.json", &text, &mut |_| None);
    }

    #[test]
    fn configs_survive_their_own_text(config in config()) {
        let plain = Config { trace: None, ..config };
        let text = format!(
            r#"{{"name": "n", "description": "d", "sources": ["s"], "up": {}, "down": {{}}}}"#,
            serde_json::to_string(&plain).unwrap()
        );
        let read = Profile::parse("p.json", &text, &mut |_| None);
        prop_assert_eq!(read.map(|profile| profile.up().clone()).map_err(|error| error.to_string()), Ok(plain));
    }
}
