//! The two control streams: SETUP each way, then at most one GOAWAY each way.

use cc_wire::{codes, Message, Profile, SetupOptions};

use crate::api::{CommandError, Event, Role, Time};
use crate::outbox::{Flushed, Outbox};
use crate::session::{Fault, Owner, Session};
use crate::transport::{Dir, ReadError, StreamId, Transport, CONTROL_PRIORITY};

/// Read at once from the control stream, in bytes.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub(crate) struct Control {
    /// Our SETUP is queued: for a server, the peer is admitted.
    pub queued: bool,
    /// The peer's SETUP.
    pub peer: Option<Box<SetupOptions>>,
    /// The peer's SETUP must be here by then.
    pub deadline: Option<Time>,
    /// Our GOAWAY is queued; requests with this id or a later one are refused.
    pub goaway_sent: Option<u64>,
    /// Updates that the peer may have unanswered on one stream; 0 where it was not limited.
    pub max_updates: u64,
    /// The relay id that our SETUP gave: hop lists may come.
    pub relay_id: Option<u64>,
    goaway_received: bool,
    out: Option<StreamId>,
    outbox: Outbox,
    /// There is an incoming control stream.
    found: bool,
    inbox: Vec<u8>,
}

impl Control {
    pub fn new(deadline: Option<Time>) -> Self {
        Self {
            queued: false,
            peer: None,
            deadline,
            goaway_sent: None,
            max_updates: 0,
            relay_id: None,
            goaway_received: false,
            out: None,
            outbox: Outbox::default(),
            found: false,
            inbox: Vec::new(),
        }
    }
}

impl Session {
    /// Queues our SETUP on our control stream; once. A client calls it at once, a server when it
    /// has admitted the client: before that nothing is sent, incoming request and data streams
    /// are left unread, and datagrams are dropped and counted. MAX_AUTH_TOKEN_CACHE_SIZE is
    /// [`Limits::token_bytes`](crate::Limits) whatever `options` say.
    pub fn setup(&mut self, mut options: SetupOptions) -> Result<(), CommandError> {
        if self.over {
            return Err(CommandError::Gone);
        }
        if self.control.queued {
            return Err(CommandError::NotAllowed("SETUP is sent once"));
        }
        if self.config.role == Role::Server && (options.path.is_some() || options.authority.is_some()) {
            return Err(CommandError::NotAllowed("a server sends no PATH and no AUTHORITY"));
        }
        options.max_auth_token_cache = self.tokens.most();
        self.control.relay_id = options.relay_id;
        let max_updates = options.max_request_updates;
        Message::Setup(options)
            .encode(self.config.profile, self.control.outbox.buffer())
            .map_err(CommandError::Encode)?;
        self.control.queued = true;
        self.counters.messages_out += 1;
        if self.config.profile >= Profile::D20 {
            self.control.max_updates = max_updates.unwrap_or(0);
        }
        Ok(())
    }

    /// Queues GOAWAY: the peer is to move to `uri` (empty: the same place again; from a client
    /// always empty), and the owner will close the session in about `timeout_ms` (0: not said).
    /// Once. Requests that come later are refused with GOING_AWAY.
    pub fn goaway(&mut self, uri: &str, timeout_ms: u64) -> Result<(), CommandError> {
        if self.over {
            return Err(CommandError::Gone);
        }
        if !self.control.queued {
            return Err(CommandError::NotAllowed("GOAWAY comes after SETUP"));
        }
        if self.control.goaway_sent.is_some() {
            return Err(CommandError::NotAllowed("GOAWAY is sent once"));
        }
        if self.config.role == Role::Client && !uri.is_empty() {
            return Err(CommandError::NotAllowed("a client names no URI in GOAWAY"));
        }
        let next = self.seen.next();
        let message = Message::Goaway {
            uri: uri.into(),
            timeout_ms,
            request_id: (self.config.profile == Profile::D18).then_some(next),
        };
        message.encode(self.config.profile, self.control.outbox.buffer()).map_err(CommandError::Encode)?;
        self.control.goaway_sent = Some(next);
        self.counters.messages_out += 1;
        Ok(())
    }

    /// A unidirectional stream has turned out to be the peer's control stream.
    pub(crate) fn found_control(&mut self, id: StreamId, first: &[u8]) -> Result<(), Fault> {
        if self.control.found {
            return Err(Fault::violation("a second control stream"));
        }
        self.control.found = true;
        self.control.inbox.extend_from_slice(first);
        self.streams.insert(id, Owner::ControlIn);
        Ok(())
    }

