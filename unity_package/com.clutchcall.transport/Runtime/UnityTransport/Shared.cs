// What the jobs of an interface and its session share: unmanaged memory behind a spin lock, without garbage.
#nullable enable

using System;
using System.Runtime.InteropServices;
using System.Threading;
using ClutchCall.Core;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Error;

namespace ClutchCall.UnityTransport
{
    /// <summary>The other end of a connection, as jobs know it. A client has one, at index 0.</summary>
    internal struct Peer
    {
        public NetworkEndpoint Endpoint;
        public ulong Publication;
        /// <summary>The token of the last packet that came, and of the last that was sent: UTP may use one or two.</summary>
        public ulong InToken, OutToken;
        public int Used;
        /// <summary>Where each token is from: 0 it is not known, 1 a packet of the handshake, 2 data or a heartbeat.</summary>
        public int HasIn, HasOut;
        /// <summary>Somebody has wanted the publication once: packets go out. Before that they are held.</summary>
        public int Ready;
        /// <summary>The core sends UTP's heartbeat of this token while the main thread sleeps.</summary>
        public ulong KeptToken;
        public int Kept;
        /// <summary>UTP is to be told that it is over: 1 whatever there was, 2 only what was past its handshake, which another may be going on with.</summary>
        public int Ended;
    }

    /// <summary>Counters of what an interface could not deliver, in packets.</summary>
    public struct ClutchCallDrops
    {
        /// <summary>Larger than the driver's packets.</summary>
        public ulong TooLarge;
        /// <summary>Of a track that nobody announced.</summary>
        public ulong UnknownTrack;
        /// <summary>For a peer that has left, or never was.</summary>
        public ulong UnknownPeer;
        /// <summary>Held for a session that did not come, or more than can be held.</summary>
        public ulong Held;
        /// <summary>Not taken by the core: its queue was full, or the link was down.</summary>
        public ulong Refused;
        /// <summary>Not drained in time.</summary>
        public ulong Late;
    }

    /// <summary>The shared memory. Every member but Enter and Exit wants the lock.</summary>
    internal unsafe struct Shared
    {
        private const byte Data = 1, Bye = 2, Heartbeat = 3;
        /// <summary>The main thread sleeps once it has sent a peer nothing for so long; UTP's own heartbeats come every 500 ms.</summary>
        private const uint AwakeMs = 1000, HeartbeatMs = 500;
        private const int Token = 8, PipelineAt = 1 + Token;
        /// <summary>A goodbye is a datagram that nobody repeats: it goes out so often.</summary>
        private const int Goodbyes = 3;
        /// <summary>Frames in one native call at most.</summary>
        private const int Burst = 512;
        /// <summary>Receives that a frame waits for the word on its track.</summary>
        private const int UnknownPatience = 64;
        private const int HeldBytes = 1472, HeldAPeer = 8;

        private int _lock;
        public int Open;
        public int Listening;
        /// <summary>A client's peer is new, or sends without a link.</summary>
        public int Dial;
        public int MaxPeers;
        public Peer* Peers;
        public ClutchCallDrops Drops;
        public fixed byte Priorities[ClutchCallParameter.Pipelines];
        public byte ControlPriority;
        public int SleepLimitMs;

        private ulong _subscription;
        private CcBatch _batch;
        private uint _at;
        private int _unknown;
        private int _full;
        private Table _tracks, _endpoints;
        private CcSend* _frames;
        private byte* _fates;
        private int _queued;
        private Held* _held;
        private int _heldRoom, _heldCount;

        private struct Held
        {
            public int Peer, Length;
            public ushort Priority;
            public fixed byte Packet[HeldBytes];
        }

        public static Shared* Create(in ClutchCallParameter parameter)
        {
            var at = (Shared*)Allocate(sizeof(Shared));
            at->Open = 1;
            at->MaxPeers = parameter.MaxPeers;
            at->ControlPriority = parameter.ControlPriority;
            at->SleepLimitMs = parameter.SleepLimitMs;
            for (int one = 0; one < ClutchCallParameter.Pipelines; one++) at->Priorities[one] = parameter.PipelinePriorities[one];
            at->Peers = (Peer*)Allocate(sizeof(Peer) * at->MaxPeers);
            at->_tracks = Table.Create(at->MaxPeers * 2);
            at->_endpoints = Table.Create(at->MaxPeers);
            at->_frames = (CcSend*)Allocate(sizeof(CcSend) * Burst);
            at->_fates = (byte*)Allocate(Burst);
            at->_heldRoom = HeldAPeer;
            at->_held = (Held*)Allocate(sizeof(Held) * HeldAPeer);
            return at;
        }

