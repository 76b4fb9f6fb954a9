// Voice chat: what the microphone hears goes out as a track, and everybody else's is mixed into an AudioSource.
#nullable enable

using System;
using ClutchCall.Core;
using UnityEngine;

namespace ClutchCall.Samples.Voice
{
    /// <summary>Put it on a GameObject with an AudioSource. URL, token and SHA-256 are what `python -m relay` prints.</summary>
    [RequireComponent(typeof(AudioSource))]
    public sealed class VoiceChat : MonoBehaviour
    {
        private const int Rate = 16_000, MicrophoneSeconds = 1;

        [SerializeField] private string url = "moqt://127.0.0.1:4443";
        [SerializeField] private string token = "";
        [SerializeField] private string trustSha256 = "";
        [SerializeField] private string room = "voice";
        [Tooltip("Speaks only while it is set.")]
        [SerializeField] private bool talk = true;

        private readonly float[] _captured = new float[Rate * MicrophoneSeconds];
        private Node? _node;
        private Link? _link;
        private AudioTrack? _track;
        private Subscription? _others;
        private volatile VoiceReader? _reader;
        private AudioClip? _microphone;
        private int _read, _outputRate;

        public bool Talk { get => talk; set => talk = value; }

        /// <summary>Whether this player is heard as speaking right now.</summary>
        public bool IsSpeaking => talk && _track != null && _track.IsSpeaking;

        /// <summary>Where to, for those who do not set it in the inspector.</summary>
        public void Set(string relay, string grants, string sha256, string where) => (url, token, trustSha256, room) = (relay, grants, sha256, where);

        private void Start()
        {
            _outputRate = AudioSettings.outputSampleRate;
            try
            {
                _node = new Node();
                _link = _node.Connect(new LinkOptions { Url = url, Token = token, TrustSha256 = trustSha256.Length > 0 ? trustSha256 : null });
            }
            catch (ClutchCallException wrong)
            {
                Debug.LogError($"voice: {wrong.Message}");
                enabled = false;
                return;
            }
            _microphone = Microphone.Start(null, true, MicrophoneSeconds, Rate);
        }

        private void Update()
        {
            if (_node == null || _link == null) return;
            foreach (var one in _node.Poll())
                switch (one.Kind)
                {
                    case CcEventKind.LinkUp when _track == null:
                        Begin(one.Text);
                        break;
                    case CcEventKind.TrackEnded:
                        _reader?.Forget(one.A);
                        break;
                    case CcEventKind.LinkClosed:
                        Debug.LogError($"voice: {one.Reason}: {one.Text}");
                        break;
                }
            Capture();
            _reader?.Update();
        }

        /// <summary>Called by the engine on the audio thread.</summary>
        private void OnAudioFilterRead(float[] data, int channels) => _reader?.Mix(data, _outputRate, channels);

        private void OnDestroy()
        {
            var reader = _reader;
            _reader = null;
            Microphone.End(null);
            _track?.Dispose();
            reader?.Dispose();
            _node?.Dispose();
        }

        private void Begin(string id)
        {
            string path = $"games/{room}/voice";
            _track = new AudioTrack(_link!, new AudioOptions { Namespace = path, Name = id, Rate = Rate });
            _others = _link!.Subscribe(new SubscribeOptions { Namespace = path, Capability = Constants.CapabilityVoiceV1 });
            _reader = new VoiceReader(_others, TimeSpan.FromMilliseconds(80));
        }

        private void Capture()
        {
            if (_microphone == null || _track == null) return;
            int at = Microphone.GetPosition(null), count = (at - _read + _captured.Length) % _captured.Length;
            if (count == 0) return;
            // The clip is a ring: GetData goes round its end by itself.
            var piece = count == _captured.Length ? _captured : new float[count];
            _microphone.GetData(piece, _read);
            _read = at;
            if (talk) _track.Write(piece.AsSpan(0, count));
        }
    }
}
