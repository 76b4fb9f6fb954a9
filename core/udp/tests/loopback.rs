//! The public face over loopback, on both implementations.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use cc_udp::{thread_cpu_time, wait, BindError, Ecn, Interest, RecvBuffer, Socket, SocketOptions, Transmit, Waker};

/// A datagram, owned.
#[derive(Debug, Clone, PartialEq)]
struct Got {
    from: SocketAddr,
    local: Option<IpAddr>,
    ecn: Option<Ecn>,
    payload: Vec<u8>,
}

fn open(addr: &str) -> Socket {
    open_with(addr, SocketOptions::default())
}

fn open_with(addr: &str, options: SocketOptions) -> Socket {
    Socket::bind(addr.parse().unwrap(), &options).unwrap()
}

fn portable() -> SocketOptions {
    SocketOptions { force_portable: true, ..SocketOptions::default() }
}

/// Whether the host has IPv6 loopback; only a missing address excuses a test.
fn has_v6() -> bool {
    match UdpSocket::bind("[::1]:0") {
        Ok(_) => true,
        Err(e) => {
            let missing = e.kind() == ErrorKind::AddrNotAvailable || e.raw_os_error() == Some(libc_eafnosupport());
            assert!(missing, "::1 exists but cannot be bound: {e}");
            eprintln!("no ::1 on this host, IPv6 part left out");
            false
        }
    }
}

fn libc_eafnosupport() -> i32 {
    if cfg!(windows) {
        10047
    } else {
        libc::EAFNOSUPPORT
    }
}

/// Receives `count` datagrams, or fails after two seconds.
fn take(socket: &Socket, count: usize) -> Vec<Got> {
    let waker = Waker::new().unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    let mut room = RecvBuffer::new();
    let mut got = Vec::new();
    while got.len() < count {
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{} of {count} datagrams arrived", got.len());
        wait(socket, &waker, Interest::default(), Some(left)).unwrap();
        let result = socket.recv(&mut room, |d| {
            got.push(Got { from: d.from, local: d.local, ecn: d.ecn, payload: d.payload.to_vec() });
        });
        match result {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
        }
    }
    got
}

fn to(addr: SocketAddr, payload: &[u8]) -> Transmit<'_> {
    Transmit { to: addr, local: None, ecn: None, segment: None, payload }
}

/// The address to reach a socket at, by way of `ip`.
fn at(socket: &Socket, ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), socket.local_addr().unwrap().port())
}

