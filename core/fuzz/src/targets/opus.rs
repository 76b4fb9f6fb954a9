//! Opus packets: whatever the bytes are, there are samples or an error, and the decoder goes on.

use cc_media::opus::{Decoder, Encoder, Error, Settings, LONGEST_MS, RATES};

use crate::Input;

/// What is done with a packet: decoded, taken for lost, asked for the copy of the one before it.
const WAYS: usize = 4;

/// A stream of packets at one rate. Each is a byte that says what is done with it, and a length with as many bytes.
pub(super) fn opus(data: &[u8]) {
    let mut input = Input::new(data);
    let rate = *input.pick(&RATES);
    let channels = input.below(2) as u32 + 1;
    let longest = rate as usize * LONGEST_MS / 1000;
    let mut samples = vec![0; longest * channels as usize];
    let mut decoder = Decoder::new(rate, channels).expect("a rate and channels of Opus");
    while !input.done() {
        let (way, packet) = (input.below(WAYS), input.bytes());
        let answer = match way {
            0 => decoder.decode(&[], &mut samples),
            1 => decoder.recover(packet, &mut samples),
            _ => decoder.decode(packet, &mut samples),
        };
        match answer {
            Ok(count) => assert!(count <= longest, "{count} samples"),
            Err(Error::Packet) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Packets of every mode: of voice and music, at low and high rates, short and long ones.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (rate, ms, bit_rate, music) in
        [(8000, 60, 8000, false), (16_000, 20, 16_000, false), (48_000, 20, 24_000, false), (48_000, 10, 48_000, true)]
    {
        let settings = Settings { rate, channels: 1, bit_rate: Some(bit_rate), complexity: Some(1), loss: 20, music };
        let mut encoder = Encoder::new(&settings).expect("settings within their ranges");
        let place = RATES.iter().position(|known| *known == rate).unwrap_or(0) as u8;
        let mut input = vec![place, u8::from(music)];
        for at in 0..3_u32 {
            let each = rate / 1000 * ms;
            let sample = |one: u32| ((f64::from(at * each + one) * 0.13).sin() * 9000.0) as i16;
            let samples: Vec<i16> = (0..each).map(sample).collect();
            let mut packet = [0; 255];
            let length = encoder.encode(&samples, &mut packet).expect("a whole packet");
            input.extend([at as u8 + 1, length as u8]);
            input.extend(&packet[..length]);
        }
        inputs.push(input);
    }
    inputs
}
