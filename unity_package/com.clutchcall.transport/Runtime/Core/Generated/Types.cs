// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
// Numbers and structs of the C ABI.
#nullable enable

using System;
using System.Runtime.InteropServices;

namespace ClutchCall.Core
{
    /// <summary>What became of a call: 0, 1xx the caller's mistake, 2xx the machine, 9xx a bug in the core.</summary>
    public enum CcStatus : int
    {
        /// <summary>Done.</summary>
        Ok = 0,
        /// <summary>The handle is none, stale, or of another kind.</summary>
        BadHandle = 101,
        /// <summary>An argument is null, out of its range or not UTF-8.</summary>
        BadArgument = 102,
        /// <summary>The object is real but the call does not fit its state, such as driving a node that has a thread.</summary>
        BadState = 103,
        /// <summary>A length is above its limit.</summary>
        TooLarge = 104,
        /// <summary>The buffer given cannot hold the answer; the length out-parameter holds what is needed.</summary>
        BufferTooSmall = 105,
        /// <summary>A struct's size is larger than this library knows, or smaller than its first version.</summary>
        VersionMismatch = 106,
        /// <summary>The object has ended; close the handle.</summary>
        Closed = 107,
        /// <summary>A track of that name is already published in this scope.</summary>
        Exists = 108,
        /// <summary>A bound on the count of objects is reached.</summary>
        Limit = 109,
        /// <summary>A namespace or track name breaks the rules: 1 to 32 fields, 4096 bytes in all.</summary>
        BadName = 110,
        /// <summary>A URL is not of the form moqt://host:port/path.</summary>
        BadUrl = 111,
        /// <summary>Another socket holds the address to bind.</summary>
        AddressInUse = 201,
        /// <summary>The system does not allow it, such as a low port without privilege.</summary>
        Permission = 202,
        /// <summary>The address to bind is not this machine's.</summary>
        AddressNotAvailable = 203,
        /// <summary>Another failure of the system; cc_last_error has its words.</summary>
        Io = 204,
        /// <summary>A certificate cannot be read or does not fit its key.</summary>
        BadCertificate = 205,
        /// <summary>A private key cannot be read.</summary>
        BadKey = 206,
        /// <summary>The core panicked; the object involved is unusable.</summary>
        Panic = 901,
        /// <summary>The core broke one of its own rules.</summary>
        Internal = 902,
    }

    /// <summary>Why a link, session, publication or subscription ended; the same at both ends. A refusal carries one too.</summary>
    public enum CcReason : uint
    {
        /// <summary>No reason applies.</summary>
        None = 0,
        /// <summary>Asked for at this end.</summary>
        Local = 1,
        /// <summary>Closed without error by the other side.</summary>
        Peer = 2,
        /// <summary>The token does not allow it, or there is none.</summary>
        Unauthorized = 3,
        /// <summary>The token cannot be read.</summary>
        MalformedToken = 4,
        /// <summary>The token's time is over.</summary>
        ExpiredToken = 5,
        /// <summary>Nothing was heard for the idle timeout.</summary>
        Timeout = 6,
        /// <summary>The peer's certificate is not the trusted one.</summary>
        Certificate = 7,
        /// <summary>The two sides have no draft in common.</summary>
        Version = 8,
        /// <summary>One side broke the protocol; the text says which rule.</summary>
        Protocol = 9,
        /// <summary>The relay is draining.</summary>
        GoingAway = 10,
        /// <summary>The application ended this session.</summary>
        Kicked = 11,
        /// <summary>The peer is overloaded.</summary>
        ExcessiveLoad = 12,
        /// <summary>The peer has no memory of the connection: it was restarted.</summary>
        Reset = 13,
        /// <summary>No address answered, or the system refuses to send there.</summary>
        Unreachable = 14,
        /// <summary>A failure inside one side.</summary>
        Internal = 15,
        /// <summary>The same peer id connected again.</summary>
        Replaced = 16,
        /// <summary>The room ended.</summary>
        RoomClosed = 17,
        /// <summary>The application's admission said no.</summary>
        Refused = 18,
        /// <summary>Nobody publishes the track asked for.</summary>
        DoesNotExist = 19,
        /// <summary>The subscriber does not want the track offered.</summary>
        Uninterested = 20,
        /// <summary>A reliable subscription fell behind its publisher's window.</summary>
        TooFarBehind = 21,
        /// <summary>The same subscription or publication exists already.</summary>
        Duplicate = 22,
        /// <summary>A bound of the peer is reached.</summary>
        Limit = 23,
        /// <summary>The publisher ended the track.</summary>
        TrackEnded = 24,
        /// <summary>The session of the track's publisher was lost, and it did not come back in time.</summary>
        PublisherLost = 25,
        /// <summary>It is to be asked for elsewhere; the event says where.</summary>
        Redirected = 26,
    }

    /// <summary>Why a frame was not delivered: the index into every drops array.</summary>
    public enum CcDrop : uint
    {
        /// <summary>Its time to live ran out before it was sent.</summary>
        Expired = 0,
        /// <summary>A newer frame of a latest-wins track took its place.</summary>
        Superseded = 1,
        /// <summary>The queue was full of frames at least as important.</summary>
        NoRoom = 2,
        /// <summary>It did not fit the path's datagrams.</summary>
        TooLarge = 3,
        /// <summary>The session may not publish or read it.</summary>
        NotAuthorised = 4,
        /// <summary>The congestion controller gave it no room in time.</summary>
        Congested = 5,
        /// <summary>The peer allowed no further stream in time.</summary>
        StreamLimit = 6,
        /// <summary>A ring between threads was full.</summary>
        RingFull = 7,
    }

