//! Linux: many packets a system call, with their ECN marks and addresses.
//!
//! Sends go out by `sendmmsg`, a message a transmit, trains as one message
//! that the kernel cuts (UDP_SEGMENT). A device that refuses to cut one makes
//! the socket cut by itself from then on. Receives come by `recvmmsg`, each
//! message possibly several datagrams joined by the kernel (UDP_GRO).

use std::io::{self, ErrorKind};
use std::mem::{self, MaybeUninit};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::addr::{size, RawAddr};
use crate::buffer::MESSAGES;
use crate::cmsg::{Control, Incoming, Outgoing, RECV_BYTES, SEND_BYTES};
use crate::fallback::{SendFault, PENDING_ERRORS};
use crate::types::{bump, for_family, plain, Capabilities, Counters, Received, Transmit};
use crate::{sys, RecvBuffer};

/// Messages a send call: the point from which the call itself no longer shows
/// in the cost of a packet.
const BATCH: usize = 64;
/// UDP_MAX_SEGMENTS of the oldest kernels that have it; also the most
/// datagrams that GRO joins.
const SEGMENTS: usize = 64;
/// Most bytes of one message, by the IPv4 length field.
const MAX_PAYLOAD: usize = 65_507;

/// The Linux socket behind [`Socket`](crate::Socket).
pub(crate) struct Socket {
    udp: UdpSocket,
    is_v6: bool,
    gso: AtomicBool,
    gro: bool,
    ecn: bool,
    pktinfo: bool,
    dont_fragment: bool,
    counters: Counters,
}

impl Socket {
    /// Takes over an open, non-blocking socket and asks the kernel for all
    /// that it can tell about packets.
    pub fn new(udp: UdpSocket, is_v6: bool) -> Socket {
        let on = |level, name| sys::set_option(&udp, level, name, 1).is_ok();
        // A dual-stack socket reports its IPv4 packets by the IPv4 options.
        let mut ecn = on(libc::IPPROTO_IP, libc::IP_RECVTOS);
        let mut pktinfo = on(libc::IPPROTO_IP, libc::IP_PKTINFO);
        if is_v6 {
            ecn &= on(libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS);
            pktinfo &= on(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO);
        }
        let gro = on(libc::SOL_UDP, libc::UDP_GRO);
        let gso = sys::get_option(&udp, libc::SOL_UDP, libc::UDP_SEGMENT).is_ok();
        let dont_fragment = sys::set_dont_fragment(&udp, is_v6);
        Socket {
            udp,
            is_v6,
            gso: AtomicBool::new(gso),
            gro,
            ecn,
            pktinfo,
            dont_fragment,
            counters: Counters::default(),
        }
    }

