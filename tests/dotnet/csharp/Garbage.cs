// How many bytes of garbage sending and draining leave, and how long they take.
#nullable enable

using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Tests
{
    /// <summary>Two links of one node, through a relay: frames of 200 bytes go from one to the other.</summary>
    public sealed class Garbage : IDisposable
    {
        private const int Burst = 32;

        private readonly Node _node = new Node(new NodeOptions { Bind = "127.0.0.1:0" });
        private readonly Link _from, _to;
        private readonly Publication _up;
        private readonly Subscription _feed;
        private readonly byte[] _payload = new byte[200];
        private readonly CcSend[] _frames = new CcSend[Burst];
        private readonly CcFate[] _fates = new CcFate[Burst];
        private readonly GCHandle _pinned;
        private readonly double _patience;
        private ulong _sum;

        public long Received { get; private set; }
        public long Bytes { get; private set; }
        public double SendNanoseconds { get; private set; }

        public Garbage(string url, string sha256, double patience)
        {
            _patience = patience;
            var options = new LinkOptions { Url = url, TrustSha256 = sha256 };
            (_from, _to) = (_node.Connect(options), _node.Connect(options));
            _feed = _to.Subscribe(new SubscribeOptions { Namespace = "games/garbage" });
            _up = _from.Publish(new TrackOptions { Namespace = "games/garbage", Name = "c1" });
            var clock = Stopwatch.StartNew();
            while (_up.Stats().Subscribers == 0) Pause(clock);
            _pinned = GCHandle.Alloc(_payload, GCHandleType.Pinned);
            for (int at = 0; at < Burst; at++)
                _frames[at] = new CcSend
                {
                    Publication = _up.Handle,
                    Payload = (ulong)_pinned.AddrOfPinnedObject(),
                    PayloadLen = (uint)_payload.Length,
                    Priority = Constants.PriorityDefault,
                };
        }

        /// <summary>Sends so many frames, each alone or a burst in one call, and drains what arrives; with copy, each payload as an array of its own.</summary>
        public void Run(int packets, bool together, bool copy)
        {
            Received = 0;
            var clock = Stopwatch.StartNew();
            long ticks = 0;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int sent = 0; sent < packets || Received < packets;)
            {
                long began = Stopwatch.GetTimestamp();
                // No more than a burst is on its way, so that nothing has to be dropped.
                int room = Math.Min(packets, (int)Received + Burst) - sent;
                if (together) SendTogether(room);
                else SendAlone(room);
                sent += room;
                ticks += Stopwatch.GetTimestamp() - began;
                foreach (var one in _node.Poll()) _sum += one.Handle;
                foreach (var frame in _feed.Drain())
                {
                    _sum += copy ? (ulong)frame.Payload.ToArray().Length : frame.Payload[0];
                    _sum += frame.Priority + (ulong)frame.Properties.Length;
                    Received++;
                }
                if (clock.Elapsed.TotalSeconds > _patience)
                    throw new TimeoutException($"{Received} of {packets} frames came in time");
                Thread.Yield();
            }
            Bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            SendNanoseconds = ticks * 1e9 / Stopwatch.Frequency / packets;
        }

        public void Dispose()
        {
            _node.Dispose();
            if (_pinned.IsAllocated) _pinned.Free();
        }

        private void SendAlone(int count)
        {
            for (int at = 0; at < count; at++)
                if (_up.Send(_payload, at) != CcFate.Queued) throw new Exception("a frame was not queued");
        }

        private void SendTogether(int count)
        {
            Publication.Send(_frames.AsSpan(0, count), _fates);
            for (int at = 0; at < count; at++)
                if (_fates[at] != CcFate.Queued) throw new Exception("a frame was not queued");
        }

        private void Pause(Stopwatch clock)
        {
            _ = _node.Poll().Count;
            if (clock.Elapsed.TotalSeconds > _patience) throw new TimeoutException("nobody subscribed in time");
            Thread.Sleep(1);
        }
    }
}
