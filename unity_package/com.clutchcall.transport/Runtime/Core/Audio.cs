// Voice and other audio that is published here: samples in, packets of 20 ms out, in groups of a talk spurt or a second.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>How samples are encoded; the numbers of the track property AUDIO_CODEC.</summary>
    public enum AudioCodec
    {
        /// <summary>Opus, RFC 6716: what voice takes least bits with.</summary>
        Opus = 1,
        /// <summary>Signed 16-bit samples, little-endian.</summary>
        Pcm = 2,
        /// <summary>G.711 mu-law.</summary>
        MuLaw = 3,
        /// <summary>G.711 A-law.</summary>
        ALaw = 4,
    }

    /// <summary>An audio track and its habits.</summary>
    public sealed class AudioOptions
    {
        /// <summary>Its namespace, slashes between the fields.</summary>
        public string Namespace { get; set; } = "";
        /// <summary>Its name in there.</summary>
        public string Name { get; set; } = "";
        /// <summary>How samples are encoded.</summary>
        public AudioCodec Codec { get; set; } = AudioCodec.Opus;
        /// <summary>Samples a second and channel, 8,000 to 192,000 in thousands; of Opus 8,000, 12,000, 16,000, 24,000 or 48,000.</summary>
        public int Rate { get; set; } = 16_000;
        /// <summary>1 or 2; samples of two are interleaved.</summary>
        public int Channels { get; set; } = 1;
        /// <summary>Length of a packet in ms: 10, 20, 40 or 60.</summary>
        public int PacketMs { get; set; } = 20;
        /// <summary>Longest group in ms, to 60 s; a reader joins at its beginning.</summary>
        public int GroupMs { get; set; } = 1000;
        /// <summary>Opus: bits a second of all channels together, 6,000 to 510,000; zero: 32,000 a channel.</summary>
        public int BitRate { get; set; }
        /// <summary>Opus: packets in a hundred that are expected to be lost, to 100. Above zero, packets carry a coarse copy of the one before.</summary>
        public int Loss { get; set; }
        /// <summary>Send nothing while nobody speaks, by the loudness. False for music, which Opus then encodes as such.</summary>
        public bool Silence { get; set; } = true;
        /// <summary>A group a packet, in datagrams: what is lost is not sent again.</summary>
        public bool Datagram { get; set; }
        /// <summary>The tag by which subscribers choose.</summary>
        public string Capability { get; set; } = Constants.CapabilityVoiceV1;
        /// <summary>Priority of its packets: 0 first, 255 last.</summary>
        public byte Priority { get; set; } = 64;
        /// <summary>How long a group that is over may still be sent on.</summary>
        public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(1);
    }

    /// <summary>A published audio track. One thread at a time may write; what is left over waits for the next Write.</summary>
    public sealed class AudioTrack : IDisposable
    {
        private const int MostProperties = 64;
        private const int Quietest = 127;

        private readonly AudioOptions _options;
        private readonly short[] _waiting;
        private readonly byte[] _packet;
        private readonly PacketEncoder _encoder;
        private readonly Voice _voice;
        private int _held, _inGroup;
        private long _nextUs = -1;

        /// <summary>The track below.</summary>
        public Publication Publication { get; }
        /// <summary>Loudness of the last packet in -dBov: 0 (loudest) to 127 (silence).</summary>
        public int Level { get; private set; } = Quietest;
        /// <summary>Whether the last packet was speech.</summary>
        public bool IsSpeaking { get; private set; }
        /// <summary>Packets that were sent, or would have been if somebody had wanted them.</summary>
        public long Packets { get; private set; }
        /// <summary>Packets that were not sent, as nobody spoke.</summary>
        public long Quiet { get; private set; }

        private AudioTrack(AudioOptions options, Func<TrackOptions, Publication> publish)
        {
            Check(options);
            _options = options;
            int samples = options.Rate / 1000 * options.PacketMs * options.Channels;
            _waiting = new short[samples];
            _encoder = PacketEncoder.Create(options);
            _packet = new byte[_encoder.Room(samples)];
            _voice = new Voice(options.PacketMs);
            var properties = new PropertyWriter(stackalloc byte[MostProperties]);
            properties.Add(Constants.PropertyAudioCodec, (ulong)options.Codec);
            properties.Add(Constants.PropertySampleRate, (ulong)options.Rate);
            properties.Add(Constants.PropertyChannels, (ulong)options.Channels);
            var track = new TrackOptions
            {
                Kind = CcTrackKind.Audio,
                Namespace = options.Namespace,
                Name = options.Name,
                Capability = options.Capability,
                Priority = options.Priority,
                Datagram = options.Datagram,
                Timeout = options.Timeout,
                Properties = properties.Written.ToArray(),
            };
            try
            {
                Publication = publish(track);
            }
            catch
            {
                _encoder.Dispose();
                throw;
            }
        }

        /// <summary>Publishes on a link.</summary>
        /// <exception cref="ArgumentException">An option is out of its range; one of Opus: ClutchCallException.</exception>
        public AudioTrack(Link link, AudioOptions options) : this(options, link.Publish) { }

        /// <summary>Publishes as a relay itself.</summary>
        /// <exception cref="ArgumentException">An option is out of its range.</exception>
        public AudioTrack(Node relay, AudioOptions options) : this(options, relay.Publish) { }

        /// <summary>Sends samples of -1 to 1, in pieces of any length; how many packets that made.</summary>
        /// <param name="samples">Interleaved where there are two channels.</param>
        /// <param name="capturedUs">When the first of them was captured, Unix time in microseconds; negative: they follow on what was written before.</param>
        public int Write(ReadOnlySpan<float> samples, long capturedUs = -1)
        {
            int made = 0;
            Begin(samples.Length, capturedUs);
            foreach (float one in samples)
                made += Add((short)Math.Round(32767 * (one >= 1 ? 1 : one <= -1 ? -1 : float.IsNaN(one) ? 0 : one)));
            return made;
        }

        /// <summary>The same for samples of 16 bits.</summary>
        public int Write(ReadOnlySpan<short> samples, long capturedUs = -1)
        {
            int made = 0;
            Begin(samples.Length, capturedUs);
            foreach (short one in samples) made += Add(one);
            return made;
        }

        /// <summary>Sends a packet that is encoded already, by an encoder of the game's own.</summary>
        /// <param name="packet">The codec's packet.</param>
        /// <param name="capturedUs">When its first sample was captured, Unix time in microseconds.</param>
        /// <param name="level">Loudness in -dBov.</param>
        /// <param name="speaks">Somebody speaks.</param>
        /// <param name="ends">It is the last one before a silence.</param>
        public CcFate WritePacket(ReadOnlySpan<byte> packet, long capturedUs, int level, bool speaks, bool ends)
        {
            CcSendFlags flags = 0;
            if (_inGroup++ == 0) flags |= CcSendFlags.NewGroup;
            if (ends || _inGroup * _options.PacketMs >= _options.GroupMs)
            {
                flags |= CcSendFlags.EndGroup;
                _inGroup = 0;
            }
            const uint active = 0x80;
            var properties = new PropertyWriter(stackalloc byte[MostProperties]);
            properties.Add(Constants.PropertyLocAudioLevel, (uint)Math.Max(0, Math.Min(level, Quietest)) | (speaks ? active : 0));
            properties.Add(Constants.PropertyLocTimestamp, (ulong)Math.Max(0, capturedUs));
            Packets++;
            return Publication.Send(packet, properties: properties.Written, flags: flags);
        }

        /// <summary>Ends the track.</summary>
        public void Dispose()
        {
            Publication.Dispose();
            _encoder.Dispose();
        }

        private static void Check(AudioOptions options)
        {
            if (options.Codec < AudioCodec.Opus || options.Codec > AudioCodec.ALaw) throw new ArgumentException($"Codec {options.Codec} is none");
            if (options.Channels != 1 && options.Channels != 2) throw new ArgumentException("Channels is not 1 or 2");
            if (Array.IndexOf(new[] { 10, 20, 40, 60 }, options.PacketMs) < 0) throw new ArgumentException("PacketMs is not 10, 20, 40 or 60");
            if (options.Rate < 8000 || options.Rate > 192_000 || options.Rate % 1000 != 0)
                throw new ArgumentException("Rate is not 8,000 to 192,000 in thousands");
            if (options.GroupMs < options.PacketMs || options.GroupMs > 60_000) throw new ArgumentException("GroupMs is not a packet's length to 60,000");
        }

        private void Begin(int samples, long capturedUs)
        {
            const long resyncUs = 200_000;
            long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000 - Us(samples);
            long due = _nextUs < 0 ? -1 : _nextUs + Us(_held);
            long at = capturedUs >= 0 ? capturedUs : due < 0 || now - due > resyncUs ? now : due;
            if (due >= 0 && Math.Abs(at - due) <= _options.PacketMs * 500) return;
            // Time has gone by without samples: what was left over belongs to what was.
            (_held, _inGroup, _nextUs) = (0, 0, at);
        }

        private long Us(int samples) => samples * 1_000_000L / (_options.Rate * _options.Channels);

        private int Add(short sample)
        {
            _waiting[_held++] = sample;
            if (_held < _waiting.Length) return 0;
            _held = 0;
            long captured = _nextUs;
            _nextUs += _options.PacketMs * 1000;
            var heard = _voice.Hear(_waiting);
            (Level, IsSpeaking) = (heard.Level, heard.Active);
            if (_options.Silence && !heard.Send)
            {
                Quiet++;
                _inGroup = 0;
                return 0;
            }
            int length = _encoder.Encode(_waiting, _packet);
            WritePacket(_packet.AsSpan(0, length), captured, heard.Level, heard.Active, _options.Silence && heard.Last);
            return 1;
        }
    }

    /// <summary>Whether somebody speaks, by loudness: above the room's noise, and for a while after.</summary>
    internal sealed class Voice
    {
        private const double AboveNoise = 9, Speech = -35, Silence = -60, FloorRise = 2;
        private const int HangoverMs = 200;

        private readonly int _packetMs, _hold;
        private double _noise = Silence;
        private int _left;

        public Voice(int packetMs) => (_packetMs, _hold) = (packetMs, Math.Max(1, HangoverMs / packetMs));

        /// <summary>Judges one packet: its loudness in -dBov, whether somebody speaks, whether it is to be sent, and as the last one.</summary>
        public (int Level, bool Active, bool Send, bool Last) Hear(ReadOnlySpan<short> samples)
        {
            double power = 0;
            foreach (short one in samples) power += (double)one * one;
            power /= samples.Length;
            double loudness = power > 0 ? 10 * Math.Log10(power / (32768.0 * 32768.0)) : -127;
            bool active = loudness > Math.Min(Math.Max(_noise + AboveNoise, Silence), Speech);
            _noise = Math.Min(loudness, _noise + FloorRise * _packetMs / 1000);
            bool sent = active || _left > 0;
            _left = active ? _hold : Math.Max(0, _left - 1);
            return (Math.Max(0, Math.Min(127, (int)Math.Round(-loudness))), active, sent, sent && _left == 0);
        }
    }
}