    /// <summary>A bound of what peers can make a node hold, in bytes unless it says otherwise; its name in lower case sets it in CcNodeConfig.limits.</summary>
    public enum CcBound : uint
    {
        /// <summary>Connections at once, those in their handshake and those that drain among them.</summary>
        Connections = 0,
        /// <summary>Connections from one address, or one /64 of IPv6; loopback is not counted.</summary>
        ConnectionsPerAddress = 1,
        /// <summary>Handshakes under way from addresses that have not proven themselves; above, strangers are sent Retry.</summary>
        HandshakesUnproven = 2,
        /// <summary>Handshakes under way in all.</summary>
        Handshakes = 3,
        /// <summary>The same from one address that has proven itself, or one /64; loopback is not counted.</summary>
        HandshakesPerAddress = 4,
        /// <summary>Sessions that wait to be admitted.</summary>
        Parked = 5,
        /// <summary>Bytes that a connection may send on all streams together and that are not read yet, before it is admitted.</summary>
        ParkedBytes = 6,
        /// <summary>The same once it is admitted.</summary>
        ReceiveBytes = 7,
        /// <summary>Streams that a peer may open at first, each direction.</summary>
        StreamsInitial = 8,
        /// <summary>Streams that a peer may have open at most, each direction.</summary>
        StreamsMax = 9,
        /// <summary>Requests of one session's peer under way.</summary>
        Requests = 10,
        /// <summary>Prefixes that one session watches for tracks or namespaces.</summary>
        Watches = 11,
        /// <summary>Namespaces that one session announces.</summary>
        NamespacesPerSession = 12,
        /// <summary>Namespaces announced in all.</summary>
        Namespaces = 13,
        /// <summary>Tracks that one session may publish.</summary>
        TracksPerSession = 14,
        /// <summary>Tracks in all.</summary>
        Tracks = 15,
        /// <summary>Properties of one track.</summary>
        PropertyBytes = 16,
        /// <summary>Tracks that one session receives.</summary>
        SubscriptionsPerSession = 17,
        /// <summary>Requests that one session waits for others to answer: tracks asked of their publisher by name.</summary>
        Asks = 18,
        /// <summary>FETCHes of one session under way.</summary>
        Fetches = 19,
        /// <summary>Objects of FETCHes that are passed on and wait for one session to take them.</summary>
        FetchBytes = 20,
        /// <summary>Subgroups of one track open at once.</summary>
        Subgroups = 21,
        /// <summary>Largest object on a stream.</summary>
        ObjectBytes = 22,
        /// <summary>Messages and objects of one session of which only a part has come.</summary>
        AssemblyBytes = 23,
        /// <summary>The same of all sessions.</summary>
        AssemblyTotal = 24,
        /// <summary>Datagrams of one session that came before their track's alias.</summary>
        EarlyBytes = 25,
        /// <summary>Streams of one session that came before their track's alias, left unread.</summary>
        EarlyStreams = 26,
        /// <summary>REQUEST_UPDATEs of one request without an answer; further ones are left unread.</summary>
        Updates = 27,
        /// <summary>The same where the peer is told of it (MAX_REQUEST_UPDATES, from draft -20 on).</summary>
        RequestUpdates = 28,
        /// <summary>Ranges that one request may have in its filters (MAX_FILTER_RANGES, from draft -20 on).</summary>
        FilterRanges = 29,
        /// <summary>Tokens that one session's peer has registered, with 16 for each.</summary>
        TokenBytes = 30,
        /// <summary>A session's sending queue.</summary>
        SessionBytes = 31,
        /// <summary>One track in it.</summary>
        TrackBytes = 32,
        /// <summary>One subgroup stream in it.</summary>
        SubgroupBytes = 33,
        /// <summary>Recent objects kept of a local publication.</summary>
        PastOwnBytes = 34,
        /// <summary>Recent objects kept of a track that is passed on.</summary>
        PastTrackBytes = 35,
        /// <summary>Recent objects kept of all tracks.</summary>
        PastBytes = 36,
        /// <summary>Text of one track that waits for what comes before it, or for a reader that is slow.</summary>
        ReorderBytes = 37,
        /// <summary>Fragments of one track's frames that wait for the others.</summary>
        FragmentBytes = 38,
        /// <summary>Text and fragments that wait, of all tracks.</summary>
        ReorderTotal = 39,
        /// <summary>Packets that answer strangers (Retry, version negotiation, stateless reset, refusals) and wait to be sent.</summary>
        Answers = 40,
    }

    /// <summary>What became of one frame given to cc_send.</summary>
    public enum CcFate : byte
    {
        /// <summary>Queued for every subscriber.</summary>
        Queued = 0,
        /// <summary>The publisher's queue is at its bound; dropped and counted.</summary>
        NoRoom = 1,
        /// <summary>More than MAX_FRAGMENTS datagrams, or above the largest object; dropped and counted.</summary>
        TooLarge = 2,
        /// <summary>The link is down: dropped and counted. Text is QUEUED instead.</summary>
        NotConnected = 3,
        /// <summary>The publication has ended or the handle is not one.</summary>
        Closed = 4,
        /// <summary>Nobody wants the track now; not sent.</summary>
        NoSubscriber = 5,
        /// <summary>Video: the group that it continues was not taken whole, so nothing could be made of it; not sent. Send a keyframe with NEW_GROUP.</summary>
        NoGroup = 6,
    }

