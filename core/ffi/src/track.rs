//! Publications, and sending.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use cc_engine::{Command, Place, TrackConfig, TrackKind};
use cc_shard::{Fate, Frame, Publication};
use cc_wire::TrackName;

use crate::boundary::{call, present, read, Answer, Failure};
use crate::generated::{
    fate, kind, send_flags, status, track_flags, CcSend, CcTrackConfig, PRIORITY_DEFAULT, TOKEN_BYTES,
};
use crate::handle::{self, Kind, Object, Reserved};
use crate::node::{or, NodeBox};
use crate::text;

/// Messages that a Text track keeps for a reconnect: about a minute of a busy chat.
const WINDOW_MESSAGES: u32 = 1024;
const NAME_BYTES: usize = 4096;
/// Longest capability tag, bytes.
pub(crate) const CAPABILITY_BYTES: usize = 255;
const PROPERTIES_BYTES: usize = 65_535;
/// Frames handled at a time: bounds the memory that one call takes beside the frames themselves.
const CHUNK: usize = 4096;

/// A publication. The engine knows it by its handle.
pub(crate) struct Track {
    pub(crate) node: Arc<NodeBox>,
    pub(crate) handle: u64,
    pub(crate) publication: Publication,
    scope: u64,
    name: TrackName,
}

/// The node of a scope, and the place within it.
///
/// # Errors
/// BAD_HANDLE; BAD_STATE for a node that is no relay.
pub(crate) fn scope(handle: u64) -> Answer<(Arc<NodeBox>, Place)> {
    const WANTED: &str = "node or link";
    match handle::get_any(handle, WANTED)? {
        Object::Node(node) if node.relay => Ok((node, Place::Node)),
        Object::Node(_) => Err(Failure::new(
            status::BAD_STATE,
            "the node is no relay: open a link and use that, or open the node with RELAY",
        )),
        Object::Link(link) => Ok((link.node.clone(), Place::Link(link.handle))),
        _ => Err(handle::bad(handle, WANTED, false)),
    }
}

/// Reads a track's configuration.
///
/// # Safety
/// The texts in `config` are readable.
unsafe fn track_config(config: &CcTrackConfig, node: &NodeBox) -> Answer<TrackConfig> {
    let known = track_flags::LATEST_WINS | track_flags::MICROSECOND_GROUPS | track_flags::DATAGRAM;
    text::flags(config.flags, known, "flags")?;
    let kind = match config.kind {
        kind::FRAME_DATAGRAM => TrackKind::FrameDatagram,
        kind::FRAME_STREAM => TrackKind::FrameStream,
        kind::TEXT => TrackKind::Text,
        kind::AUDIO => TrackKind::Audio,
        kind::VIDEO => TrackKind::Video,
        other => return Err(Failure::argument(format!("kind {other} is no CcTrackKind"))),
    };
    let latest_wins = config.flags & track_flags::LATEST_WINS != 0;
    if latest_wins && kind == TrackKind::Text {
        return Err(Failure::argument("a Text track loses nothing, so it can't have LATEST_WINS"));
    }
    if latest_wins && kind.is_live() {
        return Err(Failure::argument(
            "LATEST_WINS is for Frame tracks: audio and video prefer newer groups by themselves",
        ));
    }
    let datagram = config.flags & track_flags::DATAGRAM != 0;
    if datagram && kind != TrackKind::Audio {
        return Err(Failure::argument("DATAGRAM is for Audio: Frame tracks have a kind of their own for datagrams"));
    }
    // SAFETY: the caller's promise.
    let (ns, name, capability, properties, token) = unsafe {
        (
            text::utf8(config.ns, "ns", 3 * NAME_BYTES)?,
            text::utf8(config.name, "name", NAME_BYTES)?,
            text::utf8(config.capability, "capability", CAPABILITY_BYTES)?,
            text::bytes(config.properties, "properties", PROPERTIES_BYTES)?,
            text::bytes(config.token, "token", TOKEN_BYTES as usize)?,
        )
    };
    Ok(TrackConfig {
        name: text::track_name(ns, name.as_bytes())?,
        kind,
        capability: Bytes::copy_from_slice(capability.as_bytes()),
        properties: text::properties(properties, "properties")?,
        priority: text::priority(config.priority)?,
        latest_wins,
        datagram,
        microsecond_groups: config.flags & track_flags::MICROSECOND_GROUPS != 0,
        ttl: (config.ttl_us > 0).then_some(u64::from(config.ttl_us)),
        object_timeout_ms: u64::from(config.object_timeout_ms),
        subgroup_timeout_ms: u64::from(config.subgroup_timeout_ms),
        window_messages: or(config.window_messages, WINDOW_MESSAGES),
        queue_bytes: usize::try_from(or(config.queue_bytes, node.track_queue_bytes)).unwrap_or(usize::MAX),
        token: (!token.is_empty()).then(|| Bytes::copy_from_slice(token)),
    })
}

