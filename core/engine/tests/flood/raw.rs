//! A peer that says what it likes: QUIC by quinn-proto, and above it whatever bytes a test writes.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use cc_engine::Time;
use cc_wire::{Message, Profile, SetupOptions, Token, UniStream};
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig, Event, StreamEvent,
    StreamId, TransportConfig, VarInt,
};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;

use crate::common::{Identity, Stranger};

/// A stream as the test names it: in the order of asking.
pub type Stream = usize;

/// What a peer was told on one stream.
#[derive(Debug, Default, Clone)]
pub struct Heard {
    pub bytes: Vec<u8>,
    /// RESET_STREAM's code.
    pub reset: Option<u64>,
    /// STOP_SENDING's code.
    pub stopped: Option<u64>,
}

struct Out {
    dir: Dir,
    id: Option<StreamId>,
    waiting: VecDeque<Bytes>,
    fin: bool,
}

/// The peer's insides.
pub struct Inner {
    epoch: Instant,
    at: Duration,
    endpoint: Endpoint,
    conn: Connection,
    handle: ConnectionHandle,
    to: SocketAddr,
    address: SocketAddr,
    streams: Vec<Out>,
    ids: BTreeMap<StreamId, Stream>,
    heard: BTreeMap<StreamId, Heard>,
    datagrams: VecDeque<Bytes>,
    pub profile: Profile,
    pub up: bool,
    pub closed: Option<quinn_proto::ConnectionError>,
    next_request: u64,
    /// Its data streams are not read: flow control fills up.
    pub deaf: bool,
}

/// A handle that a test keeps while the world drives the peer.
#[derive(Clone)]
pub struct Raw(pub Rc<RefCell<Inner>>);

fn tls(identity: &Identity, profile: Profile) -> Arc<QuicClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let mut tls = versions.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![profile.alpn().to_vec()];
    Arc::new(QuicClientConfig::try_from(tls).unwrap())
}

fn client_config(identity: &Identity, profile: Profile) -> ClientConfig {
    let mut transport = TransportConfig::default();
    transport
        .send_window(1 << 20)
        .max_concurrent_bidi_streams(VarInt::from_u32(8192))
        .max_concurrent_uni_streams(VarInt::from_u32(8192))
        .max_idle_timeout(None)
        .stream_receive_window(VarInt::from_u32(32 << 10))
        .datagram_send_buffer_size(8 << 20);
    let mut config = ClientConfig::new(tls(identity, profile));
    config.transport_config(Arc::new(transport));
    config
}

/// First packets of as many connections, each as a client's own; nobody stands behind them.
pub fn first_packets(identity: &Identity, count: usize) -> Vec<Vec<u8>> {
    let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, true, Some([9; 32]));
    let config = client_config(identity, Profile::D22);
    let now = Instant::now();
    let packet = |_| {
        let (handle, mut conn) =
            endpoint.connect(now, config.clone(), "10.9.9.9:1".parse().unwrap(), "localhost").unwrap();
        let mut bytes = Vec::new();
        let _ = conn.poll_transmit(now, 1, &mut bytes).unwrap();
        let event = conn.poll_endpoint_events();
        if let Some(event) = event {
            endpoint.handle_event(handle, event);
        }
        bytes
    };
    (0..count).map(packet).collect()
}

