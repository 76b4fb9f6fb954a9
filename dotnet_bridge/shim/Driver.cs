// A small driver with UTP's behaviour over any INetworkInterface. Its handshake and reliable header are its own;
// what an interface can rely on is UTP's: the types of packets, the token behind them, the pipeline's id at byte 9.
#nullable enable

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Unity.Collections;
using Unity.Jobs;
using Unity.Networking.Transport.Error;

namespace Unity.Networking.Transport
{
    /// <summary>A connection of a driver.</summary>
    public struct NetworkConnection : IEquatable<NetworkConnection>
    {
        internal int Id;
        /// <summary>The driver's place in a MultiNetworkDriver, from 1; 0 without one.</summary>
        internal int Driver;

        public enum State
        {
            Disconnected,
            Disconnecting,
            Connecting,
            Connected,
        }

        public bool IsCreated => Id != 0;

        public bool Equals(NetworkConnection other) => Id == other.Id && Driver == other.Driver;

        public override bool Equals(object? other) => other is NetworkConnection one && Equals(one);

        public override int GetHashCode() => Id * 31 + Driver;
    }

    public static class NetworkEvent
    {
        public enum Type : short
        {
            Empty = 0,
            Data = 1,
            Connect = 2,
            Disconnect = 3,
        }
    }

    /// <summary>A pipeline, by the number of the CreatePipeline call that made it.</summary>
    public struct NetworkPipeline
    {
        internal int Id;

        public static NetworkPipeline Null => default;

        public bool Equals(NetworkPipeline other) => Id == other.Id;
    }

    /// <summary>The driver: listens or connects, and is moved on by ScheduleUpdate.</summary>
    public struct NetworkDriver : IDisposable
    {
        private DriverState _state;

        /// <summary>A driver over a copy of the interface.</summary>
        public static NetworkDriver Create<N>(N networkInterface, NetworkSettings settings = default) where N : unmanaged, INetworkInterface =>
            new NetworkDriver { _state = new DriverState(new Held<N>(networkInterface), settings) };

        public bool IsCreated => _state != null;

        public bool Bound => _state.Bound;

        public bool Listening => _state.Listening;

        public int Bind(NetworkEndpoint endpoint) => _state.Bind(endpoint);

        public int Listen() => _state.Listen();

        public NetworkEndpoint GetLocalEndpoint() => _state.Interface.LocalEndpoint;

        public NetworkConnection Connect(NetworkEndpoint endpoint) => _state.Connect(endpoint);

        public NetworkConnection Accept() => _state.Accept();

        public int Disconnect(NetworkConnection connection) => _state.Disconnect(connection.Id);

        public NetworkConnection.State GetConnectionState(NetworkConnection connection) => _state.StateOf(connection.Id);

        public NetworkEndpoint GetRemoteEndpoint(NetworkConnection connection) => _state.EndpointOf(connection.Id);

        public NetworkPipeline CreatePipeline(params Type[] stages) =>
            _state.CreatePipeline(Array.ConvertAll(stages, one => NetworkPipelineStageId.Of(one)));

        public NetworkPipeline CreatePipeline(NativeArray<NetworkPipelineStageId> stages) => _state.CreatePipeline(stages.ToArray());

        /// <summary>Makes a stage that is not the package's own known to this driver.</summary>
        public void RegisterPipelineStage<T>(T stage) where T : unmanaged, INetworkPipelineStage =>
            _state.Stages.Add(NetworkPipelineStageId.Get<T>());

        internal int Pipelines => _state.Pipelines;

        /// <summary>The shim's own: the names of a pipeline's stages.</summary>
        public string Describe(int pipeline) => _state.Describe(pipeline);

        public int BeginSend(NetworkPipeline pipe, NetworkConnection connection, out DataStreamWriter writer) =>
            _state.BeginSend(pipe.Id, connection.Id, out writer);

        public int EndSend(DataStreamWriter writer) => _state.EndSend(writer);

        public NetworkEvent.Type PopEvent(out NetworkConnection connection, out DataStreamReader reader, out NetworkPipeline pipe) =>
            _state.PopEvent(out connection, out reader, out pipe);

        public JobHandle ScheduleUpdate(JobHandle dep = default) => _state.Update(dep);

