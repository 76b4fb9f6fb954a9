// Netcode for GameObjects as a transport sees it: NetworkTransport, and a NetworkManager that connects, sends and polls.
// Written from the public contract. NGO_2 and NGO_2_12 choose the members of those versions.
#nullable enable

using System;
using System.Collections.Generic;
using UnityEngine;

namespace Unity.Netcode
{
    public enum NetworkDelivery
    {
        Unreliable = 0,
        UnreliableSequenced = 1,
        Reliable = 2,
        ReliableSequenced = 3,
        ReliableFragmentedSequenced = 4,
    }

    public enum NetworkEvent
    {
        Data,
        Connect,
        Disconnect,
        TransportFailure,
        Nothing,
    }

#if NGO_2
    public enum NetworkTopologyTypes
    {
        ClientServer,
        DistributedAuthority,
    }
#endif

    public abstract class NetworkTransport : MonoBehaviour
    {
        public delegate void TransportEventDelegate(NetworkEvent eventType, ulong clientId, ArraySegment<byte> payload, float receiveTime);

        public event TransportEventDelegate? OnTransportEvent;

        public abstract ulong ServerClientId { get; }

        public virtual bool IsSupported => true;

        public abstract void Send(ulong clientId, ArraySegment<byte> payload, NetworkDelivery networkDelivery);

        public abstract NetworkEvent PollEvent(out ulong clientId, out ArraySegment<byte> payload, out float receiveTime);

        public abstract bool StartClient();

        public abstract bool StartServer();

        public abstract void DisconnectRemoteClient(ulong clientId);

        public abstract void DisconnectLocalClient();

        public abstract ulong GetCurrentRtt(ulong clientId);

        public abstract void Shutdown();

        public abstract void Initialize(NetworkManager? networkManager = null);

        protected void InvokeOnTransportEvent(NetworkEvent eventType, ulong clientId, ArraySegment<byte> payload, float receiveTime) =>
            OnTransportEvent?.Invoke(eventType, clientId, payload, receiveTime);

        internal event TransportEventDelegate? Raised
        {
            add => OnTransportEvent += value;
            remove => OnTransportEvent -= value;
        }

#if NGO_2
        protected virtual void OnEarlyUpdate() { }

        protected virtual void OnPostLateUpdate() { }

        protected virtual NetworkTopologyTypes OnCurrentTopology() => NetworkTopologyTypes.ClientServer;

        internal void EarlyUpdate() => OnEarlyUpdate();

        internal void PostLateUpdate() => OnPostLateUpdate();
#endif
    }

    public sealed class NetworkConfig
    {
        public NetworkTransport? NetworkTransport;
    }

    /// <summary>A host is its own client 0, whom no transport knows; a client is let in by the server's first message.</summary>
    [DefaultExecutionOrder(-100)]
    public sealed class NetworkManager : MonoBehaviour
    {
        private const byte Hello = 1, Welcome = 2, Game = 3;

        private readonly Dictionary<ulong, ulong> _clients = new Dictionary<ulong, ulong>();
        private ulong _last;
        private bool _shuttingDown;

        public static NetworkManager? Singleton { get; private set; }

        public NetworkConfig NetworkConfig = new NetworkConfig();

        public event Action<ulong>? OnClientConnectedCallback;
        public event Action<ulong>? OnClientDisconnectCallback;
        public event Action? OnTransportFailure;
        public event Action<bool>? OnClientStopped;

        /// <summary>The shim's own: a message, the client it is from (0: the server), and its bytes.</summary>
        public event Action<ulong, byte[]>? Message;

        public bool IsServer { get; private set; }
        public bool IsClient { get; private set; }
        public bool IsHost => IsServer && IsClient;
        public bool IsListening { get; private set; }
        public bool IsConnectedClient { get; private set; }
        public bool ShutdownInProgress => _shuttingDown;
        public ulong LocalClientId { get; private set; }
        public IReadOnlyList<ulong> ConnectedClientsIds => new List<ulong>(_clients.Keys);
        public string DisconnectReason { get; private set; } = "";

        public bool StartHost()
        {
            if (!StartServer()) return false;
            IsClient = IsConnectedClient = true;
            _clients[0] = 0;
            OnClientConnectedCallback?.Invoke(0);
            return true;
        }

        public bool StartServer() => Begin(one => one.StartServer(), server: true);

        public bool StartClient() => Begin(one => one.StartClient(), server: false);

        public void Shutdown(bool discardMessageQueue = false) => _shuttingDown = true;

