// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
// Bodies of the control stack.
#nullable enable

using System;
using System.Collections.Generic;

namespace ClutchCall.Core
{
    /// <summary>A request without arguments.</summary>
    public sealed class Empty : IWireBody
    {
        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(0);
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static Empty Read(object? value, string path = "$")
        {
            Wire.Fields(value, path);
            var made = new Empty();
            return made;
        }
    }

    /// <summary>Why a call failed; the body of every reply with method id 0 and of every HTTP status from 400.</summary>
    public sealed class ErrorBody : IWireBody
    {
        /// <summary>HTTP status of the failure.</summary>
        public long Code { get; set; }
        /// <summary>The failure as a stable word, such as not_found or bad_field.</summary>
        public string Error { get; set; } = "";
        /// <summary>One line: what, where, what to do.</summary>
        public string Message { get; set; } = "";
        /// <summary>Path of the request's field at fault.</summary>
        public string? Field { get; set; }
        /// <summary>When to try again, if that can help. In ms.</summary>
        public long? RetryMs { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(3 + (Field == null ? 0 : 1) + (RetryMs == null ? 0 : 1));
            to.Key("code");
            to.Integer(Code, "ErrorBody.code");
            to.Key("error");
            to.Text(Error, "ErrorBody.error");
            to.Key("message");
            to.Text(Message, "ErrorBody.message");
            if (Field != null)
            {
                to.Key("field");
                to.Text(Field, "ErrorBody.field");
            }
            if (RetryMs != null)
            {
                to.Key("retry_ms");
                to.Integer(RetryMs.Value, "ErrorBody.retry_ms");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static ErrorBody Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new ErrorBody();
            made.Code = Wire.Integer(Wire.Required(of, "code", path), path + ".code");
            made.Error = Wire.Text(Wire.Required(of, "error", path), path + ".error");
            made.Message = Wire.Text(Wire.Required(of, "message", path), path + ".message");
            var fieldValue = Wire.Optional(of, "field");
            if (fieldValue != null) made.Field = Wire.Text(fieldValue, path + ".field");
            var retryMsValue = Wire.Optional(of, "retry_ms");
            if (retryMsValue != null) made.RetryMs = Wire.Integer(retryMsValue, path + ".retry_ms");
            return made;
        }
    }

    /// <summary>How a host or relay is.</summary>
    public sealed class Health : IWireBody
    {
        /// <summary>Where the process stands.</summary>
        public string Status { get; set; } = "starting";
        /// <summary>It takes new sessions.</summary>
        public bool Ready { get; set; }
        /// <summary>Version of the package.</summary>
        public string Version { get; set; } = "";
        /// <summary>Name of this node.</summary>
        public string Node { get; set; } = "";
        /// <summary>Time since the start. In ms.</summary>
        public long UptimeMs { get; set; }
        /// <summary>Sessions up now.</summary>
        public long Sessions { get; set; }
        /// <summary>Rooms open now.</summary>
        public long Rooms { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(7);
            to.Key("status");
            to.Text(Status, "Health.status", "starting", "ok", "draining", "failed");
            to.Key("ready");
            to.Truth(Ready, "Health.ready");
            to.Key("version");
            to.Text(Version, "Health.version");
            to.Key("node");
            to.Text(Node, "Health.node");
            to.Key("uptime_ms");
            to.Integer(UptimeMs, "Health.uptime_ms");
            to.Key("sessions");
            to.Integer(Sessions, "Health.sessions");
            to.Key("rooms");
            to.Integer(Rooms, "Health.rooms");
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static Health Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new Health();
            made.Status = Wire.Text(Wire.Required(of, "status", path), path + ".status", "starting", "ok", "draining", "failed");
            made.Ready = Wire.Truth(Wire.Required(of, "ready", path), path + ".ready");
            made.Version = Wire.Text(Wire.Required(of, "version", path), path + ".version");
            made.Node = Wire.Text(Wire.Required(of, "node", path), path + ".node");
            made.UptimeMs = Wire.Integer(Wire.Required(of, "uptime_ms", path), path + ".uptime_ms");
            made.Sessions = Wire.Integer(Wire.Required(of, "sessions", path), path + ".sessions");
            made.Rooms = Wire.Integer(Wire.Required(of, "rooms", path), path + ".rooms");
            return made;
        }
    }

