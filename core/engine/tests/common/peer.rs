//! A session over QUIC without an engine: it says what a test wants said, and tells what was heard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use cc_engine::Time;
use cc_session::{
    Chunk, Config, DatagramError, Dir, Event, ReadError, Refusal, Reply, Request, RequestKey, Role, Session, StreamId,
    Transport, WriteError,
};
use cc_wire::{
    DatagramHeader, FetchEnd, FetchItem, FetchObject, FetchPrior, GroupOrder, Location, ObjectHeader, Params, Profile,
    Properties, SetupOptions, SubgroupHeader, SubgroupId, UniStream,
};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, Event as QuicEvent,
    ServerConfig, StreamEvent, TransportConfig, VarInt,
};
use rustls::pki_types::pem::PemObject;

use super::Identity;

struct Quic<'a>(&'a mut Connection);

fn stream(id: StreamId) -> quinn_proto::StreamId {
    quinn_proto::StreamId::from(VarInt::from_u64(id.0).unwrap())
}

fn number(id: quinn_proto::StreamId) -> StreamId {
    StreamId(VarInt::from(id).into_inner())
}

impl Transport for Quic<'_> {
    fn open(&mut self, dir: Dir) -> Option<StreamId> {
        let dir = if dir == Dir::Bi { quinn_proto::Dir::Bi } else { quinn_proto::Dir::Uni };
        self.0.streams().open(dir).map(number)
    }

    fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, WriteError> {
        match self.0.send_stream(stream(id)).write(bytes) {
            Ok(taken) => Ok(taken),
            Err(quinn_proto::WriteError::Blocked) => Ok(0),
            Err(quinn_proto::WriteError::Stopped(code)) => Err(WriteError::Stopped(code.into_inner())),
            Err(quinn_proto::WriteError::ClosedStream) => Err(WriteError::Gone),
        }
    }

    fn send_datagram(&mut self, bytes: Bytes) -> Result<(), DatagramError> {
        self.0.datagrams().send(bytes, false).map_err(|_| DatagramError::Full)
    }

    fn max_datagram(&mut self) -> usize {
        self.0.datagrams().max_size().unwrap_or(0)
    }

    fn finish(&mut self, id: StreamId) {
        let _ = self.0.send_stream(stream(id)).finish();
    }

    fn reset(&mut self, id: StreamId, code: u64) {
        let _ = self.0.send_stream(stream(id)).reset(VarInt::from_u64(code).unwrap());
    }

    fn stop(&mut self, id: StreamId, code: u64) {
        let _ = self.0.recv_stream(stream(id)).stop(VarInt::from_u64(code).unwrap());
    }

    fn read(&mut self, id: StreamId, max: usize) -> Result<Chunk, ReadError> {
        let mut receiving = self.0.recv_stream(stream(id));
        let mut chunks = receiving.read(true).map_err(|_| ReadError::Gone)?;
        let answer = match chunks.next(max) {
            Ok(Some(chunk)) => Ok(Chunk { bytes: chunk.bytes, fin: false }),
            Ok(None) => Ok(Chunk { bytes: Bytes::new(), fin: true }),
            Err(quinn_proto::ReadError::Blocked) => Err(ReadError::Blocked),
            Err(quinn_proto::ReadError::Reset(code)) => Err(ReadError::Reset(code.into_inner())),
        };
        let _ = chunks.finalize();
        answer
    }

    fn set_priority(&mut self, id: StreamId, priority: i32) {
        let _ = self.0.send_stream(stream(id)).set_priority(priority);
    }
}

/// Waits to be dialled, once.
pub struct Listener {
    epoch: Instant,
    endpoint: Endpoint,
    profile: Profile,
}