    /// <summary>What a CcEvent tells, and what its fields hold then; fields not named are 0 or empty.</summary>
    public enum CcEventKind : uint
    {
        /// <summary>handle = link; a = 1 if resumed; b = gap in us since it was lost; c = draft number; text = peer id.</summary>
        LinkUp = 1,
        /// <summary>handle = link; reason; code; a = us until the next attempt; text = why. The link dials again by itself.</summary>
        LinkDown = 2,
        /// <summary>handle = link; reason; code; text = why. Final.</summary>
        LinkClosed = 3,
        /// <summary>handle = link; a = timeout in ms; text = the URI to move to, or empty.</summary>
        LinkGoaway = 4,
        /// <summary>handle = session, to be answered by cc_session_accept or cc_session_refuse; a = the remote port; text = token, raw bytes; text2 = path; text3 = ip:port; text4 = peer id suggested from the resume secret.</summary>
        Auth = 10,
        /// <summary>handle = session; a = 1 if this peer id was here within the last minute; c = draft number; text = peer id; text2 = tenant; text3 = ip:port.</summary>
        SessionUp = 11,
        /// <summary>handle = session; reason; code; text = why; text2 = peer id.</summary>
        SessionDown = 12,
        /// <summary>handle = session, to be answered by cc_session_accept or cc_session_refuse; a = request reference; text = new token.</summary>
        AuthRefresh = 13,
        /// <summary>A single request shows a token of its own and waits. handle = session; a = the request's number, for cc_session_accept_request or cc_session_refuse_request; text = token; text2 = what it asks, as "subscribe games/room1//c7".</summary>
        AuthRequest = 14,
        /// <summary>handle = publication. It stands at the relay.</summary>
        PublishOk = 20,
        /// <summary>handle = publication; reason; text = why. With REDIRECTED: text2 = URL, empty: the same; text3 = namespace and text4 = track to publish as there, both empty: the same.</summary>
        PublishRefused = 21,
        /// <summary>handle = publication; a = count of subscribers now.</summary>
        PublishDemand = 22,
        /// <summary>handle = publication. A subscriber asks for a new group soon, as a video reader does for a keyframe; of tracks with the property DYNAMIC_GROUPS.</summary>
        NewGroupWanted = 23,
        /// <summary>handle = subscription. It stands at the relay.</summary>
        SubscribeOk = 30,
        /// <summary>handle = subscription; reason; text = why. With REDIRECTED: text2 = URL, empty: the same; text3 = namespace and text4 = track to ask for there, both empty: the same.</summary>
        SubscribeRefused = 31,
        /// <summary>handle = subscription; a = track id as in CcFrame; b = track kind or 0 if unknown; text = namespace; text2 = name; text3 = capability; text4 = publishing peer id if known.</summary>
        TrackAdded = 32,
        /// <summary>handle = subscription; a = track id; reason: TRACK_ENDED, PUBLISHER_LOST, or why this subscription ended.</summary>
        TrackEnded = 33,
        /// <summary>handle = subscription; a = track id; b = last group before the gap; c = first group after it; code = gap in us.</summary>
        TrackResumed = 34,
        /// <summary>handle = node; text = why. The node does no more work.</summary>
        NodeFailed = 40,
        /// <summary>handle = node; text = one line, such as a degraded socket.</summary>
        Warning = 41,
    }

    /// <summary>Bits of CcNodeConfig.flags.</summary>
    [Flags]
    public enum CcNodeFlags : uint
    {
        /// <summary>Accepts sessions and routes between them.</summary>
        Relay = 1,
        /// <summary>No I/O thread: the caller drives the node by cc_node_drive.</summary>
        Threadless = 2,
        /// <summary>No AUTH events: everyone is admitted with open_scope.</summary>
        Open = 4,
        /// <summary>One datagram a system call, as on systems without batches.</summary>
        PortableUdp = 8,
    }

    /// <summary>Congestion controllers.</summary>
    public enum CcCongestion : uint
    {
        /// <summary>Delay-based, short queues, application-limited aware.</summary>
        Realtime = 0,
        /// <summary>Cubic.</summary>
        Cubic = 1,
        /// <summary>BBR.</summary>
        Bbr = 2,
    }

    /// <summary>Bits of CcLinkConfig.flags.</summary>
    [Flags]
    public enum CcLinkFlags : uint
    {
        /// <summary>The first loss is final.</summary>
        NoReconnect = 1,
        /// <summary>A relay node joins the relay at url: what is published or announced on one is to be had on both. The link has no tracks of its own.</summary>
        Uplink = 2,
    }

    /// <summary>Where a link stands.</summary>
    public enum CcLinkState : uint
    {
        /// <summary>Handshake or admission under way.</summary>
        Connecting = 0,
        /// <summary>Admitted.</summary>
        Up = 1,
        /// <summary>Lost; waits for its next attempt.</summary>
        Waiting = 2,
        /// <summary>Ended for good.</summary>
        Closed = 3,
    }

