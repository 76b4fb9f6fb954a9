//! The command line, checked.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` says.
pub const USAGE: &str = "\
clutchcall-netproxy --to ADDRESS --profile NAME|FILE [OPTIONS]
  --to HOST:PORT       where clients' packets go
  --profile NAME|FILE  what befalls them: a name in --profiles, or a file (NAME.json, or with a folder)
  --listen HOST:PORT   where clients send to (127.0.0.1:0: any free port of loopback)
  --profiles DIR       the folder of named profiles
  --seed N             every random decision follows from it, 0..=2^64-1 (1)
  --from IP|client     the address that the target sees: one of this machine's, or each client's own
  --name NAME          what the profile's `clients` call everyone who comes (client-1, client-2, ...)
  --reverse            it is the target's network: its `up` is what the target sends
  --clients N          the most clients at once, 1..=16384 (1024)
  --idle SECONDS       after how long without packets a client is forgotten, 1..=86400 (300)
commands on standard input, a line each: profile NAME|FILE, pause, resume, rebind, stats, quit; its end is quit";

/// The most clients that may be asked for.
const MOST_CLIENTS: usize = 16_384;

/// Which address packets to the target leave from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// What the system chooses.
    #[default]
    Any,
    /// This one.
    Own(IpAddr),
    /// The one that the client sent from.
    Client,
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where clients send to.
    pub listen: SocketAddr,
    /// Where their packets go.
    pub target: SocketAddr,
    /// What the target sees as the sender, but for the port.
    pub source: Source,
    /// What the profile calls everyone who comes; None: `client-N`.
    pub name: Option<String>,
    /// The profile is the target's.
    pub reverse: bool,
    /// A profile's name or file.
    pub profile: String,
    /// The folder of named profiles.
    pub profiles: Option<PathBuf>,
    /// What every random decision follows from.
    pub seed: u64,
    /// The most clients at once.
    pub clients: usize,
    /// After how long without packets a client is forgotten.
    pub idle: Duration,
}

/// What the arguments ask for.
#[derive(Debug)]
pub enum Parsed {
    /// Serve.
    Run(Options),
    /// Say how.
    Help,
}

impl Options {
    /// Reads arguments, `--name value` or `--name=value`. The error is a line.
    pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
        let text = |argument: OsString| argument.into_string().map_err(|argument| format!("{argument:?} is not UTF-8"));
        let arguments: Vec<String> = arguments.map(text).collect::<Result<_, _>>()?;
        let mut arguments = arguments.into_iter();
        let (mut listen, mut target, mut profile, mut profiles) = ("127.0.0.1:0".to_owned(), None, None, None);
        let (mut seed, mut clients, mut idle, mut source) = (1, 1024, 300, Source::Any);
        let (mut who, mut reverse) = (None, false);
        while let Some(argument) = arguments.next() {
            if argument == "--help" || argument == "-h" {
                return Ok(Parsed::Help);
            }
            if argument == "--reverse" {
                reverse = true;
                continue;
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument.clone(), None),
            };
            let known =
                ["--listen", "--to", "--from", "--name", "--profile", "--profiles", "--seed", "--clients", "--idle"];
            if !known.contains(&name.as_str()) {
                return Err(format!("no option {name:?}: --help lists them"));
            }
            let value = value.or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--listen" => listen = value,
                "--to" => target = Some(value),
                "--name" => who = Some(value),
                "--from" => source = whence(&value)?,
                "--profile" => profile = Some(value),
                "--profiles" => profiles = Some(PathBuf::from(value)),
                "--seed" => seed = number(&name, &value, 0, u64::MAX)?,
                "--clients" => clients = number(&name, &value, 1, MOST_CLIENTS as u64)?,
                _ => idle = number(&name, &value, 1, 86_400)?,
            }
        }
        let target = target.ok_or("--to is missing: where do the packets go?")?;
        let (listen, target) = (address("--listen", &listen)?, address("--to", &target)?);
        if target.port() == 0 {
            return Err(format!("--to {target}: port 0 is no target, pass 1..=65535"));
        }
        if let Source::Own(ip) = source {
            if ip.is_ipv4() != target.is_ipv4() {
                return Err(format!("--from {ip} cannot send to --to {target}: pass an address of its family"));
            }
        }
        if target == listen {
            return Err(format!("--to {target} is where the proxy itself listens"));
        }
        Ok(Parsed::Run(Options {
            listen,
            target,
            source,
            name: who,
            reverse,
            profile: profile.ok_or("--profile is missing: which network?")?,
            profiles,
            seed,
            clients: clients as usize,
            idle: Duration::from_secs(idle),
        }))
    }
}

fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let fits = text.parse().ok().filter(|value| (least..=most).contains(value));
    fits.ok_or_else(|| format!("{name} is {text:?}, must be {least}..={most}"))
}

fn whence(text: &str) -> Result<Source, String> {
    match text {
        "client" => Ok(Source::Client),
        ip => ip.parse().map(Source::Own).map_err(|_| format!("--from is {ip:?}, must be an IP address, or client")),
    }
}

/// The first address of `HOST:PORT`, IPv4 before IPv6.
fn address(name: &str, text: &str) -> Result<SocketAddr, String> {
    let malformed = || format!("{name} is {text:?}, must be HOST:PORT, such as 127.0.0.1:7777 or [::1]:7777");
    let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(malformed());
    }
    let found = text.to_socket_addrs().map_err(|error| format!("{name} {text}: no such host: {error}"))?;
    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| format!("{name} {text}: the host has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Parsed, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn both_forms_of_an_option_are_read() {
        let Ok(Parsed::Run(options)) = parse("--to 127.0.0.1:9 --profile=lan --seed=7 --clients 3 --idle 5") else {
            panic!("refused")
        };
        assert_eq!((options.target.port(), options.seed, options.clients), (9, 7, 3));
        assert_eq!((options.profile.as_str(), options.idle), ("lan", Duration::from_secs(5)));
        assert!(options.listen.ip().is_loopback() && options.listen.port() == 0);
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (line, word) in [
            ("", "--to is missing"),
            ("--to 127.0.0.1:9", "--profile is missing"),
            ("--to 127.0.0.1 --profile lan", "HOST:PORT"),
            ("--to 127.0.0.1:0 --profile lan", "port 0"),
            ("--to 127.0.0.1:99999 --profile lan", "HOST:PORT"),
            ("--to 127.0.0.1:9 --listen 127.0.0.1:9 --profile lan", "itself listens"),
            ("--to 127.0.0.1:9 --profile lan --seed -1", "--seed"),
            ("--to 127.0.0.1:9 --profile lan --clients 0", "--clients"),
            ("--to 127.0.0.1:9 --profile", "needs a value"),
            ("--to 127.0.0.1:9 --profile lan --from here", "--from"),
            ("--to 127.0.0.1:9 --profile lan --from ::1", "of its family"),
            ("--to 127.0.0.1:9 --speed 3", "no option"),
        ] {
            let problem = parse(line).expect_err(line);
            assert!(problem.contains(word) && !problem.contains('\n'), "{line}: {problem}");
        }
    }
}
