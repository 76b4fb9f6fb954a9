//! What raw UDP costs: the floor that a relay's CPU time is measured from.
//!
//! `floor SUBSCRIBERS TRACKS HZ SIZE plain|sealed`: a tick sends each subscriber a frame of SIZE bytes a track, packed
//! into datagrams of up to 1,100 bytes, a subscriber's in one train (GSO where there is). Sealed ones are encrypted
//! for each subscriber with AES-128-GCM, as QUIC does. Prints a line when it is ready. Each line on standard input is a number of seconds to send for; the answer is
//! `FRAMES CPU_MICROSECONDS`, of the sending thread alone. The end of input ends it.

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use cc_udp::{thread_cpu_time, RecvBuffer, Socket, SocketOptions, Transmit};
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

/// A socket that nobody sends from; a thread empties it.
fn sink(any: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::bind(any, &SocketOptions::default()).map_err(io::Error::other)?;
    let address = socket.local_addr()?;
    thread::spawn(move || {
        let mut buffer = RecvBuffer::new();
        loop {
            // Errors are nothing to a sink: what it is sent is dropped either way.
            if socket.recv(&mut buffer, |_| ()).is_err() {
                thread::sleep(Duration::from_millis(2));
            }
        }
    });
    Ok(address)
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

fn main() -> io::Result<()> {
    let Some(([subscribers, tracks, hz, size], sealed)) = arguments() else {
        eprintln!(
            "floor SUBSCRIBERS TRACKS HZ SIZE plain|sealed: 1 to {MOST}, to {}, to {MOST}, to {DATAGRAM}",
            10 * MOST
        );
        std::process::exit(2);
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let out = Socket::bind(any, &SocketOptions { send_buffer: 4 << 20, ..SocketOptions::default() })
        .map_err(io::Error::other)?;
    let to = (0..subscribers).map(|_| sink(any)).collect::<io::Result<Vec<_>>>()?;
    println!("ready");
    for line in io::stdin().lock().lines() {
        let Ok(seconds) = line?.trim().parse::<f64>() else { break };
        let seal = if sealed { Seal::new() } else { None };
        let length = Duration::from_secs_f64(seconds.clamp(0.01, 600.0));
        let (frames, cpu) = run(&out, &to, [tracks, hz, size], seal, length);
        println!("{frames} {}", cpu.as_micros());
        io::stdout().flush()?;
    }
    Ok(())
}
