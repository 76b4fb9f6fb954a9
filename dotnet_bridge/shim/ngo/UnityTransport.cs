// NGO's UnityTransport, as far as a driver's constructor sees it: its settings, its three pipelines and its hook.
// Reliable messages go as one stream over the reliable pipeline, so that they may be of any size; Unity's framing is another.
#nullable enable

using System;
using System.Collections.Generic;
using System.Linq;
using Unity.Collections;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Error;
using Unity.Networking.Transport.Utilities;

namespace Unity.Netcode.Transports.UTP
{
    public interface INetworkStreamDriverConstructor
    {
        void CreateDriver(
            UnityTransport transport,
            out NetworkDriver driver,
            out NetworkPipeline unreliableFragmentedPipeline,
            out NetworkPipeline unreliableSequencedFragmentedPipeline,
            out NetworkPipeline reliableSequencedPipeline);
    }

#if NGO_2
#if NGO_2_12
    /// <summary>Counts packets for the multiplayer tools' profiler.</summary>
    public struct NetworkMetricsPipelineStage : INetworkPipelineStage { }
#else
    internal struct NetworkMetricsPipelineStage : INetworkPipelineStage { }
#endif
#endif

    public class UnityTransport : NetworkTransport, INetworkStreamDriverConstructor
    {
        public enum ProtocolType
        {
            UnityTransport,
            RelayUnityTransport,
        }

        [Serializable]
        public struct ConnectionAddressData
        {
            public string Address;
            public ushort Port;
            public string ServerListenAddress;
        }

        public const int InitialMaxPacketQueueSize = 128;
        public const int InitialMaxPayloadSize = 6 * 1024;
        private const int ReliableHeader = 4, Window = 64;

        public static INetworkStreamDriverConstructor? s_DriverConstructor;

        public ConnectionAddressData ConnectionData = new ConnectionAddressData { Address = "127.0.0.1", Port = 7777, ServerListenAddress = "" };

        private readonly Dictionary<ulong, NetworkConnection> _connections = new Dictionary<ulong, NetworkConnection>();
        private readonly Dictionary<ulong, (Queue<byte[]> Out, List<byte> In)> _streams = new Dictionary<ulong, (Queue<byte[]>, List<byte>)>();
        private NetworkDriver _driver;
        private NetworkPipeline _unreliable, _sequenced, _reliable;
        private NetworkConnection _server;
        private ulong _last;
        private bool _listening, _started;

        public INetworkStreamDriverConstructor DriverConstructor => s_DriverConstructor ?? this;

        public ProtocolType Protocol { get; private set; }
        public int MaxPacketQueueSize { get; set; } = InitialMaxPacketQueueSize;
        public int MaxPayloadSize { get; set; } = InitialMaxPayloadSize;
        public int HeartbeatTimeoutMS { get; set; } = 500;
        public int ConnectTimeoutMS { get; set; } = 1000;
        public int MaxConnectAttempts { get; set; } = 60;
        public int DisconnectTimeoutMS { get; set; } = 30000;
        public bool UseWebSockets { get; set; }
        public bool UseEncryption { get; set; }

        /// <summary>The shim's own: chooses Unity Relay, as SetRelayServerData does, and has the simulator and profiler stages in the pipelines.</summary>
        public bool Relayed
        {
            set => Protocol = value ? ProtocolType.RelayUnityTransport : ProtocolType.UnityTransport;
        }
        public bool Simulates { get; set; }
        public bool Measures { get; set; }

        /// <summary>The shim's own: drivers that were made by the transport itself.</summary>
        public int Defaults { get; private set; }

        /// <summary>The shim's own: the driver as a test sees it.</summary>
        public NetworkDriver Driver => _driver;

        public override ulong ServerClientId => 0;

        public void SetConnectionData(string ipv4Address, ushort port, string? listenAddress = null) =>
            ConnectionData = new ConnectionAddressData { Address = ipv4Address, Port = port, ServerListenAddress = listenAddress ?? "" };

        public void CreateDriver(
            UnityTransport transport,
            out NetworkDriver driver,
            out NetworkPipeline unreliableFragmentedPipeline,
            out NetworkPipeline unreliableSequencedFragmentedPipeline,
            out NetworkPipeline reliableSequencedPipeline)
        {
            Defaults++;
            driver = NetworkDriver.Create(new UDPNetworkInterface(), Settings());
            Register(ref driver);
            Pipelines(out var first, out var second, out var third);
            unreliableFragmentedPipeline = driver.CreatePipeline(first);
            unreliableSequencedFragmentedPipeline = driver.CreatePipeline(second);
            reliableSequencedPipeline = driver.CreatePipeline(third);
        }

#if NGO_2
        public NetworkSettings GetDefaultNetworkSettings() => Settings();

