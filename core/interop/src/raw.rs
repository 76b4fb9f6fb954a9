//! A peer that speaks MoQT message by message: `quinn` carries the bytes, `moqtap-codec` makes and reads them.
//!
//! What a [`Peer`] sends is written here and nowhere else, and what it receives is shown with every field, so a test
//! sees what a relay changed. One module a draft, alike but for the codec's own.

use std::sync::Arc;

use moqtap_codec::varint::VarInt;
use quinn::crypto::rustls::QuicClientConfig;

use crate::{soon, Relay};

/// A number of the codec's.
///
/// # Panics
/// From 2^62 on.
pub fn int(value: u64) -> VarInt {
    VarInt::from_u64(value).expect("a small number")
}

/// Everything that a subgroup stream says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// The header's type: which fields are there, and END_OF_GROUP and FIRST_OBJECT.
    pub flags: u8,
    /// Group id.
    pub group: u64,
    /// Subgroup id, where the header holds one.
    pub subgroup: u64,
    /// Publisher priority, where the header holds one.
    pub priority: Option<u8>,
    /// Its objects.
    pub objects: Vec<Object>,
}

/// Everything that a subgroup stream says of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Object id.
    pub id: u64,
    /// Object properties, encoded.
    pub properties: Vec<u8>,
    /// The status, where the payload is empty.
    pub status: Option<u64>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Everything that an object datagram says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Datagram {
    /// Its type: which fields are there, and END_OF_GROUP.
    pub flags: u8,
    /// Group id.
    pub group: u64,
    /// Object id.
    pub object: u64,
    /// Publisher priority, where the header holds one.
    pub priority: Option<u8>,
    /// Object properties, encoded.
    pub properties: Vec<u8>,
    /// The status, of a datagram that has one.
    pub status: Option<u64>,
    /// The payload.
    pub payload: Vec<u8>,
}

async fn dial(relay: &Relay, alpn: &str) -> (quinn::Endpoint, quinn::Connection) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(relay.certificate.clone()).expect("the relay's certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let mut tls = versions.expect("TLS 1.3").with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("suites for QUIC")));
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
    endpoint.set_default_client_config(config);
    let dialled = endpoint.connect(relay.address(), "localhost").expect("an address");
    let connection = soon("the handshake", dialled).await.expect("a connection");
    (endpoint, connection)
}

