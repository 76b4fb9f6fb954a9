// Any number of players in C#, in one process: each a link that sends frames at a fixed rate and takes what comes.
#nullable enable

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Bots
{
    /// <summary>What bots connect to, and what they send.</summary>
    public sealed class SwarmOptions
    {
        /// <summary>moqt://host:port.</summary>
        public string Url { get; set; } = "";
        /// <summary>The token of all of them.</summary>
        public string Token { get; set; } = "";
        /// <summary>The certificate's SHA-256; empty: what the system trusts.</summary>
        public string TrustSha256 { get; set; } = "";
        /// <summary>How many bots.</summary>
        public int Count { get; set; } = 1;
        /// <summary>Links of one node, which is a socket and a native thread.</summary>
        public int LinksANode { get; set; } = 50;
        /// <summary>Where each writes; {id} is its peer id.</summary>
        public string Up { get; set; } = "games/room1/up/{id}";
        /// <summary>Where each reads.</summary>
        public string Down { get; set; } = "games/room1/down/{id}";
        /// <summary>Bytes of a frame, 8 at least.</summary>
        public int Size { get; set; } = 200;
        /// <summary>When a connection is given up.</summary>
        public double Patience { get; set; } = 60;
    }

    /// <summary>The bots. One thread at a time may call.</summary>
    public sealed class Swarm : IDisposable
    {
        private const int Head = 8, MostTimes = 1 << 16;

        private readonly SwarmOptions _options;
        private readonly Bot[] _bots;
        private readonly Node[] _nodes;
        private readonly Dictionary<ulong, Bot> _links = new Dictionary<ulong, Bot>();
        private readonly CcSend[] _frames;
        private readonly CcFate[] _fates;
        private readonly byte[] _payloads;
        private readonly GCHandle _pinned;
        private readonly List<string> _told = new List<string>();
        private readonly long[] _times = new long[MostTimes];
        private uint _mark;

        /// <summary>Starts dialling; Connect waits.</summary>
        /// <exception cref="ArgumentException">An option is out of its range.</exception>
        public Swarm(SwarmOptions options)
        {
            if (options.Count < 1 || options.LinksANode < 1) throw new ArgumentException("Count and LinksANode are 1 at least");
            if (options.Size < Head) throw new ArgumentException($"Size is {Head} at least");
            _options = options;
            _bots = new Bot[options.Count];
            _nodes = new Node[(options.Count + options.LinksANode - 1) / options.LinksANode];
            (_frames, _fates) = (new CcSend[options.Count], new CcFate[options.Count]);
            _payloads = new byte[options.Count * options.Size];
            _pinned = GCHandle.Alloc(_payloads, GCHandleType.Pinned);
            var link = new LinkOptions
            {
                Url = options.Url, Token = options.Token, TrustSha256 = options.TrustSha256.Length > 0 ? options.TrustSha256 : null,
            };
            try
            {
                for (int at = 0; at < _bots.Length; at++)
                {
                    var node = _nodes[at / options.LinksANode] ??= new Node();
                    var bot = _bots[at] = new Bot(node.Connect(link));
                    _links[bot.Link.Handle] = bot;
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        /// <summary>Frames that were sent.</summary>
        public long Sent { get; private set; }
        /// <summary>Frames that were not taken for sending.</summary>
        public long Refused { get; private set; }
        /// <summary>Frames that came.</summary>
        public long Received { get; private set; }
        /// <summary>Frames that were a bot's own, come back.</summary>
        public long Echoed { get; private set; }
        /// <summary>Frames that came damaged.</summary>
        public long Damaged { get; private set; }
        /// <summary>Bytes that the last Run has left for the collector.</summary>
        public long Garbage { get; private set; }
        /// <summary>Time of a frame in the calls of the last Run that sent them, in ns: the calls' median, as others take the processor now and then. A call has a frame of each bot.</summary>
        public double SendNanoseconds { get; private set; }

        /// <summary>Links that were lost or refused, a line each: "(number): (reason): (words)".</summary>
        public string[] Told() => _told.ToArray();

        /// <summary>Peer ids, by number; empty for one that never was up.</summary>
        public string[] Ids() => Array.ConvertAll(_bots, bot => bot.Id);

        /// <summary>How many bots have a reader for their frames.</summary>
        public int Ready
        {
            get
            {
                int ready = 0;
                foreach (var bot in _bots)
                    if (bot.Up != null && !bot.Closed && bot.Up.Stats().Subscribers > 0) ready++;
                return ready;
            }
        }

        /// <summary>Waits until each bot's frames have a reader, or is refused; how many have one.</summary>
        public int Connect()
        {
            var clock = Stopwatch.StartNew();
            while (Ready + Closed() < _bots.Length && clock.Elapsed.TotalSeconds < _options.Patience)
            {
                Take();
                Thread.Sleep(1);
            }
            return Ready;
        }

        /// <summary>A frame of each bot, in one call, and what came is taken; it waits for nothing.</summary>
        public void Tick()
        {
            Send();
            Take();
        }

        /// <summary>So many ticks at a rate: a frame of each bot, in one call, and what came is taken. Garbage is counted meanwhile.</summary>
        public void Run(int ticks, double hertz)
        {
            var clock = Stopwatch.StartNew();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int tick = 0; tick < ticks; tick++)
            {
                _times[tick % MostTimes] = Send();
                Take();
                while (clock.Elapsed.TotalSeconds < (tick + 1) / hertz)
                {
                    Thread.Sleep(1);
                    Take();
                }
            }
            Garbage = GC.GetAllocatedBytesForCurrentThread() - before;
            int times = Math.Min(ticks, MostTimes);
            Array.Sort(_times, 0, times);
            SendNanoseconds = times == 0 ? 0 : _times[times / 2] * 1e9 / Stopwatch.Frequency / _bots.Length;
        }

        /// <summary>Takes what comes until so many frames were a bot's own in all, or patience ends.</summary>
        public bool Await(long echoed)
        {
            var clock = Stopwatch.StartNew();
            while (Echoed < echoed && clock.Elapsed.TotalSeconds < _options.Patience)
            {
                Take();
                Thread.Sleep(1);
            }
            return Echoed >= echoed;
        }

        /// <summary>Closes everything; the other side is told.</summary>
        public void Dispose()
        {
            foreach (var node in _nodes) node?.Dispose();
            if (_pinned.IsAllocated) _pinned.Free();
        }

        private int Closed()
        {
            int count = 0;
            foreach (var bot in _bots)
                if (bot.Closed) count++;
            return count;
        }

        private long Send()
        {
            int count = 0;
            _mark++;
            for (int at = 0; at < _bots.Length; at++)
            {
                var up = _bots[at].Up;
                if (up == null || _bots[at].Closed) continue;
                var payload = _payloads.AsSpan(at * _options.Size, _options.Size);
                BitConverter.TryWriteBytes(payload, at);
                BitConverter.TryWriteBytes(payload.Slice(sizeof(int)), _mark);
                payload.Slice(Head).Fill(Pattern(at, _mark));
                _frames[count++] = new CcSend
                {
                    Publication = up.Handle,
                    Payload = (ulong)(_pinned.AddrOfPinnedObject() + at * _options.Size),
                    PayloadLen = (uint)_options.Size,
                    Priority = Constants.PriorityDefault,
                };
            }
            long began = Stopwatch.GetTimestamp();
            Publication.Send(_frames.AsSpan(0, count), _fates);
            long spent = Stopwatch.GetTimestamp() - began;
            for (int at = 0; at < count; at++)
                if (_fates[at] == CcFate.Queued) Sent++;
                else Refused++;
            return spent;
        }

        private static byte Pattern(int number, uint mark) => (byte)(number * 31 + mark * 7);

        private void Take()
        {
            foreach (var node in _nodes)
                foreach (var one in node.Poll()) Follow(one);
            for (int at = 0; at < _bots.Length; at++)
            {
                var down = _bots[at].Down;
                if (down == null) continue;
                foreach (var frame in down.Drain()) Judge(at, frame.Payload);
            }
        }

        private void Judge(int number, ReadOnlySpan<byte> payload)
        {
            Received++;
            if (payload.Length != _options.Size || BitConverter.ToInt32(payload) != number) return;
            byte pattern = Pattern(number, BitConverter.ToUInt32(payload.Slice(sizeof(int))));
            foreach (byte one in payload.Slice(Head))
                if (one != pattern)
                {
                    Damaged++;
                    return;
                }
            Echoed++;
        }

        private void Follow(in Event one)
        {
            if (!_links.TryGetValue(one.Handle, out var bot)) return;
            switch (one.Kind)
            {
                case CcEventKind.LinkUp when bot.Id != one.Text:
                    bot.Join(one.Text, _options);
                    break;
                case CcEventKind.LinkDown:
                    _told.Add($"{Array.IndexOf(_bots, bot)}: {one.Reason}: {one.Text}");
                    break;
                case CcEventKind.LinkClosed:
                    bot.Closed = true;
                    _told.Add($"{Array.IndexOf(_bots, bot)}: {one.Reason}: {one.Text}");
                    break;
            }
        }

        private sealed class Bot
        {
            public readonly Link Link;

            public Bot(Link link) => Link = link;

            public string Id { get; private set; } = "";
            public Publication? Up { get; private set; }
            public Subscription? Down { get; private set; }
            public bool Closed { get; set; }

            /// <summary>Publishes and subscribes under its id; another id than before takes the old one's place.</summary>
            public void Join(string id, SwarmOptions options)
            {
                Up?.Dispose();
                Down?.Dispose();
                Id = id;
                Down = Link.Subscribe(new SubscribeOptions { Namespace = options.Down.Replace("{id}", id) });
                Up = Link.Publish(new TrackOptions
                {
                    Namespace = options.Up.Replace("{id}", id), Name = "bot", Capability = Constants.CapabilityNetcodeV1,
                });
            }
        }
    }
}