impl Listener {
    pub fn new(identity: &Identity, profile: Profile, seed: u8) -> Listener {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.der.clone().into()], key)
            .unwrap();
        tls.alpn_protocols = vec![profile.alpn().to_vec()];
        let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
        config.transport_config(transport());
        let endpoint =
            Endpoint::new(Arc::new(EndpointConfig::default()), Some(Arc::new(config)), true, Some([seed; 32]));
        Listener { epoch: Instant::now(), endpoint, profile }
    }

    /// The first datagram of a connection makes a peer of it.
    pub fn accept(mut self, now: Time, from: SocketAddr, bytes: &[u8]) -> Peer {
        let at = self.epoch + Duration::from_micros(now);
        let mut answer = Vec::new();
        let event = self.endpoint.handle(at, from, None, None, BytesMut::from(bytes), &mut answer);
        let Some(DatagramEvent::NewConnection(incoming)) = event else { panic!("no connection begins here") };
        let (handle, quic) = self.endpoint.accept(incoming, at, &mut answer, None).unwrap();
        let mut session = Session::new(Config::new(Role::Server, self.profile), now);
        session.setup(SetupOptions::default()).unwrap();
        Peer::new(self.epoch, self.endpoint, (handle, quic), session, self.profile)
    }
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(VarInt::from_u32(100));
    transport.max_concurrent_uni_streams(VarInt::from_u32(1000));
    Arc::new(transport)
}

/// The peer.
pub struct Peer {
    epoch: Instant,
    endpoint: Endpoint,
    handle: ConnectionHandle,
    quic: Connection,
    pub session: Session,
    profile: Profile,
    /// Everything that was heard, in order.
    pub heard: Vec<Event>,
    pub lost: Option<String>,
}

impl Peer {
    /// Dials; SETUP goes out by itself.
    pub fn connect(relay: SocketAddr, identity: &Identity, profile: Profile, seed: u8, now: Time) -> Peer {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(identity.der.clone().into()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![profile.alpn().to_vec()];
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(transport());
        let epoch = Instant::now();
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, true, Some([seed; 32]));
        let at = epoch + Duration::from_micros(now);
        let (handle, quic) = endpoint.connect(at, config, relay, "localhost").unwrap();
        let mut session = Session::new(Config::new(Role::Client, profile), now);
        let options = SetupOptions {
            path: Some("/main".into()),
            authority: Some(relay.to_string()),
            max_filter_ranges: 8,
            ..SetupOptions::default()
        };
        session.setup(options).unwrap();
        Peer::new(epoch, endpoint, (handle, quic), session, profile)
    }

    fn new(
        epoch: Instant,
        endpoint: Endpoint,
        (handle, quic): (ConnectionHandle, Connection),
        session: Session,
        profile: Profile,
    ) -> Peer {
        Peer { epoch, endpoint, handle, quic, session, profile, heard: Vec::new(), lost: None }
    }

    fn at(&self, now: Time) -> Instant {
        self.epoch + Duration::from_micros(now)
    }

    pub fn handle(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let mut answer = Vec::new();
        let at = self.at(now);
        if let Some(DatagramEvent::ConnectionEvent(_, event)) =
            self.endpoint.handle(at, from, None, None, BytesMut::from(bytes), &mut answer)
        {
            self.quic.handle_event(event);
        }
        self.service(now);
    }

