// The ClutchCall component: where a game says how it connects, and sees how the connection does. It stands beside a NetworkManager.
#nullable enable

using System;
using System.Collections.Generic;
using ClutchCall.Core;
using Unity.Networking.Transport;
using UnityEngine;
using UnityEngine.Events;

namespace ClutchCall.UnityTransport
{
    /// <summary>Settings of ClutchCall's network interface, and the state, statistics and events of what runs on it.</summary>
    /// <remarks>
    /// While it is enabled, the UnityTransport on the same GameObject runs over ClutchCall (with Netcode for GameObjects),
    /// or every world's driver does (with Netcode for Entities, where UseForEntities is set). Settings are read when a
    /// driver is made, so what is changed later holds from the next start on. Main thread only.
    /// </remarks>
    [AddComponentMenu("Netcode/ClutchCall")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-200)]
    public sealed partial class ClutchCallComponent : MonoBehaviour
    {
        [Header("Where to")]
        [Tooltip("Direct: the server listens on the transport's address and port. Relay: all meet in a room of the relay at Url.")]
        [SerializeField] private ClutchCallMode mode = ClutchCallMode.Direct;
        [Tooltip("Relay: moqt://host:port")]
        [SerializeField] private string url = "";
        [Tooltip("Room or join code: 1 to 64 letters, digits, '_', '.', '-'. The same for the server and its clients.")]
        [SerializeField] private string room = "unity";
        [Tooltip("What the relay asks for, to 4,096 bytes. Direct: a password, if the server has one.")]
        [SerializeField] private string token = "";
        [Tooltip("CLUTCHCALL_URL, _ROOM, _TOKEN and _CERT_SHA256 override these, where they are set.")]
        [SerializeField] private bool useEnvironment = true;

        [Header("Trust")]
        [Tooltip("Trusts the certificate with this SHA-256 alone, 64 hexadecimal digits.")]
        [SerializeField] private string trustSha256 = "";
        [Tooltip("Trusts what chains to these certificates, in PEM.")]
        [TextArea(1, 6)]
        [SerializeField] private string trustPem = "";
        [Tooltip("Direct: the server's certificate, in PEM; empty: this machine's development certificate.")]
        [TextArea(1, 6)]
        [SerializeField] private string certificatePem = "";
        [Tooltip("Direct: a file that holds the certificate's key, in PEM. Keep it out of builds that players get.")]
        [SerializeField] private string keyFile = "";

        [Header("Priorities: 0 first, 255 last")]
        [Tooltip("Handshakes, heartbeats and goodbyes.")]
        [Range(0, 255)]
        [SerializeField] private int controlPriority = 16;
        [Range(0, 255)]
        [SerializeField] private int reliablePriority = 64;
        [Range(0, 255)]
        [SerializeField] private int sequencedPriority = 112;
        [Range(0, 255)]
        [SerializeField] private int unreliablePriority = 128;

        [Header("Limits")]
        [Tooltip("A server's clients at once, 1 to 4,096.")]
        [Range(1, 4096)]
        [SerializeField] private int maxPeers = 256;
        [Tooltip("Seconds for which heartbeats are sent while the main thread sleeps; 0: never.")]
        [Min(0)]
        [SerializeField] private float sleepLimit = 120;
        [Tooltip("Seconds after which a client gives up on a lost link.")]
        [Min(0)]
        [SerializeField] private float reconnectLimit = 30;
        [Tooltip("Seconds of one attempt to connect.")]
        [Min(0)]
        [SerializeField] private float connectTimeout = 5;
        [Tooltip("Milliseconds that a packet may wait in sending queues; 0: as long as it has to.")]
        [Min(0)]
        [SerializeField] private float packetLife = 500;

        [Header("Netcode for Entities")]
        [Tooltip("Worlds made from now on use ClutchCall for their sockets.")]
        [SerializeField] private bool useForEntities;

        [Header("Events: each with its reason in words")]
        [SerializeField] private UnityEvent<string> onConnected = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onLost = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onEnded = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onHostMigrated = new UnityEvent<string>();

        private readonly List<IClutchCallSession> _sessions = new List<IClutchCallSession>();
        private byte[]? _secret;

        /// <summary>Raised when one is enabled and disabled, for the assemblies that know a netcode package.</summary>
        internal static event Action<ClutchCallComponent>? Enabled, Disabled;

        /// <summary>Whether this platform has a native core: all but WebGL, where Unity's own driver is used.</summary>
        public static bool IsSupported
        {
            get
            {
#if UNITY_WEBGL && !UNITY_EDITOR
                return false;
#else
                return true;
#endif
            }
        }

        /// <summary>Everything that happens, on the main thread: links that come and go, peers, ends, a host's migration.</summary>
        public event Action<ClutchCallEvent>? Happened;

        /// <summary>Through a relay or without one.</summary>
        public ClutchCallMode Mode { get => mode; set => mode = value; }
        /// <summary>Relay: moqt://host:port.</summary>
        public string Url { get => url; set => url = value.Trim(); }
        /// <summary>Where a server and its clients meet. A join code is a room that NewJoinCode has named.</summary>
        public string Room { get => room; set => room = value.Trim(); }
        /// <summary>What the relay asks for; Direct: the server's password. SetToken renews that of a session that runs.</summary>
        public string Token { get => token; set => token = value.Trim(); }
        /// <summary>Whether CLUTCHCALL_URL, _ROOM, _TOKEN and _CERT_SHA256 override the fields.</summary>
        public bool UseEnvironment { get => useEnvironment; set => useEnvironment = value; }
        /// <summary>Trusts the certificate with this SHA-256 alone.</summary>
        public string TrustSha256 { get => trustSha256; set => trustSha256 = value.Trim(); }
        /// <summary>Trusts what chains to these certificates.</summary>
        public string TrustPem { get => trustPem; set => trustPem = value; }
        /// <summary>Direct: the server's certificate.</summary>
        public string CertificatePem { get => certificatePem; set => certificatePem = value; }
        /// <summary>Direct: the file with that certificate's key.</summary>
        public string KeyFile { get => keyFile; set => keyFile = value; }
        /// <summary>Priority of handshakes, heartbeats and goodbyes.</summary>
        public byte ControlPriority { get => (byte)controlPriority; set => controlPriority = value; }
        /// <summary>Priority of reliable packets.</summary>
        public byte ReliablePriority { get => (byte)reliablePriority; set => reliablePriority = value; }
        /// <summary>Priority of unreliable packets that come in order.</summary>
        public byte SequencedPriority { get => (byte)sequencedPriority; set => sequencedPriority = value; }
        /// <summary>Priority of unreliable packets.</summary>
        public byte UnreliablePriority { get => (byte)unreliablePriority; set => unreliablePriority = value; }
        /// <summary>A server's clients at once.</summary>
        public int MaxPeers { get => maxPeers; set => maxPeers = value; }
        /// <summary>How long heartbeats are sent for a main thread that sleeps.</summary>
        public TimeSpan SleepLimit { get => Seconds(sleepLimit); set => sleepLimit = (float)value.TotalSeconds; }
        /// <summary>When a client gives up on a lost link.</summary>
        public TimeSpan ReconnectLimit { get => Seconds(reconnectLimit); set => reconnectLimit = (float)value.TotalSeconds; }
        /// <summary>Bound of one attempt to connect.</summary>
        public TimeSpan ConnectTimeout { get => Seconds(connectTimeout); set => connectTimeout = (float)value.TotalSeconds; }
        /// <summary>How long a packet may wait in sending queues.</summary>
        public TimeSpan PacketLife { get => Seconds(packetLife / 1000); set => packetLife = (float)value.TotalMilliseconds; }
        /// <summary>Whether worlds of Netcode for Entities that are made from now on use ClutchCall.</summary>
        public bool UseForEntities { get => useForEntities; set => useForEntities = value; }

        /// <summary>Raised, with words, when a link is up, for the first time or again.</summary>
        public UnityEvent<string> OnConnected => onConnected;
        /// <summary>Raised, with the reason, when a link is lost; it dials again.</summary>
        public UnityEvent<string> OnLost => onLost;
        /// <summary>Raised, with the reason, when a session is over.</summary>
        public UnityEvent<string> OnEnded => onEnded;
        /// <summary>Raised when another server has taken the room over: clients start again, and meet it.</summary>
        public UnityEvent<string> OnHostMigrated => onHostMigrated;

        /// <summary>The session of the driver that was made last; null before there was one, and over ClutchCallNetworkTransport.</summary>
        public ClutchCallSession? Session => Current as ClutchCallSession;
        /// <summary>Where the session stands that began last.</summary>
        public ClutchCallState State => Current?.State ?? ClutchCallState.Idle;
        /// <summary>Why it ended, or why its link was last lost.</summary>
        public CcReason Reason => Current?.Reason ?? CcReason.None;
        /// <summary>The same in words, with what to do.</summary>
        public string Text => Current?.Text ?? "";
        /// <summary>The peer id that the relay gave; empty for a Direct server, and before the link is up.</summary>
        public string PeerId => Current?.PeerId ?? "";
        /// <summary>The certificate's SHA-256 that a Direct server's clients pin; empty for others.</summary>
        public string CertificateSha256 => Current?.CertificateSha256 ?? "";
        /// <summary>The other ends that are here: a server's clients, or a client's server.</summary>
        public int Peers => Current?.Peers ?? 0;
        /// <summary>What could not be delivered, by why.</summary>
        public ClutchCallDrops Drops => Current?.Drops ?? default;

        internal IClutchCallSession? Current => _sessions.Count > 0 ? _sessions[_sessions.Count - 1] : null;

        /// <summary>Readings of the link, if there is one: round trips, loss, queue.</summary>
        public bool TryGetStats(out CcLinkStats stats)
        {
            if (Current != null) return Current.TryGetStats(out stats);
            stats = CcLinkStats.Create();
            return false;
        }

        /// <summary>Presents a new token to the relay, in place of one that runs out, and keeps it for the next start.</summary>
        public void SetToken(string renewed)
        {
            Token = renewed;
            Current?.SetToken(Token);
        }

        /// <summary>A name for a room that is easily told: six letters and digits that are not mistaken for each other.</summary>
        public static string NewJoinCode()
        {
            const string letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
            const int length = 6;
            var random = new byte[length];
            Surroundings.Fill(random);
            var code = new char[length];
            for (int at = 0; at < length; at++) code[at] = letters[random[at] % letters.Length];
            return new string(code);
        }

        /// <summary>What is wrong with the settings, a line each with what to do; empty if nothing is.</summary>
        public IReadOnlyList<string> Problems()
        {
            var found = new List<string>();
            ClutchCallOptions options;
            try
            {
                options = Read();
            }
            catch (ClutchCallException wrong)
            {
                found.Add(wrong.Message);
                return found;
            }
            options.ToParameter().Problems(found);
            return found;
        }

        /// <summary>Adds ClutchCall's parameter to a driver's settings, with a session that the component follows.</summary>
        /// <param name="settings">Those of the driver; MaxMessageSize becomes the package's, and nothing else changes.</param>
        /// <param name="pipelinePriorities">By pipeline id: 0 is the null pipeline, 1 the first that is created.</param>
        /// <exception cref="ArgumentException">A setting is out of its range; a line in the log says which.</exception>
        public void AddTo(ref NetworkSettings settings, params byte[] pipelinePriorities)
        {
            ClutchCallOptions options;
            try
            {
                options = Read();
            }
            catch (ClutchCallException wrong)
            {
                Debug.LogError($"ClutchCall: {wrong.Message}");
                throw new ArgumentException(wrong.Message);
            }
            options.PipelinePriorities = pipelinePriorities;
            var session = new ClutchCallSession();
            Follow(session);
            options.Session = session;
            options.AddTo(ref settings);
            // WithNetworkConfigParameters would set all the other fields back to their defaults.
            var config = settings.GetNetworkConfigParameters();
            config.maxMessageSize = ClutchCallParameter.MaxMessageSize;
            settings.AddRawParameterStruct(ref config);
        }

        /// <summary>As AddTo, for a netcode package, whose start fails in its own way where the settings do not do, or something else speaks against it.</summary>
        internal void AddOrRefuse(ref NetworkSettings settings, string? why, params byte[] pipelinePriorities)
        {
            if (why != null) Debug.LogError($"ClutchCall: {why}");
            try
            {
                if (why == null)
                {
                    AddTo(ref settings, pipelinePriorities);
                    return;
                }
            }
            catch (ArgumentException wrong)
            {
                why = Problems().Count > 0 ? Problems()[0] : wrong.Message;
            }
            var session = Session;
            if (session == null || session.State != ClutchCallState.Idle) Follow(session = new ClutchCallSession());
            session.Refuse(why);
            var parameter = new ClutchCallOptions { Session = session }.ToParameter();
            parameter.Refused = 1;
            settings.AddRawParameterStruct(ref parameter);
        }

        /// <summary>The fields as options, the environment's words in their place where it has some.</summary>
        internal ClutchCallOptions Read()
        {
            // The same over all starts of this component, so that a player who starts again is the same peer.
            if (_secret == null)
            {
                _secret = new byte[32];
                Surroundings.Fill(_secret);
            }
            var options = new ClutchCallOptions
            {
                Mode = mode,
                Url = url,
                Room = room,
                Token = token,
                TrustSha256 = trustSha256,
                TrustPem = trustPem,
                CertificatePem = certificatePem,
                KeyPem = Key(),
                ResumeSecret = _secret,
                MaxPeers = maxPeers,
                SleepLimit = SleepLimit,
                ReconnectLimit = ReconnectLimit,
                ConnectTimeout = ConnectTimeout,
                PacketLife = PacketLife,
                ControlPriority = ControlPriority,
            };
            return useEnvironment ? options.WithEnvironment() : options;
        }

        /// <summary>Passes on the session's events from now on; those that have ended are forgotten.</summary>
        internal void Follow(IClutchCallSession session)
        {
            Drain();
            _sessions.RemoveAll(one => one.State == ClutchCallState.Ended);
            _sessions.Add(session);
        }

        private void OnEnable() => Enabled?.Invoke(this);

        private void OnDisable() => Disabled?.Invoke(this);

        private void Start()
        {
            foreach (string line in Problems()) Debug.LogError($"ClutchCall: {line}");
        }

        private void Update() => Drain();

        private void OnDestroy() => Drain();

        private void Drain()
        {
            for (int at = 0; at < _sessions.Count; at++)
                while (_sessions[at].TryGetEvent(out var one))
                    Raise(one);
        }

        private void Raise(in ClutchCallEvent one)
        {
            try
            {
                Happened?.Invoke(one);
            }
            catch (Exception thrown)
            {
                // As with the engine's own events: whoever listens next is not to miss it.
                Debug.LogException(thrown);
            }
            var raised = one.Kind switch
            {
                ClutchCallEventKind.Up => onConnected,
                ClutchCallEventKind.Lost => onLost,
                ClutchCallEventKind.Ended => onEnded,
                ClutchCallEventKind.HostMigrated => onHostMigrated,
                _ => null,
            };
            raised?.Invoke(one.Reason == CcReason.None ? one.Text : $"{one.Reason}: {one.Text}");
        }

        private string Key()
        {
            if (keyFile.Length == 0) return "";
            try
            {
                return System.IO.File.ReadAllText(keyFile);
            }
            catch (Exception wrong) when (wrong is System.IO.IOException || wrong is UnauthorizedAccessException || wrong is ArgumentException)
            {
                throw new ClutchCallException(CcStatus.BadKey, $"the key's file {keyFile} cannot be read ({wrong.Message}): check Key File");
            }
        }

        private static TimeSpan Seconds(float seconds) =>
            float.IsNaN(seconds) || seconds < 0 ? TimeSpan.FromTicks(-1) : TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue / 1000));
    }
}
