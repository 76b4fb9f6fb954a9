// The interface without a driver: what it costs in garbage and time, and what it does with odd packets.
#nullable enable

using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using ClutchCall.UnityTransport;
using Unity.Collections;
using Unity.Networking.Transport;

namespace ClutchCall.UnityTests
{
    /// <summary>A server's and a client's interface, called as a driver calls them. Every wait has an end.</summary>
    public sealed unsafe class Direct : IDisposable
    {
        private const int Size = 200, Burst = 32;

        private readonly PacketsQueue _send = PacketsQueue.Create(512, 1400), _receive = PacketsQueue.Create(512, 1400);
        private readonly PacketsQueue _small = PacketsQueue.Create(4, 100);
        private readonly int* _result = (int*)Marshal.AllocHGlobal(sizeof(int));
        private readonly double _patience;
        private ClutchCallNetworkInterface _server, _client;
        private NetworkEndpoint _to;
        private readonly long[] _times = new long[32_768];
        private int _bursts;

        public ClutchCallSession ServerSession { get; } = new ClutchCallSession();
        public long Bytes { get; private set; }
        public int Received { get; private set; }
        public double Nanoseconds { get; private set; }

        public Direct(double patience)
        {
            _patience = patience;
            Open(ref _server, ServerSession);
            Open(ref _client, new ClutchCallSession());
            if (_server.Bind(NetworkEndpoint.LoopbackIpv4) != 0 || _server.Listen() != 0) throw new Exception("no Listen");
            if (_client.Bind(NetworkEndpoint.AnyIpv4) != 0) throw new Exception("no Bind");
            _to = _server.LocalEndpoint;
            // The first packet dials; it and a few more are held until the session is up.
            Give(1, Size);
            Wait("the first packet", () => Take(_receive) == 1);
        }

        /// <summary>Sends so many packets, and takes them; what that leaves on the heap.</summary>
        public void Run(int packets)
        {
            Received = 0;
            var clock = Stopwatch.StartNew();
            _bursts = 0;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int sent = 0; Received < packets;)
            {
                int burst = Math.Min(packets, Received + Burst) - sent;
                if (burst > 0) Give(burst, Size);
                sent += burst;
                Received += Take(_receive);
                if (clock.Elapsed.TotalSeconds > _patience) throw new TimeoutException($"{Received} of {packets}");
                Thread.Yield();
            }
            Bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            // The median, as a shared machine takes the processor away now and then.
            Array.Sort(_times, 0, _bursts);
            Nanoseconds = _times[_bursts / 2] * 1e9 / Stopwatch.Frequency / Burst;
        }

        /// <summary>Packets that do not fit a small queue, in number and in size: what arrives of (few, small) and (one, large).</summary>
        public string Cramped()
        {
            Give(10, 100);
            int most = 0, all = 0;
            Wait("small packets", () =>
            {
                int came = Take(_small);
                most = Math.Max(most, came);
                return (all += came) == 10;
            });
            Give(1, Size);
            Wait("the drop", () =>
            {
                Take(_small);
                return ServerSession.Drops.TooLarge > 0;
            });
            return $"{most} {all} {ServerSession.Drops.TooLarge}";
        }

        /// <summary>A packet from the server to nobody.</summary>
        public ulong ToNobody()
        {
            _send.Clear();
            Add(NetworkEndpoint.Parse("fdcc::1", 1, NetworkFamily.Ipv6), 20);
            var arguments = new SendJobArguments { SendQueue = _send };
            _server.ScheduleSend(ref arguments, default).Complete();
            return ServerSession.Drops.UnknownPeer;
        }

        public void Dispose()
        {
            _client.Dispose();
            _server.Dispose();
            _send.Free();
            _receive.Free();
            _small.Free();
            Marshal.FreeHGlobal((IntPtr)_result);
        }

        private static void Open(ref ClutchCallNetworkInterface one, ClutchCallSession session)
        {
            var settings = new NetworkSettings(Allocator.Temp);
            new ClutchCallOptions { Session = session }.AddTo(ref settings);
            int padding = 0;
            if (one.Initialize(ref settings, ref padding) != 0) throw new Exception("no Initialize");
        }

        private void Give(int count, int size)
        {
            _send.Clear();
            for (int at = 0; at < count; at++) Add(_to, size);
            var arguments = new SendJobArguments { SendQueue = _send };
            long began = Stopwatch.GetTimestamp();
            _client.ScheduleSend(ref arguments, default).Complete();
            _times[_bursts++ % _times.Length] = Stopwatch.GetTimestamp() - began;
        }

        private void Add(NetworkEndpoint to, int size)
        {
            byte* payload = stackalloc byte[size];
            payload[0] = 1;
            var queue = _send;
            if (!queue.EnqueuePacket(out var packet)) throw new Exception("full");
            packet.EndpointRef = to;
            packet.AppendToPayload(payload, size);
            // A packet of no length is skipped.
            if (queue.EnqueuePacket(out var empty)) empty.EndpointRef = to;
        }

        private int Take(PacketsQueue queue)
        {
            queue.Clear();
            var arguments = new ReceiveJobArguments { ReceiveQueue = queue, ReceiveResult = new OperationResult(_result) };
            _server.ScheduleReceive(ref arguments, default).Complete();
            int whole = 0;
            for (int at = 0; at < queue.Count; at++)
                if (queue[at].Length > 0) whole++;
            queue.Clear();
            arguments.ReceiveQueue = _receive;
            _client.ScheduleReceive(ref arguments, default).Complete();
            return whole;
        }

        private void Wait(string what, Func<bool> done)
        {
            var clock = Stopwatch.StartNew();
            while (!done())
            {
                if (clock.Elapsed.TotalSeconds > _patience) throw new TimeoutException($"{what} did not come in time");
                Thread.Sleep(1);
            }
        }
    }
}