    /// <summary>How a publication's frames go on the wire.</summary>
    public enum CcTrackKind : uint
    {
        /// <summary>A group a frame, in 1 to 8 datagrams.</summary>
        FrameDatagram = 1,
        /// <summary>A group a frame, on one subgroup stream each.</summary>
        FrameStream = 2,
        /// <summary>Reliable, ordered messages; a group per 256 messages or 64 KiB.</summary>
        Text = 3,
        /// <summary>A packet an object; a group, on one subgroup stream, lasts until NEW_GROUP. Newer groups go first.</summary>
        Audio = 4,
        /// <summary>An encoded frame an object; a group, on one subgroup stream, begins with a keyframe, sent with NEW_GROUP. Newer groups go first.</summary>
        Video = 5,
    }

    /// <summary>Bits of CcTrackConfig.flags.</summary>
    [Flags]
    public enum CcTrackFlags : uint
    {
        /// <summary>Queues hold the newest frame only; descending group order.</summary>
        LatestWins = 1,
        /// <summary>The first group id is the Unix time in us instead of ms: for more than 1000 frames a second.</summary>
        MicrosecondGroups = 2,
        /// <summary>Audio: a group a packet, in datagrams instead of streams.</summary>
        Datagram = 4,
    }

    /// <summary>Bits of CcOpusConfig.flags.</summary>
    [Flags]
    public enum CcOpusFlags : uint
    {
        /// <summary>Music and other sound, rather than voice.</summary>
        Music = 1,
    }

    /// <summary>Bits of CcSend.flags.</summary>
    [Flags]
    public enum CcSendFlags : ushort
    {
        /// <summary>Audio and Video: it begins a group, and ends the one before.</summary>
        NewGroup = 1,
        /// <summary>Audio and Video: its group ends with it, as when a talker falls silent.</summary>
        EndGroup = 2,
    }

    /// <summary>Bits of CcSubscribeConfig.flags.</summary>
    [Flags]
    public enum CcSubscribeFlags : uint
    {
        /// <summary>One track by its full name instead of all under a namespace prefix.</summary>
        Exact = 1,
    }

    /// <summary>In which order a track's groups are sent to a subscriber.</summary>
    public enum CcGroupOrder : uint
    {
        /// <summary>As the publisher prefers.</summary>
        Publisher = 0,
        /// <summary>Oldest group first.</summary>
        Ascending = 1,
        /// <summary>Newest group first.</summary>
        Descending = 2,
    }

    /// <summary>Bits of CcFrame.flags.</summary>
    [Flags]
    public enum CcFrameFlags : byte
    {
        /// <summary>It came on a subgroup stream.</summary>
        Stream = 1,
        /// <summary>It was joined from more than one datagram.</summary>
        Fragmented = 2,
        /// <summary>At least one frame of the track before it did not arrive.</summary>
        Gap = 4,
        /// <summary>It is a message of a Text track.</summary>
        Text = 8,
    }

    /// <summary>A string going in or out: UTF-8 unless a field says raw bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcStr
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 16;