        /// <summary>A server's room for what is held: its answers to all who come at the same moment.</summary>
        public void Listens()
        {
            Listening = 1;
            Marshal.FreeHGlobal((IntPtr)_held);
            _heldRoom = Math.Max(MaxPeers, HeldAPeer);
            _held = (Held*)Allocate(sizeof(Held) * _heldRoom);
            _heldCount = 0;
        }

        /// <summary>Frees it. No job may be under way, and none may come.</summary>
        public static void Free(Shared* at)
        {
            at->_tracks.Free();
            at->_endpoints.Free();
            foreach (var one in new[] { (IntPtr)at->Peers, (IntPtr)at->_frames, (IntPtr)at->_fates, (IntPtr)at->_held, (IntPtr)at })
                Marshal.FreeHGlobal(one);
        }

        public void Enter()
        {
            while (Interlocked.CompareExchange(ref _lock, 1, 0) != 0) { }
        }

        public void Exit() => Interlocked.Exchange(ref _lock, 0);

        /// <summary>Drains that subscription from now on; 0 for none. What was drained and not taken is gone with the one before.</summary>
        public void Subscribe(ulong subscription)
        {
            _subscription = subscription;
            _batch = default;
            _at = 0;
        }

        /// <summary>A server's new peer; its index, or Table.None if there is no room.</summary>
        public int Add(in NetworkEndpoint endpoint)
        {
            for (int index = 0; index < MaxPeers; index++)
                if (Peers[index].Used == 0)
                {
                    Place(index, endpoint);
                    return index;
                }
            return Table.None;
        }

        public void Remove(int index)
        {
            Forget(index);
            _endpoints.Remove(Key(Peers[index].Endpoint));
            Peers[index] = default;
        }

        public bool Map(ulong track, int index) => _tracks.Set(track, index);

        public void Unmap(ulong track) => _tracks.Remove(track);

        /// <summary>What was held for a peer goes out.</summary>
        public void Release(int index)
        {
            Peers[index].Ready = 1;
            for (int at = 0; at < _heldCount; at++)
                if (_held[at].Peer == index) Queue(index, _held[at].Packet, _held[at].Length, _held[at].Priority);
            Send();
            // Forget counts them, and they are no drops: the count is read after it.
            ulong released = (ulong)Forget(index);
            Drops.Held -= released;
            Keep(ref Peers[index]);
        }

        /// <summary>A peer's publication is closed, and what was repeated on it with it; another may come.</summary>
        public void Unready(int index)
        {
            ref var peer = ref Peers[index];
            (peer.Ready, peer.Publication, peer.Kept) = (0, 0, 0);
        }

        /// <summary>Whether anything is held for a peer.</summary>
        public bool Holds(int index)
        {
            for (int at = 0; at < _heldCount; at++)
                if (_held[at].Peer == index) return true;
            return false;
        }

        /// <summary>What is held for a peer is dropped, and counted; how many packets.</summary>
        public int Forget(int index)
        {
            int kept = 0;
            for (int at = 0; at < _heldCount; at++)
                if (_held[at].Peer != index)
                {
                    if (kept != at) _held[kept] = _held[at];
                    kept++;
                }
            int gone = _heldCount - kept;
            Drops.Held += (ulong)gone;
            _heldCount = kept;
            return gone;
        }

        /// <summary>Sends UTP's goodbye to every peer that has a connection.</summary>
        public void SayGoodbye()
        {
            byte* packet = stackalloc byte[1 + Token];
            for (int index = 0; index < MaxPeers; index++)
            {
                ref var peer = ref Peers[index];
                if (peer.Used == 0 || peer.HasOut == 0 || peer.Ready == 0) continue;
                packet[0] = Bye;
                *(ulong*)(packet + 1) = peer.OutToken;
                for (int times = Goodbyes; times > 0; times--) Queue(index, packet, 1 + Token, ControlPriority);
                // The packet's memory is used again for the next peer.
                Send();
            }
        }