        public JobHandle ScheduleFlushSend(JobHandle dep = default) => _state.Flush(dep);

        public void Dispose() => _state.Dispose();
    }

    /// <summary>An interface, whatever its type, as its one copy.</summary>
    internal interface IHeld : INetworkInterface { }

    internal sealed class Held<N> : IHeld where N : unmanaged, INetworkInterface
    {
        private N _copy;

        public Held(N given) => _copy = given;

        public NetworkEndpoint LocalEndpoint => _copy.LocalEndpoint;

        public int Initialize(ref NetworkSettings settings, ref int packetPadding) => _copy.Initialize(ref settings, ref packetPadding);

        public JobHandle ScheduleReceive(ref ReceiveJobArguments arguments, JobHandle dep) => _copy.ScheduleReceive(ref arguments, dep);

        public JobHandle ScheduleSend(ref SendJobArguments arguments, JobHandle dep) => _copy.ScheduleSend(ref arguments, dep);

        // UTP binds and listens on a copy of what it holds.
        public int Bind(NetworkEndpoint endpoint)
        {
            var copy = _copy;
            return copy.Bind(endpoint);
        }

        public int Listen()
        {
            var copy = _copy;
            return copy.Listen();
        }

        public void Dispose() => _copy.Dispose();
    }

    /// <summary>The shim's random numbers: the system's, or what follows from a seed where a test sets one.</summary>
    public static class Dice
    {
        /// <summary>Where they come from; negative: from the system.</summary>
        public static int Seed { get; set; } = -1;

        internal static Random New() => Seed < 0 ? new Random() : new Random(Seed++);
    }

    /// <summary>What a NetworkDriver's copies share.</summary>
    internal sealed unsafe class DriverState
    {
        private const byte Data = 1, Bye = 2, Heartbeat = 3, Request = 6, Accepted = 7;
        private const int TokenBytes = 8, Header = 1 + TokenBytes + 1;

        private readonly Dictionary<int, Connection> _connections = new Dictionary<int, Connection>();
        private readonly Dictionary<NetworkEndpoint, Connection> _byEndpoint = new Dictionary<NetworkEndpoint, Connection>();
        private readonly Queue<(NetworkEvent.Type Type, int Id, byte[] Data, int Pipeline)> _events =
            new Queue<(NetworkEvent.Type, int, byte[], int)>();
        private readonly Queue<int> _accepted = new Queue<int>();
        private readonly List<Stages> _pipelines = new List<Stages> { default };
        private readonly List<string> _names = new List<string> { "" };
        private readonly SimulatorUtility.Parameters _simulator;
        private readonly double _began = UnityEngine.Time.realtimeSinceStartupAsDouble;
        private readonly NetworkConfigParameter _config;
        private readonly PacketsQueue _receive, _send;
        private readonly int* _result = (int*)Marshal.AllocHGlobal(sizeof(int));
        private readonly byte* _writing;
        private readonly int _largest;
        private readonly Random _random = Dice.New();
        private JobHandle _running;
        private long _time;
        private int _last;
        private (int Id, int Pipeline) _ticket;

        public DriverState(IHeld held, NetworkSettings settings)
        {
            Interface = held;
            _config = settings.GetNetworkConfigParameters();
            int padding = Header;
            int code = held.Initialize(ref settings, ref padding);
            if (code != 0) throw new InvalidOperationException($"The interface failed to initialize: {code}");
            if (padding < Header) throw new InvalidOperationException("The interface took away padding");
            settings.TryGet(out _simulator);
            _largest = settings.TryGet<FragmentationUtility.Parameters>(out var fragments) ? fragments.PayloadCapacity : 4096;
            _writing = (byte*)Marshal.AllocHGlobal(Math.Max(_largest, _config.maxMessageSize));
            _receive = PacketsQueue.Create(_config.receiveQueueCapacity, _config.maxMessageSize);
            _send = PacketsQueue.Create(_config.sendQueueCapacity, _config.maxMessageSize);
        }

        private long Elapsed => (long)((UnityEngine.Time.realtimeSinceStartupAsDouble - _began) * 1000);

        public IHeld Interface { get; }

        public bool Bound { get; private set; }

        public bool Listening { get; private set; }

