// Tracks of others: what has arrived is drained in batches and read in place, in the core's memory.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>What to subscribe to; zero and null mean the native core's default.</summary>
    public sealed class SubscribeOptions
    {
        /// <summary>All tracks below this namespace; with a Name, the namespace of that one track.</summary>
        public string Namespace { get; set; } = "";
        /// <summary>One track by its name; null: all of them.</summary>
        public string? Name { get; set; }
        /// <summary>Only tracks with this tag; null: any.</summary>
        public string? Capability { get; set; }
        /// <summary>Priority among this link's subscriptions: 0 first, 255 last.</summary>
        public byte Priority { get; set; } = (byte)Constants.PriorityNormal;
        /// <summary>In which order groups are sent.</summary>
        public CcGroupOrder Order { get; set; }
        /// <summary>Bound of the frames that wait for a Drain, in bytes.</summary>
        public ulong FeedBytes { get; set; }
    }

    /// <summary>A subscription. One thread at a time may drain it.</summary>
    public sealed unsafe class Subscription : IDisposable
    {
        /// <summary>The native handle, by which events name it.</summary>
        public ulong Handle { get; }

        /// <summary>The node below it, which it keeps open.</summary>
        public Node Node { get; }

        /// <summary>On a link, or on a relay's node itself.</summary>
        internal Subscription(Node node, ulong scope, SubscribeOptions options)
        {
            using var texts = new Texts();
            var config = CcSubscribeConfig.Create();
            config.Flags = options.Name == null ? 0 : CcSubscribeFlags.Exact;
            config.Ns = texts.Add(options.Namespace);
            config.Name = texts.Add(options.Name);
            config.Capability = texts.Add(options.Capability);
            config.Priority = options.Priority;
            config.Order = options.Order;
            config.FeedBytes = options.FeedBytes;
            ulong handle;
            Failures.Check(Native.Subscribe(scope, &config, &handle));
            (Node, Handle) = (node, handle);
        }

        /// <summary>Takes the frames that wait, without garbage. Good until the next Drain, or until this, its link or its node closes.</summary>
        public Batch Drain()
        {
            var batch = CcBatch.Create();
            Failures.Check(Native.Drain(Handle, &batch));
            return new Batch(this, batch);
        }

        /// <summary>What a track was published with, for a PropertyReader; the bytes written, 0 for a track that is over.</summary>
        public int TrackProperties(ulong track, Span<byte> into)
        {
            uint length;
            fixed (byte* at = into)
                Failures.Check(Native.TrackProperties(Handle, track, at, (uint)into.Length, &length));
            return (int)length;
        }

        /// <summary>Counters of the subscription.</summary>
        public CcSubscriptionStats Stats()
        {
            var stats = CcSubscriptionStats.Create();
            Failures.Check(Native.SubscriptionStats(Handle, &stats));
            return stats;
        }

        /// <summary>Ends the subscription, if it has not ended; its batch is no longer good.</summary>
        public void Dispose() => Native.SubscribeClose(Handle);
    }

    /// <summary>The frames of one Drain, for a foreach.</summary>
    public readonly unsafe ref struct Batch
    {
        private readonly Subscription _owner;
        private readonly CcBatch _raw;

        internal Batch(Subscription owner, in CcBatch raw)
        {
            _owner = owner;
            _raw = raw;
        }

        /// <summary>How many there are.</summary>
        public int Count => (int)_raw.Count;

        /// <summary>Frames dropped since the drain before, as nobody took them in time.</summary>
        public ulong Dropped => _raw.Dropped;

        /// <summary>One of them.</summary>
        public Frame this[int index]
        {
            get
            {
                if ((uint)index >= _raw.Count) throw new ArgumentOutOfRangeException(nameof(index));
                return new Frame(_raw.Frames + index, _raw.Data);
            }
        }

        /// <summary>For a foreach.</summary>
        public Enumerator GetEnumerator() => new Enumerator(_owner, _raw);

        /// <summary>Walks over the frames.</summary>
        public ref struct Enumerator
        {
            private readonly Subscription _owner;
            private readonly byte* _data;
            private readonly CcFrame* _end;
            private CcFrame* _at;

            internal Enumerator(Subscription owner, in CcBatch batch)
            {
                _owner = owner;
                _data = batch.Data;
                _at = batch.Frames - 1;
                _end = batch.Frames + batch.Count;
            }

            /// <summary>The frame reached.</summary>
            public Frame Current => new Frame(_at, _data);

            /// <summary>Goes on to the next, if there is one.</summary>
            public bool MoveNext()
            {
                if (++_at < _end) return true;
                // Up to here nothing may finalize the node, whose memory the frames are in.
                GC.KeepAlive(_owner);
                return false;
            }
        }
    }

    /// <summary>A frame or message, in the core's memory.</summary>
    public readonly unsafe ref struct Frame
    {
        private readonly CcFrame* _raw;
        private readonly byte* _data;

        internal Frame(CcFrame* raw, byte* data)
        {
            _raw = raw;
            _data = data;
        }

        /// <summary>Its track, as TrackAdded names it.</summary>
        public ulong Track => _raw->Track;
        /// <summary>Its group's id.</summary>
        public ulong Group => _raw->Group;
        /// <summary>Its object's id; a fragmented frame's first.</summary>
        public ulong Object => _raw->Object;
        /// <summary>When it arrived, in microseconds of Node.NowUs.</summary>
        public ulong ReceivedUs => _raw->ReceivedUs;
        /// <summary>The publisher's priority: 0 first, 255 last.</summary>
        public byte Priority => _raw->Priority;
        /// <summary>How it came.</summary>
        public CcFrameFlags Flags => _raw->Flags;
        /// <summary>Datagrams that it came in.</summary>
        public uint Fragments => _raw->Fragments;
        /// <summary>What was sent.</summary>
        public ReadOnlySpan<byte> Payload => new ReadOnlySpan<byte>(_data + _raw->PayloadAt, (int)_raw->PayloadLen);
        /// <summary>Its properties, as encoded key-value pairs.</summary>
        public ReadOnlySpan<byte> Properties =>
            new ReadOnlySpan<byte>(_data + _raw->PropertiesAt, (int)_raw->PropertiesLen);
    }
}
