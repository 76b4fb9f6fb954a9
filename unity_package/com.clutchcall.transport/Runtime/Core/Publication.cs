// A track that is published here: frames or messages go out by Send, which copies, never blocks and leaves no garbage.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>A track and its habits; zero and null mean the native core's default.</summary>
    public sealed class TrackOptions
    {
        /// <summary>How it travels: frames as datagrams, frames as streams, text, audio or video.</summary>
        public CcTrackKind Kind { get; set; } = CcTrackKind.FrameDatagram;
        /// <summary>Its namespace, slashes between the fields, such as games/room1/up.</summary>
        public string Namespace { get; set; } = "";
        /// <summary>Its name in there.</summary>
        public string Name { get; set; } = "";
        /// <summary>The tag by which subscribers choose; Constants has the usual ones.</summary>
        public string? Capability { get; set; }
        /// <summary>Keep the newest frame only where a queue builds up.</summary>
        public bool LatestWins { get; set; }
        /// <summary>Group ids count microseconds: for more than 1,000 frames a second.</summary>
        public bool MicrosecondGroups { get; set; }
        /// <summary>Priority of frames sent without one: 0 first, 255 last.</summary>
        public byte Priority { get; set; } = (byte)Constants.PriorityNormal;
        /// <summary>How long a frame sent without a time to live may wait here; zero: as long as it has to.</summary>
        public TimeSpan Ttl { get; set; }
        /// <summary>Messages of a text track that are kept for those who come back.</summary>
        public uint WindowMessages { get; set; }
        /// <summary>Audio: a group a packet, in datagrams instead of streams.</summary>
        public bool Datagram { get; set; }
        /// <summary>How long a group that is over may still be sent on, in relays too; zero: as long as it has to.</summary>
        public TimeSpan Timeout { get; set; }
        /// <summary>Track properties, as PropertyWriter writes them.</summary>
        public byte[]? Properties { get; set; }
        /// <summary>Bound of its sending queue, in bytes.</summary>
        public ulong QueueBytes { get; set; }
    }

    /// <summary>A published track.</summary>
    public sealed unsafe class Publication : IDisposable
    {
        /// <summary>The native handle, by which events and CcSend name the track.</summary>
        public ulong Handle { get; }

        /// <summary>The node below it, which it keeps open.</summary>
        public Node Node { get; }

        /// <summary>A track of a link, or of a relay's node itself.</summary>
        internal Publication(Node node, ulong scope, TrackOptions options)
        {
            using var texts = new Texts();
            var config = CcTrackConfig.Create();
            config.Kind = options.Kind;
            config.Flags = options.LatestWins ? CcTrackFlags.LatestWins : 0;
            config.Flags |= options.MicrosecondGroups ? CcTrackFlags.MicrosecondGroups : 0;
            config.Flags |= options.Datagram ? CcTrackFlags.Datagram : 0;
            uint timeout = Failures.Count(options.Timeout, TimeSpan.TicksPerMillisecond, "Timeout");
            bool datagrams = options.Kind == CcTrackKind.FrameDatagram || options.Datagram;
            (config.ObjectTimeoutMs, config.SubgroupTimeoutMs) = datagrams ? (timeout, 0u) : (0u, timeout);
            config.Properties = texts.Add(options.Properties);
            config.Priority = options.Priority;
            config.Ns = texts.Add(options.Namespace);
            config.Name = texts.Add(options.Name);
            config.Capability = texts.Add(options.Capability);
            config.TtlUs = Microseconds(options.Ttl);
            config.WindowMessages = options.WindowMessages;
            config.QueueBytes = options.QueueBytes;
            ulong handle;
            Failures.Check(Native.Publish(scope, &config, &handle));
            (Node, Handle) = (node, handle);
        }

        /// <summary>Sends a frame; what became of it. Closed once the track or its link is.</summary>
        /// <param name="payload">Copied before the call returns.</param>
        /// <param name="priority">0 first, 255 last; negative: the track's own.</param>
        /// <param name="ttl">How long it may wait here; zero: the track's own.</param>
        /// <param name="properties">Encoded key-value pairs, or none.</param>
        /// <param name="flags">Audio and Video: where groups begin and end.</param>
        public CcFate Send(
            ReadOnlySpan<byte> payload,
            int priority = -1,
            TimeSpan ttl = default,
            ReadOnlySpan<byte> properties = default,
            CcSendFlags flags = 0)
        {
            if (priority > 255) throw new ArgumentOutOfRangeException(nameof(priority), priority, "is above 255");
            CcFate fate;
            fixed (byte* data = payload, pairs = properties)
            {
                var one = new CcSend
                {
                    Publication = Handle,
                    Payload = (ulong)data,
                    PayloadLen = (uint)payload.Length,
                    Properties = (ulong)pairs,
                    PropertiesLen = (uint)properties.Length,
                    TtlUs = Microseconds(ttl),
                    Priority = priority < 0 ? Constants.PriorityDefault : (ushort)priority,
                    Flags = flags,
                };
                Failures.Check(Native.Send(&one, 1, (byte*)&fate));
            }
            return fate;
        }

        /// <summary>Sends frames of any number of tracks in one call; the caller answers for the addresses in them.</summary>
        public static void Send(ReadOnlySpan<CcSend> frames, Span<CcFate> fates)
        {
            if (fates.Length < frames.Length) throw new ArgumentException("has no room for each frame's", nameof(fates));
            fixed (CcSend* first = frames)
            fixed (CcFate* told = fates)
                Failures.Check(Native.Send(first, (uint)frames.Length, (byte*)told));
        }

        /// <summary>Counters of the track.</summary>
        public CcTrackStats Stats()
        {
            var stats = CcTrackStats.Create();
            Failures.Check(Native.TrackStats(Handle, &stats));
            return stats;
        }

        /// <summary>Ends the track, if it has not ended.</summary>
        public void Dispose() => Native.PublishClose(Handle);

        private static uint Microseconds(TimeSpan time) => Failures.Count(time, TimeSpan.TicksPerMillisecond / 1000, "ttl");
    }
}
