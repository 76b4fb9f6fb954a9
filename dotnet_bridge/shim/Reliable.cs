// The reliable ordered pipeline of one connection: a window of 32, acknowledged by each packet's header.
#nullable enable

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Unity.Networking.Transport
{
    /// <summary>Both directions of it. A packet is its number, what is acknowledged, then the message; without one it only acknowledges.</summary>
    internal sealed class ReliableLane
    {
        /// <summary>u32 number from 1, or 0; u32 the last number that came in order; u32 a mask of those after it.</summary>
        public const int Header = 12;
        private const int Window = 32;
        private const long ResendMs = 100;

        public delegate bool Emit(ReadOnlySpan<byte> header, ReadOnlySpan<byte> message);

        private readonly SortedDictionary<uint, (byte[] Message, long Sent)> _sent = new SortedDictionary<uint, (byte[], long)>();
        private readonly SortedDictionary<uint, byte[]> _ahead = new SortedDictionary<uint, byte[]>();
        private readonly Queue<byte[]> _waiting = new Queue<byte[]>();
        private readonly byte[] _header = new byte[Header];
        private uint _next = 1, _inOrder;
        private bool _owesAck;

        /// <summary>Whether no message is taken now. The pieces of one that was taken wait for the window.</summary>
        public bool IsFull => _sent.Count + _waiting.Count >= Window;

        public void Add(byte[] message) => _waiting.Enqueue(message);

        public void Receive(ReadOnlySpan<byte> packet, Action<byte[]> deliver)
        {
            uint number = MemoryMarshal.Read<uint>(packet);
            uint upTo = MemoryMarshal.Read<uint>(packet.Slice(4)), mask = MemoryMarshal.Read<uint>(packet.Slice(8));
            foreach (uint one in new List<uint>(_sent.Keys))
                if (one <= upTo || (one - upTo <= Window && (mask >> (int)(one - upTo - 1) & 1) != 0)) _sent.Remove(one);
            if (number == 0) return;
            _owesAck = true;
            if (number > _inOrder && number <= _inOrder + Window) _ahead[number] = packet.Slice(Header).ToArray();
            while (_ahead.Remove(_inOrder + 1, out var message))
            {
                _inOrder++;
                deliver(message);
            }
        }

        /// <summary>Sends what is new or unacknowledged for too long, or an acknowledgement alone if one is owed.</summary>
        public void Due(long now, Emit emit)
        {
            while (_waiting.Count > 0 && _sent.Count < Window) _sent.Add(_next++, (_waiting.Dequeue(), long.MinValue));
            uint mask = 0;
            foreach (uint number in _ahead.Keys) mask |= 1u << (int)(number - _inOrder - 1);
            foreach (uint number in new List<uint>(_sent.Keys))
            {
                var (message, sent) = _sent[number];
                if (sent != long.MinValue && now - sent < ResendMs) continue;
                if (!emit(Fill(number, mask), message)) return;
                _sent[number] = (message, now);
                _owesAck = false;
            }
            if (_owesAck && emit(Fill(0, mask), default)) _owesAck = false;
        }

        private byte[] Fill(uint number, uint mask)
        {
            var at = _header.AsSpan();
            MemoryMarshal.Write(at, ref number);
            MemoryMarshal.Write(at.Slice(4), ref _inOrder);
            MemoryMarshal.Write(at.Slice(8), ref mask);
            return _header;
        }
    }
}
