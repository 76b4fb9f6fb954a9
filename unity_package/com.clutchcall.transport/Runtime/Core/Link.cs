// A link: a client's session with a relay, kept alive. It dials again by itself and brings its tracks back.
#nullable enable

using System;
using System.Linq;
using System.Net;
using System.Threading.Tasks;

namespace ClutchCall.Core
{
    /// <summary>Where a link leads and whom it trusts; zero and null mean the native core's default.</summary>
    public sealed class LinkOptions
    {
        /// <summary>moqt://host:port/path.</summary>
        public string Url { get; set; } = "";
        /// <summary>The host's addresses as ip:port, commas between; not needed where the URL has an address. See Link.ResolveAsync.</summary>
        public string? Addresses { get; set; }
        /// <summary>The token that the relay asks for.</summary>
        public string? Token { get; set; }
        /// <summary>Trusts the certificate with this SHA-256 alone, 64 hexadecimal digits.</summary>
        public string? TrustSha256 { get; set; }
        /// <summary>Trusts what chains to these certificates; with neither, what the system trusts.</summary>
        public string? TrustPem { get; set; }
        /// <summary>16 to 64 bytes by which the relay knows a player who returns; null: random, for this link's life.</summary>
        public byte[]? ResumeSecret { get; set; }
        /// <summary>Drafts offered, best first, such as moqt-22,moqt-18.</summary>
        public string? Alpns { get; set; }
        /// <summary>Bound of one attempt to connect.</summary>
        public TimeSpan ConnectTimeout { get; set; }
        /// <summary>Least pause before dialling again.</summary>
        public TimeSpan BackoffMin { get; set; }
        /// <summary>Greatest pause before dialling again.</summary>
        public TimeSpan BackoffMax { get; set; }
        /// <summary>When to give up on a lost link; zero: never.</summary>
        public TimeSpan ReconnectLimit { get; set; }
        /// <summary>Dial again after a loss.</summary>
        public bool Reconnect { get; set; } = true;
    }

    /// <summary>A link of a node.</summary>
    public sealed class Link : IDisposable
    {
        /// <summary>The native handle, by which events name the link.</summary>
        public ulong Handle { get; }

        /// <summary>The node below it, which it keeps open.</summary>
        public Node Node { get; }

        internal unsafe Link(Node node, LinkOptions options)
        {
            using var texts = new Texts();
            var config = CcLinkConfig.Create();
            config.Flags = options.Reconnect ? 0 : CcLinkFlags.NoReconnect;
            config.Url = texts.Add(options.Url);
            config.Addresses = texts.Add(options.Addresses);
            config.Token = texts.Add(options.Token);
            config.TrustSha256 = texts.Add(options.TrustSha256?.ToLowerInvariant());
            config.TrustPem = texts.Add(options.TrustPem);
            config.ResumeSecret = texts.Add(options.ResumeSecret);
            config.Alpns = texts.Add(options.Alpns);
            config.ConnectTimeoutMs = Milliseconds(options.ConnectTimeout, "ConnectTimeout");
            config.BackoffMinMs = Milliseconds(options.BackoffMin, "BackoffMin");
            config.BackoffMaxMs = Milliseconds(options.BackoffMax, "BackoffMax");
            config.ReconnectLimitMs = Milliseconds(options.ReconnectLimit, "ReconnectLimit");
            ulong handle;
            Failures.Check(Native.LinkOpen(node.Handle, &config, &handle));
            (Node, Handle) = (node, handle);
        }

        /// <summary>The addresses of a URL's host, for LinkOptions.Addresses; asks the name service if it has to.</summary>
        public static async Task<string> ResolveAsync(string url)
        {
            if (!Uri.TryCreate(url, UriKind.Absolute, out var parts) || parts.Host.Length == 0)
                throw new ClutchCallException(CcStatus.BadUrl, $"URL {url} names no host: pass moqt://host:port");
            int port = parts.Port > 0 ? parts.Port : Constants.PortRelay;
            var addresses = await Dns.GetHostAddressesAsync(parts.DnsSafeHost).ConfigureAwait(false);
            return string.Join(",", addresses.Select(address => new IPEndPoint(address, port).ToString()));
        }

        /// <summary>Publishes a track; an event PublishOk or PublishRefused tells the outcome.</summary>
        public Publication Publish(TrackOptions options) => new Publication(Node, Handle, options);

        /// <summary>Subscribes to all tracks below a namespace, or to one by its name.</summary>
        public Subscription Subscribe(SubscribeOptions options) => new Subscription(Node, Handle, options);

        /// <summary>Presents a new token, in place.</summary>
        public void SetToken(string token)
        {
            using var texts = new Texts();
            Failures.Check(Native.LinkToken(Handle, texts.Add(token)));
        }

        /// <summary>Replaces the addresses used from the next attempt on.</summary>
        public void SetAddresses(string addresses)
        {
            using var texts = new Texts();
            Failures.Check(Native.LinkAddresses(Handle, texts.Add(addresses)));
        }

        /// <summary>Readings of the link.</summary>
        public unsafe CcLinkStats Stats()
        {
            var stats = CcLinkStats.Create();
            Failures.Check(Native.LinkStats(Handle, &stats));
            return stats;
        }

        /// <summary>Ends the link for good; the peer learns the reason.</summary>
        public void Close(CcReason reason = CcReason.Local, string text = "")
        {
            using var texts = new Texts();
            Failures.Check(Native.LinkClose(Handle, (uint)reason, texts.Add(text)));
        }

        /// <summary>Closes the link if it is open.</summary>
        public void Dispose() => Native.LinkClose(Handle, (uint)CcReason.Local, default);

        private static uint Milliseconds(TimeSpan time, string name) =>
            Failures.Count(time, TimeSpan.TicksPerMillisecond, name);
    }
}
