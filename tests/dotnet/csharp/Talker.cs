// Voice and video in C#, as a test drives them: a talker who writes a tone, a listener who mixes what comes.
#nullable enable

using System;
using System.Diagnostics;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Tests
{
    /// <summary>A link that publishes audio, or listens to it. Every wait has an end.</summary>
    public sealed class Talker : IDisposable
    {
        private readonly Node _node = new Node(new NodeOptions { Bind = "127.0.0.1:0" });
        private readonly Link _link;
        private readonly double _patience;
        private ulong _demanded;
        private AudioTrack? _track;
        private VideoTrack? _video;
        private Subscription? _subscription;
        private VoiceReader? _reader;
        private float[] _heard = Array.Empty<float>();

        public Talker(string url, string sha256, double patience)
        {
            _patience = patience;
            _link = _node.Connect(new LinkOptions { Url = url, TrustSha256 = sha256 });
        }

        public long Packets => _track?.Packets ?? _reader!.Packets;
        public long Quiet => _track!.Quiet;
        public long Unreadable => _reader!.Unreadable;
        public int Level => _track!.Level;
        public long Concealed => _reader!.Concealed;
        public long Late => _reader!.Late;
        public long Bytes => (long)_track!.Publication.Stats().Bytes;

        /// <summary>Publishes, and waits until somebody listens.</summary>
        public void Publish(string path, string name, AudioCodec codec, int rate, int channels, bool silence)
        {
            _track = new AudioTrack(_link, new AudioOptions
            {
                Namespace = path, Name = name, Codec = codec, Rate = rate, Channels = channels, Silence = silence,
            });
            Wait("a listener", () => _track.Publication.Stats().Subscribers > 0);
        }

        /// <summary>The same in datagrams; Opus's packets carry a copy of the one before.</summary>
        public void PublishDatagrams(string path, string name, AudioCodec codec, int rate)
        {
            _track = new AudioTrack(_link, new AudioOptions
            {
                Namespace = path, Name = name, Codec = codec, Rate = rate, Silence = false, Datagram = true, Loss = 20,
            });
            Wait("a listener", () => _track.Publication.Stats().Subscribers > 0);
        }

        /// <summary>Writes a tone, or silence for 0 Hz, in pieces of an odd length; how many packets it made.</summary>
        public int Say(double hertz, double seconds, int rate, int channels, double from, long capturedUs)
        {
            var samples = new float[(int)(seconds * rate) * channels];
            for (int at = 0; at < samples.Length; at++)
                samples[at] = (float)(0.4 * Math.Sin(2 * Math.PI * hertz * (from + at / channels / (double)rate)));
            int made = 0;
            const int piece = 774;
            for (int at = 0; at < samples.Length; at += piece)
                made += _track!.Write(
                    samples.AsSpan(at, Math.Min(piece, samples.Length - at)), capturedUs + at / channels * 1_000_000L / rate);
            return made;
        }

        /// <summary>The bytes that saying leaves for the collector, on this thread.</summary>
        public long Garbage(double hertz, double seconds, int rate, int channels, long capturedUs)
        {
            var samples = new float[(int)(seconds * rate) * channels];
            for (int at = 0; at < samples.Length; at++)
                samples[at] = (float)(0.4 * Math.Sin(2 * Math.PI * hertz * at / channels / rate));
            long before = GC.GetAllocatedBytesForCurrentThread();
            _track!.Write(samples, capturedUs);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        /// <summary>A tone by Opus, of which every so-manieth packet is lost: packets decoded and replaced, and all samples.</summary>
        public static double[] Lose(int rate, double hertz, int packets, int each)
        {
            using var encoder = new OpusEncoder(new OpusOptions { Rate = rate, Loss = 20 });
            using var decoder = new OpusDecoder(rate, 1);
            var told = new System.Collections.Generic.List<double> { 0, 0 };
            var (samples, into, packet) = (new short[rate / 50], new short[OpusDecoder.MostSamples], new byte[1500]);
            bool lost = false;
            for (int at = 0; at < packets; at++)
            {
                for (int one = 0; one < samples.Length; one++)
                    samples[one] = (short)(12_000 * Math.Sin(2 * Math.PI * hertz * (at * samples.Length + one) / rate));
                int length = encoder.Encode(samples, packet);
                if (at % each == each - 2)
                {
                    lost = true;
                    continue;
                }
                for (int way = lost ? 0 : 1; way < 2; way++)
                {
                    var span = packet.AsSpan(0, length);
                    int count = way == 0 ? decoder.Recover(span, into) : decoder.Decode(span, into);
                    told[1 - way]++;
                    for (int one = 0; one < count; one++) told.Add(into[one]);
                }
                lost = false;
            }
            return told.ToArray();
        }

        /// <summary>What a decoder makes of bytes that are no packet: no samples.</summary>
        public static int Junk()
        {
            using var decoder = new OpusDecoder(48_000, 2);
            return decoder.Decode(new byte[] { 0x1b }, new short[2 * OpusDecoder.MostSamples]);
        }

        /// <summary>Listens to all audio below a namespace.</summary>
        public void Listen(string path, double delay)
        {
            _subscription = _link.Subscribe(new SubscribeOptions { Namespace = path, Capability = Constants.CapabilityVoiceV1 });
            _reader = new VoiceReader(_subscription, TimeSpan.FromSeconds(delay));
            ulong asked = _subscription.Handle;
            Wait("SubscribeOk", () => _demanded == asked);
        }

        /// <summary>Mixes once so many packets have come, at a rate and with channels of its own.</summary>
        public float[] Hear(int packets, int rate, int channels, double seconds)
        {
            Wait($"{packets} packets", () =>
            {
                _reader!.Update();
                return _reader.Packets >= packets;
            });
            _heard = new float[(int)(seconds * rate) * channels];
            _reader!.Mix(_heard, rate, channels);
            return _heard;
        }

        /// <summary>The same of packets that are taken in together, once all of them have come.</summary>
        public float[] HearTogether(int packets, int rate, double seconds)
        {
            Wait($"{packets} packets", () => _subscription!.Stats().Frames >= (ulong)packets);
            return Hear(packets, rate, 1, seconds);
        }

        /// <summary>Takes in what has come, and mixes nothing.</summary>
        public void Take() => _reader!.Update();

        /// <summary>Waits for packets that nobody can read here.</summary>
        public void HearNothing(int packets) => Wait("packets", () =>
        {
            _reader!.Update();
            return _reader.Unreadable >= packets;
        });

        /// <summary>Publishes video, and sends a keyframe and two frames; their fates, and that of a frame without its group.</summary>
        public string Show(string path, string name)
        {
            _video = new VideoTrack(_link, path, name, "vp8");
            string alone = _video.Write(new byte[] { 9 }, false, 1).ToString();
            Wait("a viewer", () => _video.Publication.Stats().Subscribers > 0);
            string fates = $"{alone} {_video.Write(new byte[] { 1, 2, 3 }, true, 1000, new byte[] { 7 })}";
            fates += $" {_video.KeyframeWanted}";
            for (byte at = 2; at < 4; at++) fates += $" {_video.Write(new[] { at }, false, 1000 * at)}";
            return fates;
        }

        /// <summary>Encodes and decodes every sample by both laws: the largest error in 1/1000 of the sample, and the codes of a few.</summary>
        public static string Laws()
        {
            static double Worst(Func<short, byte> encode, Func<byte, short> decode)
            {
                double worst = 0;
                for (int sample = short.MinValue; sample <= short.MaxValue; sample++)
                    worst = Math.Max(worst, Math.Abs(decode(encode((short)sample)) - sample) / Math.Max(256.0, Math.Abs(sample)));
                return worst;
            }

            double mu = Worst(G711.EncodeMu, G711.DecodeMu), a = Worst(G711.EncodeA, G711.DecodeA);
            return $"{mu < 0.05} {a < 0.05}";
        }

        public static byte[] Encode(bool mu)
        {
            var codes = new byte[65536];
            for (int at = 0; at < codes.Length; at++)
                codes[at] = mu ? G711.EncodeMu((short)(at - 32768)) : G711.EncodeA((short)(at - 32768));
            return codes;
        }

        public static short[] Decode(bool mu)
        {
            var samples = new short[256];
            for (int code = 0; code < samples.Length; code++) samples[code] = mu ? G711.DecodeMu((byte)code) : G711.DecodeA((byte)code);
            return samples;
        }

        /// <summary>Reads properties and writes them again.</summary>
        public static byte[] Again(byte[] encoded)
        {
            var writer = new PropertyWriter(new byte[4096]);
            var reader = new PropertyReader(encoded);
            while (reader.Read())
                if (reader.Type % 2 == 0) writer.Add(reader.Type, reader.Number);
                else writer.Add(reader.Type, reader.Bytes);
            if (reader.IsDamaged) throw new FormatException("damaged");
            return writer.Written.ToArray();
        }

        /// <summary>What the properties say of one type, as text; "none" if they do not.</summary>
        public static string Value(byte[] encoded, ulong type)
        {
            var reader = new PropertyReader(encoded);
            while (reader.Read())
                if (reader.Type == type) return type % 2 == 0 ? reader.Number.ToString() : BitConverter.ToString(reader.Bytes.ToArray());
            return "none";
        }

        public void Dispose()
        {
            _track?.Dispose();
            _reader?.Dispose();
            _video?.Dispose();
            _subscription?.Dispose();
            _link.Dispose();
            _node.Dispose();
        }

        private void Wait(string what, Func<bool> done)
        {
            var clock = Stopwatch.StartNew();
            while (!done())
            {
                foreach (var one in _node.Poll())
                    if (one.Kind == CcEventKind.SubscribeOk) _demanded = one.Handle;
                if (clock.Elapsed.TotalSeconds > _patience) throw new TimeoutException($"{what} did not come in time");
                Thread.Sleep(1);
            }
        }
    }
}
