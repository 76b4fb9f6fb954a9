// The settings of an interface: ClutchCallOptions to write, and the unmanaged parameter that NetworkSettings carry.
#nullable enable

using System;
using System.Collections.Generic;
using System.Text;
using ClutchCall.Core;
using Unity.Networking.Transport;

namespace ClutchCall.UnityTransport
{
    /// <summary>How peers find each other.</summary>
    public enum ClutchCallMode
    {
        /// <summary>Listen accepts sessions in this process, on the bound address and port; Connect dials the endpoint.</summary>
        Direct = 0,
        /// <summary>Both ends dial the relay of a URL, and meet in a room. Addresses and ports of endpoints are placeholders.</summary>
        Relay = 1,
    }

    /// <summary>What an interface goes by. Strings are copied when it is added to NetworkSettings.</summary>
    public sealed class ClutchCallOptions
    {
        /// <summary>Through a relay or without one.</summary>
        public ClutchCallMode Mode { get; set; } = ClutchCallMode.Direct;
        /// <summary>The session by which the application follows the interface; null: nobody does.</summary>
        public ClutchCallSession? Session { get; set; }
        /// <summary>Relay: moqt://host:port/path.</summary>
        public string Url { get; set; } = "";
        /// <summary>Where a server and its clients meet: tracks are below games/(room). 1 to 64 letters, digits, '_', '.', '-'.</summary>
        public string Room { get; set; } = "unity";
        /// <summary>What the relay asks for, at most 4,096 bytes. Direct: a password that clients have to show, if the server has one.</summary>
        public string Token { get; set; } = "";
        /// <summary>Trusts the certificate with this SHA-256 alone, 64 hexadecimal digits.</summary>
        public string TrustSha256 { get; set; } = "";
        /// <summary>Trusts what chains to these certificates. With neither: on loopback this machine's development certificate, elsewhere the system's roots.</summary>
        public string TrustPem { get; set; } = "";
        /// <summary>Direct: the server's certificate; empty: this machine's development certificate.</summary>
        public string CertificatePem { get; set; } = "";
        /// <summary>Direct: the key of that certificate.</summary>
        public string KeyPem { get; set; } = "";
        /// <summary>16 to 64 bytes by which a client that starts again is the same peer; null: random.</summary>
        public byte[]? ResumeSecret { get; set; }
        /// <summary>A server's clients at once, 1 to 4,096.</summary>
        public int MaxPeers { get; set; } = 256;
        /// <summary>While the main thread sleeps, UTP's heartbeats are sent for it for so long; zero: never.</summary>
        public TimeSpan SleepLimit { get; set; } = TimeSpan.FromSeconds(120);
        /// <summary>When a client gives up on a lost link. UTP's own time-out, 30 s, goes on meanwhile.</summary>
        public TimeSpan ReconnectLimit { get; set; } = TimeSpan.FromSeconds(30);
        /// <summary>Bound of one attempt to connect, and of what is held meanwhile.</summary>
        public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);
        /// <summary>How long a packet may wait in sending queues; UTP sends reliable ones again.</summary>
        public TimeSpan PacketLife { get; set; } = TimeSpan.FromMilliseconds(500);
        /// <summary>Priority of UTP's own packets, handshakes, heartbeats and goodbyes: 0 first, 255 last.</summary>
        public byte ControlPriority { get; set; } = 16;
        /// <summary>Priority by pipeline id: 0 is the null pipeline, then 1 for the first CreatePipeline, and so on to 15. Those not named have 128.</summary>
        public byte[] PipelinePriorities { get; set; } = Array.Empty<byte>();

        /// <summary>Takes what CLUTCHCALL_URL (which means Relay), _ROOM, _TOKEN and _CERT_SHA256 say, where they are set.</summary>
        public ClutchCallOptions WithEnvironment()
        {
            static string? Get(string name)
            {
                var value = Environment.GetEnvironmentVariable($"CLUTCHCALL_{name}");
                return string.IsNullOrEmpty(value) ? null : value;
            }

            Url = Get("URL") ?? Url;
            if (Get("URL") != null) Mode = ClutchCallMode.Relay;
            Room = Get("ROOM") ?? Room;
            Token = Get("TOKEN") ?? Token;
            TrustSha256 = Get("CERT_SHA256") ?? TrustSha256;
            return this;
        }