    /// <summary>A room of a host.</summary>
    public sealed class Room : IWireBody
    {
        /// <summary>Its name, one namespace field.</summary>
        public string Name { get; set; } = "";
        /// <summary>Namespace prefix of its tracks.</summary>
        public string Namespace { get; set; } = "";
        /// <summary>Where the room stands.</summary>
        public string State { get; set; } = "opening";
        /// <summary>Peers in it now.</summary>
        public long Players { get; set; }
        /// <summary>Peers admitted at most; 0: no bound of its own.</summary>
        public long MaxPlayers { get; set; }
        /// <summary>Bots in it now.</summary>
        public long Bots { get; set; }
        /// <summary>Ticks done.</summary>
        public long Tick { get; set; }
        /// <summary>Ticks a second it aims at. In Hz.</summary>
        public double TickRateHz { get; set; }
        /// <summary>99th percentile of a tick's own time over the last minute. In ms.</summary>
        public double TickP99Ms { get; set; }
        /// <summary>Ticks that took longer than their period.</summary>
        public long Overruns { get; set; }
        /// <summary>Time since it opened. In ms.</summary>
        public long UptimeMs { get; set; }
        /// <summary>The game's own words about it.</summary>
        public Dictionary<string, string> Metadata { get; set; } = new Dictionary<string, string>();

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(12);
            to.Key("name");
            to.Text(Name, "Room.name");
            to.Key("namespace");
            to.Text(Namespace, "Room.namespace");
            to.Key("state");
            to.Text(State, "Room.state", "opening", "open", "closing", "failed");
            to.Key("players");
            to.Integer(Players, "Room.players");
            to.Key("max_players");
            to.Integer(MaxPlayers, "Room.max_players");
            to.Key("bots");
            to.Integer(Bots, "Room.bots");
            to.Key("tick");
            to.Integer(Tick, "Room.tick");
            to.Key("tick_rate_hz");
            to.Number(TickRateHz, "Room.tick_rate_hz");
            to.Key("tick_p99_ms");
            to.Number(TickP99Ms, "Room.tick_p99_ms");
            to.Key("overruns");
            to.Integer(Overruns, "Room.overruns");
            to.Key("uptime_ms");
            to.Integer(UptimeMs, "Room.uptime_ms");
            to.Key("metadata");
            to.Map(Metadata, "Room.metadata");
            foreach (var item in Metadata)
            {
                to.Key(item.Key);
                to.Text(item.Value, "Room.metadata");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static Room Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new Room();
            made.Name = Wire.Text(Wire.Required(of, "name", path), path + ".name");
            made.Namespace = Wire.Text(Wire.Required(of, "namespace", path), path + ".namespace");
            made.State = Wire.Text(Wire.Required(of, "state", path), path + ".state", "opening", "open", "closing", "failed");
            made.Players = Wire.Integer(Wire.Required(of, "players", path), path + ".players");
            made.MaxPlayers = Wire.Integer(Wire.Required(of, "max_players", path), path + ".max_players");
            made.Bots = Wire.Integer(Wire.Required(of, "bots", path), path + ".bots");
            made.Tick = Wire.Integer(Wire.Required(of, "tick", path), path + ".tick");
            made.TickRateHz = Wire.Number(Wire.Required(of, "tick_rate_hz", path), path + ".tick_rate_hz");
            made.TickP99Ms = Wire.Number(Wire.Required(of, "tick_p99_ms", path), path + ".tick_p99_ms");
            made.Overruns = Wire.Integer(Wire.Required(of, "overruns", path), path + ".overruns");
            made.UptimeMs = Wire.Integer(Wire.Required(of, "uptime_ms", path), path + ".uptime_ms");
            made.Metadata = Wire.Map(Wire.Required(of, "metadata", path), path + ".metadata", (item, at) => Wire.Text(item, at));
            return made;
        }
    }

    /// <summary>All rooms, in name order.</summary>
    public sealed class RoomList : IWireBody
    {
        /// <summary>The rooms.</summary>
        public List<Room> Rooms { get; set; } = new List<Room>();

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1);
            to.Key("rooms");
            to.List(Rooms, "RoomList.rooms");
            foreach (var item in Rooms)
            {
                to.Body(item, "RoomList.rooms");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static RoomList Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new RoomList();
            made.Rooms = Wire.List(Wire.Required(of, "rooms", path), path + ".rooms", (item, at) => Room.Read(item, at));
            return made;
        }
    }

