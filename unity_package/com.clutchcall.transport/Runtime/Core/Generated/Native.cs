// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
// The functions of the C ABI.
#nullable enable

using System.Runtime.InteropServices;

namespace ClutchCall.Core
{
    /// <summary>The C ABI of the native core. Every call returns a CcStatus as i32, may come from any thread, never blocks (cc_node_close says its bound) and never calls back; a panic inside becomes PANIC. Handles are u64, 0 is none; they carry kind and generation, so that a stale or foreign one is BAD_HANDLE. Out-parameters come last and are written only on OK, unless the function says otherwise. Times are microseconds on the node's clock unless a name ends in _ms. Strings going in are UTF-8 and not kept after the call.</summary>
    public static unsafe class Native
    {
#if UNITY_IOS && !UNITY_EDITOR
        public const string Library = "__Internal";
#else
        public const string Library = "clutchcall_core_ffi";
#endif

        /// <summary>What this library is. The build text is static.</summary>
        [DllImport(Library, EntryPoint = "cc_version", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int Version(CcVersion* version);

        /// <summary>A status in words, written into buf without a terminating zero; len is its length in bytes, also on BUFFER_TOO_SMALL.</summary>
        [DllImport(Library, EntryPoint = "cc_status_text", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int StatusText(int status, byte* buf, uint cap, uint* len);

        /// <summary>This thread's last failed call in words: what, where, what to do. len is its length in bytes, also on BUFFER_TOO_SMALL; 0 if no call failed.</summary>
        [DllImport(Library, EntryPoint = "cc_last_error", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LastError(byte* buf, uint cap, uint* len);

        /// <summary>Opens a node and, unless THREADLESS, its I/O thread. Close it with cc_node_close.</summary>
        [DllImport(Library, EntryPoint = "cc_node_open", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeOpen(CcNodeConfig* config, ulong* node);

        /// <summary>Closes the node and everything opened from it; peers are told. The one call that waits: for the I/O thread's goodbye, 200 ms at most.</summary>
        [DllImport(Library, EntryPoint = "cc_node_close", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeClose(ulong node);

        /// <summary>The address the node is bound to, as ip:port, written into buf without a terminating zero.</summary>
        [DllImport(Library, EntryPoint = "cc_node_address", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeAddress(ulong node, byte* buf, uint cap, uint* len);

        /// <summary>A descriptor that is readable while events or frames wait; cc_node_poll clears it. On Windows it is a socket, for select and WSAPoll. Owned by the node: neither read nor close it. -1 where the system has none.</summary>
        [DllImport(Library, EntryPoint = "cc_node_wake_fd", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeWakeFd(ulong node, long* fd);

        /// <summary>Whether frames make the wake-up descriptor readable (1, as at first), or events alone do (0): for an owner that drains by its own clock, whom arrivals would wake for nothing. What waits already is not told again: look after the call.</summary>
        [DllImport(Library, EntryPoint = "cc_node_wake_frames", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeWakeFrames(ulong node, uint on);

        /// <summary>THREADLESS only: does all I/O and timers due at now_us; next_us is when to call again at the latest.</summary>
        [DllImport(Library, EntryPoint = "cc_node_drive", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeDrive(ulong node, ulong nowUs, ulong* nextUs);

        /// <summary>The node's clock in microseconds.</summary>
        [DllImport(Library, EntryPoint = "cc_node_now", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeNow(ulong node, ulong* nowUs);

        /// <summary>Sends GOAWAY to all sessions, with a URI to move to or an empty one; new sessions are refused from now on, and after timeout_ms those that are left are closed (0: none is). Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_node_goaway", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeGoaway(ulong node, CcStr uri, uint timeoutMs);

        /// <summary>Takes up to cap events. Texts in them are valid until the next poll of this node.</summary>
        [DllImport(Library, EntryPoint = "cc_node_poll", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodePoll(ulong node, CcEvent* events, uint cap, uint* count);

        /// <summary>Counters of the node, of all its shards together.</summary>
        [DllImport(Library, EntryPoint = "cc_node_stats", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeStats(ulong node, CcNodeStats* stats);

        /// <summary>Counters of one of its shards, from 0; BAD_ARGUMENT for a number that no shard has.</summary>
        [DllImport(Library, EntryPoint = "cc_node_shard_stats", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int NodeShardStats(ulong node, uint shard, CcNodeStats* stats);

        /// <summary>Starts dialling; LINK_UP or LINK_CLOSED tells the outcome. Publications and subscriptions may be opened at once.</summary>
        [DllImport(Library, EntryPoint = "cc_link_open", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LinkOpen(ulong node, CcLinkConfig* config, ulong* link);

        /// <summary>Ends the link for good; the peer is told the reason. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_link_close", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LinkClose(ulong link, uint reason, CcStr text);

        /// <summary>Presents a new token: in place when the link is up, and at the next attempt. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_link_token", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LinkToken(ulong link, CcStr token);

        /// <summary>Replaces the addresses used from the next attempt on. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_link_addresses", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LinkAddresses(ulong link, CcStr addresses);

        /// <summary>Goes on at another place, as after LINK_GOAWAY: it is dialled beside the session that stands, everything moves there, and the old one is left. addresses as in CcLinkConfig; empty: the host of url is an address. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_link_move", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LinkMove(ulong link, CcStr url, CcStr addresses);

        /// <summary>State and counters of a link or of a relay's session.</summary>
        [DllImport(Library, EntryPoint = "cc_link_stats", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int LinkStats(ulong linkOrSession, CcLinkStats* stats);

        /// <summary>Answers AUTH or AUTH_REFRESH: the session may do what the stamp says.</summary>
        [DllImport(Library, EntryPoint = "cc_session_accept", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SessionAccept(ulong session, CcStamp* stamp);

        /// <summary>Answers AUTH or AUTH_REFRESH: the session is closed with the reason. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_session_refuse", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SessionRefuse(ulong session, uint reason, CcStr text);

        /// <summary>Answers AUTH_REQUEST: the request may do what the stamp says, of which its peer id, subject and tenant are not looked at. The session stays as it is.</summary>
        [DllImport(Library, EntryPoint = "cc_session_accept_request", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SessionAcceptRequest(ulong session, ulong request, CcStamp* stamp);

        /// <summary>Answers AUTH_REQUEST: the request is refused with the reason, and the session stays. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_session_refuse_request", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SessionRefuseRequest(ulong session, ulong request, uint reason, CcStr text);

        /// <summary>Closes a relay's session; its peer is told the reason. Not from Burst: a struct goes by value.</summary>
        [DllImport(Library, EntryPoint = "cc_session_close", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SessionClose(ulong session, uint reason, CcStr text);

        /// <summary>Publishes a track on a link, or on a relay node itself. EXISTS if the scope publishes that name already.</summary>
        [DllImport(Library, EntryPoint = "cc_publish", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int Publish(ulong scope, CcTrackConfig* config, ulong* publication);

        /// <summary>Ends the track; subscribers see TRACK_ENDED.</summary>
        [DllImport(Library, EntryPoint = "cc_publish_close", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int PublishClose(ulong publication);

        /// <summary>Has the node send a frame on a publication of frames while its owner sends nothing: from its own thread, whatever holds the owner's. It takes the place of the one before; what is repeated counts as a frame of the publication.</summary>
        [DllImport(Library, EntryPoint = "cc_publish_repeat", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int PublishRepeat(ulong publication, CcRepeat* repeat);

        /// <summary>Sends frames, of any number of tracks. All is copied before the call returns. fates, unless null, holds a CcFate for each frame. OK even where single frames were dropped.</summary>
        [DllImport(Library, EntryPoint = "cc_send", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int Send(CcSend* frames, uint count, byte* fates);

        /// <summary>Counters of a publication.</summary>
        [DllImport(Library, EntryPoint = "cc_track_stats", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int TrackStats(ulong publication, CcTrackStats* stats);

        /// <summary>Subscribes on a link, or on a relay node itself.</summary>
        [DllImport(Library, EntryPoint = "cc_subscribe", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int Subscribe(ulong scope, CcSubscribeConfig* config, ulong* subscription);

        /// <summary>Ends the subscription; its batch is no longer valid.</summary>
        [DllImport(Library, EntryPoint = "cc_subscribe_close", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SubscribeClose(ulong subscription);

        /// <summary>Asks a track's publisher to begin a new group, as with a keyframe (NEW_GROUP_REQUEST); it hears NEW_GROUP_WANTED. Nothing happens where a newer group was asked for already, or the track is over.</summary>
        [DllImport(Library, EntryPoint = "cc_want_group", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int WantGroup(ulong subscription, ulong track);

        /// <summary>The properties that a track of a subscription was published with, encoded key-value pairs, written into buf; len is their length in bytes, also on BUFFER_TOO_SMALL, and 0 when the track is over. Waits for the pass that is under way.</summary>
        [DllImport(Library, EntryPoint = "cc_track_properties", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int TrackProperties(ulong subscription, ulong track, byte* buf, uint cap, uint* len);

        /// <summary>Takes the frames that wait. The batch is valid until the next drain or close of the subscription.</summary>
        [DllImport(Library, EntryPoint = "cc_drain", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int Drain(ulong subscription, CcBatch* batch);

        /// <summary>Counters of a subscription.</summary>
        [DllImport(Library, EntryPoint = "cc_subscription_stats", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int SubscriptionStats(ulong subscription, CcSubscriptionStats* stats);

        /// <summary>Opens an encoder of one Opus stream. Close it with cc_opus_close.</summary>
        [DllImport(Library, EntryPoint = "cc_opus_encoder", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int OpusEncoder(CcOpusConfig* config, ulong* encoder);

        /// <summary>Encodes one packet: count samples of each channel, which are 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms, signed 16-bit, interleaved. A packet is made to fit cap bytes, at least 2; len is its length. Waits for a call on the same encoder.</summary>
        [DllImport(Library, EntryPoint = "cc_opus_encode", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int OpusEncode(ulong encoder, short* samples, uint count, byte* packet, uint cap, uint* len);

        /// <summary>Opens a decoder of one Opus stream, which gives samples at rate_hz and with channels, whatever was encoded: 8000, 12000, 16000, 24000 or 48000 Hz, and 1 or 2. Close it with cc_opus_close.</summary>
        [DllImport(Library, EntryPoint = "cc_opus_decoder", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int OpusDecoder(uint rateHz, uint channels, ulong* decoder);

        /// <summary>Decodes one packet into samples, interleaved; cap and count are of each channel, and 120 ms are room for any. No packet (len 0) stands for a lost one: what may have been in it, as long as the last that came. BAD_ARGUMENT: the bytes are no packet, and the stream may go on with the next. BUFFER_TOO_SMALL: count is what is needed. Waits for a call on the same decoder.</summary>
        [DllImport(Library, EntryPoint = "cc_opus_decode", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int OpusDecode(ulong decoder, byte* packet, uint len, short* samples, uint cap, uint* count);

        /// <summary>The packet before this one, which was lost, from the copy that this one may carry of it, else as cc_opus_decode of a lost one; this one is to be decoded next.</summary>
        [DllImport(Library, EntryPoint = "cc_opus_recover", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int OpusRecover(ulong decoder, byte* next, uint len, short* samples, uint cap, uint* count);

        /// <summary>Closes an encoder or decoder.</summary>
        [DllImport(Library, EntryPoint = "cc_opus_close", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        public static extern int OpusClose(ulong codec);
    }
}
