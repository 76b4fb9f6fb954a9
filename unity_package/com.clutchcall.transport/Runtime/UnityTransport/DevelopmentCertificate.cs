// This machine's development certificate: the one that Python's hosts and relays use too, made here if there is none.
#nullable enable

using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace ClutchCall.UnityTransport
{
    /// <summary>A certificate or pin that is needed is not to be had. The message says what to do.</summary>
    public sealed class CredentialException : Exception
    {
        internal CredentialException(string message) : base(message) { }
    }

    /// <summary>development.pem in the user's state folder: certificate and key. Whoever can read it can act as the server, so it is for this machine.</summary>
    public static class DevelopmentCertificate
    {
        private const int ValidDays = 13;
        private const string Name = "development.pem", CommonName = "ClutchCall development";

        /// <summary>Where credentials are kept: $CLUTCHCALL_STATE, or clutchcall in the user's state folder.</summary>
        public static string Folder()
        {
            var told = Environment.GetEnvironmentVariable("CLUTCHCALL_STATE");
            if (!string.IsNullOrEmpty(told)) return told;
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
                return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "clutchcall");
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (RuntimeInformation.IsOSPlatform(OSPlatform.OSX)) return Path.Combine(home, "Library", "Application Support", "clutchcall");
            var state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
            return Path.Combine(string.IsNullOrEmpty(state) ? Path.Combine(home, ".local", "state") : state, "clutchcall");
        }

        /// <summary>What is trusted where nothing is said: on loopback this machine's certificate; elsewhere a relay may chain to the system's roots (empty), a game's server cannot.</summary>
        /// <exception cref="CredentialException">There is nothing to trust.</exception>
        internal static string PinFor(string url, ClutchCallMode mode)
        {
            string host = new Uri(url).DnsSafeHost;
            bool local = host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
            if (local) return Pin() ?? (mode == ClutchCallMode.Relay ? "" : throw new CredentialException(
                "this machine has no development certificate: start the server first, or set TrustSha256"));
            if (mode == ClutchCallMode.Relay) return "";
            throw new CredentialException($"{host} is not this machine: set TrustSha256 to what its server logs at start");
        }

        /// <summary>The SHA-256 of the certificate that is kept, or null.</summary>
        internal static string? Pin()
        {
            var kept = Read();
            return kept == null ? null : Sha256(kept.Value.Certificate);
        }

        /// <summary>The certificate and key that are kept, made first if there are none.</summary>
        internal static (string Certificate, string Key) Obtain()
        {
            var kept = Read();
            if (kept != null) return kept.Value;
            var made = Make(DateTime.UtcNow);
            string path = Path.Combine(Folder(), Name), making = path + "." + Guid.NewGuid().ToString("N");
            try
            {
                Directory.CreateDirectory(Folder());
                using (File.Create(making)) Protect(making);
                File.WriteAllText(making, made.Certificate + made.Key);
                try
                {
                    File.Move(making, path);
                }
                catch (IOException)
                {
                    // Another program was first, and its certificate is everyone's.
                    File.Delete(making);
                    return Read() ?? throw new CredentialException($"{path} holds no certificate: remove the file");
                }
            }
            catch (Exception wrong) when (wrong is IOException || wrong is UnauthorizedAccessException)
            {
                throw new CredentialException($"{path} cannot be written ({wrong.Message}): set CLUTCHCALL_STATE to a folder that can");
            }
            return made;
        }

        /// <summary>The SHA-256 of a PEM's first certificate, as clients pin it.</summary>
        internal static string Sha256(string pem)
        {
            var block = Block(pem, "CERTIFICATE") ?? throw new CredentialException("CertificatePem holds no certificate: pass a PEM file's text");
            try
            {
                var body = block.Substring(block.IndexOf('\n'), block.LastIndexOf("-----END", StringComparison.Ordinal) - block.IndexOf('\n'));
                using var sha = SHA256.Create();
                return BitConverter.ToString(sha.ComputeHash(Convert.FromBase64String(body))).Replace("-", "").ToLowerInvariant();
            }
            catch (FormatException)
            {
                throw new CredentialException("a certificate's PEM is damaged: make it anew");
            }
        }

        /// <summary>A self-signed certificate for localhost, from an hour ago on.</summary>
        internal static (string Certificate, string Key) Make(DateTime now)
        {
            var key = P256.Create();
            byte[] algorithm = Der.Sequence(Der.Oid(1, 2, 840, 10045, 4, 3, 2));
            byte[] name = Der.Sequence(Der.Set(Der.Sequence(Der.Oid(2, 5, 4, 3), Der.Utf8(CommonName))));
            byte[] curve = Der.Sequence(Der.Oid(1, 2, 840, 10045, 2, 1), Der.Oid(1, 2, 840, 10045, 3, 1, 7));
            var serial = new byte[16];
            RandomNumberGenerator.Fill(serial);
            serial[0] = (byte)(serial[0] & 0x7F | 0x40);
            byte[] names = Der.Sequence(
                Der.Tagged(0x82, Encoding.ASCII.GetBytes("localhost")),
                Der.Tagged(0x87, IPAddress.Loopback.GetAddressBytes()),
                Der.Tagged(0x87, IPAddress.IPv6Loopback.GetAddressBytes()));
            byte[] body = Der.Sequence(
                Der.Tagged(0xA0, Der.Integer(new byte[] { 2 })),
                Der.Integer(serial),
                algorithm,
                name,
                Der.Sequence(Der.Time(now.AddHours(-1)), Der.Time(now.AddHours(-1).AddDays(ValidDays))),
                name,
                Der.Sequence(curve, Der.Bits(key.Public)),
                Der.Tagged(0xA3, Der.Sequence(
                    Der.Sequence(Der.Oid(2, 5, 29, 17), Der.Bytes(names)),
                    Der.Sequence(Der.Oid(2, 5, 29, 19), Der.True(), Der.Bytes(Der.Sequence())))));
            var (r, s) = key.Sign(body);
            byte[] certificate = Der.Sequence(body, algorithm, Der.Bits(Der.Sequence(Der.Integer(r), Der.Integer(s))));
            byte[] inner = Der.Sequence(Der.Integer(new byte[] { 1 }), Der.Bytes(key.Private), Der.Tagged(0xA1, Der.Bits(key.Public)));
            byte[] wrapped = Der.Sequence(Der.Integer(new byte[] { 0 }), curve, Der.Bytes(inner));
            return (Pem("CERTIFICATE", certificate), Pem("PRIVATE KEY", wrapped));
        }

        private static (string Certificate, string Key)? Read()
        {
            try
            {
                string text = File.ReadAllText(Path.Combine(Folder(), Name));
                var (certificate, key) = (Block(text, "CERTIFICATE"), Block(text, "PRIVATE KEY"));
                if (certificate == null || key == null) return null;
                return (certificate, key);
            }
            catch (Exception none) when (none is IOException || none is UnauthorizedAccessException)
            {
                return null;
            }
        }

        private static string? Block(string pem, string kind)
        {
            int start = pem.IndexOf($"-----BEGIN {kind}-----", StringComparison.Ordinal);
            string tail = $"-----END {kind}-----";
            int end = start < 0 ? -1 : pem.IndexOf(tail, start, StringComparison.Ordinal);
            return end < 0 ? null : pem.Substring(start, end + tail.Length - start) + "\n";
        }

        private static string Pem(string kind, byte[] der)
        {
            string body = Convert.ToBase64String(der, Base64FormattingOptions.InsertLineBreaks).Replace("\r", "");
            // The line's length is MIME's, 76; readers of PEM take any.
            return $"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n";
        }

        /// <summary>Only the owner may read it. On Windows the user's folder sees to that.</summary>
        private static void Protect(string path)
        {
            const uint ownersOnly = 0x180; // 0600
            if (!RuntimeInformation.IsOSPlatform(OSPlatform.Windows)) ChangeMode(path, ownersOnly);
        }

        [DllImport("libc", EntryPoint = "chmod", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
        private static extern int ChangeMode(string path, uint mode);
    }

    /// <summary>Just enough of DER (X.690) to write a certificate and a key.</summary>
    internal static class Der
    {
        public static byte[] Sequence(params byte[][] parts) => Tagged(0x30, Join(parts));

        public static byte[] Set(params byte[][] parts) => Tagged(0x31, Join(parts));

        public static byte[] Bytes(byte[] value) => Tagged(0x04, value);

        public static byte[] Bits(byte[] value) => Tagged(0x03, Join(new byte[] { 0 }, value));

        public static byte[] True() => Tagged(0x01, new byte[] { 0xFF });

        public static byte[] Utf8(string value) => Tagged(0x0C, Encoding.UTF8.GetBytes(value));

        public static byte[] Time(DateTime value) => Tagged(0x17, Encoding.ASCII.GetBytes(
            value.ToString("yyMMddHHmmss", System.Globalization.CultureInfo.InvariantCulture) + "Z"));

        /// <summary>A number that is not negative, most significant byte first.</summary>
        public static byte[] Integer(byte[] value)
        {
            int zeros = 0;
            while (zeros < value.Length - 1 && value[zeros] == 0) zeros++;
            byte[] bare = value.AsSpan(zeros).ToArray();
            return Tagged(0x02, bare[0] < 0x80 ? bare : Join(new byte[] { 0 }, bare));
        }

        public static byte[] Oid(params int[] arcs)
        {
            var body = new List<byte> { (byte)(arcs[0] * 40 + arcs[1]) };
            for (int at = 2; at < arcs.Length; at++)
            {
                for (int shift = 28; shift > 0; shift -= 7)
                    if (arcs[at] >> shift != 0) body.Add((byte)(arcs[at] >> shift & 0x7F | 0x80));
                body.Add((byte)(arcs[at] & 0x7F));
            }
            return Tagged(0x06, body.ToArray());
        }

        public static byte[] Tagged(byte tag, byte[] body)
        {
            int length = body.Length;
            byte[] head = length < 0x80 ? new[] { tag, (byte)length }
                : length < 0x100 ? new[] { tag, (byte)0x81, (byte)length }
                : new[] { tag, (byte)0x82, (byte)(length >> 8), (byte)length };
            return Join(head, body);
        }

        private static byte[] Join(params byte[][] parts)
        {
            var all = new List<byte>();
            foreach (var part in parts) all.AddRange(part);
            return all.ToArray();
        }
    }
}
