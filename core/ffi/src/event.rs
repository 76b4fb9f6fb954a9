//! Events: from the engine's enums to the ABI's flat struct.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use cc_engine::{Event, Reason};
use cc_shard::NodeEvent;
use cc_wire::Redirect;

use crate::boundary::{call, present, Failure};
use crate::generated::{event, CcEvent, CcStr};
use crate::handle;
use crate::link::Link;
use crate::node::{lock, NodeBox};
use crate::session::Sessions;

/// Most events of one poll, whatever room the caller has.
const POLL: u32 = 4096;

/// What the last poll of a node gave out: its texts stay until the next one.
#[derive(Default)]
pub(crate) struct Polled {
    events: Vec<NodeEvent>,
    texts: Vec<u8>,
}

/// One event on its way out, its texts as places in the arena.
struct Flat {
    event: CcEvent,
    texts: [(usize, usize); 4],
}

/// Takes events.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_poll(node: u64, events: *mut CcEvent, cap: u32, count: *mut u32) -> i32 {
    call("cc_node_poll", || {
        let count = present(count, "count")?;
        if events.is_null() && cap > 0 {
            return Err(Failure::argument("events is null"));
        }
        let node = handle::get::<NodeBox>(node)?;
        let mut polled = lock(&node.polled);
        let Polled { events: waiting, texts } = &mut *polled;
        texts.clear();
        node.node.poll(cap.min(POLL) as usize, waiting);
        let now = node.node.now();
        let flat: Vec<Flat> = {
            let mut sessions = lock(&node.sessions);
            waiting.drain(..).map(|event| flatten(&node, &mut sessions, event, texts, now)).collect()
        };
        for (index, flat) in flat.iter().enumerate() {
            let place = |which: usize| {
                let (at, len) = flat.texts[which];
                match len {
                    0 => CcStr::EMPTY,
                    // The arena grows no more until the next poll, so that the place holds.
                    _ => CcStr { ptr: texts[at..].as_ptr(), len: len as u32, reserved: 0 },
                }
            };
            let event = CcEvent { text: place(0), text2: place(1), text3: place(2), text4: place(3), ..flat.event };
            // SAFETY: `cap` elements are writable by the caller's promise, and no more were polled.
            unsafe { events.add(index).write_unaligned(event) };
        }
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { count.write_unaligned(flat.len() as u32) };
        Ok(())
    })
}

/// Builds one flat event.
struct Builder<'a> {
    flat: Flat,
    arena: &'a mut Vec<u8>,
}

impl Builder<'_> {
    fn of(mut self, kind: u32, handle: u64) -> Self {
        self.flat.event.kind = kind;
        self.flat.event.handle = handle;
        self
    }

    fn text(mut self, which: usize, bytes: &[u8]) -> Self {
        self.flat.texts[which] = (self.arena.len(), bytes.len());
        self.arena.extend_from_slice(bytes);
        self
    }

    fn a(mut self, value: u64) -> Self {
        self.flat.event.a = value;
        self
    }

    fn b(mut self, value: u64) -> Self {
        self.flat.event.b = value;
        self
    }

    fn c(mut self, value: u64) -> Self {
        self.flat.event.c = value;
        self
    }

    fn why(mut self, reason: Reason, code: u64) -> Self {
        self.flat.event.reason = reason as u32;
        self.flat.event.code = code;
        self
    }

    /// Where it is to be asked for instead, if the other side said so.
    fn elsewhere(self, to: Option<&Redirect>) -> Self {
        let Some(to) = to else { return self };
        let namespace = to.track.namespace.to_string();
        self.text(1, to.uri.as_bytes()).text(2, namespace.as_bytes()).text(3, readable(&to.track.name).as_bytes())
    }

    fn done(self) -> Flat {
        self.flat
    }
}

