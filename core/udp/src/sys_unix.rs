//! What the sockets need from a Unix besides `std`: options that must be set
//! before binding, `poll`, a descriptor to wake it, the thread's CPU clock.

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
#[cfg(not(target_os = "linux"))]
use std::net::{SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::fallback::SendFault;
use crate::types::SocketOptions;
use crate::{Interest, Ready};

/// Kernel buffers as granted, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffers {
    pub recv: usize,
    pub send: usize,
}

/// Opens a non-blocking socket that programs started later do not inherit.
pub(crate) fn open(addr: SocketAddr, options: &SocketOptions) -> io::Result<(UdpSocket, Buffers)> {
    let family = if addr.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just opened and is owned by nothing else.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: takes no pointers.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let udp = UdpSocket::from(owned);
    udp.set_nonblocking(true)?;
    if addr.is_ipv6() {
        let only = libc::c_int::from(options.only_v6);
        set_option(&udp, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only)?;
    }
    if options.reuse_port {
        set_option(&udp, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    let buffers = Buffers {
        recv: resize(&udp, libc::SO_RCVBUF, options.recv_buffer),
        send: resize(&udp, libc::SO_SNDBUF, options.send_buffer),
    };
    bind(&udp, addr)?;
    Ok((udp, buffers))
}

/// Asks for a buffer size (0: leaves it) and returns what it is now. Linux
/// reports twice what it grants, for its own bookkeeping.
fn resize(udp: &UdpSocket, name: libc::c_int, bytes: usize) -> usize {
    if bytes > 0 {
        let asked = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        // A refusal shows in the size read back.
        let _ = set_option(udp, libc::SOL_SOCKET, name, asked);
    }
    let now = get_option(udp, libc::SOL_SOCKET, name).unwrap_or(0);
    let now = usize::try_from(now).unwrap_or(0);
    if cfg!(target_os = "linux") {
        now / 2
    } else {
        now
    }
}

#[cfg(target_os = "linux")]
fn bind(udp: &UdpSocket, addr: SocketAddr) -> io::Result<()> {
    let (raw, len) = crate::addr::RawAddr::new(addr);
    // SAFETY: `raw` holds an address of `len` bytes.
    let done = unsafe { libc::bind(udp.as_raw_fd(), (&raw const raw).cast(), len) };
    check(done)
}

#[cfg(not(target_os = "linux"))]
fn bind(udp: &UdpSocket, addr: SocketAddr) -> io::Result<()> {
    let done = match addr {
        SocketAddr::V4(a) => {
            let raw = raw_v4(a);
            // SAFETY: `raw` is an address of the stated size.
            unsafe { libc::bind(udp.as_raw_fd(), (&raw const raw).cast(), mem::size_of_val(&raw) as _) }
        }
        SocketAddr::V6(a) => {
            let raw = raw_v6(a);
            // SAFETY: `raw` is an address of the stated size.
            unsafe { libc::bind(udp.as_raw_fd(), (&raw const raw).cast(), mem::size_of_val(&raw) as _) }
        }
    };
    check(done)
}

#[cfg(not(target_os = "linux"))]
fn raw_v4(addr: SocketAddrV4) -> libc::sockaddr_in {
    // SAFETY: plain integers, for which all zeros is valid.
    let mut raw: libc::sockaddr_in = unsafe { mem::zeroed() };
    raw.sin_family = libc::AF_INET as _;
    raw.sin_port = addr.port().to_be();
    raw.sin_addr.s_addr = u32::from_ne_bytes(addr.ip().octets());
    raw
}

#[cfg(not(target_os = "linux"))]
fn raw_v6(addr: SocketAddrV6) -> libc::sockaddr_in6 {
    // SAFETY: plain integers, for which all zeros is valid.
    let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
    raw.sin6_family = libc::AF_INET6 as _;
    raw.sin6_port = addr.port().to_be();
    raw.sin6_flowinfo = addr.flowinfo();
    raw.sin6_addr.s6_addr = addr.ip().octets();
    raw.sin6_scope_id = addr.scope_id();
    raw
}

/// Sets an integer option.
pub(crate) fn set_option(udp: &UdpSocket, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: `value` is an integer of the stated size, read during the call.
    let done = unsafe {
        libc::setsockopt(
            udp.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    check(done)
}

/// Reads an integer option.
pub(crate) fn get_option(udp: &UdpSocket, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `value`.
    let done = unsafe { libc::getsockopt(udp.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) };
    check(done).map(|()| value)
}

/// Makes datagrams leave unfragmented at any size (QUIC finds the path's MTU
/// by itself); false when the system does not let it.
pub(crate) fn set_dont_fragment(udp: &UdpSocket, is_v6: bool) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let v4 = set_option(udp, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE);
        let v6 =
            !is_v6 || set_option(udp, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE).is_ok();
        v4.is_ok() && v6
    }
    #[cfg(target_vendor = "apple")]
    {
        let (level, name) =
            if is_v6 { (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG) } else { (libc::IPPROTO_IP, libc::IP_DONTFRAG) };
        set_option(udp, level, name, 1).is_ok()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    {
        let _ = (udp, is_v6);
        false
    }
}

/// Whose fault a failed send is.
pub(crate) fn classify(e: &io::Error) -> SendFault {
    match e.raw_os_error() {
        Some(libc::EMSGSIZE) => SendFault::TooLarge,
        Some(
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EADDRNOTAVAIL
            | libc::EAFNOSUPPORT,
        ) => SendFault::Unreachable,
        Some(libc::EAGAIN | libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::ENOMEM) | None => SendFault::Socket,
        Some(_) => SendFault::Refused,
    }
}

/// Whether a receive reports an ICMP answer to an earlier send.
pub(crate) fn is_peer_refusal(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ECONNREFUSED | libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EHOSTDOWN))
}

/// See [`crate::wait`].
pub(crate) fn wait(udp: &UdpSocket, waker: &Waker, interest: Interest, timeout: Option<Duration>) -> io::Result<Ready> {
    let writable = if interest.writable { libc::POLLOUT } else { 0 };
    let mut fds = [
        libc::pollfd { fd: udp.as_raw_fd(), events: libc::POLLIN | writable, revents: 0 },
        libc::pollfd { fd: waker.raw_fd(), events: libc::POLLIN, revents: 0 },
    ];
    match check(poll(&mut fds, timeout)) {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(Ready::default()),
        other => other?,
    }
    let has = |i: usize, events: libc::c_short| fds[i].revents & events != 0;
    Ok(Ready {
        socket_readable: has(0, libc::POLLIN | libc::POLLERR | libc::POLLHUP | libc::POLLNVAL),
        socket_writable: interest.writable && has(0, libc::POLLOUT),
        woken: has(1, libc::POLLIN),
    })
}

#[cfg(target_os = "linux")]
fn poll(fds: &mut [libc::pollfd; 2], timeout: Option<Duration>) -> libc::c_int {
    let limit = timeout.map(|t| libc::timespec {
        tv_sec: libc::time_t::try_from(t.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: t.subsec_nanos() as _,
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: two descriptors are given; `limit` is null or a timespec that
    // outlives the call; a null mask leaves signals as they are.
    unsafe { libc::ppoll(fds.as_mut_ptr(), 2, limit, std::ptr::null()) }
}

#[cfg(not(target_os = "linux"))]
fn poll(fds: &mut [libc::pollfd; 2], timeout: Option<Duration>) -> libc::c_int {
    let millis = timeout.map_or(-1, |t| {
        let up = t.as_nanos().div_ceil(1_000_000);
        libc::c_int::try_from(up).unwrap_or(libc::c_int::MAX)
    });
    // SAFETY: two descriptors are given.
    unsafe { libc::poll(fds.as_mut_ptr(), 2, millis) }
}

#[cfg(target_os = "linux")]
pub(crate) use event::Waker;
#[cfg(not(target_os = "linux"))]
pub(crate) use pair::Waker;

/// A waker of one descriptor, a kernel counter.
#[cfg(target_os = "linux")]
mod event {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    pub(crate) struct Waker(File);

    impl Waker {
        pub fn new() -> io::Result<Waker> {
            // SAFETY: takes no pointers.
            let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            check(fd)?;
            // SAFETY: `fd` was just opened and is owned by nothing else.
            Ok(Waker(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
        }

        pub fn wake(&self) {
            // It fails only when the counter is full, and then it is set.
            let _ = (&self.0).write(&1u64.to_ne_bytes());
        }

        pub fn clear(&self) {
            // It fails only when the counter is 0 already.
            let _ = (&self.0).read(&mut [0; 8]);
        }

        pub fn raw_fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }
    }
}

/// A waker of two connected descriptors, for systems without event counters.
#[cfg(any(not(target_os = "linux"), test))]
mod pair {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    pub(crate) struct Waker {
        set: UnixStream,
        seen: UnixStream,
    }

    impl Waker {
        pub fn new() -> io::Result<Waker> {
            let (set, seen) = UnixStream::pair()?;
            set.set_nonblocking(true)?;
            seen.set_nonblocking(true)?;
            Ok(Waker { set, seen })
        }

        pub fn wake(&self) {
            // It fails only when the stream is full, and then it is set.
            let _ = (&self.set).write(&[1]);
        }

        pub fn clear(&self) {
            while matches!((&self.seen).read(&mut [0; 256]), Ok(n) if n > 0) {}
        }

        pub fn raw_fd(&self) -> RawFd {
            self.seen.as_raw_fd()
        }
    }

    #[cfg(test)]
    #[test]
    fn many_wakes_are_one_and_clear_ends_them() {
        let waker = Waker::new().unwrap();
        let readable = || {
            let mut fds = [libc::pollfd { fd: waker.raw_fd(), events: libc::POLLIN, revents: 0 }; 2];
            check(poll(&mut fds, Some(Duration::ZERO))).unwrap();
            fds[0].revents != 0
        };
        assert!(!readable());
        (0..100_000).for_each(|_| waker.wake());
        assert!(readable());
        waker.clear();
        assert!(!readable());
    }
}

/// User and system time of the calling thread.
pub(crate) fn thread_cpu_time() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec. The clock exists on every
    // supported Unix; were it refused, the answer stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

fn check(returned: libc::c_int) -> io::Result<()> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
