// A session of ClutchCallNetworkTransport: its node, link, peers and tracks, moved on by Poll on the main thread.
#nullable enable

using System;
using System.Collections.Generic;
using System.Net;
using System.Text;
using System.Threading.Tasks;
using ClutchCall.Core;
using ClutchCall.UnityTransport;
using Unity.Netcode;
using Debug = UnityEngine.Debug;

namespace ClutchCall.NGO
{
    /// <summary>A server that listens, or a client that connects. The core keeps the link while the main thread sleeps.</summary>
    /// <remarks>
    /// Each end publishes five tracks: a client below games/(room)/up/(its id), a server for each client below
    /// games/(room)/down/(the client's id). A client says Hello on one of them, the server Welcome.
    /// </remarks>
    internal sealed partial class TrackSession : IClutchCallSession, IDisposable
    {
        public const ulong ServerNumber = 0;
        private const long PingMs = 1000, RedialMs = 1000;
        /// <summary>Tracks that ended may come back: a link that was lost publishes anew.</summary>
        private const long GraceMs = 1500;
        private const int MostEvents = 256;

        private readonly ClutchCallOptions _options;
        private readonly int[] _priorities;
        private readonly int _backlog;
        private readonly bool _serves;
        private readonly string _instance = Surroundings.NewInstance();
        private readonly Dictionary<string, Peer> _peers = new Dictionary<string, Peer>();
        private readonly Dictionary<ulong, Peer> _numbers = new Dictionary<ulong, Peer>();
        private readonly Dictionary<ulong, Incoming> _tracks = new Dictionary<ulong, Incoming>();
        private readonly Dictionary<ulong, Outgoing> _publications = new Dictionary<ulong, Outgoing>();
        private readonly Dictionary<string, ulong> _sessions = new Dictionary<string, ulong>();
        private readonly List<ulong> _over = new List<ulong>();
        private readonly Queue<ClutchCallEvent> _told = new Queue<ClutchCallEvent>();
        private readonly byte[] _probe = new byte[8];
        private Node? _node;
        private Link? _link;
        private Subscription? _subscription;
        private Task<string>? _resolving;
        private string _url = "";
        private ulong _last;
        private int _generation;
        private long _aloneSince, _redialAt;
        /// <summary>When a server that was passed over is looked at again; 0: none was.</summary>
        private long _lookAt;
        private ClutchCallDrops _drops;

        /// <param name="options">The component's, which are good.</param>
        /// <param name="priorities">By NetworkDelivery.</param>
        /// <param name="serves">A server.</param>
        /// <param name="backlog">Bytes that may wait for one peer on one way; more, and it is too far behind to go on with.</param>
        public TrackSession(ClutchCallOptions options, int[] priorities, bool serves, int backlog) =>
            (_options, _priorities, _serves, _backlog) = (options, priorities, serves, backlog);

        public ClutchCallState State { get; private set; }
        public CcReason Reason { get; private set; }
        public string Text { get; private set; } = "";
        public string PeerId { get; private set; } = "";
        public string CertificateSha256 { get; private set; } = "";
        public int Peers => _numbers.Count;
        public ClutchCallDrops Drops => _drops;
        public Inbox Inbox { get; } = new Inbox();

        /// <summary>Where a Direct server listens; 0 for others.</summary>
        public int Port { get; private set; }

        private string Room => $"games/{_options.Room}";
        private bool IsOver => State == ClutchCallState.Ended;

        /// <summary>Opens what there is to open; false where that fails, and the log and Text say why.</summary>
        public bool Start(IPEndPoint at)
        {
            try
            {
                NativeCore.Check();
                if (_options.Mode == ClutchCallMode.Relay) Dial(_options.Url);
                else if (_serves) Listen(at);
                else Dial($"moqt://{at}");
                return true;
            }
            catch (Exception wrong) when (wrong is ClutchCallException || wrong is CredentialException)
            {
                Finish(wrong is CredentialException ? CcReason.Certificate : CcReason.Local, wrong.Message);
                return false;
            }
        }

