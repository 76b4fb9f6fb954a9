// A game server in C#: a relay of its own, that sends each peer's frames back to it.
#nullable enable

using System;
using System.Collections.Generic;
using System.Threading;
using ClutchCall.Core;

namespace ClutchCall.Bots
{
    /// <summary>Listens until it is disposed of, on a thread of its own. Peers write games/(room)/up/(id) and read games/(room)/down/(id).</summary>
    public sealed unsafe class EchoServer : IDisposable
    {
        private const int MostBatch = 1024;

        private readonly Node _node;
        private readonly Subscription _up;
        private readonly Thread _thread;
        private readonly string _room, _token;
        private readonly Dictionary<ulong, Publication> _answers = new Dictionary<ulong, Publication>();
        private readonly Dictionary<string, ulong> _sessions = new Dictionary<string, ulong>();
        private readonly List<string> _told = new List<string>();
        private readonly CcSend[] _frames = new CcSend[MostBatch];
        private readonly CcFate[] _fates = new CcFate[MostBatch];
        private volatile bool _ends;
        private long _received, _sent, _refused, _garbage;
        private int _peers;
        private bool _measures, _measured;

        /// <param name="bind">ip:port; port 0 is any free one.</param>
        /// <param name="certificatePem">Its certificate.</param>
        /// <param name="keyPem">The certificate's key.</param>
        /// <param name="room">The room's name.</param>
        /// <param name="token">What a client has to present; empty: nothing.</param>
        /// <param name="most">Peers at once.</param>
        public EchoServer(string bind, string certificatePem, string keyPem, string room, string token, int most)
        {
            (_room, _token) = (room, token);
            var relay = new RelayOptions { CertificatePem = certificatePem, KeyPem = keyPem, MaxSessions = most };
            _node = new Node(new NodeOptions { Bind = bind, Relay = relay });
            Address = _node.Address;
            _up = _node.Subscribe(new SubscribeOptions { Namespace = $"games/{room}/up", Capability = Constants.CapabilityNetcodeV1 });
            _thread = new Thread(Run) { IsBackground = true, Name = "echo server" };
            _thread.Start();
        }

        /// <summary>Where it listens, as ip:port.</summary>
        public string Address { get; }
        /// <summary>Peers whose tracks are there.</summary>
        public int Peers => Volatile.Read(ref _peers);
        /// <summary>Frames that came.</summary>
        public long Received => Interlocked.Read(ref _received);
        /// <summary>Frames sent back.</summary>
        public long Sent => Interlocked.Read(ref _sent);
        /// <summary>Frames that were not taken for sending.</summary>
        public long Refused => Interlocked.Read(ref _refused);
        /// <summary>Bytes that its thread has left for the collector since Measure.</summary>
        public long Garbage => Interlocked.Read(ref _garbage);
        /// <summary>Counts anew from here.</summary>
        public void Measure()
        {
            lock (_told) (_measures, _measured) = (true, false);
            while (true)
            {
                lock (_told)
                    if (_measured) return;
                Thread.Sleep(1);
            }
        }

        /// <summary>Who went, and why, a line each: "(id): (reason)".</summary>
        public string[] Told()
        {
            lock (_told) return _told.ToArray();
        }

        /// <summary>Sends a peer away; false if it is not there.</summary>
        public bool Kick(string id, string why)
        {
            ulong session;
            lock (_told)
                if (!_sessions.TryGetValue(id, out session)) return false;
            return _node.CloseSession(session, CcReason.Kicked, why);
        }

        /// <summary>Ends the thread and closes everything.</summary>
        public void Dispose()
        {
            _ends = true;
            if (Thread.CurrentThread != _thread) _thread.Join();
            _node.Dispose();
        }

        private void Run()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            while (!_ends)
            {
                bool begins;
                lock (_told) (begins, _measures) = (_measures, false);
                if (begins)
                {
                    (_received, _sent, _refused) = (0, 0, 0);
                    before = GC.GetAllocatedBytesForCurrentThread();
                    lock (_told) _measured = true;
                }
                foreach (var one in _node.Poll()) Follow(one);
                Answer();
                Interlocked.Exchange(ref _garbage, GC.GetAllocatedBytesForCurrentThread() - before);
                Thread.Sleep(1);
            }
        }

        private void Follow(in Event one)
        {
            switch (one.Kind)
            {
                case CcEventKind.Auth:
                    if (_token.Length > 0 && one.Text != _token)
                    {
                        _node.Refuse(one.Handle, CcReason.Unauthorized, "the token is not the server's");
                        break;
                    }
                    string id = one.Text4;
                    var stamp = new Stamp { Publish = $"games/{_room}/up/{id}", Subscribe = $"games/{_room}/down/{id}", PeerId = id };
                    _node.Accept(one.Handle, stamp);
                    break;
                case CcEventKind.SessionUp:
                    lock (_told) _sessions[one.Text] = one.Handle;
                    break;
                case CcEventKind.SessionDown:
                    lock (_told)
                    {
                        _told.Add($"{one.Text2}: {one.Reason}");
                        _sessions.Remove(one.Text2);
                    }
                    break;
                case CcEventKind.TrackAdded:
                    string path = one.Text, above = $"games/{_room}/up/";
                    if (!path.StartsWith(above, StringComparison.Ordinal)) break;
                    _answers[one.A] = _node.Publish(new TrackOptions
                    {
                        Namespace = $"games/{_room}/down/{path.Substring(above.Length)}",
                        Name = one.Text2,
                        Capability = Constants.CapabilityNetcodeV1,
                    });
                    Interlocked.Increment(ref _peers);
                    break;
                case CcEventKind.TrackEnded:
                    if (!_answers.TryGetValue(one.A, out var answer)) break;
                    answer.Dispose();
                    _answers.Remove(one.A);
                    Interlocked.Decrement(ref _peers);
                    break;
            }
        }

        private void Answer()
        {
            int count = 0;
            foreach (var frame in _up.Drain())
            {
                Interlocked.Increment(ref _received);
                if (!_answers.TryGetValue(frame.Track, out var answer)) continue;
                // The batch's memory stays as it is until the next Drain, so its address may be passed on.
                fixed (byte* at = frame.Payload)
                    _frames[count++] = new CcSend
                    {
                        Publication = answer.Handle, Payload = (ulong)at, PayloadLen = (uint)frame.Payload.Length, Priority = frame.Priority,
                    };
                if (count == MostBatch) Send(ref count);
            }
            Send(ref count);
        }

        private void Send(ref int count)
        {
            if (count == 0) return;
            Publication.Send(_frames.AsSpan(0, count), _fates);
            for (int at = 0; at < count; at++)
                if (_fates[at] == CcFate.Queued) Interlocked.Increment(ref _sent);
                else Interlocked.Increment(ref _refused);
            count = 0;
        }
    }
}
