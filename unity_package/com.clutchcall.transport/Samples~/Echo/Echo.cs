// Frames there and back over a relay, with ClutchCall.Core alone: the same in a console program and in a game.
#nullable enable

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Samples.Echo
{
    /// <summary>How to reach the relay. `python -m relay --port 4443` prints URL, token and SHA-256.</summary>
    public sealed class Door
    {
        public string Url = "", Token = "", Sha256 = "", Room = "echo";

        /// <summary>What CLUTCHCALL_URL, _TOKEN, _CERT_SHA256 and _ROOM say.</summary>
        public static Door FromEnvironment()
        {
            static string Get(string name) => Environment.GetEnvironmentVariable($"CLUTCHCALL_{name}") ?? "";
            return new Door { Url = Get("URL"), Token = Get("TOKEN"), Sha256 = Get("CERT_SHA256"), Room = Get("ROOM") is { Length: > 0 } room ? room : "echo" };
        }

        public LinkOptions Options() => new LinkOptions { Url = Url, Token = Token, TrustSha256 = Sha256 };
    }

    /// <summary>Sends back what comes, to whom it came from. Update is its tick.</summary>
    public sealed class EchoServer : IDisposable
    {
        private readonly Node _node = new Node();
        private readonly Link _link;
        private readonly Subscription _up;
        private readonly string _room;
        private readonly Dictionary<ulong, Publication> _answers = new Dictionary<ulong, Publication>();

        public string Ended { get; private set; } = "";
        public bool IsReady { get; private set; }

        public EchoServer(Door door)
        {
            _room = $"games/{door.Room}";
            _link = _node.Connect(door.Options());
            _up = _link.Subscribe(new SubscribeOptions { Namespace = $"{_room}/up" });
        }

        public void Update()
        {
            foreach (var one in _node.Poll())
                switch (one.Kind)
                {
                    case CcEventKind.SubscribeOk:
                        IsReady = true;
                        break;
                    case CcEventKind.TrackAdded:
                        string id = one.Text.Substring(one.Text.LastIndexOf('/') + 1);
                        _answers[one.A] = _link.Publish(new TrackOptions { Namespace = $"{_room}/down/{id}", Name = "echo" });
                        break;
                    case CcEventKind.TrackEnded:
                        if (_answers.Remove(one.A, out var gone)) gone.Dispose();
                        break;
                    case CcEventKind.LinkClosed:
                        Ended = $"{one.Reason}: {one.Text}";
                        break;
                }
            foreach (var frame in _up.Drain())
                if (_answers.TryGetValue(frame.Track, out var answer)) answer.Send(frame.Payload, frame.Priority);
        }

        public void Dispose() => _node.Dispose();
    }

    /// <summary>Sends ten words a second, and times their way back. Update is its tick.</summary>
    public sealed class EchoClient : IDisposable
    {
        private readonly Node _node = new Node();
        private readonly Link _link;
        private readonly string _room;
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private Publication? _up;
        private Subscription? _down;
        private long _next;

        public int Sent { get; private set; }
        public int Echoed { get; private set; }
        public double LastMs { get; private set; }
        public string Ended { get; private set; } = "";

        public EchoClient(Door door)
        {
            _room = $"games/{door.Room}";
            _link = _node.Connect(door.Options());
        }

        public void Update()
        {
            foreach (var one in _node.Poll())
                if (one.Kind == CcEventKind.LinkUp && _up == null) Begin(one.Text);
                else if (one.Kind == CcEventKind.LinkClosed) Ended = $"{one.Reason}: {one.Text}";
            if (_up == null || _down == null) return;
            foreach (var frame in _down.Drain())
            {
                Echoed++;
                LastMs = (_clock.ElapsedTicks - long.Parse(Encoding.UTF8.GetString(frame.Payload))) * 1000.0 / Stopwatch.Frequency;
            }
            if (_clock.ElapsedMilliseconds < _next) return;
            _next = _clock.ElapsedMilliseconds + 100;
            if (_up.Send(Encoding.UTF8.GetBytes(_clock.ElapsedTicks.ToString())) == CcFate.Queued) Sent++;
        }

        public void Dispose() => _node.Dispose();

        private void Begin(string id)
        {
            _up = _link.Publish(new TrackOptions { Namespace = $"{_room}/up/{id}", Name = "echo" });
            _down = _link.Subscribe(new SubscribeOptions { Namespace = $"{_room}/down/{id}" });
        }
    }

    /// <summary>Both ends, for so many echoes; as a console program's Main would.</summary>
    public static class Program
    {
        public static int Run(Door door, int echoes, TimeSpan patience)
        {
            using var server = new EchoServer(door);
            using var client = new EchoClient(door);
            var clock = Stopwatch.StartNew();
            while (client.Echoed < echoes && clock.Elapsed < patience && server.Ended + client.Ended == "")
            {
                server.Update();
                client.Update();
                Thread.Sleep(5);
            }
            return client.Echoed;
        }
    }
}
