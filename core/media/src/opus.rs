//! Opus (RFC 6716), by a port of libopus to Rust ([why](../../../docs/decisions/008-opus-in-the-core.md)).
//!
//! An [`Encoder`] or [`Decoder`] is of one stream: each packet builds on the one before it. Samples are 16 bits,
//! interleaved where there are two channels, and counted for each channel.

use std::fmt;

use opus_pure::{Application, OpusDecoder, OpusEncoder, Signal};

/// Sample rates that Opus takes, Hz.
pub const RATES: [u32; 5] = [8000, 12_000, 16_000, 24_000, 48_000];
/// Bits a second, of all channels together: what Opus can make use of.
pub const BIT_RATES: std::ops::RangeInclusive<u32> = 6000..=510_000;
/// Bits a second and channel where none is asked for: voice that nobody takes for a telephone's.
pub const BIT_RATE: u32 = 32_000;
/// Effort of the encoder where none is asked for, of 0 to 10.
pub const COMPLEXITY: u32 = 5;
/// Longest packet, ms.
pub const LONGEST_MS: usize = 120;
/// Lengths of a packet, in 48ths of a ms, so that each is a whole number: 2.5 to 120 ms.
const LENGTHS: [usize; 9] = [120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760];

/// How to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Samples a second and channel: one of [`RATES`].
    pub rate: u32,
    /// 1 or 2.
    pub channels: u32,
    /// Bits a second within [`BIT_RATES`]; none: [`BIT_RATE`] a channel.
    pub bit_rate: Option<u32>,
    /// Effort, 0 to 10; none: [`COMPLEXITY`].
    pub complexity: Option<u32>,
    /// Packets in a hundred that are expected to be lost, to 100. Above 0, packets carry a coarse copy of the one before.
    pub loss: u32,
    /// Music and other sound, rather than voice.
    pub music: bool,
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// No rate of Opus.
    Rate(u32),
    /// Neither 1 nor 2.
    Channels(u32),
    /// Outside [`BIT_RATES`].
    BitRate(u32),
    /// Above 10.
    Complexity(u32),
    /// Above 100.
    Loss(u32),
    /// So many samples are no packet's length.
    Length(usize),
    /// There is no room for what comes out: so much is needed.
    Room(usize),
    /// The bytes are no Opus packet.
    Packet,
    /// The codec failed by itself.
    Codec,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rate(rate) => write!(f, "{rate} Hz is no rate of Opus: 8000, 12000, 16000, 24000 or 48000 are"),
            Error::Channels(channels) => write!(f, "{channels} channels: Opus has 1 or 2"),
            Error::BitRate(rate) => {
                write!(f, "{rate} bit/s is outside Opus's {} to {}", BIT_RATES.start(), BIT_RATES.end())
            }
            Error::Complexity(value) => write!(f, "complexity {value} is above 10"),
            Error::Loss(value) => write!(f, "a loss of {value} in a hundred is above 100"),
            Error::Length(samples) => {
                write!(f, "{samples} samples are no packet: give 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms")
            }
            Error::Room(needed) => write!(f, "there is no room for what comes out: {needed} are needed"),
            Error::Packet => f.write_str("the bytes are no Opus packet"),
            Error::Codec => f.write_str("the codec failed: open a new one"),
        }
    }
}

impl std::error::Error for Error {}

fn check(rate: u32, channels: u32) -> Result<(), Error> {
    if !RATES.contains(&rate) {
        return Err(Error::Rate(rate));
    }
    if channels != 1 && channels != 2 {
        return Err(Error::Channels(channels));
    }
    Ok(())
}

/// Makes packets of one stream.
pub struct Encoder {
    inner: OpusEncoder,
    rate: usize,
    channels: usize,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("rate", &self.rate).field("channels", &self.channels).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder of a stream that begins.
    ///
    /// # Errors
    /// A setting is out of its range.
    pub fn new(settings: &Settings) -> Result<Encoder, Error> {
        check(settings.rate, settings.channels)?;
        let bit_rate = settings.bit_rate.unwrap_or(BIT_RATE * settings.channels);
        let complexity = settings.complexity.unwrap_or(COMPLEXITY);
        if !BIT_RATES.contains(&bit_rate) {
            return Err(Error::BitRate(bit_rate));
        }
        if complexity > 10 {
            return Err(Error::Complexity(complexity));
        }
        if settings.loss > 100 {
            return Err(Error::Loss(settings.loss));
        }
        let application = if settings.music { Application::Audio } else { Application::Voip };
        let mut inner = OpusEncoder::new(settings.rate as i32, settings.channels as usize, application)
            .map_err(|_| Error::Codec)?;
        inner.bitrate_bps = bit_rate as i32;
        inner.complexity = complexity as i32;
        inner.packet_loss_perc = settings.loss as i32;
        inner.use_inband_fec = settings.loss > 0;
        inner.signal_type = Some(if settings.music { Signal::Music } else { Signal::Voice });
        Ok(Encoder { inner, rate: settings.rate as usize, channels: settings.channels as usize })
    }

