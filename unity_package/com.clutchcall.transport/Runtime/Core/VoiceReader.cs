// Audio of others, to be played: every talker's packets decoded, waited for and mixed at the rate of whoever plays.
#nullable enable

using System;
using System.Collections.Generic;

namespace ClutchCall.Core
{
    /// <summary>Reads the audio tracks of a subscription, which is this reader's alone.</summary>
    /// <remarks>
    /// Update takes what has come, on the thread that polls; Mix gives samples to play, on any one thread, such as that
    /// of Unity's OnAudioFilterRead. A talker is played once Delay of it is there, and silent while it lags. Opus packets
    /// that are missing between others are made up for.
    /// </remarks>
    public sealed class VoiceReader : IDisposable
    {
        private const int MostTalkers = 64, LongestMs = 2000;
        /// <summary>Packets that are made up for in a row: what is longer is a pause.</summary>
        private const int MostConcealed = 5;
        private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(10), Most = TimeSpan.FromSeconds(1);

        private readonly Subscription _subscription;
        private readonly object _gate = new object();
        private readonly Dictionary<ulong, Talker> _talkers = new Dictionary<ulong, Talker>();
        private readonly HashSet<ulong> _unread = new HashSet<ulong>();
        private readonly short[] _samples = new short[PacketDecoder.MostSamples];
        private readonly byte[] _properties = new byte[1024];
        private Place[] _places = new Place[64];
        private readonly TimeSpan _delay;

        /// <summary>Packets that were decoded.</summary>
        public long Packets { get; private set; }
        /// <summary>Packets that were none, or of a codec that is not known.</summary>
        public long Unreadable { get; private set; }
        /// <summary>Packets of Opus that did not come, and were made up for.</summary>
        public long Concealed { get; private set; }
        /// <summary>Packets that came after later ones had been taken in, and were left out.</summary>
        public long Late { get; private set; }
        /// <summary>Samples that were left out, as a talker was too far ahead.</summary>
        public long Trimmed { get; private set; }

        /// <summary>Reads a subscription, such as one of capability voice.v1.</summary>
        /// <param name="subscription">Nobody else drains it.</param>
        /// <param name="delay">How much of a talker is waited for, 10 ms to 1 s: more bears more jitter.</param>
        public VoiceReader(Subscription subscription, TimeSpan delay)
        {
            if (delay < Least || delay > Most) throw new ArgumentOutOfRangeException(nameof(delay), delay, "is not 10 ms to 1 s");
            (_subscription, _delay) = (subscription, delay);
        }

        /// <summary>Talkers whose audio is being played, or waits.</summary>
        public int Talkers
        {
            get
            {
                lock (_gate) return _talkers.Count;
            }
        }

        /// <summary>Takes in what has come; how many packets.</summary>
        public int Update()
        {
            var batch = _subscription.Drain();
            int count = batch.Count;
            if (_places.Length < count) Array.Resize(ref _places, count * 2);
            for (int at = 0; at < count; at++) _places[at] = new Place(batch[at], at);
            // Newer groups overtake older ones where they had to wait, as after a frame that took long.
            Array.Sort(_places, 0, count);
            lock (_gate)
                for (int at = 0; at < count; at++) Take(batch[_places[at].At]);
            return count;
        }

        private void Take(in Frame frame)
        {
            var talker = Find(frame.Track);
            if (talker == null)
            {
                Unreadable++;
                return;
            }
            int missing = talker.Missing(frame.Group, frame.Object);
            if (missing < 0)
            {
                Late++;
                return;
            }
            for (; missing > 0; missing--)
            {
                int made = talker.Decoder.Replace(missing == 1 ? frame.Payload : default, _samples);
                if (made == 0) break;
                Concealed++;
                Trimmed += talker.Put(_samples.AsSpan(0, made));
            }
            int samples = talker.Decoder.Decode(frame.Payload, _samples);
            if (samples == 0)
            {
                Unreadable++;
                return;
            }
            Packets++;
            Trimmed += talker.Put(_samples.AsSpan(0, samples));
        }

        /// <summary>Forgets a talker whose track has ended.</summary>
        public void Forget(ulong track)
        {
            lock (_gate)
            {
                if (_talkers.TryGetValue(track, out var talker)) talker.Decoder.Dispose();
                _talkers.Remove(track);
                _unread.Remove(track);
            }
        }

        /// <summary>Forgets all talkers; the subscription stays.</summary>
        public void Dispose()
        {
            lock (_gate)
            {
                foreach (var talker in _talkers.Values) talker.Decoder.Dispose();
                _talkers.Clear();
            }
        }

