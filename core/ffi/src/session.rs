//! Sessions that a relay has accepted: their handles, and the application's verdicts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use cc_engine::{Command, Reason, Scope, SessionId, Stamp, Time};

use crate::boundary::{call, read, Answer, Failure};
use crate::generated::{CcStamp, CcStr};
use crate::handle::{self, Kind, Reserved};
use crate::node::{lock, NodeBox};
use crate::text;

/// Longest grants or capabilities of a stamp, bytes.
const GRANTS_BYTES: usize = 256 * 1024;
/// Longest name in a stamp, bytes.
const NAME_BYTES: usize = 1024;
/// A session that is neither admitted nor up this long after its time to be admitted ended has gone, microseconds.
const SLACK: Time = 10_000_000;

/// A session of a relay.
pub(crate) struct Session {
    pub(crate) node: Arc<NodeBox>,
    pub(crate) id: SessionId,
}

/// The handles of a node's sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    known: BTreeMap<SessionId, Known>,
    /// Sessions that were not up when they were first seen, oldest first. No event tells that one of these is gone,
    /// so its handle ends with the time that it had.
    waiting: VecDeque<(Time, SessionId)>,
}

struct Known {
    handle: u64,
    up: bool,
}

impl Sessions {
    /// The handle of a session that waits to be admitted.
    pub(crate) fn waiting(&mut self, node: &Arc<NodeBox>, id: SessionId, now: Time) -> Answer<u64> {
        self.sweep(node, now);
        if let Some(known) = self.known.get(&id) {
            return Ok(known.handle);
        }
        self.waiting.push_back((now.saturating_add(node.auth_timeout).saturating_add(SLACK), id));
        self.add(node, id, false)
    }

    /// The handle of a session that is up.
    pub(crate) fn up(&mut self, node: &Arc<NodeBox>, id: SessionId) -> Answer<u64> {
        match self.known.get_mut(&id) {
            Some(known) => {
                known.up = true;
                Ok(known.handle)
            }
            None => self.add(node, id, true),
        }
    }

    /// The handle of a session, if it has one.
    pub(crate) fn handle(&self, id: SessionId) -> u64 {
        self.known.get(&id).map_or(0, |known| known.handle)
    }

    /// Ends a session's handle, and tells it.
    pub(crate) fn down(&mut self, node: &NodeBox, id: SessionId) -> u64 {
        let Some(known) = self.known.remove(&id) else {
            return 0;
        };
        node.disown(known.handle);
        handle::forget(known.handle);
        known.handle
    }

    fn add(&mut self, node: &Arc<NodeBox>, id: SessionId, up: bool) -> Answer<u64> {
        let reserved = Reserved::new(Kind::Session)?;
        node.adopt(reserved.handle())?;
        let handle = reserved.fill(Arc::new(Session { node: node.clone(), id }));
        self.known.insert(id, Known { handle, up });
        Ok(handle)
    }

    fn sweep(&mut self, node: &NodeBox, now: Time) {
        while let Some((until, id)) = self.waiting.front().copied() {
            if until > now {
                return;
            }
            self.waiting.pop_front();
            if self.known.get(&id).is_some_and(|known| !known.up) {
                self.down(node, id);
            }
        }
    }

    /// Whether a session is up.
    fn is_up(&self, id: SessionId) -> bool {
        self.known.get(&id).is_some_and(|known| known.up)
    }
}

fn grants(text: &str, what: &'static str) -> Answer<Scope> {
    let all = |line: &str| if line == "*" { "/".to_owned() } else { line.to_owned() };
    let lines: Vec<String> = text.lines().map(|line| all(line.trim())).collect();
    Scope::parse(&lines.join("\n")).map_err(|e| {
        Failure::argument(format!("{what} can't be read: {e}; write a path prefix a line, as games/room1/up/c7, or *"))
    })
}