        public void DisconnectClient(ulong clientId, string? reason = null)
        {
            var transport = NetworkConfig.NetworkTransport!;
            if (!_clients.TryGetValue(clientId, out ulong id) || clientId == 0) return;
            _clients.Remove(clientId);
            transport.DisconnectRemoteClient(id);
            OnClientDisconnectCallback?.Invoke(clientId);
        }

        /// <summary>The shim's own: sends a message to a client, or to the server.</summary>
        public void Send(ulong clientId, byte[] message, NetworkDelivery delivery)
        {
            var transport = NetworkConfig.NetworkTransport!;
            Give(IsServer ? _clients[clientId] : transport.ServerClientId, Game, message, delivery);
        }

        private bool Begin(Func<NetworkTransport, bool> start, bool server)
        {
            var transport = NetworkConfig.NetworkTransport;
            if (IsListening || transport == null) return false;
            Singleton = this;
            transport.Initialize(this);
            transport.Raised += Handle;
            (IsServer, IsClient, IsConnectedClient, _shuttingDown) = (server, !server, false, false);
            if (!start(transport))
            {
                Stop();
                return false;
            }
            return IsListening = true;
        }

        private void Update()
        {
            var transport = NetworkConfig.NetworkTransport;
            if (!IsListening || transport == null) return;
#if NGO_2
            transport.EarlyUpdate();
#endif
            while (IsListening && !_shuttingDown)
            {
                var type = transport.PollEvent(out ulong id, out var payload, out float time);
                if (type == NetworkEvent.Nothing) break;
                Handle(type, id, payload, time);
            }
        }

        private void LateUpdate()
        {
#if NGO_2
            if (IsListening && NetworkConfig.NetworkTransport != null) NetworkConfig.NetworkTransport.PostLateUpdate();
#endif
            if (_shuttingDown) Stop();
        }

        private void OnDestroy()
        {
            if (IsListening) Stop();
            if (ReferenceEquals(Singleton, this)) Singleton = null;
        }

        private void Handle(NetworkEvent type, ulong id, ArraySegment<byte> payload, float time)
        {
            var transport = NetworkConfig.NetworkTransport!;
            if (type == NetworkEvent.Connect && !IsServer)
                Give(transport.ServerClientId, Hello, Array.Empty<byte>(), NetworkDelivery.ReliableFragmentedSequenced);
            else if (type == NetworkEvent.Data && payload.Count > 0) Take(id, payload);
            else if (type == NetworkEvent.TransportFailure)
            {
                OnTransportFailure?.Invoke();
                _shuttingDown = true;
            }
            else if (type == NetworkEvent.Disconnect && !IsServer)
            {
                OnClientDisconnectCallback?.Invoke(LocalClientId);
                _shuttingDown = true;
            }
            else if (type == NetworkEvent.Disconnect && Named(id) is ulong gone)
            {
                _clients.Remove(gone);
                OnClientDisconnectCallback?.Invoke(gone);
            }
        }

        private void Take(ulong id, ArraySegment<byte> payload)
        {
            byte kind = payload[0];
            var body = payload.Slice(1).ToArray();
            if (kind == Hello && IsServer && Named(id) == null)
            {
                _clients[++_last] = id;
                Give(id, Welcome, BitConverter.GetBytes(_last), NetworkDelivery.ReliableFragmentedSequenced);
                OnClientConnectedCallback?.Invoke(_last);
            }
            else if (kind == Welcome && !IsServer)
            {
                LocalClientId = BitConverter.ToUInt64(body, 0);
                IsConnectedClient = true;
                OnClientConnectedCallback?.Invoke(LocalClientId);
            }
            else if (kind == Game && (!IsServer || Named(id) != null)) Message?.Invoke(IsServer ? Named(id)!.Value : 0, body);
        }

        private ulong? Named(ulong id)
        {
            foreach (var one in _clients)
                if (one.Value == id && one.Key != 0) return one.Key;
            return null;
        }

        private void Give(ulong id, byte kind, byte[] body, NetworkDelivery delivery)
        {
            var whole = new byte[body.Length + 1];
            whole[0] = kind;
            body.CopyTo(whole, 1);
            NetworkConfig.NetworkTransport!.Send(id, new ArraySegment<byte>(whole), delivery);
        }

        private void Stop()
        {
            var transport = NetworkConfig.NetworkTransport!;
            bool wasHost = IsHost, wasClient = IsClient;
            transport.Raised -= Handle;
            if (IsClient && !IsServer) transport.DisconnectLocalClient();
            transport.Shutdown();
            _clients.Clear();
            (IsServer, IsClient, IsListening, IsConnectedClient, _shuttingDown) = (false, false, false, false, false);
            if (wasClient) OnClientStopped?.Invoke(wasHost);
        }
    }
}