impl Raw {
    /// Dials `to` from `address`.
    pub fn dial(identity: &Identity, profile: Profile, address: &str, to: SocketAddr) -> Raw {
        let epoch = Instant::now();
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, true, Some([5; 32]));
        let config = client_config(identity, profile);
        let (handle, conn) = endpoint.connect(epoch, config, to, "localhost").unwrap();
        Raw(Rc::new(RefCell::new(Inner {
            epoch,
            at: Duration::ZERO,
            endpoint,
            conn,
            handle,
            to,
            address: address.parse().unwrap(),
            streams: Vec::new(),
            ids: BTreeMap::new(),
            heard: BTreeMap::new(),
            datagrams: VecDeque::new(),
            profile,
            up: false,
            closed: None,
            next_request: 0,
            deaf: false,
        })))
    }

    /// The peer for a world.
    pub fn stranger(&self) -> Box<dyn Stranger> {
        Box::new(self.clone())
    }

    fn open(&self, dir: Dir, bytes: impl Into<Bytes>) -> Stream {
        let mut inner = self.0.borrow_mut();
        inner.streams.push(Out { dir, id: None, waiting: VecDeque::from([bytes.into()]), fin: false });
        inner.streams.len() - 1
    }

    /// Opens a unidirectional stream, once the relay permits it.
    pub fn uni(&self, bytes: impl Into<Bytes>) -> Stream {
        self.open(Dir::Uni, bytes)
    }

    /// Opens a bidirectional one.
    pub fn bi(&self, bytes: impl Into<Bytes>) -> Stream {
        self.open(Dir::Bi, bytes)
    }

    /// Goes on writing a stream.
    pub fn write(&self, stream: Stream, bytes: impl Into<Bytes>) {
        self.0.borrow_mut().streams[stream].waiting.push_back(bytes.into());
    }

    /// Ends a stream.
    pub fn fin(&self, stream: Stream) {
        self.0.borrow_mut().streams[stream].fin = true;
    }

    /// Sends a datagram.
    pub fn datagram(&self, bytes: impl Into<Bytes>) {
        self.0.borrow_mut().datagrams.push_back(bytes.into());
    }

    /// The control stream with a SETUP.
    pub fn setup(&self, token: &[u8]) -> Stream {
        let token = Token::UseValue { kind: 0, value: Bytes::copy_from_slice(token) };
        let options = SetupOptions {
            path: Some("/main".into()),
            authority: Some("localhost".into()),
            tokens: vec![token],
            ..SetupOptions::default()
        };
        let mut bytes = Vec::new();
        Message::Setup(options).encode(self.profile(), &mut bytes).unwrap();
        self.uni(bytes)
    }

    pub fn profile(&self) -> Profile {
        self.0.borrow().profile
    }

    /// A request of its own on a stream of its own; `make` is given the request id.
    pub fn request(&self, make: impl FnOnce(u64) -> Message) -> Stream {
        let id = {
            let mut inner = self.0.borrow_mut();
            inner.next_request += 2;
            inner.next_request - 2
        };
        self.bi(self.encoded(&make(id)))
    }

    /// Ends the connection.
    pub fn close(&self) {
        let mut inner = self.0.borrow_mut();
        let instant = inner.epoch + inner.at;
        inner.conn.close(instant, VarInt::from_u32(0), Bytes::new());
    }

    /// A message as bytes.
    pub fn encoded(&self, message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.encode(self.profile(), &mut bytes).unwrap();
        bytes
    }

    /// A data stream that begins like this.
    pub fn data(&self, header: &UniStream, rest: &[u8]) -> Stream {
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        bytes.extend_from_slice(rest);
        self.uni(bytes)
    }

    /// How many of its streams the relay refused with this code: STOP_SENDING, RESET_STREAM or REQUEST_ERROR.
    pub fn refused_with(&self, code: u64) -> usize {
        let inner = self.0.borrow();
        let mine = inner.heard.iter().filter(|(id, _)| inner.ids.contains_key(id));
        mine.filter(|(_, heard)| {
            heard.stopped == Some(code) || heard.reset == Some(code) || error_code(inner.profile, heard) == Some(code)
        })
        .count()
    }

    /// The messages that the relay said on its own request streams, by their type's name.
    pub fn told(&self) -> Vec<&'static str> {
        let inner = self.0.borrow();
        let mut names = Vec::new();
        for heard in inner.heard.values() {
            let mut rest = &heard.bytes[..];
            while let Ok(Some(len)) = Message::frame_len(rest) {
                let Some(Ok(message)) = rest.get(..len).map(|one| Message::decode(inner.profile, one)) else { break };
                names.push(message.type_name());
                rest = &rest[len..];
            }
        }
        names
    }

    /// The requests that the relay makes: each one's stream and first message.
    pub fn asked(&self) -> Vec<(StreamId, Message)> {
        let inner = self.0.borrow();
        let theirs = inner.heard.iter().filter(|(id, _)| id.dir() == Dir::Bi && !inner.ids.contains_key(id));
        theirs
            .filter_map(|(id, heard)| {
                let len = Message::frame_len(&heard.bytes).ok()??;
                Some((*id, Message::decode(inner.profile, heard.bytes.get(..len)?).ok()?))
            })
            .collect()
    }

    /// Streams that could be opened so far.
    pub fn opened(&self) -> usize {
        self.0.borrow().streams.iter().filter(|out| out.id.is_some()).count()
    }

    /// Bytes that flow control holds back.
    pub fn held_back(&self) -> usize {
        self.0.borrow().streams.iter().flat_map(|out| &out.waiting).map(Bytes::len).sum()
    }

    /// What the relay closed the session with.
    pub fn closed_with(&self) -> Option<u64> {
        match &self.0.borrow().closed {
            Some(quinn_proto::ConnectionError::ApplicationClosed(close)) => Some(close.error_code.into_inner()),
            Some(quinn_proto::ConnectionError::ConnectionClosed(close)) => Some(u64::from(close.error_code)),
            _ => None,
        }
    }
}

fn error_code(profile: Profile, heard: &Heard) -> Option<u64> {
    match Message::decode(profile, &heard.bytes) {
        Ok(Message::RequestError { code, .. }) => Some(code),
        _ => None,
    }
}

impl Inner {
    fn instant(&self, now: Time) -> Instant {
        self.epoch + Duration::from_micros(now)
    }