        /// <summary>First byte; may be null when len is 0.</summary>
        public byte* Ptr;
        /// <summary>Length. In bytes.</summary>
        public uint Len;
        /// <summary>0.</summary>
        public uint Reserved;
    }

    /// <summary>What this library is.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcVersion
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 32;

        /// <summary>sizeof(CcVersion), set by the caller. In bytes.</summary>
        public uint Size;
        /// <summary>ABI version.</summary>
        public uint Abi;
        /// <summary>Drafts spoken: bit n stands for draft n.</summary>
        public uint Drafts;
        /// <summary>0.</summary>
        public uint Reserved;
        /// <summary>Build in words; static.</summary>
        public CcStr Build;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcVersion Create() => new CcVersion { Size = (uint)sizeof(CcVersion) };
    }

    /// <summary>How to open a node: one UDP socket, one engine and its I/O thread.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcNodeConfig
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 208;

        /// <summary>sizeof(CcNodeConfig). In bytes.</summary>
        public uint Size;
        /// <summary>CcNodeFlags bits.</summary>
        public CcNodeFlags Flags;
        /// <summary>Local ip:port; port 0 takes a free one.</summary>
        public CcStr Bind;
        /// <summary>Relay: its certificate chain, leaf first.</summary>
        public CcStr CertificatePem;
        /// <summary>Relay: the leaf's private key.</summary>
        public CcStr KeyPem;
        /// <summary>Drafts to speak, preferred first, as "moqt-22,moqt-18"; empty: the default.</summary>
        public CcStr Alpns;
        /// <summary>OPEN: the path prefix granted to everyone; empty: all.</summary>
        public CcStr OpenScope;
        /// <summary>32 raw bytes from which reset, connection-id and retry keys derive; empty: random.</summary>
        public CcStr StateKey;
        /// <summary>Relay: sessions at once; 0: the default.</summary>
        public uint MaxSessions;
        /// <summary>A peer unheard for so long is gone; 0: 30000. In ms.</summary>
        public uint IdleTimeoutMs;
        /// <summary>Quiet time after which a ping is sent, below idle_timeout_ms; 0: 5000, or a third of idle_timeout_ms if that is less. In ms.</summary>
        public uint KeepAliveMs;
        /// <summary>A CcCongestion.</summary>
        public CcCongestion Congestion;
        /// <summary>Bound of one session's sending queue; 0: the default. In bytes.</summary>
        public ulong SessionQueueBytes;
        /// <summary>Bound of one track within a session's queue; 0: the default. In bytes.</summary>
        public ulong TrackQueueBytes;
        /// <summary>Bound of a subscription's frames waiting for cc_drain; 0: the default. In bytes.</summary>
        public ulong FeedBytes;
        /// <summary>Seed of all the node's random choices; 0: from the system.</summary>
        public ulong Seed;
        /// <summary>Socket receive buffer to ask for; 0: the default. In bytes.</summary>
        public uint RecvBuffer;
        /// <summary>Socket send buffer to ask for; 0: the default. In bytes.</summary>
        public uint SendBuffer;
        /// <summary>An AUTH unanswered for so long is refused; 0: the default. In ms.</summary>
        public uint AuthTimeoutMs;
        /// <summary>How long cc_node_close goes on sending what is queued; 0: 500. In ms.</summary>
        public uint LingerMs;
        /// <summary>Reserved: empty.</summary>
        public CcStr SecretFile;
        /// <summary>Bounds by CcBound's names, as "streams_max=256,tracks=1000"; bytes may be 64k, 4m, 1g; empty: the defaults.</summary>
        public CcStr Limits;
        /// <summary>Relay: threads that serve its port, at most 256, each with a socket and an engine of its own; 0: 1. With THREADLESS: 1.</summary>
        public uint Shards;
        /// <summary>0.</summary>
        public uint Reserved;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcNodeConfig Create() => new CcNodeConfig { Size = (uint)sizeof(CcNodeConfig) };
    }

    /// <summary>Counters of a node since it was opened.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcNodeStats
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 704;

        /// <summary>sizeof(CcNodeStats). In bytes.</summary>
        public uint Size;
        /// <summary>Sessions up now, links included.</summary>
        public uint Sessions;
        /// <summary>Sessions that came up.</summary>
        public ulong SessionsTotal;
        /// <summary>Sessions refused.</summary>
        public ulong SessionsRefused;
        /// <summary>Objects received.</summary>
        public ulong ObjectsIn;
        /// <summary>Objects sent, once a subscriber.</summary>
        public ulong ObjectsOut;
        /// <summary>UDP payload received. In bytes.</summary>
        public ulong BytesIn;
        /// <summary>UDP payload sent. In bytes.</summary>
        public ulong BytesOut;
        /// <summary>UDP datagrams received.</summary>
        public ulong PacketsIn;
        /// <summary>UDP datagrams sent.</summary>
        public ulong PacketsOut;
        /// <summary>System calls to send.</summary>
        public ulong SyscallsSend;
        /// <summary>System calls to receive.</summary>
        public ulong SyscallsRecv;
        /// <summary>The I/O thread's CPU time. In us.</summary>
        public ulong CpuUs;
        /// <summary>Tracks known now.</summary>
        public ulong Tracks;
        /// <summary>Subscriptions standing now.</summary>
        public ulong Subscriptions;
        /// <summary>Frames not delivered, by CcDrop.</summary>
        public fixed ulong Drops[8];
        /// <summary>Sessions waiting for an answer to AUTH now.</summary>
        public ulong AuthWaiting;
        /// <summary>Datagrams and messages that broke a rule.</summary>
        public ulong Malformed;
        /// <summary>Datagrams the system refused to send.</summary>
        public ulong SendErrors;
        /// <summary>Objects that came in or were published here, by CcTrackKind; 0: of tracks that do not say.</summary>
        public fixed ulong Kinds[8];
        /// <summary>Handshakes under way.</summary>
        public ulong Handshakes;
        /// <summary>How often each bound was met, by CcBound: something was refused, dropped or put off.</summary>
        public fixed ulong Refused[48];
        /// <summary>Threads that serve the port; 1 in the counters of one shard.</summary>
        public ulong Shards;
        /// <summary>Objects that came from another shard.</summary>
        public ulong CrossedIn;
        /// <summary>Objects that went to another shard, once each.</summary>
        public ulong CrossedOut;
        /// <summary>Packets that came to another shard's socket and were handed over.</summary>
        public ulong HandedOver;
        /// <summary>The same that found no room.</summary>
        public ulong HandedLost;
        /// <summary>Times that a shard failed and was started again.</summary>
        public ulong Restarts;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcNodeStats Create() => new CcNodeStats { Size = (uint)sizeof(CcNodeStats) };
    }

    /// <summary>How to open a link: a client session that dials again by itself and re-establishes its publications and subscriptions.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcLinkConfig
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 136;

        /// <summary>sizeof(CcLinkConfig). In bytes.</summary>
        public uint Size;
        /// <summary>CcLinkFlags bits.</summary>
        public CcLinkFlags Flags;
        /// <summary>moqt://host:port/path; the host is also the TLS server name.</summary>
        public CcStr Url;
        /// <summary>"ip:port,ip:port", resolved by the caller, tried in turn.</summary>
        public CcStr Addresses;
        /// <summary>The token to present; raw bytes, at most TOKEN_BYTES; may be empty.</summary>
        public CcStr Token;
        /// <summary>Lower-case hex SHA-256 of the one certificate (DER) trusted, or empty; excludes trust_pem.</summary>
        public CcStr TrustSha256;
        /// <summary>CA or self-signed certificate trusted, or empty. With both empty: the system's roots.</summary>
        public CcStr TrustPem;
        /// <summary>16 to 64 raw bytes by which a relay knows a returning peer; empty: random.</summary>
        public CcStr ResumeSecret;
        /// <summary>Drafts to offer, preferred first; empty: the default.</summary>
        public CcStr Alpns;
        /// <summary>Bound of one attempt, admission included; 0: 10000. In ms.</summary>
        public uint ConnectTimeoutMs;
        /// <summary>First bound of the random wait before dialling again; 0: 100. In ms.</summary>
        public uint BackoffMinMs;
        /// <summary>Cap to which the bound doubles; 0: 2000. In ms.</summary>
        public uint BackoffMaxMs;
        /// <summary>Time after a loss when the link gives up; 0: never. In ms.</summary>
        public uint ReconnectLimitMs;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcLinkConfig Create() => new CcLinkConfig { Size = (uint)sizeof(CcLinkConfig) };
    }

    /// <summary>State and counters of a link, or of a relay's session.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcLinkStats
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 200;

        /// <summary>sizeof(CcLinkStats). In bytes.</summary>
        public uint Size;
        /// <summary>A CcLinkState.</summary>
        public CcLinkState State;
        /// <summary>Draft number in use, 0 before it is known.</summary>
        public uint Draft;
        /// <summary>Times the link came up again.</summary>
        public uint Reconnects;
        /// <summary>Smoothed round-trip time. In us.</summary>
        public ulong RttUs;
        /// <summary>Least round-trip time on this path. In us.</summary>
        public ulong RttMinUs;
        /// <summary>Mean deviation of the round-trip time. In us.</summary>
        public ulong JitterUs;
        /// <summary>Congestion window. In bytes.</summary>
        public ulong CongestionWindow;
        /// <summary>Sent and neither acknowledged nor lost. In bytes.</summary>
        public ulong InFlight;
        /// <summary>What the controller estimates the path takes. In bytes/s.</summary>
        public ulong SendRate;
        /// <summary>Waiting in the sending queue. In bytes.</summary>
        public ulong QueuedBytes;
        /// <summary>QUIC packets sent.</summary>
        public ulong PacketsSent;
        /// <summary>QUIC packets declared lost.</summary>
        public ulong PacketsLost;
        /// <summary>UDP payload sent. In bytes.</summary>
        public ulong BytesSent;
        /// <summary>UDP payload received. In bytes.</summary>
        public ulong BytesReceived;
        /// <summary>Frames handed to the transport.</summary>
        public ulong FramesSent;
        /// <summary>Frames received whole.</summary>
        public ulong FramesReceived;
        /// <summary>Frames not delivered to this peer, by CcDrop.</summary>
        public fixed ulong Drops[8];
        /// <summary>How long the last frame sent had waited in the queue. In us.</summary>
        public ulong QueueDelayUs;
        /// <summary>Largest UDP payload on this path. In bytes.</summary>
        public ulong Mtu;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcLinkStats Create() => new CcLinkStats { Size = (uint)sizeof(CcLinkStats) };
    }

    /// <summary>What an admitted session may do; the core checks every request against it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcStamp
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 112;

        /// <summary>sizeof(CcStamp). In bytes.</summary>
        public uint Size;
        /// <summary>0.</summary>
        public uint Flags;
        /// <summary>Path prefixes it may publish under, one a line, as games/room1/up/c7; "*": all; empty: none.</summary>
        public CcStr Publish;
        /// <summary>Path prefixes it may read, as for publish.</summary>
        public CcStr Subscribe;
        /// <summary>Capability tags it may use, one a line; empty: any.</summary>
        public CcStr Capabilities;
        /// <summary>Tenant, for the application's own use.</summary>
        public CcStr Tenant;
        /// <summary>The token's subject; a refresh must keep it.</summary>
        public CcStr Subject;
        /// <summary>The session's peer id; a second session with it closes the first with REPLACED.</summary>
        public CcStr PeerId;
        /// <summary>Time from now when the session ends with EXPIRED_TOKEN; 0: never. In ms.</summary>
        public ulong ExpiresMs;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcStamp Create() => new CcStamp { Size = (uint)sizeof(CcStamp) };
    }

    /// <summary>How to publish a track.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcTrackConfig
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 120;

        /// <summary>sizeof(CcTrackConfig). In bytes.</summary>
        public uint Size;
        /// <summary>A CcTrackKind.</summary>
        public CcTrackKind Kind;
        /// <summary>CcTrackFlags bits.</summary>
        public CcTrackFlags Flags;
        /// <summary>Default publisher priority, 0 first to 255 last; 128 is usual.</summary>
        public uint Priority;
        /// <summary>Namespace, fields joined by '/'.</summary>
        public CcStr Ns;
        /// <summary>Track name within the namespace.</summary>
        public CcStr Name;
        /// <summary>Capability tag, or empty.</summary>
        public CcStr Capability;
        /// <summary>Further track properties, encoded key-value pairs (raw bytes), or empty.</summary>
        public CcStr Properties;
        /// <summary>A frame's default time to live in sending queues; 0: none. In us.</summary>
        public uint TtlUs;
        /// <summary>OBJECT_DELIVERY_TIMEOUT of the track; 0: none. In ms.</summary>
        public uint ObjectTimeoutMs;
        /// <summary>SUBGROUP_DELIVERY_TIMEOUT of the track; 0: none. In ms.</summary>
        public uint SubgroupTimeoutMs;
        /// <summary>Text: messages kept for replay; 0: the default.</summary>
        public uint WindowMessages;
        /// <summary>Bound of this track's sending queue; 0: the node's. In bytes.</summary>
        public ulong QueueBytes;
        /// <summary>A token for this track alone, raw bytes; empty: the link's holds.</summary>
        public CcStr Token;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcTrackConfig Create() => new CcTrackConfig { Size = (uint)sizeof(CcTrackConfig) };
    }

    /// <summary>One frame for cc_send; payload and properties are copied before the call returns.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcSend
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 48;

        /// <summary>The publication.</summary>
        public ulong Publication;
        /// <summary>Address of the first payload byte.</summary>
        public ulong Payload;
        /// <summary>Address of the object's properties, encoded key-value pairs.</summary>
        public ulong Properties;
        /// <summary>Payload length. In bytes.</summary>
        public uint PayloadLen;
        /// <summary>Properties length. In bytes.</summary>
        public uint PropertiesLen;
        /// <summary>Time to live in sending queues; 0: the track's default. In us.</summary>
        public uint TtlUs;
        /// <summary>Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's.</summary>
        public ushort Priority;
        /// <summary>CcSendFlags bits.</summary>
        public CcSendFlags Flags;
        /// <summary>The caller's own mark; not sent.</summary>
        public ulong Tag;
    }

    /// <summary>A frame that the node sends while the owner of a publication is silent.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcRepeat
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 40;

        /// <summary>sizeof(CcRepeat). In bytes.</summary>
        public uint Size;
        /// <summary>Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's.</summary>
        public uint Priority;
        /// <summary>The frame's bytes, at most FRAGMENT_BYTES; copied.</summary>
        public CcStr Payload;
        /// <summary>How long the owner has to have sent nothing, 10 to 3,600,000. In ms.</summary>
        public uint SilenceMs;
        /// <summary>Between one and the next, 10 to 3,600,000; each lives so long in queues. 0: repeat nothing any more, whatever the other fields hold. In ms.</summary>
        public uint EveryMs;
        /// <summary>How long the owner may be silent before it ends; it begins again when the owner has sent. 0: without end. In ms.</summary>
        public uint LimitMs;
        /// <summary>0.</summary>
        public uint Reserved;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcRepeat Create() => new CcRepeat { Size = (uint)sizeof(CcRepeat) };
    }

    /// <summary>How to encode Opus.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcOpusConfig
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 32;

        /// <summary>sizeof(CcOpusConfig). In bytes.</summary>
        public uint Size;
        /// <summary>CcOpusFlags bits.</summary>
        public CcOpusFlags Flags;
        /// <summary>Samples a second and channel: 8000, 12000, 16000, 24000 or 48000. In Hz.</summary>
        public uint RateHz;
        /// <summary>1 or 2; samples of two are interleaved.</summary>
        public uint Channels;
        /// <summary>Of all channels together, 6,000 to 510,000; 0: 32,000 a channel. In bit/s.</summary>
        public uint BitRate;
        /// <summary>The encoder's effort, 1 to 10; 0: 5.</summary>
        public uint Complexity;
        /// <summary>Packets expected to be lost, to 100. Above 0, packets carry a coarse copy of the one before, for cc_opus_recover. In %.</summary>
        public uint Loss;
        /// <summary>0.</summary>
        public uint Reserved;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcOpusConfig Create() => new CcOpusConfig { Size = (uint)sizeof(CcOpusConfig) };
    }

    /// <summary>Counters of a publication since it was opened.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcTrackStats
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 136;

        /// <summary>sizeof(CcTrackStats). In bytes.</summary>
        public uint Size;
        /// <summary>Subscribers now.</summary>
        public uint Subscribers;
        /// <summary>Frames given to cc_send.</summary>
        public ulong Frames;
        /// <summary>Their payload. In bytes.</summary>
        public ulong Bytes;
        /// <summary>Waiting now. In bytes.</summary>
        public ulong QueuedBytes;
        /// <summary>Waiting now.</summary>
        public ulong QueuedFrames;
        /// <summary>Frames handed to the transport.</summary>
        public ulong SentFrames;
        /// <summary>Their bytes on the wire, headers included. In bytes.</summary>
        public ulong SentBytes;
        /// <summary>Frames not delivered, by CcDrop.</summary>
        public fixed ulong Drops[8];
        /// <summary>Group id of the last frame.</summary>
        public ulong LastGroup;
        /// <summary>Its last object id.</summary>
        public ulong LastObject;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcTrackStats Create() => new CcTrackStats { Size = (uint)sizeof(CcTrackStats) };
    }

    /// <summary>What to subscribe to.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcSubscribeConfig
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 96;

        /// <summary>sizeof(CcSubscribeConfig). In bytes.</summary>
        public uint Size;
        /// <summary>CcSubscribeFlags bits.</summary>
        public CcSubscribeFlags Flags;
        /// <summary>Namespace prefix; with EXACT the whole namespace.</summary>
        public CcStr Ns;
        /// <summary>EXACT: the track's name.</summary>
        public CcStr Name;
        /// <summary>Only tracks with this tag; empty: any.</summary>
        public CcStr Capability;
        /// <summary>Subscriber priority, 0 first to 255 last; 128 is usual.</summary>
        public uint Priority;
        /// <summary>A CcGroupOrder.</summary>
        public CcGroupOrder Order;
        /// <summary>Bound of frames waiting for cc_drain; 0: the node's. In bytes.</summary>
        public ulong FeedBytes;
        /// <summary>EXACT: a token for this subscription alone, raw bytes; empty: the link's holds.</summary>
        public CcStr Token;
        /// <summary>EXACT: how long the relay is to wait for a publisher; 0: not at all. The relay may wait shorter. In ms.</summary>
        public uint RendezvousMs;
        /// <summary>0.</summary>
        public uint Reserved;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcSubscribeConfig Create() => new CcSubscribeConfig { Size = (uint)sizeof(CcSubscribeConfig) };
    }

    /// <summary>One frame received; its bytes lie in CcBatch.data.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcFrame
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 56;

        /// <summary>Track id, announced by TRACK_ADDED; never reused within a node.</summary>
        public ulong Track;
        /// <summary>Group id.</summary>
        public ulong Group;
        /// <summary>Object id; of a fragmented frame the first.</summary>
        public ulong Object;
        /// <summary>When its last byte arrived, on the node's clock. In us.</summary>
        public ulong ReceivedUs;
        /// <summary>Where the payload begins in the batch's data. In bytes.</summary>
        public uint PayloadAt;
        /// <summary>Payload length. In bytes.</summary>
        public uint PayloadLen;
        /// <summary>Where the object's properties begin in the batch's data. In bytes.</summary>
        public uint PropertiesAt;
        /// <summary>Properties length. In bytes.</summary>
        public uint PropertiesLen;
        /// <summary>Publisher priority, as it was sent.</summary>
        public byte Priority;
        /// <summary>CcFrameFlags bits.</summary>
        public CcFrameFlags Flags;
        /// <summary>0.</summary>
        public ushort Reserved;
        /// <summary>Objects it was joined from; 1 for a whole one.</summary>
        public uint Fragments;
    }

    /// <summary>Frames taken by one cc_drain; valid until the next drain or close of that subscription.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcBatch
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 40;

        /// <summary>sizeof(CcBatch), set by the caller. In bytes.</summary>
        public uint Size;
        /// <summary>Frames in the batch.</summary>
        public uint Count;
        /// <summary>The frames, oldest first.</summary>
        public CcFrame* Frames;
        /// <summary>Their payloads and properties.</summary>
        public byte* Data;
        /// <summary>Length of data. In bytes.</summary>
        public ulong DataLen;
        /// <summary>Frames dropped since the last drain because the feed was full.</summary>
        public ulong Dropped;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcBatch Create() => new CcBatch { Size = (uint)sizeof(CcBatch) };
    }

    /// <summary>Counters of a subscription since it was opened.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcSubscriptionStats
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 80;

        /// <summary>sizeof(CcSubscriptionStats). In bytes.</summary>
        public uint Size;
        /// <summary>Tracks it matches now.</summary>
        public uint Tracks;
        /// <summary>Frames received whole.</summary>
        public ulong Frames;
        /// <summary>Their payload. In bytes.</summary>
        public ulong Bytes;
        /// <summary>Waiting for cc_drain now.</summary>
        public ulong WaitingFrames;
        /// <summary>Waiting for cc_drain now. In bytes.</summary>
        public ulong WaitingBytes;
        /// <summary>Frames dropped because the feed was full.</summary>
        public ulong Dropped;
        /// <summary>Frames known to be missing between received ones.</summary>
        public ulong Gaps;
        /// <summary>Objects that came again and were ignored.</summary>
        public ulong Duplicates;
        /// <summary>Fragmented frames that never completed.</summary>
        public ulong Incomplete;
        /// <summary>Audio and Video: objects of groups that were given up for a newer one, or joined midway.</summary>
        public ulong Superseded;

        /// <summary>All zero and empty but for Size.</summary>
        public static CcSubscriptionStats Create() => new CcSubscriptionStats { Size = (uint)sizeof(CcSubscriptionStats) };
    }

    /// <summary>One event; CcEventKind says what the fields hold. Texts are valid until the next cc_node_poll of the node.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CcEvent
    {
        /// <summary>Bytes of this struct on a 64-bit target.</summary>
        public const int Bytes64 = 112;

        /// <summary>A CcEventKind.</summary>
        public CcEventKind Kind;
        /// <summary>A CcReason.</summary>
        public CcReason Reason;
        /// <summary>What the event is about.</summary>
        public ulong Handle;
        /// <summary>See the kind.</summary>
        public ulong A;
        /// <summary>See the kind.</summary>
        public ulong B;
        /// <summary>See the kind.</summary>
        public ulong C;
        /// <summary>The code seen on the wire, if any.</summary>
        public ulong Code;
        /// <summary>See the kind.</summary>
        public CcStr Text;
        /// <summary>See the kind.</summary>
        public CcStr Text2;
        /// <summary>See the kind.</summary>
        public CcStr Text3;
        /// <summary>See the kind.</summary>
        public CcStr Text4;
    }
}