        public int Bind(NetworkEndpoint endpoint)
        {
            if (Bound) return (int)StatusCode.NetworkStateMismatch;
            int code = Interface.Bind(endpoint);
            Bound = code == 0;
            return code;
        }

        public int Listen()
        {
            if (!Bound || Listening) return (int)StatusCode.NetworkStateMismatch;
            int code = Interface.Listen();
            Listening = code == 0;
            return code;
        }

        public NetworkConnection Connect(NetworkEndpoint endpoint)
        {
            if (!Bound)
            {
                // The implicit Bind: any port of the family, or the remote endpoint itself for a custom one.
                var any = endpoint.Family == NetworkFamily.Ipv6 ? NetworkEndpoint.AnyIpv6 : NetworkEndpoint.AnyIpv4;
                if (Bind(endpoint.Family == NetworkFamily.Custom ? endpoint : any) != 0) return default;
            }
            var made = Add(endpoint, NetworkConnection.State.Connecting);
            return new NetworkConnection { Id = made.Id };
        }

        public NetworkConnection Accept() => _accepted.Count > 0 ? new NetworkConnection { Id = _accepted.Dequeue() } : default;

        public int Disconnect(int id)
        {
            if (!_connections.TryGetValue(id, out var one)) return (int)StatusCode.NetworkStateMismatch;
            Queue(one, Bye);
            Remove(one);
            return 0;
        }

        public NetworkConnection.State StateOf(int id) =>
            _connections.TryGetValue(id, out var one) ? one.State : NetworkConnection.State.Disconnected;

        public NetworkEndpoint EndpointOf(int id) => _connections.TryGetValue(id, out var one) ? one.Endpoint : default;

        public int Pipelines => _pipelines.Count;

        public string Describe(int pipeline) => _names[pipeline];

        /// <summary>The stages that pipelines of this driver may have.</summary>
        public HashSet<NetworkPipelineStageId> Stages { get; } = new HashSet<NetworkPipelineStageId>
        {
            NetworkPipelineStageId.Get<FragmentationPipelineStage>(), NetworkPipelineStageId.Get<ReliableSequencedPipelineStage>(),
            NetworkPipelineStageId.Get<UnreliableSequencedPipelineStage>(), NetworkPipelineStageId.Get<SimulatorPipelineStage>(),
        };

        public NetworkPipeline CreatePipeline(NetworkPipelineStageId[] stages)
        {
            foreach (var one in stages)
                if (!Stages.Contains(one)) throw new InvalidOperationException($"Trying to create pipeline with invalid stage {one}");
            bool Has<T>() where T : unmanaged, INetworkPipelineStage => Array.IndexOf(stages, NetworkPipelineStageId.Get<T>()) >= 0;
            _names.Add(string.Join(" ", stages));
            _pipelines.Add(new Stages(
                Has<FragmentationPipelineStage>(), Has<ReliableSequencedPipelineStage>(), Has<UnreliableSequencedPipelineStage>(),
                Has<SimulatorPipelineStage>()));
            return new NetworkPipeline { Id = _pipelines.Count - 1 };
        }

        public int BeginSend(int pipeline, int id, out DataStreamWriter writer)
        {
            writer = default;
            if (StateOf(id) != NetworkConnection.State.Connected) return (int)StatusCode.NetworkStateMismatch;
            if (_pipelines[pipeline].Reliable && _connections[id].Lane(pipeline).Reliable.IsFull) return (int)StatusCode.NetworkSendQueueFull;
            writer = new DataStreamWriter(_writing, _pipelines[pipeline].Fragmented ? _largest : Room(pipeline));
            _ticket = (id, pipeline);
            return 0;
        }

        public int EndSend(DataStreamWriter writer)
        {
            var (id, pipeline) = _ticket;
            _ticket = default;
            if (!_connections.TryGetValue(id, out var one)) return (int)StatusCode.NetworkStateMismatch;
            var message = new ReadOnlySpan<byte>(writer.Start, writer.Length).ToArray();
            var (fragments, reliable, _) = one.Lane(pipeline);
            IEnumerable<byte[]> pieces = new[] { message };
            if (_pipelines[pipeline].Fragmented) pieces = fragments.Split(message, Room(pipeline) - FragmentLane.Header);
            foreach (var piece in pieces)
                if (_pipelines[pipeline].Reliable) reliable.Add(piece);
                else if (_pipelines[pipeline].Sequenced ? !Queue(one, Data, pipeline, BitConverter.GetBytes(++one.Lane(pipeline).Order.Out), piece) : !Queue(one, Data, pipeline, default, piece)) return (int)StatusCode.NetworkSendQueueFull;
            return writer.Length;
        }

