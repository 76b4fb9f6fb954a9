// The session's own work, slow beside the packets': opening nodes, links and tracks, and following their events.
#nullable enable

using System;
using System.Collections.Generic;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using ClutchCall.Core;
using Unity.Networking.Transport;
using Unity.Networking.Transport.Error;

namespace ClutchCall.UnityTransport
{
    public sealed unsafe partial class ClutchCallSession
    {
        /// <summary>A track that ended may be another's that took its place: a link that came back publishes anew.</summary>
        private const long GraceMs = 1500;
        private const int EventsAPoll = 64;
        private const ulong SleeperFeedBytes = 4 << 20;

        private readonly CcEvent[] _events = new CcEvent[EventsAPoll];
        private readonly List<Remote> _remotes = new List<Remote>();
        /// <summary>The name of this start's track: of two servers in a room, clients take the one that started last.</summary>
        private readonly string _instance = Surroundings.NewInstance();
        private bool _began, _serves, _refused;
        private ulong _node, _link, _subscription;
        private Task<string>? _resolving;
        private NetworkEndpoint _dialled;
        /// <summary>A Direct server's native sessions by peer id.</summary>
        private readonly Dictionary<string, ulong> _peers = new Dictionary<string, ulong>();
        /// <summary>The name of the last server's track that a client saw, and whether UTP was connected to it.</summary>
        private string _lastServer = "";
        private bool _wasConnected;
        private long _heldSince, _redialAt, _aloneSince;
        /// <summary>When a server that was passed over is looked at again; 0: none was.</summary>
        private long _lookAt;
        private ulong _toNobody;

        /// <summary>The other end: a server has many, a client one, which it has before the server is known.</summary>
        private sealed class Remote
        {
            public int Index;
            public NetworkEndpoint Endpoint;
            public string Id = "";
            /// <summary>The name of its track, which changes with each start of its program.</summary>
            public string Instance = "";
            public ulong Track, Publication;
            /// <summary>At a Direct server: the native session's handle.</summary>
            public ulong Session;
            public bool Ready, Leaving;
            public long EndAt;
        }

        private string Room => $"games/{_parameter.Text(ClutchCallParameter.Field.Room)}";

        /// <summary>Opens what a server needs; a status of UTP's.</summary>
        internal int Listen()
        {
            lock (_gate)
            {
                if (!_open || _serves) return (int)StatusCode.NetworkStateMismatch;
                _serves = true;
                _shared->Enter();
                _shared->Listens();
                _shared->Exit();
                try
                {
                    if (_parameter.Mode == ClutchCallMode.Direct) OpenRelay();
                    else Connect(_parameter.Text(ClutchCallParameter.Field.Url));
                    return 0;
                }
                catch (Exception wrong) when (wrong is ClutchCallException || wrong is CredentialException)
                {
                    Refuse(ReasonOf(wrong), wrong.Message);
                    return (int)StatusCode.NetworkSocketError;
                }
            }
        }

        private void OpenRelay()
        {
            NativeCore.Check();
            string certificate = _parameter.Text(ClutchCallParameter.Field.CertificatePem);
            string key = _parameter.Text(ClutchCallParameter.Field.KeyPem);
            bool development = certificate.Length == 0;
            if (development) (certificate, key) = DevelopmentCertificate.Obtain();
            CertificateSha256 = DevelopmentCertificate.Sha256(certificate);
            var (address, port) = Parts(_bound);
            using var texts = new Texts();
            var config = CcNodeConfig.Create();
            config.Flags = CcNodeFlags.Relay;
            config.Bind = texts.Add(new IPEndPoint(address, port).ToString());
            config.CertificatePem = texts.Add(certificate);
            config.KeyPem = texts.Add(key);
            config.MaxSessions = (uint)_parameter.MaxPeers;
            ulong node;
            Failures.Check(Native.NodeOpen(&config, &node));
            _node = node;
            _bound = Bound(_bound);
            Watch(_node, $"{Room}/up");
            State = ClutchCallState.Up;
            if (development && !IPAddress.IsLoopback(address))
                UnityEngine.Debug.LogWarning(
                    $"ClutchCall: listening with a development certificate: give clients of other machines TrustSha256 {CertificateSha256}");
        }