        /// <summary>Takes in what has happened, and sends what is due. What goes wrong in it ends the session, and not the game.</summary>
        public void Poll()
        {
            if (IsOver) return;
            try
            {
                Advance();
            }
            catch (ClutchCallException wrong)
            {
                // The editor closes nodes before it reloads scripts: that is no news.
                bool closed = wrong.Status == CcStatus.BadHandle || wrong.Status == CcStatus.Closed;
                if (closed) (State, Reason) = (ClutchCallState.Ended, CcReason.Local);
                else Finish(CcReason.Internal, wrong.Message);
            }
        }

        /// <summary>Sends a message to a peer. One that is gone, or an unreliable one that does not fit, is dropped and counted.</summary>
        public void Send(ulong number, ReadOnlySpan<byte> message, NetworkDelivery delivery)
        {
            if (!_numbers.TryGetValue(number, out var peer) || !peer.Connected)
            {
                if (_drops.UnknownPeer++ == 0 && !IsOver)
                    Debug.Log("ClutchCall: a message for a peer that has left was dropped, and so are others: stop sending when a peer disconnects");
                return;
            }
            int lane = (int)delivery;
            var way = peer.Out[lane];
            if (way == null) return;
            int most = Lanes.IsReliable(lane) ? Lanes.MessageBytes : Lanes.DatagramBytes - 1;
            if (message.Length > most)
            {
                if (_drops.TooLarge++ == 0)
                    Debug.LogWarning(Lanes.IsReliable(lane)
                        ? $"ClutchCall: a message of {message.Length} bytes was dropped: send at most {most}"
                        : $"ClutchCall: an unreliable message of {message.Length} bytes was dropped: send at most {most}, or reliably");
                return;
            }
            if (!way.Send(Mark.Data, message)) _drops.Refused++;
            if (way.Waiting > _backlog)
                GiveUp(peer, CcReason.TooFarBehind, $"more than {_backlog >> 20} MiB wait for it: send less, or raise Max Backlog");
        }

        /// <summary>Sends a client away.</summary>
        public void Disconnect(ulong number, string why)
        {
            if (!_numbers.TryGetValue(number, out var peer)) return;
            Farewell(peer, CcReason.Peer, why);
            Forget(peer);
        }

        /// <summary>A peer's round trip in ms, over the relay if there is one; 0 before it is known.</summary>
        public ulong Rtt(ulong number) => _numbers.TryGetValue(number, out var peer) ? peer.RttMs : 0;

        public bool TryGetEvent(out ClutchCallEvent one) => _told.TryDequeue(out one);

        public bool TryGetStats(out CcLinkStats stats)
        {
            stats = CcLinkStats.Create();
            if (_link == null || IsOver) return false;
            try
            {
                stats = _link.Stats();
                return true;
            }
            catch (ClutchCallException)
            {
                return false;
            }
        }

        public void SetToken(string token) => _link?.SetToken(token);

        /// <summary>Says goodbye and closes everything.</summary>
        public void Dispose()
        {
            if (!IsOver)
                foreach (var peer in _numbers.Values) Farewell(peer, CcReason.Peer, _serves ? "the server has stopped" : "the client has left");
            _link?.Dispose();
            _node?.Dispose();
            (_link, _node) = (null, null);
            if (!IsOver) (State, Reason) = (ClutchCallState.Ended, CcReason.Local);
        }

        private void Listen(IPEndPoint at)
        {
            var (certificate, key) = (_options.CertificatePem, _options.KeyPem);
            bool development = certificate.Length == 0;
            if (development) (certificate, key) = DevelopmentCertificate.Obtain();
            CertificateSha256 = DevelopmentCertificate.Sha256(certificate);
            var relay = new RelayOptions { CertificatePem = certificate, KeyPem = key, MaxSessions = _options.MaxPeers };
            _node = new Node(new NodeOptions { Bind = at.ToString(), Relay = relay });
            string told = _node.Address;
            Port = int.Parse(told.Substring(told.LastIndexOf(':') + 1));
            _subscription = _node.Subscribe(Reading($"{Room}/up"));
            State = ClutchCallState.Up;
            if (development && !IPAddress.IsLoopback(at.Address))
                Debug.LogWarning(
                    $"ClutchCall: listening with a development certificate: give clients of other machines TrustSha256 {CertificateSha256}");
        }

        private void Dial(string url)
        {
            (_url, State) = (url, ClutchCallState.Connecting);
            if (!IPAddress.TryParse(new Uri(url).DnsSafeHost, out _)) _resolving = Link.ResolveAsync(url);
            else OpenLink(null);
        }

