// A session's peers: their tracks, what comes on them, the room that they have, and their ends.
#nullable enable

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using ClutchCall.Core;
using ClutchCall.UnityTransport;
using Unity.Netcode;
using Debug = UnityEngine.Debug;

namespace ClutchCall.NGO
{
    internal sealed partial class TrackSession
    {
        private void Publish(Peer peer, string path)
        {
            _generation++;
            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                bool reliable = Lanes.IsReliable(lane);
                var track = new TrackOptions
                {
                    Kind = reliable ? CcTrackKind.Text : CcTrackKind.FrameDatagram,
                    Namespace = path,
                    Name = Lanes.Name(_instance, _generation, lane),
                    Capability = Constants.CapabilityNetcodeV1,
                    Priority = (byte)_priorities[lane],
                    MicrosecondGroups = !reliable,
                    Ttl = reliable ? TimeSpan.Zero : _options.PacketLife,
                    WindowMessages = reliable ? Lanes.RoomFrames : 0,
                };
                var way = new Outgoing(_link != null ? _link.Publish(track) : _node!.Publish(track), reliable);
                peer.Out[lane] = way;
                _publications[way.Handle] = way;
            }
        }

        private Peer? Publisher(ulong publication)
        {
            foreach (var peer in _peers.Values)
                foreach (var way in peer.Out)
                    if (way != null && way.Handle == publication) return peer;
            return null;
        }

        /// <summary>A track of the other end's: of the start of its program that is spoken with, or of a newer one.</summary>
        private void Added(ulong id, string path, string name, long now)
        {
            string above = $"{Room}/up/";
            if (!Lanes.TryRead(name, out string instance, out int lane)) return;
            string peerId = _serves && path.StartsWith(above, StringComparison.Ordinal) ? path.Substring(above.Length) : "";
            // A peer may publish deeper below its own id too, which would be another's if only the end were looked at.
            if (_serves && (peerId.Length == 0 || peerId.IndexOf('/') >= 0)) return;
            if (!_peers.TryGetValue(peerId, out var peer))
            {
                if (!_serves) return;
                if (_peers.Count >= _options.MaxPeers)
                {
                    Debug.LogWarning($"ClutchCall: a client was turned away, as {_options.MaxPeers} are here: raise MaxPeers");
                    return;
                }
                _peers[peerId] = peer = new Peer(peerId);
                Publish(peer, $"{Room}/down/{peerId}");
            }
            if (peer.Instance != instance)
            {
                if (!_serves && Takeovers.IsLeft(_options.Url, Room, instance))
                {
                    _lookAt = now + Takeovers.PassMs;
                    return;
                }
                if (!_serves && peer.Tracks > 0 && string.CompareOrdinal(instance, peer.Instance) < 0) return;
                if (peer.Instance != "" && !Replace(ref peer, instance)) return;
                peer.Instance = instance;
                Array.Clear(peer.Taken, 0, Lanes.Count);
                Array.Clear(peer.Granted, 0, Lanes.Count);
                Tell(ClutchCallEventKind.PeerJoined, CcReason.None, path);
                // The first Hello is as old as our tracks: others may have read it before this server came to.
                if (!_serves && !peer.Connected) peer.Out[Lanes.Control]?.Send(Mark.Hello, default);
            }
            (_aloneSince, peer.EndAt) = (0, 0);
            peer.Tracks++;
            _tracks[id] = new Incoming(peer, lane);
            if (_sessions.TryGetValue(peerId, out ulong session)) peer.Session = session;
        }

        /// <summary>The newer server has not come: whoever is there will do.</summary>
        private void LookAgain(long now)
        {
            if (_lookAt == 0 || now < _lookAt || _link == null) return;
            _lookAt = 0;
            if (!_peers.TryGetValue("", out var server) || server.Instance != "") return;
            _subscription!.Dispose();
            _subscription = _link.Subscribe(Reading($"{Room}/down/{PeerId}"));
        }

        private void Ended(ulong id, long now)
        {
            if (!_tracks.TryGetValue(id, out var track)) return;
            _tracks.Remove(id);
            if (--track.Peer.Tracks == 0) track.Peer.EndAt = now + GraceMs;
        }

        /// <summary>Another start of the other end's program takes its place; false where the connection goes with it.</summary>
        private bool Replace(ref Peer peer, string instance)
        {
            if (!_serves)
            {
                bool connected = peer.Connected;
                const string text = "another server has taken the room over: connect again";
                if (!connected)
                {
                    Drop(peer);
                    return true;
                }
                Debug.Log($"ClutchCall: {text}");
                Tell(ClutchCallEventKind.HostMigrated, CcReason.Reset, text);
                Takeovers.Note(_options.Mode, _options.Url, Room, instance);
                End(peer, CcReason.Reset, text);
                return false;
            }
            End(peer, CcReason.Reset, "the client's program started again");
            var next = new Peer(peer.Id);
            _peers[peer.Id] = next;
            Publish(next, $"{Room}/down/{peer.Id}");
            peer = next;
            return true;
        }

