// A node: one UDP socket and one native I/O thread below any number of links. Nothing here blocks but Dispose.
#nullable enable

using System;
using System.Threading;

namespace ClutchCall.Core
{
    /// <summary>A node's bounds and habits; zero and null mean the native core's default.</summary>
    public sealed class NodeOptions
    {
        /// <summary>Where to bind, as ip:port; null: any port of both address families, where the system has them.</summary>
        public string? Bind { get; set; }
        /// <summary>How the sending rate is found.</summary>
        public CcCongestion Congestion { get; set; }
        /// <summary>A session that hears nothing for so long is lost.</summary>
        public TimeSpan IdleTimeout { get; set; }
        /// <summary>How often a silent session is kept alive.</summary>
        public TimeSpan KeepAlive { get; set; }
        /// <summary>Bound of a session's sending queue, in bytes.</summary>
        public ulong SessionQueueBytes { get; set; }
        /// <summary>Bound of one track in it, in bytes.</summary>
        public ulong TrackQueueBytes { get; set; }
        /// <summary>Bound of the frames that wait for a Drain, in bytes.</summary>
        public ulong FeedBytes { get; set; }
        /// <summary>Accepts sessions and routes between them; null: it only dials.</summary>
        public RelayOptions? Relay { get; set; }
    }

    /// <summary>A node that is a relay: each session that comes is an event Auth, which Accept or Refuse answers.</summary>
    public sealed class RelayOptions
    {
        /// <summary>Its certificate, in PEM; ECDSA P-256.</summary>
        public string CertificatePem { get; set; } = "";
        /// <summary>The certificate's key, in PEM.</summary>
        public string KeyPem { get; set; } = "";
        /// <summary>Sessions at once; zero: the native core's default.</summary>
        public int MaxSessions { get; set; }
    }

    /// <summary>What a session may do: namespace prefixes, a line each.</summary>
    public sealed class Stamp
    {
        /// <summary>Prefixes below which it may publish, a line each.</summary>
        public string Publish { get; set; } = "";
        /// <summary>Prefixes below which it may subscribe, a line each.</summary>
        public string Subscribe { get; set; } = "";
        /// <summary>Its id; empty: the one that the event suggests.</summary>
        public string PeerId { get; set; } = "";
    }

    /// <summary>A node. Dispose closes it with everything opened from it, and may take 200 ms.</summary>
    /// <remarks>Any thread may call it, but only one at a time may Poll.</remarks>
    public sealed unsafe class Node : IDisposable
    {
        private const int EventsAPoll = 64;

        private readonly CcEvent[] _events = new CcEvent[EventsAPoll];
        private int _closed;

        /// <summary>The native handle.</summary>
        public ulong Handle { get; }

        /// <summary>Opens a node.</summary>
        /// <exception cref="ClutchCallException">The socket cannot be had, or an option is out of range.</exception>
        public Node(NodeOptions? options = null)
        {
            NativeCore.Check();
            options ??= new NodeOptions();
            if (options.Bind != null)
            {
                Handle = Open(options, options.Bind);
                return;
            }
            try
            {
                Handle = Open(options, "[::]:0");
            }
            catch (ClutchCallException none)
                when (none.Status == CcStatus.AddressNotAvailable || none.Status == CcStatus.Io)
            {
                Handle = Open(options, "0.0.0.0:0");
            }
        }

        /// <summary>Closes a node that was forgotten, as an editor does that reloads its scripts.</summary>
        ~Node() => Close();

        /// <summary>Time on the node's clock, in microseconds; Frame.ReceivedUs is on it.</summary>
        public ulong NowUs
        {
            get
            {
                ulong now;
                Failures.Check(Native.NodeNow(Handle, &now));
                return now;
            }
        }

        /// <summary>Takes what has happened, at most 64 events; without garbage. Their texts are good until the next Poll.</summary>
        public Events Poll()
        {
            uint count;
            fixed (CcEvent* events = _events)
                Failures.Check(Native.NodePoll(Handle, events, EventsAPoll, &count));
            return new Events(new ReadOnlySpan<CcEvent>(_events, 0, (int)count));
        }

