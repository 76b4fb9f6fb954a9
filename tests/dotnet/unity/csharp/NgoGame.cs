// A game of Netcode for GameObjects: NetworkManager, a transport and the ClutchCall component on one GameObject.
#nullable enable

using System;
using System.Collections.Generic;
using ClutchCall.NGO;
using ClutchCall.UnityTransport;
using Unity.Netcode;
using UnityEngine;
using UnityEngine.Events;
using UTP = Unity.Netcode.Transports.UTP.UnityTransport;

namespace ClutchCall.UnityTests
{
    /// <summary>One player, or a server. The shim's Scene.Step is everybody's tick.</summary>
    public sealed class NgoGame : IDisposable
    {
        public GameObject Object { get; }
        public NetworkManager Manager { get; }
        public UTP? Transport { get; }
        public ClutchCallNetworkTransport? Native { get; }
        public ClutchCallComponent Component { get; }
        public List<string> Heard { get; } = new List<string>();
        public List<string> Events { get; } = new List<string>();
        /// <summary>Bytes of the last message, and whether each was a game's.</summary>
        public int Largest { get; private set; }
        public string Wrong { get; private set; } = "";

        /// <param name="plain">Without the component: Unity's own.</param>
        /// <param name="native">ClutchCall's own NetworkTransport instead of UnityTransport.</param>
        public NgoGame(string name, bool plain, bool native)
        {
            Object = new GameObject(name);
            // As in a scene: the settings are there before anything is enabled.
            Object.SetActive(false);
            Component = Object.AddComponent<ClutchCallComponent>();
            Component.enabled = !plain;
            Manager = Object.AddComponent<NetworkManager>();
            if (native) Manager.NetworkConfig.NetworkTransport = Native = Object.AddComponent<ClutchCallNetworkTransport>();
            else Manager.NetworkConfig.NetworkTransport = Transport = Object.AddComponent<UTP>();
            Object.SetActive(true);
            Manager.OnClientConnectedCallback += id => Events.Add($"connected {id}");
            Manager.OnClientDisconnectCallback += id => Events.Add($"disconnected {id}");
            Manager.OnTransportFailure += () => Events.Add("failure");
            Manager.Message += Take;
            Component.Happened += one => Heard.Add(one.Kind.ToString());
        }

        /// <summary>A message of that size whose bytes tell of its mark.</summary>
        public void Send(ulong to, int size, int mark, int delivery)
        {
            var bytes = new byte[size + 4];
            BitConverter.GetBytes(mark).CopyTo(bytes, 0);
            for (int at = 0; at < size; at++) bytes[at + 4] = (byte)(mark * 31 + at * 7);
            Manager.Send(to, bytes, (NetworkDelivery)delivery);
        }

        /// <summary>A tick of this game alone: the others' main threads sleep.</summary>
        public void Step()
        {
            foreach (string message in new[] { "Update", "LateUpdate" })
                foreach (var one in new MonoBehaviour[] { Component, Manager }) Messages.Send(one, message);
        }

        /// <summary>Marks of what came, in order, by who sent it.</summary>
        public List<int> Marks { get; } = new List<int>();

        /// <summary>The stages of the transport's three pipelines.</summary>
        public static string Stages(UTP transport) => string.Join("; ", Array.ConvertAll(new[] { 1, 2, 3 }, transport.Driver.Describe));

        /// <summary>The words of an event from now on.</summary>
        public static List<string> Listen(UnityEvent<string> to)
        {
            var words = new List<string>();
            to.AddListener(words.Add);
            return words;
        }

        /// <summary>The garbage of so many unreliable sends of a connected client.</summary>
        public static long Measure(ClutchCallNetworkTransport client, int count)
        {
            var payload = new ArraySegment<byte>(new byte[200]);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int at = 0; at < count; at++) client.Send(client.ServerClientId, payload, NetworkDelivery.UnreliableSequenced);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        private void Take(ulong from, byte[] bytes)
        {
            int mark = BitConverter.ToInt32(bytes, 0);
            for (int at = 4; at < bytes.Length; at++)
                if (bytes[at] != (byte)(mark * 31 + (at - 4) * 7)) Wrong = $"message {mark} of {bytes.Length} bytes is damaged";
            Largest = Math.Max(Largest, bytes.Length);
            Marks.Add(mark);
        }

        public void Dispose() => UnityEngine.Object.DestroyImmediate(Object);
    }

    /// <summary>Somebody else's constructor: it counts, and makes what the transport would.</summary>
    public sealed class SpyConstructor : Unity.Netcode.Transports.UTP.INetworkStreamDriverConstructor
    {
        public int Asked { get; private set; }

        public bool IsSet => ReferenceEquals(UTP.s_DriverConstructor, this);

        public void CreateDriver(
            UTP transport,
            out Unity.Networking.Transport.NetworkDriver driver,
            out Unity.Networking.Transport.NetworkPipeline unreliableFragmentedPipeline,
            out Unity.Networking.Transport.NetworkPipeline unreliableSequencedFragmentedPipeline,
            out Unity.Networking.Transport.NetworkPipeline reliableSequencedPipeline)
        {
            Asked++;
            transport.CreateDriver(
                transport, out driver, out unreliableFragmentedPipeline, out unreliableSequencedFragmentedPipeline,
                out reliableSequencedPipeline);
        }
    }
}
