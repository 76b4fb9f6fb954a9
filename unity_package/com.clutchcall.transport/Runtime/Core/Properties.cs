// Object and track properties: a delta-coded list of key-value pairs (MoQT, Key-Value-Pair Structure), without garbage.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>Writes a list, whose types come in ascending order: an even one has a number, an odd one bytes.</summary>
    public ref struct PropertyWriter
    {
        private readonly Span<byte> _to;
        private ulong _last;

        /// <summary>Writes into a buffer; 9 bytes a number are enough, and 9 more its type.</summary>
        public PropertyWriter(Span<byte> to)
        {
            _to = to;
            (_last, Length) = (0, 0);
        }

        /// <summary>Bytes written.</summary>
        public int Length { get; private set; }

        /// <summary>What has been written.</summary>
        public ReadOnlySpan<byte> Written => _to.Slice(0, Length);

        /// <summary>Adds a number.</summary>
        public void Add(ulong type, ulong value)
        {
            if (type % 2 != 0) throw new ArgumentException($"property {type} is odd, so its value is bytes", nameof(type));
            Type(type);
            Put(value);
        }

        /// <summary>Adds bytes, at most 65,535.</summary>
        public void Add(ulong type, ReadOnlySpan<byte> value)
        {
            if (type % 2 == 0) throw new ArgumentException($"property {type} is even, so its value is a number", nameof(type));
            if (value.Length > ushort.MaxValue) throw new ArgumentException($"property {type} has {value.Length} bytes, above 65,535", nameof(value));
            Type(type);
            Put((ulong)value.Length);
            value.CopyTo(_to.Slice(Length));
            Length += value.Length;
        }

        private void Type(ulong type)
        {
            if (type < _last) throw new ArgumentException($"property {type} comes after {_last}: add them in ascending order", nameof(type));
            Put(type - _last);
            _last = type;
        }

        /// <summary>A number in its shortest form: the first byte's leading ones count the bytes after it.</summary>
        private void Put(ulong value)
        {
            int extra = 0;
            while (extra < 8 && value >= 1UL << (7 * (extra + 1))) extra++;
            var at = _to.Slice(Length, extra + 1);
            for (int index = extra; index > 0; index--, value >>= 8) at[index] = (byte)value;
            at[0] = (byte)((0xFF00 >> extra & 0xFF) | (extra < 8 ? (byte)value : 0));
            Length += extra + 1;
        }
    }

    /// <summary>Reads a list from the wire, where every length is checked; a list that is cut off ends there.</summary>
    public ref struct PropertyReader
    {
        private ReadOnlySpan<byte> _left;
        private ulong _last;

        /// <summary>Reads these properties.</summary>
        public PropertyReader(ReadOnlySpan<byte> from)
        {
            _left = from;
            _last = 0;
            Type = 0;
            Number = 0;
            Bytes = default;
            IsDamaged = false;
        }

        /// <summary>The type reached.</summary>
        public ulong Type { get; private set; }
        /// <summary>The value of an even type.</summary>
        public ulong Number { get; private set; }
        /// <summary>The value of an odd type.</summary>
        public ReadOnlySpan<byte> Bytes { get; private set; }
        /// <summary>Whether the list was no list, from some place on.</summary>
        public bool IsDamaged { get; private set; }

        /// <summary>Goes on to the next, if there is one.</summary>
        public bool Read()
        {
            Number = 0;
            Bytes = default;
            if (_left.Length == 0) return false;
            IsDamaged = true;
            if (!Take(out ulong delta) || delta > ulong.MaxValue - _last || !Take(out ulong value)) return false;
            Type = _last += delta;
            if (Type % 2 == 0) Number = value;
            else
            {
                if (value > ushort.MaxValue || (int)value > _left.Length) return false;
                Bytes = _left.Slice(0, (int)value);
                _left = _left.Slice((int)value);
            }
            IsDamaged = false;
            return true;
        }

        private bool Take(out ulong value)
        {
            value = 0;
            if (_left.Length == 0) return false;
            int first = _left[0], extra = 0;
            while (extra < 8 && (first & 0x80 >> extra) != 0) extra++;
            if (extra >= _left.Length) return false;
            value = extra >= 7 ? 0 : (ulong)(first & 0x7F >> extra);
            for (int at = 1; at <= extra; at++) value = value << 8 | _left[at];
            _left = _left.Slice(extra + 1);
            return true;
        }
    }
}
