// What the engine does to packages: entering play mode, jobs that it refuses, settings that lack something.
#nullable enable

using System;
using System.Threading;
using System.Threading.Tasks;
using ClutchCall.UnityTransport;
using Unity.Collections;
using Unity.Collections.LowLevel.Unsafe;
using Unity.Jobs;
using Unity.Networking.Transport;
using UnityEngine;

namespace ClutchCall.UnityTests
{
    public static unsafe class Semantics
    {
        /// <summary>Methods of the package that run when play begins.</summary>
        public const int AtPlay = 3;

        /// <summary>Runs what the package has marked to run when play begins; how many methods that were.</summary>
        public static int EnterPlayMode()
        {
            int count = 0;
            foreach (var one in new[] { typeof(ClutchCallSession), typeof(NGO.ClutchCallDriverConstructor), typeof(N4E.ClutchCallDriverConstructor) })
                count += RuntimeInitializeOnLoadMethodAttribute.Run(one.Assembly, RuntimeInitializeLoadType.SubsystemRegistration);
            return count;
        }

        /// <summary>The same from another thread, while the peers' jobs are under way.</summary>
        public static void EnterPlayModeWhile(UtpPeer one, UtpPeer other) => While(one, other, () =>
        {
            if (EnterPlayMode() != AtPlay) throw new Exception("nothing was run");
        });

        /// <summary>Does something on another thread while the peers' jobs are under way.</summary>
        internal static void While(UtpPeer one, UtpPeer other, Action what)
        {
            using var closing = Task.Run(() =>
            {
                Thread.Sleep(20);
                what();
            });
            while (!closing.IsCompleted)
            {
                if (one.Outstanding == 0) one.Send(0, 100, 1);
                one.Update();
                other.Update();
            }
            closing.GetAwaiter().GetResult();
            one.Forget();
        }

        public static int WithoutParameter()
        {
            var settings = new NetworkSettings(Allocator.Temp);
            int padding = 0;
            var bare = new ClutchCallNetworkInterface();
            int code = bare.Initialize(ref settings, ref padding);
            bare.Dispose();
            return code;
        }

        /// <summary>What Schedule says to a job with a bare pointer, a nested one, a reference, and a marked pointer.</summary>
        public static string Jobs()
        {
            static string Try(Func<JobHandle> schedule)
            {
                try
                {
                    schedule().Complete();
                    return "ran";
                }
                catch (InvalidOperationException refused)
                {
                    return refused.Message;
                }
            }

            int value = 0;
            return string.Join("; ",
                Try(() => new Bare().Schedule()),
                Try(() => new Nested().Schedule()),
                Try(() => new Reference { Text = "" }.Schedule()),
                Try(() => new Marked().Schedule()),
                Try(() => new Throws().Schedule()),
                value);
        }

        /// <summary>A driver copies its interface: the original knows nothing of what the copy was given.</summary>
        public static string Copied()
        {
            var session = new ClutchCallSession();
            var settings = new NetworkSettings(Allocator.Temp);
            new ClutchCallOptions { Session = session }.AddTo(ref settings);
            var original = new ClutchCallNetworkInterface();
            using var driver = NetworkDriver.Create(original, settings);
            int code = driver.Bind(NetworkEndpoint.LoopbackIpv4);
            return $"{code} {original.LocalEndpoint.IsValid} {driver.GetLocalEndpoint()} {original.Listen()}";
        }

        public struct Bare : IJob
        {
            public byte* At;

            public void Execute() { }
        }

        public struct Inner
        {
            public IntPtr At;
        }

        public struct Nested : IJob
        {
            public Inner Inner;

            public void Execute() { }
        }

        public struct Reference : IJob
        {
            public string Text;

            public void Execute() { }
        }

        public struct Marked : IJob
        {
            [NativeDisableUnsafePtrRestriction] public byte* At;

            public void Execute() { }
        }

        public struct Throws : IJob
        {
            public void Execute() => throw new Exception("in a job");
        }
    }
}
