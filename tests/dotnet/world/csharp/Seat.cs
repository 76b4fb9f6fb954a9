// A game of Netcode for GameObjects on a machine of a world: a server that echoes, or a client that counts.
#nullable enable

using System;
using System.Collections.Generic;
using ClutchCall.NGO;
using ClutchCall.UnityTransport;
using Unity.Netcode;
using UnityEngine;
using UTP = Unity.Netcode.Transports.UTP.UnityTransport;

namespace ClutchCall.WorldTests
{
    /// <summary>One end of the game. Update is its frame.</summary>
    public sealed class Seat : IDisposable
    {
        private readonly GameObject _object;
        private readonly NetworkManager _manager;
        private readonly bool _serves;
        private int _frame;

        public ClutchCallComponent Component { get; }
        /// <summary>Reliable numbers that came, in order of coming; at a server with who sent them before each.</summary>
        public List<int> Reliable { get; } = new List<int>();
        public int Unreliable { get; private set; }
        public int Sent { get; private set; }
        public List<string> Events { get; } = new List<string>();
        public bool Connected => _manager.IsConnectedClient;
        /// <summary>Nothing new is said from now on.</summary>
        public bool Quiet { get; set; }

        /// <param name="name">Its object's name.</param>
        /// <param name="url">The relay's.</param>
        /// <param name="serves">A server.</param>
        /// <param name="tracks">Over ClutchCall's own transport instead of UnityTransport's driver.</param>
        public Seat(string name, string url, string sha256, bool serves, bool tracks)
        {
            _serves = serves;
            _object = new GameObject(name);
            _object.SetActive(false);
            Component = _object.AddComponent<ClutchCallComponent>();
            Component.UseEnvironment = false;
            (Component.Mode, Component.Room, Component.Url, Component.TrustSha256) = (ClutchCallMode.Relay, "room1", url, sha256);
            _manager = _object.AddComponent<NetworkManager>();
            if (tracks) _manager.NetworkConfig.NetworkTransport = _object.AddComponent<ClutchCallNetworkTransport>();
            else
            {
                var driver = _object.AddComponent<UTP>();
                driver.SetConnectionData("127.0.0.1", 7777);
                _manager.NetworkConfig.NetworkTransport = driver;
            }
            _object.SetActive(true);
            _manager.OnClientConnectedCallback += id => Events.Add($"connected {id}");
            _manager.OnClientDisconnectCallback += id => Events.Add($"disconnected {id}");
            _manager.Message += Take;
            if (!(serves ? _manager.StartServer() : _manager.StartClient()))
                throw new InvalidOperationException($"{name} does not start: {Component.Text}");
        }

        public void Update()
        {
            Scene.Step(_object);
            if (_serves || Quiet || !Connected || ++_frame % 3 != 0) return;
            Send(0, Sent++, NetworkDelivery.ReliableSequenced);
            Send(0, -1, NetworkDelivery.Unreliable);
        }

        private void Send(ulong to, int number, NetworkDelivery delivery) =>
            _manager.Send(to, BitConverter.GetBytes(number), delivery);

        private void Take(ulong from, byte[] bytes)
        {
            int number = BitConverter.ToInt32(bytes, 0);
            if (number < 0) Unreliable++;
            else
            {
                if (_serves) Reliable.Add((int)from);
                Reliable.Add(number);
            }
            if (_serves) Send(from, number, number < 0 ? NetworkDelivery.Unreliable : NetworkDelivery.ReliableSequenced);
        }

        public void Dispose() => UnityEngine.Object.DestroyImmediate(_object);
    }
}
