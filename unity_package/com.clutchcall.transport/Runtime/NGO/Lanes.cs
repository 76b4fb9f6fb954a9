// The five ways in which Netcode for GameObjects sends, as tracks: two of datagrams, three of text. And what waits for them.
#nullable enable

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using ClutchCall.Core;
using Unity.Netcode;

namespace ClutchCall.NGO
{
    /// <summary>What the first byte of a frame says.</summary>
    internal enum Mark : byte
    {
        /// <summary>A message, or the last piece of one.</summary>
        Data = 0,
        /// <summary>A piece of a message; more follow on the same track.</summary>
        Piece = 1,
        /// <summary>A client asks to be let in.</summary>
        Hello = 2,
        /// <summary>The server has let it in.</summary>
        Welcome = 3,
        /// <summary>The other end goes, or sends this one away: a byte with the CcReason, and words.</summary>
        Bye = 4,
        /// <summary>Eight bytes, to be sent back as Pong.</summary>
        Ping = 5,
        /// <summary>A Ping's eight bytes.</summary>
        Pong = 6,
        /// <summary>Eight bytes: how much may have been sent in all on the other end's reliable track of this way.</summary>
        Room = 7,
    }

    /// <summary>The ways by NetworkDelivery's numbers.</summary>
    internal static class Lanes
    {
        public const int Count = 5;
        /// <summary>The way of Hello, Welcome and Bye.</summary>
        public const int Control = (int)NetworkDelivery.ReliableFragmentedSequenced;
        /// <summary>The way of Ping and Pong.</summary>
        public const int Probe = (int)NetworkDelivery.Unreliable;
        /// <summary>Bytes of a frame at most: of datagrams what the core splits and joins, of text what keeps its queues moving.</summary>
        public const int DatagramBytes = (int)(Constants.FragmentBytes * Constants.MaxFragments), TextBytes = 16 * 1024;
        /// <summary>Bytes of a message in pieces that a receiver joins.</summary>
        public const int MessageBytes = 64 << 20;
        /// <summary>What a frame counts beside its bytes: about what holds it wherever it waits.</summary>
        public const int FrameCost = 192;
        /// <summary>What may be under way on a reliable track before its reader says how much; and at most, then.</summary>
        /// <remarks>
        /// What a reader has not taken waits with its node, which holds 4 MiB of a track and 64 MiB of all; a relay between
        /// keeps the last 256 KiB. Beyond that messages would be lost to a reader that sleeps.
        /// </remarks>
        public const int LeastRoom = 64 << 10, MostRoom = 1 << 20;
        /// <summary>What all peers share, where it gives each more than the least.</summary>
        public const int SharedRoom = 16 << 20;
        /// <summary>Frames within the most: what their publisher has to keep for a link that comes back.</summary>
        public const uint RoomFrames = MostRoom / FrameCost;

        public static bool IsReliable(int lane) => lane >= (int)NetworkDelivery.Reliable;

        /// <summary>What may be under way to a reader on each reliable track, with so many peers.</summary>
        public static int Room(int peers) => Math.Max(LeastRoom, Math.Min(MostRoom, SharedRoom / Math.Max(1, peers)));

        /// <summary>What a frame takes of the room: the messages of the game do, or pieces of them.</summary>
        public static int Cost(Mark mark, int body) => mark == Mark.Data || mark == Mark.Piece ? body + 1 + FrameCost : 0;

        public static bool IsOrdered(int lane) => lane == (int)NetworkDelivery.UnreliableSequenced;

        /// <summary>A track's name: which start of the program it is of, which of its connections, and its way.</summary>
        public static string Name(string instance, int connection, int lane) => $"{instance}-{connection}.{lane}";

        /// <summary>Reads a track's name; false for a stranger's.</summary>
        public static bool TryRead(string name, out string instance, out int lane)
        {
            int dash = name.IndexOf('-'), dot = name.LastIndexOf('.');
            (instance, lane) = ("", -1);
            if (dash <= 0 || dot < dash || dot != name.Length - 2) return false;
            (instance, lane) = (name.Substring(0, dash), name[dot + 1] - '0');
            return lane >= 0 && lane < Count;
        }
    }