        /// <summary>What one packet of a pipeline takes.</summary>
        private int Room(int pipeline) => _config.maxMessageSize - Header - (_pipelines[pipeline].Reliable ? ReliableLane.Header : 0)
            - (_pipelines[pipeline].Sequenced ? OrderLane.Header : 0);

        public NetworkEvent.Type PopEvent(out NetworkConnection connection, out DataStreamReader reader, out NetworkPipeline pipe)
        {
            connection = default;
            reader = default;
            pipe = default;
            if (_events.Count == 0) return NetworkEvent.Type.Empty;
            var one = _events.Dequeue();
            connection.Id = one.Id;
            reader = new DataStreamReader(one.Data);
            pipe.Id = one.Pipeline;
            return one.Type;
        }

        public JobHandle Update(JobHandle dep)
        {
            _running.Complete();
            _time = _config.fixedFrameTimeMS > 0 ? _time + _config.fixedFrameTimeMS : Elapsed;
            _receive.Clear();
            *_result = 0;
            var arguments = new ReceiveJobArguments { ReceiveQueue = _receive, ReceiveResult = new OperationResult(_result), Time = _time };
            dep = Bound ? Interface.ScheduleReceive(ref arguments, dep) : dep;
            return _running = Send(JobRunner.Then(dep, Process));
        }

        public JobHandle Flush(JobHandle dep)
        {
            _running.Complete();
            return _running = Send(dep);
        }

        public void Dispose()
        {
            _running.Complete();
            Interface.Dispose();
            _receive.Free();
            _send.Free();
            Marshal.FreeHGlobal((IntPtr)_result);
            Marshal.FreeHGlobal((IntPtr)_writing);
        }

        private JobHandle Send(JobHandle dep)
        {
            var arguments = new SendJobArguments { SendQueue = _send, Time = _time };
            dep = Bound ? Interface.ScheduleSend(ref arguments, dep) : dep;
            return JobRunner.Then(dep, () => _send.Clear());
        }

        private void Process()
        {
            for (int index = 0; index < _receive.Count; index++)
            {
                var packet = _receive[index];
                if (packet.Length < 1 + TokenBytes) continue;
                Receive(packet.EndpointRef, new ReadOnlySpan<byte>((byte*)packet.GetUnsafePayloadPtr() + packet.Offset, packet.Length));
            }
            foreach (var one in new List<Connection>(_connections.Values)) Tend(one);
        }

        private void Receive(NetworkEndpoint from, ReadOnlySpan<byte> packet)
        {
            ulong token = MemoryMarshal.Read<ulong>(packet.Slice(1));
            _byEndpoint.TryGetValue(from, out var one);
            if (packet[0] == Request && Listening)
            {
                if (one != null && one.Token != token) End(one, DisconnectReason.ClosedByRemote);
                if (one == null || one.Token != token)
                {
                    one = Add(from, NetworkConnection.State.Connected);
                    one.Token = token;
                    _accepted.Enqueue(one.Id);
                }
                Queue(one, Accepted);
                return;
            }
            if (one == null || token != one.Token) return;
            one.Heard = _time;
            if (packet[0] == Accepted && one.State == NetworkConnection.State.Connecting)
            {
                one.State = NetworkConnection.State.Connected;
                _events.Enqueue((NetworkEvent.Type.Connect, one.Id, Array.Empty<byte>(), 0));
            }
            else if (packet[0] == Bye) End(one, DisconnectReason.ClosedByRemote);
            else if (packet[0] == Data && packet.Length >= Header && packet[9] < _pipelines.Count)
            {
                int pipeline = packet[9];
                if (_pipelines[pipeline].Sequenced)
                {
                    if (packet.Length >= Header + OrderLane.Header && one.Lane(pipeline).Order.IsNext(packet.Slice(Header)))
                        Deliver(one, pipeline, packet.Slice(Header + OrderLane.Header).ToArray());
                }
                else if (!_pipelines[pipeline].Reliable) Deliver(one, pipeline, packet.Slice(Header).ToArray());
                else if (packet.Length >= Header + ReliableLane.Header)
                    one.Lane(pipeline).Reliable.Receive(packet.Slice(Header), piece => Deliver(one, pipeline, piece));
            }
        }

