// What the session makes of the core's events.
#nullable enable

using System;
using System.Text;
using ClutchCall.Core;
using Unity.Networking.Transport;

namespace ClutchCall.UnityTransport
{
    public sealed unsafe partial class ClutchCallSession
    {
        private const long RedialMs = 1000;

        private void Follow(in Event one, in CcEvent raw, long now)
        {
            switch (one.Kind)
            {
                case CcEventKind.Auth:
                case CcEventKind.AuthRefresh:
                    Admit(one.Handle, raw);
                    break;
                case CcEventKind.SessionUp:
                    _peers[one.Text] = one.Handle;
                    if (Named(one.Text) is { } here) here.Session = one.Handle;
                    break;
                case CcEventKind.SessionDown:
                    if (_peers.TryGetValue(one.Text2, out ulong last) && last == one.Handle) _peers.Remove(one.Text2);
                    if (Deliberate(one.Reason) && Named(one.Text2) is { } gone) EndPeer(gone, one.Reason, one.Text);
                    break;
                case CcEventKind.LinkUp when one.Handle == _link:
                    LinkUp(one.Text, one.A != 0);
                    break;
                case CcEventKind.LinkDown when one.Handle == _link:
                    (State, Reason, Text) = (ClutchCallState.Waiting, one.Reason, one.Text);
                    Tell(ClutchCallEventKind.Lost, one.Reason, one.Text);
                    // Without a relay between, the link's other end is the server, and its memory of us is gone with it.
                    if (!_serves && _parameter.Mode == ClutchCallMode.Direct && (Deliberate(one.Reason) || one.Reason == CcReason.Reset))
                        EndPeer(_remotes[0], one.Reason, Text);
                    break;
                case CcEventKind.LinkClosed when one.Handle == _link:
                    LinkClosed(one.Reason, one.Text, now);
                    break;
                case CcEventKind.PublishDemand when one.A > 0:
                    Wanted(one.Handle);
                    break;
                case CcEventKind.PublishRefused:
                case CcEventKind.SubscribeRefused:
                    if (_link == 0) break;
                    Refused(one.Handle, one.Reason, one.Text);
                    break;
                case CcEventKind.TrackAdded when one.Handle == _subscription:
                    TrackAdded(one.A, one.Text, one.Text2);
                    break;
                case CcEventKind.TrackEnded when one.Handle == _subscription:
                    foreach (var remote in _remotes)
                        if (remote.Track == one.A) remote.EndAt = now + GraceMs;
                    break;
                case CcEventKind.NodeFailed:
                    Finish(CcReason.Internal, one.Text);
                    break;
                case CcEventKind.Warning:
                    UnityEngine.Debug.LogWarning($"ClutchCall: {one.Text}");
                    break;
            }
        }

        /// <summary>A Direct server's admission: who shows the password, if there is one, may write its track and read its own.</summary>
        private void Admit(ulong session, in CcEvent raw)
        {
            using var texts = new Texts();
            if (!Same(_parameter.Get(ClutchCallParameter.Field.Token), new ReadOnlySpan<byte>(raw.Text.Ptr, (int)raw.Text.Len)))
            {
                // It may have gone meanwhile: then there is nobody to refuse.
                Native.SessionRefuse(session, (uint)CcReason.Unauthorized, texts.Add("the password is not the server's"));
                return;
            }
            string id = Failures.Read(raw.Text4.Ptr, raw.Text4.Len);
            var stamp = CcStamp.Create();
            stamp.Publish = texts.Add($"{Room}/up/{id}");
            stamp.Subscribe = texts.Add($"{Room}/down/{id}");
            stamp.PeerId = texts.Add(id);
            Native.SessionAccept(session, &stamp);
        }

        /// <summary>Compares in the same time wherever they differ; a server without a password takes all.</summary>
        internal static bool Same(byte[] wanted, ReadOnlySpan<byte> shown)
        {
            if (wanted.Length == 0) return true;
            int differ = wanted.Length ^ shown.Length;
            for (int at = 0; at < shown.Length; at++) differ |= shown[at] ^ wanted[at % wanted.Length];
            return differ == 0;
        }

        /// <summary>Whether a session was ended on purpose, and not lost.</summary>
        internal static bool Deliberate(CcReason reason) =>
            reason == CcReason.Peer || reason == CcReason.Local || reason == CcReason.Kicked || reason == CcReason.ExpiredToken
            || reason == CcReason.GoingAway;

        /// <summary>Whether dialling again could help.</summary>
        internal static bool MayPass(CcReason reason) =>
            reason == CcReason.Timeout || reason == CcReason.Unreachable || reason == CcReason.Reset || reason == CcReason.GoingAway
            || reason == CcReason.Peer || reason == CcReason.ExcessiveLoad || reason == CcReason.Internal;

