//! A frame that a node sends while the owner of a publication is silent.

use bytes::Bytes;
use cc_engine::{Command, Repeat, Time, TrackKind};

use crate::boundary::{call, read, Answer, Failure};
use crate::generated::{CcRepeat, FRAGMENT_BYTES, PRIORITY_DEFAULT};
use crate::handle;
use crate::text;
use crate::track::Track;

/// What a time may be, in ms: above what a busy machine lets a timer keep to, and an hour.
const TIMES_MS: std::ops::RangeInclusive<u32> = 10..=3_600_000;

/// Has the node send a frame while the owner of a publication sends nothing.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_publish_repeat(publication: u64, repeat: *const CcRepeat) -> i32 {
    call("cc_publish_repeat", || {
        let track = handle::get::<Track>(publication)?;
        // SAFETY: the caller's promise.
        let what = unsafe { wanted(&read(repeat, "repeat")?) }?;
        let frames = matches!(track.publication.kind(), TrackKind::FrameDatagram | TrackKind::FrameStream);
        if what.is_some() && !frames {
            return Err(Failure::argument(
                "what is repeated is a frame, and this is no track of frames: use a Frame track",
            ));
        }
        track.node.node.command(Command::Repeat(track.handle, what))?;
        Ok(())
    })
}

/// Reads what is to be repeated; none: nothing.
///
/// # Safety
/// The payload is readable.
unsafe fn wanted(repeat: &CcRepeat) -> Answer<Option<Repeat>> {
    if repeat.every_ms == 0 {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let payload = unsafe { text::bytes(repeat.payload, "payload", FRAGMENT_BYTES as usize) }?;
    let priority = match repeat.priority {
        given if given == u32::from(PRIORITY_DEFAULT) => None,
        given => Some(text::priority(given)?),
    };
    for (name, ms) in [("silence_ms", repeat.silence_ms), ("every_ms", repeat.every_ms)] {
        if !TIMES_MS.contains(&ms) {
            let (least, most) = (TIMES_MS.start(), TIMES_MS.end());
            return Err(Failure::argument(format!("{name} {ms} is outside {least} to {most}")));
        }
    }
    if repeat.limit_ms > 0 && repeat.limit_ms <= repeat.silence_ms {
        let text = format!("limit_ms {} leaves nothing after silence_ms {}", repeat.limit_ms, repeat.silence_ms);
        return Err(Failure::argument(text));
    }
    let time = |ms: u32| Time::from(ms) * 1000;
    Ok(Some(Repeat {
        payload: Bytes::copy_from_slice(payload),
        priority,
        silence: time(repeat.silence_ms),
        every: time(repeat.every_ms),
        limit: (repeat.limit_ms > 0).then(|| time(repeat.limit_ms)),
    }))
}
