// Worlds of Netcode for Entities over ClutchCall: set before the first world is made, without a scene.
#nullable enable

using ClutchCall.N4E;
using ClutchCall.UnityTransport;
using Unity.NetCode;
using UnityEngine;

namespace ClutchCall.Samples.N4E
{
    /// <summary>Direct, on the addresses that the game listens on and connects to; over a relay where CLUTCHCALL_URL names one.</summary>
    public static class ClutchCallBootstrap
    {
        /// <summary>The constructor that is set: its sessions tell how client and server do.</summary>
        public static ClutchCallDriverConstructor? Drivers { get; private set; }

        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.AfterAssembliesLoaded)]
        private static void Set()
        {
            Drivers = new ClutchCallDriverConstructor(new ClutchCallOptions { Room = "entities" }.WithEnvironment());
            NetworkStreamReceiveSystem.DriverConstructor = Drivers;
        }
    }
}
