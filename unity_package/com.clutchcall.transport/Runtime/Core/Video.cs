// Video that is published here: encoded frames in decoding order, a group a keyframe.
#nullable enable

using System;
using System.Text;

namespace ClutchCall.Core
{
    /// <summary>A published video track. Frames come from an encoder of the game's own.</summary>
    public sealed class VideoTrack : IDisposable
    {
        private const byte Whole = 0xC0, Independent = 0x20;

        private readonly byte[] _marks = new byte[1];
        private byte[] _properties = new byte[64];

        /// <summary>The track below.</summary>
        public Publication Publication { get; }

        /// <summary>The next frame should be a keyframe: somebody new looks, or a group was cut short. Set it when NewGroupWanted or more demand is told.</summary>
        public bool KeyframeWanted { get; set; } = true;

        /// <summary>Publishes on a link.</summary>
        /// <param name="link">The link.</param>
        /// <param name="path">Its namespace.</param>
        /// <param name="name">Its name in there.</param>
        /// <param name="codec">A codec string of WebCodecs' registry, such as avc1.42E01E or vp8.</param>
        public VideoTrack(Link link, string path, string name, string codec)
        {
            if (codec.Length == 0 || codec.Length > 64) throw new ArgumentException("is no codec string such as avc1.42E01E", nameof(codec));
            var properties = new PropertyWriter(stackalloc byte[128]);
            properties.Add(Constants.PropertyVideoCodec, Encoding.UTF8.GetBytes(codec));
            Publication = link.Publish(new TrackOptions
            {
                Kind = CcTrackKind.Video,
                Namespace = path,
                Name = name,
                Capability = Constants.CapabilityVideoV1,
                Timeout = TimeSpan.FromSeconds(2),
                Properties = properties.Written.ToArray(),
            });
        }

        /// <summary>Sends one encoded frame. A keyframe begins a group; NoGroup means that one is needed.</summary>
        /// <param name="encoded">The codec's bitstream.</param>
        /// <param name="keyframe">It decodes by itself.</param>
        /// <param name="capturedUs">When it was captured, Unix time in microseconds.</param>
        /// <param name="config">The codec's parameter sets, with a keyframe, where it keeps them apart.</param>
        public CcFate Write(ReadOnlySpan<byte> encoded, bool keyframe, long capturedUs, ReadOnlySpan<byte> config = default)
        {
            const int others = 40;
            if (_properties.Length < config.Length + others) _properties = new byte[config.Length + others];
            _marks[0] = (byte)(Whole | (keyframe ? Independent : 0));
            var properties = new PropertyWriter(_properties);
            properties.Add(Constants.PropertyLocVideoFrameMarking, _marks);
            if (config.Length > 0) properties.Add(Constants.PropertyLocVideoConfig, config);
            properties.Add(Constants.PropertyLocTimestamp, (ulong)Math.Max(0, capturedUs));
            var fate = Publication.Send(encoded, properties: properties.Written, flags: keyframe ? CcSendFlags.NewGroup : 0);
            KeyframeWanted = fate != CcFate.Queued || (KeyframeWanted && !keyframe);
            return fate;
        }

        /// <summary>Ends the track.</summary>
        public void Dispose() => Publication.Dispose();
    }
}