    /// <summary>Names a room.</summary>
    public sealed class RoomQuery : IWireBody
    {
        /// <summary>The room's name.</summary>
        public string Room { get; set; } = "";

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1);
            to.Key("room");
            to.Text(Room, "RoomQuery.room");
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static RoomQuery Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new RoomQuery();
            made.Room = Wire.Text(Wire.Required(of, "room", path), path + ".room");
            return made;
        }
    }

    /// <summary>Asks for what a player needs to join a room.</summary>
    public sealed class JoinRequest : IWireBody
    {
        /// <summary>The room's name.</summary>
        public string Room { get; set; } = "";
        /// <summary>What a new peer id is to begin with, where the caller's token names no peer.</summary>
        public string? Player { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1 + (Player == null ? 0 : 1));
            to.Key("room");
            to.Text(Room, "JoinRequest.room");
            if (Player != null)
            {
                to.Key("player");
                to.Text(Player, "JoinRequest.player");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static JoinRequest Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new JoinRequest();
            made.Room = Wire.Text(Wire.Required(of, "room", path), path + ".room");
            var playerValue = Wire.Optional(of, "player");
            if (playerValue != null) made.Player = Wire.Text(playerValue, path + ".player");
            return made;
        }
    }

    /// <summary>What a player needs to join a room.</summary>
    public sealed class JoinInfo : IWireBody
    {
        /// <summary>The room's name.</summary>
        public string Room { get; set; } = "";
        /// <summary>moqt:// URL to connect to.</summary>
        public string Url { get; set; } = "";
        /// <summary>https:// URL for browsers, where WebTransport is served.</summary>
        public string? WebUrl { get; set; }
        /// <summary>Namespace prefix of the room's tracks.</summary>
        public string Namespace { get; set; } = "";
        /// <summary>The peer id the token is bound to.</summary>
        public string PeerId { get; set; } = "";
        /// <summary>Token to present.</summary>
        public string Token { get; set; } = "";
        /// <summary>Time from now when the token ends; 0: never. In ms.</summary>
        public long ExpiresMs { get; set; }
        /// <summary>Lower-case hex of the certificate to pin, with development credentials.</summary>
        public string? CertificateSha256 { get; set; }
        /// <summary>Ticks a second of the room; 0: not known here. In Hz.</summary>
        public double TickRateHz { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(7 + (WebUrl == null ? 0 : 1) + (CertificateSha256 == null ? 0 : 1));
            to.Key("room");
            to.Text(Room, "JoinInfo.room");
            to.Key("url");
            to.Text(Url, "JoinInfo.url");
            if (WebUrl != null)
            {
                to.Key("web_url");
                to.Text(WebUrl, "JoinInfo.web_url");
            }
            to.Key("namespace");
            to.Text(Namespace, "JoinInfo.namespace");
            to.Key("peer_id");
            to.Text(PeerId, "JoinInfo.peer_id");
            to.Key("token");
            to.Text(Token, "JoinInfo.token");
            to.Key("expires_ms");
            to.Integer(ExpiresMs, "JoinInfo.expires_ms");
            if (CertificateSha256 != null)
            {
                to.Key("certificate_sha256");
                to.Text(CertificateSha256, "JoinInfo.certificate_sha256");
            }
            to.Key("tick_rate_hz");
            to.Number(TickRateHz, "JoinInfo.tick_rate_hz");
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static JoinInfo Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new JoinInfo();
            made.Room = Wire.Text(Wire.Required(of, "room", path), path + ".room");
            made.Url = Wire.Text(Wire.Required(of, "url", path), path + ".url");
            var webUrlValue = Wire.Optional(of, "web_url");
            if (webUrlValue != null) made.WebUrl = Wire.Text(webUrlValue, path + ".web_url");
            made.Namespace = Wire.Text(Wire.Required(of, "namespace", path), path + ".namespace");
            made.PeerId = Wire.Text(Wire.Required(of, "peer_id", path), path + ".peer_id");
            made.Token = Wire.Text(Wire.Required(of, "token", path), path + ".token");
            made.ExpiresMs = Wire.Integer(Wire.Required(of, "expires_ms", path), path + ".expires_ms");
            var certificateSha256Value = Wire.Optional(of, "certificate_sha256");
            if (certificateSha256Value != null) made.CertificateSha256 = Wire.Text(certificateSha256Value, path + ".certificate_sha256");
            made.TickRateHz = Wire.Number(Wire.Required(of, "tick_rate_hz", path), path + ".tick_rate_hz");
            return made;
        }
    }

    /// <summary>A session of a relay.</summary>
    public sealed class SessionInfo : IWireBody
    {
        /// <summary>Its peer id.</summary>
        public string PeerId { get; set; } = "";
        /// <summary>The token's subject.</summary>
        public string Subject { get; set; } = "";
        /// <summary>The token's tenant, or empty.</summary>
        public string Tenant { get; set; } = "";
        /// <summary>The room it plays in.</summary>
        public string? Room { get; set; }
        /// <summary>Its ip:port.</summary>
        public string Address { get; set; } = "";
        /// <summary>What carries it.</summary>
        public string Transport { get; set; } = "quic";
        /// <summary>MoQT draft in use.</summary>
        public long Draft { get; set; }
        /// <summary>Time since it came up. In ms.</summary>
        public long UptimeMs { get; set; }
        /// <summary>Time from now when its token ends. In ms.</summary>
        public long? ExpiresMs { get; set; }
        /// <summary>Path prefixes it may publish under.</summary>
        public List<string> Publish { get; set; } = new List<string>();
        /// <summary>Path prefixes it may read.</summary>
        public List<string> Subscribe { get; set; } = new List<string>();
        /// <summary>Capability tags it may use; empty: any.</summary>
        public List<string> Capabilities { get; set; } = new List<string>();
        /// <summary>Smoothed round-trip time. In us.</summary>
        public long RttUs { get; set; }
        /// <summary>Mean deviation of the round-trip time. In us.</summary>
        public long JitterUs { get; set; }
        /// <summary>Packets lost of those sent, 0 to 1. In ratio.</summary>
        public double Loss { get; set; }
        /// <summary>What its path is estimated to take. In bytes/s.</summary>
        public long SendRate { get; set; }
        /// <summary>Waiting in its sending queue. In bytes.</summary>
        public long QueuedBytes { get; set; }
        /// <summary>UDP payload sent to it. In bytes.</summary>
        public long BytesSent { get; set; }
        /// <summary>UDP payload received from it. In bytes.</summary>
        public long BytesReceived { get; set; }
        /// <summary>Frames sent to it.</summary>
        public long FramesSent { get; set; }
        /// <summary>Frames received from it.</summary>
        public long FramesReceived { get; set; }
        /// <summary>Frames not delivered to it, by CcDrop name in lower case.</summary>
        public Dictionary<string, long> Drops { get; set; } = new Dictionary<string, long>();

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(20 + (Room == null ? 0 : 1) + (ExpiresMs == null ? 0 : 1));
            to.Key("peer_id");
            to.Text(PeerId, "SessionInfo.peer_id");
            to.Key("subject");
            to.Text(Subject, "SessionInfo.subject");
            to.Key("tenant");
            to.Text(Tenant, "SessionInfo.tenant");
            if (Room != null)
            {
                to.Key("room");
                to.Text(Room, "SessionInfo.room");
            }
            to.Key("address");
            to.Text(Address, "SessionInfo.address");
            to.Key("transport");
            to.Text(Transport, "SessionInfo.transport", "quic", "webtransport");
            to.Key("draft");
            to.Integer(Draft, "SessionInfo.draft");
            to.Key("uptime_ms");
            to.Integer(UptimeMs, "SessionInfo.uptime_ms");
            if (ExpiresMs != null)
            {
                to.Key("expires_ms");
                to.Integer(ExpiresMs.Value, "SessionInfo.expires_ms");
            }
            to.Key("publish");
            to.List(Publish, "SessionInfo.publish");
            foreach (var item in Publish)
            {
                to.Text(item, "SessionInfo.publish");
            }
            to.Key("subscribe");
            to.List(Subscribe, "SessionInfo.subscribe");
            foreach (var item in Subscribe)
            {
                to.Text(item, "SessionInfo.subscribe");
            }
            to.Key("capabilities");
            to.List(Capabilities, "SessionInfo.capabilities");
            foreach (var item in Capabilities)
            {
                to.Text(item, "SessionInfo.capabilities");
            }
            to.Key("rtt_us");
            to.Integer(RttUs, "SessionInfo.rtt_us");
            to.Key("jitter_us");
            to.Integer(JitterUs, "SessionInfo.jitter_us");
            to.Key("loss");
            to.Number(Loss, "SessionInfo.loss");
            to.Key("send_rate");
            to.Integer(SendRate, "SessionInfo.send_rate");
            to.Key("queued_bytes");
            to.Integer(QueuedBytes, "SessionInfo.queued_bytes");
            to.Key("bytes_sent");
            to.Integer(BytesSent, "SessionInfo.bytes_sent");
            to.Key("bytes_received");
            to.Integer(BytesReceived, "SessionInfo.bytes_received");
            to.Key("frames_sent");
            to.Integer(FramesSent, "SessionInfo.frames_sent");
            to.Key("frames_received");
            to.Integer(FramesReceived, "SessionInfo.frames_received");
            to.Key("drops");
            to.Map(Drops, "SessionInfo.drops");
            foreach (var item in Drops)
            {
                to.Key(item.Key);
                to.Integer(item.Value, "SessionInfo.drops");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static SessionInfo Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new SessionInfo();
            made.PeerId = Wire.Text(Wire.Required(of, "peer_id", path), path + ".peer_id");
            made.Subject = Wire.Text(Wire.Required(of, "subject", path), path + ".subject");
            made.Tenant = Wire.Text(Wire.Required(of, "tenant", path), path + ".tenant");
            var roomValue = Wire.Optional(of, "room");
            if (roomValue != null) made.Room = Wire.Text(roomValue, path + ".room");
            made.Address = Wire.Text(Wire.Required(of, "address", path), path + ".address");
            made.Transport = Wire.Text(Wire.Required(of, "transport", path), path + ".transport", "quic", "webtransport");
            made.Draft = Wire.Integer(Wire.Required(of, "draft", path), path + ".draft");
            made.UptimeMs = Wire.Integer(Wire.Required(of, "uptime_ms", path), path + ".uptime_ms");
            var expiresMsValue = Wire.Optional(of, "expires_ms");
            if (expiresMsValue != null) made.ExpiresMs = Wire.Integer(expiresMsValue, path + ".expires_ms");
            made.Publish = Wire.List(Wire.Required(of, "publish", path), path + ".publish", (item, at) => Wire.Text(item, at));
            made.Subscribe = Wire.List(Wire.Required(of, "subscribe", path), path + ".subscribe", (item, at) => Wire.Text(item, at));
            made.Capabilities = Wire.List(Wire.Required(of, "capabilities", path), path + ".capabilities", (item, at) => Wire.Text(item, at));
            made.RttUs = Wire.Integer(Wire.Required(of, "rtt_us", path), path + ".rtt_us");
            made.JitterUs = Wire.Integer(Wire.Required(of, "jitter_us", path), path + ".jitter_us");
            made.Loss = Wire.Number(Wire.Required(of, "loss", path), path + ".loss");
            made.SendRate = Wire.Integer(Wire.Required(of, "send_rate", path), path + ".send_rate");
            made.QueuedBytes = Wire.Integer(Wire.Required(of, "queued_bytes", path), path + ".queued_bytes");
            made.BytesSent = Wire.Integer(Wire.Required(of, "bytes_sent", path), path + ".bytes_sent");
            made.BytesReceived = Wire.Integer(Wire.Required(of, "bytes_received", path), path + ".bytes_received");
            made.FramesSent = Wire.Integer(Wire.Required(of, "frames_sent", path), path + ".frames_sent");
            made.FramesReceived = Wire.Integer(Wire.Required(of, "frames_received", path), path + ".frames_received");
            made.Drops = Wire.Map(Wire.Required(of, "drops", path), path + ".drops", (item, at) => Wire.Integer(item, at));
            return made;
        }
    }

    /// <summary>Which sessions to list.</summary>
    public sealed class SessionListRequest : IWireBody
    {
        /// <summary>Only those of this room.</summary>
        public string? Room { get; set; }
        /// <summary>Only those whose peer id sorts after this one.</summary>
        public string? After { get; set; }
        /// <summary>At most so many, 1 to 1000; 100 when absent.</summary>
        public long? Limit { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(0 + (Room == null ? 0 : 1) + (After == null ? 0 : 1) + (Limit == null ? 0 : 1));
            if (Room != null)
            {
                to.Key("room");
                to.Text(Room, "SessionListRequest.room");
            }
            if (After != null)
            {
                to.Key("after");
                to.Text(After, "SessionListRequest.after");
            }
            if (Limit != null)
            {
                to.Key("limit");
                to.Integer(Limit.Value, "SessionListRequest.limit");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static SessionListRequest Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new SessionListRequest();
            var roomValue = Wire.Optional(of, "room");
            if (roomValue != null) made.Room = Wire.Text(roomValue, path + ".room");
            var afterValue = Wire.Optional(of, "after");
            if (afterValue != null) made.After = Wire.Text(afterValue, path + ".after");
            var limitValue = Wire.Optional(of, "limit");
            if (limitValue != null) made.Limit = Wire.Integer(limitValue, path + ".limit");
            return made;
        }
    }

    /// <summary>Sessions in order of peer id.</summary>
    public sealed class SessionList : IWireBody
    {
        /// <summary>The sessions.</summary>
        public List<SessionInfo> Sessions { get; set; } = new List<SessionInfo>();
        /// <summary>Give this as after to go on; absent at the end.</summary>
        public string? Next { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1 + (Next == null ? 0 : 1));
            to.Key("sessions");
            to.List(Sessions, "SessionList.sessions");
            foreach (var item in Sessions)
            {
                to.Body(item, "SessionList.sessions");
            }
            if (Next != null)
            {
                to.Key("next");
                to.Text(Next, "SessionList.next");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static SessionList Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new SessionList();
            made.Sessions = Wire.List(Wire.Required(of, "sessions", path), path + ".sessions", (item, at) => SessionInfo.Read(item, at));
            var nextValue = Wire.Optional(of, "next");
            if (nextValue != null) made.Next = Wire.Text(nextValue, path + ".next");
            return made;
        }
    }

    /// <summary>Names a session.</summary>
    public sealed class SessionQuery : IWireBody
    {
        /// <summary>Its peer id.</summary>
        public string PeerId { get; set; } = "";

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1);
            to.Key("peer_id");
            to.Text(PeerId, "SessionQuery.peer_id");
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static SessionQuery Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new SessionQuery();
            made.PeerId = Wire.Text(Wire.Required(of, "peer_id", path), path + ".peer_id");
            return made;
        }
    }

    /// <summary>Ends a session with KICKED.</summary>
    public sealed class Kick : IWireBody
    {
        /// <summary>Whose session.</summary>
        public string PeerId { get; set; } = "";
        /// <summary>Words for the player.</summary>
        public string? Reason { get; set; }

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1 + (Reason == null ? 0 : 1));
            to.Key("peer_id");
            to.Text(PeerId, "Kick.peer_id");
            if (Reason != null)
            {
                to.Key("reason");
                to.Text(Reason, "Kick.reason");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static Kick Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new Kick();
            made.PeerId = Wire.Text(Wire.Required(of, "peer_id", path), path + ".peer_id");
            var reasonValue = Wire.Optional(of, "reason");
            if (reasonValue != null) made.Reason = Wire.Text(reasonValue, path + ".reason");
            return made;
        }
    }

    /// <summary>Counters of one shard since it started.</summary>
    public sealed class ShardStatistics : IWireBody
    {
        /// <summary>Its number, from 0.</summary>
        public long Shard { get; set; }
        /// <summary>Sessions up now.</summary>
        public long Sessions { get; set; }
        /// <summary>CPU time of its thread. In us.</summary>
        public long CpuUs { get; set; }
        /// <summary>Objects received.</summary>
        public long ObjectsIn { get; set; }
        /// <summary>Objects sent.</summary>
        public long ObjectsOut { get; set; }
        /// <summary>UDP datagrams received.</summary>
        public long PacketsIn { get; set; }
        /// <summary>UDP datagrams sent.</summary>
        public long PacketsOut { get; set; }
        /// <summary>UDP payload received. In bytes.</summary>
        public long BytesIn { get; set; }
        /// <summary>UDP payload sent. In bytes.</summary>
        public long BytesOut { get; set; }
        /// <summary>Frames not delivered, by CcDrop name in lower case.</summary>
        public Dictionary<string, long> Drops { get; set; } = new Dictionary<string, long>();

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(10);
            to.Key("shard");
            to.Integer(Shard, "ShardStatistics.shard");
            to.Key("sessions");
            to.Integer(Sessions, "ShardStatistics.sessions");
            to.Key("cpu_us");
            to.Integer(CpuUs, "ShardStatistics.cpu_us");
            to.Key("objects_in");
            to.Integer(ObjectsIn, "ShardStatistics.objects_in");
            to.Key("objects_out");
            to.Integer(ObjectsOut, "ShardStatistics.objects_out");
            to.Key("packets_in");
            to.Integer(PacketsIn, "ShardStatistics.packets_in");
            to.Key("packets_out");
            to.Integer(PacketsOut, "ShardStatistics.packets_out");
            to.Key("bytes_in");
            to.Integer(BytesIn, "ShardStatistics.bytes_in");
            to.Key("bytes_out");
            to.Integer(BytesOut, "ShardStatistics.bytes_out");
            to.Key("drops");
            to.Map(Drops, "ShardStatistics.drops");
            foreach (var item in Drops)
            {
                to.Key(item.Key);
                to.Integer(item.Value, "ShardStatistics.drops");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static ShardStatistics Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new ShardStatistics();
            made.Shard = Wire.Integer(Wire.Required(of, "shard", path), path + ".shard");
            made.Sessions = Wire.Integer(Wire.Required(of, "sessions", path), path + ".sessions");
            made.CpuUs = Wire.Integer(Wire.Required(of, "cpu_us", path), path + ".cpu_us");
            made.ObjectsIn = Wire.Integer(Wire.Required(of, "objects_in", path), path + ".objects_in");
            made.ObjectsOut = Wire.Integer(Wire.Required(of, "objects_out", path), path + ".objects_out");
            made.PacketsIn = Wire.Integer(Wire.Required(of, "packets_in", path), path + ".packets_in");
            made.PacketsOut = Wire.Integer(Wire.Required(of, "packets_out", path), path + ".packets_out");
            made.BytesIn = Wire.Integer(Wire.Required(of, "bytes_in", path), path + ".bytes_in");
            made.BytesOut = Wire.Integer(Wire.Required(of, "bytes_out", path), path + ".bytes_out");
            made.Drops = Wire.Map(Wire.Required(of, "drops", path), path + ".drops", (item, at) => Wire.Integer(item, at));
            return made;
        }
    }

    /// <summary>Counters of a host or relay since it started.</summary>
    public sealed class Statistics : IWireBody
    {
        /// <summary>Time since the start. In ms.</summary>
        public long UptimeMs { get; set; }
        /// <summary>Sessions up now.</summary>
        public long Sessions { get; set; }
        /// <summary>Sessions that came up.</summary>
        public long SessionsTotal { get; set; }
        /// <summary>Sessions refused.</summary>
        public long SessionsRefused { get; set; }
        /// <summary>Tracks known now.</summary>
        public long Tracks { get; set; }
        /// <summary>Subscriptions standing now.</summary>
        public long Subscriptions { get; set; }
        /// <summary>Datagrams and messages that broke a rule.</summary>
        public long Malformed { get; set; }
        /// <summary>Each shard's own.</summary>
        public List<ShardStatistics> Shards { get; set; } = new List<ShardStatistics>();

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(8);
            to.Key("uptime_ms");
            to.Integer(UptimeMs, "Statistics.uptime_ms");
            to.Key("sessions");
            to.Integer(Sessions, "Statistics.sessions");
            to.Key("sessions_total");
            to.Integer(SessionsTotal, "Statistics.sessions_total");
            to.Key("sessions_refused");
            to.Integer(SessionsRefused, "Statistics.sessions_refused");
            to.Key("tracks");
            to.Integer(Tracks, "Statistics.tracks");
            to.Key("subscriptions");
            to.Integer(Subscriptions, "Statistics.subscriptions");
            to.Key("malformed");
            to.Integer(Malformed, "Statistics.malformed");
            to.Key("shards");
            to.List(Shards, "Statistics.shards");
            foreach (var item in Shards)
            {
                to.Body(item, "Statistics.shards");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static Statistics Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new Statistics();
            made.UptimeMs = Wire.Integer(Wire.Required(of, "uptime_ms", path), path + ".uptime_ms");
            made.Sessions = Wire.Integer(Wire.Required(of, "sessions", path), path + ".sessions");
            made.SessionsTotal = Wire.Integer(Wire.Required(of, "sessions_total", path), path + ".sessions_total");
            made.SessionsRefused = Wire.Integer(Wire.Required(of, "sessions_refused", path), path + ".sessions_refused");
            made.Tracks = Wire.Integer(Wire.Required(of, "tracks", path), path + ".tracks");
            made.Subscriptions = Wire.Integer(Wire.Required(of, "subscriptions", path), path + ".subscriptions");
            made.Malformed = Wire.Integer(Wire.Required(of, "malformed", path), path + ".malformed");
            made.Shards = Wire.List(Wire.Required(of, "shards", path), path + ".shards", (item, at) => ShardStatistics.Read(item, at));
            return made;
        }
    }

    /// <summary>Replaces the token of the caller's session; subject and tenant must stay.</summary>
    public sealed class TokenRefreshRequest : IWireBody
    {
        /// <summary>The new token.</summary>
        public string Token { get; set; } = "";

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(1);
            to.Key("token");
            to.Text(Token, "TokenRefreshRequest.token");
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static TokenRefreshRequest Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new TokenRefreshRequest();
            made.Token = Wire.Text(Wire.Required(of, "token", path), path + ".token");
            return made;
        }
    }

    /// <summary>What the session may do from now on.</summary>
    public sealed class TokenRefreshReply : IWireBody
    {
        /// <summary>Time from now when the new token ends; 0: never. In ms.</summary>
        public long ExpiresMs { get; set; }
        /// <summary>Path prefixes it may publish under.</summary>
        public List<string> Publish { get; set; } = new List<string>();
        /// <summary>Path prefixes it may read.</summary>
        public List<string> Subscribe { get; set; } = new List<string>();
        /// <summary>Capability tags it may use; empty: any.</summary>
        public List<string> Capabilities { get; set; } = new List<string>();

        /// <inheritdoc/>
        public void Write(WireWriter to)
        {
            to.Map(4);
            to.Key("expires_ms");
            to.Integer(ExpiresMs, "TokenRefreshReply.expires_ms");
            to.Key("publish");
            to.List(Publish, "TokenRefreshReply.publish");
            foreach (var item in Publish)
            {
                to.Text(item, "TokenRefreshReply.publish");
            }
            to.Key("subscribe");
            to.List(Subscribe, "TokenRefreshReply.subscribe");
            foreach (var item in Subscribe)
            {
                to.Text(item, "TokenRefreshReply.subscribe");
            }
            to.Key("capabilities");
            to.List(Capabilities, "TokenRefreshReply.capabilities");
            foreach (var item in Capabilities)
            {
                to.Text(item, "TokenRefreshReply.capabilities");
            }
        }

        /// <summary>The DTO in a map; unknown keys are ignored, WireException names a field at fault.</summary>
        public static TokenRefreshReply Read(object? value, string path = "$")
        {
            var of = Wire.Fields(value, path);
            var made = new TokenRefreshReply();
            made.ExpiresMs = Wire.Integer(Wire.Required(of, "expires_ms", path), path + ".expires_ms");
            made.Publish = Wire.List(Wire.Required(of, "publish", path), path + ".publish", (item, at) => Wire.Text(item, at));
            made.Subscribe = Wire.List(Wire.Required(of, "subscribe", path), path + ".subscribe", (item, at) => Wire.Text(item, at));
            made.Capabilities = Wire.List(Wire.Required(of, "capabilities", path), path + ".capabilities", (item, at) => Wire.Text(item, at));
            return made;
        }
    }

    /// <summary>Ids and routes of the control stack's methods.</summary>
    public static class Methods
    {
        /// <summary>Method id of a failed reply; its body is an ErrorBody.</summary>
        public const ushort Error = 0;
        /// <summary>How the process is. Empty to Health, GET /v1/health, authorisation: none.</summary>
        public const ushort HealthGet = 1;
        /// <summary>All rooms. Empty to RoomList, GET /v1/rooms, authorisation: token.</summary>
        public const ushort RoomsList = 2;
        /// <summary>One room. RoomQuery to Room, GET /v1/rooms/{room}, authorisation: token.</summary>
        public const ushort RoomsGet = 3;
        /// <summary>What a player needs to join a room. JoinRequest to JoinInfo, POST /v1/rooms/{room}/join, authorisation: token.</summary>
        public const ushort RoomsJoin = 4;
        /// <summary>Sessions, page by page. SessionListRequest to SessionList, GET /v1/sessions, authorisation: admin.</summary>
        public const ushort SessionsList = 5;
        /// <summary>One session. SessionQuery to SessionInfo, GET /v1/sessions/{peer_id}, authorisation: admin.</summary>
        public const ushort SessionsGet = 6;
        /// <summary>Ends a session; the reply is its last state. Kick to SessionInfo, POST /v1/sessions/{peer_id}/kick, authorisation: admin.</summary>
        public const ushort SessionsKick = 7;
        /// <summary>Counters. Empty to Statistics, GET /v1/stats, authorisation: admin.</summary>
        public const ushort StatsGet = 8;
        /// <summary>A new token for a session in progress. TokenRefreshRequest to TokenRefreshReply, POST /v1/token, authorisation: token.</summary>
        public const ushort TokenRefresh = 9;
    }

    /// <summary>A request or reply in its envelope; Method is Methods.Error for a failed reply.</summary>
    public readonly struct Call
    {
        public readonly ushort Method;
        public readonly uint Request;
        public readonly object? Body;

        public Call(ushort method, uint request, object? body)
        {
            Method = method;
            Request = request;
            Body = body;
        }

        /// <summary>An envelope around a DTO, as MessagePack.</summary>
        public static byte[] Pack(ushort method, uint request, IWireBody body)
        {
            var to = new WireWriter();
            to.List(4);
            to.Integer(Constants.RpcVersion, "version");
            to.Integer(method, "method");
            to.Integer(request, "request");
            to.Body(body, "body");
            return to.ToArray();
        }

        /// <summary>The envelope in data, its body undecided; WireException if it is none.</summary>
        public static Call Unpack(ReadOnlySpan<byte> data)
        {
            if (!(Wire.Unpack(data) is List<object?> list) || list.Count != 4)
                throw new WireException("$", "must be a list of version, method, request and body");
            var version = Wire.Integer(list[0], "$[0]");
            if (version != Constants.RpcVersion)
                throw new WireException("$[0]", $"version {version} is not {Constants.RpcVersion}");
            long method = Wire.Integer(list[1], "$[1]"), request = Wire.Integer(list[2], "$[2]");
            if (method < 0 || method > ushort.MaxValue)
                throw new WireException("$[1]", $"{method} is no 16-bit method id");
            if (request < 0 || request > uint.MaxValue)
                throw new WireException("$[2]", $"{request} is no 32-bit request id");
            return new Call((ushort)method, (uint)request, list[3]);
        }
    }
}
