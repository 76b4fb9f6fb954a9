// UnityEngine's microphone and audio output, as a voice chat uses them.
#nullable enable

using System;

namespace UnityEngine
{
    public class AudioSource : Behaviour { }

    public static class AudioSettings
    {
        public static int outputSampleRate { get; set; } = 48_000;
    }

    /// <summary>A ring of samples, one channel.</summary>
    public sealed class AudioClip : Object
    {
        internal float[] Data = Array.Empty<float>();

        public bool GetData(float[] data, int offsetSamples)
        {
            for (int at = 0; at < data.Length; at++) data[at] = Data[(offsetSamples + at) % Data.Length];
            return true;
        }
    }

    public static class Microphone
    {
        private static AudioClip? s_clip;
        private static int s_at;

        public static AudioClip Start(string? deviceName, bool loop, int lengthSec, int frequency)
        {
            // One device, however many listen to it.
            if (s_clip != null) return s_clip;
            s_at = 0;
            return s_clip = new AudioClip { Data = new float[lengthSec * frequency] };
        }

        public static void End(string? deviceName) => s_clip = null;

        public static int GetPosition(string? deviceName) => s_at;

        /// <summary>The shim's own: what the microphone hears next.</summary>
        public static void Hear(float[] samples)
        {
            if (s_clip == null) return;
            foreach (float one in samples)
            {
                s_clip.Data[s_at] = one;
                s_at = (s_at + 1) % s_clip.Data.Length;
            }
        }
    }
}