/// A name for readers: its own bytes if they are text.
fn readable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn flatten(node: &Arc<NodeBox>, sessions: &mut Sessions, event: NodeEvent, arena: &mut Vec<u8>, now: u64) -> Flat {
    let builder = Builder { flat: Flat { event: CcEvent::EMPTY, texts: [(0, 0); 4] }, arena };
    let event = match event {
        NodeEvent::Failed(text) => return builder.of(event::NODE_FAILED, node.handle).text(0, text.as_bytes()).done(),
        NodeEvent::Engine(event) => event,
    };
    match event {
        Event::LinkUp { link, resumed, gap, peer_id, draft } => builder
            .of(event::LINK_UP, link)
            .a(u64::from(resumed))
            .b(gap)
            .c(u64::from(draft))
            .text(0, peer_id.as_bytes())
            .done(),
        Event::LinkDown { link, reason, code, text, retry } => {
            builder.of(event::LINK_DOWN, link).why(reason, code).a(retry).text(0, text.as_bytes()).done()
        }
        Event::LinkClosed { link, reason, code, text } => {
            if let Ok(link) = handle::get::<Link>(link) {
                link.ended.store(true, Ordering::Release);
            }
            builder.of(event::LINK_CLOSED, link).why(reason, code).text(0, text.as_bytes()).done()
        }
        Event::LinkGoaway { link, uri, timeout_ms } => {
            builder.of(event::LINK_GOAWAY, link).a(timeout_ms).text(0, uri.as_bytes()).done()
        }
        Event::Auth { session, token, path, from, suggested_peer } => {
            match sessions.waiting(node, session, now) {
                Ok(handle) => builder
                    .of(event::AUTH, handle)
                    .a(u64::from(from.port()))
                    .text(0, &token)
                    .text(1, path.as_bytes())
                    .text(2, from.to_string().as_bytes())
                    .text(3, suggested_peer.as_bytes())
                    .done(),
                // It stays unanswered, and the relay turns it away when its time is up.
                Err(failure) => unnamed(builder.of(event::WARNING, node.handle), &failure),
            }
        }
        Event::AuthRefresh { session, token } => {
            builder.of(event::AUTH_REFRESH, sessions.handle(session)).text(0, &token).done()
        }
        Event::AuthRequest { session, request, token, what } => builder
            .of(event::AUTH_REQUEST, sessions.handle(session))
            .a(request)
            .text(0, &token)
            .text(1, what.as_bytes())
            .done(),
        Event::SessionUp { session, peer_id, tenant, from, draft, resumed } => match sessions.up(node, session) {
            Ok(handle) => builder
                .of(event::SESSION_UP, handle)
                .a(u64::from(resumed))
                .c(u64::from(draft))
                .text(0, peer_id.as_bytes())
                .text(1, tenant.as_bytes())
                .text(2, from.to_string().as_bytes())
                .done(),
            Err(failure) => unnamed(builder.of(event::WARNING, node.handle), &failure),
        },
        Event::SessionDown { session, peer_id, reason, code, text } => builder
            .of(event::SESSION_DOWN, sessions.down(node, session))
            .why(reason, code)
            .text(0, text.as_bytes())
            .text(1, peer_id.as_bytes())
            .done(),
        Event::PublishOk { publication } => builder.of(event::PUBLISH_OK, publication).done(),
        Event::PublishRefused { publication, reason, text, redirect } => {
            let told = builder.of(event::PUBLISH_REFUSED, publication).why(reason, 0).text(0, text.as_bytes());
            told.elsewhere(redirect.as_deref()).done()
        }
        Event::PublishDemand { publication, subscribers } => {
            builder.of(event::PUBLISH_DEMAND, publication).a(u64::from(subscribers)).done()
        }
        Event::NewGroupWanted { publication } => builder.of(event::NEW_GROUP_WANTED, publication).done(),
        Event::SubscribeOk { subscription } => builder.of(event::SUBSCRIBE_OK, subscription).done(),
        Event::SubscribeRefused { subscription, reason, text, redirect } => {
            let told = builder.of(event::SUBSCRIBE_REFUSED, subscription).why(reason, 0).text(0, text.as_bytes());
            told.elsewhere(redirect.as_deref()).done()
        }
        Event::TrackAdded { subscription, track, kind, name, capability, publisher } => builder
            .of(event::TRACK_ADDED, subscription)
            .a(track)
            .b(u64::from(kind))
            .text(0, name.namespace.to_string().as_bytes())
            .text(1, readable(&name.name).as_bytes())
            .text(2, readable(&capability).as_bytes())
            .text(3, publisher.as_bytes())
            .done(),
        Event::TrackEnded { subscription, track, reason } => {
            builder.of(event::TRACK_ENDED, subscription).why(reason, 0).a(track).done()
        }
        Event::TrackResumed { subscription, track, last_group, first_group, gap } => builder
            .of(event::TRACK_RESUMED, subscription)
            .why(Reason::None, gap)
            .a(track)
            .b(last_group)
            .c(first_group)
            .done(),
        Event::Warning { text } => builder.of(event::WARNING, node.handle).text(0, text.as_bytes()).done(),
    }
}

/// A session that no handle could be made for.
fn unnamed(builder: Builder<'_>, failure: &Failure) -> Flat {
    let text = format!("a session can't be told of: {}", failure.text);
    builder.text(0, text.as_bytes()).done()
}
