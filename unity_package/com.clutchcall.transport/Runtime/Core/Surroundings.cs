// What the package takes from its machine beside the native core: the time, bytes that nobody can guess, a thread.
#nullable enable

using System;
using System.Diagnostics;
using System.Security.Cryptography;

namespace ClutchCall.Core
{
    /// <summary>The machine's own, unless a harness in virtual time tells another: then two runs are alike.</summary>
    /// <remarks>One for all of a process. Tell it before anything of the package is made, and from one thread.</remarks>
    public static class Surroundings
    {
        private static readonly Stopwatch Clock = Stopwatch.StartNew();
        private static long s_now;
        private static ulong s_state;

        /// <summary>Whether they are told. Then the package starts no thread.</summary>
        public static bool AreTold { get; private set; }

        /// <summary>A clock that never goes back, in milliseconds.</summary>
        public static long NowMs => AreTold ? s_now : Clock.ElapsedMilliseconds;

        /// <summary>From now on the time is what Advance says, 0 at first, and random bytes follow from the seed.</summary>
        public static void Tell(ulong seed) => (AreTold, s_now, s_state) = (true, 0, seed);

        /// <summary>The time, in milliseconds; one before the last counts as the last.</summary>
        public static void Advance(long nowMs) => s_now = Math.Max(s_now, nowMs);

        /// <summary>The machine's own again.</summary>
        public static void Forget() => AreTold = false;

        /// <summary>Fills bytes that nobody can guess.</summary>
        internal static void Fill(byte[] bytes)
        {
            if (!AreTold)
            {
                using var source = RandomNumberGenerator.Create();
                source.GetBytes(bytes);
                return;
            }
            for (int at = 0; at < bytes.Length; at++) bytes[at] = (byte)Next();
        }

        /// <summary>A name that no other start of a program has; of two, the later one's is greater.</summary>
        internal static string NewInstance()
        {
            long ticks = AreTold ? NowMs * TimeSpan.TicksPerMillisecond : DateTime.UtcNow.Ticks;
            var own = new byte[16];
            Fill(own);
            return $"{ticks:x16}{new Guid(own):N}";
        }

        /// <summary>SplitMix64: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.</summary>
        private static ulong Next()
        {
            ulong mixed = s_state += 0x9E3779B97F4A7C15;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            return mixed ^ (mixed >> 31);
        }
    }
}
