//! What raw UDP costs: the floor that a relay's CPU time is measured from.
//!
//! `floor SUBSCRIBERS TRACKS HZ SIZE plain|sealed`: a tick sends each subscriber a frame of SIZE bytes a track, packed
//! into datagrams of up to 1,100 bytes, a subscriber's in one train (GSO where there is). Sealed ones are encrypted
//! for each subscriber with AES-128-GCM, as QUIC does. Prints a line when it is ready. Each line on standard input is a
//! number of seconds to send for; the answer is `FRAMES CPU_MICROSECONDS`, of the sending thread alone. In between it
//! sleeps. The end of input ends it.
//!
//! `floor wake`: what a packet costs a thread that sleeps until it comes. Each line is a number of packets, half a
//! millisecond apart; the answer is the same, of the thread that receives them.

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use cc_udp::{thread_cpu_time, wait, Interest, RecvBuffer, Socket, SocketOptions, Transmit, Waker};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_128_GCM, NONCE_LEN};

const DATAGRAM: usize = 1100;
const MOST: usize = 1_000;
const TAG: usize = 16;

fn arguments() -> Option<([usize; 4], bool)> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (how, told) = words.split_last()?;
    let sealed = ["plain", "sealed"].iter().position(|one| one == how)? == 1;
    let told: Vec<usize> = told.iter().map_while(|word| word.parse().ok()).collect();
    let found: [usize; 4] = told.try_into().ok()?;
    let [subscribers, tracks, hz, size] = found;
    let fits = subscribers <= MOST && tracks <= 10 * MOST && hz <= MOST && size <= DATAGRAM;
    (fits && found.iter().all(|one| *one > 0)).then_some((found, sealed))
}

/// Between two packets for a thread that sleeps: long enough to fall asleep again.
const APART: Duration = Duration::from_micros(500);
/// After so long without a packet the last ones are lost.
const LOST: Duration = Duration::from_secs(1);

/// Encrypts packets as a QUIC connection does, each under a nonce of its own.
struct Seal {
    key: LessSafeKey,
    packets: u64,
}

impl Seal {
    fn new() -> Option<Seal> {
        let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).ok()?;
        Some(Seal { key: LessSafeKey::new(key), packets: 0 })
    }

    /// The payload in packets of `segment` bytes before their tags.
    fn train(&mut self, payload: &[u8], segment: usize, into: &mut Vec<u8>) {
        into.clear();
        for packet in payload.chunks(segment) {
            let at = into.len();
            into.extend_from_slice(packet);
            let mut nonce = [0; NONCE_LEN];
            nonce[4..].copy_from_slice(&self.packets.to_be_bytes());
            self.packets += 1;
            let nonce = Nonce::assume_unique_for_key(nonce);
            if let Ok(tag) = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut into[at..]) {
                into.extend_from_slice(tag.as_ref());
            }
        }
    }
}

fn bind(options: &SocketOptions) -> io::Result<Socket> {
    Socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).map_err(io::Error::other)
}

/// Sockets that nobody sends from, and the thread that empties them.
struct Sinks {
    to: Vec<SocketAddr>,
    filling: Arc<AtomicBool>,
    thread: Thread,
}

