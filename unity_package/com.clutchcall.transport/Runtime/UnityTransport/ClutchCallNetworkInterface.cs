// Unity Transport over ClutchCall: the struct that a NetworkDriver copies, and its two jobs.
#nullable enable

using Unity.Burst;
using Unity.Jobs;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Error;

namespace ClutchCall.UnityTransport
{
    /// <summary>Carries a NetworkDriver's packets as datagrams of one Frame track a direction and a peer.</summary>
    /// <remarks>
    /// It takes its settings from a ClutchCallParameter, which NetworkSettings has to hold. UTP copies this struct:
    /// all that changes is behind the numbers in it, which Initialize sets. Every peer of a server has an endpoint
    /// fdcc::(its id), which outlives lost links and restarted relays.
    /// </remarks>
    public unsafe struct ClutchCallNetworkInterface : INetworkInterface
    {
        private int _session;
        private ulong _shared;

        /// <summary>What was bound: with Listen, the port that the system gave.</summary>
        public NetworkEndpoint LocalEndpoint => Sessions.Find(_session)?.LocalEndpoint ?? default;

        /// <summary>Takes the settings; -3 if they lack a ClutchCallParameter.</summary>
        public int Initialize(ref NetworkSettings settings, ref int packetPadding)
        {
            if (!settings.TryGet<ClutchCallParameter>(out var parameter))
            {
                UnityEngine.Debug.LogError("ClutchCall: NetworkSettings hold no ClutchCallParameter: call options.AddTo(ref settings)");
                return (int)StatusCode.NetworkStateMismatch;
            }
            var shared = Shared.Create(parameter);
            _shared = (ulong)shared;
            _session = Sessions.Begin(parameter, shared);
            return 0;
        }

        /// <summary>Notes where to listen or dial from. Nothing is opened yet, as a server's port is the relay role's.</summary>
        public int Bind(NetworkEndpoint endpoint) =>
            Sessions.Find(_session)?.Bind(endpoint) ?? (int)StatusCode.NetworkStateMismatch;

        /// <summary>Direct: opens the port and admits clients. Relay: dials, and reads what clients send. Logs what went wrong.</summary>
        public int Listen() => Sessions.Find(_session)?.Listen() ?? (int)StatusCode.NetworkStateMismatch;

        /// <summary>Takes in what has happened, then schedules the job that fills the queue.</summary>
        public JobHandle ScheduleReceive(ref ReceiveJobArguments arguments, JobHandle dep)
        {
            Pump(_session);
            if (_shared == 0) return dep;
            return new ReceiveJob { Queue = arguments.ReceiveQueue, Result = arguments.ReceiveResult, At = _shared }.Schedule(dep);
        }

        /// <summary>Schedules the job that sends the queue.</summary>
        public JobHandle ScheduleSend(ref SendJobArguments arguments, JobHandle dep)
        {
            if (_shared == 0) return dep;
            return new SendJob { Queue = arguments.SendQueue, At = _shared }.Schedule(dep);
        }

        /// <summary>Says goodbye and closes everything. The driver's jobs are done by then.</summary>
        public void Dispose()
        {
            if (_shared == 0) return;
            Sessions.End(_session);
            Shared.Free((Shared*)_shared);
            _shared = 0;
        }

        /// <summary>Where Burst compiles the caller, the keeper's thread does this within its 10 ms.</summary>
        [BurstDiscard]
        private static void Pump(int session) => Sessions.Find(session)?.Pump(true);

#if !UNITY_WEBGL || UNITY_EDITOR
        [BurstCompile]
#endif
        private struct ReceiveJob : IJob
        {
            public PacketsQueue Queue;
            public OperationResult Result;
            public ulong At;

            public void Execute()
            {
                var shared = (Shared*)At;
                shared->Enter();
                if (shared->Open != 0) shared->Receive(ref Queue, ref Result);
                shared->Exit();
            }
        }

#if !UNITY_WEBGL || UNITY_EDITOR
        [BurstCompile]
#endif
        private struct SendJob : IJob
        {
            public PacketsQueue Queue;
            public ulong At;

            public void Execute()
            {
                var shared = (Shared*)At;
                shared->Enter();
                if (shared->Open != 0) shared->Send(ref Queue);
                shared->Exit();
            }
        }
    }
}