        /// <summary>Opens a link to a relay, once its host's name is resolved if it has one.</summary>
        private void Connect(string url)
        {
            State = ClutchCallState.Connecting;
            if (Uri.TryCreate(url, UriKind.Absolute, out var parts) && !IPAddress.TryParse(parts.DnsSafeHost, out _))
                _resolving = Link.ResolveAsync(url);
            else OpenLink(url, parts?.HostNameType == UriHostNameType.IPv6 ? IPAddress.IPv6Any : IPAddress.Any);
        }

        private void OpenLink(string url, IPAddress family)
        {
            NativeCore.Check();
            using var texts = new Texts();
            if (_node == 0)
            {
                var node = CcNodeConfig.Create();
                node.Bind = texts.Add(new IPEndPoint(family, 0).ToString());
                ulong opened;
                Failures.Check(Native.NodeOpen(&node, &opened));
                _node = opened;
            }
            string pin = _parameter.Text(ClutchCallParameter.Field.TrustSha256);
            string pem = _parameter.Text(ClutchCallParameter.Field.TrustPem);
            if (pin.Length == 0 && pem.Length == 0) pin = DevelopmentCertificate.PinFor(url, _parameter.Mode);
            var config = CcLinkConfig.Create();
            config.Url = texts.Add(url);
            if (_resolving != null) config.Addresses = texts.Add(_resolving.Result);
            config.Token = texts.Add(_parameter.Get(ClutchCallParameter.Field.Token));
            config.TrustSha256 = texts.Add(pin);
            config.TrustPem = texts.Add(pem);
            config.ResumeSecret = texts.Add(_parameter.Get(ClutchCallParameter.Field.ResumeSecret));
            config.ConnectTimeoutMs = (uint)_parameter.ConnectTimeoutMs;
            config.ReconnectLimitMs = (uint)_parameter.ReconnectLimitMs;
            ulong link;
            Failures.Check(Native.LinkOpen(_node, &config, &link));
            _link = link;
            State = ClutchCallState.Connecting;
            if (_serves) Watch(_link, $"{Room}/up");
        }

        private void Watch(ulong scope, string path)
        {
            using var texts = new Texts();
            var config = CcSubscribeConfig.Create();
            config.Ns = texts.Add(path);
            config.Capability = texts.Add(Constants.CapabilityNetcodeV1);
            config.FeedBytes = SleeperFeedBytes;
            ulong subscription;
            Failures.Check(Native.Subscribe(scope, &config, &subscription));
            _subscription = subscription;
            _shared->Enter();
            _shared->Subscribe(subscription);
            _shared->Exit();
        }

        private void Publish(ulong scope, string path, Remote remote)
        {
            using var texts = new Texts();
            var config = CcTrackConfig.Create();
            config.Kind = CcTrackKind.FrameDatagram;
            config.Flags = CcTrackFlags.MicrosecondGroups;
            config.Priority = Constants.PriorityNormal;
            config.Ns = texts.Add(path);
            config.Name = texts.Add(_instance);
            config.Capability = texts.Add(Constants.CapabilityNetcodeV1);
            config.TtlUs = (uint)_parameter.PacketLifeMs * 1000;
            ulong publication;
            Failures.Check(Native.Publish(scope, &config, &publication));
            remote.Publication = publication;
            _shared->Enter();
            _shared->Peers[remote.Index].Publication = publication;
            _shared->Exit();
        }

        /// <summary>Everything there is to do now: events, what a client wants dialled, and what has come to its end.</summary>
        private void Advance(long now)
        {
            for (uint count = EventsAPoll; _node != 0 && count == EventsAPoll;)
            {
                fixed (CcEvent* events = _events)
                    Failures.Check(Native.NodePoll(_node, events, EventsAPoll, &count));
                for (int at = 0; at < count; at++) Follow(new Event(_events[at]), _events[at], now);
            }
            if (_resolving != null && _link == 0 && _resolving.IsCompleted) Resolved();
            if (!_serves)
            {
                Dial(now);
                LookAgain(now);
            }
            else if (_redialAt != 0 && now >= _redialAt)
            {
                _redialAt = 0;
                Connect(_parameter.Text(ClutchCallParameter.Field.Url));
            }
            for (int at = _remotes.Count - 1; at >= 0; at--) Tend(_remotes[at], now);
            Warn(now);
        }

