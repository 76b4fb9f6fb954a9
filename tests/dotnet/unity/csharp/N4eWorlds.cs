// Worlds of Netcode for Entities, as far as their drivers go: a server's store is one MultiNetworkDriver, a client's has one driver.
#nullable enable

using System;
using System.Collections.Generic;
using ClutchCall.N4E;
using ClutchCall.UnityTransport;
using Unity.Entities;
using Unity.NetCode;
using Unity.Networking.Transport;
using UnityEngine;

namespace ClutchCall.UnityTests
{
    /// <summary>A server world whose drivers the hook has made. It echoes what comes, by whichever driver.</summary>
    public sealed class N4eServer : IDisposable
    {
        private readonly MultiNetworkDriver _all = MultiNetworkDriver.Create();
        private readonly List<NetworkDriverStore.NetworkDriverInstance> _drivers = new List<NetworkDriverStore.NetworkDriverInstance>();
        private readonly List<NetworkConnection> _connections = new List<NetworkConnection>();

        public List<string> Kinds { get; } = new List<string>();
        public int Connections => _connections.Count;
        /// <summary>By which driver each connection came, from 1.</summary>
        public List<string> Endpoints { get; } = new List<string>();

        public N4eServer()
        {
            var store = new NetworkDriverStore();
            NetworkStreamReceiveSystem.DriverConstructor.CreateServerDriver(new World("ServerWorld"), ref store, default);
            for (int id = 1; id <= store.DriversCount; id++)
            {
                Kinds.Add(store.GetDriverType(id).ToString());
                _drivers.Add(store.GetDriverInstance(id));
                _all.AddDriver(store.GetDriver(id));
            }
        }

        /// <summary>As N4E listens: the first driver on the port, and the others on the one that it has then.</summary>
        public int Listen(ushort port)
        {
            var at = NetworkEndpoint.LoopbackIpv4.WithPort(port);
            for (int id = 1; id <= _drivers.Count; id++)
            {
                var driver = _drivers[id - 1].driver;
                if (driver.Bind(at) != 0 || driver.Listen() != 0) return -id;
                if (at.Port == 0) at = at.WithPort(driver.GetLocalEndpoint().Port);
            }
            return at.Port;
        }

        public void Update()
        {
            _all.ScheduleUpdate().Complete();
            for (var one = _all.Accept(); one.IsCreated; one = _all.Accept())
            {
                _connections.Add(one);
                Endpoints.Add(_all.GetDriverForConnection(one).GetLocalEndpoint().Family.ToString());
            }
            while (true)
            {
                var type = _all.PopEvent(out var from, out var reader, out var pipe);
                if (type == NetworkEvent.Type.Empty) break;
                if (type == NetworkEvent.Type.Disconnect) _connections.Remove(from);
                if (type != NetworkEvent.Type.Data) continue;
                var bytes = new byte[reader.Length];
                reader.ReadBytes(bytes);
                if (_all.BeginSend(pipe, from, out var writer) != 0) continue;
                writer.WriteBytes(bytes);
                _all.EndSend(from, writer);
            }
        }

        public void Dispose() => _all.Dispose();
    }

    /// <summary>A client world with the driver that the hook has made.</summary>
    public sealed class N4eClient : IDisposable
    {
        private readonly NetworkDriverStore.NetworkDriverInstance _instance;
        private NetworkConnection _connection;

        public string Kind { get; }
        public int Echoed { get; private set; }
        public List<string> Events { get; } = new List<string>();
        public bool Connected => _instance.driver.GetConnectionState(_connection) == NetworkConnection.State.Connected;

        public N4eClient()
        {
            var store = new NetworkDriverStore();
            NetworkStreamReceiveSystem.DriverConstructor.CreateClientDriver(new World("ClientWorld"), ref store, default);
            if (store.DriversCount != 1) throw new Exception($"{store.DriversCount} drivers");
            Kind = store.GetDriverType(1).ToString();
            _instance = store.GetDriverInstance(1);
        }

        public void Connect(ushort port) => _connection = _instance.driver.Connect(NetworkEndpoint.LoopbackIpv4.WithPort(port));

        /// <summary>A message of each of N4E's three pipelines.</summary>
        public void Send(int size)
        {
            foreach (var pipe in new[] { _instance.unreliablePipeline, _instance.reliablePipeline, _instance.unreliableFragmentedPipeline })
            {
                if (_instance.driver.BeginSend(pipe, _connection, out var writer) != 0) continue;
                writer.WriteBytes(new byte[Math.Min(size, writer.Capacity)]);
                _instance.driver.EndSend(writer);
            }
        }

        public void Update()
        {
            _instance.driver.ScheduleUpdate().Complete();
            while (true)
            {
                var type = _instance.driver.PopEvent(out _, out _, out _);
                if (type == NetworkEvent.Type.Empty) break;
                if (type == NetworkEvent.Type.Data) Echoed++;
                else Events.Add(type.ToString());
            }
        }

        public void Dispose() => _instance.driver.Dispose();
    }

    /// <summary>The hook and what it stands on.</summary>
    public static class N4eHook
    {
        /// <summary>Sets a constructor with options, as a bootstrap does; it is the answer.</summary>
        public static ClutchCallDriverConstructor Set(ClutchCallOptions options)
        {
            var made = new ClutchCallDriverConstructor(options);
            NetworkStreamReceiveSystem.DriverConstructor = made;
            return made;
        }

        public static void Reset() => NetworkStreamReceiveSystem.DriverConstructor = DefaultDriverBuilder.DefaultDriverConstructor;

        public static string Current => NetworkStreamReceiveSystem.DriverConstructor.GetType().FullName!;

        /// <summary>Whether this process only plays as a client of another's server.</summary>
        public static void ClientOnly(bool value) => DefaultDriverBuilder.ClientOnly = value;

        /// <summary>A GameObject with a component for entities, enabled.</summary>
        public static ClutchCallComponent Component(string room)
        {
            var made = new GameObject("entities");
            made.SetActive(false);
            var component = made.AddComponent<ClutchCallComponent>();
            (component.Room, component.UseForEntities) = (room, true);
            made.SetActive(true);
            return component;
        }

        /// <summary>What a MultiNetworkDriver says to a fifth driver, and to one with other pipelines.</summary>
        public static string[] Refusals()
        {
            static string Try(Action call)
            {
                try
                {
                    call();
                    return "taken";
                }
                catch (InvalidOperationException refused)
                {
                    return refused.Message;
                }
            }

            using var all = MultiNetworkDriver.Create();
            for (int at = 0; at < 4; at++) all.AddDriver(NetworkDriver.Create(new IPCNetworkInterface()));
            using var fifth = NetworkDriver.Create(new IPCNetworkInterface());
            using var two = MultiNetworkDriver.Create();
            two.AddDriver(NetworkDriver.Create(new IPCNetworkInterface()));
            using var more = NetworkDriver.Create(new IPCNetworkInterface());
            more.CreatePipeline();
            return new[] { Try(() => all.AddDriver(fifth)), Try(() => two.AddDriver(more)) };
        }
    }
}