    /// How many channels it was made for.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// One packet of `samples`, all channels' together; how many bytes of `packet` it takes. With less room than
    /// [`opus_pure::MAX_PACKET_BYTES`] the packet is made to fit.
    ///
    /// # Errors
    /// The samples are no packet's length, or there is room for less than 2 bytes.
    pub fn encode(&mut self, samples: &[i16], packet: &mut [u8]) -> Result<usize, Error> {
        let each = samples.len() / self.channels;
        let whole = each * self.channels == samples.len();
        // The product is below 2^32 for every length that passes, and exact: each rate divides 48,000.
        if !whole || !LENGTHS.iter().any(|length| length * self.rate == each.saturating_mul(48_000)) {
            return Err(Error::Length(samples.len()));
        }
        if packet.len() < 2 {
            return Err(Error::Room(2));
        }
        self.inner.encode_s16(samples, each, packet).map_err(|_| Error::Codec)
    }
}

/// Reads packets of one stream.
pub struct Decoder {
    inner: OpusDecoder,
    rate: usize,
    channels: usize,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("rate", &self.rate).field("channels", &self.channels).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder of a stream that begins, or is joined: any rate and count of channels, whatever was encoded.
    ///
    /// # Errors
    /// The rate or the channels are none of Opus.
    pub fn new(rate: u32, channels: u32) -> Result<Decoder, Error> {
        check(rate, channels)?;
        let inner = OpusDecoder::new(rate as i32, channels as usize).map_err(|_| Error::Codec)?;
        Ok(Decoder { inner, rate: rate as usize, channels: channels as usize })
    }

    /// How many channels it was made for.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The samples of a packet, for each channel; written to the front of `samples`, all channels' together. An empty
    /// packet stands for one that was lost, as long as the one before it: what may have been in it.
    ///
    /// # Errors
    /// The bytes are no packet, or there is too little room.
    pub fn decode(&mut self, packet: &[u8], samples: &mut [i16]) -> Result<usize, Error> {
        let length = match packet {
            [] => self.inner.last_packet_duration(),
            _ => opus_pure::packet::samples(packet, self.rate as i32).map_err(|_| Error::Packet)?,
        };
        if length == 0 {
            return Ok(0);
        }
        if length > self.rate * LONGEST_MS / 1000 {
            return Err(Error::Packet);
        }
        self.room(length, samples)?;
        self.inner.decode_s16(packet, length, samples).map_err(|_| Error::Packet)
    }

    /// The packet before this one, which was lost, from the copy that this one may carry of it; then this one is to be
    /// decoded. Without a copy it is what may have been in it. As long as the last that came.
    ///
    /// # Errors
    /// As of [`Decoder::decode`].
    pub fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> Result<usize, Error> {
        let length = self.inner.last_packet_duration();
        if length == 0 {
            return Ok(0);
        }
        opus_pure::packet::samples(next, self.rate as i32).map_err(|_| Error::Packet)?;
        self.room(length, samples)?;
        self.inner.decode_fec_s16(next, length, samples).map_err(|_| Error::Packet)
    }

