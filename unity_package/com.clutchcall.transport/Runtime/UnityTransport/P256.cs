// A P-256 key, made and used once, to sign this machine's development certificate. Unity's own .NET has no elliptic curves.
#nullable enable

using System;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;

namespace ClutchCall.UnityTransport
{
    /// <summary>Key pair and ECDSA (FIPS 186-5) with SHA-256. Its time depends on the key: not for signing what others ask for.</summary>
    internal sealed class P256
    {
        private const int Bytes = 32;

        private static readonly BigInteger P = Hex("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF");
        private static readonly BigInteger N = Hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
        private static readonly BigInteger Gx = Hex("6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296");
        private static readonly BigInteger Gy = Hex("4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5");

        private readonly BigInteger _secret;

        private P256(BigInteger secret)
        {
            _secret = secret;
            var (x, y) = Multiply(secret);
            Private = ToBytes(secret);
            Public = new byte[1 + 2 * Bytes];
            Public[0] = 4;
            ToBytes(x).CopyTo(Public, 1);
            ToBytes(y).CopyTo(Public, 1 + Bytes);
        }

        /// <summary>The private number, 32 bytes.</summary>
        public byte[] Private { get; }

        /// <summary>The public point, uncompressed.</summary>
        public byte[] Public { get; }

        public static P256 Create() => new P256(Random());

        /// <summary>A signature's two numbers.</summary>
        public (byte[] R, byte[] S) Sign(byte[] message)
        {
            using var sha = SHA256.Create();
            var digest = FromBytes(sha.ComputeHash(message));
            while (true)
            {
                var once = Random();
                var r = Multiply(once).X % N;
                var s = BigInteger.ModPow(once, N - 2, N) * (digest + r * _secret) % N;
                if (!r.IsZero && !s.IsZero) return (ToBytes(r), ToBytes(s));
            }
        }

        /// <summary>A random number from 1 to N - 1, each as likely.</summary>
        private static BigInteger Random()
        {
            var bytes = new byte[Bytes];
            while (true)
            {
                RandomNumberGenerator.Fill(bytes);
                var number = FromBytes(bytes);
                if (!number.IsZero && number < N) return number;
            }
        }

        /// <summary>The generator times a number, by doubling and adding in Jacobian coordinates.</summary>
        private static (BigInteger X, BigInteger Y) Multiply(BigInteger times)
        {
            (BigInteger X, BigInteger Y, BigInteger Z) sum = (1, 1, 0);
            for (int bit = 8 * Bytes - 1; bit >= 0; bit--)
            {
                sum = Double(sum);
                if (!(times >> bit).IsEven) sum = AddGenerator(sum);
            }
            var inverse = BigInteger.ModPow(sum.Z, P - 2, P);
            var square = inverse * inverse % P;
            return (sum.X * square % P, sum.Y * square % P * inverse % P);
        }

        private static (BigInteger, BigInteger, BigInteger) Double((BigInteger X, BigInteger Y, BigInteger Z) a)
        {
            if (a.Z.IsZero) return a;
            var z2 = a.Z * a.Z % P;
            var y2 = a.Y * a.Y % P;
            var slope = 3 * (a.X - z2) * (a.X + z2) % P;
            var xy = 4 * a.X * y2 % P;
            var x = Positive(slope * slope - 2 * xy);
            var y = Positive(slope * (xy - x) - 8 * y2 * y2);
            return (x, y, 2 * a.Y * a.Z % P);
        }

        private static (BigInteger, BigInteger, BigInteger) AddGenerator((BigInteger X, BigInteger Y, BigInteger Z) a)
        {
            if (a.Z.IsZero) return (Gx, Gy, 1);
            var z2 = a.Z * a.Z % P;
            var h = Positive(Gx * z2 - a.X);
            var r = Positive(Gy * z2 * a.Z - a.Y);
            if (h.IsZero) return r.IsZero ? Double(a) : (1, 1, 0);
            var h2 = h * h % P;
            var h3 = h2 * h % P;
            var x = Positive(r * r - h3 - 2 * a.X * h2);
            var y = Positive(r * (a.X * h2 - x) - a.Y * h3);
            return (x, y, h * a.Z % P);
        }

        private static BigInteger Positive(BigInteger value)
        {
            var rest = value % P;
            return rest.Sign < 0 ? rest + P : rest;
        }

        private static BigInteger Hex(string digits) => BigInteger.Parse("0" + digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

        private static BigInteger FromBytes(byte[] bytes) => new BigInteger(bytes, isUnsigned: true, isBigEndian: true);

        private static byte[] ToBytes(BigInteger value)
        {
            byte[] bare = value.ToByteArray(isUnsigned: true, isBigEndian: true);
            var full = new byte[Bytes];
            bare.CopyTo(full, Bytes - bare.Length);
            return full;
        }
    }
}