        private void LinkUp(string id, bool resumed)
        {
            bool same = PeerId == id;
            (State, PeerId) = (ClutchCallState.Up, id);
            Tell(ClutchCallEventKind.Up, CcReason.None, resumed ? "the link is back" : "the link is up");
            if (!_serves && _parameter.Mode == ClutchCallMode.Relay && _remotes[0].Instance == "") _aloneSince = Surroundings.NowMs;
            if (_serves || (same && _subscription != 0)) return;
            var server = _remotes[0];
            if (_subscription != 0)
            {
                // Another peer now: the server knows nothing of the connection.
                Native.SubscribeClose(_subscription);
                Native.PublishClose(server.Publication);
                EndPeer(server, CcReason.Reset, "the relay gave another peer id: connect again");
            }
            Watch(_link, $"{Room}/down/{id}");
            Publish(_link, $"{Room}/up/{id}", server);
        }

        private void LinkClosed(CcReason reason, string text, long now)
        {
            bool once = PeerId != "";
            CloseLink();
            if (!once && MayPass(reason))
            {
                // UTP's next attempt dials again; a server does by itself.
                (State, Reason, Text) = (ClutchCallState.Connecting, reason, text);
                if (_serves) _redialAt = now + RedialMs;
                return;
            }
            if (MayPass(reason)) Finish(reason, text);
            else Refuse(reason, text);
        }

        private void Refused(ulong handle, CcReason reason, string text)
        {
            string what = handle == _subscription ? "may not read" : "may not send";
            text = $"{what} in room {_parameter.Text(ClutchCallParameter.Field.Room)} ({text}): check the room's name and the token's grants";
            if (handle == _subscription || !_serves)
            {
                CloseLink();
                Refuse(reason, text);
                return;
            }
            foreach (var remote in _remotes)
                if (remote.Publication == handle)
                {
                    EndPeer(remote, reason, text);
                    return;
                }
        }

        /// <summary>Somebody reads the track: what was held goes out.</summary>
        private void Wanted(ulong publication)
        {
            foreach (var remote in _remotes)
            {
                if (remote.Publication != publication || remote.Ready) continue;
                remote.Ready = true;
                _shared->Enter();
                _shared->Release(remote.Index);
                _shared->Exit();
            }
        }

        /// <summary>The other end's track: of the same start of its program, or of another, for which the connection is over.</summary>
        private void TrackAdded(ulong track, string path, string instance)
        {
            // A peer may publish deeper below its own id too, which would be another's if only the end were looked at.
            string above = $"{Room}/up/";
            string id = _serves && path.StartsWith(above, StringComparison.Ordinal) ? path.Substring(above.Length) : "";
            if (_serves && (id.Length == 0 || id.IndexOf('/') >= 0)) return;
            var remote = _serves ? Joined(id) : _remotes[0];
            if (remote == null) return;
            if (!_serves && Takeovers.IsLeft(_parameter.Text(ClutchCallParameter.Field.Url), Room, instance))
            {
                _lookAt = Surroundings.NowMs + Takeovers.PassMs;
                return;
            }
            if (!_serves && remote.EndAt == 0 && string.CompareOrdinal(instance, remote.Instance) < 0) return;
            if (remote.Instance != "" && remote.Instance != instance)
            {
                string text = _serves ? "the client's program started again" : "another server took its place: connect again";
                EndPeer(remote, CcReason.Reset, text, replaced: true);
                remote.Leaving = false;
            }
            bool fresh = remote.Instance != instance;
            (remote.EndAt, remote.Leaving, remote.Instance) = (0, false, instance);
            _shared->Enter();
            if (remote.Track != 0) _shared->Unmap(remote.Track);
            bool mapped = _shared->Map(track, remote.Index);
            _shared->Exit();
            remote.Track = mapped ? track : 0;
            _aloneSince = 0;
            if (!fresh) return;
            if (!_serves && _wasConnected && _lastServer != instance)
            {
                string text = "another server has taken the room over: connect again";
                UnityEngine.Debug.Log($"ClutchCall: {text}");
                Tell(ClutchCallEventKind.HostMigrated, CcReason.Reset, text, remote.Endpoint);
                Takeovers.Note(_parameter.Mode, _parameter.Text(ClutchCallParameter.Field.Url), Room, instance);
            }
            (_lastServer, _wasConnected) = (instance, false);
            Tell(ClutchCallEventKind.PeerJoined, CcReason.None, path, remote.Endpoint);
        }

        private Remote? Named(string id)
        {
            foreach (var remote in _remotes)
                if (remote.Id == id) return remote;
            return null;
        }

        /// <summary>A server's peer of that id, which it may see for the first time.</summary>
        private Remote? Joined(string id)
        {
            var known = Named(id);
            if (known != null) return known;
            var endpoint = EndpointOf(id);
            _shared->Enter();
            int index = _shared->Add(endpoint);
            _shared->Exit();
            if (index == Table.None)
            {
                UnityEngine.Debug.LogWarning($"ClutchCall: a client was turned away, as {_parameter.MaxPeers} are here: raise MaxPeers");
                return null;
            }
            var made = new Remote { Index = index, Id = id, Endpoint = endpoint };
            _peers.TryGetValue(id, out made.Session);
            _remotes.Add(made);
            Publish(_link != 0 ? _link : _node, $"{Room}/down/{id}", made);
            return made;
        }
    }
}
