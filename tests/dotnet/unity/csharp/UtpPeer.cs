// One end of a game: a driver over the interface, with four pipelines (odd ones reliable, from 2 on with fragments), that echoes or compares.
#nullable enable

using System;
using System.Collections.Generic;
using ClutchCall.UnityTransport;
using Unity.Collections;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Error;

namespace ClutchCall.UnityTests
{
    /// <summary>A server that sends back what comes, or a client that sends and compares. Update is its tick.</summary>
    public sealed class UtpPeer : IDisposable
    {
        private readonly NetworkDriver _driver;
        private readonly NetworkPipeline[] _pipelines;
        private readonly List<NetworkConnection> _connections = new List<NetworkConnection>();
        private readonly Queue<byte[]> _expected = new Queue<byte[]>();
        private readonly HashSet<int> _marks = new HashSet<int>();
        private readonly Queue<(NetworkConnection To, int Pipeline, byte[] Data)> _waiting =
            new Queue<(NetworkConnection, int, byte[])>();
        private NetworkConnection _connection;
        private bool _listening;

        public ClutchCallSession Session { get; } = new ClutchCallSession();
        public List<string> Events { get; } = new List<string>();
        public int Echoed { get; private set; }
        public string Wrong { get; private set; } = "";
        public int Connections => _connections.Count;
        public bool Connected => _driver.GetConnectionState(_connection) == NetworkConnection.State.Connected;
        public int Outstanding => _expected.Count + _marks.Count;

        public UtpPeer(ClutchCallOptions options, int maxMessageSize, int disconnectTimeoutMs, int receiveQueue)
        {
            options.Session = Session;
            var settings = new NetworkSettings(Allocator.Temp);
            settings.WithNetworkConfigParameters(
                disconnectTimeoutMS: disconnectTimeoutMs, maxMessageSize: maxMessageSize, receiveQueueCapacity: receiveQueue);
            settings.WithFragmentationStageParameters(65536);
            options.AddTo(ref settings);
            _driver = NetworkDriver.Create(new ClutchCallNetworkInterface(), settings);
            _pipelines = new[]
            {
                _driver.CreatePipeline(), _driver.CreatePipeline(typeof(ReliableSequencedPipelineStage)),
                _driver.CreatePipeline(typeof(FragmentationPipelineStage)),
                _driver.CreatePipeline(typeof(FragmentationPipelineStage), typeof(ReliableSequencedPipelineStage)),
            };
        }

        /// <summary>Binds and listens; the port, or UTP's status.</summary>
        public int Listen(string address, int port)
        {
            int code = _driver.Bind(Parse(address, port));
            if (code == 0) code = _driver.Listen();
            _listening = code == 0;
            return code == 0 ? _driver.GetLocalEndpoint().Port : code;
        }

        public void Connect(string address, int port) => _connection = _driver.Connect(Parse(address, port));

        public void Disconnect() => _driver.Disconnect(_connection);

        public void DisconnectAll()
        {
            foreach (var one in _connections) _driver.Disconnect(one);
            _connections.Clear();
        }

        public string[] Endpoints() => _connections.ConvertAll(one => _driver.GetRemoteEndpoint(one).ToString()).ToArray();

        /// <summary>The bytes that a message may have at most.</summary>
        public int Room(int pipeline)
        {
            int code = _driver.BeginSend(_pipelines[pipeline], _connection, out var writer);
            if (code != 0) throw new InvalidOperationException($"BeginSend: {code}");
            return writer.Capacity;
        }

        /// <summary>Sends a message of that size, whose echo is to come: in order where the pipeline is reliable.</summary>
        public void Send(int pipeline, int size, int mark)
        {
            var message = new byte[size];
            for (int at = 0; at < size; at++) message[at] = (byte)(mark * 31 + at * 7);
            if (pipeline % 2 == 1) _expected.Enqueue(message);
            else _marks.Add(size);
            _waiting.Enqueue((_connection, pipeline, message));
        }

        /// <summary>Gives up on echoes of the unreliable pipeline.</summary>
        public void Forget() => _marks.Clear();

        public void Update()
        {
            while (_waiting.Count > 0 && TrySend(_waiting.Peek())) _waiting.Dequeue();
            _driver.ScheduleUpdate().Complete();
            for (var fresh = _driver.Accept(); fresh.IsCreated; fresh = _driver.Accept()) _connections.Add(fresh);
            while (true)
            {
                var type = _driver.PopEvent(out var from, out var reader, out var pipe);
                if (type == NetworkEvent.Type.Empty) break;
                if (type == NetworkEvent.Type.Data) Data(from, ref reader, pipe);
                else if (type == NetworkEvent.Type.Connect) Events.Add("connect");
                else
                {
                    Events.Add($"disconnect {(DisconnectReason)reader.ReadByte()}");
                    _connections.Remove(from);
                }
            }
        }

        public void Dispose() => _driver.Dispose();

        private static NetworkEndpoint Parse(string address, int port) => NetworkEndpoint.Parse(
            address, (ushort)port, address.Contains(":") ? NetworkFamily.Ipv6 : NetworkFamily.Ipv4);

        private bool TrySend((NetworkConnection To, int Pipeline, byte[] Data) one)
        {
            int code = _driver.BeginSend(_pipelines[one.Pipeline], one.To, out var writer);
            if (code == (int)StatusCode.NetworkSendQueueFull) return false;
            if (code != 0) return true;
            if (!writer.WriteBytes(one.Data)) throw new InvalidOperationException($"{one.Data.Length} bytes do not fit");
            return _driver.EndSend(writer) >= 0;
        }

        private void Data(NetworkConnection from, ref DataStreamReader reader, NetworkPipeline pipe)
        {
            var message = new byte[reader.Length];
            reader.ReadBytes(message);
            int pipeline = Array.FindIndex(_pipelines, one => one.Equals(pipe));
            Echoed++;
            if (_listening) _waiting.Enqueue((from, pipeline, message));
            else if (pipeline % 2 == 1 && (_expected.Count == 0 || !message.AsSpan().SequenceEqual(_expected.Dequeue())))
                Wrong = $"a reliable message of {message.Length} bytes is not the next";
            else if (pipeline % 2 == 0)
            {
                _marks.Remove(message.Length);
                for (int at = 1; at < message.Length; at++)
                    if ((byte)(message[at] - message[at - 1]) != 7) Wrong = $"an unreliable message of {message.Length} bytes is damaged";
            }
        }
    }
}
