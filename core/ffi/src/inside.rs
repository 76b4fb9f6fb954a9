//! For a library that carries this one inside: the ABI's nodes in a setting of its choice. No part of the ABI.

use std::sync::{Arc, PoisonError, RwLock};

use cc_shard::{Node, NodeConfig, Setting};

use crate::boundary::{self, Answer, Failure};
use crate::generated::{CcNodeConfig, CcStr};
use crate::handle;
use crate::node::{self, NodeBox};
use crate::text;

/// Runs the body of a call of such a library as the ABI's own are run: a panic becomes a status, an error BAD_ARGUMENT
/// and its text what `cc_last_error` tells.
pub fn call(name: &'static str, body: impl FnOnce() -> Result<(), String>) -> i32 {
    boundary::call(name, || body().map_err(Failure::argument))
}

/// The text that a caller passes.
///
/// # Safety
/// As for the ABI: it is readable for as long as `'a`.
///
/// # Errors
/// It is no UTF-8, or longer than `most` bytes.
pub unsafe fn utf8<'a>(text: CcStr, what: &'static str, most: usize) -> Result<&'a str, String> {
    // SAFETY: the caller's promise.
    unsafe { text::utf8(text, what, most) }.map_err(|failure| failure.text.into_owned())
}

/// A node that was opened here, closed by handle or not.
#[derive(Clone)]
pub struct Opened(Arc<NodeBox>);

impl Opened {
    /// The node.
    pub fn node(&self) -> &Node {
        &self.0.node
    }
}

/// Who has the nodes that `cc_node_open` opens stand somewhere else than on the machine's own sockets.
#[derive(Clone, Copy)]
pub struct Host {
    /// The setting of a node that is about to be opened; it is told the handle, and may change the configuration.
    pub setting: fn(u64, &mut NodeConfig) -> Result<Setting, String>,
    /// The node is open, or could not be.
    pub opened: fn(u64, Option<Opened>),
    /// The node is about to be closed by its handle.
    pub closing: fn(u64),
}

static HOST: RwLock<Option<Host>> = RwLock::new(None);

/// From now on nodes are opened as `host` says; None: as ever.
pub fn stand_on(host: Option<Host>) {
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = host;
}

pub(crate) fn host() -> Option<Host> {
    *HOST.read().unwrap_or_else(PoisonError::into_inner)
}

/// `cc_node_open` on a host.
///
/// # Safety
/// See the crate.
pub(crate) unsafe fn open(host: Host, config: *const CcNodeConfig, node: *mut u64) -> Answer {
    let mut told = None;
    let setting = |handle: u64, config: &mut NodeConfig| {
        let made = (host.setting)(handle, config).map_err(Failure::argument)?;
        told = Some(handle);
        Ok(made)
    };
    // SAFETY: the caller's promise.
    let opened = unsafe { node::open_in(config, node, setting) };
    if let Some(handle) = told {
        (host.opened)(handle, opened.as_ref().ok().cloned().map(Opened));
    }
    opened.map(|_| ())
}

/// Forgets every handle and begins numbering anew, so that two runs in one process name things alike.
pub fn start_over() {
    handle::start_over();
}