impl Sinks {
    fn new(count: usize) -> io::Result<Sinks> {
        let sockets = (0..count).map(|_| bind(&SocketOptions::default())).collect::<io::Result<Vec<_>>>()?;
        let to = sockets.iter().map(Socket::local_addr).collect::<io::Result<_>>()?;
        let filling = Arc::new(AtomicBool::new(false));
        let told = filling.clone();
        let thread = thread::spawn(move || {
            let mut buffer = RecvBuffer::new();
            loop {
                while !told.load(Ordering::Acquire) {
                    thread::park();
                }
                for socket in &sockets {
                    // Errors are nothing to a sink: what it is sent is dropped either way.
                    while socket.recv(&mut buffer, |_| ()).is_ok() && buffer.was_full() {}
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        Ok(Sinks { to, filling, thread: thread.thread().clone() })
    }

    /// Whether something is on its way to them. Otherwise their thread sleeps, for others measure meanwhile.
    fn fill(&self, on: bool) {
        self.filling.store(on, Ordering::Release);
        self.thread.unpark();
    }
}

/// Sends for so long; the frames sent and the CPU time it took.
fn run(
    out: &Socket,
    to: &[SocketAddr],
    [tracks, hz, size]: [usize; 3],
    mut seal: Option<Seal>,
    length: Duration,
) -> (usize, Duration) {
    let each = (DATAGRAM / size).min(tracks) * size;
    let payload = vec![0; tracks * size];
    let mut trains: Vec<Vec<u8>> = vec![payload.clone(); to.len()];
    let (began, cpu) = (Instant::now(), thread_cpu_time());
    let (mut ticks, mut frames) = (0u32, 0);
    while began.elapsed() < length {
        let mut segment = each;
        if let Some(seal) = &mut seal {
            trains.iter_mut().for_each(|train| seal.train(&payload, each, train));
            segment += TAG;
        }
        let batch: Vec<Transmit<'_>> = to
            .iter()
            .zip(&trains)
            .map(|(to, payload)| Transmit { to: *to, local: None, ecn: None, segment: Some(segment), payload })
            .collect();
        let mut left = &batch[..];
        while !left.is_empty() {
            match out.send(left) {
                Ok(sent) => left = &left[sent.min(left.len())..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(_) => left = &left[1..],
            }
        }
        frames += to.len() * tracks;
        ticks += 1;
        thread::sleep((Duration::from_secs(1) * ticks / hz as u32).saturating_sub(began.elapsed()));
    }
    (frames, thread_cpu_time() - cpu)
}

/// Keeps the calling thread on the first of its cores, or on the last one.
#[cfg(target_os = "linux")]
fn keep_to(first: bool) {
    // SAFETY: a set is plain bits, for which all zeros is valid; the calls read or write one of the size that they are
    // told, of the calling thread. A refusal leaves the thread where it was, which is measured then.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&cores);
        libc::sched_getaffinity(0, size, &raw mut cores);
        let mut allowed = (0..libc::CPU_SETSIZE as usize).filter(|core| libc::CPU_ISSET(*core, &cores));
        if let Some(core) = if first { allowed.next() } else { allowed.next_back() } {
            libc::CPU_ZERO(&mut cores);
            libc::CPU_SET(core, &mut cores);
            libc::sched_setaffinity(0, size, &raw const cores);
        }
    }
}
#[cfg(not(target_os = "linux"))]
fn keep_to(_first: bool) {}

/// Sends packets to a thread that sleeps before each, on another core; how many woke it, and the CPU time that it took.
fn wakes(count: usize) -> io::Result<(usize, Duration)> {
    let (out, sleeper) = (bind(&SocketOptions::default())?, bind(&SocketOptions::default())?);
    let to = sleeper.local_addr()?;
    let receiving = thread::spawn(move || -> io::Result<(usize, Duration)> {
        keep_to(true);
        let (waker, mut buffer) = (Waker::new()?, RecvBuffer::new());
        let (mut woken, cpu) = (0, thread_cpu_time());
        while woken < count && wait(&sleeper, &waker, Interest::default(), Some(LOST))?.socket_readable {
            // Two that came as one woke it once.
            woken += 1;
            let _ = sleeper.recv(&mut buffer, |_| ());
        }
        Ok((woken, thread_cpu_time() - cpu))
    });
    keep_to(false);
    for _ in 0..count {
        let _ = out.send(&[Transmit { to, local: None, ecn: None, segment: None, payload: &[0; 60] }]);
        thread::sleep(APART);
    }
    receiving.join().map_err(|_| io::Error::other("the receiving thread panicked"))?
}

/// Answers each line of standard input that is a number.
fn answer(mut run: impl FnMut(f64) -> io::Result<(usize, Duration)>) -> io::Result<()> {
    println!("ready");
    for line in io::stdin().lock().lines() {
        let Ok(told) = line?.trim().parse::<f64>() else { break };
        let (count, cpu) = run(told)?;
        println!("{count} {}", cpu.as_micros());
        io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    if std::env::args().skip(1).eq(["wake"]) {
        return answer(|count| wakes(count.clamp(1.0, 1e5) as usize));
    }
    let Some(([subscribers, tracks, hz, size], sealed)) = arguments() else {
        eprintln!(
            "floor wake, or floor SUBSCRIBERS TRACKS HZ SIZE plain|sealed: 1 to {MOST}, to {}, to {MOST}, to {DATAGRAM}",
            10 * MOST
        );
        std::process::exit(2);
    };
    let out = bind(&SocketOptions { send_buffer: 4 << 20, ..SocketOptions::default() })?;
    let sinks = Sinks::new(subscribers)?;
    answer(|seconds| {
        let seal = if sealed { Seal::new() } else { None };
        sinks.fill(true);
        let sent = run(&out, &sinks.to, [tracks, hz, size], seal, Duration::from_secs_f64(seconds.clamp(0.01, 600.0)));
        sinks.fill(false);
        Ok(sent)
    })
}