        private void Take(Incoming track, in Frame frame, long now)
        {
            var peer = track.Peer;
            var payload = frame.Payload;
            if (payload.Length == 0 || IsOver) return;
            if (Lanes.IsReliable(track.Lane))
            {
                if ((frame.Flags & CcFrameFlags.Gap) != 0 && peer.Connected)
                {
                    GiveUp(peer, CcReason.TooFarBehind, "messages were lost that nobody has any more: connect again");
                    return;
                }
            }
            else if (Lanes.IsOrdered(track.Lane) && !track.IsNewer(frame.Group)) return;
            var body = payload.Slice(1);
            if (Lanes.IsReliable(track.Lane)) peer.Taken[track.Lane] += Lanes.Cost((Mark)payload[0], body.Length);
            switch ((Mark)payload[0])
            {
                case Mark.Piece when Lanes.IsReliable(track.Lane):
                    if (!track.Join(body)) GiveUp(peer, CcReason.Protocol, $"a message exceeds {Lanes.MessageBytes} bytes");
                    break;
                case Mark.Data when peer.Connected:
                    Inbox.Add(NetworkEvent.Data, peer.Number, track.Whole(body));
                    break;
                case Mark.Hello when _serves && track.Lane == Lanes.Control:
                    if (!peer.Connected)
                    {
                        peer.Number = ++_last;
                        Connected(peer);
                    }
                    // Said again, it is by a client that did not read us yet when it was answered.
                    peer.Out[Lanes.Control]?.Send(Mark.Welcome, default);
                    break;
                case Mark.Welcome when !_serves && !peer.Connected && track.Lane == Lanes.Control:
                    peer.Number = ServerNumber;
                    Connected(peer);
                    break;
                case Mark.Bye when track.Lane == Lanes.Control:
                    bool typed = body.Length > 0 && Enum.IsDefined(typeof(CcReason), (uint)body[0]);
                    End(peer, typed ? (CcReason)body[0] : CcReason.Peer, body.Length > 1 ? Encoding.UTF8.GetString(body.Slice(1)) : "");
                    break;
                case Mark.Ping when body.Length == _probe.Length:
                    body.CopyTo(_probe);
                    peer.Out[Lanes.Probe]?.Send(Mark.Pong, _probe, _options.ControlPriority);
                    break;
                case Mark.Room when Lanes.IsReliable(track.Lane) && body.Length == _probe.Length:
                    peer.Out[track.Lane]?.Grant(BinaryPrimitives.ReadInt64LittleEndian(body));
                    break;
                case Mark.Pong when body.Length == _probe.Length:
                    long spent = now - BinaryPrimitives.ReadInt64LittleEndian(body);
                    if (spent >= 0) peer.RttMs = (ulong)spent;
                    break;
            }
        }

        private void Connected(Peer peer)
        {
            peer.Connected = true;
            _numbers[peer.Number] = peer;
            Inbox.Add(NetworkEvent.Connect, peer.Number);
        }

        private void Tend(Peer peer, long now)
        {
            if (peer.EndAt != 0 && now >= peer.EndAt)
            {
                End(peer, CcReason.Peer, _serves ? "the client left" : "the server left: connect again when it is back");
                return;
            }
            foreach (var way in peer.Out) way?.Flush();
            if (peer.Connected) GiveRoom(peer);
            if (!peer.Connected || now - peer.PingedAt < PingMs) return;
            peer.PingedAt = now;
            BinaryPrimitives.WriteInt64LittleEndian(_probe, now);
            peer.Out[Lanes.Probe]?.Send(Mark.Ping, _probe, _options.ControlPriority);
        }

        /// <summary>Tells the other end how much more it may send, each time that a quarter of its room has been taken.</summary>
        private void GiveRoom(Peer peer)
        {
            int room = Lanes.Room(_numbers.Count);
            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                if (!Lanes.IsReliable(lane) || peer.Taken[lane] == 0) continue;
                long granted = peer.Taken[lane] + room;
                if (granted - peer.Granted[lane] < room / 4) continue;
                BinaryPrimitives.WriteInt64LittleEndian(_probe, granted);
                if (peer.Out[lane]?.SendAhead(Mark.Room, _probe) == true) peer.Granted[lane] = granted;
            }
        }

        /// <summary>Ends a connection for what its other end does; that end hears the reason.</summary>
        private void GiveUp(Peer peer, CcReason reason, string text)
        {
            Farewell(peer, reason, text);
            End(peer, reason, text);
        }

        /// <summary>The connection is over: NGO hears it, if it knew of it. A client's does from its start on.</summary>
        private void End(Peer peer, CcReason reason, string text)
        {
            bool told = peer.Connected || !_serves;
            Forget(peer);
            if (_serves) Debug.Log($"ClutchCall: client {peer.Number} has gone, {reason}: {text}");
            else (Reason, Text) = (reason, text);
            Tell(ClutchCallEventKind.PeerLeft, reason, text);
            if (told) Inbox.Add(NetworkEvent.Disconnect, peer.Number);
            // A client without its server has nothing to stay for.
            if (!_serves && !IsOver)
            {
                Tell(ClutchCallEventKind.Ended, reason, text);
                State = ClutchCallState.Ended;
                Close();
            }
        }

        private void Forget(Peer peer)
        {
            Drop(peer);
            _peers.Remove(peer.Id);
            if (peer.Connected) _numbers.Remove(peer.Number);
            peer.Connected = false;
            foreach (var way in peer.Out)
                if (way != null) _publications.Remove(way.Handle);
            peer.Close();
        }

        /// <summary>Its tracks are no longer listened to.</summary>
        private void Drop(Peer peer)
        {
            foreach (var one in new List<KeyValuePair<ulong, Incoming>>(_tracks))
                if (ReferenceEquals(one.Value.Peer, peer)) _tracks.Remove(one.Key);
            peer.Tracks = 0;
        }

        private static void Farewell(Peer peer, CcReason reason, string why)
        {
            foreach (var way in peer.Out) way?.Flush();
            var word = new byte[1 + Encoding.UTF8.GetByteCount(why)];
            word[0] = (byte)reason;
            Encoding.UTF8.GetBytes(why, 0, why.Length, word, 1);
            // What the other end has no room for now it will not hear any more; that this one goes it does.
            peer.Out[Lanes.Control]?.SendAhead(Mark.Bye, word);
        }
    }
}
