// Unity.Collections' data streams, as far as a driver's users need them.
#nullable enable

using System;
using Unity.Collections;

namespace Unity.Collections
{
    /// <summary>Writes a message in place.</summary>
    public unsafe struct DataStreamWriter
    {
        private readonly byte* _at;

        internal DataStreamWriter(byte* at, int capacity)
        {
            _at = at;
            (Capacity, Length) = (capacity, 0);
        }

        public int Capacity { get; }

        public int Length { get; private set; }

        internal byte* Start => _at;

        public bool WriteByte(byte value) => WriteBytes(new Span<byte>(&value, 1));

        /// <summary>Adds bytes; false if they do not fit.</summary>
        public bool WriteBytes(Span<byte> value)
        {
            if (value.Length > Capacity - Length) return false;
            value.CopyTo(new Span<byte>(_at + Length, value.Length));
            Length += value.Length;
            return true;
        }
    }

    /// <summary>Reads a message that came.</summary>
    public struct DataStreamReader
    {
        private readonly byte[] _data;
        private int _read;

        internal DataStreamReader(byte[] data) => (_data, _read) = (data, 0);

        public int Length => _data?.Length ?? 0;

        public byte ReadByte() => _data[_read++];

        public void ReadBytes(Span<byte> value)
        {
            _data.AsSpan(_read, value.Length).CopyTo(value);
            _read += value.Length;
        }
    }
}
