// The fragmentation stage of one connection's pipeline: messages of up to 64 KiB in pieces that fit packets.
#nullable enable

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Unity.Networking.Transport
{
    /// <summary>Marks the pipeline stage that splits and joins messages. It comes before the reliable one.</summary>
    public struct FragmentationPipelineStage : INetworkPipelineStage { }

    public static class FragmentationUtility
    {
        public struct Parameters : INetworkParameter
        {
            /// <summary>The bytes of a message at most.</summary>
            public int PayloadCapacity;

            public bool Validate() => PayloadCapacity > 0 && PayloadCapacity <= 65536;
        }
    }

    public static class FragmentationStageParameterExtensions
    {
        public static ref NetworkSettings WithFragmentationStageParameters(
            ref this NetworkSettings settings, int payloadCapacity = 4096)
        {
            var parameter = new FragmentationUtility.Parameters { PayloadCapacity = payloadCapacity };
            settings.AddRawParameterStruct(ref parameter);
            return ref settings;
        }
    }

    /// <summary>Both directions. A piece is the message's number, its own, how many there are, then bytes; a message that lacks one is forgotten with the next.</summary>
    internal sealed class FragmentLane
    {
        /// <summary>u16 number of the message, u8 of the piece, u8 of the last piece.</summary>
        public const int Header = 4;

        private readonly List<byte[]?> _pieces = new List<byte[]?>();
        private ushort _next, _number;
        private int _missing;

        public IEnumerable<byte[]> Split(byte[] message, int room)
        {
            int count = Math.Max(1, (message.Length + room - 1) / room);
            ushort number = _next++;
            for (int index = 0; index < count; index++)
            {
                var bytes = message.AsSpan(index * room, Math.Min(room, message.Length - index * room));
                var piece = new byte[Header + bytes.Length];
                MemoryMarshal.Write(piece, ref number);
                (piece[2], piece[3]) = ((byte)index, (byte)(count - 1));
                bytes.CopyTo(piece.AsSpan(Header));
                yield return piece;
            }
        }

        /// <summary>Takes a piece; the message, if it is whole now.</summary>
        public byte[]? Join(byte[] piece)
        {
            if (piece.Length < Header || piece[2] > piece[3]) return null;
            ushort number = MemoryMarshal.Read<ushort>(piece);
            if (_missing == 0 || number != _number || _pieces.Count != piece[3] + 1)
            {
                _pieces.Clear();
                for (int index = 0; index <= piece[3]; index++) _pieces.Add(null);
                (_number, _missing) = (number, _pieces.Count);
            }
            if (_pieces[piece[2]] != null) return null;
            _pieces[piece[2]] = piece;
            if (--_missing > 0) return null;
            var whole = new List<byte>();
            foreach (var one in _pieces) whole.AddRange(one.AsSpan(Header).ToArray());
            return whole.ToArray();
        }
    }
}