        public void GetDefaultPipelineConfigurations(
            out NativeArray<NetworkPipelineStageId> unreliableFragmentedPipelineStages,
            out NativeArray<NetworkPipelineStageId> unreliableSequencedFragmentedPipelineStages,
            out NativeArray<NetworkPipelineStageId> reliableSequencedPipelineStages) => Pipelines(
            out unreliableFragmentedPipelineStages, out unreliableSequencedFragmentedPipelineStages, out reliableSequencedPipelineStages);
#endif
#if NGO_2_12
        public void GetDefaultPipelineConfigurations(
            ref NetworkDriver driver,
            out NativeArray<NetworkPipelineStageId> unreliableFragmentedPipelineStages,
            out NativeArray<NetworkPipelineStageId> unreliableSequencedFragmentedPipelineStages,
            out NativeArray<NetworkPipelineStageId> reliableSequencedPipelineStages)
        {
            Register(ref driver);
            Pipelines(
                out unreliableFragmentedPipelineStages, out unreliableSequencedFragmentedPipelineStages, out reliableSequencedPipelineStages);
        }
#endif

        public override void Initialize(NetworkManager? networkManager = null) { }

        public override bool StartServer()
        {
            if (_started) return false;
            Create();
            string address = ConnectionData.ServerListenAddress != "" ? ConnectionData.ServerListenAddress : "127.0.0.1";
            if (!Parse(address, ConnectionData.Port, out var at) || _driver.Bind(at) != 0 || _driver.Listen() != 0)
            {
                Shutdown();
                return false;
            }
            return _listening = true;
        }

        public override bool StartClient()
        {
            if (_started) return false;
            Create();
            if (!Parse(ConnectionData.Address, ConnectionData.Port, out var at))
            {
                Shutdown();
                return false;
            }
            var any = at.Family == NetworkFamily.Ipv6 ? NetworkEndpoint.AnyIpv6 : NetworkEndpoint.AnyIpv4;
            if (_driver.Bind(any) != 0) return false;
            _server = _driver.Connect(at);
            return true;
        }

        public override void Send(ulong clientId, ArraySegment<byte> payload, NetworkDelivery networkDelivery)
        {
            if (networkDelivery == NetworkDelivery.Unreliable || networkDelivery == NetworkDelivery.UnreliableSequenced)
            {
                if (!_connections.TryGetValue(clientId, out var to)) return;
                var pipe = networkDelivery == NetworkDelivery.Unreliable ? _unreliable : _sequenced;
                if (payload.Count > MaxPayloadSize || _driver.BeginSend(pipe, to, out var writer) != 0) return;
                writer.WriteBytes(payload);
                _driver.EndSend(writer);
                return;
            }
            if (!_streams.TryGetValue(clientId, out var stream)) return;
            stream.Out.Enqueue(BitConverter.GetBytes(payload.Count));
            const int piece = 1024;
            for (int at = 0; at < payload.Count; at += piece) stream.Out.Enqueue(payload.Slice(at, Math.Min(piece, payload.Count - at)).ToArray());
        }

        public override NetworkEvent PollEvent(out ulong clientId, out ArraySegment<byte> payload, out float receiveTime)
        {
            (clientId, payload, receiveTime) = (0, default, 0);
            return NetworkEvent.Nothing;
        }

        public override void DisconnectRemoteClient(ulong clientId)
        {
            Flush(clientId);
            if (_connections.TryGetValue(clientId, out var one)) _driver.Disconnect(one);
            Forget(clientId);
        }

        public override void DisconnectLocalClient()
        {
            if (!_started || _listening) return;
            _driver.Disconnect(_server);
            _connections.Clear();
        }

        public override ulong GetCurrentRtt(ulong clientId) => 0;

        public override void Shutdown()
        {
            if (!_started) return;
            _driver.ScheduleFlushSend().Complete();
            _driver.Dispose();
            _connections.Clear();
            _streams.Clear();
            (_started, _listening, _driver) = (false, false, default);
        }

        private void OnDestroy() => Shutdown();

#if NGO_2
        protected override void OnEarlyUpdate() => Turn();

        protected override void OnPostLateUpdate()
        {
            if (!_started) return;
            foreach (ulong id in _streams.Keys.ToArray()) Flush(id);
            _driver.ScheduleFlushSend().Complete();
        }
#else
        private void Update() => Turn();
#endif