        /// <summary>What its user would otherwise wait for in vain, or miss: said once.</summary>
        private void Warn(long now)
        {
            if (_aloneSince != 0 && now - _aloneSince > _parameter.ConnectTimeoutMs)
            {
                _aloneSince = 0;
                string text = $"nobody serves room {_parameter.Text(ClutchCallParameter.Field.Room)}: start its server, or check the room's name";
                UnityEngine.Debug.LogWarning($"ClutchCall: {text}");
                Tell(ClutchCallEventKind.NobodyServes, CcReason.DoesNotExist, text);
            }
            _shared->Enter();
            ulong toNobody = _shared->Drops.UnknownPeer;
            _shared->Exit();
            if (toNobody > 0 && _toNobody == 0)
                UnityEngine.Debug.Log("ClutchCall: a packet for a peer that has left was dropped, and so are others: stop sending when a peer disconnects");
            _toNobody = toNobody;
        }

        /// <summary>A client's link: dialled when something is to be sent, and again at UTP's next attempt if nobody answered.</summary>
        private void Dial(long now)
        {
            _shared->Enter();
            bool wanted = _shared->Dial != 0, holds = _shared->Holds(0);
            var endpoint = _shared->Peers[0].Endpoint;
            _shared->Dial = 0;
            if (!holds) _heldSince = now;
            else if (now - _heldSince > _parameter.ConnectTimeoutMs || _refused) _shared->Forget(0);
            _shared->Exit();
            if (!wanted || (_refused && endpoint == _dialled)) return;
            if (endpoint != _dialled && _remotes.Count > 0) Leave();
            if (_link != 0 || _resolving != null) return;
            if (_remotes.Count == 0) _remotes.Add(new Remote { Endpoint = endpoint });
            (_dialled, _refused) = (endpoint, false);
            if (_parameter.Mode == ClutchCallMode.Relay)
            {
                Connect(_parameter.Text(ClutchCallParameter.Field.Url));
                return;
            }
            var (address, port) = Parts(endpoint);
            Connect($"moqt://{new IPEndPoint(address, port)}");
        }

        /// <summary>The newer server has not come: whoever is there will do.</summary>
        private void LookAgain(long now)
        {
            if (_lookAt == 0 || now < _lookAt) return;
            _lookAt = 0;
            if (_subscription == 0 || _remotes[0].Instance != "") return;
            Native.SubscribeClose(_subscription);
            Watch(_link, $"{Room}/down/{PeerId}");
        }

        private void Resolved()
        {
            if (_resolving!.Status == TaskStatus.RanToCompletion && _resolving.Result.Length > 0)
            {
                // One socket for all that the name leads to: the first address says of which family.
                OpenLink(_parameter.Text(ClutchCallParameter.Field.Url), _resolving.Result[0] == '[' ? IPAddress.IPv6Any : IPAddress.Any);
                return;
            }
            _resolving = null;
            Refuse(CcReason.Unreachable, "the URL's host name leads to no address: check the URL and the network");
        }

        /// <summary>What would come to nothing again is not tried again.</summary>
        private void Refuse(CcReason reason, string text)
        {
            _refused = true;
            Finish(reason, text);
        }

        /// <summary>A client turns to another address.</summary>
        private void Leave()
        {
            CloseLink();
            _remotes.Clear();
            PeerId = "";
        }

