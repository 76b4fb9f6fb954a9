//! Plays a match in a simulated world and says how it went and how fast that was.
//!
//! `cargo run --release -p cc-sim --example match -- --clients 64 --seconds 60 --seed 1 [--tls] [--loss 3]
//! [--delay 40] [--jitter 40] [--log FILE]`: loss in percent, delay and jitter (uniform, from minus to plus) in ms a
//! way (40 and 40 if not named). The process times itself on the real clock; nothing in the world does. Where Linux
//! tells it, the CPU time that it used is printed too: on a busy machine that is the figure to compare.

use std::process::ExitCode;
use std::time::Instant;

use cc_netem::config::{Jitter, Loss};
use cc_netem::Config;
use cc_sim::game::{Report, Settings};
use cc_sim::{path, Crypto, Options};

struct Arguments {
    clients: usize,
    seconds: u64,
    seed: u64,
    loss: f64,
    delay: f64,
    jitter: f64,
    crypto: Crypto,
    log: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments {
        clients: 64,
        seconds: 60,
        seed: 1,
        loss: 3.0,
        delay: 40.0,
        jitter: 40.0,
        crypto: Crypto::Null,
        log: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--tls" {
            found.crypto = Crypto::Tls;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let wrong = |_| format!("{word} {value}: not a number");
        match word.as_str() {
            "--clients" => found.clients = value.parse().map_err(|_| wrong(()))?,
            "--seconds" => found.seconds = value.parse().map_err(|_| wrong(()))?,
            "--seed" => found.seed = value.parse().map_err(|_| wrong(()))?,
            "--loss" => found.loss = value.parse().map_err(|_| wrong(()))?,
            "--delay" => found.delay = value.parse().map_err(|_| wrong(()))?,
            "--jitter" => found.jitter = value.parse().map_err(|_| wrong(()))?,
            "--log" => found.log = Some(value),
            _ => return Err(format!("{word}: no such argument")),
        }
    }
    Ok(found)
}

fn play(arguments: &Arguments) -> Result<(), String> {
    let Arguments { clients, seconds, seed, loss, delay, jitter, crypto, ref log } = *arguments;
    let config = Config {
        loss: Loss { independent: loss, ..Loss::default() },
        delay_ms: delay,
        jitter: (jitter > 0.0).then_some(Jitter::Uniform { ms: jitter }),
        jitter_may_reorder: false,
        ..Config::default()
    };
    let plan = path(&config).map_err(|error| error.to_string())?;
    let settings = Settings { clients, until: seconds * 1_000_000, ..Settings::default() };
    let options = Options { seed, crypto, keep_log: log.is_some(), ..Options::default() };
    let start = Instant::now();
    let topology = settings.topology(&plan);
    let mut world = settings.build(options, &topology).map_err(|error| error.to_string())?;
    world.run(settings.until);
    let took = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds();
    // The last messages' time to arrive.
    world.run(5_000_000);
    println!("{}", Report::of(&world));
    println!(
        "{seconds} s of {clients} clients in {took:.2} s: {:.1}x real time ({})",
        seconds as f64 / took,
        if crypto == Crypto::Tls { "TLS" } else { "no encryption" }
    );
    if let Some(cpu) = cpu {
        println!("CPU time {cpu:.2} s: {:.1}x real time", seconds as f64 / cpu);
    }
    println!("log {:016x}, {} records", world.log().digest(), world.log().records());
    if let (Some(file), Some(text)) = (log, world.log().text()) {
        std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// CPU time of this process's first thread, the only one, in seconds (proc_pid_schedstat).
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}

fn main() -> ExitCode {
    match arguments().map(|arguments| play(&arguments)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => {
            eprintln!("{problem}");
            ExitCode::from(1)
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
