//! Commands: a line each on standard input, read by a thread that does nothing else. Profiles are loaded there, so
//! that a long trace stops no packet.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::mpsc::{sync_channel, Receiver};
use std::sync::Arc;
use std::thread;

use cc_netem::Profile;
use mio::Waker;

use crate::profiles;

/// The longest line, in bytes.
const MAX_LINE: u64 = 8192;
/// Commands that wait to be obeyed; the reader then waits, too.
const WAITING: usize = 16;

/// One line, and what it says.
pub struct Command {
    /// The line as it came, cut to its bound.
    pub line: String,
    /// What to do, or why that cannot be.
    pub order: Result<Order, String>,
}

/// What to do.
pub enum Order {
    /// Another profile from now on.
    Profile(Box<Profile>),
    /// Nothing passes any more.
    Pause,
    /// Packets pass again.
    Resume,
    /// Each client's NAT gives it another port from its next packet on.
    Rebind,
    /// A line of figures now.
    Stats,
    /// End.
    Quit,
}

/// Starts reading. `waker` is woken after each command; the end of input is [`Order::Quit`].
pub fn listen(folder: Option<PathBuf>, waker: Arc<Waker>) -> io::Result<Receiver<Command>> {
    let (sender, receiver) = sync_channel(WAITING);
    thread::Builder::new().name("commands".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let command = match next_line(&mut input) {
                None => Command { line: "quit".to_owned(), order: Ok(Order::Quit) },
                Some(line) if line.is_empty() => continue,
                Some(line) => Command { order: parse(&line, &folder), line },
            };
            let last = matches!(command.order, Ok(Order::Quit));
            if sender.send(command).is_err() || waker.wake().is_err() || last {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// The next line without its end; None: there is no more. A line beyond the bound comes in pieces, which are no
/// commands.
fn next_line(input: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let count = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).ok()?;
    (count > 0).then(|| String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn parse(line: &str, folder: &Option<PathBuf>) -> Result<Order, String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match (word, rest.trim()) {
        ("profile", "") => Err("profile needs a name or a file".to_owned()),
        ("profile", what) => profiles::load(folder.as_deref(), what).map(|profile| Order::Profile(Box::new(profile))),
        ("pause", "") => Ok(Order::Pause),
        ("resume", "") => Ok(Order::Resume),
        ("rebind", "") => Ok(Order::Rebind),
        ("stats", "") => Ok(Order::Stats),
        ("quit", "") => Ok(Order::Quit),
        _ => Err("no such command: profile NAME|FILE, pause, resume, rebind, stats or quit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_end() {
        let long = format!("quit \r\n{}\npause", "x".repeat(MAX_LINE as usize + 5));
        let mut input = long.as_bytes();
        let lines: Vec<usize> = std::iter::from_fn(|| next_line(&mut input)).map(|line| line.len()).collect();
        assert_eq!(lines, [4, MAX_LINE as usize, 5, 5]);
    }

    #[test]
    fn what_is_no_command_is_told() {
        for line in ["stop", "pause now", "profile", "profile none", "\u{0}"] {
            assert!(parse(line, &None).is_err(), "{line}");
        }
        assert!(matches!(parse("pause", &None), Ok(Order::Pause)));
    }
}