        /// <summary>Adds the parameter to a driver's settings.</summary>
        /// <exception cref="ArgumentException">An option is out of its range; a line in the log says which.</exception>
        public void AddTo(ref NetworkSettings settings)
        {
            var parameter = ToParameter();
            settings.AddRawParameterStruct(ref parameter);
        }

        /// <summary>The parameter. What does not fit is told by its Validate.</summary>
        public unsafe ClutchCallParameter ToParameter()
        {
            var made = new ClutchCallParameter
            {
                Mode = Mode,
                Session = Session?.Id ?? 0,
                MaxPeers = MaxPeers,
                SleepLimitMs = Milliseconds(SleepLimit),
                ReconnectLimitMs = Milliseconds(ReconnectLimit),
                ConnectTimeoutMs = Milliseconds(ConnectTimeout),
                PacketLifeMs = Milliseconds(PacketLife),
                ControlPriority = ControlPriority,
            };
            for (int at = 0; at < ClutchCallParameter.Pipelines; at++)
                made.PipelinePriorities[at] = at < PipelinePriorities.Length ? PipelinePriorities[at] : (byte)Constants.PriorityNormal;
            var texts = new[] { Url, Room, Token, TrustSha256.ToLowerInvariant(), TrustPem, CertificatePem, KeyPem };
            for (int at = 0; at < texts.Length; at++) made.Set((ClutchCallParameter.Field)at, Encoding.UTF8.GetBytes(texts[at]));
            made.Set(ClutchCallParameter.Field.ResumeSecret, ResumeSecret ?? Array.Empty<byte>());
            return made;
        }

