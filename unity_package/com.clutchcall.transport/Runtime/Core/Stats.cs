// Readings of the counters by reason, which the C ABI keeps in arrays.
#nullable enable

namespace ClutchCall.Core
{
    /// <summary>Frames dropped for a reason, in each kind of statistics.</summary>
    public static unsafe class Stats
    {
        /// <summary>Frames that the node dropped for this reason.</summary>
        public static ulong Dropped(this in CcNodeStats stats, CcDrop reason) => stats.Drops[(int)reason];

        /// <summary>Frames that the link dropped for this reason.</summary>
        public static ulong Dropped(this in CcLinkStats stats, CcDrop reason) => stats.Drops[(int)reason];

        /// <summary>Frames that the track dropped for this reason.</summary>
        public static ulong Dropped(this in CcTrackStats stats, CcDrop reason) => stats.Drops[(int)reason];
    }
}