#[test]
fn tiny_and_full_datagrams_arrive_whole_on_every_path() {
    let mut kinds = vec![("127.0.0.1:0", SocketOptions::default()), ("127.0.0.1:0", portable())];
    if has_v6() {
        kinds.push(("[::1]:0", SocketOptions::default()));
        kinds.push(("[::1]:0", portable()));
    }
    for (addr, options) in kinds {
        let (a, b) = (open_with(addr, options.clone()), open_with(addr, options));
        // Unfragmented, the loopback device takes 65,536 bytes with headers.
        let most = if addr.starts_with('[') { 65_488u32 } else { 65_507 };
        let full: Vec<u8> = (0..most).map(|i| i as u8).collect();
        let dest = b.local_addr().unwrap();
        for payload in [&b""[..], b"x", &full[..1200], &full] {
            assert_eq!(a.send(&[to(dest, payload)]).unwrap(), 1);
            let got = take(&b, 1);
            assert_eq!(got[0].payload, payload);
            assert_eq!(got[0].from, a.local_addr().unwrap());
        }
        let mut room = RecvBuffer::new();
        let e = b.recv(&mut room, |_| panic!("nothing was sent")).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_batch_to_many_keeps_order_and_survives_bad_destinations() {
    for options in [SocketOptions::default(), portable()] {
        let a = open_with("127.0.0.1:0", options.clone());
        let b = open_with("127.0.0.1:0", options.clone());
        let c = open_with("127.0.0.1:0", options);
        let too_large = vec![0u8; 65_508];
        let payloads: Vec<[u8; 2]> = (0..200u8).map(|i| [i, i]).collect();
        let mut batch = Vec::new();
        for (i, payload) in payloads.iter().enumerate() {
            let dest = if i % 2 == 0 { &b } else { &c };
            batch.push(to(dest.local_addr().unwrap(), payload));
            if i == 70 {
                batch.push(to(b.local_addr().unwrap(), &too_large));
                batch.push(to("[2001:db8::1]:9".parse().unwrap(), payload));
                batch.push(to("127.0.0.1:0".parse().unwrap(), payload));
            }
        }
        assert_eq!(a.send(&batch).unwrap(), 203);
        for (socket, odd) in [(&b, 0), (&c, 1)] {
            let bytes: Vec<u8> = take(socket, 100).iter().map(|g| g.payload[0]).collect();
            let expected: Vec<u8> = (0..200u8).filter(|i| i % 2 == odd).collect();
            assert_eq!(bytes, expected);
        }
        let stats = a.stats();
        assert_eq!((stats.too_large, stats.unreachable, stats.refused), (1, 1, 1));
    }
}

#[test]
fn an_empty_batch_sends_nothing() {
    for options in [SocketOptions::default(), portable()] {
        assert_eq!(open_with("127.0.0.1:0", options).send(&[]).unwrap(), 0);
    }
}

#[test]
fn dual_stack_shows_plain_ipv4_both_ways() {
    if !has_v6() {
        return;
    }
    for options in [SocketOptions::default(), portable()] {
        let server = open_with("[::]:0", options.clone());
        let v4 = open_with("127.0.0.1:0", options.clone());
        let v6 = open_with("[::1]:0", options);
        for (client, ip) in [(&v4, "127.0.0.1"), (&v6, "::1")] {
            client.send(&[to(at(&server, ip), b"ping")]).unwrap();
            let got = take(&server, 1);
            assert_eq!(got[0].from, client.local_addr().unwrap());
            if server.capabilities().pktinfo {
                assert_eq!(got[0].local, Some(ip.parse().unwrap()));
            }
            let reply = Transmit { local: got[0].local, ..to(got[0].from, b"pong") };
            server.send(&[reply]).unwrap();
            let back = take(client, 1);
            assert_eq!(back[0].payload, b"pong");
            assert_eq!(back[0].from, at(&server, ip));
        }
    }
}

#[test]
fn an_only_v6_socket_leaves_ipv4_alone() {
    if !has_v6() {
        return;
    }
    let options = SocketOptions { only_v6: true, ..SocketOptions::default() };
    let v6 = open_with("[::]:0", options);
    let port = v6.local_addr().unwrap().port();
    let beside = open(&format!("0.0.0.0:{port}"));
    assert_eq!(beside.local_addr().unwrap().port(), port);
    v6.send(&[to(at(&beside, "127.0.0.1"), b"x")]).unwrap();
    assert_eq!(v6.stats().unreachable, 1, "IPv4 is out of its reach");
}

#[test]
fn trains_arrive_cut_with_a_shorter_last_datagram() {
    for options in [SocketOptions::default(), portable()] {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            if addr.starts_with('[') && !has_v6() {
                continue;
            }
            let (a, b) = (open_with(addr, options.clone()), open_with(addr, options.clone()));
            // 10, then 100 datagrams: within and beyond one kernel message.
            for (count, step) in [(10, 1200), (100, 300), (3, 30_000)] {
                let payload: Vec<u8> = (0..count * step - 17).map(|i| (i / step) as u8).collect();
                let train =
                    Transmit { segment: Some(step), ecn: Some(Ecn::Ect0), ..to(b.local_addr().unwrap(), &payload) };
                assert_eq!(a.send(&[train]).unwrap(), 1);
                let got = take(&b, count);
                for (i, g) in got.iter().enumerate() {
                    let size = if i + 1 == count { step - 17 } else { step };
                    assert_eq!(g.payload, vec![i as u8; size]);
                    if b.capabilities().ecn {
                        assert_eq!(g.ecn, Some(Ecn::Ect0));
                    }
                }
            }
            assert_eq!(a.stats(), Default::default());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_joins_what_it_cut() {
    let (a, b) = (open("127.0.0.1:0"), open("127.0.0.1:0"));
    assert!(a.capabilities().gso > 1 && b.capabilities().gro > 1);
    let payload = vec![7; 40 * 1000];
    let train = Transmit { segment: Some(1000), ..to(b.local_addr().unwrap(), &payload) };
    a.send(&[train]).unwrap();
    let mut room = RecvBuffer::new();
    // More than the 32 messages that one call can hold.
    assert_eq!(b.recv(&mut room, |d| assert_eq!(d.payload.len(), 1000)).unwrap(), 40);
}

#[cfg(target_os = "linux")]
#[test]
fn ecn_marks_travel_both_ways_in_each_family() {
    let mut addrs = vec![("127.0.0.1:0", "127.0.0.1")];
    if has_v6() {
        addrs.extend([("[::1]:0", "::1"), ("[::]:0", "127.0.0.1"), ("[::]:0", "::1")]);
    }
    for (addr, ip) in addrs {
        let (a, b) = (open(addr), open(addr));
        assert!(a.capabilities().ecn);
        for ecn in [None, Some(Ecn::Ect0), Some(Ecn::Ect1), Some(Ecn::Ce)] {
            for (from, dest) in [(&a, &b), (&b, &a)] {
                from.send(&[Transmit { ecn, ..to(at(dest, ip), b"m") }]).unwrap();
                assert_eq!(take(dest, 1)[0].ecn, ecn, "{addr} by {ip}");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_local_address_is_reported_and_chosen() {
    let server = open("0.0.0.0:0");
    let client = open("127.0.0.1:0");
    // All of 127/8 is this host's on Linux.
    client.send(&[to(at(&server, "127.0.0.9"), b"x")]).unwrap();
    let got = take(&server, 1);
    let nine: IpAddr = "127.0.0.9".parse().unwrap();
    assert_eq!(got[0].local, Some(nine));
    let reply = Transmit { local: Some(nine), ..to(got[0].from, b"y") };
    server.send(&[reply]).unwrap();
    assert_eq!(take(&client, 1)[0].from.ip(), nine);

    let stranger = Transmit { local: Some("203.0.113.9".parse().unwrap()), ..to(got[0].from, b"y") };
    assert_eq!(server.send(&[stranger]).unwrap(), 1);
    let stats = server.stats();
    assert_eq!(stats.unreachable + stats.refused, 1, "not an address of ours");
}

#[test]
fn both_paths_talk_to_each_other_and_say_what_they_lack() {
    let (a, b) = (open("127.0.0.1:0"), open_with("127.0.0.1:0", portable()));
    a.send(&[to(b.local_addr().unwrap(), b"hello")]).unwrap();
    assert_eq!(take(&b, 1)[0].payload, b"hello");
    b.send(&[to(a.local_addr().unwrap(), b"there")]).unwrap();
    assert_eq!(take(&a, 1)[0].payload, b"there");
    let has = b.capabilities();
    assert_eq!((has.gso, has.gro, has.ecn, has.pktinfo), (1, 1, false, false));
    assert!(has.dont_fragment);
    assert!(b.degraded().iter().any(|line| line.contains("one datagram a system call")));
    if cfg!(target_os = "linux") {
        assert_eq!(a.degraded(), Vec::<String>::new());
    }
}

#[test]
fn a_taken_port_is_a_typed_error_unless_shared() {
    let first = open("127.0.0.1:0");
    let addr = first.local_addr().unwrap();
    for options in [SocketOptions::default(), portable()] {
        match Socket::bind(addr, &options) {
            Err(e @ BindError::AddrInUse(_)) => {
                assert_eq!(e.addr(), addr);
                assert!(e.to_string().contains(&addr.port().to_string()));
            }
            Err(e) => panic!("another error: {e}"),
            Ok(_) => panic!("bound twice"),
        }
    }
    #[cfg(unix)]
    {
        let shared = SocketOptions { reuse_port: true, ..SocketOptions::default() };
        let one = open_with("127.0.0.1:0", shared.clone());
        let two = Socket::bind(one.local_addr().unwrap(), &shared).unwrap();
        assert_eq!(one.local_addr().unwrap(), two.local_addr().unwrap());
    }
}

#[test]
fn a_foreign_address_is_a_typed_error() {
    let addr = "203.0.113.1:0".parse().unwrap();
    let Err(e) = Socket::bind(addr, &SocketOptions::default()) else {
        panic!("bound a documentation address");
    };
    assert!(matches!(e, BindError::AddrNotAvailable(a) if a == addr));
    assert!(e.to_string().contains("203.0.113.1"));
}

#[test]
fn a_buffer_beyond_the_systems_limit_is_reported_with_its_remedy() {
    let greedy = SocketOptions { recv_buffer: 1 << 30, send_buffer: 1 << 30, ..SocketOptions::default() };
    let socket = open_with("127.0.0.1:0", greedy);
    let lines = socket.degraded();
    if cfg!(target_os = "linux") {
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("net.core.rmem_max=1073741824"), "{lines:?}");
        assert!(lines[1].contains("net.core.wmem_max=1073741824"), "{lines:?}");
    }
    let modest = SocketOptions { recv_buffer: 100_000, send_buffer: 100_000, ..SocketOptions::default() };
    assert!(!open_with("127.0.0.1:0", modest).degraded().iter().any(|line| line.contains("buffer")));
}

#[test]
fn a_receiver_that_does_not_read_loses_the_excess_only() {
    let tight = SocketOptions { recv_buffer: 4096, ..SocketOptions::default() };
    let (a, b) = (open("127.0.0.1:0"), open_with("127.0.0.1:0", tight));
    let payload = [1u8; 1000];
    let batch = vec![to(b.local_addr().unwrap(), &payload[..]); 500];
    assert_eq!(a.send(&batch).unwrap(), 500);
    let got = take(&b, 1);
    assert!(got.len() < 500);
    assert_eq!(got[0].payload, payload);
}

#[test]
fn a_waker_ends_a_wait_and_stays_set_until_cleared() {
    let socket = open("127.0.0.1:0");
    let waker = Waker::new().unwrap();
    let look = || wait(&socket, &waker, Interest::default(), Some(Duration::ZERO)).unwrap();
    assert_eq!(look(), Default::default());
    thread::scope(|scope| {
        scope.spawn(|| waker.wake());
        let ready = wait(&socket, &waker, Interest::default(), None).unwrap();
        assert!(ready.woken && !ready.socket_readable);
    });
    waker.wake();
    assert!(look().woken && look().woken);
    waker.clear();
    assert!(!look().woken);
}

#[test]
fn a_wait_ends_in_time_and_reports_what_was_asked() {
    let (a, b) = (open("127.0.0.1:0"), open("127.0.0.1:0"));
    let waker = Waker::new().unwrap();
    let before = Instant::now();
    let limit = Duration::from_micros(700);
    let ready = wait(&a, &waker, Interest::default(), Some(limit)).unwrap();
    assert_eq!(ready, Default::default());
    assert!(before.elapsed() >= limit);

    let both = Interest { writable: true };
    let ready = wait(&a, &waker, both, None).unwrap();
    assert!(ready.socket_writable && !ready.socket_readable);
    b.send(&[to(a.local_addr().unwrap(), b"x")]).unwrap();
    let ready = wait(&a, &waker, Interest::default(), Some(Duration::from_secs(2))).unwrap();
    assert!(ready.socket_readable && !ready.socket_writable);
}

#[test]
fn cpu_time_counts_this_threads_work() {
    let before = thread_cpu_time();
    let until = Instant::now() + Duration::from_secs(5);
    let mut x = 1u64;
    while thread_cpu_time() == before {
        assert!(Instant::now() < until, "five seconds of work are not counted");
        x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
    }
    let other = thread::spawn(thread_cpu_time).join().unwrap();
    assert!(other < thread_cpu_time() + Duration::from_millis(1));
}
