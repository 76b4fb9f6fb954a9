// The component's inspector: its fields, what is wrong with them, and while the game runs how the connection does.
#nullable enable

using System.Collections.Generic;
using ClutchCall.Core;
using ClutchCall.UnityTransport;
using UnityEditor;

namespace ClutchCall.Editor
{
    /// <summary>Draws a ClutchCallComponent. Nothing in it is kept: what it shows is read at each repaint.</summary>
    [CustomEditor(typeof(ClutchCallComponent))]
    public sealed class ClutchCallComponentEditor : UnityEditor.Editor
    {
        private static readonly (string Name, CcDrop Reason)[] Reasons =
        {
            ("expired", CcDrop.Expired), ("superseded", CcDrop.Superseded), ("no room", CcDrop.NoRoom), ("too large", CcDrop.TooLarge),
            ("not authorised", CcDrop.NotAuthorised), ("congested", CcDrop.Congested), ("stream limit", CcDrop.StreamLimit),
            ("ring full", CcDrop.RingFull),
        };

        /// <inheritdoc/>
        public override bool RequiresConstantRepaint() => EditorApplication.isPlaying;

        /// <inheritdoc/>
        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var component = (ClutchCallComponent)target!;
            foreach (string line in component.Problems()) EditorGUILayout.HelpBox(line, MessageType.Error);
            EditorGUILayout.Space();
            foreach (var (label, value) in Readings(component)) EditorGUILayout.LabelField(label, value);
        }

        /// <summary>What is shown of the running session, a label and a value a line; one line where there is none.</summary>
        public static IReadOnlyList<(string Label, string Value)> Readings(ClutchCallComponent component)
        {
            var shown = new List<(string, string)> { ("Session", component.State.ToString()) };
            if (component.Reason != CcReason.None) shown.Add((component.Reason.ToString(), component.Text));
            if (component.State == ClutchCallState.Idle) return shown;
            if (component.PeerId != "") shown.Add(("Peer", component.PeerId));
            if (component.CertificateSha256 != "") shown.Add(("Certificate SHA-256", component.CertificateSha256));
            var drops = component.Drops;
            shown.Add(("Peers", component.Peers.ToString()));
            if (component.TryGetStats(out var stats)) Add(shown, stats);
            shown.Add(("Packets dropped here", Listed(new List<(string, ulong)>
            {
                ("too large", drops.TooLarge), ("unknown track", drops.UnknownTrack), ("unknown peer", drops.UnknownPeer),
                ("held too long", drops.Held), ("refused", drops.Refused), ("late", drops.Late),
            })));
            return shown;
        }

        private static void Add(List<(string, string)> shown, in CcLinkStats stats)
        {
            double lost = stats.PacketsSent == 0 ? 0 : 100.0 * stats.PacketsLost / stats.PacketsSent;
            shown.Add(("Round trip", $"{stats.RttUs / 1000.0:0.0} ms, least {stats.RttMinUs / 1000.0:0.0}, jitter {stats.JitterUs / 1000.0:0.0}"));
            shown.Add(("Loss", $"{lost:0.0}% of {stats.PacketsSent} packets"));
            shown.Add(("Queue", $"{stats.QueuedBytes} bytes, the last frame waited {stats.QueueDelayUs / 1000.0:0.0} ms"));
            shown.Add(("Send rate", $"{stats.SendRate / 1000} kB/s, in flight {stats.InFlight} bytes"));
            shown.Add(("Frames", $"{stats.FramesSent} sent, {stats.FramesReceived} received"));
            shown.Add(("Reconnects", stats.Reconnects.ToString()));
            var frames = new List<(string, ulong)>();
            foreach (var (name, reason) in Reasons) frames.Add((name, stats.Dropped(reason)));
            shown.Add(("Frames dropped", Listed(frames)));
        }

        private static string Listed(List<(string Name, ulong Count)> counts)
        {
            var words = new List<string>();
            foreach (var (name, count) in counts)
                if (count > 0) words.Add($"{name} {count}");
            return words.Count == 0 ? "none" : string.Join(", ", words);
        }
    }
}
