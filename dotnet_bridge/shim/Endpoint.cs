// Unity.Networking.Transport: endpoints, parameters and settings, written from the public contract.
#nullable enable

using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using Unity.Collections;

namespace Unity.Networking.Transport
{
    public enum NetworkFamily
    {
        Invalid = 0,
        Ipv4 = 2,
        Ipv6 = 23,
        Custom = 1,
    }

    /// <summary>An address and port of a family. Unmanaged.</summary>
    public unsafe struct NetworkEndpoint : IEquatable<NetworkEndpoint>
    {
        private fixed byte _address[16];
        private NetworkFamily _family;
        private ushort _port;

        public static NetworkEndpoint AnyIpv4 => Parse("0.0.0.0", 0);
        public static NetworkEndpoint AnyIpv6 => Parse("::", 0, NetworkFamily.Ipv6);
        public static NetworkEndpoint LoopbackIpv4 => Parse("127.0.0.1", 0);
        public static NetworkEndpoint LoopbackIpv6 => Parse("::1", 0, NetworkFamily.Ipv6);

        public NetworkFamily Family
        {
            readonly get => _family;
            set => _family = value;
        }

        public ushort Port
        {
            readonly get
            {
                CheckPort();
                return _port;
            }
            set
            {
                CheckPort();
                _port = value;
            }
        }

        public readonly bool IsValid => _family != NetworkFamily.Invalid;

        public readonly NetworkEndpoint WithPort(ushort port)
        {
            var copy = this;
            copy.Port = port;
            return copy;
        }

        public static bool TryParse(
            string address, ushort port, out NetworkEndpoint endpoint, NetworkFamily family = NetworkFamily.Ipv4)
        {
            endpoint = default;
            var wanted = family == NetworkFamily.Ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
            if (!IPAddress.TryParse(address, out var parsed) || parsed.AddressFamily != wanted) return false;
            var bytes = parsed.GetAddressBytes();
            for (int at = 0; at < bytes.Length; at++) endpoint._address[at] = bytes[at];
            (endpoint._family, endpoint._port) = (family, port);
            return true;
        }

        public static NetworkEndpoint Parse(string address, ushort port, NetworkFamily family = NetworkFamily.Ipv4)
        {
            if (TryParse(address, port, out var endpoint, family)) return endpoint;
            UnityEngine.Debug.LogError($"Couldn't parse endpoint {address}:{port}");
            return default;
        }

        public readonly NativeArray<byte> GetRawAddressBytes()
        {
            int length = _family == NetworkFamily.Ipv4 ? 4 : _family == NetworkFamily.Ipv6 ? 16 : 0;
            var bytes = new NativeArray<byte>(length, Allocator.Temp);
            for (int at = 0; at < length; at++) bytes[at] = _address[at];
            return bytes;
        }

        public readonly bool Equals(NetworkEndpoint other)
        {
            bool same = _family == other._family && _port == other._port;
            for (int at = 0; at < 16 && same; at++) same = _address[at] == other._address[at];
            return same;
        }

        public override readonly bool Equals(object? other) => other is NetworkEndpoint endpoint && Equals(endpoint);

        public static bool operator ==(NetworkEndpoint left, NetworkEndpoint right) => left.Equals(right);

        public static bool operator !=(NetworkEndpoint left, NetworkEndpoint right) => !left.Equals(right);

        public override readonly int GetHashCode()
        {
            int hash = _port * 31 + (int)_family;
            for (int at = 0; at < 16; at++) hash = hash * 31 + _address[at];
            return hash;
        }

        public override readonly string ToString()
        {
            if (_family != NetworkFamily.Ipv4 && _family != NetworkFamily.Ipv6) return $"{_family}";
            var bytes = new byte[_family == NetworkFamily.Ipv4 ? 4 : 16];
            for (int at = 0; at < bytes.Length; at++) bytes[at] = _address[at];
            return new IPEndPoint(new IPAddress(bytes), _port).ToString();
        }

        private readonly void CheckPort()
        {
            if (Checks.Enabled && _family != NetworkFamily.Ipv4 && _family != NetworkFamily.Ipv6)
                throw new ArgumentException("Port is only available for IP families");
        }
    }

    public interface INetworkParameter
    {
        bool Validate();
    }

    /// <summary>Parameters by their type.</summary>
    public struct NetworkSettings : IDisposable
    {
        private Dictionary<Type, object>? _held;

        public NetworkSettings(Allocator allocator) => _held = new Dictionary<Type, object>();

        /// <summary>Adds or replaces a parameter, which has to be valid.</summary>
        public void AddRawParameterStruct<T>(ref T parameter) where T : unmanaged, INetworkParameter
        {
            if (!parameter.Validate()) throw new ArgumentException($"The provided network parameter ({typeof(T).Name}) is not valid");
            (_held ??= new Dictionary<Type, object>())[typeof(T)] = parameter;
        }

        public bool TryGet<T>(out T parameter) where T : unmanaged, INetworkParameter
        {
            parameter = default;
            if (_held == null || !_held.TryGetValue(typeof(T), out var found)) return false;
            parameter = (T)found;
            return true;
        }

        public void Dispose() => _held = null;
    }

    /// <summary>What a driver goes by, in milliseconds, packets and bytes.</summary>
    public struct NetworkConfigParameter : INetworkParameter
    {
        public int connectTimeoutMS;
        public int maxConnectAttempts;
        public int disconnectTimeoutMS;
        public int heartbeatTimeoutMS;
        public int fixedFrameTimeMS;
        public int receiveQueueCapacity;
        public int sendQueueCapacity;
        public int maxMessageSize;

        public bool Validate() => connectTimeoutMS > 0 && maxConnectAttempts > 0 && receiveQueueCapacity > 0
            && sendQueueCapacity > 0 && maxMessageSize > 0 && maxMessageSize <= NetworkParameterConstants.AbsoluteMaxMessageSize;
    }

    public static class NetworkParameterConstants
    {
        public const int AbsoluteMaxMessageSize = 1472;
    }

    public static class CommonNetworkParametersExtensions
    {
        /// <summary>Sets all fields: those that are not named get their defaults.</summary>
        public static ref NetworkSettings WithNetworkConfigParameters(
            ref this NetworkSettings settings,
            int connectTimeoutMS = 1000,
            int maxConnectAttempts = 60,
            int disconnectTimeoutMS = 30000,
            int heartbeatTimeoutMS = 500,
            int fixedFrameTimeMS = 0,
            int receiveQueueCapacity = 512,
            int sendQueueCapacity = 512,
            int maxMessageSize = 1400)
        {
            var parameter = new NetworkConfigParameter
            {
                connectTimeoutMS = connectTimeoutMS,
                maxConnectAttempts = maxConnectAttempts,
                disconnectTimeoutMS = disconnectTimeoutMS,
                heartbeatTimeoutMS = heartbeatTimeoutMS,
                fixedFrameTimeMS = fixedFrameTimeMS,
                receiveQueueCapacity = receiveQueueCapacity,
                sendQueueCapacity = sendQueueCapacity,
                maxMessageSize = maxMessageSize,
            };
            settings.AddRawParameterStruct(ref parameter);
            return ref settings;
        }

        public static NetworkConfigParameter GetNetworkConfigParameters(ref this NetworkSettings settings)
        {
            if (!settings.TryGet<NetworkConfigParameter>(out _)) settings.WithNetworkConfigParameters();
            settings.TryGet<NetworkConfigParameter>(out var parameter);
            return parameter;
        }
    }
}
