//! Socket addresses in the kernel's form.

use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// An IPv4 or IPv6 `sockaddr`, told apart by the length the kernel gives and
/// by the family, which both forms keep in the same place.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union RawAddr {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddr {
    /// An address with every byte zero, for the kernel to fill.
    pub fn empty() -> RawAddr {
        // SAFETY: both forms are plain integers, for which all zeros is valid.
        unsafe { mem::zeroed() }
    }

    /// The kernel's form, and its length in bytes.
    pub fn new(addr: SocketAddr) -> (RawAddr, libc::socklen_t) {
        let mut raw = RawAddr::empty();
        match addr {
            SocketAddr::V4(a) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (raw, size::<libc::sockaddr_in>())
            }
            SocketAddr::V6(a) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: a.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                    sin6_scope_id: a.scope_id(),
                };
                (raw, size::<libc::sockaddr_in6>())
            }
        }
    }

    /// The address the kernel wrote in `len` bytes; `None` for another family
    /// or too few bytes.
    pub fn read(&self, len: libc::socklen_t) -> Option<SocketAddr> {
        if len < size::<libc::sockaddr_in>() {
            return None;
        }
        // SAFETY: every byte of the union is initialised, and both forms are
        // plain integers, so reading either is defined.
        let (v4, v6) = unsafe { (self.v4, self.v6) };
        match i32::from(v4.sin_family) {
            libc::AF_INET => {
                Some(SocketAddr::from((Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()), u16::from_be(v4.sin_port))))
            }
            libc::AF_INET6 if len >= size::<libc::sockaddr_in6>() => Some(SocketAddr::V6(SocketAddrV6::new(
                Ipv6Addr::from(v6.sin6_addr.s6_addr),
                u16::from_be(v6.sin6_port),
                v6.sin6_flowinfo,
                v6.sin6_scope_id,
            ))),
            _ => None,
        }
    }
}

/// The size of a type as the kernel wants it.
pub(crate) const fn size<T>() -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernels_form() {
        for text in ["1.2.3.4:5678", "[2001:db8::7]:65535", "[::ffff:1.2.3.4]:1"] {
            let addr: SocketAddr = text.parse().unwrap();
            let (raw, len) = RawAddr::new(addr);
            assert_eq!(raw.read(len), Some(addr));
            assert_eq!(raw.read(2), None, "too short to be an address");
        }
        assert_eq!(RawAddr::empty().read(28), None, "family 0 is no address");
    }
}