macro_rules! draft {
    ($name:ident, $alpn:literal, $number:literal) => {
        #[doc = concat!("Draft -", $number, ".")]
        pub mod $name {
            use moqtap_codec::kvp::KeyValuePair;
            use moqtap_codec::types::TrackNamespace;
            use moqtap_codec::$name::data_stream::{
                DatagramHeader, SubgroupHeader, SubgroupObject, SubgroupObjectReader,
            };
            use moqtap_codec::$name::message::{self, ControlMessage};
            use moqtap_codec::$name::types::ObjectStatus;

            use super::{dial, int, Datagram, Object, Stream};
            use crate::{soon, Relay};

            /// A session, set up.
            pub struct Peer {
                _endpoint: quinn::Endpoint,
                connection: quinn::Connection,
                _control: (quinn::SendStream, Messages),
                requests: u64,
            }

            /// Messages as they come on a stream.
            pub struct Messages {
                stream: quinn::RecvStream,
                waiting: Vec<u8>,
            }

            /// A request stream.
            pub struct Request {
                send: quinn::SendStream,
                /// What the relay answers, and says later.
                pub answers: Messages,
            }

            fn status(code: u64) -> ObjectStatus {
                ObjectStatus::from_u64(code).expect("a status")
            }

            impl Messages {
                /// The next message.
                ///
                /// # Panics
                /// If the stream ends, or holds what is no message.
                pub async fn next(&mut self) -> ControlMessage {
                    soon("a message", async {
                        loop {
                            let mut rest = &self.waiting[..];
                            match ControlMessage::decode(&mut rest) {
                                Ok(message) => {
                                    self.waiting = rest.to_vec();
                                    return message;
                                }
                                Err(error) if error.is_incomplete() => {}
                                Err(error) => panic!("{error}"),
                            }
                            let chunk = self.stream.read_chunk(65_536, true).await.expect("a live stream");
                            self.waiting.extend_from_slice(&chunk.expect("another message").bytes);
                        }
                    })
                    .await
                }
            }

            impl Request {
                /// Sends a message on the request's stream.
                ///
                /// # Panics
                /// If the relay has stopped it.
                pub async fn say(&mut self, message: ControlMessage) {
                    let mut bytes = Vec::new();
                    message.encode(&mut bytes).expect("a message");
                    self.send.write_all(&bytes).await.expect("a live stream");
                }

                /// Cancels the request: both directions end abruptly (draft -18, "Request Cancellation").
                ///
                /// # Panics
                /// If it has ended before.
                pub fn cancel(mut self) {
                    self.send.reset(1_u8.into()).expect("a live stream");
                    self.answers.stream.stop(1_u8.into()).expect("a live stream");
                }

                /// Waits for the relay's answer to our PUBLISH. From then on a task grants every REQUEST_UPDATE and
                /// says what it is given; the request is cancelled when the channel is dropped.
                ///
                /// # Panics
                /// If the relay refuses.
                pub async fn serve(mut self) -> tokio::sync::mpsc::UnboundedSender<ControlMessage> {
                    let answer = self.answers.next().await;
                    assert!(matches!(answer, ControlMessage::RequestOk(_)), "{answer:?}");
                    let (to_say, mut said) = tokio::sync::mpsc::unbounded_channel();
                    tokio::spawn(async move {
                        loop {
                            tokio::select! {
                                message = said.recv() => match message {
                                    Some(message) => self.say(message).await,
                                    None => return,
                                },
                                message = self.answers.stream.read_chunk(65_536, true) => {
                                    let Ok(Some(chunk)) = message else { return };
                                    self.answers.waiting.extend_from_slice(&chunk.bytes);
                                    let mut rest = &self.answers.waiting[..];
                                    if let Ok(ControlMessage::RequestUpdate(_)) = ControlMessage::decode(&mut rest) {
                                        self.answers.waiting = rest.to_vec();
                                        let (parameters, track_properties) = (Vec::new(), Vec::new());
                                        let ok = message::RequestOk { parameters, track_properties };
                                        self.say(ControlMessage::RequestOk(ok)).await;
                                    }
                                }
                            }
                        }
                    });
                    to_say
                }
            }

            impl Peer {
                /// Dials the relay and exchanges SETUP.
                ///
                /// # Panics
                /// If the relay does not answer with SETUP.
                pub async fn connect(relay: &Relay) -> Peer {
                    let (endpoint, connection) = dial(relay, $alpn).await;
                    let mut send = connection.open_uni().await.expect("a stream");
                    let mut bytes = Vec::new();
                    ControlMessage::Setup(message::Setup { options: Vec::new() })
                        .encode(&mut bytes)
                        .expect("a message");
                    send.write_all(&bytes).await.expect("a live stream");
                    let stream = soon("the relay's control stream", connection.accept_uni()).await.expect("a stream");
                    let mut control = Messages { stream, waiting: Vec::new() };
                    assert!(matches!(control.next().await, ControlMessage::Setup(_)));
                    Peer { _endpoint: endpoint, connection, _control: (send, control), requests: 0 }
                }

                /// The next request's id: a client's are even.
                pub fn id(&mut self) -> moqtap_codec::varint::VarInt {
                    self.requests += 2;
                    int(self.requests - 2)
                }

                /// Opens a request.
                ///
                /// # Panics
                /// If the relay takes no more of them.
                pub async fn ask(&mut self, message: ControlMessage) -> Request {
                    let (send, stream) = soon("a request stream", self.connection.open_bi()).await.expect("a session");
                    let mut request = Request { send, answers: Messages { stream, waiting: Vec::new() } };
                    request.say(message).await;
                    request
                }

                /// The next request of the relay's: its stream and first message.
                ///
                /// # Panics
                /// If none comes.
                pub async fn asked(&mut self) -> (Request, ControlMessage) {
                    let (send, stream) = soon("a request", self.connection.accept_bi()).await.expect("a session");
                    let mut request = Request { send, answers: Messages { stream, waiting: Vec::new() } };
                    let message = request.answers.next().await;
                    (request, message)
                }

                /// PUBLISH, accepted. What is sent into the channel is said on its stream.
                ///
                /// # Panics
                /// If the relay refuses.
                pub async fn publish(
                    &mut self,
                    (namespace, name): (&[&str], &str),
                    alias: u64,
                    track_properties: Vec<KeyValuePair>,
                ) -> tokio::sync::mpsc::UnboundedSender<ControlMessage> {
                    let publish = message::Publish {
                        request_id: self.id(),
                        track_namespace: namespace_of(namespace),
                        track_name: name.as_bytes().to_vec(),
                        track_alias: int(alias),
                        parameters: Vec::new(),
                        track_properties,
                    };
                    self.ask(ControlMessage::Publish(publish)).await.serve().await
                }

                /// Sends a whole subgroup stream.
                ///
                /// # Panics
                /// If the stream is not one that the draft allows.
                pub async fn send(&self, alias: u64, stream: &Stream) {
                    let mut send = soon("a data stream", self.connection.open_uni()).await.expect("a session");
                    let header = SubgroupHeader {
                        header_type: stream.flags,
                        track_alias: int(alias),
                        group_id: int(stream.group),
                        subgroup_id: int(stream.subgroup),
                        publisher_priority: stream.priority,
                    };
                    let mut bytes = Vec::new();
                    header.encode_checked(&mut bytes).expect("a header");
                    let mut writer = SubgroupObjectReader::new(&header);
                    for object in &stream.objects {
                        let object = SubgroupObject {
                            object_id: int(object.id),
                            extension_headers: object.properties.clone(),
                            payload_length: int(object.payload.len() as u64),
                            object_status: object.status.map(status),
                            payload: object.payload.clone(),
                        };
                        writer.write_object(&object, &mut bytes).expect("an object");
                    }
                    send.write_all(&bytes).await.expect("a live stream");
                    send.finish().expect("a live stream");
                }

                /// The next subgroup stream, whole, and its track alias.
                ///
                /// # Panics
                /// If none comes, or it is reset.
                pub async fn receive(&self) -> (u64, Stream) {
                    let mut stream = soon("a data stream", self.connection.accept_uni()).await.expect("a session");
                    let bytes = soon("its end", stream.read_to_end(1 << 20)).await.expect("a stream that ends");
                    let mut rest = &bytes[..];
                    let header = SubgroupHeader::decode(&mut rest).expect("a subgroup header");
                    let mut reader = SubgroupObjectReader::new(&header);
                    let mut objects = Vec::new();
                    while !rest.is_empty() {
                        let object = reader.read_object(&mut rest).expect("an object");
                        objects.push(Object {
                            id: object.object_id.into_inner(),
                            properties: object.extension_headers,
                            status: object.object_status.map(|status| status.as_u64()),
                            payload: object.payload,
                        });
                    }
                    let stream = Stream {
                        flags: header.header_type,
                        group: header.group_id.into_inner(),
                        subgroup: header.subgroup_id.into_inner(),
                        priority: header.publisher_priority,
                        objects,
                    };
                    (header.track_alias.into_inner(), stream)
                }

                /// Sends an object datagram.
                ///
                /// # Panics
                /// If it is not one that the draft allows.
                pub fn send_datagram(&self, alias: u64, datagram: &Datagram) {
                    let header = DatagramHeader {
                        datagram_type: datagram.flags,
                        track_alias: int(alias),
                        group_id: int(datagram.group),
                        object_id: int(datagram.object),
                        publisher_priority: datagram.priority,
                        properties: datagram.properties.clone(),
                        object_status: datagram.status.map(status),
                    };
                    let mut bytes = Vec::new();
                    header.encode_checked(&mut bytes).expect("a datagram");
                    bytes.extend_from_slice(&datagram.payload);
                    self.connection.send_datagram(bytes.into()).expect("a session with datagrams");
                }

                /// The next object datagram, and its track alias.
                ///
                /// # Panics
                /// If none comes.
                pub async fn receive_datagram(&self) -> (u64, Datagram) {
                    let bytes = soon("a datagram", self.connection.read_datagram()).await.expect("a session");
                    let (header, payload) = DatagramHeader::decode_object(&mut &bytes[..]).expect("an object datagram");
                    let datagram = Datagram {
                        flags: header.datagram_type,
                        group: header.group_id.into_inner(),
                        object: header.object_id.into_inner(),
                        priority: header.publisher_priority,
                        status: header.has_status().then(|| header.status().as_u64()),
                        properties: header.properties,
                        payload,
                    };
                    (header.track_alias.into_inner(), datagram)
                }

                /// What the relay closed the session with.
                pub async fn closed(&self) -> quinn::ConnectionError {
                    soon("the session's end", self.connection.closed()).await
                }
            }

            /// A namespace of the codec's.
            pub fn namespace_of(fields: &[&str]) -> TrackNamespace {
                TrackNamespace(fields.iter().map(|field| field.as_bytes().to_vec()).collect())
            }
        }
    };
}

draft!(draft18, "moqt-18", "18");
draft!(draft22, "moqt-22", "22");
