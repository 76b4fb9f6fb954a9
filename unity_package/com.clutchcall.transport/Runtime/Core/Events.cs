// What happens on a node, as a Poll gives it: read in place, without garbage until a text is asked for.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>The events of one Poll, for a foreach.</summary>
    public readonly ref struct Events
    {
        private readonly ReadOnlySpan<CcEvent> _events;

        internal Events(ReadOnlySpan<CcEvent> events) => _events = events;

        /// <summary>How many there are.</summary>
        public int Count => _events.Length;

        /// <summary>One of them.</summary>
        public Event this[int index] => new Event(_events[index]);

        /// <summary>For a foreach.</summary>
        public Enumerator GetEnumerator() => new Enumerator(_events);

        /// <summary>Walks over the events.</summary>
        public ref struct Enumerator
        {
            private readonly ReadOnlySpan<CcEvent> _events;
            private int _at;

            internal Enumerator(ReadOnlySpan<CcEvent> events)
            {
                _events = events;
                _at = -1;
            }

            /// <summary>The event reached.</summary>
            public Event Current => new Event(_events[_at]);

            /// <summary>Goes on to the next, if there is one.</summary>
            public bool MoveNext() => ++_at < _events.Length;
        }
    }

    /// <summary>Something that happened; docs/reference/abi.md says what each kind fills in.</summary>
    public readonly unsafe ref struct Event
    {
        private readonly CcEvent _raw;

        internal Event(in CcEvent raw) => _raw = raw;

        /// <summary>What happened.</summary>
        public CcEventKind Kind => _raw.Kind;
        /// <summary>Why a link closed, or a track or request ended.</summary>
        public CcReason Reason => _raw.Reason;
        /// <summary>The handle of the node, link, publication or subscription that it concerns.</summary>
        public ulong Handle => _raw.Handle;
        /// <summary>The kind's first number, such as the id of a track in TrackAdded.</summary>
        public ulong A => _raw.A;
        /// <summary>The kind's second number, such as the kind of that track.</summary>
        public ulong B => _raw.B;
        /// <summary>The kind's third number.</summary>
        public ulong C => _raw.C;
        /// <summary>The code on the wire, where there was one.</summary>
        public ulong Code => _raw.Code;
        /// <summary>The kind's first text: a peer id in LinkUp, the namespace in TrackAdded, else the words of what went wrong.</summary>
        public string Text => Failures.Read(_raw.Text.Ptr, _raw.Text.Len);
        /// <summary>The kind's second text: the name in TrackAdded; with the reason Redirected the URL to ask at, empty: the same.</summary>
        public string Text2 => Failures.Read(_raw.Text2.Ptr, _raw.Text2.Len);
        /// <summary>The kind's third text: the capability in TrackAdded; with Redirected the namespace to ask for there.</summary>
        public string Text3 => Failures.Read(_raw.Text3.Ptr, _raw.Text3.Len);
        /// <summary>The kind's fourth text: the publishing peer in TrackAdded; with Redirected the track's name there.</summary>
        public string Text4 => Failures.Read(_raw.Text4.Ptr, _raw.Text4.Len);
    }
}
