// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
// Numbers that several languages share.
#nullable enable

namespace ClutchCall.Core
{
    /// <summary>Numbers that several languages share.</summary>
    public static class Constants
    {
        /// <summary>The C ABI's version, as in CcVersion.abi.</summary>
        public const uint AbiVersion = 1;
        /// <summary>The RPC envelope's version.</summary>
        public const uint RpcVersion = 1;
        /// <summary>CcSend.priority: take the track's default.</summary>
        public const ushort PriorityDefault = 65535;
        /// <summary>The usual publisher and subscriber priority; upstream subscriptions always use it.</summary>
        public const uint PriorityNormal = 128;
        /// <summary>Payload and properties in one datagram at most: 1200 less QUIC's, WebTransport's and the largest MoQT header. In bytes.</summary>
        public const uint FragmentBytes = 1100;
        /// <summary>Datagrams a frame at most; a larger frame is TOO_LARGE.</summary>
        public const uint MaxFragments = 8;
        /// <summary>Messages in a Text group at most.</summary>
        public const uint TextGroupMessages = 256;
        /// <summary>Payload after which a Text group ends. In bytes.</summary>
        public const uint TextGroupBytes = 65536;
        /// <summary>Namespace and name together at most: the draft's bound. In bytes.</summary>
        public const uint PathBytes = 4096;
        /// <summary>Fields of a namespace at most: the draft's bound.</summary>
        public const uint NamespaceFields = 32;
        /// <summary>A token's length at most. In bytes.</summary>
        public const uint TokenBytes = 4096;
        /// <summary>MoQT token type under which the JWT travels.</summary>
        public const uint TokenTypeJwt = 0;
        /// <summary>A resume secret's least length. In bytes.</summary>
        public const uint ResumeSecretMin = 16;
        /// <summary>A resume secret's greatest length. In bytes.</summary>
        public const uint ResumeSecretMax = 64;
        /// <summary>Reasons 11, 16, 17 and 18 close the connection with this plus the reason, and reason 25 ends a subscription so; the others have the draft's codes.</summary>
        public const ulong CloseCodeBase = 0x3800;
        /// <summary>SETUP option (bytes) from a client: the secret by which it returns as the same peer.</summary>
        public const ulong SetupResumeSecret = 0x3803;
        /// <summary>SETUP option (bytes) from a relay: the peer id given.</summary>
        public const ulong SetupPeerId = 0x3805;
        /// <summary>SETUP option (int) from a relay: its number among relays. With one from each side, hop lists are negotiated.</summary>
        public const ulong SetupRelayId = 0x3806;
        /// <summary>Message parameter between relays (length, then their numbers as varints, the first first, at most 16) in PUBLISH, PUBLISH_NAMESPACE, SUBSCRIBE, FETCH and TRACK_STATUS: what it came through.</summary>
        public const ulong ParameterHops = 0x3807;
        /// <summary>Low bits of FNV-1a 64 of a tag that make its hash: what JavaScript holds exactly.</summary>
        public const uint CapabilityHashBits = 53;
        /// <summary>transport.host's UDP port when none is given.</summary>
        public const ushort PortHost = 7777;
        /// <summary>relay's UDP port when none is given.</summary>
        public const ushort PortRelay = 443;
        /// <summary>The control stack's port when none is given.</summary>
        public const ushort PortControl = 4433;
        /// <summary>Port of metrics, health and the live page when none is given.</summary>
        public const ushort PortAdmin = 9464;
        /// <summary>Track property, bytes. The capability tag, UTF-8; compared on arrival.</summary>
        public const ulong PropertyCapabilityTag = 0x3801;
        /// <summary>Track property, int. The tag's hash, for the drafts' range filters.</summary>
        public const ulong PropertyCapabilityHash = 0x3802;
        /// <summary>Track property, int. The kind of track in the low byte; 0x100 beside it: latest-wins, so that queues hold the newest frame only.</summary>
        public const ulong PropertyTrackKind = 0x3804;
        /// <summary>Track property, int. 1 Opus, 2 PCM signed 16-bit little-endian, 3 G.711 mu-law, 4 G.711 A-law.</summary>
        public const ulong PropertyAudioCodec = 0x3806;
        /// <summary>Track property, bytes. WebCodecs codec string, UTF-8, as avc1.42E01E.</summary>
        public const ulong PropertyVideoCodec = 0x3807;
        /// <summary>Track property, int. Audio samples a second and channel. In Hz.</summary>
        public const ulong PropertySampleRate = 0x3808;
        /// <summary>Track property, int. Audio channels, interleaved in PCM.</summary>
        public const ulong PropertyChannels = 0x380a;
        /// <summary>Object property (draft-ietf-moq-loc), int. When the media was captured; wall-clock microseconds where no timescale is given. In timescale ticks.</summary>
        public const ulong PropertyLocTimestamp = 0x10;
        /// <summary>Track property (draft-ietf-moq-loc), int. Ticks a second of the timestamps; they are media time then. In ticks/s.</summary>
        public const ulong PropertyLocTimescale = 0x8;
        /// <summary>Object property (draft-ietf-moq-loc), bytes. Frame marks of RFC 9626, 1 to 4 bytes: start 0x80, end 0x40, independent 0x20, discardable 0x10.</summary>
        public const ulong PropertyLocVideoFrameMarking = 0x9;
        /// <summary>Object property (draft-ietf-moq-loc), int. RFC 6464 in the low 8 bits: voice activity 0x80, and the level in -dBov, 0 (loudest) to 127.</summary>
        public const ulong PropertyLocAudioLevel = 0xc;
        /// <summary>Object property (draft-ietf-moq-loc), bytes. Codec configuration that decoders need ahead of the keyframe.</summary>
        public const ulong PropertyLocVideoConfig = 0xd;
        /// <summary>Track kind of modality frame: OBJECT_DATAGRAM, object ids 0 to n-1, END_OF_GROUP on the last.</summary>
        public const uint KindFrameDatagram = 1;
        /// <summary>Track kind of modality frame: one subgroup stream a frame, object 0, END_OF_GROUP and FIN.</summary>
        public const uint KindFrameStream = 2;
        /// <summary>Track kind of modality text: one subgroup stream a group, an object a message, object ids from 0.</summary>
        public const uint KindText = 3;
        /// <summary>Track kind of modality audio: one subgroup stream a group, a packet an object, object ids from 0.</summary>
        public const uint KindAudio = 4;
        /// <summary>Track kind of modality video: one subgroup stream a group, object 0 the keyframe.</summary>
        public const uint KindVideo = 5;
        /// <summary>Hash of the capability netcode.v1.</summary>
        public const ulong CapabilityHashNetcodeV1 = 3492327798864020;
        /// <summary>Hash of the capability text.v1.</summary>
        public const ulong CapabilityHashTextV1 = 2611092945565337;
        /// <summary>Hash of the capability voice.v1.</summary>
        public const ulong CapabilityHashVoiceV1 = 3415310128195672;
        /// <summary>Hash of the capability video.v1.</summary>
        public const ulong CapabilityHashVideoV1 = 3374481304382035;
        /// <summary>Game packets of a netcode layer.</summary>
        public const string CapabilityNetcodeV1 = "netcode.v1";
        /// <summary>Chat and other text.</summary>
        public const string CapabilityTextV1 = "text.v1";
        /// <summary>Voice.</summary>
        public const string CapabilityVoiceV1 = "voice.v1";
        /// <summary>Video.</summary>
        public const string CapabilityVideoV1 = "video.v1";
    }
}
