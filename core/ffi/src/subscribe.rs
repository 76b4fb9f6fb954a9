//! Subscriptions, and draining.

use std::mem::{align_of, offset_of, size_of};
use std::sync::Arc;

use bytes::Bytes;
use cc_engine::{Command, GroupOrder, SubscribeConfig};
use cc_shard::{Feed, NodeError, Record};

use crate::boundary::{call, present, put, read, Answer, Failure, Out};
use crate::generated::{group_order, status, subscribe_flags, CcBatch, CcFrame, CcSubscribeConfig, TOKEN_BYTES};
use crate::handle::{self, Kind, Reserved};
use crate::node::{or, NodeBox};
use crate::text;
use crate::track::{scope, CAPABILITY_BYTES};

const NAME_BYTES: usize = 4096;

/// A subscription. The engine knows it by its handle.
pub(crate) struct Subscription {
    pub(crate) node: Arc<NodeBox>,
    pub(crate) handle: u64,
    pub(crate) feed: Arc<Feed>,
}

/// Reads a subscription's configuration.
///
/// # Safety
/// The texts in `config` are readable.
unsafe fn subscribe_config(config: &CcSubscribeConfig) -> Answer<SubscribeConfig> {
    text::flags(config.flags, subscribe_flags::EXACT, "flags")?;
    // SAFETY: the caller's promise.
    let (ns, name, capability, token) = unsafe {
        (
            text::utf8(config.ns, "ns", 3 * NAME_BYTES)?,
            text::utf8(config.name, "name", NAME_BYTES)?,
            text::utf8(config.capability, "capability", CAPABILITY_BYTES)?,
            text::bytes(config.token, "token", TOKEN_BYTES as usize)?,
        )
    };
    let (namespace, name) = if config.flags & subscribe_flags::EXACT != 0 {
        let track = text::track_name(ns, name.as_bytes())?;
        (track.namespace, Some(track.name))
    } else if name.is_empty() {
        (text::namespace(ns, "ns")?, None)
    } else {
        return Err(Failure::argument("name is given without EXACT: set the flag to name one track"));
    };
    if name.is_none() && (!token.is_empty() || config.rendezvous_ms > 0) {
        return Err(Failure::argument("token or rendezvous_ms is given without EXACT: they are for one track"));
    }
    let order = match config.order {
        group_order::PUBLISHER => None,
        group_order::ASCENDING => Some(GroupOrder::Ascending),
        group_order::DESCENDING => Some(GroupOrder::Descending),
        other => return Err(Failure::argument(format!("order {other} is no CcGroupOrder"))),
    };
    Ok(SubscribeConfig {
        namespace,
        name,
        capability: Bytes::copy_from_slice(capability.as_bytes()),
        priority: text::priority(config.priority)?,
        order,
        rendezvous_ms: u64::from(config.rendezvous_ms),
        token: (!token.is_empty()).then(|| Bytes::copy_from_slice(token)),
    })
}

/// Subscribes.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_subscribe(scope: u64, config: *const CcSubscribeConfig, subscription: *mut u64) -> i32 {
    call("cc_subscribe", || {
        let subscription = present(subscription, "subscription")?;
        let (node, place) = self::scope(scope)?;
        // SAFETY: the caller's promise.
        let given = unsafe { read(config, "config") }?;
        // SAFETY: the caller's promise.
        let config = unsafe { subscribe_config(&given) }?;
        let feed_bytes = usize::try_from(or(given.feed_bytes, node.feed_bytes)).unwrap_or(usize::MAX);
        let reserved = Reserved::new(Kind::Subscription)?;
        let handle = reserved.handle();
        node.adopt(handle)?;
        match node.node.subscribe(handle, place, config, feed_bytes) {
            Ok(feed) => {
                reserved.fill(Arc::new(Subscription { node, handle, feed }));
            }
            Err(e) => {
                node.disown(handle);
                return Err(e.into());
            }
        }
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { subscription.write_unaligned(handle) };
        Ok(())
    })
}

/// Ends a subscription; its batch is no longer valid.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_subscribe_close(subscription: u64) -> i32 {
    call("cc_subscribe_close", || {
        let subscription = handle::take::<Subscription>(subscription)?;
        subscription.node.disown(subscription.handle);
        subscription.node.node.command(Command::Unsubscribe(subscription.handle))?;
        Ok(())
    })
}

/// Takes the frames that wait.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_drain(subscription: u64, batch: *mut CcBatch) -> i32 {
    call("cc_drain", || {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(batch, "batch") }?;
        let subscription = handle::get::<Subscription>(subscription)?;
        // The feed leaves these slices alone until its next drain, and the table keeps it until it is closed.
        let batch = subscription.feed.drain(|frames: &[Record], data, dropped| {
            u32::try_from(frames.len()).map(|count| CcBatch {
                count,
                frames: frames.as_ptr().cast::<CcFrame>(),
                data: data.as_ptr(),
                data_len: data.len() as u64,
                dropped,
                ..CcBatch::EMPTY
            })
        });
        out.write(batch.map_err(|_| Failure::new(status::INTERNAL, "more frames than a batch can count"))?);
        Ok(())
    })
}

/// Asks for a new group of a track.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_want_group(subscription: u64, track: u64) -> i32 {
    call("cc_want_group", || {
        let subscription = handle::get::<Subscription>(subscription)?;
        subscription.node.node.command(Command::WantGroup(subscription.handle, track))?;
        Ok(())
    })
}

/// The properties of a track that matches.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_track_properties(
    subscription: u64,
    track: u64,
    buf: *mut u8,
    cap: u32,
    len: *mut u32,
) -> i32 {
    call("cc_track_properties", || {
        let subscription = handle::get::<Subscription>(subscription)?;
        let properties = match subscription.node.node.track_properties(subscription.handle, track) {
            Err(NodeError::Unknown) => Bytes::new(),
            other => other?,
        };
        // SAFETY: the caller's promise.
        unsafe { put(&properties, buf, cap, len) }
    })
}

// A record of the feed is a frame of the ABI, byte for byte.
const _: () = {
    macro_rules! same {
        ($($field:ident)*) => {
            $(assert!(offset_of!(Record, $field) == offset_of!(CcFrame, $field));)*
        };
    }
    same!(track group object received_us payload_at payload_len properties_at properties_len);
    same!(priority flags reserved fragments);
    assert!(size_of::<Record>() == size_of::<CcFrame>() && align_of::<Record>() == align_of::<CcFrame>());
};
