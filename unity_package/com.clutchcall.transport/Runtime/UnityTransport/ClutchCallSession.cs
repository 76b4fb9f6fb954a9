// What an application sees of an interface: where it stands, why it ended, and what happened meanwhile.
#nullable enable

using System;
using System.Collections.Generic;
using System.Threading;
using ClutchCall.Core;
using Unity.Networking.Transport;

namespace ClutchCall.UnityTransport
{
    /// <summary>Where a session stands.</summary>
    public enum ClutchCallState
    {
        /// <summary>Nothing was listened for or sent yet.</summary>
        Idle,
        /// <summary>The first attempt is under way.</summary>
        Connecting,
        /// <summary>Clients are listened for, or the link is up.</summary>
        Up,
        /// <summary>The link was lost and dials again; endpoints and connections stay meanwhile.</summary>
        Waiting,
        /// <summary>Over: Reason and Text say why.</summary>
        Ended,
    }

    /// <summary>What happened.</summary>
    public enum ClutchCallEventKind
    {
        /// <summary>The link is up, for the first time or again.</summary>
        Up,
        /// <summary>The link was lost; it dials again.</summary>
        Lost,
        /// <summary>A peer's session is there; the endpoint is its.</summary>
        PeerJoined,
        /// <summary>A peer's session has ended, and UTP was told.</summary>
        PeerLeft,
        /// <summary>The session is over.</summary>
        Ended,
        /// <summary>Relay, at a client: another server has taken the room over. Its connection is another: connect again.</summary>
        HostMigrated,
        /// <summary>Relay, at a client: the link is up, and nobody serves the room.</summary>
        NobodyServes,
    }

    /// <summary>One thing that happened.</summary>
    public readonly struct ClutchCallEvent
    {
        internal ClutchCallEvent(ClutchCallEventKind kind, CcReason reason, string text, NetworkEndpoint endpoint) =>
            (Kind, Reason, Text, Endpoint) = (kind, reason, text, endpoint);

        internal static ClutchCallEvent Of(ClutchCallEventKind kind, CcReason reason, string text) =>
            new ClutchCallEvent(kind, reason, text, default);

        /// <summary>What it was.</summary>
        public ClutchCallEventKind Kind { get; }
        /// <summary>Why, where something ended.</summary>
        public CcReason Reason { get; }
        /// <summary>The same in words.</summary>
        public string Text { get; }
        /// <summary>The peer's endpoint, where it is about one.</summary>
        public NetworkEndpoint Endpoint { get; }
    }

    /// <summary>What a component shows: a session of a driver, or of a transport of its own.</summary>
    internal interface IClutchCallSession
    {
        ClutchCallState State { get; }
        CcReason Reason { get; }
        string Text { get; }
        string PeerId { get; }
        string CertificateSha256 { get; }
        int Peers { get; }
        ClutchCallDrops Drops { get; }
        bool TryGetEvent(out ClutchCallEvent one);
        bool TryGetStats(out CcLinkStats stats);
        void SetToken(string token);
    }

    /// <summary>Follows one interface: pass it in ClutchCallOptions.Session. Any thread may call it; none waits for the network.</summary>
    public sealed unsafe partial class ClutchCallSession : IClutchCallSession
    {
        private const int MostEvents = 256;

        private readonly object _gate = new object();
        private readonly Queue<ClutchCallEvent> _told = new Queue<ClutchCallEvent>();
        private ClutchCallParameter _parameter;
        private Shared* _shared;
        private NetworkEndpoint _bound;
        private volatile bool _open;
        private ClutchCallDrops _lastDrops;

        /// <summary>A session that no interface is on yet.</summary>
        public ClutchCallSession() => Id = Sessions.Register(this);

        internal int Id { get; }

        internal bool IsOpen => _open;

        /// <summary>Where it stands.</summary>
        public ClutchCallState State { get; private set; }

        /// <summary>Why it ended, or why the link was last lost.</summary>
        public CcReason Reason { get; private set; }

        /// <summary>The same in words, with what to do.</summary>
        public string Text { get; private set; } = "";

        /// <summary>The peer id that the relay gave; empty for a Direct server, and before the link is up.</summary>
        public string PeerId { get; private set; } = "";

        /// <summary>The certificate's SHA-256 that a Direct server's clients pin; empty for others.</summary>
        public string CertificateSha256 { get; private set; } = "";

        /// <summary>The other ends that are here: a server's clients, or a client's server.</summary>
        public int Peers
        {
            get
            {
                lock (_gate)
                {
                    int count = 0;
                    foreach (var remote in _remotes) count += remote.Instance != "" ? 1 : 0;
                    return count;
                }
            }
        }

        /// <summary>Where it is bound.</summary>
        public NetworkEndpoint LocalEndpoint
        {
            get
            {
                lock (_gate) return _bound;
            }
        }

        /// <summary>Packets that could not be delivered, by why.</summary>
        public ClutchCallDrops Drops
        {
            get
            {
                lock (_gate)
                {
                    if (_shared == null) return _lastDrops;
                    _shared->Enter();
                    var drops = _shared->Drops;
                    _shared->Exit();
                    return drops;
                }
            }
        }

