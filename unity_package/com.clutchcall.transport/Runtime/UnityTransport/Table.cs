// A hash table in unmanaged memory, from 64-bit keys to small numbers, for what jobs look up.
#nullable enable

using System;
using System.Runtime.InteropServices;

namespace ClutchCall.UnityTransport
{
    /// <summary>Open addressing with a fixed number of places, at most half of them taken. Copies share the memory.</summary>
    internal unsafe struct Table
    {
        /// <summary>What Find gives for a key that is not there.</summary>
        public const int None = -1;

        private Place* _places;
        private int _mask;
        private int _count;

        private struct Place
        {
            public ulong Key;
            public int Value;
            public int Taken;
        }

        /// <summary>A table for so many keys.</summary>
        public static Table Create(int keys)
        {
            int places = 16;
            while (places < keys * 2) places *= 2;
            int bytes = places * sizeof(Place);
            var at = (Place*)Marshal.AllocHGlobal(bytes);
            new Span<byte>(at, bytes).Clear();
            return new Table { _places = at, _mask = places - 1 };
        }

        public void Free()
        {
            Marshal.FreeHGlobal((IntPtr)_places);
            _places = null;
        }

        public int Find(ulong key)
        {
            for (int at = Home(key); _places[at].Taken != 0; at = (at + 1) & _mask)
                if (_places[at].Key == key) return _places[at].Value;
            return None;
        }

        /// <summary>Adds a key or replaces its value; false if the table is full.</summary>
        public bool Set(ulong key, int value)
        {
            int at = Home(key);
            for (; _places[at].Taken != 0; at = (at + 1) & _mask)
                if (_places[at].Key == key)
                {
                    _places[at].Value = value;
                    return true;
                }
            if (_count * 2 > _mask) return false;
            _places[at] = new Place { Key = key, Value = value, Taken = 1 };
            _count++;
            return true;
        }

        /// <summary>Removes a key; those that had to step aside for it move up.</summary>
        public void Remove(ulong key)
        {
            int at = Home(key);
            while (_places[at].Taken != 0 && _places[at].Key != key) at = (at + 1) & _mask;
            if (_places[at].Taken == 0) return;
            _count--;
            for (int next = (at + 1) & _mask; _places[next].Taken != 0; next = (next + 1) & _mask)
            {
                int home = Home(_places[next].Key);
                // It may move to the gap unless its home lies after the gap, on the way round to where it is.
                if (((next - home) & _mask) < ((next - at) & _mask)) continue;
                _places[at] = _places[next];
                at = next;
            }
            _places[at] = default;
        }

        private int Home(ulong key) => (int)((key * 0x9E3779B97F4A7C15UL) >> 33) & _mask;
    }
}
