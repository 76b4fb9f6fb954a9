//! Opus encoders and decoders, each of one stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cc_media::opus::{Decoder, Encoder, Error, Settings};

use crate::boundary::{call, present, read, Answer, Failure};
use crate::generated::{opus_flags, status, CcOpusConfig};
use crate::handle::{self, Named, Object, Reserved};
use crate::text;

/// Longest packet that is looked at, bytes: 120 ms of two channels at the highest rate are below it.
const PACKET_BYTES: u32 = 16 * 1024;
/// Samples of each channel at most in one call: 120 ms at 48 kHz.
const SAMPLES: u32 = 5760;

/// An encoder or decoder that a handle names.
pub(crate) struct Codec<T>(Mutex<T>);

pub(crate) type OpusEncoder = Codec<Encoder>;
pub(crate) type OpusDecoder = Codec<Decoder>;

impl<T> Codec<T>
where
    Codec<T>: Named,
{
    /// Gives it a handle, which goes to `into`.
    ///
    /// # Safety
    /// `into` is writable.
    unsafe fn open(codec: T, into: *mut u64) -> Answer {
        let handle = Reserved::new(Self::KIND)?.fill(Arc::new(Codec(Mutex::new(codec))));
        // SAFETY: the caller's promise.
        unsafe { into.write_unaligned(handle) };
        Ok(())
    }

    /// The codec, also after a panic in it: at worst it sounds wrong.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match error {
            Error::Room(_) => status::BUFFER_TOO_SMALL,
            Error::Codec => status::INTERNAL,
            _ => status::BAD_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

/// Opens an encoder.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_opus_encoder(config: *const CcOpusConfig, encoder: *mut u64) -> i32 {
    call("cc_opus_encoder", || {
        let encoder = present(encoder, "encoder")?;
        // SAFETY: the caller's promise.
        let config = unsafe { read(config, "config") }?;
        text::flags(config.flags, opus_flags::MUSIC, "flags")?;
        let made = Encoder::new(&Settings {
            rate: config.rate_hz,
            channels: config.channels,
            bit_rate: (config.bit_rate > 0).then_some(config.bit_rate),
            complexity: (config.complexity > 0).then_some(config.complexity),
            loss: config.loss,
            music: config.flags & opus_flags::MUSIC != 0,
        })?;
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { Codec::open(made, encoder) }
    })
}

/// Encodes a packet.
///
/// # Safety
/// See the crate; `samples` has `count` times the encoder's channels, `packet` has `cap` bytes.
#[no_mangle]
pub unsafe extern "C" fn cc_opus_encode(
    encoder: u64,
    samples: *const i16,
    count: u32,
    packet: *mut u8,
    cap: u32,
    len: *mut u32,
) -> i32 {
    call("cc_opus_encode", || {
        let found = handle::get::<OpusEncoder>(encoder)?;
        let len = present(len, "len")?;
        let mut encoder = found.lock();
        let all = count.min(SAMPLES + 1) as usize * encoder.channels();
        // SAFETY: the caller's promise; no more is read than it says.
        let samples = unsafe { slice(samples, all, "samples") }?;
        // SAFETY: the caller's promise.
        let packet = unsafe { slice_mut(packet, cap.min(PACKET_BYTES) as usize, "packet") }?;
        let length = encoder.encode(samples, packet)?;
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { len.write_unaligned(length as u32) };
        Ok(())
    })
}

/// Opens a decoder.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_opus_decoder(rate_hz: u32, channels: u32, decoder: *mut u64) -> i32 {
    call("cc_opus_decoder", || {
        let decoder = present(decoder, "decoder")?;
        let made = Decoder::new(rate_hz, channels)?;
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { Codec::open(made, decoder) }
    })
}

/// Decodes a packet, or fills in for a lost one.
///
/// # Safety
/// See the crate; `packet` has `len` bytes, `samples` has `cap` times the decoder's channels.
#[no_mangle]
pub unsafe extern "C" fn cc_opus_decode(
    decoder: u64,
    packet: *const u8,
    len: u32,
    samples: *mut i16,
    cap: u32,
    count: *mut u32,
) -> i32 {
    // SAFETY: the caller's promise.
    call("cc_opus_decode", || unsafe { decode(decoder, packet, len, samples, cap, count, Decoder::decode) })
}

/// The packet before, from this one.
///
/// # Safety
/// As [`cc_opus_decode`].
#[no_mangle]
pub unsafe extern "C" fn cc_opus_recover(
    decoder: u64,
    next: *const u8,
    len: u32,
    samples: *mut i16,
    cap: u32,
    count: *mut u32,
) -> i32 {
    // SAFETY: the caller's promise.
    call("cc_opus_recover", || unsafe { decode(decoder, next, len, samples, cap, count, Decoder::recover) })
}

/// Closes an encoder or decoder.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_opus_close(codec: u64) -> i32 {
    call("cc_opus_close", || match handle::get_any(codec, "codec")? {
        Object::OpusEncoder(_) => handle::take::<OpusEncoder>(codec).map(drop),
        Object::OpusDecoder(_) => handle::take::<OpusDecoder>(codec).map(drop),
        _ => Err(handle::bad(codec, "codec", false)),
    })
}

type Way = fn(&mut Decoder, &[u8], &mut [i16]) -> Result<usize, Error>;

/// # Safety
/// As [`cc_opus_decode`].
unsafe fn decode(
    decoder: u64,
    packet: *const u8,
    len: u32,
    samples: *mut i16,
    cap: u32,
    count: *mut u32,
    way: Way,
) -> Answer {
    let found = handle::get::<OpusDecoder>(decoder)?;
    let count = present(count, "count")?;
    if len > PACKET_BYTES {
        let text = format!("packet is {len} bytes long, {PACKET_BYTES} are the most");
        return Err(Failure::new(status::TOO_LARGE, text));
    }
    // SAFETY: the caller's promise.
    let packet = unsafe { slice(packet, len as usize, "packet") }?;
    let mut decoder = found.lock();
    let channels = decoder.channels();
    // SAFETY: the caller's promise.
    let samples = unsafe { slice_mut(samples, cap.min(SAMPLES) as usize * channels, "samples") }?;
    let answer = way(&mut decoder, packet, samples);
    let told = match &answer {
        Ok(each) => *each,
        Err(Error::Room(needed)) => needed / channels,
        Err(_) => return answer.map(drop).map_err(Failure::from),
    };
    // SAFETY: not null, and writable by the caller's promise.
    unsafe { count.write_unaligned(told as u32) };
    Ok(answer.map(drop)?)
}

/// # Safety
/// `at` is null or has `count` readable elements for as long as the answer is used.
unsafe fn slice<'a, T>(at: *const T, count: usize, what: &'static str) -> Answer<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    usable(at, what)?;
    // SAFETY: not null, aligned, and readable by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(at, count) })
}

/// # Safety
/// `at` is null or has `count` writable elements that nobody else uses for as long as the answer is used.
unsafe fn slice_mut<'a, T>(at: *mut T, count: usize, what: &'static str) -> Answer<&'a mut [T]> {
    if count == 0 {
        return Ok(&mut []);
    }
    usable(at, what)?;
    // SAFETY: not null, aligned, and writable by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(at, count) })
}

fn usable<T>(at: *const T, what: &'static str) -> Answer {
    if at.is_null() || !at.is_aligned() {
        return Err(Failure::argument(format!("{what} is null or not aligned")));
    }
    Ok(())
}
