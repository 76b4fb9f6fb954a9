// A player in C#: sends what a Python peer sends back, and compares it byte for byte.
#nullable enable

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Tests
{
    /// <summary>A link that publishes below games/room1/up and reads games/room1/down. Every wait has an end.</summary>
    public sealed class Player : IDisposable
    {
        private static readonly int[] Sizes = { 0, 1, 200, 1000, 1101, 8000 };

        private readonly Node _node = new Node(new NodeOptions { Bind = "127.0.0.1:0" });
        private readonly Link _link;
        private readonly Subscription _down;
        private readonly double _patience;
        private readonly HashSet<ulong> _answered = new HashSet<ulong>();

        private Publication? _chat;

        public string PeerId { get; private set; } = "";
        public ulong Draft { get; private set; }
        public CcReason Ended { get; private set; }
        public string EndedText { get; private set; } = "";

        public Player(string url, string sha256, string alpns, double patience)
        {
            _patience = patience;
            _link = _node.Connect(new LinkOptions { Url = url, TrustSha256 = sha256, Alpns = alpns });
            _down = _link.Subscribe(new SubscribeOptions { Namespace = "games/room1/down" });
        }

        /// <summary>Waits until the link is up, or closed for good.</summary>
        public bool Connect()
        {
            Wait("the link", () => PeerId != "" || Ended != CcReason.None);
            return PeerId != "";
        }

        /// <summary>Sends frames of all sizes on a track of that kind; what the peer answered, as flags and fragments of each.</summary>
        public string Echo(CcTrackKind kind, string name)
        {
            var options = new TrackOptions { Kind = kind, Namespace = "games/room1/up", Name = name };
            using var up = _link.Publish(options);
            Wait("PublishOk", () => _answered.Contains(up.Handle));
            Wait("a subscriber", () => up.Stats().Subscribers > 0);
            for (int mark = 0; mark < Sizes.Length; mark++)
            {
                var fate = up.Send(Payload(Sizes[mark], mark), 10 + mark, TimeSpan.FromSeconds(_patience));
                if (fate != CcFate.Queued) throw new Exception($"{name} {mark}: {fate}");
            }
            var seen = new string[Sizes.Length];
            int count = 0;
            Wait("the echo", () =>
            {
                var batch = _down.Drain();
                for (int index = 0; index < batch.Count; index++) count += Compare(batch[index], kind, seen);
                return count == Sizes.Length;
            });
            ulong sent = up.Stats().Frames;
            if (sent != (ulong)Sizes.Length) throw new Exception($"{name}: {sent} frames counted");
            return string.Join(" ", seen);
        }

        /// <summary>What becomes of a frame on a track that is closed.</summary>
        public CcFate SendClosed()
        {
            var up = _link.Publish(new TrackOptions { Namespace = "games/room1/up", Name = "closed" });
            up.Dispose();
            up.Dispose();
            return up.Send(new byte[] { 1 });
        }

        /// <summary>Reads so many messages of a text track, and answers each on one of its own with a mark behind it.</summary>
        public string[] Chat(string name, int count)
        {
            var read = new System.Collections.Generic.List<string>();
            // It stays until this is disposed of: what was said on it is taken later.
            var up = _chat = _link.Publish(new TrackOptions
            {
                Kind = CcTrackKind.Text, Namespace = "games/room1/up", Name = name, Capability = Constants.CapabilityTextV1,
            });
            Wait("the messages", () =>
            {
                foreach (var frame in _down.Drain())
                {
                    string words = System.Text.Encoding.UTF8.GetString(frame.Payload);
                    read.Add(words);
                    up.Send(System.Text.Encoding.UTF8.GetBytes(words + "!"));
                }
                return read.Count >= count;
            });
            return read.ToArray();
        }

        /// <summary>Ends the link and waits for the word that it has.</summary>
        public void Leave(string text)
        {
            _link.Close(CcReason.Local, text);
            Wait("LinkClosed", () => Ended != CcReason.None);
        }

        public void Dispose()
        {
            _chat?.Dispose();
            _down.Dispose();
            _link.Dispose();
            _node.Dispose();
            _node.Dispose();
        }

        private static byte[] Payload(int size, int mark)
        {
            var bytes = new byte[size];
            for (int at = 0; at < size; at++) bytes[at] = (byte)(mark * 31 + at * 7);
            return bytes;
        }

        private static int Compare(Frame frame, CcTrackKind kind, string[] seen)
        {
            int mark = Array.IndexOf(Sizes, frame.Payload.Length);
            if (mark < 0 || seen[mark] != null) throw new Exception($"a frame of {frame.Payload.Length} bytes too many");
            if (!frame.Payload.SequenceEqual(Payload(Sizes[mark], mark))) throw new Exception($"frame {mark} differs");
            if (kind != CcTrackKind.Text && frame.Priority != 10 + mark)
                throw new Exception($"frame {mark} has priority {frame.Priority}");
            seen[mark] = $"{(int)frame.Flags & ~(int)CcFrameFlags.Gap}/{frame.Fragments}";
            return 1;
        }

        private void Wait(string what, Func<bool> done)
        {
            var clock = Stopwatch.StartNew();
            while (!done())
            {
                Poll();
                if (clock.Elapsed.TotalSeconds > _patience) throw new TimeoutException($"{what} did not come in time");
                Thread.Sleep(1);
            }
        }

        private void Poll()
        {
            foreach (var one in _node.Poll())
                switch (one.Kind)
                {
                    case CcEventKind.LinkUp when one.Handle == _link.Handle:
                        (PeerId, Draft) = (one.Text, one.C);
                        break;
                    case CcEventKind.LinkClosed when one.Handle == _link.Handle:
                        (Ended, EndedText) = (one.Reason, one.Text);
                        break;
                    case CcEventKind.PublishOk:
                        _answered.Add(one.Handle);
                        break;
                }
        }
    }
}
