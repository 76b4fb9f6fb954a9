// Unity.Networking.Transport's pipeline stages: how they are named and set up. What they do is the driver's.
#nullable enable

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Unity.Networking.Transport
{
    /// <summary>Marks a stage of pipelines.</summary>
    public interface INetworkPipelineStage { }

    /// <summary>A stage's number in this process.</summary>
    public struct NetworkPipelineStageId : IEquatable<NetworkPipelineStageId>
    {
        private static readonly List<Type> Known = new List<Type>();

        private int _index;

        public static NetworkPipelineStageId Get<T>() where T : unmanaged, INetworkPipelineStage => Of(typeof(T));

        internal static NetworkPipelineStageId Of(Type stage)
        {
            lock (Known)
            {
                if (!Known.Contains(stage)) Known.Add(stage);
                return new NetworkPipelineStageId { _index = Known.IndexOf(stage) };
            }
        }

        public bool Equals(NetworkPipelineStageId other) => _index == other._index;

        public override bool Equals(object? other) => other is NetworkPipelineStageId one && Equals(one);

        public override int GetHashCode() => _index;

        public static bool operator ==(NetworkPipelineStageId left, NetworkPipelineStageId right) => left.Equals(right);

        public static bool operator !=(NetworkPipelineStageId left, NetworkPipelineStageId right) => !left.Equals(right);

        public override string ToString() => Known[_index].Name;
    }

    /// <summary>Marks the pipeline stage that resends until acknowledged, and delivers in order.</summary>
    public struct ReliableSequencedPipelineStage : INetworkPipelineStage { }

    /// <summary>Marks the pipeline stage that drops what is older than what came.</summary>
    public struct UnreliableSequencedPipelineStage : INetworkPipelineStage { }

    /// <summary>Marks the pipeline stage that makes the network worse.</summary>
    public struct SimulatorPipelineStage : INetworkPipelineStage { }

    /// <summary>What a pipeline has.</summary>
    internal readonly struct Stages
    {
        public readonly bool Fragmented, Reliable, Sequenced, Simulated;

        public Stages(bool fragmented, bool reliable, bool sequenced, bool simulated) =>
            (Fragmented, Reliable, Sequenced, Simulated) = (fragmented, reliable, sequenced, simulated);
    }

    /// <summary>A pipeline's numbers where it drops what is late.</summary>
    internal sealed class OrderLane
    {
        /// <summary>u16 number.</summary>
        public const int Header = 2;

        private ushort _in;

        public ushort Out;

        public bool IsNext(ReadOnlySpan<byte> packet)
        {
            ushort number = MemoryMarshal.Read<ushort>(packet);
            if ((short)(number - _in) <= 0) return false;
            _in = number;
            return true;
        }
    }
}

namespace Unity.Networking.Transport.Utilities
{
    public static class ReliableUtility
    {
        public struct Parameters : INetworkParameter
        {
            public int WindowSize;

            public bool Validate() => WindowSize > 0 && WindowSize <= 64;
        }
    }

    public static class ReliableStageParameterExtensions
    {
        public static ref NetworkSettings WithReliableStageParameters(ref this NetworkSettings settings, int windowSize = 32)
        {
            var parameter = new ReliableUtility.Parameters { WindowSize = windowSize };
            settings.AddRawParameterStruct(ref parameter);
            return ref settings;
        }
    }
}

namespace Unity.Networking.Transport
{
    public static class SimulatorUtility
    {
        public struct Parameters : INetworkParameter
        {
            public int PacketDropPercentage;

            public bool Validate() => PacketDropPercentage >= 0 && PacketDropPercentage <= 100;
        }
    }
}