    fn events(&mut self) {
        while let Some(event) = self.conn.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.conn.handle_event(event);
            }
        }
        while let Some(event) = self.conn.poll() {
            match event {
                Event::Connected => self.up = true,
                Event::ConnectionLost { reason } => self.closed = Some(reason),
                Event::Stream(StreamEvent::Opened { dir }) => while self.conn.streams().accept(dir).is_some() {},
                Event::Stream(StreamEvent::Stopped { id, error_code }) => {
                    self.heard.entry(id).or_default().stopped = Some(error_code.into_inner());
                }
                Event::DatagramReceived => while self.conn.datagrams().recv().is_some() {},
                _ => {}
            }
        }
        self.read();
    }

    fn read(&mut self) {
        let ids: Vec<StreamId> = self.ids.keys().copied().filter(|id| id.dir() == Dir::Bi).collect();
        let theirs = (0..64).map(|n| StreamId::new(quinn_proto::Side::Server, Dir::Bi, n));
        let data = (0..if self.deaf { 0 } else { 64 }).map(|n| StreamId::new(quinn_proto::Side::Server, Dir::Uni, n));
        let theirs = theirs.chain(data);
        for id in ids.into_iter().chain(theirs) {
            let mut stream = self.conn.recv_stream(id);
            let Ok(mut chunks) = stream.read(true) else { continue };
            loop {
                match chunks.next(usize::MAX) {
                    Ok(Some(chunk)) => {
                        let bytes = &mut self.heard.entry(id).or_default().bytes;
                        // Enough of it to read the first words.
                        bytes.extend_from_slice(&chunk.bytes[..chunk.bytes.len().min(4096 - bytes.len().min(4096))]);
                    }
                    Err(quinn_proto::ReadError::Reset(code)) => {
                        self.heard.entry(id).or_default().reset = Some(code.into_inner());
                        break;
                    }
                    _ => break,
                }
            }
            let _ = chunks.finalize();
        }
    }

    fn pump(&mut self) {
        if !self.up || self.closed.is_some() {
            return;
        }
        while let Some(bytes) = self.datagrams.pop_front() {
            if self.conn.datagrams().send(bytes.clone(), false).is_err() {
                self.datagrams.push_front(bytes);
                break;
            }
        }
        for at in 0..self.streams.len() {
            if self.streams[at].id.is_none() {
                let Some(id) = self.conn.streams().open(self.streams[at].dir) else { continue };
                self.streams[at].id = Some(id);
                self.ids.insert(id, at);
            }
            let Out { id: Some(id), waiting, fin, .. } = &mut self.streams[at] else { continue };
            if waiting.is_empty() && !*fin {
                continue;
            }
            let mut stream = self.conn.send_stream(*id);
            while let Some(bytes) = waiting.front_mut() {
                match stream.write(bytes) {
                    Ok(taken) if taken == bytes.len() => {
                        waiting.pop_front();
                    }
                    Ok(taken) => {
                        let _ = bytes.split_to(taken);
                    }
                    Err(quinn_proto::WriteError::Blocked) => break,
                    Err(_) => {
                        // The relay stopped it: what is left is of no use, and the stream ends.
                        let _ = stream.reset(VarInt::from_u32(0));
                        waiting.clear();
                        break;
                    }
                }
            }
            if waiting.is_empty() && std::mem::take(fin) {
                let _ = stream.finish();
            }
        }
    }
}

impl Stranger for Raw {
    fn address(&self) -> SocketAddr {
        self.0.borrow().address
    }

    fn handle(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let mut inner = self.0.borrow_mut();
        let instant = inner.instant(now);
        let mut answer = Vec::new();
        let event = inner.endpoint.handle(instant, from, None, None, BytesMut::from(bytes), &mut answer);
        if let Some(DatagramEvent::ConnectionEvent(_, event)) = event {
            inner.conn.handle_event(event);
        }
        inner.events();
    }

    fn handle_timeout(&mut self, now: Time) {
        let mut inner = self.0.borrow_mut();
        let instant = inner.instant(now);
        inner.conn.handle_timeout(instant);
        inner.events();
    }

    fn next_timeout(&mut self) -> Option<Time> {
        let inner = &mut *self.0.borrow_mut();
        let due = inner.conn.poll_timeout()?;
        Some(due.saturating_duration_since(inner.epoch).as_nanos().div_ceil(1000) as Time)
    }

    fn transmit(&mut self, now: Time) -> Option<(SocketAddr, Vec<u8>)> {
        let mut inner = self.0.borrow_mut();
        let instant = inner.instant(now);
        inner.at = Duration::from_micros(now);
        inner.pump();
        let mut bytes = Vec::new();
        let _ = inner.conn.poll_transmit(instant, 1, &mut bytes)?;
        inner.events();
        Some((inner.to, bytes))
    }
}
