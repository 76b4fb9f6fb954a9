// How an audio track's samples become packets, and packets samples: plain or G.711 here, Opus by the native core.
#nullable enable

using System;
using System.Buffers.Binary;

namespace ClutchCall.Core
{
    /// <summary>Makes packets of one track.</summary>
    internal abstract class PacketEncoder : IDisposable
    {
        /// <summary>The encoder of a track.</summary>
        public static PacketEncoder Create(AudioOptions options) => options.Codec == AudioCodec.Opus
            ? (PacketEncoder)new OfOpus(options)
            : new Plain(options.Codec);

        /// <summary>Bytes that are room for a packet of so many samples.</summary>
        public abstract int Room(int samples);

        /// <summary>Encodes a packet; its length.</summary>
        public abstract int Encode(ReadOnlySpan<short> samples, Span<byte> packet);

        public virtual void Dispose() { }

        private sealed class Plain : PacketEncoder
        {
            private readonly AudioCodec _codec;

            public Plain(AudioCodec codec) => _codec = codec;

            public override int Room(int samples) => samples * (_codec == AudioCodec.Pcm ? 2 : 1);

            public override int Encode(ReadOnlySpan<short> samples, Span<byte> packet)
            {
                for (int at = 0; at < samples.Length; at++)
                    if (_codec == AudioCodec.Pcm) BinaryPrimitives.WriteInt16LittleEndian(packet.Slice(at * 2), samples[at]);
                    else packet[at] = _codec == AudioCodec.MuLaw ? G711.EncodeMu(samples[at]) : G711.EncodeA(samples[at]);
                return Room(samples.Length);
            }
        }

        private sealed class OfOpus : PacketEncoder
        {
            /// <summary>RFC 6716's largest frame times the three that 60 ms may have, and their lengths.</summary>
            private const int MostBytes = 3 * 1275 + 7;

            private readonly OpusEncoder _encoder;

            public OfOpus(AudioOptions options) => _encoder = new OpusEncoder(new OpusOptions
            {
                Rate = options.Rate, Channels = options.Channels, BitRate = options.BitRate, Loss = options.Loss, Music = !options.Silence,
            });

            public override int Room(int samples) => MostBytes;

            public override int Encode(ReadOnlySpan<short> samples, Span<byte> packet) => _encoder.Encode(samples, packet);

            public override void Dispose() => _encoder.Dispose();
        }
    }

    /// <summary>Reads packets of one track.</summary>
    internal abstract class PacketDecoder : IDisposable
    {
        /// <summary>Samples that are room for any packet: 120 ms of two channels at the highest rate.</summary>
        public const int MostSamples = 192 * LongestMs * 2;
        private const int LongestMs = 120, OpusRate = 48_000;
        private static readonly int[] OpusRates = { 8000, 12_000, 16_000, 24_000, 48_000 };

        /// <summary>Samples a second and channel that it gives.</summary>
        public int Rate { get; private set; }
        /// <summary>Channels that are interleaved in them.</summary>
        public int Channels { get; private set; }

        /// <summary>The decoder of a track with those properties; null for a codec or numbers that are none.</summary>
        public static PacketDecoder? Create(ulong codec, ulong rate, ulong channels)
        {
            if (rate < 8000 || rate > 192_000 || channels < 1 || channels > 2) return null;
            switch ((AudioCodec)codec)
            {
                case AudioCodec.Opus:
                    int given = Array.IndexOf(OpusRates, (int)rate) >= 0 ? (int)rate : OpusRate;
                    return new OfOpus(given, (int)channels);
                case AudioCodec.Pcm:
                case AudioCodec.MuLaw:
                case AudioCodec.ALaw:
                    return new Plain((AudioCodec)codec) { Rate = (int)rate, Channels = (int)channels };
                default:
                    return null;
            }
        }

        /// <summary>A packet's samples, of all channels together; 0 if it is none.</summary>
        public abstract int Decode(ReadOnlySpan<byte> packet, Span<short> into);

        /// <summary>What may have been in a packet that was lost; from the copy in the next one, if that is given. 0: nothing is known of it.</summary>
        public virtual int Replace(ReadOnlySpan<byte> next, Span<short> into) => 0;

        public virtual void Dispose() { }

        private sealed class Plain : PacketDecoder
        {
            private readonly AudioCodec _codec;

            public Plain(AudioCodec codec) => _codec = codec;

            public override int Decode(ReadOnlySpan<byte> packet, Span<short> into)
            {
                int unit = _codec == AudioCodec.Pcm ? 2 : 1, count = packet.Length / unit;
                if (packet.Length == 0 || packet.Length % (unit * Channels) != 0 || count > Rate * LongestMs / 1000 * Channels) return 0;
                for (int at = 0; at < count; at++)
                    into[at] = _codec switch
                    {
                        AudioCodec.Pcm => BinaryPrimitives.ReadInt16LittleEndian(packet.Slice(at * 2)),
                        AudioCodec.MuLaw => G711.DecodeMu(packet[at]),
                        _ => G711.DecodeA(packet[at]),
                    };
                return count;
            }
        }

        private sealed class OfOpus : PacketDecoder
        {
            private readonly OpusDecoder _decoder;

            public OfOpus(int rate, int channels)
            {
                (Rate, Channels) = (rate, channels);
                _decoder = new OpusDecoder(rate, channels);
            }

            public override int Decode(ReadOnlySpan<byte> packet, Span<short> into) => packet.Length == 0 ? 0 : _decoder.Decode(packet, into);

            public override int Replace(ReadOnlySpan<byte> next, Span<short> into) =>
                next.Length == 0 ? _decoder.Decode(next, into) : _decoder.Recover(next, into);

            public override void Dispose() => _decoder.Dispose();
        }
    }
}
