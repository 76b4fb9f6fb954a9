//! The program itself, with real sockets around it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/profiles");

struct Proxy {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Proxy {
    fn start(target: SocketAddr, profile: &str, more: &[&str]) -> Proxy {
        let mut child = command(&["--to", &target.to_string(), "--profile", profile])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut proxy = Proxy { child, input, output: BufReader::new(output), address: target };
        let ready = proxy.next("ready");
        proxy.address = ready["listen"].as_str().expect("an address").parse().expect("an address");
        proxy
    }

    /// The next line of this type.
    fn next(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("reads") > 0, "the proxy is gone");
            let value: Value = serde_json::from_str(&line).expect("JSON");
            if value["type"] == kind {
                return value;
            }
        }
    }

    fn ask(&mut self, command: &str) -> Value {
        writeln!(self.input, "{command}").expect("writes");
        self.next("answer")
    }

    fn stats(&mut self) -> Value {
        writeln!(self.input, "stats").expect("writes");
        let stats = self.next("stats");
        self.next("answer");
        stats
    }

    fn quit(mut self) -> Value {
        writeln!(self.input, "quit").expect("writes");
        let last = loop {
            let stats = self.next("stats");
            if stats["last"] == true {
                break stats;
            }
        };
        assert!(self.child.wait().expect("ends").success());
        last
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clutchcall-netproxy"));
    command.args(["--profiles", PROFILES]).args(arguments);
    command
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("sets");
    socket
}

/// A profile in a file of its own, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, up: &str, nat: &str) -> File {
        let path = std::env::temp_dir().join(format!("netproxy-{}-{name}.json", std::process::id()));
        let text = format!(
            r#"{{"name": "{name}", "description": "A test's.", "sources": ["Made up."], "up": {up}, "down": {{}}, "nat": {nat}}}"#
        );
        fs::write(&path, text).expect("writes");
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn packets_pass_both_ways_and_are_counted() {
    let (client, server) = (socket(), socket());
    let file = File::new("every-third", r#"{"loss": {"pattern": "..x"}}"#, "null");
    let mut proxy = Proxy::start(server.local_addr().unwrap(), file.path(), &[]);
    let mut bytes = [0; 16];
    for number in 0..6u8 {
        client.send_to(&[number], proxy.address).unwrap();
        if number % 3 < 2 {
            let (len, from) = server.recv_from(&mut bytes).unwrap();
            assert_eq!(bytes[..len], [number]);
            server.send_to(&[number + 100], from).unwrap();
            let (len, from) = client.recv_from(&mut bytes).unwrap();
            assert_eq!((&bytes[..len], from), (&[number + 100][..], proxy.address));
        }
    }
    let mut stats = proxy.stats();
    while stats["up"]["packets"] != 6 {
        stats = proxy.stats();
    }
    assert_eq!((&stats["up"]["delivered"], &stats["up"]["lost"]["listed"]), (&4.into(), &2.into()));
    assert_eq!((&stats["down"]["delivered"], &stats["clients"]), (&4.into(), &1.into()));
    assert!(proxy.ask("profile no-such")["error"].as_str().unwrap().contains("lte-train"));
    assert_eq!(proxy.ask("profile lan")["error"], Value::Null);
    let last = proxy.quit();
    assert_eq!((&last["profile"], &last["outside"]["unsent"]), (&"lan".into(), &0.into()));
}

#[test]
fn a_rebinding_is_another_port_and_the_old_one_leads_nowhere() {
    let (client, server) = (socket(), socket());
    let file = File::new("rebinds", "{}", r#"{"rebind_at_ms": [], "idle_ms": 40}"#);
    let mut proxy = Proxy::start(server.local_addr().unwrap(), file.path(), &[]);
    let mut bytes = [0; 16];
    client.send_to(b"a", proxy.address).unwrap();
    let (_, first) = server.recv_from(&mut bytes).unwrap();
    let mut second = first;
    // The binding ends in silence; a slow machine only makes it longer.
    while second == first {
        client.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        assert!(client.recv_from(&mut bytes).is_err());
        client.send_to(b"b", proxy.address).unwrap();
        second = server.recv_from(&mut bytes).unwrap().1;
    }
    server.send_to(b"old", first).unwrap();
    while proxy.stats()["down"]["lost"]["stale_binding"] == 0 {}
    let last = proxy.quit();
    assert_eq!((&last["down"]["delivered"], &last["clients"]), (&0.into(), &1.into()));
}

#[test]
fn clients_have_a_bound_and_pause_stops_everything() {
    let (one, two, server) = (socket(), socket(), socket());
    let mut proxy = Proxy::start(server.local_addr().unwrap(), "perfect", &["--clients", "1"]);
    let mut bytes = [0; 16];
    one.send_to(b"1", proxy.address).unwrap();
    server.recv_from(&mut bytes).unwrap();
    two.send_to(b"2", proxy.address).unwrap();
    assert!(proxy.next("notice")["text"].as_str().unwrap().contains("--clients"));
    proxy.ask("pause");
    one.send_to(b"1", proxy.address).unwrap();
    while proxy.stats()["outside"]["paused"] == 0 {}
    proxy.ask("resume");
    one.send_to(b"3", proxy.address).unwrap();
    let (len, _) = server.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..len], b"3");
    let last = proxy.quit();
    assert_eq!((&last["outside"]["turned_away"], &last["outside"]["paused"]), (&1.into(), &1.into()));
}

#[test]
fn a_target_that_is_not_there_is_told_once_and_found_later() {
    let client = socket();
    let target = socket().local_addr().unwrap();
    let mut proxy = Proxy::start(target, "perfect", &[]);
    while proxy.stats()["outside"]["refused"].as_u64().unwrap() < 3 {
        client.send_to(b"x", proxy.address).unwrap();
    }
    let server = UdpSocket::bind(target).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.send_to(b"y", proxy.address).unwrap();
    let mut bytes = [0; 16];
    while server.recv_from(&mut bytes).unwrap().0 != 1 || bytes[0] != b'y' {}
    proxy.quit();
}

#[test]
fn mistakes_are_one_line_and_a_code() {
    let held = socket();
    let taken = held.local_addr().unwrap().to_string();
    let bad = File::new("bad", r#"{"loss": {"independent": 140}}"#, "null");
    let traced = File::new("traced", r#"{"trace": "missing.csv"}"#, "null");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--profile", "lan"], 2, "--to is missing"),
        (&["--to", "127.0.0.1:9", "--profile", "lna"], 2, "there are 3g"),
        (&["--to", "127.0.0.1:9", "--profile", bad.path()], 2, "up.loss.independent is 140"),
        (&["--to", "127.0.0.1:9", "--profile", traced.path()], 2, "missing.csv"),
        (&["--to", "127.0.0.1:9", "--profile", "lan", "--listen", &taken], 1, "in use"),
        (&["--to", "no-such-host.invalid:9", "--profile", "lan"], 2, "no such host"),
    ];
    for (arguments, code, word) in cases {
        let output = command(arguments).stdin(Stdio::null()).output().expect("runs");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(word) && told.lines().count() == 1, "{told}");
    }
}
