// The hook of Netcode for GameObjects: drivers of a UnityTransport that has a ClutchCall component beside it are ClutchCall's.
#nullable enable

using System.Collections.Generic;
using ClutchCall.UnityTransport;
using Unity.Collections;
using Unity.Netcode.Transports.UTP;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Utilities;
using UnityEngine;
using UTP = Unity.Netcode.Transports.UTP.UnityTransport;

namespace ClutchCall.NGO
{
    /// <summary>Stands in UnityTransport.s_DriverConstructor while a ClutchCall component is enabled.</summary>
    /// <remarks>That place is one for all transports: what is not ours goes to whoever had it before, or to the transport itself.</remarks>
    public sealed class ClutchCallDriverConstructor : INetworkStreamDriverConstructor
    {
        /// <summary>UTP's window of the reliable stage that NGO takes.</summary>
        private const int ReliableWindow = 64;

        private static readonly ClutchCallDriverConstructor Ours = new ClutchCallDriverConstructor();
        private static readonly HashSet<ClutchCallComponent> Users = new HashSet<ClutchCallComponent>();

        private INetworkStreamDriverConstructor? _before;

        private ClutchCallDriverConstructor() { }

        /// <summary>Listens for components, and forgets those of the last play, which there are where the domain is not reloaded.</summary>
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void Begin()
        {
            ClutchCallComponent.Enabled -= Enable;
            ClutchCallComponent.Disabled -= Disable;
            ClutchCallComponent.Enabled += Enable;
            ClutchCallComponent.Disabled += Disable;
            Users.Clear();
            Restore();
        }

        private static void Enable(ClutchCallComponent component)
        {
            Users.Add(component);
            if (ReferenceEquals(UTP.s_DriverConstructor, Ours)) return;
            Ours._before = UTP.s_DriverConstructor;
            UTP.s_DriverConstructor = Ours;
        }

        private static void Disable(ClutchCallComponent component)
        {
            Users.Remove(component);
            if (Users.Count == 0) Restore();
        }

        /// <summary>Gives the place back, unless somebody else has taken it meanwhile.</summary>
        private static void Restore()
        {
            if (ReferenceEquals(UTP.s_DriverConstructor, Ours)) UTP.s_DriverConstructor = Ours._before;
            Ours._before = null;
        }

        /// <inheritdoc/>
        public void CreateDriver(
            UTP transport,
            out NetworkDriver driver,
            out NetworkPipeline unreliableFragmentedPipeline,
            out NetworkPipeline unreliableSequencedFragmentedPipeline,
            out NetworkPipeline reliableSequencedPipeline)
        {
            bool ours = transport.TryGetComponent(out ClutchCallComponent component) && component.isActiveAndEnabled;
            if (ours && !ClutchCallComponent.IsSupported) Debug.LogWarning("ClutchCall: WebGL has no native core: Unity's own driver is used");
            if (!ours || !ClutchCallComponent.IsSupported)
            {
                (_before ?? transport).CreateDriver(
                    transport, out driver, out unreliableFragmentedPipeline, out unreliableSequencedFragmentedPipeline,
                    out reliableSequencedPipeline);
                return;
            }
            var settings = Settings(transport);
            // By the order in which the pipelines are created below.
            component.AddOrRefuse(
                ref settings, Refusal(transport), component.UnreliablePriority, component.UnreliablePriority, component.SequencedPriority,
                component.ReliablePriority);
            driver = NetworkDriver.Create(new ClutchCallNetworkInterface(), settings);
            settings.Dispose();
            Stages(transport, ref driver, out var unreliable, out var sequenced, out var reliable);
            unreliableFragmentedPipeline = driver.CreatePipeline(unreliable);
            unreliableSequencedFragmentedPipeline = driver.CreatePipeline(sequenced);
            reliableSequencedPipeline = driver.CreatePipeline(reliable);
        }