    pub(crate) fn read_control(&mut self, id: StreamId, transport: &mut dyn Transport) -> Result<(), Fault> {
        loop {
            while let Some(len) = self.control_frame()? {
                let message = Message::decode(self.config.profile, &self.control.inbox[..len])?;
                self.control.inbox.drain(..len);
                self.counters.messages_in += 1;
                self.control_message(message)?;
            }
            match transport.read(id, CHUNK) {
                Ok(chunk) if chunk.fin => return Err(Fault::violation("the control stream was closed")),
                Ok(chunk) if chunk.bytes.is_empty() => return Ok(()),
                Ok(chunk) => self.control.inbox.extend_from_slice(&chunk.bytes),
                Err(ReadError::Blocked) => break,
                Err(ReadError::Reset(_) | ReadError::Gone) => {
                    return Err(Fault::violation("the control stream was closed"));
                }
            }
        }
        if self.control.inbox.is_empty() {
            self.control.inbox = Vec::new();
        }
        Ok(())
    }

    /// The length of the first message, once all of it is there.
    fn control_frame(&self) -> Result<Option<usize>, Fault> {
        let inbox = &self.control.inbox;
        match Message::frame_len(inbox)? {
            Some(len) if len > self.config.limits.message_bytes => {
                Err(Fault::violation("a control message over the limit"))
            }
            Some(len) if inbox.len() >= len => Ok(Some(len)),
            _ => Ok(None),
        }
    }

    fn control_message(&mut self, message: Message) -> Result<(), Fault> {
        match message {
            Message::Setup(options) if self.control.peer.is_none() => self.peer_setup(options),
            Message::Goaway { uri, timeout_ms, request_id } if self.control.peer.is_some() => {
                self.peer_goaway(uri, timeout_ms, request_id)
            }
            message => Err(Fault::violation(format!("{} on the control stream", message.type_name()))),
        }
    }

    fn peer_setup(&mut self, mut options: SetupOptions) -> Result<(), Fault> {
        if self.config.role == Role::Client {
            if options.path.is_some() {
                return Err(Fault::new(codes::session::INVALID_PATH, "PATH from a server"));
            }
            if options.authority.is_some() {
                return Err(Fault::new(codes::session::INVALID_AUTHORITY, "AUTHORITY from a server"));
            }
        }
        self.tokens.resolve_setup(&mut options.tokens)?;
        self.control.deadline = None;
        self.control.peer = Some(Box::new(options.clone()));
        self.events.push(Event::Setup(options));
        Ok(())
    }

    fn peer_goaway(&mut self, uri: String, timeout_ms: u64, request_id: Option<u64>) -> Result<(), Fault> {
        if self.control.goaway_received {
            return Err(Fault::violation("a second GOAWAY"));
        }
        self.check_goaway_uri(&uri)?;
        let parity = u64::from(self.config.role == Role::Server);
        if request_id.is_some_and(|id| id & 1 != parity) {
            return Err(Fault::new(codes::session::INVALID_REQUEST_ID, "GOAWAY with a request id of its sender's"));
        }
        self.control.goaway_received = true;
        self.events.push(Event::Goaway { uri, timeout_ms });
        Ok(())
    }

    pub(crate) fn check_goaway_uri(&self, uri: &str) -> Result<(), Fault> {
        if self.config.role == Role::Server && !uri.is_empty() {
            return Err(Fault::violation("GOAWAY with a URI from a client"));
        }
        Ok(())
    }

    /// Opens our control stream if need be and writes what is queued on it.
    pub(crate) fn write_control(&mut self, transport: &mut dyn Transport) -> Result<(), Fault> {
        let id = match self.control.out {
            Some(id) => id,
            None => {
                let Some(id) = transport.open(Dir::Uni) else { return Ok(()) };
                transport.set_priority(id, CONTROL_PRIORITY);
                self.streams.insert(id, Owner::ControlOut);
                self.control.out = Some(id);
                id
            }
        };
        if self.control.outbox.waiting() == 0 {
            return Ok(());
        }
        match self.control.outbox.flush(id, transport) {
            Flushed::Clear | Flushed::Blocked => Ok(()),
            Flushed::Stopped(_) | Flushed::Gone => Err(Fault::violation("the control stream was stopped")),
        }
    }
}