/// Publishes a track.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_publish(scope: u64, config: *const CcTrackConfig, publication: *mut u64) -> i32 {
    call("cc_publish", || {
        let publication = present(publication, "publication")?;
        let (node, place) = self::scope(scope)?;
        // SAFETY: the caller's promise.
        let config = unsafe { track_config(&read(config, "config")?, &node) }?;
        let name = config.name.clone();
        let reserved = Reserved::new(Kind::Publication)?;
        let handle = reserved.handle();
        node.adopt(handle)?;
        if !node.claim(scope, &name) {
            node.disown(handle);
            return Err(Failure::new(
                status::EXISTS,
                format!("{name} is published here already: close that publication first, or choose another name"),
            ));
        }
        match node.node.publish(handle, place, config) {
            Ok(opened) => {
                let track = Track { node, handle, publication: opened, scope, name };
                reserved.fill(Arc::new(track));
            }
            Err(e) => {
                node.unclaim(scope, &name);
                node.disown(handle);
                return Err(e.into());
            }
        }
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { publication.write_unaligned(handle) };
        Ok(())
    })
}

/// Ends a track.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_publish_close(publication: u64) -> i32 {
    call("cc_publish_close", || {
        let track = handle::take::<Track>(publication)?;
        track.node.disown(track.handle);
        track.node.unclaim(track.scope, &track.name);
        track.node.node.command(Command::Unpublish(track.handle))?;
        Ok(())
    })
}

/// Sends frames of any tracks, on any nodes. A frame of a publication that was closed meanwhile has the fate CLOSED.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_send(frames: *const CcSend, count: u32, fates: *mut u8) -> i32 {
    call("cc_send", || {
        if count == 0 {
            return Ok(());
        }
        if frames.is_null() {
            return Err(Failure::argument("frames is null"));
        }
        let count = count as usize;
        // SAFETY: `count` elements are readable by the caller's promise, at whatever alignment.
        let frame = |index: usize| unsafe { frames.add(index).read_unaligned() };
        let handles = handle::view();
        (0..count).try_for_each(|index| check(&handles, &frame(index), index))?;
        drop(handles);
        let mut sender = Sender::default();
        for start in (0..count).step_by(CHUNK) {
            // SAFETY: checked above, and readable by the caller's promise.
            let chunk = unsafe { sender.send(start..count.min(start + CHUNK), frame) };
            if !fates.is_null() {
                // SAFETY: `count` bytes are writable by the caller's promise.
                unsafe { std::ptr::copy_nonoverlapping(chunk.as_ptr(), fates.add(start), chunk.len()) };
            }
        }
        Ok(())
    })
}

/// Checks what can be checked of one frame, before any of the batch is sent.
fn check(handles: &handle::View, send: &CcSend, index: usize) -> Answer {
    if send.payload == 0 && send.payload_len > 0 {
        return Err(Failure::argument(format!("frames[{index}].payload is null")));
    }
    if send.properties == 0 && send.properties_len > 0 {
        return Err(Failure::argument(format!("frames[{index}].properties is null")));
    }
    if send.priority > 255 && send.priority != PRIORITY_DEFAULT {
        return Err(Failure::argument(format!("frames[{index}].priority {} is above 255", send.priority)));
    }
    if send.flags & !(send_flags::NEW_GROUP | send_flags::END_GROUP) != 0 {
        let text = format!("frames[{index}].flags is {}: only CcSendFlags bits may be set", send.flags);
        return Err(Failure::argument(text));
    }
    if !handles.is_of(send.publication, Kind::Publication) {
        return Err(handle::bad(send.publication, "publication", false));
    }
    if send.properties_len > 0 {
        // SAFETY: not null, and readable by the promise of `cc_send`'s caller.
        let raw = unsafe { piece(send.properties, send.properties_len) };
        cc_wire::Properties::decode(raw).map_err(|e| {
            Failure::argument(format!("frames[{index}].properties are not encoded key-value pairs: {e}"))
        })?;
    }
    Ok(())
}

