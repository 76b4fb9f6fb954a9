// Bots that load a room: each sends inputs at a rate and reads what the room sends, without a Unity player around it.
#nullable enable

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Samples.SoakBot
{
    /// <summary>What a run of bots came to.</summary>
    public sealed class Report
    {
        public int Bots, Connected, Reconnects, Ended;
        public long Sent, Received, Dropped;
        /// <summary>Worst smoothed round trip, in ms.</summary>
        public double RttMs;
        /// <summary>Why the first bot ended that did.</summary>
        public string FirstEnd = "";

        public override string ToString() =>
            $"{Connected}/{Bots} bots, {Sent} sent, {Received} received, {Dropped} dropped, {Reconnects} reconnects, {Ended} ended"
            + $", worst round trip {RttMs:0.0} ms{(FirstEnd == "" ? "" : $", first end: {FirstEnd}")}";
    }

    /// <summary>Any number of bots over one node: one socket and one native thread.</summary>
    public sealed class Bots : IDisposable
    {
        private readonly Node _node = new Node();
        private readonly Dictionary<ulong, Bot> _bots = new Dictionary<ulong, Bot>();
        private readonly byte[] _input;
        private readonly string _room;
        private uint _tick;

        public Report Report { get; } = new Report();

        /// <param name="options">Where to; each bot is a peer of its own.</param>
        /// <param name="room">Inputs go to games/(room)/up/(id), states come from games/(room)/down/(id).</param>
        /// <param name="count">How many.</param>
        /// <param name="size">Bytes of an input, from 4.</param>
        public Bots(LinkOptions options, string room, int count, int size = 32)
        {
            (_room, _input) = ($"games/{room}", new byte[Math.Max(4, size)]);
            Report.Bots = count;
            for (int at = 0; at < count; at++)
            {
                var bot = new Bot(_node.Connect(options));
                _bots[bot.Link.Handle] = bot;
            }
        }

        /// <summary>One tick of all bots.</summary>
        public void Tick()
        {
            Follow();
            BinaryPrimitives.WriteUInt32LittleEndian(_input, _tick++);
            foreach (var bot in _bots.Values)
            {
                if (bot.Up == null || bot.Down == null) continue;
                if (bot.Up.Send(_input) == CcFate.Queued) Report.Sent++;
                var batch = bot.Down.Drain();
                Report.Received += batch.Count;
                Report.Dropped += (long)batch.Dropped;
            }
        }

        /// <summary>Ticks at a rate for so long.</summary>
        public Report Run(double rate, TimeSpan duration, CancellationToken stop = default)
        {
            var clock = Stopwatch.StartNew();
            for (long round = 1; clock.Elapsed < duration && !stop.IsCancellationRequested; round++)
            {
                Tick();
                double rest = round / rate - clock.Elapsed.TotalSeconds;
                if (rest > 0) Thread.Sleep(TimeSpan.FromSeconds(rest));
            }
            foreach (var bot in _bots.Values)
                if (bot.Up != null) Report.RttMs = Math.Max(Report.RttMs, bot.Link.Stats().RttUs / 1000.0);
            return Report;
        }

        public void Dispose() => _node.Dispose();

        private void Follow()
        {
            for (int count = 1; count > 0;)
            {
                var events = _node.Poll();
                count = events.Count;
                foreach (var one in events)
                {
                    if (!_bots.TryGetValue(one.Handle, out var bot)) continue;
                    if (one.Kind == CcEventKind.LinkUp) Up(bot, one.Text);
                    else if (one.Kind == CcEventKind.LinkClosed) End(bot, $"{one.Reason}: {one.Text}");
                }
            }
        }

        private void Up(Bot bot, string id)
        {
            if (bot.Up != null)
            {
                Report.Reconnects++;
                return;
            }
            Report.Connected++;
            bot.Up = bot.Link.Publish(new TrackOptions { Namespace = $"{_room}/up/{id}", Name = "input", Capability = Constants.CapabilityNetcodeV1 });
            bot.Down = bot.Link.Subscribe(new SubscribeOptions { Namespace = $"{_room}/down/{id}" });
        }

        private void End(Bot bot, string why)
        {
            (bot.Up, bot.Down) = (null, null);
            if (Report.Ended++ == 0) Report.FirstEnd = why;
        }

        private sealed class Bot
        {
            public readonly Link Link;
            public Publication? Up;
            public Subscription? Down;

            public Bot(Link link) => Link = link;
        }
    }
}
