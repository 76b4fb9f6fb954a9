// Rooms that another server has taken over, so that clients which connect again don't meet the one that they have left.
#nullable enable

using System.Collections.Generic;
using ClutchCall.Core;

namespace ClutchCall.UnityTransport
{
    /// <summary>Of two servers that stay in a room, the older may be nearer and answer first: it is passed over for a while.</summary>
    internal static class Takeovers
    {
        /// <summary>After this the newer server would have answered, if it were still there.</summary>
        public const long PassMs = 5000;

        private static readonly Dictionary<string, (string Newest, long Since)> Rooms = new Dictionary<string, (string, long)>();

        /// <summary>A client was told that a newer server has its room.</summary>
        public static void Note(ClutchCallMode mode, string url, string room, string instance)
        {
            // Without a relay a room is a server's own, and another's has the same name.
            if (mode != ClutchCallMode.Relay) return;
            lock (Rooms) Rooms[$"{url} {room}"] = (instance, Surroundings.NowMs);
        }

        /// <summary>Whether a server is older than one that clients of its room were told of just now.</summary>
        public static bool IsLeft(string url, string room, string instance)
        {
            lock (Rooms)
                return Rooms.TryGetValue($"{url} {room}", out var last) && string.CompareOrdinal(instance, last.Newest) < 0
                    && Surroundings.NowMs - last.Since < PassMs && Surroundings.NowMs >= last.Since;
        }

        /// <summary>Forgets all: play begins anew.</summary>
        public static void Forget()
        {
            lock (Rooms) Rooms.Clear();
        }
    }
}
