//! Control messages: what travels beside a packet.

use std::mem;
use std::net::IpAddr;

use crate::types::{plain_ip, Ecn};

/// Bytes of control messages a sent packet can carry: mark (24), IPv6 source
/// (40), segment size (24).
pub(crate) const SEND_BYTES: usize = 96;
/// Bytes for a received one: both marks (48), both addresses (72), the joined
/// size (24), and room for an option that somebody else set on the socket.
pub(crate) const RECV_BYTES: usize = 256;

/// A control buffer, aligned as the kernel's header wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Control<const N: usize>(pub [u8; N]);

impl<const N: usize> Control<N> {
    pub fn empty() -> Control<N> {
        Control([0; N])
    }
}

/// What a packet is sent with.
pub(crate) struct Outgoing {
    pub ecn: Option<Ecn>,
    pub local: Option<IpAddr>,
    pub segment: Option<u16>,
}

impl Control<SEND_BYTES> {
    /// Writes `out` for a destination of the given family (a mapped IPv4
    /// destination takes the IPv4 forms) and returns the bytes used.
    pub fn write(&mut self, out: &Outgoing, to_v4: bool) -> usize {
        let mut used = 0;
        if let Some(ecn) = out.ecn {
            let (level, kind) =
                if to_v4 { (libc::IPPROTO_IP, libc::IP_TOS) } else { (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) };
            self.push(&mut used, level, kind, libc::c_int::from(ecn.bits()));
        }
        match out.local.map(plain_ip) {
            Some(IpAddr::V4(ip)) if to_v4 => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.push(&mut used, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            Some(IpAddr::V6(ip)) if !to_v4 => {
                let info = libc::in6_pktinfo { ipi6_ifindex: 0, ipi6_addr: libc::in6_addr { s6_addr: ip.octets() } };
                self.push(&mut used, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
            _ => {}
        }
        if let Some(segment) = out.segment {
            self.push(&mut used, libc::SOL_UDP, libc::UDP_SEGMENT, segment);
        }
        used
    }

    fn push<T: Copy>(&mut self, used: &mut usize, level: i32, kind: i32, value: T) {
        let bytes = mem::size_of::<T>() as libc::c_uint;
        // SAFETY: CMSG_LEN and CMSG_SPACE only compute.
        let (len, space) = unsafe { (libc::CMSG_LEN(bytes), libc::CMSG_SPACE(bytes)) };
        assert!(*used + space as usize <= SEND_BYTES, "the buffer holds all three control messages");
        let at = &mut self.0[*used..];
        // SAFETY: all zeros is a valid header.
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        header.cmsg_len = len as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        // SAFETY: `at` has `space` bytes (asserted above), which hold a header
        // and, after its alignment, a `T`; writes are unaligned.
        unsafe {
            at.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header);
            libc::CMSG_DATA(at.as_mut_ptr().cast()).cast::<T>().write_unaligned(value);
        }
        *used += space as usize;
    }
}

/// What a packet arrived with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub ecn: Option<Ecn>,
    pub local: Option<IpAddr>,
    /// Bytes a datagram when the kernel joined several; 0 when it did not.
    pub segment: usize,
}

impl Incoming {
    /// Reads the control messages of a header that `recvmsg` or `recvmmsg` has
    /// filled.
    ///
    /// # Safety
    /// `header.msg_control` points to `msg_controllen` readable bytes.
    pub unsafe fn read(header: &libc::msghdr) -> Incoming {
        let mut found = Incoming::default();
        // SAFETY: the header's control buffer is readable, as the caller says.
        let mut cursor = unsafe { libc::CMSG_FIRSTHDR(header) };
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a pointer to a
        // whole header inside the buffer.
        while let Some(message) = unsafe { cursor.as_ref() } {
            // SAFETY: `message` lies in the buffer, and its length covers the
            // data that follows it.
            unsafe { found.take(message) };
            // SAFETY: as for CMSG_FIRSTHDR; `message` is the current header.
            cursor = unsafe { libc::CMSG_NXTHDR(header, message) };
        }
        found
    }

    /// # Safety
    /// `message.cmsg_len` bytes from `message` on are readable.
    unsafe fn take(&mut self, message: &libc::cmsghdr) {
        match (message.cmsg_level, message.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                // SAFETY: as the caller says.
                if let Some(tos) = unsafe { value::<u8>(message) } {
                    self.ecn = Ecn::from_bits(tos);
                }
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                // SAFETY: as the caller says.
                if let Some(class) = unsafe { value::<libc::c_int>(message) } {
                    self.ecn = Ecn::from_bits(class as u8);
                }
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: as the caller says.
                if let Some(info) = unsafe { value::<libc::in_pktinfo>(message) } {
                    self.local = Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()));
                }
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: as the caller says.
                if let Some(info) = unsafe { value::<libc::in6_pktinfo>(message) } {
                    self.local = Some(plain_ip(IpAddr::from(info.ipi6_addr.s6_addr)));
                }
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: as the caller says.
                if let Some(size) = unsafe { value::<libc::c_int>(message) } {
                    self.segment = usize::try_from(size).unwrap_or(0);
                }
            }
            _ => {}
        }
    }
}

/// The value of a control message, if it is long enough to hold one.
///
/// # Safety
/// `message.cmsg_len` bytes from `message` on are readable, and any bits make
/// a `T`.
unsafe fn value<T: Copy>(message: &libc::cmsghdr) -> Option<T> {
    // SAFETY: CMSG_LEN only computes.
    let needed = unsafe { libc::CMSG_LEN(mem::size_of::<T>() as libc::c_uint) };
    if message.cmsg_len < needed as _ {
        return None;
    }
    // SAFETY: the length covers a `T` (checked above) in readable memory.
    Some(unsafe { libc::CMSG_DATA(message).cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reread(control: &mut Control<SEND_BYTES>, len: usize) -> Incoming {
        // SAFETY: all zeros is a valid header.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = len as _;
        // SAFETY: the header describes `control`.
        unsafe { Incoming::read(&header) }
    }

    #[test]
    fn all_three_fit_and_the_v6_forms_read_back() {
        let local: IpAddr = "2001:db8::5".parse().unwrap();
        let out = Outgoing { ecn: Some(Ecn::Ce), local: Some(local), segment: Some(1200) };
        let mut control = Control::empty();
        let used = control.write(&out, false);
        assert!(used <= SEND_BYTES);
        let back = reread(&mut control, used);
        assert_eq!((back.ecn, back.local), (Some(Ecn::Ce), Some(local)));
    }

    #[test]
    fn a_local_address_of_the_other_family_is_left_out() {
        let out = Outgoing { ecn: None, local: Some("2001:db8::5".parse().unwrap()), segment: None };
        assert_eq!(Control::empty().write(&out, true), 0);
    }

    #[test]
    fn a_cut_buffer_reads_as_nothing() {
        let out = Outgoing { ecn: Some(Ecn::Ect0), local: None, segment: None };
        let mut control = Control::empty();
        control.write(&out, false);
        assert_eq!(reread(&mut control, 7), Incoming::default());
    }
}
