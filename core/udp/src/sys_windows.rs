//! What the sockets need from Windows besides `std`: options that must be set
//! before binding, `WSAPoll`, a loopback socket to wake it, the thread's CPU
//! clock. Declarations follow Microsoft's headers `winsock2.h`, `ws2ipdef.h`
//! and `processthreadsapi.h`.

use std::ffi::c_void;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::windows::io::{AsRawSocket, FromRawSocket, RawSocket};
use std::time::Duration;

use crate::fallback::SendFault;
use crate::types::SocketOptions;
use crate::{Interest, Ready};

const AF_INET: i32 = 2;
const AF_INET6: i32 = 23;
const SOCK_DGRAM: i32 = 2;
const INVALID_SOCKET: usize = usize::MAX;
const WSA_FLAG_OVERLAPPED: u32 = 0x01;
const WSA_FLAG_NO_HANDLE_INHERIT: u32 = 0x80;

const SOL_SOCKET: i32 = 0xffff;
const SO_SNDBUF: i32 = 0x1001;
const SO_RCVBUF: i32 = 0x1002;
const IPPROTO_IP: i32 = 0;
const IPPROTO_IPV6: i32 = 41;
const IPV6_V6ONLY: i32 = 27;
/// IP_DONTFRAGMENT and IPV6_DONTFRAG share the number.
const DONT_FRAGMENT: i32 = 14;

const POLLOUT: i16 = 0x0010;
const POLLIN: i16 = 0x0300;
const POLLERR_HUP_NVAL: i16 = 0x0007;

#[repr(C)]
struct PollFd {
    fd: usize,
    events: i16,
    revents: i16,
}

#[repr(C)]
struct RawV4 {
    family: u16,
    port: u16,
    addr: [u8; 4],
    zero: [u8; 8],
}

#[repr(C)]
struct RawV6 {
    family: u16,
    port: u16,
    flowinfo: u32,
    addr: [u8; 16],
    scope_id: u32,
}

#[link(name = "ws2_32")]
extern "system" {
    fn WSASocketW(family: i32, kind: i32, protocol: i32, info: *const c_void, group: u32, flags: u32) -> usize;
    fn bind(socket: usize, name: *const c_void, len: i32) -> i32;
    fn setsockopt(socket: usize, level: i32, name: i32, value: *const c_void, len: i32) -> i32;
    fn getsockopt(socket: usize, level: i32, name: i32, value: *mut c_void, len: *mut i32) -> i32;
    fn WSAPoll(fds: *mut PollFd, count: u32, millis: i32) -> i32;
    fn WSAGetLastError() -> i32;
}

#[link(name = "kernel32")]
extern "system" {
    fn GetCurrentThread() -> *mut c_void;
    fn GetThreadTimes(
        thread: *mut c_void,
        created: *mut [u32; 2],
        exited: *mut [u32; 2],
        kernel: *mut [u32; 2],
        user: *mut [u32; 2],
    ) -> i32;
}

/// Kernel buffers as granted, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffers {
    pub recv: usize,
    pub send: usize,
}

/// Opens a non-blocking socket that programs started later do not inherit.
pub(crate) fn open(addr: SocketAddr, options: &SocketOptions) -> io::Result<(UdpSocket, Buffers)> {
    if options.reuse_port {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "Windows does not spread a UDP port over several sockets: use one shard",
        ));
    }
    // `std` starts Winsock with its first socket.
    drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    let family = if addr.is_ipv6() { AF_INET6 } else { AF_INET };
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: a null protocol description is allowed.
    let raw = unsafe { WSASocketW(family, SOCK_DGRAM, 0, std::ptr::null(), 0, flags) };
    if raw == INVALID_SOCKET {
        return Err(last_error());
    }
    // SAFETY: `raw` was just opened and is owned by nothing else.
    let udp = unsafe { UdpSocket::from_raw_socket(raw as _) };
    udp.set_nonblocking(true)?;
    if addr.is_ipv6() {
        set_option(&udp, IPPROTO_IPV6, IPV6_V6ONLY, i32::from(options.only_v6))?;
    }
    let buffers = Buffers {
        recv: resize(&udp, SO_RCVBUF, options.recv_buffer),
        send: resize(&udp, SO_SNDBUF, options.send_buffer),
    };
    bind_to(&udp, addr)?;
    Ok((udp, buffers))
}

fn resize(udp: &UdpSocket, name: i32, bytes: usize) -> usize {
    if bytes > 0 {
        // A refusal shows in the size read back.
        let _ = set_option(udp, SOL_SOCKET, name, i32::try_from(bytes).unwrap_or(i32::MAX));
    }
    let mut value = 0i32;
    let mut len = 4i32;
    // SAFETY: Winsock writes at most `len` bytes to `value`.
    let done = unsafe { getsockopt(handle(udp), SOL_SOCKET, name, (&raw mut value).cast(), &raw mut len) };
    if done == 0 {
        usize::try_from(value).unwrap_or(0)
    } else {
        0
    }
}