/// Bytes at an address.
///
/// # Safety
/// `len` bytes are readable there for as long as the answer is used.
unsafe fn piece<'a>(address: u64, len: u32) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(address as usize as *const u8, len as usize) }
}

/// What sending needs again for each chunk.
#[derive(Default)]
struct Sender {
    /// Publications of the chunk, each as often as it comes after another one.
    tracks: Vec<Option<Arc<Track>>>,
    /// Of each frame, which of them is its own.
    owners: Vec<usize>,
    fates: Vec<u8>,
}

impl Sender {
    /// Sends a chunk, each run of frames of one node with one call.
    ///
    /// # Safety
    /// Payloads and properties of what `at` gives are readable.
    unsafe fn send(&mut self, chunk: Range<usize>, at: impl Fn(usize) -> CcSend) -> &[u8] {
        self.find(chunk.clone().map(|index| at(index).publication));
        self.fates.clear();
        self.fates.resize(chunk.len(), fate::CLOSED);
        let mut frames = Vec::with_capacity(chunk.len());
        let mut outcome = Vec::with_capacity(chunk.len());
        let mut start = 0;
        while start < chunk.len() {
            let track_of = |index: usize| self.tracks[self.owners[index]].as_ref();
            let Some(node) = track_of(start).map(|track| &track.node) else {
                start += 1;
                continue;
            };
            frames.clear();
            frames.extend((start..chunk.len()).map_while(|index| {
                let track = track_of(index).filter(|track| Arc::ptr_eq(&track.node, node))?;
                // SAFETY: the caller's promise.
                Some(unsafe { frame(&at(chunk.start + index), track) })
            }));
            outcome.clear();
            outcome.resize(frames.len(), Fate::Closed);
            node.node.send(&frames, &mut outcome);
            for (fate, outcome) in self.fates[start..].iter_mut().zip(&outcome) {
                *fate = *outcome as u8;
            }
            start += frames.len();
        }
        &self.fates
    }

    /// Looks the publications up, with one look at the table.
    fn find(&mut self, publications: impl Iterator<Item = u64>) {
        self.tracks.clear();
        self.owners.clear();
        let handles = handle::view();
        let mut last = 0;
        for publication in publications {
            if self.tracks.is_empty() || publication != last {
                last = publication;
                self.tracks.push(handles.get::<Track>(last));
            }
            self.owners.push(self.tracks.len() - 1);
        }
    }
}

/// One frame as the node takes it.
///
/// # Safety
/// Payload and properties are readable for as long as the answer is used.
unsafe fn frame<'a>(send: &CcSend, track: &'a Track) -> Frame<'a> {
    // SAFETY: the caller's promise.
    let (payload, properties) =
        unsafe { (piece(send.payload, send.payload_len), piece(send.properties, send.properties_len)) };
    Frame {
        publication: &track.publication,
        payload,
        properties,
        priority: (send.priority != PRIORITY_DEFAULT).then_some(send.priority as u8),
        ttl: (send.ttl_us > 0).then_some(u64::from(send.ttl_us)),
        new_group: send.flags & send_flags::NEW_GROUP != 0,
        end_group: send.flags & send_flags::END_GROUP != 0,
    }
}

// The fates that the node answers are the ABI's, by number.
const _: () = {
    assert!(Fate::Queued as u8 == fate::QUEUED);
    assert!(Fate::NoRoom as u8 == fate::NO_ROOM);
    assert!(Fate::TooLarge as u8 == fate::TOO_LARGE);
    assert!(Fate::NotConnected as u8 == fate::NOT_CONNECTED);
    assert!(Fate::Closed as u8 == fate::CLOSED);
    assert!(Fate::NoSubscriber as u8 == fate::NO_SUBSCRIBER);
    assert!(Fate::NoGroup as u8 == fate::NO_GROUP);
};