        private void OpenLink(string? addresses)
        {
            string pin = _options.TrustSha256;
            if (pin.Length == 0 && _options.TrustPem.Length == 0) pin = DevelopmentCertificate.PinFor(_url, _options.Mode);
            _node ??= new Node();
            _link = _node.Connect(new LinkOptions
            {
                Url = _url,
                Addresses = addresses,
                Token = _options.Token,
                TrustSha256 = pin.Length == 0 ? null : pin,
                TrustPem = _options.TrustPem.Length == 0 ? null : _options.TrustPem,
                ResumeSecret = _options.ResumeSecret,
                ConnectTimeout = _options.ConnectTimeout,
                ReconnectLimit = _options.ReconnectLimit,
            });
            State = ClutchCallState.Connecting;
            if (_serves) _subscription = _link.Subscribe(Reading($"{Room}/up"));
        }

        private static SubscribeOptions Reading(string path) =>
            new SubscribeOptions { Namespace = path, Capability = Constants.CapabilityNetcodeV1 };

        private void Advance()
        {
            long now = Surroundings.NowMs;
            if (_resolving != null && _resolving.IsCompleted) Resolved();
            if (_node == null || IsOver) return;
            if (_redialAt != 0 && now >= _redialAt)
            {
                _redialAt = 0;
                Dial(_url);
            }
            for (bool more = true; more && _node != null;)
            {
                var events = _node.Poll();
                more = events.Count > 0;
                foreach (var one in events)
                    if (!IsOver) Follow(one, now);
            }
            if (IsOver) return;
            if (_subscription != null)
                foreach (var frame in _subscription.Drain())
                {
                    // An end closes the node, and the batch's memory goes with it.
                    if (IsOver) return;
                    if (_tracks.TryGetValue(frame.Track, out var track)) Take(track, frame, now);
                }
            if (IsOver) return;
            // Only now: what came before a track's end was among the frames.
            foreach (ulong id in _over) Ended(id, now);
            _over.Clear();
            foreach (var peer in new List<Peer>(_peers.Values)) Tend(peer, now);
            LookAgain(now);
            if (_aloneSince == 0 || now - _aloneSince <= _options.ConnectTimeout.TotalMilliseconds) return;
            _aloneSince = 0;
            string text = $"nobody serves room {_options.Room}: start its server, or check the room's name";
            Debug.LogWarning($"ClutchCall: {text}");
            Tell(ClutchCallEventKind.NobodyServes, CcReason.DoesNotExist, text);
        }

        private void Resolved()
        {
            var done = _resolving!;
            _resolving = null;
            if (done.Status == TaskStatus.RanToCompletion && done.Result.Length > 0) OpenLink(done.Result);
            else Finish(CcReason.Unreachable, "the URL's host name leads to no address: check the URL and the network");
        }

        private void Follow(in Event one, long now)
        {
            switch (one.Kind)
            {
                case CcEventKind.Auth:
                case CcEventKind.AuthRefresh:
                    Admit(one);
                    break;
                case CcEventKind.SessionUp:
                    _sessions[one.Text] = one.Handle;
                    break;
                case CcEventKind.SessionDown:
                    if (_sessions.TryGetValue(one.Text2, out ulong last) && last == one.Handle) _sessions.Remove(one.Text2);
                    if (ClutchCallSession.Deliberate(one.Reason) && _peers.TryGetValue(one.Text2, out var gone)) End(gone, one.Reason, one.Text);
                    break;
                case CcEventKind.LinkUp:
                    LinkUp(one.Text, one.A != 0, now);
                    break;
                case CcEventKind.LinkDown:
                    (State, Reason, Text) = (ClutchCallState.Waiting, one.Reason, one.Text);
                    Tell(ClutchCallEventKind.Lost, one.Reason, Text);
                    // Without a relay between, the other end is the server itself, and its memory of us is gone with it.
                    if (!_serves && _options.Mode == ClutchCallMode.Direct && _numbers.TryGetValue(ServerNumber, out var server)
                        && (ClutchCallSession.Deliberate(one.Reason) || one.Reason == CcReason.Reset))
                        End(server, one.Reason, Text);
                    break;
                case CcEventKind.LinkClosed:
                    LinkClosed(one.Reason, one.Text, now);
                    break;
                case CcEventKind.PublishDemand:
                    if (_publications.TryGetValue(one.Handle, out var way)) way.Wanted = one.A > 0;
                    break;
                case CcEventKind.PublishRefused:
                case CcEventKind.SubscribeRefused:
                    if (_link == null) break;
                    if (_serves && Publisher(one.Handle) is { } refused)
                    {
                        End(refused, one.Reason, one.Text);
                        break;
                    }
                    string what = one.Kind == CcEventKind.SubscribeRefused ? "may not read" : "may not send";
                    Finish(one.Reason, $"{what} in room {_options.Room} ({one.Text}): check the room's name and the token's grants");
                    break;
                case CcEventKind.TrackAdded:
                    Added(one.A, one.Text, one.Text2, now);
                    break;
                case CcEventKind.TrackEnded:
                    _over.Add(one.A);
                    break;
                case CcEventKind.NodeFailed:
                    Finish(CcReason.Internal, one.Text);
                    break;
                case CcEventKind.Warning:
                    Debug.LogWarning($"ClutchCall: {one.Text}");
                    break;
            }
        }