        /// <summary>Adds what is due to samples of -1 to 1, interleaved; how many talkers were heard.</summary>
        /// <param name="into">Whole samples of all channels; what is in it stays, and is added to.</param>
        /// <param name="rate">Samples a second and channel.</param>
        /// <param name="channels">How many of them are interleaved.</param>
        public int Mix(Span<float> into, int rate, int channels)
        {
            if (rate <= 0 || channels <= 0 || into.Length % channels != 0) throw new ArgumentException("are no whole samples of all channels", nameof(into));
            int heard = 0;
            lock (_gate)
                foreach (var talker in _talkers.Values)
                    if (talker.Mix(into, rate, channels)) heard++;
            return heard;
        }

        private Talker? Find(ulong track)
        {
            if (_talkers.TryGetValue(track, out var known)) return known;
            if (_unread.Contains(track)) return null;
            var made = Read(track);
            if (made != null) return _talkers[track] = made;
            if (_unread.Count >= MostTalkers) _unread.Clear();
            _unread.Add(track);
            return null;
        }

        private Talker? Read(ulong track)
        {
            int length = _subscription.TrackProperties(track, _properties);
            var properties = new PropertyReader(_properties.AsSpan(0, length));
            ulong codec = 0, rate = 48_000, channels = 1;
            while (properties.Read())
                if (properties.Type == Constants.PropertyAudioCodec) codec = properties.Number;
                else if (properties.Type == Constants.PropertySampleRate) rate = properties.Number;
                else if (properties.Type == Constants.PropertyChannels) channels = properties.Number;
            var decoder = _talkers.Count < MostTalkers ? PacketDecoder.Create(codec, rate, channels) : null;
            return decoder == null ? null : new Talker(decoder, _delay);
        }

        /// <summary>Where a packet of a batch stands in its track.</summary>
        private readonly struct Place : IComparable<Place>
        {
            private readonly ulong _track, _group, _object;

            public Place(in Frame frame, int at) => (_track, _group, _object, At) = (frame.Track, frame.Group, frame.Object, at);

            public int At { get; }

            public int CompareTo(Place other)
            {
                int order = _track.CompareTo(other._track);
                if (order == 0) order = _group.CompareTo(other._group);
                return order == 0 ? _object.CompareTo(other._object) : order;
            }
        }

        /// <summary>One track: a ring of its samples, and where it is played.</summary>
        private sealed class Talker
        {
            private readonly int _rate, _channels, _wait;
            private readonly short[] _ring;
            private long _in, _out;
            private double _between;
            private bool _plays;

            private ulong _group, _object;
            private bool _heard;

            public Talker(PacketDecoder decoder, TimeSpan delay)
            {
                (Decoder, _rate, _channels) = (decoder, decoder.Rate, decoder.Channels);
                _wait = (int)(_rate * delay.TotalSeconds);
                _ring = new short[_rate * LongestMs / 1000 * _channels];
            }

            public PacketDecoder Decoder { get; }

            /// <summary>How many packets are known to be missing before this one: in its group, or whole groups where a group is a packet. Negative: it is late itself.</summary>
            public int Missing(ulong group, ulong at)
            {
                if (_heard && (group < _group || (group == _group && at <= _object))) return -1;
                ulong gap = !_heard ? 0
                    : group == _group ? at - _object - 1
                    : at == 0 && _object == 0 ? group - _group - 1
                    : 0;
                (_heard, _group, _object) = (true, group, at);
                return gap > MostConcealed ? 0 : (int)gap;
            }

            /// <summary>Adds samples; how many old ones had to go for them.</summary>
            public int Put(ReadOnlySpan<short> samples)
            {
                foreach (short one in samples) _ring[_in++ % _ring.Length] = one;
                long over = _in - _out - _ring.Length;
                if (over <= 0) return 0;
                // Back to the delay, rather than to be late for good.
                long kept = _in - (long)_wait * _channels;
                int gone = (int)(kept - _out);
                _out = kept;
                return gone;
            }

            public bool Mix(Span<float> into, int rate, int channels)
            {
                if (!_plays && (_in - _out) / _channels < _wait) return false;
                _plays = true;
                double step = (double)_rate / rate;
                for (int at = 0; at < into.Length; at += channels)
                {
                    // The next sample takes part in what lies between.
                    if ((_in - _out) / _channels < 2)
                    {
                        _plays = false;
                        break;
                    }
                    for (int channel = 0; channel < channels; channel++)
                    {
                        int from = Math.Min(channel, _channels - 1);
                        float one = _ring[(_out + from) % _ring.Length], next = _ring[(_out + _channels + from) % _ring.Length];
                        into[at + channel] += (float)(one + (next - one) * _between) / 32768f;
                    }
                    for (_between += step; _between >= 1 && (_in - _out) / _channels > 1; _between -= 1) _out += _channels;
                }
                return true;
            }
        }
    }
}