    /// <summary>A track that goes out, and the messages that its reader has no room for yet. Reliable ones are never dropped: they wait here.</summary>
    internal sealed class Outgoing : IDisposable
    {
        private readonly Publication _publication;
        private readonly bool _reliable;
        private readonly Backlog _waiting = new Backlog();
        private byte[] _frame = new byte[2048];
        private long _spent, _room = Lanes.LeastRoom;

        public Outgoing(Publication publication, bool reliable) => (_publication, _reliable) = (publication, reliable);

        public ulong Handle => _publication.Handle;

        /// <summary>Somebody reads it, so that what is sent arrives.</summary>
        public bool Wanted { get; set; }

        /// <summary>Bytes that wait.</summary>
        public int Waiting => _waiting.Bytes;

        /// <summary>Its reader takes so much in all.</summary>
        public void Grant(long room) => _room = Math.Max(_room, room);

        /// <summary>Sends a message; false if it was dropped, which reliable ones are not.</summary>
        public bool Send(Mark mark, ReadOnlySpan<byte> message, int priority = -1)
        {
            int room = (_reliable ? Lanes.TextBytes : Lanes.DatagramBytes) - 1;
            if (!_reliable) return message.Length <= room && Give(mark, message, priority);
            for (; message.Length > room; message = message.Slice(room)) Post(Mark.Piece, message.Slice(0, room));
            Post(mark, message);
            return true;
        }

        /// <summary>Sends a word of the transport's own ahead of what waits; false if it has to be tried again.</summary>
        public bool SendAhead(Mark mark, ReadOnlySpan<byte> word) => Wanted && Give(mark, word, -1);

        /// <summary>Sends what waits, as far as it is taken.</summary>
        public void Flush()
        {
            while (Wanted && !_waiting.IsEmpty)
            {
                var next = _waiting.First;
                int cost = Lanes.Cost((Mark)next[0], next.Length - 1);
                if (_spent + cost > _room || _publication.Send(next) != CcFate.Queued) return;
                _spent += cost;
                _waiting.Remove();
            }
        }

        public void Dispose() => _publication.Dispose();

        private void Post(Mark mark, ReadOnlySpan<byte> piece)
        {
            int cost = Lanes.Cost(mark, piece.Length);
            if (Wanted && _waiting.IsEmpty && _spent + cost <= _room && Give(mark, piece, -1)) _spent += cost;
            else _waiting.Add(mark, piece);
        }

        private bool Give(Mark mark, ReadOnlySpan<byte> message, int priority)
        {
            if (_frame.Length <= message.Length) Array.Resize(ref _frame, message.Length + 1);
            _frame[0] = (byte)mark;
            message.CopyTo(_frame.AsSpan(1));
            return _publication.Send(_frame.AsSpan(0, message.Length + 1), priority) == CcFate.Queued;
        }
    }

    /// <summary>Frames that wait, in order, in a buffer that is used over and over.</summary>
    internal sealed class Backlog
    {
        private const int Head = sizeof(int), Kept = 1 << 20;
        private byte[] _bytes = Array.Empty<byte>();
        private int _start, _end;

        public int Bytes => _end - _start;

        public bool IsEmpty => _start == _end;

        /// <summary>The oldest: its mark and its body. Good until the next call.</summary>
        public ReadOnlySpan<byte> First => _bytes.AsSpan(_start + Head, BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(_start)));

