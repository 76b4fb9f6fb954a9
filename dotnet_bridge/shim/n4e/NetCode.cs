// Netcode for Entities as a driver constructor sees it: the store, the builder's helpers, the hook. From the public contract.
#nullable enable

using System;
using System.Collections.Generic;
using Unity.Collections;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Utilities;

namespace Unity.Entities
{
    /// <summary>A world, by its name and whether it is a server's.</summary>
    public sealed class World
    {
        public World(string name) => Name = name;

        public string Name { get; }
    }
}

namespace Unity.NetCode
{
    using Unity.Entities;

    public struct NetDebug
    {
        public void LogError(string msg) => UnityEngine.Debug.LogError(msg);

        public void DebugLog(string msg) => UnityEngine.Debug.Log(msg);
    }

    public enum TransportType
    {
        Invalid = 0,
        IPC = 1,
        Socket = 2,
    }

    public interface INetworkStreamDriverConstructor
    {
        void CreateClientDriver(World world, ref NetworkDriverStore driver, NetDebug netDebug);

        void CreateServerDriver(World world, ref NetworkDriverStore driver, NetDebug netDebug);
    }

    /// <summary>A world's drivers; the first has the number 1.</summary>
    public struct NetworkDriverStore
    {
        public struct NetworkDriverInstance
        {
            public NetworkDriver driver;
            public NetworkPipeline unreliablePipeline, reliablePipeline, unreliableFragmentedPipeline;
        }

        private List<(TransportType Type, NetworkDriverInstance Instance)>? _drivers;

        public int DriversCount => _drivers?.Count ?? 0;

        public int RegisterDriver(TransportType driverType, in NetworkDriverInstance driverInstance)
        {
            _drivers ??= new List<(TransportType, NetworkDriverInstance)>();
            if (_drivers.Count == 3) throw new InvalidOperationException("Cannot register more than 3 drivers");
            if (!driverInstance.driver.IsCreated) throw new InvalidOperationException("The driver must be created");
            _drivers.Add((driverType, driverInstance));
            return _drivers.Count;
        }

        public NetworkDriverInstance GetDriverInstance(int driverId) => _drivers![driverId - 1].Instance;

        public TransportType GetDriverType(int driverId) => _drivers![driverId - 1].Type;

        /// <summary>The shim's own: the driver, to be moved on by a test.</summary>
        public NetworkDriver GetDriver(int driverId) => _drivers![driverId - 1].Instance.driver;

        /// <summary>The shim's own: what a world does when it is disposed of.</summary>
        public void Dispose()
        {
            foreach (var one in _drivers ?? new List<(TransportType, NetworkDriverInstance)>()) one.Instance.driver.Dispose();
            _drivers = null;
        }
    }

    public struct NetworkStreamReceiveSystem
    {
        private static INetworkStreamDriverConstructor? s_DriverConstructor;

        public static INetworkStreamDriverConstructor DriverConstructor
        {
            get => s_DriverConstructor ??= DefaultDriverBuilder.DefaultDriverConstructor;
            set => s_DriverConstructor = value;
        }
    }

    /// <summary>IPC where client and server share a process, else a socket.</summary>
    public struct IPCAndSocketDriverConstructor : INetworkStreamDriverConstructor
    {
        public void CreateClientDriver(World world, ref NetworkDriverStore driver, NetDebug netDebug)
        {
            var settings = DefaultDriverBuilder.GetNetworkClientSettings();
            if (DefaultDriverBuilder.ClientUseSocketDriver(netDebug))
                driver.RegisterDriver(TransportType.Socket, DefaultDriverBuilder.CreateClientNetworkDriver(new UDPNetworkInterface(), settings));
            else DefaultDriverBuilder.RegisterClientIpcDriver(world, ref driver, netDebug, settings);
        }

        public void CreateServerDriver(World world, ref NetworkDriverStore driver, NetDebug netDebug)
        {
            var settings = DefaultDriverBuilder.GetNetworkServerSettings();
            DefaultDriverBuilder.RegisterServerIpcDriver(world, ref driver, netDebug, settings);
            driver.RegisterDriver(TransportType.Socket, DefaultDriverBuilder.CreateServerNetworkDriver(new UDPNetworkInterface(), settings));
        }
    }

    public static class DefaultDriverBuilder
    {
        private const int ReliableWindow = 32;

        /// <summary>The shim's own: whether the process plays as a client of another's server.</summary>
        public static bool ClientOnly { get; set; }

        public static INetworkStreamDriverConstructor DefaultDriverConstructor => new IPCAndSocketDriverConstructor();

        public static bool ClientUseSocketDriver(NetDebug netDebug) => ClientOnly;

        public static NetworkSettings GetNetworkClientSettings() => Settings();

        public static NetworkSettings GetNetworkServerSettings(int playerCount = 0) => Settings();

        public static NetworkDriverStore.NetworkDriverInstance CreateClientNetworkDriver<T>(T netIf, NetworkSettings settings)
            where T : unmanaged, INetworkInterface => Make(netIf, settings);

        public static NetworkDriverStore.NetworkDriverInstance CreateServerNetworkDriver<T>(T netIf, NetworkSettings settings)
            where T : unmanaged, INetworkInterface => Make(netIf, settings);

        public static void RegisterClientIpcDriver(World world, ref NetworkDriverStore driverStore, NetDebug netDebug, NetworkSettings settings) =>
            driverStore.RegisterDriver(TransportType.IPC, Make(new IPCNetworkInterface(), settings));

        /// <summary>Does nothing where the process plays as a server alone.</summary>
        public static void RegisterServerIpcDriver(World world, ref NetworkDriverStore driverStore, NetDebug netDebug, NetworkSettings settings) =>
            driverStore.RegisterDriver(TransportType.IPC, Make(new IPCNetworkInterface(), settings));

        private static NetworkSettings Settings()
        {
            var settings = new NetworkSettings(Allocator.Temp);
            settings.WithReliableStageParameters(windowSize: ReliableWindow).WithFragmentationStageParameters(payloadCapacity: 16 * 1024);
            settings.WithNetworkConfigParameters(connectTimeoutMS: 1000, maxConnectAttempts: 60);
            return settings;
        }

        private static NetworkDriverStore.NetworkDriverInstance Make<T>(T netIf, NetworkSettings settings) where T : unmanaged, INetworkInterface
        {
            var driver = NetworkDriver.Create(netIf, settings);
            return new NetworkDriverStore.NetworkDriverInstance
            {
                driver = driver,
                unreliablePipeline = driver.CreatePipeline(),
                reliablePipeline = driver.CreatePipeline(typeof(ReliableSequencedPipelineStage)),
                unreliableFragmentedPipeline = driver.CreatePipeline(typeof(FragmentationPipelineStage)),
            };
        }
    }
}
