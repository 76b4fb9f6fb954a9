// The hook of Netcode for Entities: the drivers of client and server worlds, with ClutchCall for what leaves the process.
#nullable enable

using System.Collections.Generic;
using ClutchCall.UnityTransport;
using Unity.Entities;
using Unity.NetCode;
using Unity.Networking.Transport;
using UnityEngine;

namespace ClutchCall.N4E
{
    /// <summary>Makes a server world's IPC driver first and ClutchCall's second; a client world has the one that it needs.</summary>
    /// <remarks>
    /// A ClutchCall component with UseForEntities sets it by itself. A game that has no scene when its worlds are made
    /// sets it in its bootstrap, with options of its own:
    /// <c>NetworkStreamReceiveSystem.DriverConstructor = new ClutchCallDriverConstructor(options);</c>
    /// </remarks>
    public sealed class ClutchCallDriverConstructor : INetworkStreamDriverConstructor
    {
        private static readonly List<ClutchCallComponent> Users = new List<ClutchCallComponent>();
        private static ClutchCallDriverConstructor? s_set;
        private static INetworkStreamDriverConstructor? s_before;

        private readonly ClutchCallOptions? _options;
        private readonly ClutchCallComponent? _component;

        /// <summary>Drivers with these options. What they say of a session and of pipelines' priorities is replaced.</summary>
        public ClutchCallDriverConstructor(ClutchCallOptions options) => _options = options;

        /// <summary>Drivers with a component's settings, as they are when a driver is made.</summary>
        public ClutchCallDriverConstructor(ClutchCallComponent component) => _component = component;

        /// <summary>The session of the client driver that was made last; null before there was one, and where IPC is used.</summary>
        public ClutchCallSession? ClientSession { get; private set; }

        /// <summary>The session of the server driver that was made last; null before there was one.</summary>
        public ClutchCallSession? ServerSession { get; private set; }

        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void Begin()
        {
            ClutchCallComponent.Enabled -= Enable;
            ClutchCallComponent.Disabled -= Disable;
            ClutchCallComponent.Enabled += Enable;
            ClutchCallComponent.Disabled += Disable;
            Users.Clear();
            Set(null);
        }

        private static void Enable(ClutchCallComponent component)
        {
            if (!component.UseForEntities) return;
            Users.Add(component);
            Set(component);
        }

        private static void Disable(ClutchCallComponent component)
        {
            if (!Users.Remove(component)) return;
            Set(Users.Count > 0 ? Users[Users.Count - 1] : null);
        }

        /// <summary>Takes the hook for a component, or gives it back; what somebody else has set meanwhile stays.</summary>
        private static void Set(ClutchCallComponent? component)
        {
            bool ours = s_set != null && ReferenceEquals(NetworkStreamReceiveSystem.DriverConstructor, s_set);
            if (component == null)
            {
                if (ours) NetworkStreamReceiveSystem.DriverConstructor = s_before!;
                (s_set, s_before) = (null, null);
                return;
            }
            if (!ours) s_before = NetworkStreamReceiveSystem.DriverConstructor;
            s_set = new ClutchCallDriverConstructor(component);
            NetworkStreamReceiveSystem.DriverConstructor = s_set;
        }

        /// <inheritdoc/>
        public void CreateClientDriver(World world, ref NetworkDriverStore driver, NetDebug netDebug)
        {
            if (!ClutchCallComponent.IsSupported)
            {
                Unsupported();
                DefaultDriverBuilder.DefaultDriverConstructor.CreateClientDriver(world, ref driver, netDebug);
                return;
            }
            var settings = DefaultDriverBuilder.GetNetworkClientSettings();
            if (!DefaultDriverBuilder.ClientUseSocketDriver(netDebug))
            {
                // A server's world is in this process.
                DefaultDriverBuilder.RegisterClientIpcDriver(world, ref driver, netDebug, settings);
                return;
            }
            ClientSession = Add(ref settings);
            driver.RegisterDriver(
                TransportType.Socket, DefaultDriverBuilder.CreateClientNetworkDriver(new ClutchCallNetworkInterface(), settings));
        }

        /// <inheritdoc/>
        public void CreateServerDriver(World world, ref NetworkDriverStore driver, NetDebug netDebug)
        {
            if (!ClutchCallComponent.IsSupported)
            {
                Unsupported();
                DefaultDriverBuilder.DefaultDriverConstructor.CreateServerDriver(world, ref driver, netDebug);
                return;
            }
            // Listen reads the first driver's port, which IPC has and the other passes on to.
            DefaultDriverBuilder.RegisterServerIpcDriver(world, ref driver, netDebug, DefaultDriverBuilder.GetNetworkServerSettings());
            var settings = DefaultDriverBuilder.GetNetworkServerSettings();
            ServerSession = Add(ref settings);
            driver.RegisterDriver(
                TransportType.Socket, DefaultDriverBuilder.CreateServerNetworkDriver(new ClutchCallNetworkInterface(), settings));
        }

        /// <summary>N4E's pipelines come in this order: unreliable, reliable, unreliable in fragments, which snapshots take.</summary>
        private ClutchCallSession Add(ref NetworkSettings settings)
        {
            if (_component != null)
            {
                byte unreliable = _component.UnreliablePriority;
                _component.AddOrRefuse(ref settings, null, unreliable, unreliable, _component.ReliablePriority, unreliable);
                return _component.Session!;
            }
            var session = new ClutchCallSession();
            var options = _options!;
            options.Session = session;
            if (options.PipelinePriorities.Length == 0) options.PipelinePriorities = new byte[] { 128, 128, 64, 128 };
            options.AddTo(ref settings);
            var config = settings.GetNetworkConfigParameters();
            config.maxMessageSize = ClutchCallParameter.MaxMessageSize;
            settings.AddRawParameterStruct(ref config);
            return session;
        }

        private static void Unsupported() => Debug.LogWarning("ClutchCall: WebGL has no native core: Unity's own driver is used");
    }
}