        private void Turn()
        {
            if (!_started) return;
            foreach (ulong id in _streams.Keys.ToArray()) Flush(id);
            _driver.ScheduleUpdate().Complete();
            for (var fresh = _driver.Accept(); fresh.IsCreated; fresh = _driver.Accept())
                InvokeOnTransportEvent(NetworkEvent.Connect, Add(fresh), default, 0);
            while (_started)
            {
                var type = _driver.PopEvent(out var from, out var reader, out var pipe);
                if (type == Networking.Transport.NetworkEvent.Type.Empty) break;
                if (type == Networking.Transport.NetworkEvent.Type.Connect) InvokeOnTransportEvent(NetworkEvent.Connect, Add(from), default, 0);
                else if (type == Networking.Transport.NetworkEvent.Type.Disconnect)
                {
                    ulong gone = Named(from);
                    Forget(gone);
                    InvokeOnTransportEvent(NetworkEvent.Disconnect, gone, default, 0);
                }
                else Take(Named(from), ref reader, pipe);
            }
        }

        private void Take(ulong id, ref DataStreamReader reader, NetworkPipeline pipe)
        {
            var bytes = new byte[reader.Length];
            reader.ReadBytes(bytes);
            if (!pipe.Equals(_reliable))
            {
                InvokeOnTransportEvent(NetworkEvent.Data, id, new ArraySegment<byte>(bytes), 0);
                return;
            }
            if (!_streams.TryGetValue(id, out var stream)) return;
            stream.In.AddRange(bytes);
            while (stream.In.Count >= ReliableHeader)
            {
                int length = BitConverter.ToInt32(stream.In.Take(ReliableHeader).ToArray(), 0);
                if (stream.In.Count < ReliableHeader + length) break;
                var message = stream.In.Skip(ReliableHeader).Take(length).ToArray();
                stream.In.RemoveRange(0, ReliableHeader + length);
                InvokeOnTransportEvent(NetworkEvent.Data, id, new ArraySegment<byte>(message), 0);
            }
        }

        private void Flush(ulong id)
        {
            if (!_streams.TryGetValue(id, out var stream) || !_connections.TryGetValue(id, out var to)) return;
            while (stream.Out.Count > 0)
            {
                if (_driver.BeginSend(_reliable, to, out var writer) != 0) return;
                writer.WriteBytes(stream.Out.Dequeue());
                _driver.EndSend(writer);
            }
        }

        private void Create()
        {
            _started = true;
            DriverConstructor.CreateDriver(this, out _driver, out _unreliable, out _sequenced, out _reliable);
        }

        private ulong Add(NetworkConnection one)
        {
            // As there, a server's clients have numbers above 0, and a client's server is 0.
            ulong id = _listening ? ++_last : ServerClientId;
            _connections[id] = one;
            _streams[id] = (new Queue<byte[]>(), new List<byte>());
            return id;
        }

        private ulong Named(NetworkConnection one)
        {
            foreach (var known in _connections)
                if (known.Value.Equals(one)) return known.Key;
            return ServerClientId;
        }

        private void Forget(ulong id)
        {
            _connections.Remove(id);
            _streams.Remove(id);
        }

        private static bool Parse(string address, ushort port, out NetworkEndpoint at) =>
            NetworkEndpoint.TryParse(address, port, out at) || NetworkEndpoint.TryParse(address, port, out at, NetworkFamily.Ipv6);

        private NetworkSettings Settings()
        {
            var settings = new NetworkSettings(Allocator.Temp);
            settings.WithNetworkConfigParameters(
                connectTimeoutMS: ConnectTimeoutMS, maxConnectAttempts: MaxConnectAttempts, disconnectTimeoutMS: DisconnectTimeoutMS,
                heartbeatTimeoutMS: HeartbeatTimeoutMS, receiveQueueCapacity: MaxPacketQueueSize, sendQueueCapacity: MaxPacketQueueSize);
            settings.WithFragmentationStageParameters(payloadCapacity: MaxPayloadSize);
            settings.WithReliableStageParameters(windowSize: Window);
            return settings;
        }

        private void Register(ref NetworkDriver driver)
        {
#if NGO_2
            if (Measures) driver.RegisterPipelineStage(new NetworkMetricsPipelineStage());
#endif
        }

        private void Pipelines(
            out NativeArray<NetworkPipelineStageId> first, out NativeArray<NetworkPipelineStageId> second, out NativeArray<NetworkPipelineStageId> third)
        {
            NativeArray<NetworkPipelineStageId> With(params NetworkPipelineStageId[] stages)
            {
                var all = new List<NetworkPipelineStageId>(stages);
                if (Simulates) all.Add(NetworkPipelineStageId.Get<SimulatorPipelineStage>());
#if NGO_2
                if (Measures) all.Add(NetworkPipelineStageId.Get<NetworkMetricsPipelineStage>());
#endif
                return new NativeArray<NetworkPipelineStageId>(all.ToArray(), Allocator.Temp);
            }

            var fragments = NetworkPipelineStageId.Get<FragmentationPipelineStage>();
            first = With(fragments);
            second = With(fragments, NetworkPipelineStageId.Get<UnreliableSequencedPipelineStage>());
            third = With(NetworkPipelineStageId.Get<ReliableSequencedPipelineStage>());
        }
    }
}
