// G.711: 8 bits a sample by the laws of ITU-T G.711.
#nullable enable

using System;

namespace ClutchCall.Core
{
    /// <summary>Samples of 16 bits to codes and back. Decoding is a table's work.</summary>
    public static class G711
    {
        private const int Bias = 33, MuTop = 8191;
        private static readonly short[] Mu = Table(MuOf), A = Table(AOf);

        /// <summary>The sample of a mu-law code.</summary>
        public static short DecodeMu(byte code) => Mu[code];

        /// <summary>The sample of an A-law code.</summary>
        public static short DecodeA(byte code) => A[code];

        /// <summary>The mu-law code of a sample.</summary>
        public static byte EncodeMu(short sample)
        {
            int magnitude = Math.Min(((sample < 0 ? ~sample : sample) >> 2) + Bias, MuTop), exponent = Segment(magnitude, 64);
            return (byte)~((sample < 0 ? 0x80 : 0) | exponent << 4 | (magnitude >> exponent + 1 & 15));
        }

        /// <summary>The A-law code of a sample.</summary>
        public static byte EncodeA(short sample)
        {
            int magnitude = (sample < 0 ? ~sample : sample) >> 3, exponent = Segment(magnitude, 32);
            return (byte)(((sample < 0 ? 0 : 0x80) | exponent << 4 | (magnitude >> Math.Max(exponent, 1) & 15)) ^ 0x55);
        }

        private static int Segment(int magnitude, int first)
        {
            int segment = 0;
            while (segment < 7 && magnitude >= first << segment) segment++;
            return segment;
        }

        private static short MuOf(int code)
        {
            code = ~code & 0xFF;
            int magnitude = (((code & 15) << 1) + Bias << (code >> 4 & 7)) - Bias;
            return (short)((code & 0x80) != 0 ? -magnitude << 2 : magnitude << 2);
        }

        private static short AOf(int code)
        {
            code ^= 0x55;
            int exponent = code >> 4 & 7, magnitude = ((code & 15) << 1) + 1;
            if (exponent > 0) magnitude = magnitude + 32 << exponent - 1;
            return (short)((code & 0x80) != 0 ? magnitude << 3 : -magnitude << 3);
        }

        private static short[] Table(Func<int, short> law)
        {
            var made = new short[256];
            for (int code = 0; code < made.Length; code++) made[code] = law(code);
            return made;
        }
    }
}