        /// <summary>The receive job: first what has ended, then what has come, as far as the queue goes. The rest waits for the next.</summary>
        public void Receive(ref PacketsQueue queue, ref OperationResult result)
        {
            bool fits = TellEnded(ref queue);
            while (fits && Next())
            {
                var frame = _batch.Frames + _at;
                int index = _tracks.Find(frame->Track);
                if (index == Table.None)
                {
                    if (_unknown++ < UnknownPatience) break;
                    Drops.UnknownTrack++;
                }
                else if (frame->PayloadLen > 0) fits = Take(ref queue, index, _batch.Data + frame->PayloadAt, (int)frame->PayloadLen);
                if (!fits) break;
                _unknown = 0;
                _at++;
            }
            // Nothing is lost by it, so it is said once, and again only after there was room.
            if (!fits && _full == 0) result.ErrorCode = (int)StatusCode.NetworkReceiveQueueFull;
            _full = fits ? 0 : 1;
        }

        /// <summary>The send job: all that is queued, in as few native calls as it takes.</summary>
        public void Send(ref PacketsQueue queue)
        {
            int count = queue.Count;
            for (int at = 0; at < count; at++)
            {
                var packet = queue[at];
                if (packet.Length == 0) continue;
                int index = IndexOf(packet.EndpointRef);
                if (index == Table.None)
                {
                    Drops.UnknownPeer++;
                    continue;
                }
                byte* payload = (byte*)packet.GetUnsafePayloadPtr() + packet.Offset;
                Give(index, payload, packet.Length);
            }
            Send();
        }

        private bool Next()
        {
            if (_at < _batch.Count) return true;
            if (_subscription == 0) return false;
            var batch = CcBatch.Create();
            _at = 0;
            if (Native.Drain(_subscription, &batch) != (int)CcStatus.Ok) batch.Count = 0;
            _batch = batch;
            Drops.Late += batch.Dropped;
            return batch.Count > 0;
        }

        private bool Take(ref PacketsQueue queue, int index, byte* data, int length)
        {
            if (!queue.EnqueuePacket(out var packet)) return false;
            if (length > packet.BytesAvailableAtEnd)
            {
                packet.Drop();
                Drops.TooLarge++;
                return true;
            }
            ref var peer = ref Peers[index];
            packet.EndpointRef = peer.Endpoint;
            packet.AppendToPayload(data, length);
            if (length <= Token) return true;
            Learn(data, ref peer.InToken, ref peer.HasIn);
            if (data[0] == Bye) (peer.HasIn, peer.HasOut) = (0, 0);
            Keep(ref peer);
            return true;
        }

        /// <summary>
        /// Has the core send UTP's heartbeat for a main thread that sleeps, from its own thread: a scene that loads, a
        /// debugger and a suspended .NET don't hold that. It is asked again only when the connection's token is another.
        /// </summary>
        private void Keep(ref Peer peer)
        {
            bool wanted = peer.Ready != 0 && peer.HasOut != 0 && SleepLimitMs > AwakeMs;
            if (wanted == (peer.Kept != 0) && (!wanted || peer.KeptToken == peer.OutToken)) return;
            byte* packet = stackalloc byte[1 + Token];
            packet[0] = Heartbeat;
            *(ulong*)(packet + 1) = peer.OutToken;
            var repeat = CcRepeat.Create();
            repeat.Payload = new CcStr { Ptr = packet, Len = 1 + Token };
            repeat.Priority = ControlPriority;
            (repeat.SilenceMs, repeat.EveryMs, repeat.LimitMs) = (AwakeMs, wanted ? HeartbeatMs : 0, (uint)SleepLimitMs);
            // A publication that has closed meanwhile repeats nothing, and Unready follows.
            Native.PublishRepeat(peer.Publication, &repeat);
            (peer.Kept, peer.KeptToken) = (wanted ? 1 : 0, peer.OutToken);
        }

        /// <summary>Takes a packet's token: data's and heartbeats' for certain, another's for want of a better.</summary>
        private static void Learn(byte* packet, ref ulong token, ref int known)
        {
            bool certain = packet[0] == Data || packet[0] == Heartbeat;
            if (!certain && known == 2) return;
            (token, known) = (*(ulong*)(packet + 1), certain ? 2 : 1);
        }

