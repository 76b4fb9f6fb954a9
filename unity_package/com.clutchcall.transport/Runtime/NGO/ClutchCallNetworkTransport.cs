// A NetworkTransport of Netcode for GameObjects without Unity Transport below: each delivery is a track of its own.
#nullable enable

using System;
using System.Net;
using ClutchCall.UnityTransport;
using Unity.Netcode;
using UnityEngine;

namespace ClutchCall.NGO
{
    /// <summary>Takes UnityTransport's place in the NetworkManager. The ClutchCall component beside it has the settings.</summary>
    /// <remarks>
    /// Unreliable and UnreliableSequenced go as datagrams, to 8,799 bytes; Reliable, ReliableSequenced and
    /// ReliableFragmentedSequenced as text, each in order on a track of its own, to 64 MiB, over lost links too. None waits
    /// for another. It does not talk with UnityTransport's drivers: all ends of a room use the same.
    /// </remarks>
    [AddComponentMenu("Netcode/ClutchCall Network Transport")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(ClutchCallComponent))]
    public sealed class ClutchCallNetworkTransport : NetworkTransport
    {
        [Header("Direct: where the server is")]
        [Tooltip("The server's address, IPv4 or IPv6, as clients connect to it.")]
        [SerializeField] private string address = "127.0.0.1";
        [Tooltip("The server's UDP port; at a server 0 is any free one.")]
        [SerializeField] private ushort port = 7777;
        [Tooltip("What a server listens on: 127.0.0.1 for this machine alone, 0.0.0.0 for all.")]
        [SerializeField] private string listenAddress = "127.0.0.1";

        [Header("Priorities by delivery: 0 first, 255 last")]
        [Range(0, 255)]
        [SerializeField] private int unreliable = 128;
        [Range(0, 255)]
        [SerializeField] private int unreliableSequenced = 112;
        [Range(0, 255)]
        [SerializeField] private int reliable = 80;
        [Range(0, 255)]
        [SerializeField] private int reliableSequenced = 64;
        [Tooltip("Netcode's own messages, such as spawns and scenes, go this way.")]
        [Range(0, 255)]
        [SerializeField] private int reliableFragmentedSequenced = 48;

        [Header("Peers that fall behind")]
        [Tooltip("MiB of reliable messages that may wait for one peer, by delivery; more, and it is disconnected as too far behind.")]
        [Range(1, 512)]
        [SerializeField] private int maxBacklog = 128;

        private TrackSession? _session;

        /// <summary>Direct: the server's address, as clients connect to it.</summary>
        public string Address { get => address; set => address = value.Trim(); }
        /// <summary>Direct: the server's UDP port; once it listens, the one that it has.</summary>
        public ushort Port { get => _session != null && _session.Port != 0 ? (ushort)_session.Port : port; set => port = value; }
        /// <summary>Direct: what a server listens on.</summary>
        public string ListenAddress { get => listenAddress; set => listenAddress = value.Trim(); }

        /// <summary>MiB of reliable messages that may wait for one peer, by delivery, 1 to 512; more, and it is disconnected as too far behind.</summary>
        public int MaxBacklog { get => maxBacklog; set => maxBacklog = Math.Max(1, Math.Min(512, value)); }

        /// <inheritdoc/>
        public override ulong ServerClientId => TrackSession.ServerNumber;

        /// <inheritdoc/>
        public override bool IsSupported => ClutchCallComponent.IsSupported;

        /// <summary>The priority of a delivery.</summary>
        public byte GetPriority(NetworkDelivery delivery) => (byte)Priorities()[(int)delivery];

        /// <summary>Sets the priority of a delivery, from the next start on.</summary>
        public void SetPriority(NetworkDelivery delivery, byte priority)
        {
            switch (delivery)
            {
                case NetworkDelivery.Unreliable:
                    unreliable = priority;
                    break;
                case NetworkDelivery.UnreliableSequenced:
                    unreliableSequenced = priority;
                    break;
                case NetworkDelivery.Reliable:
                    reliable = priority;
                    break;
                case NetworkDelivery.ReliableSequenced:
                    reliableSequenced = priority;
                    break;
                default:
                    reliableFragmentedSequenced = priority;
                    break;
            }
        }

        /// <inheritdoc/>
        public override void Initialize(NetworkManager? networkManager = null) { }

        /// <inheritdoc/>
        public override bool StartServer() => Begin(true, listenAddress);

        /// <inheritdoc/>
        public override bool StartClient() => Begin(false, address);

        /// <inheritdoc/>
        public override void Send(ulong clientId, ArraySegment<byte> payload, NetworkDelivery networkDelivery) =>
            _session?.Send(clientId, payload, networkDelivery);

        /// <inheritdoc/>
        public override NetworkEvent PollEvent(out ulong clientId, out ArraySegment<byte> payload, out float receiveTime)
        {
            receiveTime = (float)Time.realtimeSinceStartupAsDouble;
            (clientId, payload) = (0, default);
            if (_session == null) return NetworkEvent.Nothing;
            if (_session.Inbox.IsEmpty) _session.Poll();
            return _session.Inbox.TryTake(out var type, out clientId, out payload) ? type : NetworkEvent.Nothing;
        }

        /// <inheritdoc/>
        public override void DisconnectRemoteClient(ulong clientId) => _session?.Disconnect(clientId, "the server has sent it away");

        /// <inheritdoc/>
        public override void DisconnectLocalClient() => _session?.Disconnect(ServerClientId, "the client has left");

        /// <inheritdoc/>
        public override ulong GetCurrentRtt(ulong clientId) => _session?.Rtt(clientId) ?? 0;

        /// <inheritdoc/>
        public override void Shutdown()
        {
            _session?.Dispose();
            _session = null;
        }

        private void OnDestroy() => Shutdown();

        private bool Begin(bool serves, string at)
        {
            if (_session != null) Shutdown();
            if (!TryGetComponent(out ClutchCallComponent component))
            {
                Debug.LogError("ClutchCall: the ClutchCall component is missing beside the transport: add it");
                return false;
            }
            var wrong = component.Problems();
            foreach (string line in wrong) Debug.LogError($"ClutchCall: {line}");
            if (wrong.Count > 0) return false;
            if (!IsSupported || !IPAddress.TryParse(at, out var ip))
            {
                Debug.LogError(IsSupported
                    ? $"ClutchCall: {at} is no IPv4 or IPv6 address: correct Address or Listen Address"
                    : "ClutchCall: WebGL has no native core: use UnityTransport there");
                return false;
            }
            _session = new TrackSession(component.Read(), Priorities(), serves, Math.Max(1, Math.Min(512, maxBacklog)) << 20);
            component.Follow(_session);
            return _session.Start(new IPEndPoint(ip, port));
        }

        private int[] Priorities() => new[] { unreliable, unreliableSequenced, reliable, reliableSequenced, reliableFragmentedSequenced };
    }
}
