// Unity Transport's driver of drivers: at most four, with equal pipelines, whose connections say which they are of.
#nullable enable

using System;
using System.Collections.Generic;
using Unity.Collections;
using Unity.Jobs;

namespace Unity.Networking.Transport
{
    /// <summary>Several drivers as one.</summary>
    public struct MultiNetworkDriver : IDisposable
    {
        public const int MaxDriverCount = 4;

        private List<NetworkDriver> _drivers;

        public static MultiNetworkDriver Create() => new MultiNetworkDriver { _drivers = new List<NetworkDriver>() };

        public bool IsCreated => _drivers != null;

        public int DriverCount => _drivers.Count;

        /// <summary>Takes a driver over; its number, from 1.</summary>
        public int AddDriver(NetworkDriver driver)
        {
            if (_drivers.Count == MaxDriverCount) throw new InvalidOperationException("Capacity of MultiNetworkDriver has been reached");
            if (_drivers.Count > 0 && _drivers[0].Pipelines != driver.Pipelines)
                throw new InvalidOperationException("All drivers must have the same number of pipelines");
            _drivers.Add(driver);
            return _drivers.Count;
        }

        public NetworkDriver GetDriver(int id) => _drivers[id - 1];

        public NetworkDriver GetDriverForConnection(NetworkConnection connection) => GetDriver(connection.Driver);

        public NetworkConnection Connect(int driverId, NetworkEndpoint endpoint) => Of(driverId, GetDriver(driverId).Connect(endpoint));

        public int Disconnect(NetworkConnection connection) => GetDriverForConnection(connection).Disconnect(Bare(connection));

        public NetworkConnection.State GetConnectionState(NetworkConnection connection) =>
            GetDriverForConnection(connection).GetConnectionState(Bare(connection));

        public NetworkConnection Accept()
        {
            for (int id = 1; id <= _drivers.Count; id++)
            {
                var one = GetDriver(id).Accept();
                if (one.IsCreated) return Of(id, one);
            }
            return default;
        }

        public int BeginSend(NetworkPipeline pipe, NetworkConnection connection, out DataStreamWriter writer) =>
            GetDriverForConnection(connection).BeginSend(pipe, Bare(connection), out writer);

        /// <summary>The shim's driver knows what it has begun; the connection says whose that is.</summary>
        public int EndSend(NetworkConnection connection, DataStreamWriter writer) => GetDriverForConnection(connection).EndSend(writer);

        public NetworkEvent.Type PopEvent(out NetworkConnection connection, out DataStreamReader reader, out NetworkPipeline pipe)
        {
            for (int id = 1; id <= _drivers.Count; id++)
            {
                var type = GetDriver(id).PopEvent(out var one, out reader, out pipe);
                connection = Of(id, one);
                if (type != NetworkEvent.Type.Empty) return type;
            }
            (connection, reader, pipe) = (default, default, default);
            return NetworkEvent.Type.Empty;
        }

        public JobHandle ScheduleUpdate(JobHandle dep = default)
        {
            foreach (var one in _drivers) dep = one.ScheduleUpdate(dep);
            return dep;
        }

        public void Dispose()
        {
            foreach (var one in _drivers) one.Dispose();
            _drivers.Clear();
        }

        private static NetworkConnection Of(int driver, NetworkConnection one) => new NetworkConnection { Id = one.Id, Driver = driver };

        private static NetworkConnection Bare(NetworkConnection one) => new NetworkConnection { Id = one.Id };
    }
}
