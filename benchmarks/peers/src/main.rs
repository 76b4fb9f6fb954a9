//! What the relay is measured beside: `bench-peers serve KIND ...` and `bench-peers play KIND ...`.
//!
//! A server sends whatever one of its clients sends to all the others. `serve quinn CERT KEY` and `serve renet HZ`
//! print the port that they listen on, and end with their input. moq-relay is a program of its own.
//!
//! `play quinn PORT CERT`, `play renet PORT` and `play moq PORT SHA256 DRAFT`, each followed by
//! `SUBSCRIBERS TRACKS HZ SIZE OBJECTS`, connect a publisher and its subscribers to a server on the loopback, and print
//! `ready` when each of them has heard the publisher. OBJECTS is 0 for datagrams, else how many objects a stream has
//! (moq alone). Then each line of input is one of
//!   `send SECONDS`  a frame a track and tick, so long; answered with `SENT ARRIVED`, deliveries due and made
//!   `frame`         one frame; answered with the microseconds until a subscriber has it, or `lost`

mod crowd;
mod game;
mod moq;
mod quic;

use std::process::ExitCode;

use anyhow::{bail, Context};

use crate::crowd::Play;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    match *words {
        ["serve", "quinn", certificate, key] => quic::serve(certificate, key),
        ["serve", "renet", hz] => game::serve(hz.parse().context("HZ")?),
        ["play", "quinn", port, certificate, ref rest @ ..] => {
            quic::play(port.parse().context("PORT")?, certificate, Play::parse(rest)?)
        }
        ["play", "renet", port, ref rest @ ..] => game::play(port.parse().context("PORT")?, Play::parse(rest)?),
        ["play", "moq", port, sha256, draft, ref rest @ ..] => {
            moq::play(port.parse().context("PORT")?, sha256, draft, Play::parse(rest)?)
        }
        _ => bail!("serve quinn|renet ..., or play quinn|renet|moq ...: the top of src/main.rs has the forms"),
    }
}