        public void Add(Mark mark, ReadOnlySpan<byte> body)
        {
            int needed = Head + 1 + body.Length;
            if (_bytes.Length - _end < needed) Make(needed);
            BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(_end), body.Length + 1);
            _bytes[_end + Head] = (byte)mark;
            body.CopyTo(_bytes.AsSpan(_end + Head + 1));
            _end += needed;
        }

        public void Remove()
        {
            _start += Head + First.Length;
            if (!IsEmpty) return;
            (_start, _end) = (0, 0);
            if (_bytes.Length > Kept) _bytes = Array.Empty<byte>();
        }

        /// <summary>Makes room behind what waits: it moves to the front, of a larger buffer if this one is more than half full.</summary>
        private void Make(int needed)
        {
            int held = Bytes;
            var into = (held + needed) * 2L > _bytes.Length ? new byte[Math.Max(4096, (held + needed) * 2)] : _bytes;
            Buffer.BlockCopy(_bytes, _start, into, 0, held);
            (_bytes, _start, _end) = (into, 0, held);
        }
    }

    /// <summary>A track that comes in, of one start of the other end's program.</summary>
    internal sealed class Incoming
    {
        public readonly Peer Peer;
        public readonly int Lane;
        private byte[] _joined = Array.Empty<byte>();
        private int _length;
        private ulong _newest;

        public Incoming(Peer peer, int lane) => (Peer, Lane) = (peer, lane);

        /// <summary>Whether a frame is newer than all before it; a group is a frame here.</summary>
        public bool IsNewer(ulong group)
        {
            if (group <= _newest) return false;
            _newest = group;
            return true;
        }

        /// <summary>Takes a piece; false if the message would be larger than any is.</summary>
        public bool Join(ReadOnlySpan<byte> piece)
        {
            if (_length + piece.Length > Lanes.MessageBytes) return false;
            if (_joined.Length < _length + piece.Length) Array.Resize(ref _joined, Math.Max(_joined.Length * 2, _length + piece.Length));
            piece.CopyTo(_joined.AsSpan(_length));
            _length += piece.Length;
            return true;
        }

        /// <summary>The message that ends with this piece, good until the next is joined.</summary>
        public ReadOnlySpan<byte> Whole(ReadOnlySpan<byte> last)
        {
            if (_length == 0) return last;
            if (!Join(last)) last = default;
            var whole = _joined.AsSpan(0, _length);
            _length = 0;
            return whole;
        }
    }

    /// <summary>The other end: a server's client, or a client's server.</summary>
    internal sealed class Peer
    {
        public readonly string Id;
        public readonly Outgoing?[] Out = new Outgoing?[Lanes.Count];
        /// <summary>NGO's number of it; 0 is the server.</summary>
        public ulong Number;
        /// <summary>The start of its program that is spoken with; empty before there is one.</summary>
        public string Instance = "";
        /// <summary>NGO knows of it.</summary>
        public bool Connected;
        /// <summary>By way: what was taken of its reliable track in all, and how much of it it knows that it may send.</summary>
        public readonly long[] Taken = new long[Lanes.Count], Granted = new long[Lanes.Count];
        /// <summary>Its tracks that are there.</summary>
        public int Tracks;
        /// <summary>When it is given up, as its tracks have ended without a word; 0: they have not.</summary>
        public long EndAt;
        /// <summary>The native session, at a Direct server.</summary>
        public ulong Session;
        public long PingedAt;
        public ulong RttMs;

        public Peer(string id) => Id = id;

        public void Close()
        {
            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                Out[lane]?.Dispose();
                Out[lane] = null;
            }
        }
    }

    /// <summary>What NGO is to hear, with the messages' bytes in one buffer that is used over and over.</summary>
    internal sealed class Inbox
    {
        private readonly Queue<(NetworkEvent Type, ulong Peer, int At, int Length)> _events = new Queue<(NetworkEvent, ulong, int, int)>();
        private byte[] _bytes = new byte[16 * 1024];
        private int _used;

        public bool IsEmpty => _events.Count == 0;

        public void Add(NetworkEvent type, ulong peer, ReadOnlySpan<byte> message = default)
        {
            if (_events.Count == 0) _used = 0;
            if (_bytes.Length - _used < message.Length) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + message.Length));
            message.CopyTo(_bytes.AsSpan(_used));
            _events.Enqueue((type, peer, _used, message.Length));
            _used += message.Length;
        }

        /// <summary>The next; its bytes are good until the call after.</summary>
        public bool TryTake(out NetworkEvent type, out ulong peer, out ArraySegment<byte> message)
        {
            (type, peer, message) = (NetworkEvent.Nothing, 0, default);
            if (!_events.TryDequeue(out var one)) return false;
            (type, peer, message) = (one.Type, one.Peer, new ArraySegment<byte>(_bytes, one.At, one.Length));
            return true;
        }
    }
}