        /// <summary>UTP hears of an end as if the peer had said it; without a token there is no connection yet that could end.</summary>
        private bool TellEnded(ref PacketsQueue queue)
        {
            byte* packet = stackalloc byte[1 + Token];
            for (int index = 0; index < MaxPeers; index++)
            {
                ref var peer = ref Peers[index];
                if (peer.Ended == 0) continue;
                // All that a client ever hears of a server comes after its handshake, or ends it.
                bool heard = peer.HasIn >= (Listening == 0 ? 1 : peer.Ended);
                packet[0] = Bye;
                *(ulong*)(packet + 1) = heard ? peer.InToken : peer.OutToken;
                if ((heard || peer.HasOut >= peer.Ended) && !Take(ref queue, index, packet, 1 + Token)) return false;
                (peer.Ended, peer.HasIn, peer.HasOut) = (0, 0, 0);
                Keep(ref peer);
            }
            return true;
        }

        private void Give(int index, byte* packet, int length)
        {
            ref var peer = ref Peers[index];
            bool tokened = length > Token;
            ushort priority = ControlPriority;
            if (packet[0] == Data && length > PipelineAt)
                priority = Priorities[Math.Min(packet[PipelineAt], (byte)(ClutchCallParameter.Pipelines - 1))];
            if (tokened) Learn(packet, ref peer.OutToken, ref peer.HasOut);
            if (peer.Ready == 0)
            {
                Hold(index, packet, length, priority);
                return;
            }
            bool goodbye = tokened && packet[0] == Bye;
            for (int times = goodbye ? Goodbyes : 1; times > 0; times--) Queue(index, packet, length, priority);
            if (goodbye) (peer.HasIn, peer.HasOut) = (0, 0);
            Keep(ref peer);
        }

        private void Hold(int index, byte* packet, int length, ushort priority)
        {
            if (Listening == 0) Dial = 1;
            int mine = 0;
            for (int at = 0; at < _heldCount; at++)
                if (_held[at].Peer == index) mine++;
            if (mine >= HeldAPeer || _heldCount == _heldRoom || length > HeldBytes)
            {
                Drops.Held++;
                return;
            }
            ref var slot = ref _held[_heldCount++];
            (slot.Peer, slot.Length, slot.Priority) = (index, length, priority);
            for (int at = 0; at < length; at++) slot.Packet[at] = packet[at];
        }

        private void Queue(int index, byte* packet, int length, ushort priority)
        {
            if (_queued == Burst) Send();
            _frames[_queued++] = new CcSend
            {
                Publication = Peers[index].Publication,
                Payload = (ulong)packet,
                PayloadLen = (uint)length,
                Priority = priority,
            };
        }

        private void Send()
        {
            if (_queued == 0) return;
            int status = Native.Send(_frames, (uint)_queued, _fates);
            for (int at = 0; at < _queued; at++)
                if (status != (int)CcStatus.Ok || _fates[at] != (byte)CcFate.Queued) Drops.Refused++;
            _queued = 0;
        }

        private int IndexOf(in NetworkEndpoint endpoint)
        {
            int index = _endpoints.Find(Key(endpoint));
            if (index != Table.None && Peers[index].Endpoint == endpoint) return index;
            // Two endpoints may have one hash; the table knows the later.
            for (int at = 0; at < MaxPeers && index != Table.None; at++)
                if (Peers[at].Used != 0 && Peers[at].Endpoint == endpoint) return at;
            if (Listening != 0) return Table.None;
            // A client talks to one server: another address takes the place of the one before.
            if (Peers[0].Used != 0) Remove(0);
            Place(0, endpoint);
            Dial = 1;
            return 0;
        }

        private void Place(int index, in NetworkEndpoint endpoint)
        {
            Peers[index] = new Peer { Endpoint = endpoint, Used = 1 };
            _endpoints.Set(Key(endpoint), index);
        }

        private static ulong Key(in NetworkEndpoint endpoint) => (uint)endpoint.GetHashCode();

        private static void* Allocate(int bytes)
        {
            void* at = (void*)Marshal.AllocHGlobal(bytes);
            new Span<byte>(at, bytes).Clear();
            return at;
        }
    }
}