    pub fn handle_timeout(&mut self, now: Time) {
        let at = self.at(now);
        if self.quic.poll_timeout().is_some_and(|due| due <= at) {
            self.quic.handle_timeout(at);
        }
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.on_timeout(now);
        }
        self.service(now);
    }

    pub fn next_timeout(&mut self) -> Option<Time> {
        let quic = self.quic.poll_timeout();
        let quic = quic.map(|due| due.saturating_duration_since(self.epoch).as_nanos().div_ceil(1000) as Time);
        [quic, self.session.poll_timeout()].into_iter().flatten().min()
    }

    fn service(&mut self, now: Time) {
        while let Some(event) = self.quic.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.quic.handle_event(event);
            }
        }
        while let Some(event) = self.quic.poll() {
            let Peer { quic, session, .. } = self;
            match event {
                QuicEvent::ConnectionLost { reason } => self.lost = Some(reason.to_string()),
                QuicEvent::DatagramReceived => {
                    while let Some(datagram) = quic.datagrams().recv() {
                        session.on_datagram(datagram, now);
                    }
                }
                QuicEvent::Stream(StreamEvent::Opened { dir }) => {
                    while let Some(id) = quic.streams().accept(dir) {
                        let kind = if dir == quinn_proto::Dir::Bi { Dir::Bi } else { Dir::Uni };
                        session.on_opened(number(id), kind, &mut Quic(quic), now);
                    }
                }
                QuicEvent::Stream(StreamEvent::Readable { id }) => {
                    session.on_readable(number(id), &mut Quic(quic), now);
                }
                QuicEvent::Stream(StreamEvent::Writable { id }) => {
                    session.on_writable(number(id), &mut Quic(quic), now);
                }
                QuicEvent::Stream(StreamEvent::Stopped { id, error_code }) => {
                    session.on_stopped(number(id), error_code.into_inner(), &mut Quic(quic), now);
                }
                QuicEvent::Stream(StreamEvent::Available { .. }) => {
                    session.on_stream_credit(Dir::Bi, &mut Quic(quic), now);
                }
                _ => {}
            }
        }
        self.flush(now);
    }

    /// Writes what was asked, and takes what was heard.
    pub fn flush(&mut self, now: Time) {
        self.session.flush(&mut Quic(&mut self.quic), now);
        while let Some(event) = self.session.poll_event() {
            self.heard.push(event);
        }
        self.session.flush(&mut Quic(&mut self.quic), now);
    }

    /// One datagram to send.
    pub fn poll_transmit(&mut self, now: Time, buffer: &mut Vec<u8>) -> Option<SocketAddr> {
        let at = self.at(now);
        self.flush(now);
        let transmit = self.quic.poll_transmit(at, 1, buffer)?;
        buffer.truncate(transmit.size);
        Some(transmit.destination)
    }

    pub fn ask(&mut self, request: Request, now: Time) -> RequestKey {
        self.session.request(request, now).unwrap()
    }

    /// Publishes one subgroup: its objects with their priorities' header, to the end if `fin`.
    pub fn subgroup(
        &mut self,
        alias: u64,
        group: u64,
        subgroup: u64,
        priority: u8,
        objects: &[u64],
        fin: bool,
    ) -> StreamId {
        let header = SubgroupHeader {
            alias,
            group,
            subgroup: SubgroupId::Explicit(subgroup),
            priority: Some(priority),
            has_properties: false,
            end_of_group: fin,
            first_object: true,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let mut previous = None;
        for object in objects {
            put(&mut bytes, *object, previous);
            previous = Some(*object);
        }
        let id = Quic(&mut self.quic).open(Dir::Uni).unwrap();
        assert_eq!(Quic(&mut self.quic).write(id, &bytes), Ok(bytes.len()));
        if fin {
            Quic(&mut self.quic).finish(id);
        }
        id
    }

    /// Publishes one subgroup of one object with these properties.
    pub fn object_with(&mut self, alias: u64, group: u64, properties: Bytes) {
        let header = SubgroupHeader {
            alias,
            group,
            subgroup: SubgroupId::Zero,
            priority: None,
            has_properties: true,
            end_of_group: true,
            first_object: true,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let object = ObjectHeader { object: 0, properties, status: None, payload_len: 4 };
        object.encode(&mut bytes, None, true).unwrap();
        bytes.extend_from_slice(b"with");
        let id = Quic(&mut self.quic).open(Dir::Uni).unwrap();
        assert_eq!(Quic(&mut self.quic).write(id, &bytes), Ok(bytes.len()));
        Quic(&mut self.quic).finish(id);
    }

    /// More objects of a subgroup that is open.
    pub fn more(&mut self, id: StreamId, previous: u64, objects: &[u64], fin: bool) {
        let mut bytes = Vec::new();
        let mut previous = Some(previous);
        for object in objects {
            put(&mut bytes, *object, previous);
            previous = Some(*object);
        }
        assert_eq!(Quic(&mut self.quic).write(id, &bytes), Ok(bytes.len()));
        if fin {
            Quic(&mut self.quic).finish(id);
        }
    }

    /// Cuts a subgroup short.
    pub fn cut(&mut self, id: StreamId, code: u64) {
        Quic(&mut self.quic).reset(id, code);
    }

    /// Answers a FETCH whose answer ends at `end`: FETCH_OK, and a stream of these elements, each payload of eight bytes, in
    /// this order of groups. It ends with them if `fin`.
    pub fn answer_fetch(&mut self, key: RequestKey, end: Location, order: GroupOrder, items: &[FetchItem], fin: bool) {
        let request_id = self.session.request_id(key).unwrap();
        let end = FetchEnd { group: end.group, object: Some(end.object).filter(|object| *object < u64::MAX >> 11) };
        let (params, properties) = (Params::default(), Properties::default());
        // Only at -18 a whole group has a word of its own.
        let object = end.object.or((self.profile > Profile::D18).then_some(u64::MAX >> 11));
        let reply = Reply::FetchOk { end_of_track: false, end: FetchEnd { object, ..end }, params, properties };
        self.session.accept(key, reply).unwrap();
        let mut bytes = Vec::new();
        UniStream::Fetch { request_id }.encode(&mut bytes);
        let mut prior = FetchPrior::default();
        for item in items {
            item.encode(self.profile, order, &mut prior, &mut bytes).unwrap();
            if let FetchItem::Object(object) = item {
                bytes.extend_from_slice(&object.location.object.to_le_bytes());
            }
        }
        let id = Quic(&mut self.quic).open(Dir::Uni).unwrap();
        assert_eq!(Quic(&mut self.quic).write(id, &bytes), Ok(bytes.len()));
        if fin {
            Quic(&mut self.quic).finish(id);
        }
    }

    pub fn datagram(&mut self, header: &DatagramHeader, payload: &[u8]) {
        let mut bytes = Vec::new();
        header.encode(&mut bytes).unwrap();
        bytes.extend_from_slice(payload);
        self.quic.datagrams().send(bytes.into(), false).unwrap();
    }

    /// What became of a request of ours: the answer, or the refusal. Everything else that was heard is dropped.
    pub fn answer(&mut self, ours: RequestKey) -> Option<Result<Reply, Refusal>> {
        self.take().into_iter().find_map(|event| match event {
            Event::Accepted { key, reply } if key == ours => Some(Ok(reply)),
            Event::Refused { key, refusal } if key == ours => Some(Err(refusal)),
            _ => None,
        })
    }

    /// What was heard of a request, taken.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.heard)
    }

    /// Locations of the objects that came on subgroup streams and in datagrams for a subscription, in order of arrival.
    pub fn objects(&self, of: RequestKey) -> Vec<Location> {
        let mut streams = std::collections::BTreeMap::new();
        let mut found = Vec::new();
        for event in &self.heard {
            match event {
                Event::SubgroupStart { data, key, header } if *key == of => {
                    streams.insert(*data, header.group);
                }
                Event::Object { data, header, .. } => {
                    found.extend(streams.get(data).map(|group| Location { group: *group, object: header.object }));
                }
                Event::Whole { key, header, object, .. } if *key == of => {
                    found.push(Location { group: header.group, object: object.object });
                }
                Event::Datagram { key, header, .. } if *key == of => {
                    found.push(Location { group: header.group, object: header.object });
                }
                _ => {}
            }
        }
        found
    }

    /// Objects that came by FETCH or fill for a request.
    pub fn fetched(&self, of: RequestKey) -> Vec<FetchObject> {
        let mut streams = Vec::new();
        let mut found = Vec::new();
        for event in &self.heard {
            match event {
                Event::FetchStart { data, key } if *key == of => streams.push(*data),
                Event::FetchItem { data, item: cc_wire::FetchItem::Object(object), .. } if streams.contains(data) => {
                    found.push(object.clone());
                }
                _ => {}
            }
        }
        found
    }

    pub fn update(&mut self, key: RequestKey, params: Params) {
        self.session.update(key, params).unwrap();
    }
}

fn put(bytes: &mut Vec<u8>, object: u64, previous: Option<u64>) {
    let payload = object.to_le_bytes();
    let header = ObjectHeader { object, properties: Bytes::new(), status: None, payload_len: payload.len() as u64 };
    header.encode(bytes, previous, false).unwrap();
    bytes.extend_from_slice(&payload);
}