fn bind_to(udp: &UdpSocket, addr: SocketAddr) -> io::Result<()> {
    let done = match addr {
        SocketAddr::V4(a) => {
            let raw = RawV4 { family: AF_INET as u16, port: a.port().to_be(), addr: a.ip().octets(), zero: [0; 8] };
            // SAFETY: `raw` is an address of the stated size.
            unsafe { bind(handle(udp), (&raw const raw).cast(), size_of::<RawV4>() as i32) }
        }
        SocketAddr::V6(a) => {
            let raw = RawV6 {
                family: AF_INET6 as u16,
                port: a.port().to_be(),
                flowinfo: a.flowinfo(),
                addr: a.ip().octets(),
                scope_id: a.scope_id(),
            };
            // SAFETY: `raw` is an address of the stated size.
            unsafe { bind(handle(udp), (&raw const raw).cast(), size_of::<RawV6>() as i32) }
        }
    };
    check(done)
}

fn set_option(udp: &UdpSocket, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: `value` is an integer of the stated size, read during the call.
    let done = unsafe { setsockopt(handle(udp), level, name, (&raw const value).cast(), 4) };
    check(done)
}

/// Makes datagrams leave unfragmented at any size; false when the system does
/// not let it.
pub(crate) fn set_dont_fragment(udp: &UdpSocket, is_v6: bool) -> bool {
    let level = if is_v6 { IPPROTO_IPV6 } else { IPPROTO_IP };
    set_option(udp, level, DONT_FRAGMENT, 1).is_ok()
}

/// Whose fault a failed send is (WSA error numbers).
pub(crate) fn classify(e: &io::Error) -> SendFault {
    match e.raw_os_error() {
        // WSAEMSGSIZE
        Some(10040) => SendFault::TooLarge,
        // WSAEAFNOSUPPORT, ADDRNOTAVAIL, NETDOWN, NETUNREACH, HOSTDOWN, HOSTUNREACH
        Some(10047 | 10049 | 10050 | 10051 | 10064 | 10065) => SendFault::Unreachable,
        // WSAEBADF, FAULT, WOULDBLOCK, NOTSOCK; WSANOTINITIALISED
        Some(10009 | 10014 | 10035 | 10038 | 10093) | None => SendFault::Socket,
        Some(_) => SendFault::Refused,
    }
}

/// Whether a receive reports an ICMP answer to an earlier send (WSAENETRESET,
/// WSAECONNRESET).
pub(crate) fn is_peer_refusal(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(10052 | 10054))
}

/// See [`crate::wait`].
pub(crate) fn wait(udp: &UdpSocket, waker: &Waker, interest: Interest, timeout: Option<Duration>) -> io::Result<Ready> {
    let writable = if interest.writable { POLLOUT } else { 0 };
    let mut fds = [
        PollFd { fd: handle(udp), events: POLLIN | writable, revents: 0 },
        PollFd { fd: handle(&waker.seen), events: POLLIN, revents: 0 },
    ];
    let millis = timeout.map_or(-1, |t| i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: two descriptors are given.
    let n = unsafe { WSAPoll(fds.as_mut_ptr(), 2, millis) };
    if n < 0 {
        return Err(last_error());
    }
    let has = |i: usize, events: i16| fds[i].revents & events != 0;
    Ok(Ready {
        socket_readable: has(0, POLLIN | POLLERR_HUP_NVAL),
        socket_writable: interest.writable && has(0, POLLOUT),
        woken: has(1, POLLIN),
    })
}

/// A socket that sends to itself.
pub(crate) struct Waker {
    seen: UdpSocket,
}

impl Waker {
    pub fn new() -> io::Result<Waker> {
        let seen = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // Connected to itself, it takes datagrams from nobody else.
        seen.connect(seen.local_addr()?)?;
        seen.set_nonblocking(true)?;
        Ok(Waker { seen })
    }

    pub fn wake(&self) {
        // It fails only when the buffer is full, and then it is set.
        let _ = self.seen.send(&[1]);
    }

    pub fn clear(&self) {
        while self.seen.recv(&mut [0; 8]).is_ok() {}
    }

    pub fn raw_socket(&self) -> RawSocket {
        self.seen.as_raw_socket()
    }
}

/// User and system time of the calling thread, in steps of the scheduler's
/// tick (about 15.6 ms).
pub(crate) fn thread_cpu_time() -> Duration {
    let (mut created, mut exited) = ([0u32; 2], [0u32; 2]);
    let (mut kernel, mut user) = ([0u32; 2], [0u32; 2]);
    // SAFETY: the pseudo handle is always valid; four FILETIMEs are written.
    unsafe { GetThreadTimes(GetCurrentThread(), &raw mut created, &raw mut exited, &raw mut kernel, &raw mut user) };
    let units = |t: [u32; 2]| u64::from(t[1]) << 32 | u64::from(t[0]);
    Duration::from_nanos((units(kernel) + units(user)) * 100)
}

fn handle(udp: &UdpSocket) -> usize {
    udp.as_raw_socket() as usize
}

fn last_error() -> io::Error {
    // SAFETY: takes no pointers.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

fn check(returned: i32) -> io::Result<()> {
    if returned != 0 {
        return Err(last_error());
    }
    Ok(())
}