        /// <summary>Takes the oldest of the last 256 events that were not taken.</summary>
        public bool TryGetEvent(out ClutchCallEvent one)
        {
            lock (_gate) return _told.TryDequeue(out one);
        }

        /// <summary>Readings of the link, if it has one: round-trip time, loss, queue.</summary>
        public bool TryGetStats(out CcLinkStats stats)
        {
            stats = CcLinkStats.Create();
            lock (_gate)
            {
                if (_link == 0) return false;
                fixed (CcLinkStats* at = &stats)
                    return Native.LinkStats(_link, at) == (int)CcStatus.Ok;
            }
        }

        /// <summary>The same of a peer's session, at a Direct server.</summary>
        public bool TryGetPeerStats(NetworkEndpoint peer, out CcLinkStats stats)
        {
            stats = CcLinkStats.Create();
            lock (_gate)
            {
                foreach (var remote in _remotes)
                    if (remote.Endpoint == peer && remote.Session != 0)
                        fixed (CcLinkStats* at = &stats)
                            return Native.LinkStats(remote.Session, at) == (int)CcStatus.Ok;
                return false;
            }
        }

        /// <summary>Presents a new token to the relay, in place of one that runs out.</summary>
        public void SetToken(string token)
        {
            using var texts = new Texts();
            lock (_gate)
                if (_link != 0) Failures.Check(Native.LinkToken(_link, texts.Add(token)));
        }

        /// <summary>An interface takes the session, unless another had it.</summary>
        internal bool Begin(in ClutchCallParameter parameter, Shared* shared)
        {
            lock (_gate)
            {
                if (_began) return false;
                _began = true;
                _parameter = parameter;
                _shared = shared;
                _open = true;
                return true;
            }
        }

        /// <summary>What there is no use in starting: why is known before anything was bound, and in the log.</summary>
        internal void Refuse(string why)
        {
            lock (_gate)
            {
                (State, Reason, Text) = (ClutchCallState.Ended, CcReason.Refused, why);
                Tell(ClutchCallEventKind.Ended, CcReason.Refused, why);
            }
        }

        internal int Bind(NetworkEndpoint endpoint)
        {
            lock (_gate)
            {
                if (_parameter.Refused != 0) return (int)Unity.Networking.Transport.Error.StatusCode.NetworkSocketError;
                _bound = endpoint;
            }
            return 0;
        }

        /// <summary>Takes in what has happened. A caller that may not wait skips it while another is at it.</summary>
        internal void Pump(bool wait)
        {
            if (!_open) return;
            if (wait) Monitor.Enter(_gate);
            else if (!Monitor.TryEnter(_gate)) return;
            try
            {
                if (_open) Advance(Surroundings.NowMs);
            }
            catch (Exception wrong)
            {
                // Whatever it is, it ends the session and not the program.
                Refuse(ReasonOf(wrong), wrong.Message);
            }
            finally
            {
                Monitor.Exit(_gate);
            }
        }

        /// <summary>The keeper's turn; whether the session wants another.</summary>
        internal bool Keep()
        {
            if (!_open) return false;
            Pump(false);
            return true;
        }

        /// <summary>Closes every handle; the memory stays, as jobs may hold it.</summary>
        internal void Close()
        {
            lock (_gate)
            {
                if (!_open) return;
                _open = false;
                // Whoever has the lock reads a batch, which goes with the node.
                _shared->Enter();
                _shared->SayGoodbye();
                _shared->Open = 0;
                _shared->Subscribe(0);
                _lastDrops = _shared->Drops;
                _shared->Exit();
                CloseHandles();
                if (State != ClutchCallState.Ended) (State, Reason) = (ClutchCallState.Ended, CcReason.Local);
            }
        }

        /// <summary>The interface goes, and the memory with it.</summary>
        internal void End()
        {
            Close();
            lock (_gate) _shared = null;
        }

        private void Tell(ClutchCallEventKind kind, CcReason reason, string text, NetworkEndpoint endpoint = default)
        {
            if (_told.Count == MostEvents) _told.Dequeue();
            _told.Enqueue(new ClutchCallEvent(kind, reason, text, endpoint));
        }

        private static CcReason ReasonOf(Exception wrong) => wrong switch
        {
            CredentialException _ => CcReason.Certificate,
            ClutchCallException told when told.Status == CcStatus.VersionMismatch => CcReason.Version,
            ClutchCallException told when told.Status == CcStatus.Io => CcReason.Internal,
            ClutchCallException _ => CcReason.Local,
            _ => CcReason.Internal,
        };

        /// <summary>The session is over: the application learns why, in one line of the log, and UTP its end.</summary>
        private void Finish(CcReason reason, string text)
        {
            (State, Reason, Text) = (ClutchCallState.Ended, reason, text);
            UnityEngine.Debug.LogError($"ClutchCall: the session ended, {reason}: {text}");
            Tell(ClutchCallEventKind.Ended, reason, text);
            _shared->Enter();
            for (int index = 0; index < _shared->MaxPeers; index++)
                if (_shared->Peers[index].Used != 0) _shared->Peers[index].Ended = 1;
            _shared->Exit();
        }
    }
}