        /// <summary>What speaks against a driver of ours, in a line; null: nothing does.</summary>
        private static string? Refusal(UTP transport)
        {
            if (transport.Protocol == UTP.ProtocolType.RelayUnityTransport)
                return "Unity Relay is not carried: choose the protocol Unity Transport, and Relay on the ClutchCall component";
#if CLUTCHCALL_NGO_2
            if (transport.UseWebSockets) return "Use WebSockets is not carried: clear it on the UnityTransport";
            if (transport.UseEncryption) return "Use Encryption is not carried, as QUIC always encrypts: clear it on the UnityTransport";
#endif
            return null;
        }

#if CLUTCHCALL_NGO_2
        private static NetworkSettings Settings(UTP transport) => transport.GetDefaultNetworkSettings();
#else
        /// <summary>What NGO 1.x goes by, from the transport's own fields.</summary>
        private static NetworkSettings Settings(UTP transport)
        {
            var settings = new NetworkSettings(Allocator.Temp);
            settings.WithNetworkConfigParameters(
                connectTimeoutMS: transport.ConnectTimeoutMS,
                maxConnectAttempts: transport.MaxConnectAttempts,
                disconnectTimeoutMS: transport.DisconnectTimeoutMS,
                heartbeatTimeoutMS: transport.HeartbeatTimeoutMS,
                receiveQueueCapacity: transport.MaxPacketQueueSize,
                sendQueueCapacity: transport.MaxPacketQueueSize);
            settings.WithFragmentationStageParameters(payloadCapacity: transport.MaxPayloadSize);
            settings.WithReliableStageParameters(windowSize: ReliableWindow);
            return settings;
        }
#endif

        private static void Stages(
            UTP transport,
            ref NetworkDriver driver,
            out NativeArray<NetworkPipelineStageId> unreliable,
            out NativeArray<NetworkPipelineStageId> sequenced,
            out NativeArray<NetworkPipelineStageId> reliable)
        {
#if CLUTCHCALL_NGO_2_12
            transport.GetDefaultPipelineConfigurations(ref driver, out unreliable, out sequenced, out reliable);
#elif CLUTCHCALL_NGO_2
            transport.GetDefaultPipelineConfigurations(out var first, out var second, out var third);
            (unreliable, sequenced, reliable) = (Known(first), Known(second), Known(third));
#else
            var fragments = NetworkPipelineStageId.Get<FragmentationPipelineStage>();
            unreliable = new NativeArray<NetworkPipelineStageId>(new[] { fragments }, Allocator.Temp);
            sequenced = new NativeArray<NetworkPipelineStageId>(
                new[] { fragments, NetworkPipelineStageId.Get<UnreliableSequencedPipelineStage>() }, Allocator.Temp);
            reliable = new NativeArray<NetworkPipelineStageId>(
                new[] { NetworkPipelineStageId.Get<ReliableSequencedPipelineStage>() }, Allocator.Temp);
#endif
        }

#if CLUTCHCALL_NGO_2 && !CLUTCHCALL_NGO_2_12
        /// <summary>Without the profiler's stage of the multiplayer tools: before NGO 2.12 nobody else can register it with a driver.</summary>
        private static NativeArray<NetworkPipelineStageId> Known(NativeArray<NetworkPipelineStageId> stages)
        {
            var kept = new List<NetworkPipelineStageId>();
            for (int at = 0; at < stages.Length; at++)
                if (stages[at] == NetworkPipelineStageId.Get<FragmentationPipelineStage>()
                    || stages[at] == NetworkPipelineStageId.Get<UnreliableSequencedPipelineStage>()
                    || stages[at] == NetworkPipelineStageId.Get<ReliableSequencedPipelineStage>()
                    || stages[at] == NetworkPipelineStageId.Get<SimulatorPipelineStage>())
                    kept.Add(stages[at]);
            return new NativeArray<NetworkPipelineStageId>(kept.ToArray(), Allocator.Temp);
        }
#endif
    }
}
