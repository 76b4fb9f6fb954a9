// Opus, by the native core: an encoder and a decoder, each of one stream, since each packet builds on the one before.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>How to encode Opus.</summary>
    public sealed class OpusOptions
    {
        /// <summary>Samples a second and channel: 8,000, 12,000, 16,000, 24,000 or 48,000.</summary>
        public int Rate { get; set; } = 48_000;
        /// <summary>1 or 2; samples of two are interleaved.</summary>
        public int Channels { get; set; } = 1;
        /// <summary>Bits a second of all channels together, 6,000 to 510,000; zero: 32,000 a channel.</summary>
        public int BitRate { get; set; }
        /// <summary>The encoder's effort, 1 to 10; zero: 5.</summary>
        public int Complexity { get; set; }
        /// <summary>Packets in a hundred that are expected to be lost. Above zero, packets carry a coarse copy of the one before, for Recover.</summary>
        public int Loss { get; set; }
        /// <summary>Music and other sound, rather than voice.</summary>
        public bool Music { get; set; }
    }

    /// <summary>What encoders and decoders have in common: a native one, closed once.</summary>
    public abstract class OpusCodec : IDisposable
    {
        private protected OpusCodec(int channels)
        {
            NativeCore.Check();
            Channels = channels;
        }

        /// <summary>Closes what nobody disposed of.</summary>
        ~OpusCodec() => NativeCore.Close(Handle);

        private protected ulong Handle { get; private set; }

        private protected int Channels { get; }

        /// <summary>Closes it.</summary>
        public void Dispose()
        {
            NativeCore.Close(Handle);
            GC.SuppressFinalize(this);
        }

        private protected void Opened(int status, ulong handle)
        {
            Failures.Check(status);
            NativeCore.Opened(Handle = handle);
        }

        /// <summary>A number that may be out of its range, as what the core refuses then.</summary>
        private protected static uint Number(int value) => value < 0 ? uint.MaxValue : (uint)value;
    }

    /// <summary>Makes the packets of one stream. Any thread may call, one waits for another.</summary>
    public sealed unsafe class OpusEncoder : OpusCodec
    {
        /// <summary>An encoder of a stream that begins.</summary>
        /// <exception cref="ClutchCallException">An option is out of its range.</exception>
        public OpusEncoder(OpusOptions options)
            : base(options.Channels)
        {
            var config = CcOpusConfig.Create();
            config.RateHz = Number(options.Rate);
            config.Channels = Number(options.Channels);
            config.BitRate = Number(options.BitRate);
            config.Complexity = Number(options.Complexity);
            config.Loss = Number(options.Loss);
            config.Flags = options.Music ? CcOpusFlags.Music : 0;
            ulong handle;
            Opened(Native.OpusEncoder(&config, &handle), handle);
        }

        /// <summary>Encodes one packet; its length in bytes. It is made to fit, into 2 bytes at the least.</summary>
        /// <param name="samples">2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms, interleaved where there are two channels.</param>
        /// <param name="packet">1,500 bytes are room for any bit rate at 20 ms.</param>
        /// <exception cref="ClutchCallException">The samples are no packet's length.</exception>
        public int Encode(ReadOnlySpan<short> samples, Span<byte> packet)
        {
            if (samples.Length % Channels != 0) throw new ArgumentException("are no whole samples of all channels", nameof(samples));
            uint length;
            fixed (short* from = samples)
            fixed (byte* into = packet)
                Failures.Check(Native.OpusEncode(Handle, from, (uint)(samples.Length / Channels), into, (uint)packet.Length, &length));
            GC.KeepAlive(this);
            return (int)length;
        }
    }

    /// <summary>Reads the packets of one stream. Any thread may call, one waits for another.</summary>
    public sealed unsafe class OpusDecoder : OpusCodec
    {
        /// <summary>Samples of each channel that are room for any packet, at 48 kHz: 120 ms.</summary>
        public const int MostSamples = 5760;

        /// <summary>A decoder that gives samples at that rate and with those channels, whatever was encoded.</summary>
        /// <param name="rate">8,000, 12,000, 16,000, 24,000 or 48,000.</param>
        /// <param name="channels">1 or 2; samples of two are interleaved.</param>
        /// <exception cref="ClutchCallException">The rate or the channels are none of Opus.</exception>
        public OpusDecoder(int rate, int channels)
            : base(channels)
        {
            ulong handle;
            Opened(Native.OpusDecoder(Number(rate), Number(channels), &handle), handle);
        }

        /// <summary>Decodes a packet; how many samples that gave, all channels' together. Zero: the bytes are no packet, and the next may be one.</summary>
        /// <param name="packet">Empty: one was lost, and this is what may have been in it.</param>
        /// <param name="samples">MostSamples of each channel are room for any.</param>
        /// <exception cref="ClutchCallException">There is too little room.</exception>
        public int Decode(ReadOnlySpan<byte> packet, Span<short> samples) => Read(packet, samples, recover: false);

        /// <summary>The packet before this one, which was lost, from the copy that this one may carry; then decode this one.</summary>
        public int Recover(ReadOnlySpan<byte> next, Span<short> samples) => Read(next, samples, recover: true);

        private int Read(ReadOnlySpan<byte> packet, Span<short> samples, bool recover)
        {
            uint count, length = (uint)packet.Length, room = (uint)(samples.Length / Channels);
            int status;
            fixed (byte* from = packet)
            fixed (short* into = samples)
                status = recover
                    ? Native.OpusRecover(Handle, from, length, into, room, &count)
                    : Native.OpusDecode(Handle, from, length, into, room, &count);
            GC.KeepAlive(this);
            if (status == (int)CcStatus.BadArgument || status == (int)CcStatus.TooLarge) return 0;
            Failures.Check(status);
            return (int)count * Channels;
        }
    }
}