/// Reads a stamp.
///
/// # Safety
/// The texts in `stamp` are readable.
unsafe fn stamp(stamp: &CcStamp, now: Time) -> Answer<Stamp> {
    text::flags(stamp.flags, 0, "flags")?;
    // SAFETY: the caller's promise.
    let (publish, subscribe, capabilities, tenant, subject, peer_id) = unsafe {
        (
            text::utf8(stamp.publish, "publish", GRANTS_BYTES)?,
            text::utf8(stamp.subscribe, "subscribe", GRANTS_BYTES)?,
            text::utf8(stamp.capabilities, "capabilities", GRANTS_BYTES)?,
            text::utf8(stamp.tenant, "tenant", NAME_BYTES)?,
            text::utf8(stamp.subject, "subject", NAME_BYTES)?,
            text::utf8(stamp.peer_id, "peer_id", NAME_BYTES)?,
        )
    };
    if peer_id.is_empty() {
        return Err(Failure::argument("peer_id is empty: take the suggested one if the token names none"));
    }
    let capabilities = capabilities.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(Stamp {
        publish: grants(publish, "publish")?,
        subscribe: grants(subscribe, "subscribe")?,
        capabilities: capabilities.map(|tag| Bytes::copy_from_slice(tag.as_bytes())).collect(),
        tenant: tenant.to_owned(),
        subject: subject.to_owned(),
        peer_id: peer_id.to_owned(),
        expires: (stamp.expires_ms > 0).then(|| now.saturating_add(stamp.expires_ms.saturating_mul(1000))),
    })
}

/// Admits a waiting session, or renews a live one's stamp.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_session_accept(session: u64, stamp: *const CcStamp) -> i32 {
    call("cc_session_accept", || {
        let session = handle::get::<Session>(session)?;
        let now = session.node.node.now();
        // SAFETY: the caller's promise.
        let stamp = unsafe { self::stamp(&read(stamp, "stamp")?, now) }?;
        session.node.node.command(Command::Accept(session.id, Box::new(stamp)))?;
        Ok(())
    })
}

/// Lets a single request do what a stamp says.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_session_accept_request(session: u64, request: u64, stamp: *const CcStamp) -> i32 {
    call("cc_session_accept_request", || {
        let session = handle::get::<Session>(session)?;
        let now = session.node.node.now();
        // SAFETY: the caller's promise.
        let stamp = unsafe { self::stamp(&read(stamp, "stamp")?, now) }?;
        session.node.node.command(Command::AcceptRequest(session.id, request, Box::new(stamp)))?;
        Ok(())
    })
}

/// Refuses a single request.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_session_refuse_request(session: u64, request: u64, reason: u32, text: CcStr) -> i32 {
    call("cc_session_refuse_request", || {
        let reason = text::reason(reason)?;
        // SAFETY: the caller's promise.
        let text = unsafe { text::utf8(text, "text", text::CLOSE_TEXT) }?.to_owned();
        let session = handle::get::<Session>(session)?;
        session.node.node.command(Command::RefuseRequest(session.id, request, reason, text))?;
        Ok(())
    })
}

/// Turns a waiting session away, or ends one whose new token is refused.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_session_refuse(session: u64, reason: u32, text: CcStr) -> i32 {
    // SAFETY: the caller's promise.
    call("cc_session_refuse", || unsafe { end(session, reason, text, Command::Refuse) })
}

/// Ends a session.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_session_close(session: u64, reason: u32, text: CcStr) -> i32 {
    // SAFETY: the caller's promise.
    call("cc_session_close", || unsafe { end(session, reason, text, Command::CloseSession) })
}

/// Ends a session by the given command. The handle of one that is up ends with SESSION_DOWN; of one that waits, here.
///
/// # Safety
/// `text` is readable.
unsafe fn end(handle: u64, reason: u32, text: CcStr, command: fn(SessionId, Reason, String) -> Command) -> Answer {
    let reason = text::reason(reason)?;
    // SAFETY: the caller's promise.
    let text = unsafe { text::utf8(text, "text", text::CLOSE_TEXT) }?.to_owned();
    let session = handle::get::<Session>(handle)?;
    session.node.node.command(command(session.id, reason, text))?;
    let mut sessions = lock(&session.node.sessions);
    if !sessions.is_up(session.id) {
        sessions.down(&session.node, session.id);
    }
    Ok(())
}