        private void Deliver(Connection one, int pipeline, byte[] piece)
        {
            var message = _pipelines[pipeline].Fragmented ? one.Lane(pipeline).Fragments.Join(piece) : piece;
            if (message != null) _events.Enqueue((NetworkEvent.Type.Data, one.Id, message, pipeline));
        }

        /// <summary>A connection's own time: attempts, reliable packets, heartbeats, and the time-out.</summary>
        private void Tend(Connection one)
        {
            if (one.State == NetworkConnection.State.Connecting)
            {
                if (one.Attempts > 0 && _time - one.Sent < _config.connectTimeoutMS) return;
                if (one.Attempts++ < _config.maxConnectAttempts) Queue(one, Request);
                else End(one, DisconnectReason.MaxConnectionAttempts);
                return;
            }
            if (_time - one.Heard > _config.disconnectTimeoutMS)
            {
                Queue(one, Bye);
                End(one, DisconnectReason.Timeout);
                return;
            }
            foreach (var lane in one.Lanes)
                lane.Value.Reliable.Due(_time, (header, message) => Queue(one, Data, lane.Key, header, message));
            if (_time - one.Sent >= _config.heartbeatTimeoutMS) Queue(one, Heartbeat);
        }

        private Connection Add(NetworkEndpoint endpoint, NetworkConnection.State state)
        {
            var made = new Connection(++_last, endpoint) { State = state, Heard = _time, Sent = _time };
            made.Token = ((ulong)(uint)_random.Next() << 32) | (uint)_random.Next();
            _connections[made.Id] = made;
            _byEndpoint[endpoint] = made;
            return made;
        }

        private void End(Connection one, DisconnectReason reason)
        {
            _events.Enqueue((NetworkEvent.Type.Disconnect, one.Id, new[] { (byte)reason }, 0));
            Remove(one);
        }

        private void Remove(Connection one)
        {
            _connections.Remove(one.Id);
            if (_byEndpoint.TryGetValue(one.Endpoint, out var held) && held == one) _byEndpoint.Remove(one.Endpoint);
        }

        private bool Queue(Connection one, byte type) => Queue(one, type, -1, default, default);

        private bool Queue(Connection one, byte type, int pipeline, ReadOnlySpan<byte> header, ReadOnlySpan<byte> message)
        {
            // The simulator stage loses what it loses without a word.
            if (pipeline >= 0 && _pipelines[pipeline].Simulated && _random.Next(100) < _simulator.PacketDropPercentage) return true;
            if (!_send.EnqueuePacket(out var packet)) return false;
            packet.EndpointRef = one.Endpoint;
            packet.AppendToPayload(&type, 1);
            ulong token = one.Token;
            packet.AppendToPayload(&token, TokenBytes);
            byte id = (byte)pipeline;
            if (pipeline >= 0) packet.AppendToPayload(&id, 1);
            fixed (byte* at = header)
                packet.AppendToPayload(at, header.Length);
            fixed (byte* at = message)
                packet.AppendToPayload(at, message.Length);
            one.Sent = _time;
            return true;
        }

        /// <summary>A connection: the token in all its packets, and when it was last heard and written to.</summary>
        private sealed class Connection
        {
            public readonly int Id;
            public readonly NetworkEndpoint Endpoint;
            public readonly Dictionary<int, (FragmentLane Fragments, ReliableLane Reliable, OrderLane Order)> Lanes =
                new Dictionary<int, (FragmentLane, ReliableLane, OrderLane)>();
            public NetworkConnection.State State;
            public ulong Token;
            public long Heard, Sent;
            public int Attempts;

            public Connection(int id, NetworkEndpoint endpoint) => (Id, Endpoint) = (id, endpoint);

            public (FragmentLane Fragments, ReliableLane Reliable, OrderLane Order) Lane(int pipeline)
            {
                if (!Lanes.TryGetValue(pipeline, out var lane)) Lanes[pipeline] = lane = (new FragmentLane(), new ReliableLane(), new OrderLane());
                return lane;
            }
        }
    }
}
