//! A socket a shard, all on one address, and what decides among them.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Steering;
use crate::{BindError, Socket, SocketOptions};

/// How packets find their shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An eBPF program over a table of sockets.
    Ebpf,
    /// A classic BPF filter.
    Classic,
    /// The kernel spreads packets by their addresses; the shard that gets another's hands it over.
    UserSpace,
}

impl Way {
    /// From the best to the one that always works.
    pub const ALL: [Way; 3] = [Way::Ebpf, Way::Classic, Way::UserSpace];
}

/// Why there is no group.
#[derive(Debug)]
pub enum GroupError {
    /// A socket could not be opened.
    Bind(BindError),
    /// The way that was asked for, and no other, is refused by the system.
    Refused {
        /// Which.
        way: Way,
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Bind(error) => error.fmt(f),
            GroupError::Refused { way, source } => write!(f, "steering by {way:?} is refused: {source}"),
        }
    }
}

impl std::error::Error for GroupError {}

impl From<BindError> for GroupError {
    fn from(error: BindError) -> Self {
        GroupError::Bind(error)
    }
}

/// The sockets of a port's shards. A shard that is started again takes its socket up again: nothing is rebound, so
/// that no packet of the others goes astray.
pub struct Group {
    sockets: Vec<Arc<Socket>>,
    steering: Steering,
    way: Way,
    degraded: Option<String>,
    #[cfg(target_os = "linux")]
    _program: Option<super::ebpf::Program>,
}

impl Group {
    /// Opens [`Steering::shards`] sockets on `addr`, steered the best way that the system allows; port 0 takes one
    /// free port for all. One shard needs no steering, and one socket on a port of its own.
    ///
    /// # Errors
    /// [`GroupError::Bind`].
    pub fn bind(addr: SocketAddr, options: &SocketOptions, steering: Steering) -> Result<Group, GroupError> {
        let mut group = Group::open(addr, options, steering)?;
        if steering.shards() == 1 {
            return Ok(group);
        }
        let mut refusals = Vec::new();
        for way in Way::ALL {
            match group.attach(way) {
                Ok(()) => break,
                Err(source) => refusals.push(source),
            }
        }
        group.degraded = match (group.way, refusals.first()) {
            (Way::Ebpf, _) | (_, None) => None,
            (way, Some(error)) => Some(advice(way, error)),
        };
        Ok(group)
    }

    /// As [`Group::bind`], in one way only.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn bind_by(
        addr: SocketAddr,
        options: &SocketOptions,
        steering: Steering,
        way: Way,
    ) -> Result<Group, GroupError> {
        let mut group = Group::open(addr, options, steering)?;
        group.attach(way).map_err(|source| GroupError::Refused { way, source })?;
        Ok(group)
    }

    /// In the order of the shards.
    pub fn sockets(&self) -> &[Arc<Socket>] {
        &self.sockets
    }

    /// The hash that all of them go by.
    pub fn steering(&self) -> &Steering {
        &self.steering
    }

    /// How packets find their shard. Where it is in the kernel a packet may still come to another socket: one that
    /// was queued before the last socket was bound.
    pub fn way(&self) -> Way {
        self.way
    }

    /// What is lost by the way in use, and how to get it back; `None` when nothing is.
    pub fn degraded(&self) -> Option<&str> {
        self.degraded.as_deref()
    }

    fn open(addr: SocketAddr, options: &SocketOptions, steering: Steering) -> Result<Group, GroupError> {
        let shards = steering.shards();
        let first = first(addr, options, shards > 1)?;
        let options = SocketOptions { reuse_port: shards > 1, ..options.clone() };
        let mut port = addr;
        port.set_port(first.local_addr().map_or(addr.port(), |at| at.port()));
        let mut sockets = vec![Arc::new(first)];
        for _ in 1..shards {
            sockets.push(Arc::new(Socket::bind(port, &options)?));
        }
        Ok(Group {
            sockets,
            steering,
            way: Way::UserSpace,
            degraded: None,
            #[cfg(target_os = "linux")]
            _program: None,
        })
    }

    #[cfg(target_os = "linux")]
    fn attach(&mut self, way: Way) -> io::Result<()> {
        match way {
            Way::Ebpf => {
                let fds: Vec<_> = self.sockets.iter().map(|socket| socket.raw_fd()).collect();
                self._program = Some(super::ebpf::attach(&fds, &self.steering)?);
            }
            Way::Classic => super::classic::attach(self.sockets[0].raw_fd(), &self.steering)?,
            Way::UserSpace => {}
        }
        self.way = way;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn attach(&mut self, way: Way) -> io::Result<()> {
        match way {
            Way::Ebpf | Way::Classic => Err(io::ErrorKind::Unsupported.into()),
            Way::UserSpace => {
                self.way = way;
                Ok(())
            }
        }
    }
}

/// The first socket of a group. It takes the port for itself before it lets others in: so that a port that another
/// program's group has is in use, also for this one.
fn first(addr: SocketAddr, options: &SocketOptions, shared: bool) -> Result<Socket, BindError> {
    if !cfg!(target_os = "linux") {
        return Socket::bind(addr, &SocketOptions { reuse_port: shared, ..options.clone() });
    }
    let socket = Socket::bind(addr, &SocketOptions { reuse_port: false, ..options.clone() })?;
    #[cfg(target_os = "linux")]
    if shared {
        crate::sys::set_option(socket.udp(), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
            .map_err(|source| BindError::new(addr, source))?;
    }
    Ok(socket)
}

fn advice(way: Way, error: &io::Error) -> String {
    let what = match way {
        Way::Ebpf | Way::Classic => "packets are steered by a classic filter instead of eBPF",
        Way::UserSpace => "packets that reach the wrong shard are handed over in user space",
    };
    let how = match error.raw_os_error() {
        #[cfg(target_os = "linux")]
        Some(libc::EPERM | libc::EACCES) => "give the process CAP_BPF, or set kernel.unprivileged_bpf_disabled=0",
        _ if cfg!(target_os = "linux") => "needs Linux 4.19 or newer and bpf(2) allowed in the sandbox",
        _ => "run the server on Linux",
    };
    format!("{what} ({error}): {how}")
}