        /// <summary>A Direct server's admission: who shows the password, if there is one, may write its tracks and read its own.</summary>
        private void Admit(in Event one)
        {
            if (!ClutchCallSession.Same(Encoding.UTF8.GetBytes(_options.Token), Encoding.UTF8.GetBytes(one.Text)))
            {
                _node!.Refuse(one.Handle, CcReason.Unauthorized, "the password is not the server's");
                return;
            }
            string id = one.Text4;
            _node!.Accept(one.Handle, new Stamp { Publish = $"{Room}/up/{id}", Subscribe = $"{Room}/down/{id}", PeerId = id });
        }

        private void LinkUp(string id, bool resumed, long now)
        {
            bool same = PeerId == id;
            (State, PeerId) = (ClutchCallState.Up, id);
            Tell(ClutchCallEventKind.Up, CcReason.None, resumed ? "the link is back" : "the link is up");
            if (_serves || same) return;
            if (_numbers.TryGetValue(ServerNumber, out var before)) End(before, CcReason.Reset, "the relay gave another peer id: connect again");
            if (_options.Mode == ClutchCallMode.Relay) _aloneSince = now;
            _subscription?.Dispose();
            _subscription = _link!.Subscribe(Reading($"{Room}/down/{id}"));
            var server = new Peer("");
            _peers[""] = server;
            Publish(server, $"{Room}/up/{id}");
            server.Out[Lanes.Control]!.Send(Mark.Hello, default);
        }

        private void LinkClosed(CcReason reason, string text, long now)
        {
            bool once = PeerId != "";
            _link?.Dispose();
            _link = null;
            if (!once && _serves && ClutchCallSession.MayPass(reason))
            {
                (State, Reason, Text) = (ClutchCallState.Connecting, reason, text);
                _redialAt = now + RedialMs;
                return;
            }
            Finish(reason, text);
        }

        private void Finish(CcReason reason, string text)
        {
            (State, Reason, Text) = (ClutchCallState.Ended, reason, text);
            Debug.LogError($"ClutchCall: the session ended, {reason}: {text}");
            Tell(ClutchCallEventKind.Ended, reason, text);
            bool known = false;
            foreach (var peer in _numbers.Values)
            {
                known = true;
                Inbox.Add(NetworkEvent.Disconnect, peer.Number);
            }
            // A client that never was connected learns so by its server's going; a server's failure is its transport's.
            if (_serves) Inbox.Add(NetworkEvent.TransportFailure, ServerNumber);
            else if (!known) Inbox.Add(NetworkEvent.Disconnect, ServerNumber);
            Close();
        }

        private void Close()
        {
            _link?.Dispose();
            _node?.Dispose();
            (_link, _node, _subscription) = (null, null, null);
            _tracks.Clear();
        }

        private void Tell(ClutchCallEventKind kind, CcReason reason, string text)
        {
            if (_told.Count == MostEvents) _told.Dequeue();
            _told.Enqueue(ClutchCallEvent.Of(kind, reason, text));
        }
    }
}