        private void CloseLink()
        {
            _shared->Enter();
            _shared->Subscribe(0);
            foreach (var remote in _remotes)
            {
                if (remote.Track != 0) _shared->Unmap(remote.Track);
                _shared->Unready(remote.Index);
            }
            _shared->Exit();
            foreach (var remote in _remotes)
            {
                if (remote.Publication != 0) Native.PublishClose(remote.Publication);
                (remote.Publication, remote.Track, remote.Ready, remote.EndAt) = (0, 0, false, 0);
                remote.Instance = "";
            }
            if (_link != 0) Native.LinkClose(_link, (uint)CcReason.Local, default);
            (_link, _subscription, _resolving) = (0, 0, null);
        }

        private void CloseHandles()
        {
            if (_node == 0) return;
            CloseLink();
            Native.NodeClose(_node);
            _node = 0;
        }

        /// <summary>What is due for a peer: its end after the grace, and a server's farewell to its place.</summary>
        private void Tend(Remote remote, long now)
        {
            if (remote.EndAt != 0 && now >= remote.EndAt)
                EndPeer(remote, CcReason.Peer, _serves ? "the client left" : "the server left: connect again when it is back");
            if (!remote.Leaving || !_serves) return;
            _shared->Enter();
            bool told = _shared->Peers[remote.Index].Ended == 0;
            if (told) _shared->Remove(remote.Index);
            _shared->Exit();
            if (!told) return;
            if (remote.Publication != 0) Native.PublishClose(remote.Publication);
            _remotes.Remove(remote);
        }

        /// <summary>A peer's program is gone: UTP is told, and the application why.</summary>
        private void EndPeer(Remote remote, CcReason reason, string text, bool replaced = false)
        {
            (remote.EndAt, remote.Leaving) = (0, true);
            _shared->Enter();
            if (remote.Track != 0) _shared->Unmap(remote.Track);
            _wasConnected = _shared->Peers[remote.Index].HasIn > 0;
            _shared->Peers[remote.Index].Ended = replaced ? 2 : 1;
            _shared->Exit();
            // Whoever comes next is another start of its program, and no surprise.
            (remote.Track, remote.Instance) = (0, "");
            (Reason, Text) = (reason, text);
            UnityEngine.Debug.Log($"ClutchCall: {remote.Endpoint} has gone, {reason}: {text}");
            Tell(ClutchCallEventKind.PeerLeft, reason, text, remote.Endpoint);
        }

        private NetworkEndpoint Bound(NetworkEndpoint asked)
        {
            const int most = 64;
            byte* text = stackalloc byte[most];
            uint length;
            Failures.Check(Native.NodeAddress(_node, text, most, &length));
            string told = Failures.Read(text, length);
            return asked.WithPort(ushort.Parse(told.Substring(told.LastIndexOf(':') + 1)));
        }

        private static (IPAddress Address, int Port) Parts(NetworkEndpoint endpoint)
        {
            if (endpoint.Family != NetworkFamily.Ipv4 && endpoint.Family != NetworkFamily.Ipv6)
                throw new ClutchCallException(CcStatus.BadArgument, "the endpoint is neither IPv4 nor IPv6: parse one from an address and port");
            var raw = endpoint.GetRawAddressBytes();
            var bytes = new byte[raw.Length];
            for (int at = 0; at < bytes.Length; at++) bytes[at] = raw[at];
            return (new IPAddress(bytes), endpoint.Port);
        }

        /// <summary>fdcc::(peer id): the 80 bits of an id that the core made, and 80 bits of the hash of another.</summary>
        internal static NetworkEndpoint EndpointOf(string id)
        {
            const int digits = 20;
            string hex = "";
            for (int at = 1; at < id.Length && id.Length == digits + 1 && id[0] == 'p' && Uri.IsHexDigit(id[at]); at++) hex += id[at];
            if (hex.Length != digits)
            {
                using var sha = SHA256.Create();
                hex = BitConverter.ToString(sha.ComputeHash(Encoding.UTF8.GetBytes(id))).Replace("-", "").Substring(0, digits);
            }
            var text = new StringBuilder("fdcc:0:0");
            for (int at = 0; at < digits; at += 4) text.Append(':').Append(hex, at, 4);
            return NetworkEndpoint.Parse(text.ToString(), 1, NetworkFamily.Ipv6);
        }
    }
}
