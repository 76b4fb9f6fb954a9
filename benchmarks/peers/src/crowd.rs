//! A publisher's turns, whatever carries its frames.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context};

/// How long a crowd may take to find together.
const PATIENCE: Duration = Duration::from_secs(30);
/// What has not come after so long is lost.
const LOST: Duration = Duration::from_secs(1);

/// Who sends what to whom.
#[derive(Debug, Clone, Copy)]
pub struct Play {
    /// Of every track.
    pub subscribers: usize,
    /// How many there are.
    pub tracks: usize,
    /// Frames a second of each track.
    pub hz: f64,
    /// Bytes of a frame.
    pub size: usize,
    /// Objects of a stream; 0: datagrams.
    pub objects: u64,
}

impl Play {
    /// From `SUBSCRIBERS TRACKS HZ SIZE OBJECTS`.
    pub fn parse(words: &[&str]) -> anyhow::Result<Play> {
        let [subscribers, tracks, hz, size, objects] = words else {
            anyhow::bail!("{words:?}: pass SUBSCRIBERS TRACKS HZ SIZE OBJECTS");
        };
        let play = Play {
            subscribers: subscribers.parse().context("SUBSCRIBERS")?,
            tracks: tracks.parse().context("TRACKS")?,
            hz: hz.parse().context("HZ")?,
            size: size.parse().context("SIZE")?,
            objects: objects.parse().context("OBJECTS")?,
        };
        ensure!((1..=1000).contains(&play.subscribers) && (1..=1000).contains(&play.tracks), "1 to 1,000 of each");
        ensure!(play.hz > 0.0 && play.hz <= 1000.0 && (1..=1100).contains(&play.size), "HZ to 1,000, SIZE to 1,100");
        Ok(play)
    }
}

/// What has arrived, counted by whoever receives it.
pub struct Tally {
    each: Vec<AtomicU64>,
    watched: AtomicBool,
    resting: AtomicBool,
    tell: SyncSender<Instant>,
}

impl Tally {
    /// A frame is with this subscriber.
    pub fn add(&self, subscriber: usize) {
        self.each[subscriber].fetch_add(1, Ordering::Relaxed);
        if self.watched.load(Ordering::Relaxed) {
            // A full channel: somebody has told already.
            let _ = self.tell.try_send(Instant::now());
        }
    }

    /// Between turns, when others are measured: a player that looks at its sockets by the clock looks seldom then.
    pub fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    fn all(&self) -> u64 {
        self.each.iter().map(|one| one.load(Ordering::Relaxed)).sum()
    }
}

/// The publisher's side of a kind of transport.
pub trait Publisher {
    /// Sends a frame of each track.
    fn send(&mut self, tick: u64) -> anyhow::Result<()>;
}

/// A tally, and what tells of single arrivals.
pub fn tally(play: Play) -> (Arc<Tally>, Receiver<Instant>) {
    let (tell, told) = sync_channel(1);
    let each = (0..play.subscribers).map(|_| AtomicU64::new(0)).collect();
    let resting = AtomicBool::new(false);
    (Arc::new(Tally { each, watched: AtomicBool::new(false), resting, tell }), told)
}

/// Waits until all hear the publisher, then takes turns as standard input asks for them.
pub fn turns(play: Play, mut publisher: impl Publisher, tally: &Tally, told: &Receiver<Instant>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut tick = 0;
    while tally.each.iter().any(|one| one.load(Ordering::Relaxed) == 0) {
        ensure!(began.elapsed() < PATIENCE, "not every subscriber heard the publisher in {PATIENCE:?}");
        publisher.send(tick)?;
        tick += 1;
        thread::sleep(Duration::from_millis(50));
    }
    // A group that is under way ends, so that turns begin with new ones.
    while play.objects > 0 && tick % play.objects != 0 {
        publisher.send(tick)?;
        tick += 1;
    }
    println!("ready");
    tally.resting.store(true, Ordering::Relaxed);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        tally.resting.store(false, Ordering::Relaxed);
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["send", seconds] => {
                let before = tally.all();
                let sent = send(play, &mut publisher, &mut tick, seconds.parse().context("SECONDS")?)?;
                settle(tally);
                println!("{sent} {}", tally.all() - before);
            }
            ["frame"] => {
                while told.try_recv().is_ok() {}
                tally.watched.store(true, Ordering::Relaxed);
                let began = Instant::now();
                publisher.send(tick)?;
                tick += 1;
                match told.recv_timeout(LOST) {
                    Ok(at) => println!("{:.3}", at.saturating_duration_since(began).as_secs_f64() * 1e6),
                    Err(_) => println!("lost"),
                }
                tally.watched.store(false, Ordering::Relaxed);
            }
            _ => anyhow::bail!("{line:?}: say `send SECONDS` or `frame`"),
        }
        tally.resting.store(true, Ordering::Relaxed);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Sends evenly; the deliveries that are due.
fn send(play: Play, publisher: &mut impl Publisher, tick: &mut u64, seconds: f64) -> anyhow::Result<u64> {
    let (began, ticks) = (Instant::now(), (seconds.clamp(0.01, 600.0) * play.hz).max(1.0) as u64);
    for number in 1..=ticks {
        publisher.send(*tick)?;
        *tick += 1;
        let due = Duration::from_secs_f64(number as f64 / play.hz);
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    Ok(ticks * (play.tracks * play.subscribers) as u64)
}

/// Waits until no more arrives.
fn settle(tally: &Tally) {
    let began = Instant::now();
    let mut last = tally.all();
    while began.elapsed() < LOST {
        thread::sleep(Duration::from_millis(50));
        let now = tally.all();
        if now == last {
            break;
        }
        last = now;
    }
}
