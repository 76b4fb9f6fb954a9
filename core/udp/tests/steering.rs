//! Packets sent to a port that several sockets share, and where each arrives: as the hash says, in each way.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use cc_udp::{wait, Group, GroupError, Interest, RecvBuffer, SocketOptions, Steering, Waker, Way};

const PACKETS: u64 = 400;
const SENDERS: usize = 8;

fn packet(number: u64) -> Vec<u8> {
    let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let head: &[u8] = if number.is_multiple_of(3) { &[0xc3, 0, 0, 0, 1, 8] } else { &[0x42] };
    // From the smallest that QUIC allows to a full packet.
    [head, &id, &number.to_be_bytes(), &vec![0; 8 + (number as usize * 37) % 1_200]].concat()
}

fn number_of(packet: &[u8]) -> u64 {
    let at = if packet[0] & 0x80 != 0 { 14 } else { 9 };
    u64::from_be_bytes(packet[at..at + 8].try_into().unwrap())
}

/// Sends from several sockets, as clients that move about would; gives each packet's socket.
fn arrivals(group: &Group, to: SocketAddr) -> BTreeMap<u64, usize> {
    let senders: Vec<_> = (0..SENDERS).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let waker = Waker::new().unwrap();
    let mut found = BTreeMap::new();
    for number in 0..PACKETS {
        senders[number as usize % SENDERS].send_to(&packet(number), to).unwrap();
        // A few at a time, so that no socket's buffer overflows.
        if number % 16 == 15 {
            collect(group, &waker, number as usize + 1, &mut found);
        }
    }
    found
}

fn collect(group: &Group, waker: &Waker, want: usize, found: &mut BTreeMap<u64, usize>) {
    let end = Instant::now() + Duration::from_secs(20);
    let mut room = RecvBuffer::new();
    while found.len() < want {
        assert!(Instant::now() < end, "{} of {want} arrived", found.len());
        for (index, socket) in group.sockets().iter().enumerate() {
            let _ = wait(socket, waker, Interest::default(), Some(Duration::from_millis(1)));
            let _ = socket.recv(&mut room, |got| {
                found.insert(number_of(got.payload), index);
            });
        }
    }
}

fn shares(way: Way, shards: usize) -> Option<(usize, usize)> {
    let steering = Steering::new(*b"a secret key", shards);
    let bound = Group::bind_by("127.0.0.1:0".parse().unwrap(), &SocketOptions::default(), steering, way);
    let group = match bound {
        Ok(group) => group,
        Err(GroupError::Refused { source, .. }) => {
            eprintln!("{way:?} is refused here: {source}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(group.way(), way);
    let to = group.sockets()[0].local_addr().unwrap();
    let found = arrivals(&group, to);
    let right = found.iter().filter(|(number, index)| steering.of_packet(&packet(**number)) == **index).count();
    println!("{way:?}, {shards} shards: {right} of {} packets at their shard", found.len());
    Some((right, found.len()))
}

/// Left out, with a line that says so, where the process may not load programs.
#[test]
fn a_program_in_the_kernel_steers_each_packet() {
    for way in [Way::Ebpf, Way::Classic] {
        for shards in [2, 3, 8] {
            if let Some(found) = shares(way, shards) {
                assert_eq!(found, (PACKETS as usize, PACKETS as usize));
            }
        }
    }
}

#[test]
fn without_steering_each_packet_still_arrives_somewhere() {
    let (right, all) = shares(Way::UserSpace, 4).unwrap();
    assert_eq!(all, PACKETS as usize);
    assert!(right < all, "the kernel's own choice knows nothing of ids");
}

#[test]
fn the_best_way_is_taken_and_a_lesser_one_is_told() {
    let steering = Steering::new([9; 12], 2);
    let group = Group::bind("127.0.0.1:0".parse().unwrap(), &SocketOptions::default(), steering).unwrap();
    match group.way() {
        Way::Ebpf => assert_eq!(group.degraded(), None),
        Way::Classic => assert!(group.degraded().unwrap().contains("instead of eBPF")),
        Way::UserSpace => assert!(group.degraded().unwrap().contains("handed over in user space")),
    }
    let ports: Vec<_> = group.sockets().iter().map(|socket| socket.local_addr().unwrap()).collect();
    assert_eq!(ports[0], ports[1]);
}

#[test]
fn a_port_of_one_group_is_in_use_for_another() {
    let steering = Steering::new([9; 12], 3);
    let options = SocketOptions::default();
    let group = Group::bind("127.0.0.1:0".parse().unwrap(), &options, steering).unwrap();
    let at = group.sockets()[0].local_addr().unwrap();
    match Group::bind(at, &options, steering) {
        Err(GroupError::Bind(error)) => assert!(error.to_string().contains("is in use"), "{error}"),
        other => panic!("{:?}", other.map(|group| group.way())),
    }
}

#[test]
fn one_shard_is_a_plain_socket() {
    let steering = Steering::new([9; 12], 1);
    let group = Group::bind("127.0.0.1:0".parse().unwrap(), &SocketOptions::default(), steering).unwrap();
    let at = group.sockets()[0].local_addr().unwrap();
    assert_eq!((group.sockets().len(), group.degraded()), (1, None));
    assert!(UdpSocket::bind(at).is_err(), "nobody else may share the port");
}