    fn room(&self, length: usize, samples: &[i16]) -> Result<(), Error> {
        let needed = length * self.channels;
        if samples.len() < needed {
            return Err(Error::Room(needed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOICE: Settings =
        Settings { rate: 16_000, channels: 1, bit_rate: None, complexity: None, loss: 0, music: false };

    fn tone(hertz: f64, rate: u32, channels: usize, from: usize, count: usize) -> Vec<i16> {
        let sample =
            |at: usize| ((at as f64 * hertz * std::f64::consts::TAU / f64::from(rate)).sin() * 12_000.0) as i16;
        (from..from + count).flat_map(|at| std::iter::repeat_n(sample(at), channels)).collect()
    }

    /// How much of a tone is in the samples, of 1.
    fn share(samples: &[i16], hertz: f64, rate: u32) -> f64 {
        let angle = |at: usize| at as f64 * hertz * std::f64::consts::TAU / f64::from(rate);
        let (mut real, mut imaginary, mut power) = (0.0, 0.0, 0.0);
        for (at, one) in samples.iter().enumerate() {
            let one = f64::from(*one);
            real += one * angle(at).cos();
            imaginary += one * angle(at).sin();
            power += one * one;
        }
        (real * real + imaginary * imaginary) * 2.0 / (samples.len() as f64 * power)
    }

    #[test]
    fn what_is_said_is_heard() {
        for (rate, channels) in [(8000, 1), (16_000, 1), (24_000, 2), (48_000, 2)] {
            let mut encoder = Encoder::new(&Settings { rate, channels, ..VOICE }).unwrap();
            let mut decoder = Decoder::new(48_000, 1).unwrap();
            let (mut packet, mut heard) = ([0; 1500], Vec::new());
            let each = rate as usize / 50;
            for at in 0..50 {
                let samples = tone(440.0, rate, channels as usize, at * each, each);
                let length = encoder.encode(&samples, &mut packet).unwrap();
                let mut out = [0; 960];
                assert_eq!(decoder.decode(&packet[..length], &mut out), Ok(960));
                heard.extend(out);
            }
            assert!(share(&heard[4800..], 440.0, 48_000) > 0.9, "{rate} Hz, {channels} channels");
        }
    }

    #[test]
    fn a_lost_packet_is_filled_in_and_recovered_from_the_next() {
        let mut encoder = Encoder::new(&Settings { loss: 20, ..VOICE }).unwrap();
        let packets: Vec<Vec<u8>> = (0..20)
            .map(|at| {
                let mut packet = [0; 1500];
                let length = encoder.encode(&tone(300.0, 16_000, 1, at * 320, 320), &mut packet).unwrap();
                packet[..length].to_vec()
            })
            .collect();
        let mut out = [0; 320];
        let mut decoder = Decoder::new(16_000, 1).unwrap();
        assert_eq!(decoder.decode(&[], &mut out), Ok(0), "nothing came before");
        for packet in &packets[..10] {
            decoder.decode(packet, &mut out).unwrap();
        }
        assert_eq!(decoder.decode(&[], &mut out), Ok(320));
        assert!(share(&out, 300.0, 16_000) > 0.5);
        assert_eq!(decoder.recover(&packets[12], &mut out), Ok(320));
        assert!(share(&out, 300.0, 16_000) > 0.8);
        assert_eq!(decoder.decode(&packets[12], &mut out), Ok(320));
    }

    #[test]
    fn settings_out_of_their_range_are_told() {
        let wrong = |settings: Settings| Encoder::new(&settings).unwrap_err();
        assert_eq!(wrong(Settings { rate: 44_100, ..VOICE }), Error::Rate(44_100));
        assert_eq!(wrong(Settings { channels: 3, ..VOICE }), Error::Channels(3));
        assert_eq!(wrong(Settings { bit_rate: Some(5999), ..VOICE }), Error::BitRate(5999));
        assert_eq!(wrong(Settings { complexity: Some(11), ..VOICE }), Error::Complexity(11));
        assert_eq!(wrong(Settings { loss: 101, ..VOICE }), Error::Loss(101));
        assert_eq!(Decoder::new(11_025, 1).unwrap_err(), Error::Rate(11_025));
        let mut encoder = Encoder::new(&VOICE).unwrap();
        assert_eq!(encoder.encode(&[0; 321], &mut [0; 100]), Err(Error::Length(321)));
        assert_eq!(encoder.encode(&[], &mut [0; 100]), Err(Error::Length(0)));
        assert_eq!(encoder.encode(&[0; 320], &mut [0; 1]), Err(Error::Room(2)));
    }

    #[test]
    fn whatever_the_bytes_are_there_is_an_answer() {
        let mut decoder = Decoder::new(48_000, 2).unwrap();
        let mut out = [0; 48 * LONGEST_MS * 2];
        // 120 ms and one frame more: code 3, 60 ms frames of SILK, three of them.
        assert_eq!(decoder.decode(&[0x1b, 0x03, 0, 0, 0], &mut out), Err(Error::Packet));
        assert_eq!(decoder.decode(&[0x1b], &mut out), Err(Error::Packet));
        let mut encoder = Encoder::new(&Settings { rate: 48_000, channels: 2, ..VOICE }).unwrap();
        let mut packet = [0; 1500];
        let length = encoder.encode(&tone(500.0, 48_000, 2, 0, 960), &mut packet).unwrap();
        assert_eq!(decoder.decode(&packet[..length], &mut out[..100]), Err(Error::Room(1920)));
        for cut in 1..length {
            let _ = decoder.decode(&packet[..cut], &mut out);
        }
        for bit in 0..length * 8 {
            let mut damaged = packet[..length].to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = decoder.decode(&damaged, &mut out);
        }
    }
}