    pub fn udp(&self) -> &UdpSocket {
        &self.udp
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            gso: self.most_segments(),
            gro: if self.gro { SEGMENTS } else { 1 },
            ecn: self.ecn,
            pktinfo: self.pktinfo,
            dont_fragment: self.dont_fragment,
        }
    }

    fn most_segments(&self) -> usize {
        if self.gso.load(Ordering::Relaxed) {
            SEGMENTS
        } else {
            1
        }
    }

    pub fn send(&self, batch: &[Transmit<'_>]) -> io::Result<usize> {
        let mut taken = 0;
        while let Some(first) = batch.get(taken) {
            let whole = self.sendable_whole(&batch[taken..]);
            let sent = if whole > 0 {
                self.send_messages(&batch[taken..taken + whole])
            } else {
                self.send_cut(first).map(|_| 1)
            };
            match sent {
                Ok(n) => taken += n,
                Err(e) => match self.give_up(first, e) {
                    Ok(()) => taken += 1,
                    Err(_) if taken > 0 => return Ok(taken),
                    Err(e) => return Err(e),
                },
            }
        }
        Ok(taken)
    }

    /// How many transmits, from the first on, can each be one message.
    fn sendable_whole(&self, batch: &[Transmit<'_>]) -> usize {
        let segments = self.most_segments();
        batch
            .iter()
            .take(BATCH)
            .take_while(|t| {
                let n = t.datagrams();
                n == 1 || (n <= segments && t.payload.len() <= MAX_PAYLOAD)
            })
            .count()
    }

    /// After an error about `transmit`: sends it in another way or counts it as
    /// lost. An error means that the whole call has to end.
    fn give_up(&self, transmit: &Transmit<'_>, e: io::Error) -> io::Result<()> {
        let datagrams = transmit.datagrams();
        let refused_train = matches!(e.raw_os_error(), Some(libc::EIO | libc::EINVAL));
        if datagrams > 1 && refused_train {
            // Datagrams that go out one by one, but not as a train, show that
            // cutting is what the device refuses.
            if self.send_cut(transmit)? > 0 {
                self.gso.store(false, Ordering::Relaxed);
            }
            return Ok(());
        }
        match sys::classify(&e) {
            SendFault::Socket => Err(e),
            fault => {
                (0..datagrams).for_each(|_| fault.count(&self.counters));
                Ok(())
            }
        }
    }

    /// Sends a train as separate datagrams; returns how many the kernel took.
    fn send_cut(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        let (step, total) = (transmit.step(), transmit.datagrams());
        let piece = |i: usize| {
            let end = ((i + 1) * step).min(transmit.payload.len());
            Transmit { segment: None, payload: &transmit.payload[i * step..end], ..*transmit }
        };
        let (mut next, mut accepted) = (0, 0);
        while next < total {
            let count = (total - next).min(BATCH);
            let pieces: [Transmit<'_>; BATCH] = std::array::from_fn(|i| piece((next + i).min(total - 1)));
            match self.send_messages(&pieces[..count]) {
                Ok(n) => {
                    next += n;
                    accepted += n;
                }
                Err(e) => match sys::classify(&e) {
                    SendFault::Socket => return Err(e),
                    fault => {
                        fault.count(&self.counters);
                        next += 1;
                    }
                },
            }
        }
        Ok(accepted)
    }

    /// One `sendmmsg` of at most [`BATCH`] transmits; an error is about the
    /// first of them.
    fn send_messages(&self, batch: &[Transmit<'_>]) -> io::Result<usize> {
        // What a call does not need is not written: for one message it would be a hundred times as much as what is.
        let mut names = [const { MaybeUninit::<RawAddr>::uninit() }; BATCH];
        let mut controls = [const { MaybeUninit::<Control<SEND_BYTES>>::uninit() }; BATCH];
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        let mut count = 0;
        for transmit in batch.iter().take(BATCH) {
            let Some(to) = for_family(transmit.to, self.is_v6) else {
                break;
            };
            let (name, name_len) = RawAddr::new(to);
            let segment = (transmit.datagrams() > 1).then_some(transmit.step() as u16);
            let out = Outgoing { ecn: transmit.ecn, local: transmit.local, segment };
            let to_v4 = plain(to).is_ipv4();
            let control = controls[count].write(Control::empty());
            let used = control.write(&out, to_v4);
            let vector =
                libc::iovec { iov_base: transmit.payload.as_ptr().cast_mut().cast(), iov_len: transmit.payload.len() };
            let header = &mut headers[count].write(empty_header()).msg_hdr;
            header.msg_name = ptr::from_mut(names[count].write(name)).cast();
            header.msg_namelen = name_len;
            header.msg_iov = vectors[count].write(vector);
            header.msg_iovlen = 1 as _;
            if used > 0 {
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = used as _;
            }
            count += 1;
        }
        if count == 0 {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
        loop {
            // SAFETY: the first `count` headers are written, and point to
            // names, vectors and controls that are, too, outlive the call and
            // are not moved, and to payloads that `batch` borrows; the kernel
            // only reads those.
            let n = unsafe {
                libc::sendmmsg(
                    self.udp.as_raw_fd(),
                    headers.as_mut_ptr().cast(),
                    count as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            match usize::try_from(n) {
                Ok(n) => return Ok(n),
                Err(_) => {
                    let e = io::Error::last_os_error();
                    if e.kind() != ErrorKind::Interrupted {
                        return Err(e);
                    }
                }
            }
        }
    }

    pub fn recv(&self, buffer: &mut RecvBuffer, mut each: impl FnMut(Received<'_>)) -> io::Result<usize> {
        let mut vectors = [EMPTY_VECTOR; MESSAGES];
        let mut headers = [empty_header(); MESSAGES];
        for (i, (room, beside)) in buffer.slots().enumerate() {
            vectors[i] = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            let header = &mut headers[i].msg_hdr;
            header.msg_name = (&raw mut beside.name).cast();
            header.msg_namelen = size::<RawAddr>();
            header.msg_iov = &raw mut vectors[i];
            header.msg_iovlen = 1 as _;
            header.msg_control = beside.control.0.as_mut_ptr().cast();
            header.msg_controllen = RECV_BYTES as _;
        }
        let messages = self.recv_messages(&mut headers)?;
        buffer.took(messages, MESSAGES);

        let mut datagrams = 0;
        for (i, message) in headers.iter().enumerate().take(messages) {
            let header = &message.msg_hdr;
            let from = buffer.beside(i).name.read(header.msg_namelen);
            let cut = header.msg_flags & libc::MSG_TRUNC != 0;
            let (Some(from), false) = (from, cut) else {
                bump(&self.counters.malformed);
                continue;
            };
            // SAFETY: `msg_control` still points to the buffer's control of
            // message `i`, of which the kernel has filled `msg_controllen`
            // bytes.
            let beside = unsafe { Incoming::read(header) };
            let payload = buffer.filled(i, message.msg_len as usize);
            let step = match beside.segment {
                0 => payload.len().max(1),
                size => size,
            };
            let mut hand_over = |payload| {
                datagrams += 1;
                each(Received { from: plain(from), local: beside.local, ecn: beside.ecn, payload });
            };
            if payload.is_empty() {
                hand_over(payload);
            }
            payload.chunks(step).for_each(hand_over);
        }
        Ok(datagrams)
    }

    fn recv_messages(&self, headers: &mut [libc::mmsghdr; MESSAGES]) -> io::Result<usize> {
        for _ in 0..PENDING_ERRORS {
            // SAFETY: each header points to a name, a control buffer and one
            // vector of the sizes it states, all of which outlive the call and
            // are not otherwise used during it.
            let n = unsafe {
                libc::recvmmsg(
                    self.udp.as_raw_fd(),
                    headers.as_mut_ptr(),
                    MESSAGES as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            if let Ok(n) = usize::try_from(n) {
                return Ok(n);
            }
            let e = io::Error::last_os_error();
            if e.kind() != ErrorKind::Interrupted && !sys::is_peer_refusal(&e) {
                return Err(e);
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }
}

const EMPTY_VECTOR: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

fn empty_header() -> libc::mmsghdr {
    // SAFETY: all zeros is a valid header: null pointers with length 0.
    unsafe { mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_train_goes_out_cut_and_stays_so() {
        let sender = sys::open("127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
        let sender = Socket::new(sender.0, false);
        let receiver = sys::open("127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
        let receiver = Socket::new(receiver.0, false);
        let payload: Vec<u8> = (0..250u8).collect();
        let train = Transmit {
            to: receiver.udp.local_addr().unwrap(),
            local: None,
            ecn: None,
            segment: Some(100),
            payload: &payload,
        };
        let refusal = io::Error::from_raw_os_error(libc::EIO);
        sender.give_up(&train, refusal).unwrap();
        assert_eq!(sender.capabilities().gso, 1);
        assert_eq!(sender.send(&[train]).unwrap(), 1);

        let mut sizes = Vec::new();
        let mut room = RecvBuffer::new();
        while sizes.len() < 6 {
            receiver
                .recv(&mut room, |d| sizes.push(d.payload.len()))
                .expect("loopback has delivered before send returns");
        }
        assert_eq!(sizes, [100, 100, 50, 100, 100, 50]);
    }

    #[test]
    fn a_train_refused_for_its_size_leaves_cutting_on() {
        let sender = sys::open("127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
        let sender = Socket::new(sender.0, false);
        let payload = vec![0; 70_000 * 2];
        let train = Transmit {
            to: "127.0.0.1:9".parse().unwrap(),
            local: None,
            ecn: None,
            segment: Some(70_000),
            payload: &payload,
        };
        let refusal = io::Error::from_raw_os_error(libc::EINVAL);
        sender.give_up(&train, refusal).unwrap();
        assert!(sender.capabilities().gso > 1);
        assert_eq!(sender.counters.read().too_large, 2);
    }
}
