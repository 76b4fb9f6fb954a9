// Unity Transport's own interfaces, small: plain UDP, and packets within the process. Their jobs are done where they are scheduled.
#nullable enable

using System;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using Unity.Jobs;

namespace Unity.Networking.Transport
{
    /// <summary>A UDP socket.</summary>
    public unsafe struct UDPNetworkInterface : INetworkInterface
    {
        private static readonly ConcurrentDictionary<int, Socket> Sockets = new ConcurrentDictionary<int, Socket>();
        private static int s_last;
        private int _id;

        public NetworkEndpoint LocalEndpoint => Sockets.TryGetValue(_id, out var one) ? From((IPEndPoint)one.LocalEndPoint!) : default;

        public int Initialize(ref NetworkSettings settings, ref int packetPadding)
        {
            _id = Interlocked.Increment(ref s_last);
            return 0;
        }

        public int Bind(NetworkEndpoint endpoint)
        {
            var made = new Socket(SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
            try
            {
                made.Bind(To(endpoint));
            }
            catch (SocketException)
            {
                made.Dispose();
                return (int)Error.StatusCode.NetworkSocketError;
            }
            Sockets[_id] = made;
            return 0;
        }

        public int Listen() => 0;

        public JobHandle ScheduleReceive(ref ReceiveJobArguments arguments, JobHandle dep)
        {
            dep.Complete();
            if (!Sockets.TryGetValue(_id, out var socket)) return default;
            var bytes = new byte[NetworkParameterConstants.AbsoluteMaxMessageSize];
            EndPoint from = new IPEndPoint(IPAddress.IPv6Any, 0);
            while (socket.Available > 0)
            {
                int length;
                try
                {
                    length = socket.ReceiveFrom(bytes, ref from);
                }
                catch (SocketException)
                {
                    break;
                }
                if (!arguments.ReceiveQueue.EnqueuePacket(out var packet)) break;
                packet.EndpointRef = From((IPEndPoint)from);
                fixed (byte* at = bytes) packet.AppendToPayload(at, length);
            }
            return default;
        }

        public JobHandle ScheduleSend(ref SendJobArguments arguments, JobHandle dep)
        {
            dep.Complete();
            if (!Sockets.TryGetValue(_id, out var socket)) return default;
            for (int at = 0; at < arguments.SendQueue.Count; at++)
            {
                var packet = arguments.SendQueue[at];
                if (packet.Length == 0) continue;
                var bytes = new ReadOnlySpan<byte>((byte*)packet.GetUnsafePayloadPtr() + packet.Offset, packet.Length).ToArray();
                try
                {
                    socket.SendTo(bytes, To(packet.EndpointRef));
                }
                catch (SocketException)
                {
                    // Nobody is there; UTP hears of it by its time-outs.
                }
            }
            return default;
        }

        public void Dispose()
        {
            if (Sockets.TryRemove(_id, out var one)) one.Dispose();
        }

        private static IPEndPoint To(NetworkEndpoint endpoint) =>
            new IPEndPoint(new IPAddress(endpoint.GetRawAddressBytes().ToArray()).MapToIPv6(), endpoint.Port);

        private static NetworkEndpoint From(IPEndPoint endpoint)
        {
            var address = endpoint.Address.IsIPv4MappedToIPv6 ? endpoint.Address.MapToIPv4() : endpoint.Address;
            var family = address.AddressFamily == AddressFamily.InterNetworkV6 ? NetworkFamily.Ipv6 : NetworkFamily.Ipv4;
            return NetworkEndpoint.Parse(address.ToString(), (ushort)endpoint.Port, family);
        }
    }

    /// <summary>Queues within the process, by port.</summary>
    public unsafe struct IPCNetworkInterface : INetworkInterface
    {
        private static readonly ConcurrentDictionary<int, ConcurrentQueue<(int From, byte[] Data)>> Boxes =
            new ConcurrentDictionary<int, ConcurrentQueue<(int, byte[])>>();
        private static readonly ConcurrentDictionary<int, int> Ports = new ConcurrentDictionary<int, int>();
        private static int s_last, s_lastPort = 60000;
        private int _id;

        public NetworkEndpoint LocalEndpoint =>
            NetworkEndpoint.LoopbackIpv4.WithPort((ushort)(Ports.TryGetValue(_id, out int port) ? port : 0));

        public int Initialize(ref NetworkSettings settings, ref int packetPadding)
        {
            _id = Interlocked.Increment(ref s_last);
            return 0;
        }

        public int Bind(NetworkEndpoint endpoint)
        {
            int port = endpoint.Port != 0 ? endpoint.Port : Interlocked.Increment(ref s_lastPort);
            if (!Boxes.TryAdd(port, new ConcurrentQueue<(int, byte[])>())) return (int)Error.StatusCode.NetworkSocketError;
            Ports[_id] = port;
            return 0;
        }

        public int Listen() => 0;

        public JobHandle ScheduleReceive(ref ReceiveJobArguments arguments, JobHandle dep)
        {
            dep.Complete();
            if (!Ports.TryGetValue(_id, out int port) || !Boxes.TryGetValue(port, out var box)) return default;
            while (arguments.ReceiveQueue.Count < arguments.ReceiveQueue.Capacity && box.TryDequeue(out var one))
            {
                if (!arguments.ReceiveQueue.EnqueuePacket(out var packet)) break;
                packet.EndpointRef = NetworkEndpoint.LoopbackIpv4.WithPort((ushort)one.From);
                fixed (byte* at = one.Data) packet.AppendToPayload(at, one.Data.Length);
            }
            return default;
        }

        public JobHandle ScheduleSend(ref SendJobArguments arguments, JobHandle dep)
        {
            dep.Complete();
            if (!Ports.TryGetValue(_id, out int port)) return default;
            for (int at = 0; at < arguments.SendQueue.Count; at++)
            {
                var packet = arguments.SendQueue[at];
                if (packet.Length == 0 || !Boxes.TryGetValue(packet.EndpointRef.Port, out var box)) continue;
                box.Enqueue((port, new ReadOnlySpan<byte>((byte*)packet.GetUnsafePayloadPtr() + packet.Offset, packet.Length).ToArray()));
            }
            return default;
        }

        public void Dispose()
        {
            if (Ports.TryRemove(_id, out int port)) Boxes.TryRemove(port, out _);
        }
    }
}
