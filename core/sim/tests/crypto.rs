//! Null crypto stands for TLS: the same outcome, packet for packet of the same sizes.

mod common;

use cc_netem::Direction;
use cc_sim::{path, Crypto};
use common::{check, lossy, play, settings, share, world};

#[test]
fn tls_and_null_crypto_give_the_same_outcome() {
    for seed in [1, 2, 3] {
        let settings = settings(4, 10);
        let plan = path(&lossy()).unwrap();
        let [null, tls] = [Crypto::Null, Crypto::Tls].map(|crypto| {
            let mut world = world(&settings, seed, crypto, &plan);
            let report = play(&mut world, &settings);
            check(&report, &settings);
            assert_eq!((report.link_downs, report.session_downs), (0, 0), "{report}");
            let bytes: u64 = (0..4).map(|path| world.counters(path, Direction::Down).unwrap().pushed_bytes).sum();
            (report, bytes as f64, world.log().digest())
        });
        assert_ne!(null.2, tls.2, "TLS draws on randomness that no seed decides");
        let near = |a: f64, b: f64, by: f64| assert!((a / b - 1.0).abs() < by, "seed {seed}: {a}, {b}");
        for ((_, a), (_, b)) in null.0.flows().into_iter().zip(tls.0.flows()) {
            near(a.sent as f64, b.sent as f64, 0.02);
            near(share(a), share(b), 0.02);
            near(a.latency.quantile(0.5) as f64, b.latency.quantile(0.5) as f64, 0.1);
        }
        near(null.1, tls.1, 0.01);
    }
}
