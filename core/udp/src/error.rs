//! Why a socket could not be opened, and what to do about it.

use std::net::SocketAddr;
use std::{fmt, io};

/// A socket that could not be opened. The message is one line: what, where,
/// what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket holds the port.
    AddrInUse(SocketAddr),
    /// This user may not bind the port.
    Permission(SocketAddr),
    /// The address belongs to no interface of this machine, or its family is
    /// switched off.
    AddrNotAvailable(SocketAddr),
    /// Anything else.
    Other {
        /// Where.
        addr: SocketAddr,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl BindError {
    pub(crate) fn new(addr: SocketAddr, source: io::Error) -> BindError {
        match source.kind() {
            io::ErrorKind::AddrInUse => BindError::AddrInUse(addr),
            io::ErrorKind::PermissionDenied => BindError::Permission(addr),
            io::ErrorKind::AddrNotAvailable => BindError::AddrNotAvailable(addr),
            _ if family_missing(&source) => BindError::AddrNotAvailable(addr),
            _ => BindError::Other { addr, source },
        }
    }

    /// The address that was asked for.
    pub fn addr(&self) -> SocketAddr {
        match self {
            BindError::AddrInUse(addr)
            | BindError::Permission(addr)
            | BindError::AddrNotAvailable(addr)
            | BindError::Other { addr, .. } => *addr,
        }
    }
}

#[cfg(unix)]
fn family_missing(e: &io::Error) -> bool {
    e.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

#[cfg(windows)]
fn family_missing(e: &io::Error) -> bool {
    const WSAEAFNOSUPPORT: i32 = 10047;
    e.raw_os_error() == Some(WSAEAFNOSUPPORT)
}

/// Whether the process, or the system, has as many files open as it may.
fn out_of_descriptors(e: &io::Error) -> bool {
    cfg!(unix) && matches!(e.raw_os_error(), Some(23 | 24))
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::AddrInUse(a) => write!(
                f,
                "UDP port {} on {} is in use: stop the other program, or choose another port (0 takes any free one)",
                a.port(),
                a.ip()
            ),
            BindError::Permission(a) if cfg!(target_os = "linux") && a.port() < 1024 => write!(
                f,
                "no permission to bind UDP port {0} on {1}: choose a port from 1024 up, or allow it with sysctl net.ipv4.ip_unprivileged_port_start={0}",
                a.port(),
                a.ip()
            ),
            BindError::Permission(a) => write!(
                f,
                "no permission to bind UDP port {} on {}: choose another port, or ask the administrator",
                a.port(),
                a.ip()
            ),
            BindError::AddrNotAvailable(a) => write!(
                f,
                "address {} is not one of this machine's: bind one that it has, or a wildcard (0.0.0.0 or [::])",
                a.ip()
            ),
            BindError::Other { addr, source } if out_of_descriptors(source) => {
                write!(f, "cannot open a UDP socket on {addr}: {source}: allow the process more files (ulimit -n)")
            }
            BindError::Other { addr, source } => {
                write!(f, "cannot open a UDP socket on {addr}: {source}")
            }
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BindError::Other { source, .. } => Some(source),
            _ => None,
        }
    }
}