        // What is out of range stays negative, for Validate to refuse.
        private static int Milliseconds(TimeSpan time) =>
            time < TimeSpan.Zero || time.TotalMilliseconds > int.MaxValue ? -1 : (int)time.TotalMilliseconds;
    }

    /// <summary>The settings as UTP carries them: unmanaged, with its texts inside. Made by ClutchCallOptions.</summary>
    public unsafe struct ClutchCallParameter : INetworkParameter
    {
        /// <summary>Pipelines that have a priority of their own; those beyond share the last one's.</summary>
        public const int Pipelines = 16;
        /// <summary>The driver's MaxMessageSize that the component sets: what one datagram takes. It has to be the same on both ends.</summary>
        public const int MaxMessageSize = (int)Constants.FragmentBytes;
        private const int TextBytes = 24576, Fields = 8, MostPeers = 4096;

        internal enum Field
        {
            Url,
            Room,
            Token,
            TrustSha256,
            TrustPem,
            CertificatePem,
            KeyPem,
            ResumeSecret,
        }

        /// <summary>Through a relay or without one.</summary>
        public ClutchCallMode Mode;
        /// <summary>The id of the ClutchCallSession that follows the interface; 0: none does.</summary>
        public int Session;
        /// <summary>A server's clients at once.</summary>
        public int MaxPeers;
        /// <summary>How long heartbeats are sent for a main thread that sleeps, in ms.</summary>
        public int SleepLimitMs;
        /// <summary>When a client gives up on a lost link, in ms.</summary>
        public int ReconnectLimitMs;
        /// <summary>Bound of one attempt to connect, in ms.</summary>
        public int ConnectTimeoutMs;
        /// <summary>How long a packet may wait in sending queues, in ms; 0: as long as it has to.</summary>
        public int PacketLifeMs;
        /// <summary>Priority of UTP's own packets.</summary>
        public byte ControlPriority;
        /// <summary>Priority by pipeline id.</summary>
        public fixed byte PipelinePriorities[Pipelines];

        /// <summary>Binds nothing: the netcode package is to hear that its start failed, and the log has said why.</summary>
        internal int Refused;

        private fixed byte _texts[TextBytes];
        private fixed int _ends[Fields];
        private int _overflow;

        /// <summary>Whether everything is in its range; logs what is not, a line each.</summary>
        public bool Validate()
        {
            var wrong = new List<string>();
            Problems(wrong);
            foreach (string line in wrong) UnityEngine.Debug.LogError($"ClutchCall: {line}");
            return wrong.Count == 0;
        }

        /// <summary>Adds a text; they come in the order of their fields.</summary>
        internal void Set(Field field, byte[] bytes)
        {
            int start = field == 0 ? 0 : _ends[(int)field - 1];
            int length = Math.Min(bytes.Length, TextBytes - start);
            if (length < bytes.Length) _overflow = 1;
            for (int at = 0; at < length; at++) _texts[start + at] = bytes[at];
            _ends[(int)field] = start + length;
        }

        internal readonly byte[] Get(Field field)
        {
            int start = field == 0 ? 0 : _ends[(int)field - 1];
            var bytes = new byte[_ends[(int)field] - start];
            for (int at = 0; at < bytes.Length; at++) bytes[at] = _texts[start + at];
            return bytes;
        }

        internal readonly string Text(Field field) => Encoding.UTF8.GetString(Get(field));

        /// <summary>Adds what is out of its range, a line each.</summary>
        internal readonly void Problems(List<string> found)
        {
            void Check(bool good, string line)
            {
                if (!good) found.Add(line);
            }

            Check(_overflow == 0, $"the texts of the options exceed {TextBytes} bytes together: use a shorter certificate chain");
            Check(Get(Field.Token).Length <= Constants.TokenBytes, $"the token exceeds {Constants.TokenBytes} bytes: ask for one with fewer grants");
            Check(IsRoom(Text(Field.Room)), "the room's name is not 1 to 64 letters, digits, '_', '.', '-'");
            Check(Mode != ClutchCallMode.Relay || IsUrl(Text(Field.Url)), "Relay mode wants a URL moqt://host:port");
            Check(MaxPeers >= 1 && MaxPeers <= MostPeers, $"MaxPeers is not 1 to {MostPeers}");
            Check(SleepLimitMs >= 0, "SleepLimit is negative or too long");
            Check(ReconnectLimitMs >= 0, "ReconnectLimit is negative or too long");
            Check(ConnectTimeoutMs > 0, "ConnectTimeout is not above 0, or too long");
            Check(PacketLifeMs >= 0 && PacketLifeMs <= 3_600_000, "PacketLife is negative, or longer than an hour");
            int secret = Get(Field.ResumeSecret).Length;
            Check(
                secret == 0 || (secret >= Constants.ResumeSecretMin && secret <= Constants.ResumeSecretMax), "ResumeSecret is not 16 to 64 bytes");
            string pin = Text(Field.TrustSha256);
            Check(pin.Length == 0 || IsSha256(pin), "TrustSha256 is not 64 hexadecimal digits: copy it from what the server or relay logs");
            Check(pin.Length == 0 || Get(Field.TrustPem).Length == 0, "pass TrustSha256 or TrustPem, not both");
            Check((Get(Field.CertificatePem).Length == 0) == (Get(Field.KeyPem).Length == 0), "pass CertificatePem and KeyPem together");
        }

        private static bool IsUrl(string text) =>
            Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme == "moqt" && url.Host.Length > 0;

        private static bool IsSha256(string text)
        {
            bool hex = text.Length == 64;
            foreach (char one in text) hex &= Uri.IsHexDigit(one);
            return hex;
        }

        private static bool IsRoom(string name)
        {
            if (name.Length < 1 || name.Length > 64) return false;
            foreach (char one in name)
                if (!(one < 128 && (char.IsLetterOrDigit(one) || one == '_' || one == '.' || one == '-'))) return false;
            return true;
        }
    }
}