        /// <summary>Starts dialling; an event LinkUp or LinkClosed tells the outcome. The link can be used at once.</summary>
        public Link Connect(LinkOptions options) => new Link(this, options);

        /// <summary>Where it is bound, as ip:port.</summary>
        public string Address
        {
            get
            {
                const int most = 64;
                byte* text = stackalloc byte[most];
                uint length;
                Failures.Check(Native.NodeAddress(Handle, text, most, &length));
                return Failures.Read(text, length);
            }
        }

        /// <summary>Publishes a track as the relay itself.</summary>
        public Publication Publish(TrackOptions options) => new Publication(this, Handle, options);

        /// <summary>Subscribes as the relay itself.</summary>
        public Subscription Subscribe(SubscribeOptions options) => new Subscription(this, Handle, options);

        /// <summary>Answers Auth: the session may do what the stamp says. False if it has gone meanwhile.</summary>
        public bool Accept(ulong session, Stamp stamp)
        {
            using var texts = new Texts();
            var config = CcStamp.Create();
            config.Publish = texts.Add(stamp.Publish);
            config.Subscribe = texts.Add(stamp.Subscribe);
            config.PeerId = texts.Add(stamp.PeerId);
            return Native.SessionAccept(session, &config) == (int)CcStatus.Ok;
        }

        /// <summary>Answers Auth: the session is closed, and its peer told why. False if it has gone meanwhile.</summary>
        public bool Refuse(ulong session, CcReason reason, string text)
        {
            using var texts = new Texts();
            return Native.SessionRefuse(session, (uint)reason, texts.Add(text)) == (int)CcStatus.Ok;
        }

        /// <summary>Closes a relay's session; its peer is told why. False if it has gone already.</summary>
        public bool CloseSession(ulong session, CcReason reason, string text)
        {
            using var texts = new Texts();
            return Native.SessionClose(session, (uint)reason, texts.Add(text)) == (int)CcStatus.Ok;
        }

        /// <summary>Readings of a relay's session.</summary>
        public CcLinkStats SessionStats(ulong session)
        {
            var stats = CcLinkStats.Create();
            Failures.Check(Native.LinkStats(session, &stats));
            return stats;
        }

        /// <summary>Counters of the node.</summary>
        public CcNodeStats Stats()
        {
            var stats = CcNodeStats.Create();
            Failures.Check(Native.NodeStats(Handle, &stats));
            return stats;
        }

        /// <summary>Closes the node and everything opened from it; peers are told.</summary>
        public void Dispose()
        {
            Close();
            GC.SuppressFinalize(this);
        }

        private void Close()
        {
            if (Handle != 0 && Interlocked.Exchange(ref _closed, 1) == 0) NativeCore.Close(Handle);
        }

        private static ulong Open(NodeOptions options, string bind)
        {
            using var texts = new Texts();
            var config = CcNodeConfig.Create();
            config.Bind = texts.Add(bind);
            config.Congestion = options.Congestion;
            config.IdleTimeoutMs = Failures.Count(options.IdleTimeout, TimeSpan.TicksPerMillisecond, "IdleTimeout");
            config.KeepAliveMs = Failures.Count(options.KeepAlive, TimeSpan.TicksPerMillisecond, "KeepAlive");
            config.SessionQueueBytes = options.SessionQueueBytes;
            config.TrackQueueBytes = options.TrackQueueBytes;
            config.FeedBytes = options.FeedBytes;
            if (options.Relay != null)
            {
                config.Flags = CcNodeFlags.Relay;
                config.CertificatePem = texts.Add(options.Relay.CertificatePem);
                config.KeyPem = texts.Add(options.Relay.KeyPem);
                config.MaxSessions = (uint)Math.Max(0, options.Relay.MaxSessions);
            }
            ulong handle;
            Failures.Check(Native.NodeOpen(&config, &handle));
            NativeCore.Opened(handle);
            return handle;
        }
    }
}
